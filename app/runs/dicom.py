"""A DICOM file becomes a `Run`: header here, each other concern in its own dicom_ file."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from app.runs.dicom_ecg import read_ecg
from app.runs.dicom_geometry import (
    read_angles,
    read_masks,
    read_pixel_aspect_ratio,
    read_shutter,
    read_spacing,
)
from app.runs.dicom_grey import grey_palette, nominal_range, read_grey
from app.runs.dicom_pixels import (
    DECODABLE,
    DicomFrames,
    FrameIndex,
    PixelFormat,
    check_frame_size,
    encapsulated_frames,
    native_frames,
)
from app.runs.dicom_timing import read_timing
from app.runs.dicom_values import number, numbers, text
from app.runs.files import HeaderReader, SharedFile, open_regular, opening_error
from app.runs.run import Patient, Run, RunError

logger = logging.getLogger(__name__)

# pydicom warns about values that break the rules by quoting them, and they may be a patient's.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

MAX_INFLATED_BYTES = 1 << 30
_PIXEL_DATA = 0x7FE00010
_FLOAT_PIXEL_DATA = (0x7FE00008, 0x7FE00009)
_LONG_LENGTH = (b"OB", b"OW", b"UN", b"OV", b"OD", b"OF", b"OL")

PARSING_ERRORS = (
    InvalidDicomError,
    BytesLengthException,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    NotImplementedError,
    RecursionError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on damaged files."""


def read_header(reader: HeaderReader) -> FileDataset:
    """Read everything before the pixels; the reader is left at the Pixel Data element.

    Raises
    ------
    RunError
        If this is no DICOM file or a damaged one.
    """
    name = Path(reader.name).name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(reader, stop_before_pixels=True, force=True)
            # Elements convert when first used; convert all here, where a bad one is expected.
            for element in list(dataset.keys()):
                _convert(dataset, element)
    except PARSING_ERRORS as error:
        logger.info("DICOM header not readable: %s", type(error).__name__)
        raise _damaged(name) from error
    if not len(dataset):
        raise RunError(f"{name} is an empty or damaged DICOM file; copy or export it again.")
    return dataset


def _convert(dataset: Dataset, tag: pydicom.tag.BaseTag) -> None:
    """Drop an element whose value cannot be read, rather than refuse the run for it."""
    try:
        dataset[tag]
    except PARSING_ERRORS as error:
        logger.info("element %s dropped: %s", tag, type(error).__name__)
        del dataset[tag]


def transfer_syntax_of(dataset: FileDataset) -> str:
    """Return the transfer syntax; files without meta information are little endian."""
    stated = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if stated:
        return str(stated)
    implicit, _ = dataset.original_encoding
    return str(ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian)


@dataclass(frozen=True, slots=True)
class OpenedHeader:
    """A DICOM header, and the open file with ``reader`` standing where the pixels begin."""

    dataset: FileDataset
    transfer_syntax: str
    reader: HeaderReader
    file: BinaryIO
    size: int


def open_header(path: Path) -> OpenedHeader:
    """Open a DICOM file and read all but its pixels; the caller closes ``file``.

    Raises
    ------
    RunError
        If it cannot be read or is no DICOM file.
    """
    try:
        file = open_regular(path)
        size = path.stat().st_size
    except OSError as error:
        raise opening_error(path, error) from error
    try:
        start = _deflated_start(path)
        if start is not None:
            file, size = _inflated(file, start, path.name)
        reader = HeaderReader(file, size, str(path))
        dataset = read_header(reader)
    except RunError:
        file.close()
        raise
    except PARSING_ERRORS as error:
        file.close()
        logger.info("DICOM header not readable: %s", type(error).__name__)
        raise _damaged(path.name) from error
    return OpenedHeader(dataset, transfer_syntax_of(dataset), reader, file, size)


def _damaged(name: str) -> RunError:
    return RunError(f"{name} is a damaged DICOM file; copy or export it again.")


def open_dicom(path: Path) -> Run:
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
        raise _damaged(path.name) from error


def _read_run(path: Path, header: OpenedHeader) -> Run:
    dataset, syntax = header.dataset, header.transfer_syntax
    offset, length, words = _pixel_data_element(header.reader, dataset, path.name, syntax)
    layout = PixelFormat.from_dataset(dataset, syntax, words)
    shared = SharedFile(header.file, header.size, path.name)
    index = _index_frames(dataset, layout, shared, offset, length)
    count = len(index.frames)
    palette = grey_palette(dataset)
    frames = DicomFrames(shared, layout, index.frames, palette[0] if palette else None)
    notes = _missing_note(index)
    timing = read_timing(dataset, count)
    ecg, ecg_notes = read_ecg(dataset, timing.times_ms)
    grey = read_grey(dataset, layout, palette[1] if palette else None)
    primary, secondary = read_angles(dataset, count)
    representative = number(dataset, "RepresentativeFrameNumber")
    spacing = read_spacing(dataset)
    return Run(
        path=path,
        frames=frames,
        frame_count=count,
        rows=layout.rows,
        columns=layout.columns,
        frame_times_ms=timing.times_ms,
        timing_source=timing.source,
        grey=grey,
        nominal_range=nominal_range(dataset, layout, grey),
        spacing=spacing,
        pixel_aspect_ratio=read_pixel_aspect_ratio(dataset, spacing),
        primary_angles_deg=primary,
        secondary_angles_deg=secondary,
        shutter=read_shutter(dataset),
        ecg=ecg,
        mask_subtraction=read_masks(dataset, count),
        open_subtracted=text(dataset, "RecommendedViewingMode") == "SUB",
        pixel_intensity_relationship=text(dataset, "PixelIntensityRelationship"),
        representative_frame=_frame_index(representative, count),
        patient=Patient(
            name=text(dataset, "PatientName"),
            id=text(dataset, "PatientID"),
            birth_date=text(dataset, "PatientBirthDate"),
            sex=text(dataset, "PatientSex"),
        ),
        sop_instance_uid=text(dataset, "SOPInstanceUID") or None,
        study_uid=text(dataset, "StudyInstanceUID") or None,
        series_uid=text(dataset, "SeriesInstanceUID") or None,
        modality=text(dataset, "Modality"),
        manufacturer=text(dataset, "Manufacturer"),
        scanner_model=text(dataset, "ManufacturerModelName"),
        study_date=study_date(dataset),
        study_description=text(dataset, "StudyDescription"),
        series_description=text(dataset, "SeriesDescription"),
        acquisition_time=text(dataset, "AcquisitionTime"),
        frame_of_interest=tuple(
            f
            for v in numbers(dataset, "FrameNumbersOfInterest")
            if (f := _frame_index(v, count)) is not None
        ),
        notes=(*notes, *timing.notes, *ecg_notes),
    )


def study_date(dataset: Dataset) -> date | None:
    """Return the Study Date, or None where it is absent or no date."""
    digits = text(dataset, "StudyDate").replace(".", "").replace("-", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def declared_frames(dataset: Dataset) -> int:
    """Return the Number of Frames, 1 where the file does not say."""
    return max(int(number(dataset, "NumberOfFrames") or 1), 1)


def _frame_index(frame_number: float | None, count: int) -> int | None:
    if frame_number is None or not 1 <= frame_number <= count:
        return None
    return int(frame_number) - 1


def _missing_note(index: FrameIndex) -> list[str]:
    if not index.missing:
        return []
    declared = len(index.frames) + index.missing
    return [f"The file is cut off: {index.missing} of {declared} frames are missing."]


def _index_frames(
    dataset: Dataset, layout: PixelFormat, file: SharedFile, offset: int, length: int
) -> FrameIndex:
    declared = declared_frames(dataset)
    if UID(layout.transfer_syntax).is_encapsulated:
        check_frame_size(layout)
        return encapsulated_frames(dataset, file, offset, declared)
    return native_frames(layout, file, offset, length, declared)


def stored_pixels_follow(header: OpenedHeader) -> bool:
    """Tell whether the header ends where pixels begin; presentation states have none."""
    _, little = header.dataset.original_encoding
    start = header.reader.read(4)
    group = int.from_bytes(start[:2], "big" if little is False else "little")
    return len(start) == 4 and group == _PIXEL_DATA >> 16


def _pixel_data_element(
    reader: HeaderReader, dataset: FileDataset, name: str, syntax: str
) -> tuple[int, int, bool]:
    """Return where Pixel Data begin, their declared length, and whether they are words."""
    implicit, little = dataset.original_encoding
    order = "<" if little is not False else ">"
    header = reader.read(12)
    tag = 0
    if len(header) >= 8:
        group, element = struct.unpack(f"{order}HH", header[:4])
        tag = group << 16 | element
    if tag in _FLOAT_PIXEL_DATA:
        raise RunError(f"{name} holds floating-point pixels; export it with 16-bit ones.")
    if tag != _PIXEL_DATA:
        kind = UID(text(dataset, "SOPClassUID"))
        known = f" ({kind.name})" if kind.name != str(kind) else ""
        raise RunError(f"{name} holds no picture{known}; choose an image run.")
    if not _known(syntax):
        kind = UID(syntax)
        known = f" ({kind.name})" if kind.name != str(kind) else ""
        raise RunError(
            f"{name} is compressed in a way that cannot be read{known}; export it again."
        )
    end = reader.tell() - len(header)
    if implicit:
        return end + 8, struct.unpack(f"{order}L", header[4:8])[0], True
    if header[4:6] not in _LONG_LENGTH or len(header) < 12:
        raise _damaged(name)
    length = struct.unpack(f"{order}L", header[8:12])[0]
    return end + 12, length, header[4:6] == b"OW"


def _known(syntax: str) -> bool:
    uid = UID(syntax)
    return syntax in DECODABLE or (uid.is_transfer_syntax and not uid.is_encapsulated)


def _deflated_start(path: Path) -> int | None:
    """Return where the deflated data set begins, or None where the file is not deflated."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            meta = pydicom.filereader.read_file_meta_info(path)
    except PARSING_ERRORS:
        return None  # no meta information; the header reader has the last word
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return None
    return 132 + 12 + int(meta.get("FileMetaInformationGroupLength") or 0)


def _inflated(file: BinaryIO, start: int, name: str) -> tuple[BinaryIO, int]:
    """Return the data set of a deflated file (PS3.5 A.5) as a file of its own."""
    file.seek(start)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflate.decompress(file.read(), MAX_INFLATED_BYTES)
    file.close()
    if len(data) >= MAX_INFLATED_BYTES:
        raise RunError(f"{name} inflates to more than 1 GB; export it without deflation.")
    return io.BytesIO(data), len(data)
