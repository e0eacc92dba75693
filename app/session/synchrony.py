"""What runs side by side have in common, and which of their frames belong together."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.runs.run import Run
from inference.heart.phase import HeartPhase

Axis = NDArray[np.float64]
"""What is compared of a run, for each frame; shape (frame_count,), increasing."""


class Sync(StrEnum):
    """What the runs have in common at any moment."""

    TIME = "time"
    FRAME = "frame"
    PHASE = "phase"
    OFF = "off"


def axis_of(run: Run, sync: Sync, phase: HeartPhase | None) -> Axis | None:
    """Return what is compared of a run; None where it goes by itself.

    The unit is ms, frames, or beats of the heart.
    """
    match sync:
        case Sync.TIME:
            return run.frame_times_ms
        case Sync.FRAME:
            return np.arange(run.frame_count, dtype=np.float64)
        case Sync.PHASE:
            return None if phase is None else phase.beats
        case Sync.OFF:
            return None


def matching_frame(axis: Axis, value: float, *, cyclic: bool) -> int:
    """Return the frame that is nearest to ``value``.

    Parameters
    ----------
    axis : ndarray, shape (frame_count,)
    cyclic : bool
        The unit is a beat of the heart: beyond its ends the run is gone through again in whole
        beats; where it is shorter than one, the frame of the nearest phase counts.
    """
    if cyclic and not axis[0] <= value <= axis[-1]:
        beats = np.floor(axis[-1] - axis[0])
        if beats < 1:
            return int(np.argmin(np.abs((axis - value + 0.5) % 1.0 - 0.5)))
        value = axis[0] + (value - axis[0]) % beats
    return int(np.argmin(np.abs(axis - value)))


def same_part(
    place: tuple[float, float, float] | None, run: Run, other: Run
) -> tuple[float, float, float] | None:
    """Return the `Look.place` that shows of another run what ``place`` shows of this one."""
    if place is None:
        return None
    zoom, x, y = place
    across, down = other.columns / run.columns, other.rows / run.rows
    return zoom / across, (x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5
