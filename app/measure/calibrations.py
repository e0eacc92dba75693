"""Calibrations: what a person said of a pixel, as a mark of the run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from gettext import gettext as tr

import numpy as np

from app.errors import UserError
from app.measure.quantities import PLACEMENT_SD_PX, path_length
from app.measure.scale import source_text
from app.tracks.edits import Edit, MarkChange
from app.tracks.marks import Mark, MarkKind, Point, new_mark

SHORTEST_PX = 10.0
"""A calibration along less than this is worth nothing."""


def calibrate(
    marks: Sequence[Mark],
    mm_per_px: float,
    relative_sd: float,
    method: str,
    size: float,
    *,
    frame: int | None = None,
    points: Sequence[Point] = (),
) -> Edit:
    """Say how long a pixel is; a calibration that was there before gives way.

    Parameters
    ----------
    relative_sd : float
        Standard uncertainty as a share of ``mm_per_px``.
    method : {"catheter", "length", "sphere", "geometry"}
    size : float
        What is known: French, or mm; of a geometry nothing.
    frame, points
        Where it was measured.
    """
    values = {
        "mm_per_px": float(mm_per_px),
        "relative_sd": float(relative_sd),
        "method": method,
        "size": float(size),
    }
    made = new_mark(marks, MarkKind.CALIBRATION, frame=frame, points=tuple(points), values=values)
    label = tr("Calibrate by {source}").format(source=source_text(values))
    return Edit(label, (*_gone(marks), MarkChange(made.id, None, made)))


def forget_calibration(marks: Sequence[Mark]) -> Edit:
    """Go back to what the file says."""
    return Edit(tr("Forget the calibration"), _gone(marks))


def by_length(marks: Sequence[Mark], measure: Mark, length_mm: float, pixel_aspect: float) -> Edit:
    """Calibrate by a distance whose length is known.

    Raises
    ------
    UserError
        If it is too short on the picture to say anything.
    """
    handles = np.array(measure.points, float) * (1.0, pixel_aspect)
    length_px = path_length(handles)
    if length_px < SHORTEST_PX or not length_mm > 0:
        raise UserError(tr("This distance is too short to calibrate by; draw a longer one."))
    share = math.sqrt(2.0) * PLACEMENT_SD_PX / length_px
    return calibrate(
        marks,
        length_mm / length_px,
        share,
        "length",
        length_mm,
        frame=measure.frame,
        points=measure.points,
    )


def _gone(marks: Sequence[Mark]) -> tuple[MarkChange, ...]:
    there = (mark for mark in marks if mark.kind is MarkKind.CALIBRATION)
    return tuple(MarkChange(mark.id, mark, None) for mark in there)
