"""Edge enhancement of the picture as it is seen."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

RADIUS_PX = 2.0
"""Standard deviation of the blur: wires and vessel walls are a few pixels wide."""
STRONGEST = 2.0
"""Times the fine detail is added at full strength."""


def enhance_edges(picture: NDArray[np.uint8], strength: float) -> NDArray[np.uint8]:
    """Add the picture's own fine detail to it (unsharp masking).

    Parameters
    ----------
    picture : ndarray of uint8, shape (rows, columns)
    strength : float
        0 (as it is) to 1.
    """
    if strength <= 0.0:
        return picture
    blurred = cv2.GaussianBlur(picture, (0, 0), RADIUS_PX)
    gain = STRONGEST * min(strength, 1.0)
    return np.asarray(cv2.addWeighted(picture, 1.0 + gain, blurred, -gain, 0.0), np.uint8)
