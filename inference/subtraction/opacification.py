"""What contrast did over a run: how dark or bright each place became, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.frames import FloatFrame

_SMOOTHING_PX = 1.0
"""Of the pictures that times are taken from: a single noisy pixel is no peak."""
_QUANTILE = 0.999
_NOISE_DEVIATIONS = 4.0
_TO_DEVIATION = 1.4826
_NEARBY_PX = 15
_MARGIN = 1.1
"""By which contrast has to go beyond what noise and motion do the other way."""


@dataclass(frozen=True, slots=True, eq=False)
class Opacification:
    """Contrast over a span of frames. Arrays have the shape (rows, columns).

    Attributes
    ----------
    darkest, brightest : ndarray of float32
        Least and largest value of each pixel over time.
    contrast_is_dark : bool
        Whether contrast darkens (iodine) or brightens (gas, or stored values that rise with
        attenuation).
    time_to_peak_ms : ndarray of float32
        Time of the fullest contrast since the first frame; NaN where no contrast came.
    threshold : float
        What contrast had to exceed at least to count, in units of the frames.
    """

    darkest: FloatFrame
    brightest: FloatFrame
    contrast_is_dark: bool
    time_to_peak_ms: FloatFrame
    threshold: float

    @property
    def peak(self) -> FloatFrame:
        """Peak opacification: the darkest picture where contrast is dark, else the brightest."""
        return self.darkest if self.contrast_is_dark else self.brightest


def opacification(
    subtracted: Iterable[tuple[float, FloatFrame]], contrast_is_dark: bool | None = None
) -> Opacification:
    """Follow contrast through subtracted frames, of which one at a time is in memory.

    What noise and motion do is told by the other side: they brighten as they darken, contrast does
    one of the two. Contrast therefore counts where it exceeds what the other side does nearby, and
    the noise of the whole picture. (One threshold for all places would be that of the worst one,
    such as the rim of a shutter that a lossy codec has frayed.)

    Parameters
    ----------
    subtracted : iterable of (time_ms, frame)
        Frame less its mask, float32 (rows, columns); 0 is no change.
    contrast_is_dark : bool, optional
        The side that changes more, where None.

    Raises
    ------
    ValueError
        If there is no frame.
    """
    dark = bright = dark_at = bright_at = None
    darkest = brightest = None
    start_ms = 0.0
    for time_ms, frame in subtracted:
        smooth = cv2.GaussianBlur(frame, (0, 0), _SMOOTHING_PX)
        if darkest is None or brightest is None:
            start_ms = time_ms
            darkest, brightest = frame.copy(), frame.copy()
            dark, bright = smooth.copy(), smooth.copy()
            dark_at, bright_at = np.zeros_like(frame), np.zeros_like(frame)
            continue
        assert dark is not None and bright is not None
        assert dark_at is not None and bright_at is not None
        np.minimum(darkest, frame, out=darkest)
        np.maximum(brightest, frame, out=brightest)
        dark_at[smooth < dark] = time_ms - start_ms
        np.minimum(dark, smooth, out=dark)
        bright_at[smooth > bright] = time_ms - start_ms
        np.maximum(bright, smooth, out=bright)
    if darkest is None or brightest is None:
        raise ValueError("there is no frame")
    assert dark is not None and bright is not None
    assert dark_at is not None and bright_at is not None
    if contrast_is_dark is None:
        contrast_is_dark = bool(_extent(-dark) >= _extent(bright))
    contrast, other, at = (
        (-dark, bright, dark_at) if contrast_is_dark else (bright, -dark, bright_at)
    )
    middle = float(np.median(other))
    spread = _TO_DEVIATION * float(np.median(np.abs(other - middle)))
    threshold = _MARGIN * max(middle + _NOISE_DEVIATIONS * spread, 0.0)
    nearby = cv2.dilate(other, np.ones((_NEARBY_PX, _NEARBY_PX), np.uint8))
    return Opacification(
        darkest=darkest,
        brightest=brightest,
        contrast_is_dark=contrast_is_dark,
        time_to_peak_ms=_where(contrast > np.maximum(threshold, _MARGIN * nearby), at),
        threshold=threshold,
    )


def _extent(changes: FloatFrame) -> float:
    return float(np.quantile(changes, _QUANTILE))


def _where(seen: NDArray[np.bool_], times: FloatFrame) -> FloatFrame:
    return np.where(seen, times, np.float32(np.nan))
