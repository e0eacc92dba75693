"""The pills on the picture: what is shown where, and that it is locked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from widgets.picture.compare import PictureKind, PictureNames, Tile, ViewMode
from widgets.picture.corner_text import MARGIN, TEXT, CornerBlock, clear_of
from widgets.theme import DARK

GROUND = QColor(8, 11, 14, 205)
EDGE = QColor(255, 255, 255, 40)
WARNING = QColor(DARK.warning)
HEIGHT_LINES = 1.45
LOCK_WIDTH = 1.2
"""Room for the padlock, in heights of the text."""


class PillTone(Enum):
    """The look of a pill."""

    NAME = auto()
    WAITING = auto()  # another picture stands in for the one that is named
    LOCK = auto()


@dataclass(frozen=True, slots=True)
class Pill:
    """A short text in a rounded box; what lies outside of ``region`` is not drawn."""

    text: str
    tone: PillTone
    rect: QRectF
    region: QRectF


def name_pills(
    shown: Sequence[tuple[Tile, bool]], names: PictureNames, mode: ViewMode, font: QFont
) -> list[Pill]:
    """Return the names of the pictures at the top of their tiles.

    A pill is as wide as the widest text it may get, so that it stays while frames come and go.

    Parameters
    ----------
    shown : sequence of (Tile, bool)
        The tiles, and whether the original stands in for their picture.
    names : PictureNames
    mode : ViewMode
    font : QFont
        With a pixel size.
    """
    metrics = QFontMetricsF(font)
    height = metrics.height() * HEIGHT_LINES
    pills = []
    for tile, waiting in shown:
        name = names.of(tile.kind)
        if not name:
            continue
        texts = [name] if tile.kind is PictureKind.ORIGINAL else [name, names.waiting]
        width = max(metrics.horizontalAdvance(text) for text in texts) + metrics.height()
        rect = QRectF(tile.region.center().x() - width / 2, MARGIN, width, height)
        if mode is ViewMode.WIPE and tile.kind is PictureKind.ORIGINAL:
            rect.moveRight(tile.region.right() - MARGIN)
        elif mode is ViewMode.WIPE:
            rect.moveLeft(tile.region.left() + MARGIN)
        tone = PillTone.WAITING if waiting else PillTone.NAME
        pills.append(Pill(names.waiting if waiting else name, tone, rect, tile.region))
    return pills


def lock_pill(reason: str, area: QRectF, font: QFont) -> Pill:
    """Return the pill that says why nothing can be changed, at the top of ``area``."""
    metrics = QFontMetricsF(font)
    room = area.width() - 2 * MARGIN - metrics.height() * (1 + LOCK_WIDTH)
    text = metrics.elidedText(reason, Qt.TextElideMode.ElideRight, room)
    width = metrics.horizontalAdvance(text) + metrics.height() * (1 + LOCK_WIDTH)
    height = metrics.height() * HEIGHT_LINES
    rect = QRectF(area.center().x() - width / 2, area.top() + MARGIN, width, height)
    return Pill(text, PillTone.LOCK, rect, area)


def top_clear_of(pills: Sequence[Pill], blocks: Sequence[CornerBlock]) -> float:
    """Return the least height at which none of the pills touches a corner's text."""
    return max((clear_of(pill.rect, blocks, downwards=True).top() for pill in pills), default=0.0)


def paint_pill(painter: QPainter, pill: Pill, font: QFont) -> None:
    """Draw a pill; amber where the user must not take what is seen for granted."""
    locked = pill.tone is PillTone.LOCK
    painter.save()
    painter.setClipRect(pill.region, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(WARNING if locked else EDGE, 1))
    painter.setBrush(GROUND)
    painter.drawRoundedRect(pill.rect, pill.rect.height() / 2, pill.rect.height() / 2)
    painter.setFont(font)
    painter.setPen(TEXT if pill.tone is PillTone.NAME else WARNING)
    height = QFontMetricsF(font).height()
    room = QRectF(pill.rect)
    if locked:
        room.setLeft(room.left() + height * LOCK_WIDTH)
        _paint_padlock(painter, QPointF(room.left(), room.center().y()), height)
    painter.drawText(room, Qt.AlignmentFlag.AlignCenter, pill.text)
    painter.restore()


def _paint_padlock(painter: QPainter, center: QPointF, height: float) -> None:
    side = height * 0.55
    body = QRectF(center.x() - side / 2, center.y() - side * 0.15, side, side * 0.75)
    shackle = QPainterPath()
    arch = QRectF(center.x() - side * 0.3, center.y() - side * 0.65, side * 0.6, side)
    shackle.arcMoveTo(arch, 0)
    shackle.arcTo(arch, 0, 180)
    painter.strokePath(shackle, QPen(WARNING, side * 0.16))
    painter.fillRect(body, WARNING)


def paint_lock_frame(painter: QPainter, area: QRectF) -> None:
    """Draw a thin amber frame around a view that is locked."""
    painter.setPen(QPen(WARNING, 1.5, Qt.PenStyle.DashLine))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(area.adjusted(1, 1, -1, -1))
