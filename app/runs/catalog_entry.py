"""One line of the list of runs, as the scan of a folder finds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the DICOM parser is imported with the first DICOM file
    from app.runs.dicom_series import SeriesPart


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One line of the run list; all of it comes from the header.

    Attributes
    ----------
    path : Path
        What `open_run` takes: a file (the first one of a DICOM series), or a folder of pictures.
    frame_count : int or None
        None where only reading all of the file would tell; shown as "?".
    part : SeriesPart or None
        While the list is made: how a single-frame file joins others of its series.
    plane : str
        What Image Type says of the C-arm (PS3.3 C.8.7.1.1.1): "SINGLE PLANE", "BIPLANE A",
        "BIPLANE B", or "" where it says nothing.
    acquired : datetime or None
        When the run began.
    instance_number : int or None
    error : str or None
        Why this file is listed but cannot be opened: one plain sentence.
    """

    path: Path
    title: str
    modality: str = ""
    frame_count: int | None = 1
    duration_ms: float = 0.0
    primary_angle_deg: float | None = None
    secondary_angle_deg: float | None = None
    study_date: date | None = None
    sop_instance_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    study_description: str = ""
    series_description: str = ""
    plane: str = ""
    acquired: datetime | None = None
    instance_number: int | None = None
    error: str | None = None
    part: SeriesPart | None = None
