"""How far a picture has moved as a whole, to a fraction of a pixel, whatever contrast came in."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.denoising.alignment import landmarks, whole_pixel_shift
from inference.frames import FloatFrame

Shift = tuple[float, float]
"""(x, y) in pixels by which what a picture shows has moved to the right and down."""

_LEAST_SIDE = 16
"""Smaller pictures hold nothing that tells a shift."""
_SMOOTHING_PX = 1.2
_STEPS = 12
_SETTLED_PX = 0.005
_FARTHEST_PX = 2.0
"""How far the fine search may leave where the coarse one ended."""
_TUKEY = 4.685
"""Residuals beyond this many deviations say nothing (95% efficient for Gaussian noise)."""
_TO_DEVIATION = 1.4826
_LEAST_GAIN = 0.002
"""Share by which a shift has to explain a frame better than rest does."""
_CHANCE_DEVIATIONS = 3.0
"""By which a far shift has to: other noise lies there, and may fit by chance."""


def moved(picture: FloatFrame, shift_px: Shift) -> FloatFrame:
    """Move what a picture shows by ``shift_px``; what comes in repeats its edge."""
    if shift_px == (0.0, 0.0):
        return picture
    move = np.array([[1.0, 0.0, shift_px[0]], [0.0, 1.0, shift_px[1]]])
    size = (picture.shape[1], picture.shape[0])
    return cv2.warpAffine(
        picture, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def common(shape: tuple[int, ...], shift_px: Shift, margin: int = 2) -> tuple[slice, slice]:
    """Return the rows and columns in which a moved picture still shows what it held."""
    spans = []
    for length, by in ((shape[0], shift_px[1]), (shape[1], shift_px[0])):
        first = margin + max(0, int(np.ceil(by)))
        last = length - margin + min(0, int(np.floor(by)))
        spans.append(slice(first, max(first, last)))
    return spans[0], spans[1]


def find_shift(mask: FloatFrame, frame: FloatFrame) -> Shift:
    """Find by how much ``frame`` shows what ``mask`` shows, moved.

    Phase correlation proposes whole pixels (`whole_pixel_shift`); iterated least squares on the
    gradients (Lucas & Kanade, IJCAI 1981), each pixel weighted by Tukey's biweight of its
    residual, find the fraction. A vessel that fills is an outlier to the fit and has no say. Where
    no shift explains the frame better than rest, there is none.

    Parameters
    ----------
    mask, frame : ndarray of float32, shape (rows, columns)
        Of one grey scale; they may differ by an offset.

    Returns
    -------
    (x, y) in pixels
    """
    if min(mask.shape) < _LEAST_SIDE:
        return 0.0, 0.0
    mask, frame = (cv2.GaussianBlur(picture, (0, 0), _SMOOTHING_PX) for picture in (mask, frame))
    x, y = whole_pixel_shift(landmarks(mask), landmarks(frame))
    whole = (float(x), float(y))
    starts = {whole, (0.0, 0.0)}
    candidates = [(0.0, 0.0), *(_refined(mask, frame, start) for start in starts)]
    limit = _limit(mask, frame, (0.0, 0.0))
    costs = [_disagreement(mask, frame, shift, limit) for shift in candidates]
    best = int(np.argmin(costs))
    gain = _LEAST_GAIN
    if np.hypot(*candidates[best]) > _FARTHEST_PX:
        independent = mask.size / (4.0 * np.pi * _SMOOTHING_PX**2)
        gain = max(gain, _CHANCE_DEVIATIONS / np.sqrt(independent))
    return candidates[best] if costs[best] < (1.0 - gain) * costs[0] else (0.0, 0.0)


def _refined(mask: FloatFrame, frame: FloatFrame, start: Shift) -> Shift:
    place = np.array(start)
    for _ in range(_STEPS):
        shift = (float(place[0]), float(place[1]))
        warped = moved(mask, shift)
        inside = common(mask.shape, shift)
        if not warped[inside].size:
            return start
        slope_x = cv2.Sobel(warped, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)[inside].ravel()
        slope_y = cv2.Sobel(warped, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)[inside].ravel()
        residual = (frame[inside] - warped[inside]).ravel()
        residual = residual - np.median(residual)
        reach = _TUKEY * _TO_DEVIATION * float(np.median(np.abs(residual))) + 1e-9
        weight = np.square(np.clip(1.0 - np.square(residual / reach), 0.0, None))
        slopes = np.stack([slope_x, slope_y, np.ones_like(slope_x)])
        system = (slopes * weight) @ slopes.T
        if np.linalg.cond(system) > 1e9:
            return start
        step = -np.linalg.solve(system, (slopes * weight) @ residual)[:2]
        place = place + np.clip(step, -1.0, 1.0)
        if np.abs(place - start).max() > _FARTHEST_PX:
            return start
        if np.abs(step).max() < _SETTLED_PX:
            break
    return float(place[0]), float(place[1])


def _difference(mask: FloatFrame, frame: FloatFrame, shift: Shift) -> NDArray[np.floating]:
    inside = common(mask.shape, shift)
    difference = frame[inside] - moved(mask, shift)[inside]
    return difference - np.median(difference) if difference.size else difference


def _limit(mask: FloatFrame, frame: FloatFrame, shift: Shift) -> float:
    spread = float(np.median(np.abs(_difference(mask, frame, shift))))
    return 4.0 * _TO_DEVIATION * spread + 1e-9


def _disagreement(mask: FloatFrame, frame: FloatFrame, shift: Shift, limit: float) -> float:
    """Mean absolute difference, no pixel counting for more than ``limit``."""
    difference = _difference(mask, frame, shift)
    return float(np.minimum(np.abs(difference), limit).mean()) if difference.size else np.inf
