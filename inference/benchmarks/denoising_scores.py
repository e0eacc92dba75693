"""Scores of a denoiser: against a truth where there is one, and on what it took away."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

FloatingFrame = NDArray[np.floating]
Mask = NDArray[np.bool_]

PROFILE_REACH_PX = 8
TRAIL_FRAMES = 3


def psnr(frame: FloatingFrame, truth: FloatingFrame, white: float) -> float:
    """Peak signal-to-noise ratio in dB."""
    error = float(np.mean((frame.astype(np.float64) - truth) ** 2))
    return float(10.0 * np.log10(white**2 / max(error, 1e-12)))


def ssim(frame: FloatingFrame, truth: FloatingFrame, white: float) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window of 1.5 px, mean over the frame."""
    x, y = frame.astype(np.float64), truth.astype(np.float64)

    def smooth(image: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5))

    mx, my = smooth(x), smooth(y)
    vx, vy, cov = smooth(x * x) - mx * mx, smooth(y * y) - my * my, smooth(x * y) - mx * my
    a, b = (0.01 * white) ** 2, (0.03 * white) ** 2
    index = ((2 * mx * my + a) * (2 * cov + b)) / ((mx**2 + my**2 + a) * (vx + vy + b))
    return float(index.mean())


def autocorrelation_of(
    images: Sequence[FloatingFrame], mask: Mask | None = None
) -> NDArray[np.float64]:
    """Spatial autocorrelation at 1 to 3 px across and down, mean over the images, shape (6,)."""
    found = []
    for image in images:
        inside = np.ones(image.shape, bool) if mask is None else mask
        r = (image - image[inside].mean()) * inside
        power = max(float((r * r).sum()) / max(int(inside.sum()), 1), 1e-12)
        row = []
        for lag in (1, 2, 3):
            both = inside[:, lag:] & inside[:, :-lag]
            row.append(float((r[:, lag:] * r[:, :-lag]).sum()) / max(int(both.sum()), 1) / power)
            both = inside[lag:] & inside[:-lag]
            row.append(float((r[lag:] * r[:-lag]).sum()) / max(int(both.sum()), 1) / power)
        found.append(row)
    return np.asarray(np.mean(found, axis=0))


def structure_of(frame: FloatingFrame) -> NDArray[np.float64]:
    """Edges and lines of a frame: what a Gaussian of 3 px takes away."""
    smooth = cv2.GaussianBlur(frame.astype(np.float64), (0, 0), 3.0)
    return np.asarray(frame.astype(np.float64) - smooth)


def edge_correlation(
    residuals: Sequence[FloatingFrame], truths: Sequence[FloatingFrame], mask: Mask | None = None
) -> float:
    """Correlation of what was taken away with the edges of the truth; 0 where it was noise."""
    products = squares = edges = 0.0
    for residual, truth in zip(residuals, truths, strict=True):
        inside = np.ones(residual.shape, bool) if mask is None else mask
        r = (residual - residual[inside].mean())[inside]
        e = structure_of(truth)[inside]
        products += float((r * e).sum())
        squares += float((r * r).sum())
        edges += float((e * e).sum())
    return products / max((squares * edges) ** 0.5, 1e-12)


def profiles(frame: FloatingFrame, body: NDArray[np.floating]) -> NDArray[np.float64]:
    """Grey values across a device, (n, 2 * 4 * reach + 1), four to a pixel, along its body."""
    rows, columns = frame.shape
    step = np.gradient(body.astype(np.float64), axis=0)
    normal = np.stack([-step[:, 1], step[:, 0]], 1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    offsets = np.arange(-4 * PROFILE_REACH_PX, 4 * PROFILE_REACH_PX + 1) / 4.0
    points = body[:, None, :] + offsets[None, :, None] * normal[:, None, :]
    margin = PROFILE_REACH_PX + 2
    inside = ((body > margin) & (body < np.array([columns, rows]) - margin)).all(axis=1)
    points = points[inside].astype(np.float32)
    if not len(points):
        return np.empty((0, len(offsets)))
    return np.asarray(
        cv2.remap(frame.astype(np.float32), points[..., 0], points[..., 1], cv2.INTER_LINEAR),
        np.float64,
    )


def edge_width(profile: NDArray[np.float64]) -> float:
    """Width in px of the left edge of a mean dark profile, from 20% to 80% of its depth."""
    middle = len(profile) // 2
    left = profile[: middle + 1]
    ground = float(np.median(left[: middle // 3]))
    depth = ground - float(left.min())
    if depth <= 0:
        return float("nan")
    height = (ground - left[: int(left.argmin()) + 1]) / depth
    high = int(np.argmax(height >= 0.8))
    below = np.flatnonzero(height[: high + 1] <= 0.2)
    low = int(below[-1]) if len(below) else 0

    # Straight lines between samples give a finer answer than a quarter pixel.
    def cross(index: int, level: float) -> float:
        rise = height[index] - height[index - 1]
        return index - (height[index] - level) / rise if rise > 0 else float(index)

    return (cross(high, 0.8) - cross(low + 1, 0.2)) / 4.0 if high > low else float("nan")


def contrast_to_noise(frame: FloatingFrame, truth: FloatingFrame, device: Mask) -> float:
    """Device contrast over the error's deviation, in and around the device.

    The contrast is that of the frame, so a device that is thinned or blurred loses by it; the
    deviation is that of frame minus truth on the ground, so anatomy does not count as noise.
    """
    ring = _grow(device, 15) & ~_grow(device, 5)
    if not device.any() or not ring.any():
        return float("nan")
    contrast = float(frame[ring].mean() - frame[device].mean())
    return contrast / max(float((frame - truth)[ring].std()), 1e-9)


def trail(
    frame: FloatingFrame, truth: FloatingFrame, devices_before: Sequence[Mask], device: Mask
) -> tuple[float, float]:
    """Energy and mean darkness left where devices were in the frames before.

    Returns
    -------
    energy : float
        Mean square of the error after a 5x5 mean, which leaves noise little part.
    darkness : float
        Mean of truth minus frame: above 0 where a shadow trails.
    """
    was = np.zeros_like(device)
    for before in devices_before[-TRAIL_FRAMES:]:
        was |= before
    where = was & ~_grow(device, 5)
    if where.sum() < 20:
        return float("nan"), float("nan")
    error = cv2.blur((frame - truth).astype(np.float64), (5, 5))
    return float((error[where] ** 2).mean()), float((truth - frame)[where].mean())


def _grow(mask: Mask, size: int) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)), bool)
