"""Where image pixels lie on the screen: one zoom and one centre, shared by all panes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QTransform

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
    """

    zoom: float = 1.0
    center_x: float = 0.0
    center_y: float = 0.0
    pixel_ratio: float = 1.0
    aspect: float = 1.0

    @classmethod
    def fitted(cls, columns: int, rows: int, pane: QRectF, aspect: float = 1.0) -> Viewport:
        """Return the viewport that shows a whole picture as large as the pane allows."""
        zoom = min(pane.width() / columns, pane.height() / (rows * aspect))
        return cls(_bounded(zoom), (columns - 1) / 2, (rows - 1) / 2, aspect=aspect)

    @property
    def zoom_y(self) -> float:
        """Screen units that an image pixel is high."""
        return self.zoom * self.aspect

    def to_screen(self, pane: QRectF, x: float, y: float) -> QPointF:
        """Return where the image point (x, y) lies on the screen."""
        origin = self._origin(pane)
        return QPointF(origin.x() + x * self.zoom, origin.y() + y * self.zoom_y)

    def to_image(self, pane: QRectF, position: QPointF) -> tuple[float, float]:
        """Return the image point (x, y) at a position on the screen."""
        origin = self._origin(pane)
        x, y = position.x() - origin.x(), position.y() - origin.y()
        return x / self.zoom, y / self.zoom_y

    def transform(self, pane: QRectF) -> QTransform:
        """Return `to_screen` as a transform of image points."""
        origin = self._origin(pane)
        return QTransform(self.zoom, 0, 0, self.zoom_y, origin.x(), origin.y())

    def zoomed(self, pane: QRectF, position: QPointF, zoom: float) -> Viewport:
        """Return this viewport at another zoom; what lies at ``position`` stays there."""
        zoom = _bounded(zoom)
        # from the centre itself, not from the rounded origin: the error would grow step by step
        offset = (position - pane.center()) * (1 / self.zoom - 1 / zoom)
        return replace(
            self,
            zoom=zoom,
            center_x=self.center_x + offset.x(),
            center_y=self.center_y + offset.y() / self.aspect,
        )

    def moved(self, dx: float, dy: float, columns: int, rows: int) -> Viewport:
        """Return this viewport with the picture moved on the screen; its middle stays on it."""
        return replace(
            self,
            center_x=min(max(self.center_x - dx / self.zoom, 0.0), columns - 1.0),
            center_y=min(max(self.center_y - dy / self.zoom_y, 0.0), rows - 1.0),
        )

    def _origin(self, pane: QRectF) -> QPointF:
        """Screen position of image point (0, 0).

        The corner of the first pixel lies on whole device pixels, so that at 1:1 each image pixel
        is one device pixel and not a mixture of two.
        """
        middle, ratio = pane.center(), self.pixel_ratio

        def start(center: float, at: float, size: float) -> float:
            return round((center - at * size - size / 2) * ratio) / ratio + size / 2

        return QPointF(
            start(middle.x(), self.center_x, self.zoom),
            start(middle.y(), self.center_y, self.zoom_y),
        )


def _bounded(zoom: float) -> float:
    return min(max(zoom, SMALLEST_ZOOM), LARGEST_ZOOM)
