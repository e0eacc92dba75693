"""A picture, or a part of it, at its place on the screen."""

from __future__ import annotations

from math import floor, log2

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGraphicsItem, QGraphicsRectItem

from widgets.picture.compare import Tile
from widgets.picture.viewport import Viewport


class PictureTile(QGraphicsRectItem):
    """A region of the view and the part of a picture that shows through it."""

    def __init__(self) -> None:
        super().__init__()
        self.setPen(Qt.PenStyle.NoPen)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemClipsChildrenToShape)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setParentItem(self)
        self._shown: tuple[NDArray[np.uint8], int] | None = None

    def show_picture(
        self, picture: NDArray[np.uint8], tile: Tile, view: Viewport, pixel_ratio: float
    ) -> None:
        """Draw ``picture`` in a tile; reduced, pixels are averaged, so that thin wires stay whole.

        Parameters
        ----------
        picture : ndarray of uint8, shape (H, W) or (H, W, 3)
            Not changed afterwards: the same array is not drawn anew.
        tile : Tile
        view : Viewport
        pixel_ratio : float
            Device pixels to a unit of the screen.
        """
        scale = view.zoom * pixel_ratio
        smallest = floor(log2(min(picture.shape[:2])))
        halvings = min(max(0, floor(log2(1.0 / scale))), smallest)
        if self._shown is None or self._shown[0] is not picture or self._shown[1] != halvings:
            small = picture
            for _ in range(halvings):
                small = halved(small)
            # without levels, uint8 is drawn as it is: pyqtgraph's fastest way
            self._image.setImage(small, autoLevels=False)
            self._shown = (picture, halvings)
        factor = 2**halvings
        corner = view.transform(tile.pane).translate(-0.5, -0.5).scale(factor, factor)
        self._image.setTransform(corner)
        self.setRect(tile.region)
        self.setVisible(True)


def halved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture of half the size, each pixel the mean of four (an odd last one is left out).

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W) or (H, W, 3), H and W at least 2

    Returns
    -------
    ndarray of uint8, shape (H // 2, W // 2) or (H // 2, W // 2, 3)
    """
    rows, columns = (n // 2 * 2 for n in picture.shape[:2])
    wide = picture[:rows, :columns].astype(np.uint16)
    total = wide[::2, ::2] + wide[1::2, ::2] + wide[::2, 1::2] + wide[1::2, 1::2]
    return ((total + 2) >> 2).astype(np.uint8)
