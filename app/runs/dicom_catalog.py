"""The line of a DICOM file in the run list, and the files that a DICOMDIR names."""

from __future__ import annotations

from pathlib import Path

from pydicom.uid import UID

from app.runs.catalog_entry import CatalogEntry
from app.runs.dicom import (
    OpenedHeader,
    declared_frames,
    open_header,
    stored_pixels_follow,
    study_date,
)
from app.runs.dicom_geometry import read_angles
from app.runs.dicom_timing import read_timing
from app.runs.dicom_values import items, text, words
from app.runs.run import RunError


def directory_files(path: Path) -> list[Path]:
    """Return the files below its folder that a DICOMDIR names (PS3.3 annex F).

    Raises
    ------
    RunError
        If the DICOMDIR cannot be read.
    """
    header = open_header(path)
    header.file.close()
    root = path.parent.resolve()
    found = []
    for record in items(header.dataset, "DirectoryRecordSequence"):
        parts = words(record, "ReferencedFileID")
        if parts and path.parent.joinpath(*parts).resolve().is_relative_to(root):
            found.append(path.parent.joinpath(*parts))
    return found


def dicom_entry(path: Path, *, listed_by_user: bool) -> CatalogEntry | None:
    """Return the line of a DICOM file; None for those that are no images by nature."""
    try:
        header = open_header(path)
    except RunError as error:
        return CatalogEntry(path, path.name, error=str(error))
    try:
        return _entry(path, header, listed_by_user)
    finally:
        header.file.close()


def _entry(path: Path, header: OpenedHeader, listed_by_user: bool) -> CatalogEntry | None:
    dataset = header.dataset
    if not stored_pixels_follow(header):
        # Reports and presentation states have none by nature; an image has lost them.
        lost = UID(text(dataset, "SOPClassUID")).name.endswith("Image Storage")
        error = f"{path.name} holds no picture; copy or export it again."
        return CatalogEntry(path, path.name, error=error) if lost or listed_by_user else None
    count = declared_frames(dataset)
    # What the header declares is not believed for arrays: the file may be 1 kB long.
    times = read_timing(dataset, min(count, header.size)).times_ms
    primary, secondary = read_angles(dataset, 1)
    return CatalogEntry(
        path=path,
        title=text(dataset, "SeriesDescription") or text(dataset, "ProtocolName") or path.name,
        modality=text(dataset, "Modality"),
        frame_count=count,
        duration_ms=float(2.0 * times[-1] - times[-2]) if len(times) > 1 else 0.0,
        primary_angle_deg=None if primary is None else float(primary[0]),
        secondary_angle_deg=None if secondary is None else float(secondary[0]),
        study_date=study_date(dataset),
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
        study_uid=text(dataset, "StudyInstanceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        study_description=text(dataset, "StudyDescription"),
        series_description=text(dataset, "SeriesDescription"),
    )
