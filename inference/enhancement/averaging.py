"""The average of frames in which a pair of markers lies still, frame by frame."""

from __future__ import annotations

import cv2
import numpy as np

from inference.enhancement.steadying import Points, steadied
from inference.frames import FloatFrame

_LENGTH_SHARE = 0.08
"""Deviation of the markers' distance, as a share of it, at which a frame counts 0.6."""
_MARKER_PX = 9
_OUTLIER_DEVIATIONS = 4.0
_TO_DEVIATION = 1.4826


class Enhancer:
    """Averages frames about a device, better ones more, as stent enhancement does.

    A frame counts by the tracker's confidence in its markers, by how well their distance agrees
    with ``rest``, and less where, about the device, it looks less like the average than frames do
    on the whole. What differs from the average by far more than the noise (a wire that passes,
    contrast that washes by) is limited pixel by pixel.

    Parameters
    ----------
    rest : ndarray, shape (2, 2)
        Where the markers come to lie, (x, y) each; see `resting_pair`.

    Attributes
    ----------
    frames : int
        Averaged so far.
    weight : float
        Sum of their weights.
    """

    def __init__(self, rest: Points) -> None:
        self.rest = np.asarray(rest, np.float64)
        self.frames = 0
        self.weight = 0.0
        self._mean: FloatFrame | None = None
        self._likeness = 0.0  # sum over the frames after the first

    @property
    def picture(self) -> FloatFrame:
        """The average, (rows, columns).

        Raises
        ------
        ValueError
            Before the first frame.
        """
        if self._mean is None:
            raise ValueError("no frame was averaged")
        return self._mean

    def add(self, frame: FloatFrame, pair: Points, confidence: float = 1.0) -> float:
        """Add a frame whose markers lie at ``pair``; return its weight, 0 to 1.

        A frame without both markers (NaN), or with no confidence, is left out.
        """
        pair = np.asarray(pair, np.float64)
        if not np.isfinite(pair).all() or (pair[0] == pair[1]).all() or not confidence > 0:
            return 0.0
        moved = steadied(frame.astype(np.float32), pair, self.rest)
        weight = min(confidence, 1.0) * self._length_agrees(pair)
        if self._mean is None:
            self._mean = moved
        else:
            likeness = self._looks_alike(moved)
            self._likeness += likeness
            usual = self._likeness / self.frames
            weight *= min(likeness / usual, 1.0) if usual > 0 else 0.0
            difference = moved - self._mean
            spread = _TO_DEVIATION * float(np.median(np.abs(difference[::2, ::2])))
            if self.frames > 2 and spread > 0:
                limit = _OUTLIER_DEVIATIONS * spread
                np.clip(difference, -limit, limit, out=difference)
            share = weight / max(self.weight + weight, 1e-12)
            self._mean = self._mean + np.float32(share) * difference
        self.frames += 1
        self.weight += weight
        return weight

    def _length_agrees(self, pair: Points) -> float:
        rest = float(np.linalg.norm(self.rest[1] - self.rest[0]))
        away = float(np.linalg.norm(pair[1] - pair[0])) / rest - 1.0
        return float(np.exp(-0.5 * (away / _LENGTH_SHARE) ** 2))

    def _looks_alike(self, moved: FloatFrame) -> float:
        """Correlate fine structure about the device with that of the average."""
        assert self._mean is not None
        low = np.floor(self.rest.min(axis=0)).astype(int) - _MARKER_PX
        high = np.ceil(self.rest.max(axis=0)).astype(int) + _MARKER_PX + 1
        rows = slice(max(low[1], 0), max(high[1], 0))
        columns = slice(max(low[0], 0), max(high[0], 0))
        if not moved[rows, columns].size:
            return 1.0
        new, old = (_fine(picture[rows, columns]) for picture in (moved, self._mean))
        scale = float(np.linalg.norm(new) * np.linalg.norm(old))
        return max(float((new * old).sum()) / scale, 0.0) if scale > 0 else 1.0


def _fine(picture: FloatFrame) -> FloatFrame:
    fine = cv2.GaussianBlur(picture, (0, 0), 1.0) - cv2.GaussianBlur(picture, (0, 0), 6.0)
    return np.asarray(fine - fine.mean())
