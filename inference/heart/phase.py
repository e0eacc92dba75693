"""The phase of the heart in each frame, and how it follows from R waves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORTEST_BEAT_MS = 300.0
LONGEST_BEAT_MS = 2000.0
_MISSED = 1.6
"""An interval so many times the usual one holds a beat whose R wave was not marked."""


@dataclass(frozen=True, slots=True, eq=False)
class HeartPhase:
    """Where in the beat each frame stands.

    Attributes
    ----------
    phase : ndarray of float64, shape (T,)
        0 at the R wave, which ends diastole, to 1 at the next one.
    beat_starts_ms : tuple of float
        Times at which the phase is 0: R waves, or where they are estimated to be.
    period_ms : float
        Median length of a beat.
    from_ecg : bool
        False where the phase was estimated from the pictures.
    confidence : float
        0 to 1; 1 where it comes from the ECG.
    """

    phase: NDArray[np.float64]
    beat_starts_ms: tuple[float, ...]
    period_ms: float
    from_ecg: bool
    confidence: float

    @property
    def beats(self) -> NDArray[np.float64]:
        """Beats counted over the frames, shape (T,): whole where the phase is 0."""
        return np.unwrap(self.phase, period=1.0)

    def frames_at(self, phase: float = 0.0) -> tuple[int, ...]:
        """Return the frame nearest to a phase in each beat; by default at end-diastole.

        At phase 0 the ventricles are fullest: electrical systole begins, and contraction follows
        by some 50 ms.
        """
        beats = np.floor(self.beats - phase + 0.5).astype(int)
        distance = np.abs((self.phase - phase + 0.5) % 1.0 - 0.5)
        nearest = []
        for beat in np.unique(beats):
            frames = np.flatnonzero(beats == beat)
            frame = int(frames[np.argmin(distance[frames])])
            # A beat that the run only begins or ends may not come near the phase.
            inner = 0 < frame < len(distance) - 1
            if inner or distance[frame] <= self._half_step():
                nearest.append(frame)
        return tuple(nearest)

    def _half_step(self) -> float:
        """Half the phase from one frame to the next."""
        steps = np.diff(self.beats)
        return 0.5 * float(np.median(steps)) if steps.size else 0.5


def phase_from_r_waves(
    times_ms: NDArray[np.float64], r_wave_times_ms: Sequence[float]
) -> HeartPhase | None:
    """Return each frame's phase between its R waves; None where they tell no beat.

    Phase runs evenly from one R wave to the next, and beyond the first and the last as if the
    nearest beat went on. An interval in which an R wave was missed is cut into usual beats.

    Parameters
    ----------
    times_ms : ndarray, shape (T,)
        Increasing.
    r_wave_times_ms : sequence of float
        In the same time; in any order.
    """
    marked = np.asarray(r_wave_times_ms, np.float64)
    waves = np.unique(marked[np.isfinite(marked)])
    waves = (
        waves[np.concatenate([[True], np.diff(waves) >= SHORTEST_BEAT_MS])] if waves.size else waves
    )
    if waves.size < 2 or not len(times_ms):
        return None
    intervals = np.diff(waves)
    usual = float(np.median(intervals[intervals <= _MISSED * intervals.min()]))
    if usual > LONGEST_BEAT_MS:
        return None
    starts = [float(waves[0])]
    for interval in intervals:
        count = max(1, round(interval / usual)) if interval > _MISSED * usual else 1
        starts += [starts[-1] + interval * (k + 1) / count for k in range(count)]
    before = int(np.ceil(max(starts[0] - times_ms[0], 0.0) / usual))
    after = int(np.ceil(max(times_ms[-1] - starts[-1], 0.0) / usual))
    first, last = starts[1] - starts[0], starts[-1] - starts[-2]
    knots = np.concatenate(
        [
            starts[0] - first * np.arange(before + 1, 0, -1),
            starts,
            starts[-1] + last * np.arange(1, after + 2),
        ]
    )
    beats = np.interp(times_ms, knots, np.arange(len(knots)))
    return HeartPhase(np.mod(beats, 1.0), tuple(starts), usual, True, 1.0)
