"""Colour to grey: X-ray runs are grey, and colour ones are grey pictures stored in colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in JPEG


def to_grey(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return (rows, columns) of the same dtype from (rows, columns[, 1, 2, 3 or 4 samples]).

    Three or four samples are red, green, blue and an ignored alpha; two are grey and alpha.
    """
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] < 3:
        return np.ascontiguousarray(pixels[:, :, 0])
    grey = pixels[:, :, :3].astype(np.float32) @ _LUMINANCE
    if np.issubdtype(pixels.dtype, np.integer):
        grey = np.rint(grey)
    return grey.astype(pixels.dtype)
