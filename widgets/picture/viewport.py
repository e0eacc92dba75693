"""Where image pixels lie on the screen: zoom, centre, turn and mirror, shared by all panes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QTransform

ToScreen = Callable[[float, float], QPointF]
"""From an image point (x, y) to its place on the screen."""
LARGEST_ZOOM = 64.0
SMALLEST_ZOOM = 0.05


@dataclass(frozen=True, slots=True)
class Viewport:
    """The image point at the middle of a pane, and how large an image pixel is there.

    Attributes
    ----------
    zoom : float
        Screen units (logical pixels) that an image pixel is wide.
    center_x, center_y : float
        Image point in the middle of each pane, pixels with centres at integers.
    pixel_ratio : float
        Device pixels to a unit of the screen.
    aspect : float
        Height of an image pixel over its width.
    turns : int
        Quarter turns clockwise, 0 to 3.
    mirrored : bool
        Left and right are exchanged, before the picture is turned.
    whole_pixels : bool
        The corners of image pixels are put on whole device pixels, so that at 1:1 each image pixel
        is one device pixel and not a mixture of two. A device that is to stand still while the
        picture moves would tremble by half a device pixel.
    """

    zoom: float = 1.0
    center_x: float = 0.0
    center_y: float = 0.0
    pixel_ratio: float = 1.0
    aspect: float = 1.0
    turns: int = 0
    mirrored: bool = False
    whole_pixels: bool = True

    def fitted(self, columns: int, rows: int, pane: QRectF) -> Viewport:
        """Return the viewport that shows a whole picture as large as the pane allows."""
        width, height = float(columns), rows * self.aspect
        if self.turns % 2:
            width, height = height, width
        zoom = _bounded(min(pane.width() / width, pane.height() / height))
        return replace(self, zoom=zoom, center_x=(columns - 1) / 2, center_y=(rows - 1) / 2)

    def to_screen(self, pane: QRectF, x: float, y: float) -> QPointF:
        """Return where the image point (x, y) lies on the screen."""
        return self.transform(pane).map(QPointF(x, y))

    def to_image(self, pane: QRectF, position: QPointF) -> tuple[float, float]:
        """Return the image point (x, y) at a position on the screen."""
        origin = self._origin(pane)
        x, y = self.image_step(position.x() - origin.x(), position.y() - origin.y())
        return x, y

    def image_step(self, dx: float, dy: float) -> tuple[float, float]:
        """Return how far a way on the screen goes in the image, in pixels."""
        xx, xy, yx, yy = self._directions()
        return (xx * dx + xy * dy) / self.zoom, (yx * dx + yy * dy) / (self.zoom * self.aspect)

    def transform(self, pane: QRectF) -> QTransform:
        """Return `to_screen` as a transform of image points."""
        origin = self._origin(pane)
        xx, xy, yx, yy = self._directions()
        wide, high = self.zoom, self.zoom * self.aspect
        return QTransform(xx * wide, xy * wide, yx * high, yy * high, origin.x(), origin.y())

    def _directions(self) -> tuple[int, int, int, int]:
        """Return where the image's x axis (right, down) and its y axis point on the screen."""
        x_axis, y_axis = (-1 if self.mirrored else 1, 0), (0, 1)
        for _ in range(self.turns % 4):
            x_axis, y_axis = ((-down, right) for right, down in (x_axis, y_axis))
        return (*x_axis, *y_axis)

    def zoomed(self, pane: QRectF, position: QPointF, zoom: float) -> Viewport:
        """Return this viewport at another zoom; what lies at ``position`` stays there."""
        zoom = _bounded(zoom)
        # from the centre itself, not from the rounded origin: the error would grow step by step
        away = position - pane.center()
        (x, y), (new_x, new_y) = (
            view.image_step(away.x(), away.y()) for view in (self, replace(self, zoom=zoom))
        )
        return replace(
            self, zoom=zoom, center_x=self.center_x + x - new_x, center_y=self.center_y + y - new_y
        )

    def moved(self, dx: float, dy: float, columns: int, rows: int) -> Viewport:
        """Return this viewport with the picture moved on the screen; its middle stays on it."""
        x, y = self.image_step(dx, dy)
        return replace(
            self,
            center_x=min(max(self.center_x - x, 0.0), columns - 1.0),
            center_y=min(max(self.center_y - y, 0.0), rows - 1.0),
        )

    def _origin(self, pane: QRectF) -> QPointF:
        """Screen position of image point (0, 0)."""
        middle, ratio = pane.center(), self.pixel_ratio
        xx, xy, yx, yy = self._directions()
        wide, high = self.zoom, self.zoom * self.aspect

        def start(center: float, along_x: float, along_y: float) -> float:
            """Place the origin along one axis of the screen."""
            at = along_x * self.center_x + along_y * self.center_y
            if not self.whole_pixels:
                return center - at
            half = (along_x + along_y) / 2  # from the corner of the pixel to its middle
            return round((center - at - half) * ratio) / ratio + half

        return QPointF(
            start(middle.x(), xx * wide, yx * high), start(middle.y(), xy * wide, yy * high)
        )


def _bounded(zoom: float) -> float:
    return min(max(zoom, SMALLEST_ZOOM), LARGEST_ZOOM)
