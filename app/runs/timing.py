"""Times for frames that come without any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ASSUMED_RATE_HZ = 15.0


def even_times(frame_count: int, interval_ms: float) -> NDArray[np.float64]:
    """Return ``frame_count`` times in ms, from 0 at one interval."""
    return np.arange(frame_count, dtype=np.float64) * interval_ms


def assumed_times(frame_count: int) -> NDArray[np.float64]:
    """Return times in ms at the assumed rate of 15 frames/s."""
    return even_times(frame_count, 1000.0 / ASSUMED_RATE_HZ)
