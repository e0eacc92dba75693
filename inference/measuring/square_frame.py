"""A frame with square pixels, which all measuring needs, and the way there and back."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from inference.measuring.profiles import FloatArray


class SquareFrame:
    """A frame resampled so that its pixels are as high as they are wide.

    The finer axis keeps its pixels and the coarser one is interpolated by cubics, so that nothing
    is lost. Lengths that are given back are in columns of the frame.

    Parameters
    ----------
    frame : ndarray, shape (H, W)
        Any real dtype; what is not finite becomes the median.
    aspect : float
        Height of a pixel over its width.
    linear : bool
        The values are proportional to the detector's signal: their logarithm is taken.
    most_side : int, optional
        Larger pictures are shrunk by a whole number until they fit.

    Attributes
    ----------
    pixels : ndarray, float32, shape (H', W')
    """

    def __init__(
        self,
        frame: NDArray[np.generic],
        aspect: float = 1.0,
        *,
        linear: bool = False,
        most_side: int | None = None,
    ) -> None:
        pixels = np.ascontiguousarray(frame, np.float32)
        known = np.isfinite(pixels)
        if not known.all():
            pixels = np.where(known, pixels, np.median(pixels[known]) if known.any() else 0.0)
        if linear:
            pixels = np.log(np.maximum(pixels, 1.0))
        self._stretch = np.array([max(1.0 / aspect, 1.0), max(aspect, 1.0)])
        if aspect != 1.0:
            wide, high = self._stretch
            rows, columns = pixels.shape
            # From the middle of the first pixel to that of the last one.
            size = int((columns - 1) * wide) + 1, int((rows - 1) * high) + 1
            way = np.array([[1.0 / wide, 0.0, 0.0], [0.0, 1.0 / high, 0.0]])
            flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
            pixels = cv2.warpAffine(pixels, way, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        self._shrink = 1 if most_side is None else -(-max(pixels.shape) // most_side)
        if self._shrink > 1:
            rows, columns = (side // self._shrink for side in pixels.shape)
            whole = pixels[: rows * self._shrink, : columns * self._shrink]
            pixels = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
        self.pixels = pixels

    def there(self, points: ArrayLike) -> FloatArray:
        """Places (N, 2) of the frame as places of ``pixels``."""
        half = (self._shrink - 1) / 2
        return np.asarray((np.asarray(points, np.float64) * self._stretch - half) / self._shrink)

    def back(self, points: ArrayLike) -> FloatArray:
        """Places (N, 2) of ``pixels`` as places of the frame."""
        half = (self._shrink - 1) / 2
        return np.asarray((np.asarray(points, np.float64) * self._shrink + half) / self._stretch)

    @property
    def columns_per_px(self) -> float:
        """Width of one of ``pixels`` in columns of the frame."""
        return float(self._shrink / self._stretch[0])
