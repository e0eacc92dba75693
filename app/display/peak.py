"""Contrast over a whole run: how full it became in each place, and when, in colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_OUTERMOST = (0.01, 0.99)
"""Quantiles of the times that are at the ends of the colours: single pixels do not stretch them."""


@dataclass(frozen=True, slots=True, eq=False)
class ContrastPeak:
    """What contrast did in a subtracted run. Arrays have the shape (rows, columns).

    Attributes
    ----------
    values : ndarray of float32
        Each pixel at its fullest contrast, as subtracted frames are.
    time_ms : ndarray of float32
        When that was, since the first frame; NaN where no contrast came.
    """

    values: NDArray[np.float32]
    time_ms: NDArray[np.float32]

    @property
    def span_ms(self) -> tuple[float, float] | None:
        """The times at both ends of the colours; None where no contrast came."""
        known = self.time_ms[np.isfinite(self.time_ms)]
        if not known.size:
            return None
        first, last = np.quantile(known, _OUTERMOST)
        return float(first), float(last)

    def coloured(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Lay the times over a grey picture of the same shape, as colours of `time_colors`.

        Returns
        -------
        ndarray of uint8, shape (rows, columns, 3)
            Red, green, blue.
        """
        result = np.repeat(picture[:, :, None], 3, axis=2)
        span = self.span_ms
        if span is not None:
            there = np.isfinite(self.time_ms)
            share = (self.time_ms[there] - span[0]) / max(span[1] - span[0], 1e-6)
            result[there] = time_colors()[np.rint(255 * np.clip(share, 0.0, 1.0)).astype(np.uint8)]
        return result


def time_colors() -> NDArray[np.uint8]:
    """Return the colours from the first to the last time, (256, 3): viridis.

    It gets evenly lighter, for colour-blind eyes too.
    """
    steps = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(steps, cv2.COLORMAP_VIRIDIS)[:, 0, ::-1])
