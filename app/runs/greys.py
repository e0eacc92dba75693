"""Decoded pixels of any kind to grey numbers: X-ray runs are grey, colour ones only stored so."""

from __future__ import annotations

from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray

from app.runs.run import RunError

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in JPEG


def to_grey(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return (rows, columns) of the same dtype from (rows, columns[, 1, 2, 3 or 4 samples]).

    Three or four samples are red, green, blue and an ignored alpha; two are grey and alpha.
    """
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] < 3:
        return np.ascontiguousarray(pixels[:, :, 0])
    colours = pixels[:, :, :3]
    precise = np.float64 if pixels.dtype.itemsize > 2 else np.float32
    grey = colours.astype(precise) @ _LUMINANCE.astype(precise)
    if np.issubdtype(pixels.dtype, np.integer):
        grey = np.rint(grey)
    return grey.astype(pixels.dtype)


def check_numbers(dtype: np.dtype[np.generic], name: str) -> None:
    """Refuse pixels that are no real numbers.

    Raises
    ------
    RunError
        That says what ``name`` holds instead.
    """
    if dtype.hasobject:
        raise RunError(tr("{name} holds Python objects; save numbers.").format(name=name))
    if dtype.kind == "c":
        raise RunError(
            tr("{name} holds complex numbers; save their size or one part.").format(name=name)
        )
    if dtype.kind not in "biuf":
        raise RunError(tr("{name} holds text, dates or records; save numbers.").format(name=name))


def real_pixels(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return numbers in the machine's byte order; True and False become 255 and 0."""
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8) * np.uint8(255)
    return np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))
