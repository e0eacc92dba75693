"""Marks: what a person puts on a run beside its tracks.

Measures, words, the calibration, key images: each is one `Mark`, kept with the labels and undone
like every other gesture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import uuid4

Point = tuple[float, float]
LONGEST_WORDS = 500


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


MOST_MARKS = 1000
"""Of a run; each is measured anew on each frame."""
MOST_HANDLES = 10_000
HANDLES: Mapping[MarkKind, range] = MappingProxyType(
    {
        MarkKind.DISTANCE: range(2, 3),
        MarkKind.POLYLINE: range(2, MOST_HANDLES + 1),
        MarkKind.ANGLE: range(3, 4),
        MarkKind.RECTANGLE: range(2, 3),
        MarkKind.ELLIPSE: range(2, 3),
        MarkKind.TEXT: range(1, 2),
        MarkKind.ARROW: range(2, 3),
    }
)
"""How many handles a measure can have; the other kinds have any number up to the most."""


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


def plain_words(text: str) -> str:
    """Return words as they can be drawn and kept: so many, and no halves of signs."""
    whole = text.encode("utf-8", "ignore").decode("utf-8")
    lines = (" ".join(line.split()) for line in whole.strip().splitlines())
    return "\n".join(lines)[:LONGEST_WORDS]
