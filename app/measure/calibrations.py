"""Calibrations: what a person said of a pixel, as a mark of the run; offered to runs like it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from gettext import gettext as tr
from typing import TYPE_CHECKING, Any

from app.measure.scale import is_calibration, source_text
from app.runs.run import Run
from app.tracks.edits import Edit, MarkChange
from app.tracks.marks import Mark, MarkKind, Point, new_mark

if TYPE_CHECKING:
    from inference.measuring.calibration import Scale as Measured

SAME_DISTANCE_MM = 2.0
SAME_ANGLE_DEG = 3.0
MOST_EDGE_POINTS = 120


def calibrate(
    run: Run,
    marks: Sequence[Mark],
    measured: Measured,
    method: str,
    size: float,
    *,
    frame: int | None = None,
    points: Sequence[Point] = (),
    edges: Sequence[Sequence[Point]] = (),
) -> Edit:
    """Say how long a pixel is; a calibration that was there before gives way.

    Parameters
    ----------
    method : {"catheter", "length", "sphere", "geometry"}
    size : float
        What is known: French, or mm; of a geometry nothing.
    frame, points
        Where it was measured.
    edges : sequence of lines
        What was found there.
    """
    values = {
        "mm_per_px": float(measured.mm_per_px),
        "relative_sd": float(measured.uncertainty / measured.mm_per_px),
        "method": method,
        "size": float(size),
        "edges": [_thinned(edge) for edge in edges],
        "stand": stand_of(run),
    }
    return _put(marks, values, frame, points)


def take_over(marks: Sequence[Mark], values: Mapping[str, Any], run_name: str) -> Edit:
    """Let a run have the calibration of another one."""
    taken = {**values, "edges": [], "from": run_name}
    return _put(marks, taken, None, ())


def forget_calibration(marks: Sequence[Mark]) -> Edit:
    """Go back to what the file says."""
    return Edit(tr("Forget the calibration"), _gone(marks))


def stand_of(run: Run) -> list[Any]:
    """Return what must be the same for a calibration to hold in another run, as JSON holds it.

    The study, Distance Source to Detector, field of view, both angles of the first frame, columns.
    """
    angles = (run.primary_angles_deg, run.secondary_angles_deg)
    first = [None if angle is None else round(float(angle[0]), 2) for angle in angles]
    beam = run.beam
    return [
        run.study_uid or "",
        beam.source_to_detector_mm,
        beam.field_of_view_mm,
        *first,
        run.columns,
    ]


def holds_for(values: Mapping[str, Any], run: Run) -> bool:
    """Tell whether a calibration was made in the same study with the C-arm standing the same way.

    What a file does not tell cannot be the same: then it does not hold.
    """
    there, here = values.get("stand"), stand_of(run)
    if not is_calibration(values) or not isinstance(there, list) or len(there) != len(here):
        return False
    if not here[0] or there[0] != here[0] or there[-1] != here[-1]:
        return False
    limits = (SAME_DISTANCE_MM, SAME_DISTANCE_MM, SAME_ANGLE_DEG, SAME_ANGLE_DEG)
    pairs = zip(there[1:-1], here[1:-1], limits, strict=True)
    return all(
        type(a) in (int, float) and b is not None and abs(a - b) <= most for a, b, most in pairs
    )


def parsed(text: str) -> Mapping[str, Any] | None:
    """Return the values of a calibration from the text in a labels file; None where it is none."""
    try:
        values = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) and is_calibration(values) else None


def _put(
    marks: Sequence[Mark], values: Mapping[str, Any], frame: int | None, points: Sequence[Point]
) -> Edit:
    made = new_mark(marks, MarkKind.CALIBRATION, frame=frame, points=tuple(points), values=values)
    label = tr("Calibrate by {source}").format(source=source_text(values))
    return Edit(label, (*_gone(marks), MarkChange(made.id, None, made)))


def _gone(marks: Sequence[Mark]) -> tuple[MarkChange, ...]:
    there = (mark for mark in marks if mark.kind is MarkKind.CALIBRATION)
    return tuple(MarkChange(mark.id, mark, None) for mark in there)


def _thinned(edge: Sequence[Point]) -> list[list[float]]:
    step = max(1, len(edge) // MOST_EDGE_POINTS)
    return [[round(float(x), 2), round(float(y), 2)] for x, y in edge[::step]]
