"""Label files, one module a format; `FORMATS` lists them for menus and the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.tracks.formats import coco, fluorotrace_json, tracks_csv
from app.tracks.formats.label_file import FormatError, LabelFile, RunFacts, run_facts

__all__ = ["FORMATS", "Format", "FormatError", "LabelFile", "RunFacts", "read_labels", "run_facts"]


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of label file, both ways."""

    title: str
    suffix: str
    write: Callable[[Path, LabelFile], None]
    read: Callable[[Path], LabelFile]


FORMATS = {
    "json": Format("Fluorotrace tracks", ".json", fluorotrace_json.write, fluorotrace_json.read),
    "csv": Format("Table", ".csv", tracks_csv.write, tracks_csv.read),
    "coco": Format("COCO keypoints", ".json", coco.write, coco.read),
}


def read_labels(path: Path) -> LabelFile:
    """Read a label file of any format.

    Raises
    ------
    FormatError
        If no format can read it.
    OSError
        If the file cannot be got at.
    """
    if path.suffix.lower() == ".csv":
        return tracks_csv.read(path)
    try:
        return fluorotrace_json.read(path)
    except FormatError as error:
        try:
            return coco.read(path)
        except FormatError:
            raise error from None
