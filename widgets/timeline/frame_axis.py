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
        Growing.
    by_time : bool
        Space the frames by their true times, else evenly by their numbers.
    """

    def __init__(
        self, times_ms: NDArray[np.float64], by_time: bool, left: float, width: float
    ) -> None:
        self._times_ms = times_ms
        self._by_time = by_time
        positions = times_ms if by_time else np.arange(len(times_ms), dtype=np.float64)
        edges = cell_edges(positions)
        self._edges = left + (edges - edges[0]) / (edges[-1] - edges[0]) * width
        self._centers = (self._edges[1:] + self._edges[:-1]) / 2.0

    def x_of_frame(self, index: int) -> float:
        """Return the middle of a frame's cell."""
        return float(self._centers[index])

    def x_of_time(self, time_ms: float) -> float:
        """Return where a moment lies between the frames around it."""
        return float(np.interp(time_ms, self._times_ms, self._centers))

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
        """Return (x, label) at round times or frame numbers (from 1)."""
        most = max((self._edges[-1] - self._edges[0]) / TICK_SPACING, 1.0)
        if self._by_time:
            length_s = float(self._times_ms[-1] - self._times_ms[0]) / 1000.0
            step_s = round_step(max(length_s, 1e-3) / most)
            marks_s = np.arange(0.0, length_s + step_s * 1e-6, step_s)
            return [(self.x_of_time(float(s) * 1000.0), f"{s:.6g} s") for s in marks_s]
        step = max(round(round_step(len(self._times_ms) / most)), 1)
        numbers = sorted({1, *range(step, len(self._times_ms) + 1, step)})
        return [(self.x_of_frame(number - 1), str(number)) for number in numbers]


def round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 x 10^n that is not below ``least``."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= least * (1 - 1e-9)))
