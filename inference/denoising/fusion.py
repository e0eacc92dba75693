"""The gated temporal mean: neighbours count only where they show what the frame itself shows.

A neighbour, aligned by whole pixels, is shut out wherever it differs by more than the noise
explains. Two tests look for that. The first averages the difference over small and large squares
and finds what came or went. The second correlates the difference with the frame's own gradients
over a square, as optical flow does (Lucas & Kanade 1981), and finds what slid by less than a
pixel or two, which would blur an edge long before any average noticed. At last the mean as a whole
is compared with the frame along short lines in eight directions: a faint wire that moved differs
too little from each neighbour, but it differs from all of them alike. So the mean holds no trails;
what the gates miss is for the network, which sees the mean beside the noisy frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.denoising.alignment import align
from inference.denoising.noise import box_deviation
from inference.frames import FloatFrame

GATE_SIZES_PX = (2, 6, 20)
"""Sides of the squares over which frames are compared, full-resolution pixels."""
NEAR_BOX = (3, 3)
"""The second of them at half resolution."""
BROAD_BOX = (5, 5)
"""The third at quarter resolution."""
GATE_DEVIATIONS = 3.0
"""A difference of this many standard deviations halves a neighbour's weight."""
SLIDE_SIZE = 14
"""Side of the square over which a slide is tested, half-resolution pixels."""
SLIDE_BOX = (7, 7)
"""The same at quarter resolution."""
SLIDE_DEVIATIONS = 1.5
FLAT_ENERGY = 1.5
"""Gradients below this multiple of the picture's median energy are noise: nothing can slide."""
LINE_DIRECTIONS = 8
LINE_REACH = 6
"""Half the length of the lines that the mean is compared along, half-resolution pixels."""
LINE_SPACING = 3
LINE_SOFTNESS = cv2.getGaussianKernel(3, 1.2)
LINE_DEVIATIONS = 4.7
LINE_SURROUNDINGS = np.ones((5, 5), np.uint8)
"""A place that differs takes its surroundings along, half-resolution pixels."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neighbouring frame, stabilised, with its motion towards the frame to denoise."""

    frame: FloatFrame
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

    mean: FloatFrame
    variance: FloatFrame


@dataclass(frozen=True, slots=True, eq=False)
class _Gradients:
    """Gradients of one frame across and down, and what scales a slide along them.

    Attributes
    ----------
    along : tuple of two ndarray, shape (rows // 2, columns // 2)
    scale : tuple of two ndarray, shape (rows // 4, columns // 4)
        Takes the square of a slide to 1 where it halves the weight of an independent neighbour.
    """

    along: tuple[FloatFrame, FloatFrame]
    scale: tuple[FloatFrame, FloatFrame]


class Gates:
    """The comparison of frames under the correlations of one run's noise."""

    def __init__(
        self, temporal_correlation: float, spatial_correlation: NDArray[np.float64]
    ) -> None:
        self._temporal = temporal_correlation
        self._deviations = [box_deviation(spatial_correlation, size) for size in GATE_SIZES_PX]
        # A gradient is three half-resolution pixels wide, and correlated noise adds up over it.
        self._slide_deviation = 3.0 * self._deviations[1]
        self._lines = [
            (points, _line_deviation(points, spatial_correlation)) for points in _line_points()
        ]

    def fuse(self, frame: FloatFrame, neighbours: Sequence[Neighbour]) -> Fused:
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
        total = frame.copy()
        reduced_frame = _halved(frame)
        weights = np.ones_like(reduced_frame)
        drifts = np.zeros_like(weights)
        gradients = self._gradients(reduced_frame)
        for neighbour in neighbours:
            moved, (down, across) = align(neighbour.frame, neighbour.dx, neighbour.dy)
            reduced = cv2.subtract(_halved(moved), reduced_frame)
            # Exposure control brightens whole frames: that is no motion.
            drift = np.median(reduced[::4, ::4])
            reduced -= drift
            weight = self._weight(reduced, neighbour.lag, gradients)
            weight[: (down.start + 1) // 2] = weight[down.stop // 2 :] = 0.0
            weight[:, : (across.start + 1) // 2] = weight[:, across.stop // 2 :] = 0.0
            wide = _widened(weight)
            for row in (0, 1):
                cv2.accumulateProduct(moved[row::2], wide, total[row::2])
            weights += weight
            drifts += drift * weight
        share = np.reciprocal(weights)
        wide, drift_wide = _widened(share), _widened(drifts * share)
        for row in (0, 1):
            total[row::2] *= wide
            total[row::2] -= drift_wide
        # Neighbours that share noise with the frame bring less than independent ones.
        shared = self._temporal
        variance = np.minimum(1.0, (1.0 + shared) / (1.0 - shared) * share)
        return self._without_what_moved(frame, Fused(total, variance))

    def _without_what_moved(self, frame: FloatFrame, fused: Fused) -> Fused:
        """Go back to the frame where the mean shows something else along a line."""
        difference = cv2.subtract(fused.mean, frame)
        reduced = cv2.sepFilter2D(_halved(difference), -1, LINE_SOFTNESS, LINE_SOFTNESS)
        rows, columns = reduced.shape
        padded = cv2.copyMakeBorder(reduced, *(LINE_REACH,) * 4, cv2.BORDER_REFLECT)
        worst = np.zeros_like(reduced)
        for points, deviation in self._lines:
            along = np.zeros_like(reduced)
            for dx, dy in points:
                top, left = LINE_REACH + dy, LINE_REACH + dx
                part = padded[top : top + rows, left : left + columns]
                cv2.add(along, part, along)
            along *= np.float32(1.0 / (len(points) * LINE_DEVIATIONS * deviation))
            along *= along
            cv2.max(worst, along, worst)
        # The mean holds a part of the frame: that much less noise is in their difference.
        squared = worst / np.maximum(1.0 - fused.variance, 1e-3)
        squared = cv2.dilate(squared, LINE_SURROUNDINGS)
        kept = np.float32(1.0) / (1.0 + (squared * squared) ** 2)
        wide = _widened(kept)
        mean = frame.copy()
        for row in (0, 1):
            cv2.accumulateProduct(difference[row::2], wide, mean[row::2])
        lost = 1.0 - kept
        return Fused(mean, fused.variance + lost * lost * (1.0 - fused.variance))

    def _gradients(self, reduced: FloatFrame) -> _Gradients:
        """Gradients of the half-resolution frame, shut off where they are noise."""
        smooth = cv2.GaussianBlur(reduced, (0, 0), 1.0)
        across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125)
        down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125)
        energies = [cv2.blur(_halved(g * g), SLIDE_BOX) for g in (across, down)]
        energy = energies[0] + energies[1] + np.float32(1e-6)
        flat = float(np.median(energy[::2, ::2]))
        share = np.maximum(1.0 - FLAT_ENERGY * flat / energy, 0.0)
        share *= (SLIDE_SIZE / (SLIDE_DEVIATIONS * self._slide_deviation)) ** 2
        first, second = (share / (e + np.float32(0.05 * flat + 1e-6)) for e in energies)
        return _Gradients((across, down), (first, second))

    def _weight(self, reduced: FloatFrame, lag: int, gradients: _Gradients) -> FloatFrame:
        """Weight 0..1 for each half-resolution pixel of a difference."""
        near, middle, wide = (1.0 / (GATE_DEVIATIONS * d) ** 2 for d in self._deviations)
        # What is broad is compared at quarter resolution.
        broad = cv2.blur(_halved(reduced), BROAD_BOX)
        broad *= broad
        broad *= np.float32(wide)
        for gradient, scale in zip(gradients.along, gradients.scale, strict=True):
            slide = cv2.blur(_halved(reduced * gradient), SLIDE_BOX)
            slide *= slide
            slide *= scale
            np.maximum(broad, slide, out=broad)
        local = cv2.blur(reduced, NEAR_BOX)
        local *= local
        local *= np.float32(middle)
        worst = reduced * reduced
        worst *= np.float32(near)
        np.maximum(worst, local, out=worst)
        rows, columns = reduced.shape
        np.maximum(worst, cv2.resize(broad, (columns, rows)), out=worst)
        worst *= np.float32(1.0 / (2.0 * (1.0 - self._temporal**lag)))
        sixth = worst * worst
        sixth *= worst
        sixth += np.float32(1.0)
        return np.reciprocal(sixth, out=sixth)


def _halved(image: FloatFrame) -> FloatFrame:
    """Return means of 2x2 pixels."""
    rows, columns = image.shape
    return np.asarray(
        cv2.resize(image, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA), np.float32
    )


def _widened(image: FloatFrame) -> FloatFrame:
    """Return ``image`` with each column twice, as every second row of twice its size takes it."""
    rows, columns = image.shape
    return np.asarray(cv2.merge([image, image]), np.float32).reshape(rows, 2 * columns)


def _line_points() -> list[list[tuple[int, int]]]:
    """Return the (x, y) offsets of the points of a short line in each direction."""
    steps = np.arange(-LINE_REACH, LINE_REACH + 1, LINE_SPACING)
    angles = np.pi * np.arange(LINE_DIRECTIONS) / LINE_DIRECTIONS
    return [
        [(round(float(s * np.cos(a))), round(float(s * np.sin(a)))) for s in steps] for a in angles
    ]


def _line_deviation(
    points: Sequence[tuple[int, int]], spatial_correlation: NDArray[np.float64]
) -> float:
    """Return the deviation of unit noise averaged over the softened points of a line."""
    size = 2 * LINE_REACH + 7
    kernel = np.zeros((size, size))
    for dx, dy in points:
        kernel[size // 2 + dy, size // 2 + dx] += 1.0 / len(points)
    kernel = cv2.sepFilter2D(kernel, -1, LINE_SOFTNESS, LINE_SOFTNESS)
    full = np.kron(kernel, np.full((2, 2), 0.25))
    spread = cv2.filter2D(full, -1, spatial_correlation, borderType=cv2.BORDER_CONSTANT)
    return float(np.sum(full * spread)) ** 0.5
