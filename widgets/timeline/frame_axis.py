"""Where the frames of a run stand along a horizontal axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TICK_SPACING = 70


def cell_edges(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the T + 1 borders of cells around T growing positions, half-way between them."""
    if len(times) < 2:
        return np.array([times[0] - 0.5, times[0] + 0.5])
    between = (times[1:] + times[:-1]) / 2.0
    first = times[0] - (between[0] - times[0])
    last = times[-1] + (times[-1] - between[-1])
    return np.concatenate(([first], between, [last]))


def frame_at(edges: NDArray[np.float64], position: float) -> int:
    """Return the cell that ``position`` falls into, the nearest one outside of all."""
    return int(np.clip(np.searchsorted(edges, position, side="right") - 1, 0, len(edges) - 2))


class FrameAxis:
    """The frames side by side in ``width`` pixels from ``left``.

    Parameters
    ----------
    times_ms : ndarray, shape (T,)
        Growing; the frames are spaced by them.
    """

    def __init__(self, times_ms: NDArray[np.float64], left: float, width: float) -> None:
        self._times_ms = times_ms
        edges = cell_edges(times_ms)
        self._first_ms = edges[0]
        self._scale = width / (edges[-1] - edges[0])
        self._edges = left + (edges - edges[0]) * self._scale

    def x_of_frame(self, index: int) -> float:
        """Return where the moment of a frame lies, within its cell."""
        return self.x_of_time(float(self._times_ms[index]))

    def x_of_time(self, time_ms: float) -> float:
        """Return where a moment lies, also one before the first frame or after the last."""
        return float(self.x_of_times(np.array([time_ms]))[0])

    def x_of_times(self, times_ms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where moments (n,) lie, also those beside the frames."""
        return (times_ms - self._first_ms) * self._scale + self._edges[0]

    def x_range(self, first: int, last: int) -> tuple[float, float]:
        """Return the left and right border of the frames first..last."""
        return float(self._edges[first]), float(self._edges[last + 1])

    def frame_at(self, x: float) -> int:
        """Return the frame at ``x``, the first or last one outside."""
        return frame_at(self._edges, x)

    def first_frames(self, columns: int) -> NDArray[np.intp]:
        """Return the first frame under each of so many columns across the axis."""
        borders = self._edges[0] + np.arange(columns) / columns * (self._edges[-1] - self._edges[0])
        starts = np.searchsorted(self._edges, borders, side="right") - 1
        return np.clip(starts, 0, len(self._times_ms) - 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Return (x, label) at round times in s."""
        most = max((self._edges[-1] - self._edges[0]) / TICK_SPACING, 1.0)
        length_s = float(self._times_ms[-1] - self._times_ms[0]) / 1000.0
        step_s = round_step(max(length_s, 1e-3) / most)
        marks_s = np.arange(0.0, length_s + step_s * 1e-6, step_s)
        return [(self.x_of_time(float(s) * 1000.0), f"{s:.6g} s") for s in marks_s]


def round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 x 10^n that is not below ``least``."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= least * (1 - 1e-9)))
