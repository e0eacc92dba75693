"""Whole-pixel motion of the whole picture (table panning) between two noisy frames.

Whole pixels, because interpolation would blur noise and devices alike; what moves otherwise is
left to the gates of the temporal mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inference.frames import FloatFrame

SEARCH_SIZE = 256
_STEPS = tuple((dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dx, dy) != (0, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """What motion is told by: structures of about 3 to 20 pixels, also reduced.

    Attributes
    ----------
    band : ndarray, shape (rows, columns)
    reduced : ndarray, shape (rows // factor, columns // factor)
    factor : int
    """

    band: FloatFrame
    reduced: FloatFrame
    factor: int


def landmarks(frame: FloatFrame) -> Landmarks:
    """Find a frame's landmarks, limited so that no single edge decides."""
    band = cv2.blur(frame, (3, 3))
    band -= cv2.blur(frame, (21, 21))
    limit = 4.0 * float(np.median(np.abs(band[::4, ::4]))) + 1e-6
    np.clip(band, -limit, limit, out=band)
    factor = max(1, round(max(band.shape) / SEARCH_SIZE))
    rows, columns = (n // factor for n in band.shape)
    reduced = cv2.resize(
        band[: rows * factor, : columns * factor], (columns, rows), interpolation=cv2.INTER_AREA
    )
    return Landmarks(band, np.asarray(reduced), factor)


def _overlap(
    shape: tuple[int, ...], dx: int, dy: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where the later and the earlier frame show the same scene under the shift."""
    rows, columns = shape
    later = np.s_[max(0, dy) : rows + min(0, dy), max(0, dx) : columns + min(0, dx)]
    earlier = np.s_[max(0, -dy) : rows + min(0, -dy), max(0, -dx) : columns + min(0, -dx)]
    return later, earlier


def align(earlier: FloatFrame, dx: int, dy: int) -> tuple[FloatFrame, tuple[slice, slice]]:
    """Move ``earlier`` by (dx, dy) pixels; also tell which rows and columns then show the scene.

    The rest repeats the edge.
    """
    rows, columns = earlier.shape
    if dx == 0 and dy == 0:
        return earlier, np.s_[0:rows, 0:columns]
    if abs(dx) >= columns or abs(dy) >= rows:
        return earlier, np.s_[0:0, 0:0]
    shown, source = _overlap(earlier.shape, dx, dy)
    moved = cv2.copyMakeBorder(
        earlier[source], max(0, dy), max(0, -dy), max(0, dx), max(0, -dx), cv2.BORDER_REPLICATE
    )
    return np.asarray(moved), shown


def whole_pixel_shift(earlier: Landmarks, later: Landmarks) -> tuple[int, int]:
    """Find (dx, dy) in whole pixels such that ``later[y, x]`` shows ``earlier[y - dy, x - dx]``.

    Phase correlation of the reduced landmarks proposes; the mean absolute difference at full
    resolution decides between it, its neighbours and no motion at all.
    """
    rows, columns = later.reduced.shape
    window = cv2.createHanningWindow((columns, rows), cv2.CV_32F)
    proposed, _ = cv2.phaseCorrelate(earlier.reduced, later.reduced, window)
    rows, columns = later.band.shape
    costs: dict[tuple[int, int], float] = {}

    def cost(shift: tuple[int, int]) -> float:
        if shift not in costs:
            dx, dy = shift
            if abs(dx) > columns // 3 or abs(dy) > rows // 3:
                costs[shift] = np.inf
            else:
                a, b = _overlap(later.band.shape, dx, dy)
                # Every other row is enough to tell shifts apart.
                difference = cv2.norm(later.band[a][::2], earlier.band[b][::2], cv2.NORM_L1)
                costs[shift] = float(difference) / ((columns - abs(dx)) * (rows - abs(dy)))
        return costs[shift]

    x, y = (round(p * later.factor) for p in proposed)
    best = min(((0, 0), (x, y)), key=cost)
    while True:
        around = min(((best[0] + dx, best[1] + dy) for dx, dy in _STEPS), key=cost)
        if cost(around) >= cost(best):
            break
        best = around
    # A shift has to explain the frames clearly better than rest does, or it is noise.
    return best if cost(best) < 0.995 * cost((0, 0)) else (0, 0)
