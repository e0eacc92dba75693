"""From values to greys by tables: a window costs one pass over the picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.display.grey import voi_unit
from app.runs.run import Lut, Window

_CODES = 65536
_MAX_SUBSTEPS = 16


class WindowLookUp:
    """Applies windows and VOI LUTs to the stored or other values of one run.

    Parameters
    ----------
    to_modality : callable
        Applies the run's Modality LUT or rescale to stored values.
    low, high : float
        Range of the stored values.
    inverted : bool
        The run shows high values dark (MONOCHROME1).
    """

    def __init__(
        self,
        to_modality: Callable[[NDArray[Any]], NDArray[np.float64]],
        low: float,
        high: float,
        inverted: bool,
    ) -> None:
        self._to_modality = to_modality
        self._low = low
        self._white = high - low
        self._inverted = inverted
        self._table = lru_cache(maxsize=16)(self._make_table)
        self._value_table = lru_cache(maxsize=4)(self._make_value_table)

    def of_stored(
        self,
        stored: NDArray[Any],
        voi: Window | Lut,
        inverted: bool,
        denoised: NDArray[np.float32] | None = None,
        strength: float = 1.0,
    ) -> NDArray[np.uint8]:
        """Return the greys of stored values, ``denoised`` ones blended in by ``strength``."""
        if stored.dtype == np.uint8 and (denoised is None or strength <= 0.0):
            return cv2.LUT(np.ascontiguousarray(stored), self._table(voi, inverted, 256))
        low, scale = self._low, 1.0
        if denoised is not None:  # steps between the integers, so that no banding shows
            scale = float(min(_MAX_SUBSTEPS, _CODES // (int(self._white) + 1)))
        table = self._table(voi, inverted, _CODES, scale, low)
        if denoised is not None and strength > 0.0:
            codes = cv2.addWeighted(
                stored,
                (1.0 - strength) * scale,
                np.ascontiguousarray(denoised, np.float32),
                strength * scale,
                -low * scale,
                dtype=cv2.CV_16U,
            )
        elif stored.dtype == np.uint16 and scale == 1.0:
            codes = stored
        else:
            codes = np.clip((stored.astype(np.float32) - low) * scale, 0, _CODES - 1)
            codes = codes.astype(np.uint16)
        return cv2.LUT(np.ascontiguousarray(codes), table)

    def of_values(
        self, values: NDArray[np.float32], window: Window, inverted: bool
    ) -> NDArray[np.uint8]:
        """Return the greys of any values, by way of codes that are finer than the window."""
        low, span = window.center - 2.0 * window.width, 4.0 * window.width
        codes = (values - np.float32(low)) * np.float32((_CODES - 1) / span)
        np.clip(codes, 0, _CODES - 1, out=codes)
        return cv2.LUT(codes.astype(np.uint16), self._value_table(window, inverted))

    def _make_table(
        self,
        voi: Window | Lut,
        inverted: bool,
        code_count: int,
        scale: float = 1.0,
        low: float = 0.0,
    ) -> NDArray[np.uint8]:
        """Return the grey of each code; code c stands for the stored value low + c / scale."""
        codes = np.arange(code_count, dtype=np.float64)
        return self._to_grey(self._to_modality(low + codes / scale), voi, inverted)

    def _make_value_table(self, window: Window, inverted: bool) -> NDArray[np.uint8]:
        low, span = window.center - 2.0 * window.width, 4.0 * window.width
        codes = np.arange(_CODES, dtype=np.float64)
        return self._to_grey(low + codes * (span / (_CODES - 1)), window, inverted)

    def _to_grey(
        self, modality: NDArray[np.float64], voi: Window | Lut, inverted: bool
    ) -> NDArray[np.uint8]:
        unit = voi_unit(modality, voi)
        if inverted != self._inverted:
            unit = 1.0 - unit
        return np.asarray(np.rint(np.clip(unit, 0.0, 1.0) * 255.0), np.uint8)
