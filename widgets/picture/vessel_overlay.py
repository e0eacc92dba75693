"""A measured vessel over the picture: edges, centre line, and its narrowest place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import hypot

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from widgets.picture.viewport import ToScreen

LESION_COLOR = "#ffb454"
CENTRE_OPACITY = 0.55
POINTER_COLOR = "#ffffff"
HALO = QColor(0, 0, 0, 170)
BEYOND = 5.0
"""How far lines across a vessel reach over its edges."""

Point = tuple[float, float]
Line = tuple[Point, ...]


class VesselPart(StrEnum):
    """What of a vessel the mouse may take hold of."""

    LEFT = "left"
    RIGHT = "right"
    CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class VesselOverlay:
    """What is drawn of a vessel.

    Attributes
    ----------
    centre, left, right : tuple of (x, y)
        Image pixels, as many points each.
    begin, narrowest, end : int
        Places of the lesion among them.
    """

    centre: Line
    left: Line
    right: Line
    begin: int
    narrowest: int
    end: int

    def part_near(self, to_screen: ToScreen, at: QPointF, reach: float) -> VesselPart | None:
        """Return what lies nearest to a place on the screen, within ``reach``."""
        lines = zip(VesselPart, (self.left, self.right, self.centre), strict=True)
        away, part = min((_distance(line, to_screen, at), part) for part, line in lines)
        return part if away <= reach else None

    def across(self, place: int) -> tuple[Point, Point]:
        """Return where the edges lie at a place."""
        return self.left[place], self.right[place]


def edges_path(vessel: VesselOverlay, to_screen: ToScreen) -> QPainterPath:
    """Return both edges on the screen."""
    path = QPainterPath()
    for edge in (vessel.left, vessel.right):
        _add(path, edge, to_screen)
    return path


def paint_vessel(
    painter: QPainter, vessel: VesselOverlay, to_screen: ToScreen, color: QColor, unit: float
) -> None:
    """Draw what a vessel has beside its edges: centre line, lesion, narrowest place."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    centre = QPainterPath()
    _add(centre, vessel.centre, to_screen)
    thin = QColor(color)
    thin.setAlphaF(CENTRE_OPACITY)
    painter.strokePath(centre, QPen(thin, 1.0 * unit))
    lesion = QPainterPath()
    for edge in (vessel.left, vessel.right):
        _add(lesion, edge[vessel.begin : vessel.end + 1], to_screen)
    painter.strokePath(lesion, QPen(QColor(LESION_COLOR), 1.6 * unit))
    narrowest = _line_across(vessel.across(vessel.narrowest), to_screen, unit)
    for pen in (QPen(HALO, 4.0 * unit), QPen(QColor(LESION_COLOR), 2.0 * unit)):
        painter.strokePath(narrowest, pen)


def paint_pointer(
    painter: QPainter, ends: tuple[Point, Point], to_screen: ToScreen, unit: float
) -> None:
    """Draw a line across a vessel at the place that is pointed at elsewhere."""
    path = _line_across(ends, to_screen, unit)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (QPen(HALO, 4.0 * unit), QPen(QColor(POINTER_COLOR), 2.0 * unit)):
        painter.strokePath(path, pen)


def _add(path: QPainterPath, line: Sequence[Point], to_screen: ToScreen) -> None:
    for index, (x, y) in enumerate(line):
        (path.lineTo if index else path.moveTo)(to_screen(x, y))


def _line_across(ends: tuple[Point, Point], to_screen: ToScreen, unit: float) -> QPainterPath:
    """Return a line through both edges and a little beyond."""
    start, end = (to_screen(x, y) for x, y in ends)
    way = end - start
    length = hypot(way.x(), way.y())
    further = way * (BEYOND * unit / length) if length > 0 else QPointF(BEYOND * unit, 0.0)
    path = QPainterPath(start - further)
    path.lineTo(end + further)
    return path


def _distance(line: Line, to_screen: ToScreen, at: QPointF) -> float:
    points = [to_screen(x, y) for x, y in line]
    return min((to_segment(at, a, b) for a, b in pairwise(points)), default=float("inf"))


def to_segment(at: QPointF, start: QPointF, end: QPointF) -> float:
    """Return how far a place is from a straight line between two others."""
    way = end - start
    length = QPointF.dotProduct(way, way)
    share = 0.0 if length == 0 else QPointF.dotProduct(at - start, way) / length
    nearest = start + way * min(max(share, 0.0), 1.0)
    return hypot(nearest.x() - at.x(), nearest.y() - at.y())
