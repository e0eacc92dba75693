"""Windows and look-up tables: from modality values to shares of the way from black to white."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.runs.run import Lut, VoiFunction, Window

_AUTO_PERCENTILES = (0.5, 99.5)


def auto_window(values: NDArray[Any], shown: NDArray[np.bool_] | None = None) -> Window:
    """Return the window that spans all but the outermost 0.5 % of values at either end.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
    shown : ndarray of bool, shape (rows, columns), optional
        Where there is a picture; by default everywhere.
    """
    step = max(1, int(np.sqrt(values.size / 65536)))
    chosen = values[::step, ::step]
    if shown is not None and (inside := shown[::step, ::step]).any():
        chosen = chosen[inside]
    low, high = np.percentile(chosen, _AUTO_PERCENTILES)
    width = max(float(high - low), 1e-6)
    return Window(float(low + high) / 2.0, width, VoiFunction.LINEAR_EXACT, "auto")


def steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the position of each value, 0, 1, 2 and so on."""
    return np.arange(len(values), dtype=np.float64)


def voi_unit(values: NDArray[np.float64], voi: Window | Lut) -> NDArray[np.float64]:
    """Apply a window (PS3.3 C.11.2.1.2, C.11.2.1.3) or a VOI LUT of values 0..1."""
    if isinstance(voi, Lut):
        return np.interp(values - voi.first_input, steps(voi.values), voi.values)
    if voi.function is VoiFunction.SIGMOID:
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(-4.0 * (values - voi.center) / voi.width))
    if voi.function is VoiFunction.LINEAR and voi.width > 1.0:
        return (values - (voi.center - 0.5)) / (voi.width - 1.0) + 0.5
    if voi.function is VoiFunction.LINEAR and voi.width == 1.0:
        return (values > voi.center - 0.5).astype(np.float64)
    # LINEAR is not defined below a width of 1, where files mean LINEAR_EXACT.
    return (values - voi.center) / voi.width + 0.5
