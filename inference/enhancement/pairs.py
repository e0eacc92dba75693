"""Pairs of balloon markers, proposed from a few frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.frames import FloatFrame

_SCALES_PX = (1.5, 2.2, 3.2)
"""Of markers, at a side of 512 pixels."""
_BLOBS = 24
_ALIKE = 0.45
"""Strength of the weaker marker over the stronger one's."""
_SHORTEST_PX, _LONGEST_PX = 14.0, 140.0
_STEADY_SHARE = 0.1
_MOST_TURN = np.deg2rad(25.0)
_MOST_WAY_PX = 60.0
_PROPOSED = 5


@dataclass(frozen=True, slots=True, eq=False)
class MarkerPair:
    """Two blobs that may be the markers of a balloon.

    Attributes
    ----------
    points : ndarray of float64, shape (2, 2)
        (x, y) of each in the first frame.
    score : float
        Higher is likelier; comparable within one call only.
    """

    points: NDArray[np.float64]
    score: float


@dataclass(frozen=True, slots=True)
class _Blob:
    x: float
    y: float
    strength: float


def propose_pairs(frames: Sequence[FloatFrame], most: int = _PROPOSED) -> tuple[MarkerPair, ...]:
    """Propose pairs of dark blobs of equal look that keep their distance, likeliest first.

    Blobs are told by the smaller eigenvalue of the Hessian (Lindeberg, IJCV 1998), which a wire or
    an edge leaves small.

    Parameters
    ----------
    frames : sequence of ndarray of float32, shape (rows, columns)
        A few, spread over a beat or more; dark devices on a bright ground.
    """
    if not frames or min(frames[0].shape) < 32:
        return ()
    unit = max(frames[0].shape) / 512.0
    found = [_blobs(np.asarray(frame, np.float32), unit) for frame in frames]
    pairs = []
    for a, b in combinations(found[0], 2):
        arm = np.array([b.x - a.x, b.y - a.y])
        length = float(np.hypot(*arm)) / unit
        even = min(a.strength, b.strength) / max(a.strength, b.strength)
        if not _SHORTEST_PX <= length <= _LONGEST_PX or even < _ALIKE:
            continue
        middle = np.array([a.x + b.x, a.y + b.y]) / 2.0
        again = [_again(blobs, arm, middle, unit) for blobs in found[1:]]
        own = min(a.strength, b.strength)
        joined = _joined(np.asarray(frames[0], np.float32), a, b, unit)
        score = float((own + sum(again)) / len(found)) * even * joined
        pairs.append(MarkerPair(np.array([[a.x, a.y], [b.x, b.y]]), score))
    pairs.sort(key=lambda pair: -pair.score)
    return tuple(pair for pair in pairs[:most] if pair.score > 0)


def _blobs(frame: FloatFrame, unit: float) -> list[_Blob]:
    strongest = np.zeros_like(frame)
    for scale in _SCALES_PX:
        sigma = scale * max(unit, 0.5)
        smooth = cv2.GaussianBlur(frame, (0, 0), sigma)
        xx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3, scale=0.25)
        yy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3, scale=0.25)
        xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3, scale=0.25)
        half, rest = (xx + yy) / 2.0, np.sqrt(np.square((xx - yy) / 2.0) + np.square(xy))
        np.maximum(strongest, sigma**2 * (half - rest), out=strongest)
    reach = 2 * round(5 * max(unit, 0.5)) + 1
    peak = strongest >= cv2.dilate(strongest, np.ones((reach, reach), np.uint8))
    edge = round(8 * max(unit, 0.5))
    inside = np.zeros_like(peak)
    inside[edge:-edge, edge:-edge] = True
    rows, columns = np.nonzero(peak & inside & (strongest > 0))
    order = np.argsort(strongest[rows, columns])[::-1][:_BLOBS]
    return [
        _Blob(
            *_summit(strongest, int(rows[i]), int(columns[i])),
            float(strongest[rows[i], columns[i]]),
        )
        for i in order
    ]


def _summit(strength: FloatFrame, row: int, column: int) -> tuple[float, float]:
    """Refine a peak to a fraction of a pixel by a parabola each way."""
    part = strength[row - 1 : row + 2, column - 1 : column + 2].astype(np.float64)
    return column + _top(part[1]), row + _top(part[:, 1])


def _top(three: NDArray[np.float64]) -> float:
    bend = three[0] - 2.0 * three[1] + three[2]
    return float(np.clip(0.5 * (three[0] - three[2]) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _again(
    blobs: list[_Blob], arm: NDArray[np.float64], middle: NDArray[np.float64], unit: float
) -> float:
    """Return how strongly the pair shows in another frame; 0 where it does not."""
    best = 0.0
    for a, b in combinations(blobs, 2):
        other = np.array([b.x - a.x, b.y - a.y])
        turn = complex(*other) / complex(*arm)
        turn = turn if turn.real >= 0 else -turn
        way = np.hypot(*(np.array([a.x + b.x, a.y + b.y]) / 2.0 - middle)) / unit
        steady = abs(abs(turn) - 1.0) <= _STEADY_SHARE and abs(np.angle(turn)) <= _MOST_TURN
        if steady and way <= _MOST_WAY_PX:
            best = max(best, min(a.strength, b.strength))
    return best


def _joined(frame: FloatFrame, a: _Blob, b: _Blob, unit: float) -> float:
    """Return 1 to 2: how much darker the straight way between the two is than beside it.

    A balloon's markers sit on one shaft.
    """
    count = 32
    share = np.linspace(0.15, 0.85, count, dtype=np.float32)
    x, y = a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share
    length = float(np.hypot(b.x - a.x, b.y - a.y))
    across = np.array([-(b.y - a.y), b.x - a.x]) / length
    offsets = np.arange(-8, 9, dtype=np.float32) * max(unit, 0.5)
    columns = (x[None] + offsets[:, None] * across[0]).astype(np.float32)
    rows = (y[None] + offsets[:, None] * across[1]).astype(np.float32)
    strip = cv2.remap(frame, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    profile = strip.mean(axis=1)
    spread = float(strip.std()) + 1e-6
    dip = float(np.median(profile) - profile[6:11].min()) / spread
    return 1.0 + float(np.clip(dip, 0.0, 1.0))
