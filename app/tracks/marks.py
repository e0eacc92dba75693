"""Marks: what a person puts on a run beside its tracks, and the edits that do it.

Measures, words, the calibration, key images: each is one `Mark`, kept with the labels and undone
like every other gesture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from app.tracks.edits import Edit, MarkChange

Point = tuple[float, float]


class MarkKind(StrEnum):
    """What a mark is."""

    DISTANCE = "distance"
    POLYLINE = "polyline"
    ANGLE = "angle"
    RECTANGLE = "rectangle"
    ELLIPSE = "ellipse"
    TEXT = "text"
    ARROW = "arrow"
    VESSEL = "vessel"
    CALIBRATION = "calibration"
    KEY_IMAGE = "key image"


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark; immutable.

    Attributes
    ----------
    frame : int or None
        The frame on which it lies; None where it holds on all.
    points : tuple of (x, y)
        Its handles in the order in which they were placed, pixels with centres at integers.
    text : str
        Words of the user, or "".
    values : mapping
        What else belongs to its kind: anything that JSON can say. Equal marks have equal values.
    order : int
        Later marks have larger ones.
    """

    id: str
    kind: MarkKind
    frame: int | None = None
    points: tuple[Point, ...] = ()
    text: str = ""
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    order: int = 0


def new_mark(existing: Sequence[Mark], kind: MarkKind, **fields: Any) -> Mark:
    """Return a mark to add after ``existing``; ``fields`` are those of `Mark`."""
    order = max((mark.order for mark in existing), default=-1) + 1
    return Mark(uuid4().hex, kind, order=order, **fields)


def add_mark(label: str, mark: Mark) -> Edit:
    """Add a mark."""
    return Edit(label, (MarkChange(mark.id, None, mark),))


def change_mark(label: str, mark: Mark, **fields: Any) -> Edit:
    """Change fields of a mark; no change where they have these values."""
    after = replace(mark, **fields)
    return Edit(label, () if after == mark else (MarkChange(mark.id, mark, after),))


def remove_marks(label: str, marks: Sequence[Mark]) -> Edit:
    """Remove marks."""
    return Edit(label, tuple(MarkChange(mark.id, mark, None) for mark in marks))
