"""The way along a vessel between clicks: the cheapest through a map of what looks like one.

Ridges are told by the second derivatives of the picture at several scales (Sato et al., Med.
Image Anal. 2, 143, 1998); the way is that of a front which runs fast along them (fast marching,
Sethian 1996, as Deschamps & Cohen, Med. Image Anal. 5, 281, 2001, use it for vessels).
"""

from __future__ import annotations

import cv2
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from inference.measuring.profiles import FloatArray, evenly, smoothed, unit_of

_SCALES_PX = (1.2, 2.0, 3.2, 5.0)  # of the ridges, at 512
_MARGIN_PX = 60  # around the clicks, at 512, that the way may take
_FASTEST = 40.0  # speed along the clearest vessel over that where there is none
_WORKING_SIDE = 512  # larger pictures are searched at half size or less


def ridges(picture: NDArray[np.float32], unit: float, sign: int) -> NDArray[np.float32]:
    """How much each pixel (H, W) looks like a vessel, 0 or more; 1 is much for this picture.

    Parameters
    ----------
    picture : ndarray, float32, shape (H, W)
    unit : float
        Size in pixels of a pixel of a 512 matrix.
    sign : int
        -1 for vessels darker than their surroundings, 1 for brighter ones.
    """
    best = np.zeros_like(picture)
    for scale in _SCALES_PX:
        sigma = scale * unit
        step = max(1, int(sigma // 2))  # coarse scales need no fine grid
        small = picture
        if step > 1:
            size = (max(8, picture.shape[1] // step), max(8, picture.shape[0] // step))
            small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        xx, yy, xy = _second_derivatives(small, sigma / step)
        half_trace, spread = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
        # Across a dark line the second derivative is positive, along it about nothing.
        across, along = -sign * half_trace + spread, -sign * half_trace - spread
        found = np.maximum(across - np.abs(along), 0.0) * np.float32((sigma / step) ** 2)
        if step > 1:
            found = cv2.resize(found, picture.shape[::-1], interpolation=cv2.INTER_LINEAR)
        np.maximum(best, found, out=best)
    level = float(np.percentile(best, 98))
    return best / np.float32(max(level, 1e-9))


def polarity(picture: NDArray[np.float32], clicks: NDArray[np.floating], unit: float) -> int:
    """-1 where what was clicked is darker than its surroundings, else 1."""
    reach = int(np.ceil(2 * _SCALES_PX[-1] * unit))
    votes = 0.0
    for x, y in np.rint(clicks).astype(int):
        rows = slice(max(0, y - 3 * reach), max(0, y + 3 * reach + 1))
        columns = slice(max(0, x - 3 * reach), max(0, x + 3 * reach + 1))
        part = np.ascontiguousarray(picture[rows, columns])
        place = y - rows.start, x - columns.start
        dark, bright = (_around(ridges(part, unit, sign), place, unit) for sign in (-1, 1))
        raw = cv2.GaussianBlur(part, (0, 0), 2 * unit) - cv2.GaussianBlur(part, (0, 0), 6 * unit)
        votes += np.sign(dark - bright) + 0.5 * np.sign(-_around(raw, place, unit, mean=True))
    return -1 if votes >= 0 else 1


def _around(
    image: NDArray[np.floating], place: tuple[int, int], unit: float, mean: bool = False
) -> float:
    reach = max(1, round(2 * unit))
    row, column = place
    part = image[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
    return float(part.mean() if mean else part.max())


def _second_derivatives(
    image: NDArray[np.float32], sigma: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    half = int(np.ceil(3.5 * sigma))
    x = np.arange(-half, half + 1.0)
    even = np.exp(-0.5 * (x / sigma) ** 2)
    even /= even.sum()
    slope = -x / sigma**2 * even
    curve = (x**2 / sigma**4 - 1 / sigma**2) * even
    curve -= curve.mean()  # an even ground has no curvature
    return (
        cv2.sepFilter2D(image, cv2.CV_32F, curve, even),
        cv2.sepFilter2D(image, cv2.CV_32F, even, curve),
        cv2.sepFilter2D(image, cv2.CV_32F, slope, slope),
    )


def way_along(picture: NDArray[np.float32], clicks: NDArray[np.floating], sign: int) -> FloatArray:
    """Centre line (N, 2) of the vessel through clicks (K, 2) in their order, points 1 px apart.

    Raises
    ------
    ValueError
        Where fewer than two clicks lie apart within the picture.
    """
    clicks = np.asarray(clicks, np.float64)
    rows, columns = picture.shape
    inside = np.all((clicks >= -0.5) & (clicks <= (columns - 0.5, rows - 0.5)), axis=1)
    if len(clicks) < 2 or not inside.all():
        raise ValueError("A vessel needs two clicks within the picture.")
    evenly(clicks)  # says where they do not lie apart
    shrink = max(1, int(np.ceil(max(picture.shape) / _WORKING_SIDE)))
    unit = unit_of(picture.shape)
    margin = _MARGIN_PX * unit + 0.25 * float(np.ptp(clicks, axis=0).max())
    low = np.maximum(np.floor(clicks.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(clicks.max(axis=0) + margin), (columns, rows)).astype(int)
    part = np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]])
    size = (max(2, part.shape[1] // shrink), max(2, part.shape[0] // shrink))
    scale = np.array(size) / part.shape[::-1]
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    found = np.minimum(ridges(small, unit * float(scale.mean()), sign), 1.0)
    speed = (1.0 + (_FASTEST - 1.0) * found.astype(np.float64) ** 2) / _FASTEST
    places = (clicks - low + 0.5) * scale - 0.5
    places = np.clip(np.rint(places), 0, np.array(size) - 1).astype(int)
    legs = [
        _cheapest(speed, start, end) for start, end in zip(places[:-1], places[1:], strict=True)
    ]
    way = np.concatenate([legs[0], *(leg[1:] for leg in legs[1:])])
    line = (way + 0.5) / scale - 0.5 + low
    line[0], line[-1] = clicks[0], clicks[-1]
    return evenly(smoothed(evenly(line), 3.0 * unit))


def _cheapest(speed: FloatArray, start: NDArray[np.intp], end: NDArray[np.intp]) -> FloatArray:
    """Way (N, 2) of the front that leaves ``end``, back from ``start`` by falling arrival times."""
    front = sitk.FastMarchingImageFilter()
    front.SetTrialPoints([[int(end[0]), int(end[1])]])
    front.SetStoppingValue(1e9)
    times = sitk.GetArrayViewFromImage(front.Execute(sitk.GetImageFromArray(speed)))
    padded = np.pad(times, 1, constant_values=np.inf)
    x, y = int(start[0]), int(start[1])
    way = [(x, y)]
    while (x, y) != (end[0], end[1]):
        near = padded[y : y + 3, x : x + 3]
        row, column = np.unravel_index(int(near.argmin()), (3, 3))
        if row == column == 1:
            break
        x, y = x + int(column) - 1, y + int(row) - 1
        way.append((x, y))
    return np.array(way, np.float64)
