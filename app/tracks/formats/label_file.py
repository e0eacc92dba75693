"""What every label file holds: facts of the run that name no patient, and its tracks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from app.errors import UserError
from app.outputs import whole_file
from app.runs.run import Run
from app.tracks.track import (
    TRACK_COLORS,
    PointSource,
    PointState,
    Track,
    TrackKind,
    TrackPoint,
)


class FormatError(UserError):
    """A label file that cannot be read."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The run that labels belong to, without its patient.

    Attributes
    ----------
    path : str
        Name of the file, "" for a folder of pictures: folders often name the patient.
    spacing_mm : (row_mm, column_mm) or None
        Down a column and along a row, as in DICOM.
    """

    path: str
    sop_instance_uid: str | None
    frames: int
    rows: int
    columns: int
    frame_times_ms: tuple[float, ...]
    spacing_mm: tuple[float, float] | None
    spacing_source: str | None


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Labels as read from or written to a file; ``run`` is None where the file does not say."""

    run: RunFacts | None
    tracks: tuple[Track, ...]


def run_facts(run: Run) -> RunFacts:
    """Return what a label file says of its run."""
    spacing = run.spacing
    return RunFacts(
        path="" if run.path.is_dir() else run.path.absolute().name,
        sop_instance_uid=run.sop_instance_uid,
        frames=run.frame_count,
        rows=run.rows,
        columns=run.columns,
        frame_times_ms=tuple(float(t) for t in run.frame_times_ms),
        spacing_mm=None if spacing is None else (spacing.row_mm, spacing.column_mm),
        spacing_source=None if spacing is None else spacing.source.value,
    )


def make_point(values: Mapping[str, Any]) -> TrackPoint:
    """Make a point from what a file says; what it leaves out is visible and imported.

    Raises
    ------
    FormatError
        If a value is missing, of the wrong type or out of range.
    """
    try:
        frame = _whole(values["frame"])
        state = PointState(values.get("state") or PointState.VISIBLE)
        source = PointSource(values.get("source") or PointSource.IMPORTED)
        confidence = _number(values.get("confidence"))
        x, y = _number(values.get("x")), _number(values.get("y"))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"A point in this file cannot be read: {error}.") from error
    if frame < 0:
        raise FormatError(f"A point in this file is on frame {frame}; frames begin at 0.")
    if confidence is not None and not 0 <= confidence <= 1:
        raise FormatError(f"A confidence on frame {frame} is not between 0 and 1.")
    if state is PointState.ABSENT:
        x = y = None
    elif x is None or y is None:
        raise FormatError(f"A point on frame {frame} has no position.")
    if source is not PointSource.TRACKED:
        confidence = None
    return TrackPoint(frame, x, y, state, source, confidence)


def make_track(name: str, kind: str, points: list[TrackPoint], order: int) -> Track:
    """Make a track as a file describes it; an unknown kind becomes "other".

    Raises
    ------
    FormatError
        If two points are on the same frame.
    """
    by_frame = {point.frame: point for point in sorted(points, key=lambda p: p.frame)}
    if len(by_frame) != len(points):
        raise FormatError(f"The track {name} in this file has two points on one frame.")
    known = kind in {k.value for k in TrackKind}
    return Track(
        id=uuid4().hex,
        name=name or kind,
        kind=TrackKind(kind) if known else TrackKind.OTHER,
        color=TRACK_COLORS[order % len(TRACK_COLORS)],
        points=MappingProxyType(by_frame),
        order=order,
    )


def points_in_order(track: Track) -> list[TrackPoint]:
    """Return the points of a track by frame."""
    return [point for _, point in sorted(track.points.items())]


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a failure leaves the old one as it was."""
    with whole_file(path) as draft:
        draft.write_text(text, "utf-8", newline="")


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    FormatError
        If it is not text.
    """
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path.name} is not a text file with labels.") from error


def _whole(value: Any) -> int:
    number = float(value)
    if not number.is_integer():
        raise ValueError(f"frame {value} is not a whole number")
    return int(number)


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not a number")
    return number
