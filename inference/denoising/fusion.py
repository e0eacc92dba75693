"""The gated temporal mean: neighbours count only where they show what the frame itself shows.

A neighbour, aligned by whole pixels, is compared with the frame after averaging both over small
and large squares; where the difference exceeds what the noise explains, something moved and the
neighbour is shut out there. The mean so made holds no trails; what the gates miss is for the
network, which sees the mean and the noisy frame side by side.
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


class Gates:
    """The comparison of frames under the correlations of one run's noise."""

    def __init__(
        self, temporal_correlation: float, spatial_correlation: NDArray[np.float64]
    ) -> None:
        self._temporal = temporal_correlation
        self._deviations = [box_deviation(spatial_correlation, size) for size in GATE_SIZES_PX]

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
        for neighbour in neighbours:
            moved, valid = align(neighbour.frame, neighbour.dx, neighbour.dy)
            difference = cv2.subtract(moved, frame)
            reduced = cv2.resize(difference, half, interpolation=cv2.INTER_AREA)
            inside = cv2.resize(valid.astype(np.float32), half, interpolation=cv2.INTER_AREA)
            # Exposure control brightens whole frames: that is no motion.
            drift = float(np.median(reduced[::3, ::3]))
            weight = self._weight(reduced - drift, neighbour.lag)
            weight *= inside == 1.0
            full = cv2.resize(weight, (columns, rows), interpolation=cv2.INTER_NEAREST)
            difference -= drift
            total += full * difference + full * frame
            weights += weight
        full_weights = cv2.resize(weights, (columns, rows), interpolation=cv2.INTER_NEAREST)
        # Neighbours that share noise with the frame bring less than independent ones.
        shared = self._temporal
        spread = (1.0 + shared) / (1.0 - shared)
        variance = np.minimum(1.0, spread / weights) if shared else 1.0 / weights
        return Fused(total / full_weights, variance.astype(np.float32))

    def _weight(self, reduced: Frame, lag: int) -> Frame:
        """Weight 0..1 for each half-resolution pixel of a difference."""
        pair = (2.0 * (1.0 - self._temporal**lag)) ** 0.5
        worst: Frame | None = None
        for size, deviation in zip(GATE_SIZES_PX, self._deviations, strict=True):
            local = reduced if size == 2 else cv2.blur(reduced, (size // 2, size // 2))
            excess = np.abs(local)
            excess *= 1.0 / (GATE_DEVIATIONS * deviation * pair)
            worst = excess if worst is None else np.maximum(worst, excess, out=worst)
        assert worst is not None
        squared = worst * worst
        return 1.0 / (1.0 + squared * squared * squared)
