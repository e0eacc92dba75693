"""Label files, one module a format; `FORMATS` lists them for menus and the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.runs.files import shown_name
from app.tracks.formats import coco, fluorotrace_json, tracks_csv
from app.tracks.formats.label_file import (
    FormatError,
    LabelFile,
    NamedPicture,
    RunFacts,
    label_file,
    read_json,
    run_facts,
)

__all__ = [
    "FORMATS",
    "Format",
    "FormatError",
    "LabelFile",
    "NamedPicture",
    "RunFacts",
    "label_file",
    "read_labels",
    "run_facts",
]

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of label file, both ways; ``title`` is translated where it is shown."""

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
    UserError
        If the file cannot be got at, or no format can read it.
    """
    if path.suffix.lower() in TABLE_SUFFIXES:
        return tracks_csv.read(path)
    document = read_json(path)
    is_coco = isinstance(document, dict) and "annotations" in document
    return (coco if is_coco else fluorotrace_json).parse(document, shown_name(path))
