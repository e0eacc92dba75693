"""The diameter of a ball seen in a picture, to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import least_squares

from inference.measuring.profiles import FloatArray, unit_of
from inference.measuring.square_frame import SquareFrame

_ANGLES = 180
_STEP_PX = 0.25
_SECTORS = 12  # whose spread tells the uncertainty
_MODEL_SHARE = 0.003  # of the diameter: standard uncertainty of roundness and edge model
_REACH = 0.35  # of the rough radius, inwards and outwards, that the rim is looked for in


@dataclass(frozen=True)
class Circle:
    """A ball's middle (x, y), diameter in columns of the frame, and its standard uncertainty."""

    x: float
    y: float
    diameter_px: float
    uncertainty_px: float


def measure_sphere(
    frame: NDArray[np.generic],
    rim: NDArray[np.floating],
    *,
    aspect: float = 1.0,
) -> Circle:
    """Measure a ball whose rim was clicked roughly.

    The steepest grey values on rays from the middle give its place; its diameter is that of a
    ball's blurred shadow, from one that hardly absorbs to an opaque one, fitted to the mean of
    all rays.

    Parameters
    ----------
    frame : ndarray, shape (H, W)
        Any real dtype; the ball dark or bright.
    rim : ndarray, shape (K, 2)
        (x, y) on the rim; K of at least 3, not in a line.
    aspect : float
        Height of a pixel over its width.

    Raises
    ------
    ValueError
        Where the clicks mark no circle.
    LookupError
        Where no ball is found there.
    """
    square = SquareFrame(frame, aspect)
    picture = square.pixels
    x, y, radius = _circle_through(square.there(rim))
    unit = unit_of(picture.shape)
    for _ in range(3):
        radii = np.arange(
            max(0.0, (1 - _REACH) * radius - 3 * unit), (1 + _REACH) * radius + 3 * unit, _STEP_PX
        )
        rays = _rays(picture, x, y, radii)
        slope = gaussian_filter1d(rays, unit / _STEP_PX, axis=1, order=1, mode="nearest")
        sign = np.sign(np.median(slope, axis=0)[np.abs(np.median(slope, axis=0)).argmax()])
        angles = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
        found = radii[(sign * slope).argmax(axis=1)]
        rim = np.stack([x + found * np.cos(angles), y + found * np.sin(angles)], axis=1)
        x, y, radius = _robust_circle(rim, x, y, radius)
    rays = _rays(picture, x, y, radii)
    sectors = np.array([part.mean(axis=0) for part in np.array_split(rays, _SECTORS)])
    mean = sectors.mean(axis=0)
    contrast = float(np.ptp(mean))
    noise = float(np.sqrt(sectors.var(axis=0, ddof=1).mean() / _SECTORS))
    if contrast < 5 * noise or contrast <= 0:
        raise LookupError("No ball stands out within the circle.")
    fitted = _outer_radius(radii, mean, radius, unit)
    without = np.array(
        [
            _outer_radius(radii, np.delete(sectors, k, axis=0).mean(axis=0), fitted, unit)
            for k in range(_SECTORS)
        ]
    )
    spread = float(np.sqrt((_SECTORS - 1) * without.var()))
    diameter_px = 2 * fitted * square.columns_per_px
    uncertainty_px = 2 * float(np.hypot(spread, _MODEL_SHARE * fitted)) * square.columns_per_px
    x, y = square.back([[x, y]])[0]
    return Circle(float(x), float(y), diameter_px, uncertainty_px)


def _circle_through(points: FloatArray) -> tuple[float, float, float]:
    """Circle of least algebraic squares (Kasa, IEEE Trans. Instrum. Meas. 25, 8, 1976)."""
    if len(points) < 3 or np.linalg.matrix_rank(points - points.mean(axis=0), tol=1e-3) < 2:
        raise ValueError("A circle needs three points that do not lie in a line.")
    system = np.column_stack([2 * points, np.ones(len(points))])
    (x, y, rest), *_ = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)
    return float(x), float(y), float(np.sqrt(max(rest + x * x + y * y, 1e-6)))


def _robust_circle(
    points: FloatArray, x: float, y: float, radius: float
) -> tuple[float, float, float]:
    def away(circle: FloatArray) -> FloatArray:
        return np.asarray(np.hypot(*(points - circle[:2]).T) - circle[2])

    found = least_squares(away, (x, y, radius), loss="soft_l1", f_scale=0.5).x
    return float(found[0]), float(found[1]), float(abs(found[2]))


def _rays(picture: NDArray[np.float32], x: float, y: float, radii: FloatArray) -> FloatArray:
    angles = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    columns = (x + radii * np.cos(angles)[:, None]).astype(np.float32)
    rows = (y + radii * np.sin(angles)[:, None]).astype(np.float32)
    inside = (columns >= 0) & (columns <= picture.shape[1] - 1)
    inside &= (rows >= 0) & (rows <= picture.shape[0] - 1)
    whole = inside.all(axis=1)
    if whole.sum() < _ANGLES // 2:
        raise LookupError("The ball is too near the edge of the picture.")
    values = cv2.remap(picture, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    values[~whole] = np.median(values[whole], axis=0)
    return np.asarray(values, np.float64)


def _outer_radius(radii: FloatArray, profile: FloatArray, radius: float, unit: float) -> float:
    """Radius of the ball whose blurred shadow fits a mean ray (M,)."""
    fine = np.arange(radii[0] - 8 * unit, radii[-1] + 8 * unit, _STEP_PX)

    def basis(ball: FloatArray) -> FloatArray:
        outer, ln_sigma, ln_depth = ball
        chord = 2 * np.sqrt(np.maximum(outer**2 - fine**2, 0.0)) / outer
        shadow = 1 - np.exp(-np.exp(ln_depth) * chord)
        shadow = gaussian_filter1d(shadow, np.exp(ln_sigma) / _STEP_PX, mode="nearest")
        return np.column_stack([np.interp(radii, fine, shadow), np.ones_like(radii), radii])

    def rest(ball: FloatArray) -> FloatArray:
        columns = basis(ball)
        weights, *_ = np.linalg.lstsq(columns, profile, rcond=None)
        off = (ball[1] - np.log(unit)) / 0.3
        return np.append((profile - columns @ weights) / (0.01 * np.ptp(profile)), off)

    fits = [
        least_squares(
            rest,
            (radius, np.log(unit), ln_depth),
            bounds=((radii[0] + 0.5, np.log(0.2), -3.0), (radii[-1], np.log(8.0), 4.0)),
            x_scale=(1.0, 0.3, 0.5),
            diff_step=1e-3,
        )
        for ln_depth in (-1.0, 2.0)
    ]
    return float(min(fits, key=lambda fit: float(fit.cost)).x[0])
