"""From geometry to grey levels: particles, detector, noise and the scanner's processing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
_OPEN_ABOVE = 0.3  # share of the light at the collimator's soft edge from which a tip shows
_ROUNDING_SD = 12**-0.5  # of storing whole grey levels


def splat(image: FloatArray, x: FloatArray, y: FloatArray, mass: FloatArray) -> None:
    """Add particles to an image, each spread bilinearly over its four pixels.

    Depositing the mass of a thin slab of material for each particle integrates the attenuation
    along the ray: overlaps add up and foreshortened parts darken, as in a projection.

    Parameters
    ----------
    image : ndarray, float32, shape (H, W)
        Changed in place. Unit: attenuation (natural logarithm).
    x, y, mass : ndarray, float32, shape (N,)
        Positions in pixels, and attenuation times area in pixels squared.
    """
    height, width = image.shape
    inside = (x >= 0) & (x < width - 1) & (y >= 0) & (y < height - 1)
    if not inside.all():
        x, y, mass = x[inside], y[inside], mass[inside]
    if len(x) == 0:
        return
    column, row = x.astype(np.int32), y.astype(np.int32)
    left, top = int(column.min()), int(row.min())
    box_width, box_height = int(column.max()) - left + 2, int(row.max()) - top + 2
    right_part, lower_part = x - column, y - row
    index = ((row - top) * box_width + (column - left)).astype(np.intp)
    lower = mass * lower_part
    upper = mass - lower
    lower_right, upper_right = lower * right_part, upper * right_part
    total = np.zeros(box_height * box_width)
    for shift, weights in (
        (0, upper - upper_right),
        (1, upper_right),
        (box_width, lower - lower_right),
        (box_width + 1, lower_right),
    ):
        part = np.bincount(index, weights)
        total[shift : shift + len(part)] += part[: len(total) - shift]
    image[top : top + box_height, left : left + box_width] += total.reshape(box_height, box_width)


@dataclass(frozen=True)
class Scanner:
    """One scanner's chain: blur, tone, noise and edges. Lengths in pixels.

    Attributes
    ----------
    blur_px : float
        Gaussian that stands for focal spot and detector (MTF).
    gain, level, curve : float
        Grey = ``level + gain / curve * (exp(-curve * a) - 1)`` as a fraction of white, for the
        attenuation ``a`` less the exposure: a logarithm where ``curve`` tends to 0, the detector's
        linear signal where ``curve`` is 1 and ``gain`` equals ``level``.
    edge : float
        Strength of the edge enhancement (unsharp mask of ``edge_px``).
    photons : float
        Relative noise in the log signal is ``photons ** -0.5`` at log signal 0.
    recursion : float
        Weight of the previous frame's noise in this one (the scanner's recursive filter).
    """

    white: float
    blur_px: float
    gain: float
    level: float
    curve: float
    linear: bool
    edge: float
    edge_px: float
    photons: float
    recursion: float
    opening: FloatArray  # (H, W), 0 under the collimator to 1 in the open field
    border: float  # grey under the collimator, fraction of white
    burnt_in: NDArray[np.bool_] | None  # True where the picture is painted black
    exposure: FloatArray  # (T,): automatic exposure, change of the log signal

    @property
    def open_to_view(self) -> NDArray[np.bool_]:
        """Where the picture shows the patient: (H, W), True."""
        field = self.opening >= _OPEN_ABOVE
        return field if self.burnt_in is None else field & ~self.burnt_in

    def detect(self, attenuation: FloatArray) -> FloatArray:
        """Blur by the MTF and enhance edges; linear, so layers may pass one by one."""
        blurred = cv2.GaussianBlur(attenuation, (0, 0), self.blur_px)
        if self.edge > 0:
            wide = cv2.GaussianBlur(blurred, (0, 0), self.edge_px)
            blurred = cv2.addWeighted(blurred, 1 + self.edge, wide, -self.edge, 0)
        return blurred

    def tone(self, attenuation: FloatArray, frame: int) -> FloatArray:
        """Grey levels (not rounded) of a detected attenuation image."""
        grey = cv2.exp((attenuation - np.float32(self.exposure[frame])) * np.float32(-self.curve))
        grey *= np.float32(self.gain / self.curve * self.white)
        grey += np.float32((self.level - self.gain / self.curve - self.border) * self.white)
        grey *= self.opening
        grey += np.float32(self.border * self.white)
        np.clip(grey, 0, self.white, out=grey)
        if self.burnt_in is not None:
            grey[self.burnt_in] = 0
        return grey

    def noise_amplitude(self, attenuation: FloatArray, frame: int) -> FloatArray:
        """Give the standard deviation of the noise in grey levels, (H, W).

        Quantum noise of the log signal falls as the square root of the signal; it is smooth, so
        it is computed on a coarse grid.
        """
        height, width = attenuation.shape
        coarse = cv2.resize(attenuation, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
        amplitude = np.exp((0.5 - self.curve) * (coarse - np.float32(self.exposure[frame])))
        amplitude *= self.gain * self.white / np.sqrt(self.photons)
        amplitude = cv2.resize(amplitude, (width, height), interpolation=cv2.INTER_LINEAR)
        amplitude *= np.float32(0.25) + np.float32(0.75) * self.opening
        if self.burnt_in is not None:
            amplitude[self.burnt_in] = 0
        return amplitude

    def _grain(self, noise: FloatArray) -> FloatArray:
        """Shape white noise as blur and edge enhancement do."""
        noise = cv2.GaussianBlur(noise, (0, 0), max(self.blur_px, 0.35))
        if self.edge > 0:
            wide = cv2.GaussianBlur(noise, (0, 0), self.edge_px)
            noise = cv2.addWeighted(noise, 1 + self.edge, wide, -self.edge, 0)
        return noise

    @cached_property
    def _grain_scale(self) -> float:
        """What makes shaped noise unit noise again."""
        impulse = np.zeros((63, 63), np.float32)
        impulse[31, 31] = 1
        return float(1 / np.linalg.norm(self._grain(impulse)))

    def noise(
        self, rng: np.random.Generator, before: FloatArray | None, shape: tuple[int, ...]
    ) -> FloatArray:
        """Next frame of unit noise, correlated with ``before`` by the recursive filter.

        Scaled so that the variance stays that of a single frame: the filter's gain in dose is
        part of ``photons``.
        """
        fresh = self._grain(rng.standard_normal(shape, dtype=np.float32))
        fresh *= np.float32(self._grain_scale)
        if before is None or self.recursion <= 0:
            return fresh
        keep = self.recursion
        return cv2.addWeighted(fresh, float(np.sqrt(1 - keep * keep)), before, keep, 0)

    def signal_to_noise(
        self, contrast: FloatArray, amplitude: FloatArray, point: FloatArray, radius_px: float
    ) -> float:
        """Return how well something around a point stands out against the noise.

        The root of its contrast's energy over the noise's in areas that the noise's grain makes
        independent. For a patch of even contrast that is Rose's ratio (J. Opt. Soc. Am. 38, 196,
        1948): contrast times the root of the area, over the noise.

        Parameters
        ----------
        contrast, amplitude : ndarray, shape (H, W)
            What the thing takes off the picture, and the noise's standard deviation, grey levels.
        point : ndarray
            (x, y).
        radius_px : float
            Around the point.
        """
        x, y = np.rint(point).astype(int).tolist()
        reach = int(np.ceil(radius_px))
        rows = slice(max(0, y - reach), max(0, y + reach + 1))
        columns = slice(max(0, x - reach), max(0, x + reach + 1))
        part, noise = contrast[rows, columns], amplitude[rows, columns]
        row, column = np.indices(part.shape, np.float32)
        near = np.hypot(row + rows.start - point[1], column + columns.start - point[0]) <= radius_px
        if not near.any():
            return 0.0
        level = max(float(noise[near].mean()), _ROUNDING_SD)
        return float(np.sqrt((part[near] ** 2).sum())) / (self._grain_scale * level)

    def store(self, grey: FloatArray) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """Round to the stored integer type."""
        rounded = np.clip(np.rint(grey), 0, self.white)
        return rounded.astype(np.uint8) if self.white <= 255 else rounded.astype(np.uint16)
