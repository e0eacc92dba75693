"""A DICOM file becomes a `Run`: each concern is read in its own dicom_ file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.runs.counts import count_notes
from app.runs.dicom_ecg import read_ecg
from app.runs.dicom_frames import declared_frames, index_frames
from app.runs.dicom_geometry import (
    read_angles,
    read_beam,
    read_masks,
    read_pixel_aspect_ratio,
    read_shutter,
    read_spacing,
)
from app.runs.dicom_grey import grey_palette, nominal_range, read_grey
from app.runs.dicom_header import (
    PARSING_ERRORS,
    OpenedHeader,
    damaged,
    no_picture,
    open_header,
    pixel_element,
)
from app.runs.dicom_pixels import DicomFrames, PixelFormat, is_video
from app.runs.dicom_timing import read_timing
from app.runs.dicom_values import day, number, numbers, text
from app.runs.dicom_video import open_stream
from app.runs.files import SharedFile, shown_name
from app.runs.run import FrameSource, Patient, Run, RunError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredFrames:
    """The frames that a file holds, and what it says otherwise."""

    source: FrameSource
    count: int
    layout: PixelFormat
    palette_bits: int | None
    notes: tuple[str, ...]


def open_dicom_file(path: Path) -> Run:
    """Open a DICOM image (XA, RF, enhanced, secondary capture, ...) as a run.

    Raises
    ------
    RunError
        If it holds no picture that can be shown.
    """
    header = open_header(path)
    try:
        return _read_run(path, header)
    except RunError:
        header.file.close()
        raise
    except PARSING_ERRORS as error:
        header.file.close()
        logger.info("DICOM file not readable: %s", type(error).__name__)
        raise damaged(path.name) from error


def stored_frames(header: OpenedHeader, name: str) -> StoredFrames:
    """Find the frames of a file; reading them is left to their source, which closes the file.

    Raises
    ------
    RunError
        If there is not one.
    """
    dataset, pixels = header.dataset, pixel_element(header)
    if pixels is None:
        raise no_picture(header, name)
    layout = PixelFormat.from_dataset(dataset, header.transfer_syntax, pixels)
    shared = SharedFile(header.file, header.size, shown_name(name))
    index = index_frames(dataset, layout, shared, pixels)
    if pixels.encapsulated and is_video(layout.transfer_syntax):
        video, count, layout, damage = open_stream(shared, layout, index.frames[0])
        notes = count_notes(count, declared_frames(dataset), cut=False) + damage
        return StoredFrames(video, count, layout, None, notes)
    palette = grey_palette(dataset)
    source = DicomFrames(shared, layout, index.frames, palette[0] if palette else None)
    bits = palette[1] if palette else None
    return StoredFrames(source, len(index.frames), layout, bits, index.notes)


def _read_run(path: Path, header: OpenedHeader) -> Run:
    dataset = header.dataset
    frames = stored_frames(header, path.name)
    count, notes = frames.count, list(frames.notes)
    timing = read_timing(dataset, count)
    notes += timing.notes
    grey = read_grey(dataset, frames.layout, count, frames.palette_bits, notes)
    primary, secondary = read_angles(dataset, count, notes)
    spacing = read_spacing(dataset, notes)
    return Run(
        path=path,
        frames=frames.source,
        frame_count=count,
        rows=frames.layout.rows,
        columns=frames.layout.columns,
        frame_times_ms=timing.times_ms,
        timing_source=timing.source,
        grey=grey,
        nominal_range=nominal_range(frames.layout, grey, frames.source, count),
        spacing=spacing,
        beam=read_beam(dataset),
        pixel_aspect_ratio=read_pixel_aspect_ratio(dataset, spacing),
        primary_angles_deg=primary,
        secondary_angles_deg=secondary,
        shutter=read_shutter(dataset, notes),
        ecg=read_ecg(dataset, timing.times_ms, notes),
        mask_subtraction=read_masks(dataset, count, notes),
        open_subtracted=text(dataset, "RecommendedViewingMode") == "SUB",
        pixel_intensity_relationship=text(dataset, "PixelIntensityRelationship"),
        representative_frame=_frame_index(number(dataset, "RepresentativeFrameNumber"), count),
        patient=Patient(
            name=text(dataset, "PatientName"),
            id=text(dataset, "PatientID"),
            birth_date=day(dataset, "PatientBirthDate"),
            sex=text(dataset, "PatientSex"),
        ),
        sop_instance_uid=text(dataset, "SOPInstanceUID") or None,
        study_uid=text(dataset, "StudyInstanceUID") or None,
        series_uid=text(dataset, "SeriesInstanceUID") or None,
        modality=text(dataset, "Modality"),
        manufacturer=text(dataset, "Manufacturer"),
        scanner_model=text(dataset, "ManufacturerModelName"),
        study_date=day(dataset, "StudyDate"),
        study_description=text(dataset, "StudyDescription"),
        series_description=text(dataset, "SeriesDescription"),
        acquisition_time=text(dataset, "AcquisitionTime"),
        frame_of_interest=_frame_indices(numbers(dataset, "FrameNumbersOfInterest"), count),
        notes=tuple(notes),
    )


def _frame_index(frame_number: float | None, count: int) -> int | None:
    if frame_number is None or not 1 <= frame_number <= count:
        return None
    return int(frame_number) - 1


def _frame_indices(frame_numbers: Sequence[float], count: int) -> tuple[int, ...]:
    indices = (_frame_index(number, count) for number in frame_numbers)
    return tuple(index for index in indices if index is not None)
