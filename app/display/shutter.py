"""The display shutter: which pixels of a picture are covered (PS3.3 C.7.6.11)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.runs.run import Shutter


def shutter_opening(shutter: Shutter, rows: int, columns: int) -> NDArray[np.uint8]:
    """Return 255 where the shutter is open and 0 where it covers, shape (rows, columns)."""
    y, x = np.ogrid[:rows, :columns]
    opening = np.ones((rows, columns), bool)
    if shutter.rectangle is not None:
        left, top, right, bottom = shutter.rectangle
        opening &= (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    if shutter.circle is not None:
        center_x, center_y, radius = shutter.circle
        opening &= (x - center_x) ** 2 + (y - center_y) ** 2 <= radius**2
    mask = np.where(opening, 255, 0).astype(np.uint8)
    if shutter.polygon:
        inside = np.zeros_like(mask)
        corners = np.rint(np.array(shutter.polygon)).astype(np.int32)
        cv2.fillPoly(inside, [corners], 255)
        mask &= inside
    return mask
