"""Tracks over the picture: the point of this frame, its trail, its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
    QTransform,
)

from widgets.picture.corner_text import draw_text
from widgets.picture.viewport import ToScreen
from widgets.point_look import (
    LOOK_COLORS,
    MOVED_COLOR,
    STALE_COLOR,
    PointLook,
    look_text,
    mark_texts,
)

HALO = QColor(0, 0, 0, 170)
RING_RADIUS = 12.0
OTHER_RING_RADIUS = 9.0
GAP_RADIUS = 6.0
"""Nothing is drawn closer to the point than this: what is tracked stays visible."""
MARK_DISTANCE = 9.0
"""From the ring to what marks a point as moved or stale."""
TRAIL_STEPS = 8
SILENT_LOOKS = (PointLook.EMPTY, PointLook.TRACKED, PointLook.CLICKED)
"""What their marker says is not written behind the name as well."""


@dataclass(frozen=True, slots=True)
class OverlayPoint:
    """The point of this frame in image pixels; NaN where an absent or deleted one has no place.

    ``moved``, ``stale`` and ``emptied`` are as in `widgets.point_look.FrameLooks`.
    """

    x: float
    y: float
    look: PointLook = PointLook.TRACKED
    moved: bool = False
    stale: bool = False
    emptied: bool = False

    @property
    def shown(self) -> bool:
        """True where there is something to draw."""
        return self.look is not PointLook.EMPTY or self.emptied


def _no_trail() -> NDArray[np.float64]:
    return np.empty((0, 2))


@dataclass(frozen=True, slots=True, eq=False)
class TrackOverlay:
    """What is drawn of one track.

    Attributes
    ----------
    color : str
        ``#rrggbb``, of the trail and the name.
    past, future : ndarray, shape (n, 2)
        Points (x, y) of the frames before and after this one in the order of time; NaN rows
        where there is none.
    """

    track_id: str
    name: str
    color: str = "#ffb000"
    selected: bool = False
    point: OverlayPoint | None = None
    past: NDArray[np.floating] = field(default_factory=_no_trail)
    future: NDArray[np.floating] = field(default_factory=_no_trail)


def anchor(track: TrackOverlay) -> tuple[float, float] | None:
    """Return where the track's marker stands: its point, else where it was last or will be next."""
    if track.point is None or not track.point.shown:
        return None
    if isfinite(track.point.x) and isfinite(track.point.y):
        return track.point.x, track.point.y
    for trail, nearest in ((track.past, -1), (track.future, 0)):
        known = trail[np.isfinite(trail).all(axis=1)]
        if len(known):
            return float(known[nearest, 0]), float(known[nearest, 1])
    return None


def paint_tracks(
    painter: QPainter,
    tracks: Sequence[TrackOverlay],
    to_screen: ToScreen,
    region: QRectF,
    avoid: Sequence[QRectF],
    unit: float,
    font: QFont,
) -> None:
    """Draw the tracks, the selected one on top, at the same size whatever the zoom.

    Parameters
    ----------
    painter : QPainter
        Clipped to ``region`` by the caller.
    tracks : sequence of TrackOverlay
    to_screen : callable
        Image point to screen position.
    region : QRectF
        Names are kept inside it.
    avoid : sequence of QRectF
        Names are kept off these.
    unit : float
        Size of the drawing, 1 at a font of 13 pixels.
    font : QFont
        Of the names.
    """
    taken = list(avoid)
    named = []
    for track in sorted(tracks, key=lambda t: t.selected):
        place = anchor(track)
        center = to_screen(*place) if place is not None else None
        painter.save()
        if center is not None:
            painter.setClipPath(_without_tip(region, center, unit), Qt.ClipOperation.IntersectClip)
        _paint_trail(painter, track, to_screen, unit)
        painter.restore()
        if center is None or track.point is None:
            continue
        if not region.adjusted(-40, -40, 40, 40).contains(center):
            continue
        _paint_marker(painter, track, track.point, center, unit)
        taken.append(_around(center, unit))
        named.append((track, track.point, center))
    for track, point, center in reversed(named):
        _paint_name(painter, track, point, center, region, taken, unit, font)


def _around(center: QPointF, unit: float) -> QRectF:
    radius = RING_RADIUS * unit
    return QRectF(center.x() - radius, center.y() - radius, 2 * radius, 2 * radius)


def _without_tip(region: QRectF, center: QPointF, unit: float) -> QPainterPath:
    path = QPainterPath()
    path.addRect(region)
    path.addEllipse(center, GAP_RADIUS * unit, GAP_RADIUS * unit)
    return path


def _paint_trail(painter: QPainter, track: TrackOverlay, to_screen: ToScreen, unit: float) -> None:
    placeless = (PointLook.ABSENT, PointLook.EMPTY)
    place = [anchor(track)] if track.point and track.point.look not in placeless else []
    here = np.array([p for p in place if p is not None]).reshape(-1, 2)
    width = (2.0 if track.selected else 1.4) * unit
    known = track.future[np.isfinite(track.future).all(axis=1)]
    future = [to_screen(float(x), float(y)) for x, y in known]
    past = _lines(np.vstack([track.past, here]), to_screen)
    for pen in (QPen(HALO, 1.5 * width + 2 * unit), QPen(QColor(track.color), 1.5 * width)):
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawPoints(future)  # a dot a frame
    _stroke(painter, past, QColor(0, 0, 0, 110), width + 2 * unit)
    for step in range(TRAIL_STEPS):
        color = QColor(track.color)
        color.setAlphaF(0.15 + 0.85 * (step + 1) / TRAIL_STEPS)
        first = len(past) * step // TRAIL_STEPS
        last = len(past) * (step + 1) // TRAIL_STEPS
        _stroke(painter, past[first:last], color, width)


def _lines(points: NDArray[np.floating], to_screen: ToScreen) -> list[tuple[QPointF, QPointF]]:
    """Return the pieces between neighbouring points that are both known."""
    known = np.isfinite(points).all(axis=1)
    pairs = zip(points, known, strict=True)
    places = [to_screen(float(x), float(y)) if ok else None for (x, y), ok in pairs]
    return [(a, b) for a, b in pairwise(places) if a is not None and b is not None]


def _stroke(
    painter: QPainter, lines: list[tuple[QPointF, QPointF]], color: QColor, width: float
) -> None:
    if not lines:
        return
    path = QPainterPath()
    for start, end in lines:
        if path.currentPosition() != start or path.isEmpty():
            path.moveTo(start)
        path.lineTo(end)
    pen = QPen(color, width)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.strokePath(path, pen)


def marker_path(look: PointLook, radius: float, gap: float) -> QPainterPath:
    """Return the outline of a marker around (0, 0); it leaves the middle free.

    Parameters
    ----------
    look : PointLook
    radius : float
        Of the ring.
    gap : float
        Nothing comes closer to the middle.
    """
    path = QPainterPath()
    match look:
        case PointLook.CLICKED:
            path.addEllipse(QPointF(), radius, radius)
            _add_ticks(path, radius - 3.0, radius + 5.0, 0.0)
        case PointLook.CONFIRMED:
            path.addEllipse(QPointF(), radius, radius)
            path.addEllipse(QPointF(), radius + 4.0, radius + 4.0)
        case PointLook.TRACKED:
            for start in (20.0, 110.0, 200.0, 290.0):
                _add_arc(path, radius, start, 50.0)
            _add_ticks(path, gap + 1.0, radius + 3.0, 0.0)
        case PointLook.INTERPOLATED:
            reach = radius * 1.25
            corners = (
                QPointF(0, -reach),
                QPointF(reach, 0),
                QPointF(0, reach),
                QPointF(-reach, 0),
                QPointF(0, -reach),
            )
            path.addPolygon(QPolygonF(corners))
        case PointLook.OCCLUDED:
            for start in range(0, 360, 60):
                _add_arc(path, radius, start + 15.0, 30.0)
            path.moveTo(-radius - 6.0, 0)
            path.lineTo(-gap - 1.0, 0)
            path.moveTo(gap + 1.0, 0)
            path.lineTo(radius + 6.0, 0)
        case PointLook.ABSENT:
            _add_ticks(path, gap + 2.0, radius + 6.0, 45.0)
        case PointLook.DOUBTFUL:
            reach = radius * 1.5
            angles = np.radians([-90.0, 30.0, 150.0, -90.0])
            path.addPolygon(
                QPolygonF([QPointF(reach * np.cos(a), reach * np.sin(a)) for a in angles])
            )
        case PointLook.EMPTY:
            for start in (45.0, 135.0, 225.0, 315.0):
                _add_arc(path, radius, start - 10.0, 20.0)
    return path


def _add_arc(path: QPainterPath, radius: float, start_deg: float, length_deg: float) -> None:
    box = QRectF(-radius, -radius, 2 * radius, 2 * radius)
    path.arcMoveTo(box, start_deg)
    path.arcTo(box, start_deg, length_deg)


def _add_ticks(path: QPainterPath, inner: float, outer: float, turn_deg: float) -> None:
    for angle in np.radians(np.arange(4) * 90.0 + turn_deg):
        direction = QPointF(np.cos(angle), np.sin(angle))
        path.moveTo(direction * inner)
        path.lineTo(direction * outer)


def _paint_marker(
    painter: QPainter, track: TrackOverlay, point: OverlayPoint, center: QPointF, unit: float
) -> None:
    radius = RING_RADIUS if track.selected else OTHER_RING_RADIUS
    at_point = QTransform(unit, 0, 0, unit, center.x(), center.y())
    marker = at_point.map(marker_path(point.look, radius, GAP_RADIUS))
    width = (2.2 if track.selected else 1.5) * unit
    _outline(painter, marker, LOOK_COLORS.get(point.look, track.color), width)
    around = QPainterPath()
    if point.moved:  # brackets at both sides
        for start in (-25.0, 155.0):
            _add_arc(around, radius + MARK_DISTANCE, start, 50.0)
        _outline(painter, at_point.map(around), MOVED_COLOR, width)
    elif point.stale:  # an arc above, as of a wheel that turns
        _add_arc(around, radius + MARK_DISTANCE, 30.0, 120.0)
        _outline(painter, at_point.map(around), STALE_COLOR, width)


def _outline(painter: QPainter, path: QPainterPath, color: str, width: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (QPen(HALO, 2.2 * width), QPen(QColor(color), width)):
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.strokePath(path, pen)


def _notes(point: OverlayPoint) -> tuple[str, ...]:
    """Return what is written behind the selected track's name."""
    look = () if point.look in SILENT_LOOKS else (look_text(point.look),)
    return (*look, *mark_texts(moved=point.moved, stale=point.stale, emptied=point.emptied))


def _paint_name(
    painter: QPainter,
    track: TrackOverlay,
    point: OverlayPoint,
    center: QPointF,
    region: QRectF,
    taken: list[QRectF],
    unit: float,
    font: QFont,
) -> None:
    """Write the name where there is room; one that is not selected may be left out."""
    text = " · ".join((track.name, *_notes(point))) if track.selected else track.name
    metrics = QFontMetricsF(font)
    size = QSizeF(metrics.horizontalAdvance(text), metrics.height())
    reach = (RING_RADIUS + 8.0) * unit
    right, left = center.x() + reach, center.x() - reach - size.width()
    above, below = center.y() - reach * 0.7 - size.height() / 2, center.y() + reach * 0.4
    middle = center.x() - size.width() / 2
    places = [
        QRectF(QPointF(x, y), size)
        for x, y in (
            (right, above),
            (left, above),
            (right, below),
            (left, below),
            (middle, center.y() - reach - size.height()),
            (middle, center.y() + reach),
            (right, center.y() + reach * 1.5),
            (left, center.y() + reach * 1.5),
        )
    ]
    inside = [place for place in places if region.contains(place)]
    free = [place for place in inside if not _covered(place, taken)]
    if free:
        chosen = free[0]
    elif track.selected:
        chosen = min(
            (_moved_into(place, region) for place in places), key=partial(_covered, taken=taken)
        )
    else:
        return
    taken.append(chosen)
    painter.setFont(font)
    baseline = QPointF(chosen.left(), chosen.top() + metrics.ascent())
    draw_text(painter, baseline, text, QColor(track.color))


def _covered(place: QRectF, taken: Sequence[QRectF]) -> float:
    """Return how much of a place is taken, in square pixels."""
    shared = [place & other for other in taken]
    return sum(area.width() * area.height() for area in shared if area.isValid())


def _moved_into(place: QRectF, region: QRectF) -> QRectF:
    moved = QRectF(place)
    moved.moveLeft(max(region.left(), min(place.left(), region.right() - place.width())))
    moved.moveTop(max(region.top(), min(place.top(), region.bottom() - place.height())))
    return moved
