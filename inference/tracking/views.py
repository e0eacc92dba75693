"""Frames as the tracking network sees them: one small square view of the whole picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LOCAL_SPREAD = 7.0
"""Standard deviation in view pixels of the window that local mean and spread are taken over."""


@dataclass(frozen=True, slots=True)
class ViewGeometry:
    """Where a (rows, columns) picture lies in the square view; its longer side fills it.

    The scale therefore follows the picture: a 1024 picture is searched in steps twice as large as
    one of 512.
    """

    rows: int
    columns: int
    side: int

    @property
    def scale(self) -> float:
        """View pixels per picture pixel."""
        return self.side / max(self.rows, self.columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the view that the picture covers."""
        return max(1, round(self.rows * self.scale)), max(1, round(self.columns * self.scale))

    def to_view(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Picture (x, y) to view (x, y), (..., 2)."""
        return ((np.asarray(points) + 0.5) * self.scale - 0.5).astype(np.float32)

    def to_picture(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """View (x, y) to picture (x, y), (..., 2)."""
        return ((np.asarray(points) + 0.5) / self.scale - 0.5).astype(np.float32)


def shrink(pixels: NDArray[np.generic], side: int) -> NDArray[np.float32]:
    """Scale a (rows, columns) picture into a (side, side) view; what it leaves is its median."""
    geometry = ViewGeometry(pixels.shape[0], pixels.shape[1], side)
    rows, columns = geometry.shape
    # Scaling in floating point keeps what averaging gains over 8 bits.
    whole = pixels.astype(np.float32)
    small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    if (rows, columns) == (side, side):
        return small
    view = np.full((side, side), np.median(small), np.float32)
    view[:rows, :columns] = small
    return view


def normalise(view: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract the local mean and divide by the local spread.

    The result does not depend on exposure, window or bit depth; a tube looks alike over lung and
    spine.
    """
    some = view[::4, ::4].flatten()
    edge = len(some) // 100
    some.partition((edge, -1 - edge))  # in a fraction of the time of np.percentile
    low, high = some[edge], some[-1 - edge]
    flat = (view - low) / np.float32(max(float(high - low), 1e-6))
    flat -= _blur(flat)
    # The floor keeps noise in empty parts (collimator, padding) from being blown up.
    spread = np.maximum(_blur(flat * flat), 0.0)
    np.sqrt(spread, out=spread)
    spread += 0.02
    flat /= spread
    return np.clip(flat, -4.0, 4.0, out=flat)


def _blur(view: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gaussian blur with a standard deviation of ``LOCAL_SPREAD``, taken at a quarter size."""
    rows, columns = view.shape
    small = cv2.resize(view, (columns // 4, rows // 4), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), LOCAL_SPREAD / 4, borderType=cv2.BORDER_REFLECT)
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)


def crop(view: NDArray[np.float32], centre: tuple[float, float], side: int) -> NDArray[np.float32]:
    """Cut a (side, side) patch whose middle lies at view position ``centre``; outside is 0."""
    # In the patch the middle between its central pixels is (side - 1) / 2; the tip sits at side/2.
    matrix = np.array(
        [[1.0, 0.0, side / 2 - centre[0]], [0.0, 1.0, side / 2 - centre[1]]], np.float32
    )
    return cv2.warpAffine(view, matrix, (side, side), flags=cv2.INTER_LINEAR)


FINE_VIEW = 512
"""Side that a picture's longer side is scaled to before fine crops are cut, in pixels."""
MARGIN = 16
"""Pixels around a fine crop that its local mean and spread are taken from as well."""


def fine_crop(
    picture: NDArray[np.generic], centre: NDArray[np.floating], side: int
) -> NDArray[np.float32]:
    """Cut a normalised (side, side) patch whose middle lies at ``centre`` (x, y) of a picture."""
    whole = side + 2 * MARGIN
    x, y = (whole / 2 - np.asarray(centre, np.float64)).tolist()
    known = picture.dtype in (np.uint8, np.uint16, np.float32)
    cut = cv2.warpAffine(
        picture if known else picture.astype(np.float32),
        np.array([[1.0, 0.0, x], [0.0, 1.0, y]]),
        (whole, whole),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return trimmed(cut.astype(np.float32))


def trimmed(patch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalise a patch and cut its margin off."""
    return normalise(patch)[MARGIN:-MARGIN, MARGIN:-MARGIN]
