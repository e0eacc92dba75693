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
LINE_DIRECTIONS = 8
LINE_REACH = 6
"""Half the length of the lines that the mean is compared along, half-resolution pixels."""
LINE_SPACING = 3
LINE_SOFTNESS = cv2.getGaussianKernel(3, 1.2) @ cv2.getGaussianKernel(3, 1.2).T
LINE_DEVIATIONS = 4.7
LINE_SURROUNDINGS = np.ones((5, 5), np.uint8)
"""A place that differs takes its surroundings along, half-resolution pixels."""


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
        self._lines = [
            (points, _line_deviation(points, spatial_correlation)) for points in _line_points()
        ]

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
        return self._without_what_moved(frame, Fused(total / full_weights, variance))

    def _without_what_moved(self, frame: Frame, fused: Fused) -> Fused:
        """Go back to the frame where the mean shows something else along a line."""
        rows, columns = frame.shape
        difference = cv2.subtract(fused.mean, frame)
        reduced = cv2.resize(difference, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
        reduced = cv2.filter2D(reduced, -1, LINE_SOFTNESS)
        padded = cv2.copyMakeBorder(reduced, *(LINE_REACH,) * 4, cv2.BORDER_REFLECT)
        worst = np.zeros_like(reduced)
        for points, deviation in self._lines:
            along = np.zeros_like(reduced)
            for dx, dy in points:
                top, left = LINE_REACH + dy, LINE_REACH + dx
                part = padded[top : top + rows // 2, left : left + columns // 2]
                cv2.add(along, part, along)
            along *= np.float32(1.0 / (len(points) * LINE_DEVIATIONS * deviation))
            cv2.max(worst, cv2.absdiff(along, 0.0), worst)
        # The mean holds a part of the frame: that much less noise is in their difference.
        squared = worst * worst / np.maximum(1.0 - fused.variance, 1e-3)
        squared = cv2.dilate(squared, LINE_SURROUNDINGS)
        kept = np.float32(1.0) / (1.0 + (squared * squared) ** 2)
        full = cv2.resize(kept, (columns, rows), interpolation=cv2.INTER_NEAREST)
        mean = frame + full * difference
        lost = 1.0 - kept
        return Fused(mean, fused.variance + lost * lost * (1.0 - fused.variance))

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
    kernel = cv2.filter2D(kernel, -1, LINE_SOFTNESS)
    full = np.kron(kernel, np.full((2, 2), 0.25))
    spread = cv2.filter2D(full, -1, spatial_correlation, borderType=cv2.BORDER_CONSTANT)
    return float(np.sum(full * spread)) ** 0.5
