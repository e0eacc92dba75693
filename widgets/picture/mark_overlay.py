"""Measures and words over the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import atan2, cos, hypot, pi, sin

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from widgets.picture.corner_text import draw_text
from widgets.picture.vessel_overlay import VesselOverlay, edges_path, paint_vessel, to_segment
from widgets.picture.viewport import ToScreen

COLOR = "#7fe3c4"
SELECTED_COLOR = "#ffffff"
HALO = QColor(0, 0, 0, 170)
HANDLE = 4.0
ARROW_HEAD = 13.0
LABEL_DISTANCE = 10.0
VESSEL_LINES = 0.6
"""Times as wide as others: what lies between them is looked at."""


class MarkShape(StrEnum):
    """How a mark is drawn."""

    LINE = "line"
    POLYLINE = "polyline"
    ANGLE = "angle"
    RECTANGLE = "rectangle"
    ELLIPSE = "ellipse"
    TEXT = "text"
    ARROW = "arrow"
    VESSEL = "vessel"
    FOUND = "found"  # what the program found: its outlines alone, nothing to take hold of


@dataclass(frozen=True, slots=True)
class MarkOverlay:
    """What is drawn of one mark on this frame.

    Attributes
    ----------
    points : tuple of (x, y)
        Its handles in image pixels. An angle has its corner in the middle; an arrow points at
        its first one.
    lines : tuple of str
        What is written beside it.
    outlines : tuple of tuples of (x, y)
        Further lines that belong to it, such as the edges that were found.
    vessel : VesselOverlay or None
        What was found of a vessel; its handles alone lie on it then.
    """

    mark_id: str
    shape: MarkShape
    points: tuple[tuple[float, float], ...]
    lines: tuple[str, ...] = ()
    selected: bool = False
    outlines: tuple[tuple[tuple[float, float], ...], ...] = ()
    vessel: VesselOverlay | None = None


def figure(mark: MarkOverlay, to_screen: ToScreen) -> QPainterPath:
    """Return the lines of a mark on the screen, without handles and words."""
    path = QPainterPath()
    points = [to_screen(x, y) for x, y in mark.points]
    if not points:
        return path
    if mark.shape in (MarkShape.RECTANGLE, MarkShape.ELLIPSE) and len(points) == 2:
        box = QRectF(points[0], points[1]).normalized()
        (path.addRect if mark.shape is MarkShape.RECTANGLE else path.addEllipse)(box)
        return path
    if mark.vessel is not None:
        return edges_path(mark.vessel, to_screen)
    if mark.shape is not MarkShape.FOUND:
        path.moveTo(points[0])
        for point in points[1:]:
            path.lineTo(point)
    if mark.shape is MarkShape.ARROW and len(points) == 2:
        _add_head(path, points[0], points[1])
    for outline in mark.outlines:
        for index, (x, y) in enumerate(outline):
            (path.lineTo if index else path.moveTo)(to_screen(x, y))
    return path


def distance_to(mark: MarkOverlay, to_screen: ToScreen, at: QPointF) -> float:
    """Return how far a place on the screen is from the lines of a mark."""
    points = [to_screen(x, y) for x, y in mark.points]
    if len(points) == 1:
        return hypot(points[0].x() - at.x(), points[0].y() - at.y())
    if mark.shape in (MarkShape.RECTANGLE, MarkShape.ELLIPSE):
        polygon = figure(mark, to_screen).toFillPolygon()
        points = [polygon.at(i) for i in range(polygon.count())]
    return min((to_segment(at, a, b) for a, b in pairwise(points)), default=float("inf"))


def paint_marks(
    painter: QPainter,
    marks: Sequence[MarkOverlay],
    to_screen: ToScreen,
    region: QRectF,
    avoid: Sequence[QRectF],
    unit: float,
    font: QFont,
) -> None:
    """Draw marks, the chosen one on top with its handles.

    Parameters
    ----------
    region : QRectF
        Words stay inside.
    avoid : sequence of QRectF
        Words do not stand here, if that can be.
    unit : float
        How large handles and lines are.
    """
    taken = list(avoid)
    for mark in sorted(marks, key=lambda mark: mark.selected):
        color = QColor(SELECTED_COLOR if mark.selected else COLOR)
        path = figure(mark, to_screen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        width = (2.0 if mark.selected else 1.5) * unit
        if mark.vessel is not None:
            width *= VESSEL_LINES
        for pen in (QPen(HALO, width + 2.0 * unit), QPen(color, width)):
            painter.strokePath(path, pen)
        if mark.vessel is not None:
            paint_vessel(painter, mark.vessel, to_screen, color, unit)
        chosen = mark.selected and mark.shape is not MarkShape.FOUND
        if chosen or (mark.shape is MarkShape.TEXT and not mark.lines):
            _paint_handles(painter, [to_screen(x, y) for x, y in mark.points], color, unit)
        _paint_words(painter, mark, path, to_screen, region, taken, unit, font, color)


def _paint_handles(
    painter: QPainter, points: Sequence[QPointF], color: QColor, unit: float
) -> None:
    side = 2 * HANDLE * unit
    for point in points:
        box = QRectF(point.x() - side / 2, point.y() - side / 2, side, side)
        painter.setPen(QPen(HALO, 3.0 * unit))
        painter.drawRect(box)
        painter.setPen(QPen(color, 1.5 * unit))
        painter.drawRect(box)


def _paint_words(
    painter: QPainter,
    mark: MarkOverlay,
    path: QPainterPath,
    to_screen: ToScreen,
    region: QRectF,
    taken: list[QRectF],
    unit: float,
    font: QFont,
    color: QColor,
) -> None:
    if not mark.lines or not mark.points:
        return
    metrics = QFontMetricsF(font)
    width = max(metrics.horizontalAdvance(line) for line in mark.lines)
    size = QSizeF(width, metrics.height() * len(mark.lines))
    away, last = LABEL_DISTANCE * unit, to_screen(*mark.points[-1])
    box = path.boundingRect()
    if not region.adjusted(-away, -away, away, away).intersects(box.united(_point_box(last))):
        return  # no words of what is out of sight
    if mark.shape is MarkShape.TEXT:
        box = _point_box(last)
        away = 0.0
    places = (
        QPointF(last.x() + away, last.y() + away / 2),
        QPointF(last.x() + away, last.y() - away / 2 - size.height()),
        QPointF(last.x() - away - size.width(), last.y() + away / 2),
        QPointF(box.right() + away, box.center().y() - size.height() / 2),
        QPointF(box.left(), box.bottom() + away),
        QPointF(box.left(), box.top() - away - size.height()),
    )
    boxes = [QRectF(place, size) for place in places]
    fitting = [b for b in boxes if region.contains(b) and not any(b.intersects(t) for t in taken)]
    chosen = fitting[0] if fitting else _moved_into(boxes[0], region)
    taken.append(chosen)
    painter.setFont(font)
    for index, line in enumerate(mark.lines):
        baseline = chosen.top() + metrics.height() * index + metrics.ascent()
        draw_text(painter, QPointF(chosen.left(), baseline), line, color)


def _point_box(point: QPointF) -> QRectF:
    return QRectF(point, QSizeF(1.0, 1.0))


def _moved_into(box: QRectF, region: QRectF) -> QRectF:
    moved = QRectF(box)
    moved.moveLeft(max(region.left(), min(box.left(), region.right() - box.width())))
    moved.moveTop(max(region.top(), min(box.top(), region.bottom() - box.height())))
    return moved


def _add_head(path: QPainterPath, tip: QPointF, tail: QPointF) -> None:
    direction = atan2(tail.y() - tip.y(), tail.x() - tip.x())
    for turn in (-pi / 7, pi / 7):
        path.moveTo(tip)
        side = QPointF(cos(direction + turn), sin(direction + turn))
        path.lineTo(tip + side * ARROW_HEAD)
