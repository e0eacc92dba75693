"""What the denoiser is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DenoiseRequest:
    """Denoise ``frames`` in the order given (near the playhead first).

    ``causal`` uses past frames only; otherwise neighbours on both sides.
    """

    frames: tuple[int, ...]
    causal: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class DenoisedFrame:
    """One denoised frame, float32 (rows, columns), on the grey scale of its input."""

    frame: int
    pixels: NDArray[np.float32]
