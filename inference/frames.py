"""How frames reach the networks: one at a time, on demand, in one polarity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatFrame = NDArray[np.float32]
"""One frame in the making, (rows, columns)."""
ShouldStop = Callable[[], bool]
"""Asked between pieces of work (at least every 100 ms); True means give up at once."""


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """A run as the networks see it.

    Attributes
    ----------
    read : callable
        ``read(index)`` gives frame ``index`` as a (rows, columns) array of any real dtype, dark
        devices on a bright ground (MONOCHROME2 polarity). Called by one inference thread at a time.
    white : float
        The largest value that the grey scale can hold (255 for 8 bit, 1023 for 10 bit).
    """

    read: Callable[[int], NDArray[np.generic]]
    frame_count: int
    rows: int
    columns: int
    white: float = 255.0
