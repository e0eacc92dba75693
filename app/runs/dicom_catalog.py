"""The lines of DICOM files in the run list, and the files that a DICOMDIR names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from gettext import gettext as tr
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import UID
from pydicom.valuerep import DT

from app.runs.biplane import PLANES
from app.runs.catalog_entry import CatalogEntry
from app.runs.dicom_frames import declared_frames, index_frames
from app.runs.dicom_geometry import read_angles
from app.runs.dicom_header import (
    PARSING_ERRORS,
    OpenedHeader,
    PixelElement,
    damaged,
    open_header,
    pixel_element,
)
from app.runs.dicom_pixels import PixelFormat, is_video
from app.runs.dicom_series import ordered, series_part, series_times
from app.runs.dicom_timing import read_timing
from app.runs.dicom_values import day, items, sensible, text, words
from app.runs.files import SharedFile, shown_name
from app.runs.run import RunError

_ADDED = re.compile(r"(\.(dcm|dic|ima)?)?(;\d+)?$", re.IGNORECASE)
"""What ISO 9660 and copying programs put behind a name, which has no dot of its own."""


def directory_files(path: Path) -> list[Path]:
    """Return the files below its folder that a DICOMDIR names (PS3.3 annex F).

    Media show names in capitals, small letters or with a version, by how they were mounted; who
    copies them may give the files an ending.

    Raises
    ------
    RunError
        If the DICOMDIR cannot be read.
    """
    header = open_header(path)
    header.file.close()
    root = path.parent.resolve()
    listed: dict[Path, dict[str, Path]] = {}
    found = []
    for record in items(header.dataset, "DirectoryRecordSequence"):
        parts = [p for word in words(record, "ReferencedFileID") for p in re.split(r"[\\/]", word)]
        file = _on_medium(path.parent, parts, listed) if parts else None
        if file is not None and file.resolve().is_relative_to(root):
            found.append(file)
    return found


def _on_medium(
    folder: Path, parts: Sequence[str], listed: dict[Path, dict[str, Path]]
) -> Path | None:
    """Return where a file lies that is named in parts; None where they lead outside."""
    place = folder
    for part in parts:
        if part in ("", ".", ".."):
            return None
        exact = place / part
        place = exact if exact.exists() else _names(place, listed).get(_plain(part), exact)
    return place


def _names(folder: Path, listed: dict[Path, dict[str, Path]]) -> dict[str, Path]:
    """Return what a folder holds, by plain names; each folder is listed once."""
    if folder not in listed:
        children = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
        listed[folder] = {_plain(child.name): child for child in children}
    return listed[folder]


def _plain(name: str) -> str:
    return _ADDED.sub("", name).casefold()


def dicom_entry(path: Path, *, listed_by_user: bool) -> CatalogEntry | None:
    """Return the line of a DICOM file; None for those that are no images by nature."""
    try:
        header = open_header(path)
    except RunError as error:
        return CatalogEntry(path, shown_name(path), error=str(error))
    try:
        return _entry(path, header, listed_by_user)
    except RunError as error:
        return CatalogEntry(path, shown_name(path), error=str(error))
    except PARSING_ERRORS:
        return CatalogEntry(path, shown_name(path), error=str(damaged(path.name)))
    finally:
        header.file.close()


def one_a_series(entries: Sequence[CatalogEntry]) -> Iterator[CatalogEntry]:
    """Yield one line for files that are the frames of one run, or their own lines."""
    parts = ordered(entry.part for entry in entries if entry.part is not None)
    if parts is None:
        yield from (replace(entry, part=None) for entry in entries)
        return
    first = next(entry for entry in entries if entry.part is parts[0])
    times, _, _ = series_times(parts)
    duration_ms = 0.0 if times is None else float(2.0 * times[-1] - times[-2])
    yield replace(first, frame_count=len(parts), duration_ms=duration_ms, part=None)


def _entry(path: Path, header: OpenedHeader, listed_by_user: bool) -> CatalogEntry | None:
    dataset = header.dataset
    part = series_part(path, header)
    pixels = pixel_element(header)
    if pixels is None:
        # Reports and presentation states have none by nature; an image has lost them.
        lost = UID(text(dataset, "SOPClassUID")).name.endswith("Image Storage")
        error = tr("{name} holds no picture; copy or export it again.")
        error = error.format(name=shown_name(path))
        named = lost or listed_by_user
        return CatalogEntry(path, shown_name(path), error=error) if named else None
    count = _count(path, header, pixels)
    times = read_timing(dataset, count or 1).times_ms
    primary, secondary = read_angles(dataset, 1, [])
    number = sensible(dataset, "InstanceNumber", 0, 2**31, "", [])
    return CatalogEntry(
        path=path,
        title=_title(dataset) or shown_name(path),
        modality=text(dataset, "Modality"),
        frame_count=count,
        duration_ms=float(2.0 * times[-1] - times[-2]) if len(times) > 1 else 0.0,
        primary_angle_deg=None if primary is None else float(primary[0]),
        secondary_angle_deg=None if secondary is None else float(secondary[0]),
        study_date=day(dataset, "StudyDate"),
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        study_uid=text(dataset, "StudyInstanceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        study_description=text(dataset, "StudyDescription"),
        series_description=text(dataset, "SeriesDescription"),
        plane=_plane(dataset),
        acquired=_acquired(dataset),
        instance_number=None if number is None else int(number),
        part=part,
    )


def _title(dataset: Dataset) -> str:
    return text(dataset, "SeriesDescription") or text(dataset, "ProtocolName")


def _plane(dataset: Dataset) -> str:
    kinds = words(dataset, "ImageType")
    return kinds[2] if len(kinds) > 2 and kinds[2] in PLANES else ""


def _acquired(dataset: Dataset) -> datetime | None:
    """Return when the first frame was taken; None where the file lacks its date or time."""
    date = text(dataset, "AcquisitionDate") or text(dataset, "StudyDate")
    time = text(dataset, "AcquisitionTime") or text(dataset, "ContentTime")
    told = text(dataset, "AcquisitionDateTime") or (f"{date}{time}" if date and time else "")
    try:
        return DT(told).replace(tzinfo=None) if told else None
    except (ValueError, OverflowError):
        return None


def _count(path: Path, header: OpenedHeader, pixels: PixelElement) -> int | None:
    """Return how many frames the file holds; None for a video, which would have to be read."""
    layout = PixelFormat.from_dataset(header.dataset, header.transfer_syntax, pixels)
    if pixels.encapsulated and is_video(layout.transfer_syntax):
        declared = declared_frames(header.dataset)
        # A picture takes some bytes of a stream, so that a lie shows.
        return declared if declared is not None and declared * 8 <= header.size else None
    shared = SharedFile(header.file, header.size, shown_name(path))
    return len(index_frames(header.dataset, layout, shared, pixels).frames)
