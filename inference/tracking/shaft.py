"""Where a hidden tip is, told by the shaft that still shows.

The last centimetres of a catheter move almost rigidly. Contrast or another device hides the tip,
and rarely all of them: the part of the tube around a known tip, found again in another frame, moved
and turned, tells where the tip is there (template matching with weights; the tube is what the
tracking network's body head says).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

REACH = 22
"""View pixels around a place (44 picture pixels at 512) in which the shaft is looked for."""
TURNS_DEG = tuple(range(-9, 10, 3))
HALF = 50
"""Half the side of the part of a view that is compared, in view pixels."""
HOLE, FADE = 6.0, 40.0
"""View pixels from the tip within which nothing is compared, and at which it counts for a third."""
LEAST = 40.0
"""View pixels of tube that have to be seen around the tip."""
SIDE = 160
"""Of the transforms: at least that of the part that is searched, and quick to compute."""


class Shaft:
    """What is around a known tip, to be found again in other frames of the run.

    Parameters
    ----------
    view : ndarray
        (side, side), normalised.
    body : ndarray
        (n, n) probability of the catheter in each part of the view.
    tip : ndarray
        (x, y) in the view.
    """

    def __init__(
        self, view: NDArray[np.float32], body: NDArray[np.floating], tip: NDArray[np.floating]
    ) -> None:
        x, y = float(tip[0]), float(tip[1])
        row, column = np.indices(view.shape, np.float32)
        away = np.hypot(column - x, row - y)
        weight = cv2.resize(body, view.shape[::-1], interpolation=cv2.INTER_LINEAR)
        weight *= (1.0 - np.exp(-((away / HOLE) ** 2))) * np.exp(-((away / FADE) ** 2))
        self.patterns: list[NDArray[np.float32]] = []
        for turn in TURNS_DEG if weight.sum() >= LEAST else ():
            matrix = cv2.getRotationMatrix2D((x, y), turn, 1.0)
            matrix[:, 2] += HALF - np.array([x, y])
            size = (2 * HALF + 1, 2 * HALF + 1)
            seen, counts = (cv2.warpAffine(part, matrix, size) for part in (view, weight))
            total = float(counts.sum()) + 1e-6
            seen -= float((counts * seen).sum()) / total
            spread = float(np.sqrt((counts * seen * seen).sum() / total)) + 1e-3
            self.patterns.append(_transform(counts * seen / (total * spread)))


def likeness(
    shafts: Sequence[Shaft], view: NDArray[np.float32], around: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return how like some shafts the view is, were the tip at each place around one.

    Correlation by Fourier transforms: that of the view serves all shafts and turns.

    Returns
    -------
    ndarray, shape (side, side)
        Mean over the shafts. About 0 where they are not, 1 where the view is the same; 0 beyond
        ``REACH`` from ``around``.
    """
    x, y = np.rint(around).astype(int).tolist()
    move = np.array([[1.0, 0.0, HALF + REACH - x], [0.0, 1.0, HALF + REACH - y]])
    side = 2 * (HALF + REACH) + 1
    part = _transform(cv2.warpAffine(view, move, (side, side)))
    total = np.zeros((2 * REACH + 1, 2 * REACH + 1), np.float32)
    for shaft in shafts:
        maps = [_correlation(part, pattern) for pattern in shaft.patterns]
        if maps:
            total += np.maximum(np.maximum.reduce(maps), 0.0)
    back = np.array([[1.0, 0.0, x - REACH], [0.0, 1.0, y - REACH]])
    return np.asarray(cv2.warpAffine(total / len(shafts), back, view.shape[::-1]), np.float32)


def _transform(part: NDArray[np.floating]) -> NDArray[np.float32]:
    rows, columns = part.shape
    padded = np.zeros((SIDE, SIDE), np.float32)
    padded[:rows, :columns] = part
    return np.asarray(cv2.dft(padded, nonzeroRows=rows), np.float32)


def _correlation(part: NDArray[np.float32], pattern: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlate where the whole pattern lies in the part."""
    product = cv2.mulSpectrums(part, pattern, 0, conjB=True)
    rows = 2 * REACH + 1
    flags = cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT
    return np.asarray(cv2.dft(product, flags=flags, nonzeroRows=rows)[:rows, :rows], np.float32)
