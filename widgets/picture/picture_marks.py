"""What the mouse brings onto the picture: wipe divider, cross-hair, loupe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
    QTransform,
)

from widgets.picture.corner_text import HALO, TEXT, draw_text
from widgets.picture.viewport import Viewport
from widgets.theme import DARK

DIVIDER_WINDOW = 34.0
LOUPE_RADIUS = 84.0
LOUPE_DISTANCE = 34.0
LOUPE_LEAST_ZOOM = 8.0


def paint_divider(
    painter: QPainter, area: QRectF, x: float, locked: bool, mouse: QPointF | None
) -> None:
    """Draw the line between the halves of a wipe.

    Parameters
    ----------
    painter : QPainter
    area : QRectF
        The view.
    x : float
        Where the line stands.
    locked : bool
        It waits to be dragged, and shows a handle.
    mouse : QPointF or None
        The line is open here, so that it does not cross out what is looked at.
    """
    path = QPainterPath()
    if mouse is None:
        path.moveTo(x, area.top())
        path.lineTo(x, area.bottom())
    else:
        path.moveTo(x, area.top())
        path.lineTo(x, max(area.top(), mouse.y() - DIVIDER_WINDOW))
        path.moveTo(x, min(area.bottom(), mouse.y() + DIVIDER_WINDOW))
        path.lineTo(x, area.bottom())
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.strokePath(path, QPen(QColor(0, 0, 0, 130), 3))
    painter.strokePath(path, QPen(QColor(DARK.accent), 1))
    if locked:
        handle = QPointF(x, area.top() + area.height() * 0.66)
        painter.setPen(QPen(QColor(0, 0, 0, 160), 1.5))
        painter.setBrush(QColor(DARK.accent))
        painter.drawEllipse(handle, 11, 11)
        arrows = QPainterPath()
        for side in (-1, 1):
            arrows.moveTo(handle + QPointF(side * 3, -3.5))
            arrows.lineTo(handle + QPointF(side * 6.5, 0))
            arrows.lineTo(handle + QPointF(side * 3, 3.5))
        painter.strokePath(arrows, QPen(QColor(DARK.accent_text), 1.6))


def paint_cross_hair(painter: QPainter, region: QRectF, center: QPointF) -> None:
    """Draw thin lines across ``region`` that leave ``center`` open."""
    gap = 14.0
    path = QPainterPath()
    path.moveTo(region.left(), center.y())
    path.lineTo(center.x() - gap, center.y())
    path.moveTo(center.x() + gap, center.y())
    path.lineTo(region.right(), center.y())
    path.moveTo(center.x(), region.top())
    path.lineTo(center.x(), center.y() - gap)
    path.moveTo(center.x(), center.y() + gap)
    path.lineTo(center.x(), region.bottom())
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.strokePath(path, QPen(QColor(0, 0, 0, 90), 3))
    accent = QColor(DARK.accent)
    accent.setAlpha(200)
    painter.strokePath(path, QPen(accent, 1))


def image_of(picture: NDArray[np.uint8]) -> QImage:
    """Wrap a picture (H, W) or (H, W, 3), packed, which must outlive the image, without a copy."""
    rows, columns = picture.shape[:2]
    grey = picture.ndim == 2
    kind = QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB888
    return QImage(picture.data, columns, rows, picture.strides[0], kind)


def paint_loupe(
    painter: QPainter,
    area: QRectF,
    picture: NDArray[np.uint8],
    point: tuple[float, float],
    at: QPointF,
    view: Viewport,
    font: QFont,
) -> None:
    """Draw a magnified round window beside the mouse, its cross at a point of the picture.

    Parameters
    ----------
    painter : QPainter
    area : QRectF
        The loupe is kept inside.
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)
    point : (float, float)
        The image point (x, y) in its middle.
    at : QPointF
        Where that point lies on the screen; the loupe does not cover it.
    view : Viewport
        The loupe magnifies at least twice as much, in the same proportions.
    font : QFont
        Of the coordinates below it.
    """
    magnified = max(LOUPE_LEAST_ZOOM, 2 * view.zoom)
    reach = LOUPE_RADIUS + LOUPE_DISTANCE
    right = at.x() + reach + LOUPE_RADIUS < area.right()
    above = at.y() - reach - LOUPE_RADIUS > area.top()
    middle = at + QPointF(reach if right else -reach, -reach if above else reach)
    circle = QPainterPath()
    circle.addEllipse(middle, LOUPE_RADIUS, LOUPE_RADIUS)

    painter.save()
    painter.setClipPath(circle)
    painter.fillPath(circle, QColor(0, 0, 0))
    painter.translate(middle)
    turn = replace(view, zoom=magnified).transform(area)
    painter.setTransform(QTransform(turn.m11(), turn.m12(), turn.m21(), turn.m22(), 0, 0), True)
    painter.translate(-point[0] - 0.5, -point[1] - 0.5)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    # only the part under the loupe: Qt would otherwise walk over the whole enlarged picture
    reach_px = int(LOUPE_RADIUS / (magnified * min(1.0, view.aspect))) + 2
    rows, columns = picture.shape[:2]
    left, top = (max(0, int(c) - reach_px) for c in point)
    right_px = min(columns, int(point[0]) + reach_px + 2)
    bottom_px = min(rows, int(point[1]) + reach_px + 2)
    if left < right_px and top < bottom_px:
        part = np.ascontiguousarray(picture[top:bottom_px, left:right_px])
        painter.drawImage(QPointF(left, top), image_of(part))
    painter.restore()

    cross = QPainterPath()
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        cross.moveTo(middle + QPointF(dx, dy) * 9)
        cross.lineTo(middle + QPointF(dx, dy) * 30)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.strokePath(cross, QPen(HALO, 3.5))
    painter.strokePath(cross, QPen(QColor(DARK.accent), 1.5))
    painter.strokePath(circle, QPen(QColor(0, 0, 0, 200), 5))
    painter.strokePath(circle, QPen(QColor(DARK.accent), 2))
    text = f"{point[0]:.1f}, {point[1]:.1f}"
    painter.setFont(font)
    x = middle.x() - QFontMetricsF(font).horizontalAdvance(text) / 2
    draw_text(painter, QPointF(x, middle.y() + LOUPE_RADIUS * 0.72), text, TEXT)
