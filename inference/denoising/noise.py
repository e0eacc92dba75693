"""A run's own noise: how strong at each grey level, how correlated in time and space.

The estimate uses differences of frames aligned by whole pixels, in small blocks, so that anatomy
cancels; blocks where something moved are told by their low frequencies and left out. Quantum noise
gives a variance affine in the grey level (Poisson-Gaussian); scanners bend it by their display
curve, so the variance is a curve over the grey levels that falls back to the affine fit where a
level is rare. The variance-stabilising transform is its integral of 1/deviation, which for an
affine variance is the generalised Anscombe transform (Anscombe 1948; Mäkitalo & Foi 2013).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.denoising.alignment import align, landmarks, whole_pixel_shift
from inference.frames import FloatFrame

BLOCK_PX = 8
TRIPLETS = 6
MEASURED_PX = 1024
"""Of larger frames only the middle is measured: it is enough, and stopping stays prompt."""
CORRELATED_PX = 384
"""Side of the part that the spatial correlation is measured on."""
CURVE_KNOTS = 14
KNOTS = 64
"""Levels that the curve is told at, over the span of a window."""
CORRELATION_REACH_PX = 3
CLEAN_DEVIATION = 0.005
"""Below this share of the grey scale (1.3 of 255) noise can hardly be seen at normal windows."""
WINDOW_SPAN = 3.0
"""No window is wider than this many times the grey levels in use, however many bits are stored."""
LEAST_SPAN = 255.0
"""In stored values: what is finer is rounding."""
TABLE_SIZE = 1 << 17
GRAIN_PX = 512
"""Side of the middle part that one frame's noise is told by."""
ALIKE_STRENGTH = 1.1
"""Noise within this factor of the run's counts as the same."""
STRENGTHS = (0.5, 8.0)
_SECOND_DIFFERENCE = np.outer([1.0, -2.0, 1.0], [1.0, -2.0, 1.0]) / 6.0


@dataclass(frozen=True, slots=True, eq=False)
class NoiseModel:
    """Noise of one run.

    Attributes
    ----------
    levels : ndarray, shape (k,)
        Grey levels, increasing.
    deviations : ndarray, shape (k,)
        Standard deviation of the noise at each level, on the run's grey scale.
    temporal_correlation : float
        Correlation of the noise of one pixel between neighbouring frames, 0 to 0.9.
    spatial_correlation : ndarray, shape (2r + 1, 2r + 1)
        Autocorrelation of the noise at shifts of -r..r pixels; 1 in the middle.
    white : float
        Largest value of the grey scale.
    span : float
        Width of the part of it that a window can show.
    typical_deviation : float
    grain : float
        Median size of the second differences of the run's stabilised frames.
    """

    levels: NDArray[np.float64]
    deviations: NDArray[np.float64]
    temporal_correlation: float
    spatial_correlation: NDArray[np.float64]
    white: float
    span: float
    typical_deviation: float
    grain: float = 1.0
    _forward: NDArray[np.float32] = field(init=False, repr=False)
    _backward: NDArray[np.float32] = field(init=False, repr=False)
    _offset: float = field(init=False, repr=False)
    _scale: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        low, high = float(self.levels[0]), float(self.levels[-1])
        grey = np.linspace(low, high, TABLE_SIZE)
        deviation = np.interp(grey, self.levels, self.deviations)
        step = (high - low) / (TABLE_SIZE - 1)
        slowness = 1.0 / deviation
        stabilised = np.concatenate(([0.0], np.cumsum(0.5 * (slowness[1:] + slowness[:-1]) * step)))
        # The mean of f(x) is f(mean) - deviation'/2 to second order: invert that, not f itself,
        # or averaging in the stabilised domain would darken the picture.
        expected = stabilised - 0.5 * np.gradient(deviation, step)
        expected = np.maximum.accumulate(expected)
        uniform = np.linspace(stabilised[0] - 4.0, stabilised[-1] + 4.0, TABLE_SIZE)
        backward = np.interp(uniform, expected, grey)
        object.__setattr__(self, "_forward", stabilised.astype(np.float32))
        object.__setattr__(self, "_backward", backward.astype(np.float32))
        object.__setattr__(self, "_offset", float(uniform[0]))
        object.__setattr__(self, "_scale", float((TABLE_SIZE - 1) / (uniform[-1] - uniform[0])))

    @property
    def is_clean(self) -> bool:
        """True where the noise is too weak to be seen: nothing needs to be done."""
        return self.typical_deviation < CLEAN_DEVIATION * self.span

    @property
    def neighbour_correlation(self) -> float:
        """Noise correlation of touching pixels, mean of across and down."""
        r = CORRELATION_REACH_PX
        return float(
            0.5 * (self.spatial_correlation[r, r + 1] + self.spatial_correlation[r + 1, r])
        )

    def stabilise(self, frame: NDArray[np.generic]) -> FloatFrame:
        """Return ``frame`` on a scale where the noise has a standard deviation of 1."""
        low = float(self.levels[0])
        scale = (TABLE_SIZE - 1) / (float(self.levels[-1]) - low)
        index = np.clip((frame.astype(np.float32) - low) * scale + 0.5, 0, TABLE_SIZE - 1)
        return np.take(self._forward, index.astype(np.int32))

    def strength_of(self, stabilised: FloatFrame) -> float:
        """Return how strong the noise of one frame is, 1 where it is that of the run.

        The first frames can be noisier: a scanner's recursive filter has nothing to lean on yet,
        or the exposure is still settling.
        """
        strength = _grain(stabilised) / max(self.grain, 1e-6)
        alike = 1.0 / ALIKE_STRENGTH < strength < ALIKE_STRENGTH
        return 1.0 if alike else float(np.clip(strength, *STRENGTHS))

    def restore(self, stabilised: FloatFrame) -> FloatFrame:
        """Return a denoised, stabilised frame on the grey scale of the run, float32."""
        index = np.clip((stabilised - self._offset) * self._scale + 0.5, 0, TABLE_SIZE - 1)
        return np.take(self._backward, index.astype(np.int32))


def box_deviation(spatial_correlation: NDArray[np.float64], size_px: int) -> float:
    """Return the deviation of unit noise averaged over a square of ``size_px`` pixels."""
    r = len(spatial_correlation) // 2
    lags = np.abs(np.arange(-r, r + 1))
    triangle = np.maximum(0.0, size_px - lags) / size_px**2
    variance = float(np.sum(spatial_correlation * np.outer(triangle, triangle)))
    return max(variance, 1e-4) ** 0.5


@dataclass(slots=True)
class _Blocks:
    """Block statistics of frame differences, one entry a block."""

    level: list[FloatFrame] = field(default_factory=list)
    variance: list[FloatFrame] = field(default_factory=list)
    variance_two: list[FloatFrame] = field(default_factory=list)
    unrest: list[FloatFrame] = field(default_factory=list)


def _block_view(image: FloatFrame) -> FloatFrame:
    """Cut ``image`` into blocks, shape (rows of blocks, columns of blocks, pixels)."""
    rows, columns = (n // BLOCK_PX for n in image.shape)
    cut = image[: rows * BLOCK_PX, : columns * BLOCK_PX]
    return (
        cut.reshape(rows, BLOCK_PX, columns, BLOCK_PX)
        .transpose(0, 2, 1, 3)
        .reshape(rows, columns, BLOCK_PX * BLOCK_PX)
    )


def _difference(
    later: FloatFrame, earlier: FloatFrame, shift: tuple[int, int]
) -> tuple[FloatFrame, NDArray[np.bool_]]:
    """Return the aligned difference and where both frames show the scene."""
    moved, shown = align(earlier, *shift)
    difference = later - moved
    valid = np.zeros(later.shape, bool)
    valid[shown] = True
    difference -= np.median(difference[shown][::3, ::3]) if valid.any() else 0.0
    return difference, valid


def estimate_noise(
    read: Callable[[int], NDArray[np.generic]], frame_count: int, white: float
) -> NoiseModel:
    """Estimate the noise of a run from up to six triplets of frames spread over it.

    Parameters
    ----------
    read : callable
        ``read(index)`` gives one frame, (rows, columns).
    frame_count : int
        Frames in the run. Of a single frame, the noise is judged from its high frequencies
        alone and taken as uncorrelated.
    white : float
        Largest value that the grey scale can hold.

    Returns
    -------
    NoiseModel
    """

    def middle(index: int) -> FloatFrame:
        frame = read(index)
        top, left = (max(0, (n - MEASURED_PX) // 2) for n in frame.shape)
        return frame[top : top + MEASURED_PX, left : left + MEASURED_PX].astype(np.float32)

    if frame_count < 3:
        return _estimate_from_still(middle(0), white)
    # The first frames of a run are often black or still settling: leave them out where possible.
    first = 1 if frame_count > 4 else 0
    starts = np.unique(np.linspace(first, frame_count - 3, TRIPLETS).round().astype(int))
    blocks = _Blocks()
    differences: list[tuple[FloatFrame, FloatFrame, NDArray[np.bool_]]] = []
    seen: list[FloatFrame] = []
    low = 0.0
    for start in starts:
        one, two, three = (middle(int(start) + k) for k in range(3))
        low = min(low, float(one.min()))
        marks, *later = (landmarks(frame) for frame in (one, two, three))
        near, near_valid = _difference(two, one, whole_pixel_shift(marks, later[0]))
        far, far_valid = _difference(three, one, whole_pixel_shift(marks, later[1]))
        level = cv2.blur(two, (5, 5))
        valid = _block_view((near_valid & far_valid).astype(np.float32)).min(axis=2) > 0
        near_blocks, far_blocks = _block_view(near), _block_view(far)
        variance = near_blocks.var(axis=2, ddof=1)
        far_variance = far_blocks.var(axis=2, ddof=1)
        mean = np.maximum(np.abs(near_blocks.mean(axis=2)), np.abs(far_blocks.mean(axis=2)))
        inside = _block_view(two)
        saturated = (inside.min(axis=2) <= low) | (inside.max(axis=2) >= white)
        use = valid & ~saturated
        if use.sum() < 32:
            use = valid
        blocks.level.append(_block_view(level).mean(axis=2)[use])
        blocks.variance.append(variance[use])
        blocks.variance_two.append(far_variance[use])
        blocks.unrest.append((mean**2 / np.maximum(np.minimum(variance, far_variance), 1e-6))[use])
        differences.append((near, level, near_valid))
        seen.append(two)

    level_all = np.concatenate(blocks.level).astype(np.float64)
    unrest = np.concatenate(blocks.unrest)
    quiet = unrest <= 4.0 * np.quantile(unrest, 0.3) + 1e-9
    level_all = level_all[quiet]
    near_all = np.concatenate(blocks.variance).astype(np.float64)[quiet]
    far_all = np.concatenate(blocks.variance_two).astype(np.float64)[quiet]
    # Under a scanner's recursive filter the correlation at two frames is the square of that at
    # one, so the variances of the differences stand as 1 + correlation.
    ratio = float(np.median(far_all) / max(float(np.median(near_all)), 1e-9))
    temporal = float(np.clip(ratio - 1.0, 0.0, 0.9))
    temporal = 0.0 if temporal < 0.05 else temporal
    variance_all = near_all / (2.0 * (1.0 - temporal))
    levels, deviations, span = _deviation_curve(level_all, variance_all, low, white)
    spatial = _spatial_correlation(differences, levels, deviations, temporal)
    typical = float(np.sqrt(np.median(variance_all)))
    return _with_grain(
        NoiseModel(levels, deviations, temporal, spatial, white, span, typical), seen
    )


def _with_grain(noise: NoiseModel, frames: list[FloatFrame]) -> NoiseModel:
    """Measure the grain of a run on some of its frames."""
    grains = [_grain(noise.stabilise(frame)) for frame in frames]
    return replace(noise, grain=float(np.median(grains)))


def _grain(stabilised: FloatFrame) -> float:
    """Median size of a frame's second differences, which is that of its noise."""
    top, left = (max(0, (n - GRAIN_PX) // 2) for n in stabilised.shape)
    middle = stabilised[top : top + GRAIN_PX, left : left + GRAIN_PX]
    return float(np.median(np.abs(cv2.filter2D(middle, -1, _SECOND_DIFFERENCE)[::3, ::3])))


def _deviation_curve(
    level: NDArray[np.float64], variance: NDArray[np.float64], low: float, white: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return grey levels, the deviation at each, and the span of the scale that can be seen."""
    used = float(np.ptp(np.quantile(level, (0.01, 0.99))))
    span = min(white - low, max(WINDOW_SPAN * used, LEAST_SPAN))
    levels, variances = _variance_curve(level, variance, low, white, span / KNOTS)
    typical = float(np.sqrt(np.median(variance)))
    return levels, np.maximum(np.sqrt(variances), max(0.3 * typical, 1e-4 * span)), span


def _variance_curve(
    level: NDArray[np.float64],
    variance: NDArray[np.float64],
    low: float,
    white: float,
    step: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median block variance over the grey levels, leaning on the affine fit where rare."""
    edges = np.unique(np.quantile(level, np.linspace(0, 1, CURVE_KNOTS + 1)))
    # Equal counts alone would leave dark devices in one wide bin: add equal widths.
    edges = np.unique(np.concatenate((edges, np.linspace(level.min(), level.max(), CURVE_KNOTS))))
    centres, medians, counts = [], [], []
    which = np.clip(np.searchsorted(edges, level, side="right") - 1, 0, max(len(edges) - 2, 0))
    for k in range(max(len(edges) - 1, 1)):
        inside = which == k
        if inside.sum() >= 8:
            centres.append(float(np.median(level[inside])))
            medians.append(float(np.median(variance[inside])))
            counts.append(float(inside.sum()))
    if not centres:
        centres, medians, counts = [float(np.median(level))], [float(np.median(variance))], [1.0]
    x, v, n = np.array(centres), np.array(medians), np.array(counts)
    slope, intercept = 0.0, float(np.average(v, weights=n))
    if len(x) >= 3:
        weights = np.sqrt(n) / np.maximum(v, 1e-9)
        for _ in range(4):
            slope, intercept = np.polyfit(x, v, 1, w=weights)
            off = np.abs(slope * x + intercept - v) / np.maximum(v, 1e-9)
            weights = np.sqrt(n) / np.maximum(v, 1e-9) / (1.0 + (off / 0.2) ** 2)
    floor = 0.05 * float(np.median(v))
    affine = np.maximum(slope * x + intercept, floor)
    curve = (n * v + 20.0 * affine) / (n + 20.0)
    knots = np.linspace(low, white, round((white - low) / step) + 1)
    inside_curve = np.interp(knots, x, curve)
    # Outside the levels seen, the affine slope carries on from the last knot.
    outside = np.where(
        knots < x[0], curve[0] + slope * (knots - x[0]), curve[-1] + slope * (knots - x[-1])
    )
    seen = (knots >= x[0]) & (knots <= x[-1])
    variances = np.where(seen, inside_curve, np.clip(outside, floor, 4.0 * curve.max()))
    kernel = np.array([1.0, 2.0, 1.0]) / 4.0
    smooth = np.convolve(np.pad(variances, 1, mode="edge"), kernel, mode="valid")
    return knots, np.maximum(smooth, floor)


def _spatial_correlation(
    differences: list[tuple[FloatFrame, FloatFrame, NDArray[np.bool_]]],
    levels: NDArray[np.float64],
    deviations: NDArray[np.float64],
    temporal: float,
) -> NDArray[np.float64]:
    """Autocorrelation of the quiet part of the differences, symmetric, 1 in the middle."""
    r = CORRELATION_REACH_PX
    total = np.zeros((2 * r + 1, 2 * r + 1))
    for difference, level, valid in differences:
        top, left = (max(0, (n - CORRELATED_PX) // 2) for n in difference.shape)
        part = np.s_[top : top + CORRELATED_PX, left : left + CORRELATED_PX]
        scale = np.interp(level[part], levels, deviations) * (2.0 * (1.0 - temporal)) ** 0.5
        unit = (difference[part] / scale).astype(np.float32)
        unit -= cv2.blur(unit, (4 * BLOCK_PX + 1, 4 * BLOCK_PX + 1))
        moved = np.abs(cv2.blur(unit, (5, 5))) > 1.5
        mask = (valid[part] & ~moved & (np.abs(unit) < 5.0)).astype(np.float32)
        unit *= mask
        rows, columns = unit.shape
        # The other half of the shifts is the same by symmetry.
        for dy, dx in ((dy, dx) for dy in range(r + 1) for dx in range(-r, r + 1)):
            a = np.s_[dy:rows, max(0, dx) : columns + min(0, dx)]
            b = np.s_[: rows - dy, max(0, -dx) : columns + min(0, -dx)]
            weight = max(float(np.sum(mask[a] * mask[b])), 1.0)
            found = float(np.sum(unit[a] * unit[b])) / weight
            total[r + dy, r + dx] += found
            if dy:
                total[r - dy, r - dx] += found
    if total[r, r] <= 0:
        total[r, r] = 1.0
    return np.clip(total / total[r, r], -0.5, 1.0)


def _estimate_from_still(frame: FloatFrame, white: float) -> NoiseModel:
    """Noise of one frame from its diagonal second differences (Immerkær 1996), by grey level."""
    high = cv2.filter2D(frame, cv2.CV_32F, _SECOND_DIFFERENCE)
    level = _block_view(cv2.blur(frame, (5, 5))).mean(axis=2).ravel()
    variance = (np.median(np.abs(_block_view(high)), axis=2).ravel() * 1.4826) ** 2
    low = min(0.0, float(frame.min()))
    levels, deviations, span = _deviation_curve(level, variance, low, white)
    typical = float(np.sqrt(np.median(variance)))
    size = 2 * CORRELATION_REACH_PX + 1
    spatial = np.zeros((size, size))
    spatial[CORRELATION_REACH_PX, CORRELATION_REACH_PX] = 1.0
    model = NoiseModel(levels, deviations, 0.0, spatial, white, span, typical)
    return _with_grain(model, [frame])
