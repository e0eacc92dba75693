"""Whole-pixel motion of the whole picture (table panning) between two noisy frames.

Whole pixels, because interpolation would blur noise and devices alike; what moves otherwise is
left to the gates of the temporal mean.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.float32]

SEARCH_SIZE = 256
_STEPS = tuple((dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dx, dy) != (0, 0))


def _band(frame: Frame) -> Frame:
    """Structures of about 3 to 20 pixels, limited so that no single edge decides."""
    smooth = cv2.blur(frame, (3, 3))
    band = smooth - cv2.blur(frame, (21, 21))
    limit = 4.0 * float(np.median(np.abs(band[::4, ::4]))) + 1e-6
    return np.clip(band, -limit, limit)


def _overlap(
    shape: tuple[int, ...], dx: int, dy: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where the later and the earlier frame show the same scene under the shift."""
    rows, columns = shape
    later = np.s_[max(0, dy) : rows + min(0, dy), max(0, dx) : columns + min(0, dx)]
    earlier = np.s_[max(0, -dy) : rows + min(0, -dy), max(0, -dx) : columns + min(0, -dx)]
    return later, earlier


def align(earlier: Frame, dx: int, dy: int) -> tuple[Frame, tuple[slice, slice]]:
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


def whole_pixel_shift(earlier: Frame, later: Frame) -> tuple[int, int]:
    """Find (dx, dy) in whole pixels such that ``later[y, x]`` shows ``earlier[y - dy, x - dx]``.

    Phase correlation of band-passed, reduced frames proposes; the mean absolute difference at
    full resolution decides between it, its neighbours and no motion at all.
    """
    one, two = _band(earlier), _band(later)
    factor = max(1, round(max(one.shape) / SEARCH_SIZE))
    rows, columns = (n // factor * factor for n in one.shape)
    size = (columns // factor, rows // factor)
    small_one = cv2.resize(one[:rows, :columns], size, interpolation=cv2.INTER_AREA)
    small_two = cv2.resize(two[:rows, :columns], size, interpolation=cv2.INTER_AREA)
    window = cv2.createHanningWindow(size, cv2.CV_32F)
    (fx, fy), _ = cv2.phaseCorrelate(small_one, small_two, window)
    costs: dict[tuple[int, int], float] = {}

    def cost(shift: tuple[int, int]) -> float:
        if shift not in costs:
            dx, dy = shift
            if abs(dx) > columns // 3 or abs(dy) > rows // 3:
                costs[shift] = np.inf
            else:
                a, b = _overlap(one.shape, dx, dy)
                # Every other row and column is enough to tell shifts apart, and four times as fast.
                costs[shift] = float(cv2.norm(two[a][::2, ::2], one[b][::2, ::2], cv2.NORM_L1)) / (
                    (columns - abs(dx)) * (rows - abs(dy))
                )
        return costs[shift]

    best = min(((0, 0), (round(fx * factor), round(fy * factor))), key=cost)
    while True:
        around = min(((best[0] + dx, best[1] + dy) for dx, dy in _STEPS), key=cost)
        if cost(around) >= cost(best):
            break
        best = around
    # A shift has to explain the frames clearly better than rest does, or it is noise.
    return best if cost(best) < 0.995 * cost((0, 0)) else (0, 0)
