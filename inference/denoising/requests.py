"""What the denoiser is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DenoiseRequest:
    """Denoise ``frames`` in the order given.

    The next one is taken when there is room for it, so that an iterator can decide late.
    ``causal`` uses past frames only; otherwise neighbours on both sides.
    """

    frames: Iterable[int]
    causal: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class DenoisedFrame:
    """One frame as the denoiser gives it back, at full strength.

    Attributes
    ----------
    frame : int
    pixels : ndarray
        float32 (rows, columns), on the grey scale of its input.
    noise_removed : bool
        False where the run's noise is too weak to be seen, so that ``pixels`` are the frame as it
        was, whatever strength they are blended in with.
    """

    frame: int
    pixels: NDArray[np.float32]
    noise_removed: bool = True
