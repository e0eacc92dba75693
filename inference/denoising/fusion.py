"""The gated temporal mean: neighbours count only where they show what the frame itself shows.

A neighbour, aligned by whole pixels, is shut out wherever it differs by more than the noise
explains. Two tests look for that. The first averages the difference over small and large squares
and finds what came or went. The second correlates the difference with the frame's own gradients
over a square, as optical flow does (Lucas & Kanade 1981), and finds what slid by less than a
pixel or two, which would blur an edge long before any average noticed. So the mean holds no
trails; what the gates miss is for the network, which sees the mean beside the noisy frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.denoising.alignment import align
from inference.denoising.noise import box_deviation

Frame = NDArray[np.float32]

GATE_SIZES_PX = (2, 6, 18)
"""Sides of the squares over which frames are compared, full-resolution pixels."""
GATE_DEVIATIONS = 3.0
"""A difference of this many standard deviations halves a neighbour's weight."""
SLIDE_SIZE = 15
"""Side of the square over which a slide is tested, half-resolution pixels."""
SLIDE_DEVIATIONS = 1.5
FLAT_ENERGY = 1.5
"""Gradients below this multiple of the picture's median energy are noise: nothing can slide."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neighbouring frame, stabilised, with its motion towards the frame to denoise."""

    frame: Frame
    dx: int
    dy: int
    lag: int  # frames between the two, at least 1


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """The gated mean and what is left of the noise in it.

    Attributes
    ----------
    mean : ndarray, shape (rows, columns)
        Stabilised grey values.
    variance : ndarray, shape (rows // 2, columns // 2)
        Noise variance left in the mean, 1 where no neighbour was let in.
    """

    mean: Frame
    variance: Frame


@dataclass(frozen=True, slots=True, eq=False)
class _Gradients:
    """Gradients of one frame across and down, and what scales a slide to noise deviations."""

    along: tuple[Frame, Frame]
    scale: tuple[Frame, Frame]


class Gates:
    """The comparison of frames under the correlations of one run's noise."""

    def __init__(
        self, temporal_correlation: float, spatial_correlation: NDArray[np.float64]
    ) -> None:
        self._temporal = temporal_correlation
        self._deviations = [box_deviation(spatial_correlation, size) for size in GATE_SIZES_PX]
        # A gradient is three half-resolution pixels wide, and correlated noise adds up over it.
        self._slide_deviation = 3.0 * self._deviations[1]

    def fuse(self, frame: Frame, neighbours: Sequence[Neighbour]) -> Fused:
        """Average ``frame`` with its neighbours where these show the same.

        Parameters
        ----------
        frame : ndarray, shape (rows, columns), both even
            The stabilised frame to denoise.
        neighbours : sequence of Neighbour

        Returns
        -------
        Fused
        """
        rows, columns = frame.shape
        half = (columns // 2, rows // 2)
        total = frame.copy()
        weights = np.ones((rows // 2, columns // 2), np.float32)
        drifts = np.zeros_like(weights)
        gradients = self._gradients(cv2.resize(frame, half, interpolation=cv2.INTER_AREA))
        for neighbour in neighbours:
            moved, (down, across) = align(neighbour.frame, neighbour.dx, neighbour.dy)
            difference = cv2.subtract(moved, frame)
            reduced = cv2.resize(difference, half, interpolation=cv2.INTER_AREA)
            # Exposure control brightens whole frames: that is no motion.
            drift = np.median(reduced[::4, ::4])
            weight = self._weight(reduced - drift, neighbour.lag, gradients)
            weight[: (down.start + 1) // 2] = weight[down.stop // 2 :] = 0.0
            weight[:, : (across.start + 1) // 2] = weight[:, across.stop // 2 :] = 0.0
            full = cv2.resize(weight, (columns, rows), interpolation=cv2.INTER_NEAREST)
            cv2.accumulateProduct(moved, full, total)
            weights += weight
            drifts += drift * weight
        total -= cv2.resize(drifts, (columns, rows), interpolation=cv2.INTER_NEAREST)
        full_weights = cv2.resize(weights, (columns, rows), interpolation=cv2.INTER_NEAREST)
        # Neighbours that share noise with the frame bring less than independent ones.
        shared = self._temporal
        variance = np.minimum(1.0, (1.0 + shared) / (1.0 - shared) / weights)
        return Fused(total / full_weights, variance.astype(np.float32))

    def _gradients(self, reduced: Frame) -> _Gradients:
        """Gradients of the half-resolution frame, shut off where they are noise."""
        smooth = cv2.GaussianBlur(reduced, (0, 0), 1.0)
        across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125)
        down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125)
        size = (SLIDE_SIZE, SLIDE_SIZE)
        energies = [cv2.blur(g * g, size) for g in (across, down)]
        energy = energies[0] + energies[1] + np.float32(1e-6)
        flat = float(np.median(energy[::3, ::3]))
        share = np.sqrt(np.maximum(1.0 - FLAT_ENERGY * flat / energy, 0.0))
        share *= SLIDE_SIZE / self._slide_deviation
        first, second = (share / np.sqrt(e + np.float32(0.05 * flat + 1e-6)) for e in energies)
        return _Gradients((across, down), (first, second))

    def _weight(self, reduced: Frame, lag: int, gradients: _Gradients) -> Frame:
        """Weight 0..1 for each half-resolution pixel of a difference."""
        pair = (2.0 * (1.0 - self._temporal**lag)) ** 0.5
        worst = np.zeros_like(reduced)
        for size, deviation in zip(GATE_SIZES_PX, self._deviations, strict=True):
            local = reduced if size == 2 else cv2.blur(reduced, (size // 2, size // 2))
            excess = np.abs(local) * np.float32(1.0 / (GATE_DEVIATIONS * deviation * pair))
            np.maximum(worst, excess, out=worst)
        for gradient, scale in zip(gradients.along, gradients.scale, strict=True):
            slide = np.abs(cv2.blur(reduced * gradient, (SLIDE_SIZE, SLIDE_SIZE))) * scale
            np.maximum(worst, slide * np.float32(1.0 / (SLIDE_DEVIATIONS * pair)), out=worst)
        squared = worst * worst
        return np.asarray(1.0 / (1.0 + squared * squared * squared), np.float32)
