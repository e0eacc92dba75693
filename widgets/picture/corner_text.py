"""Writing on the picture as on a cath-lab monitor: corners, scale bar, messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from gettext import gettext as tr
from math import floor, log10

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from widgets.theme import DARK

HALO = QColor(0, 0, 0, 200)
TEXT = QColor(DARK.text)
SMALLEST_FONT_PX = 8
MARGIN = 10.0


class Corner(StrEnum):
    """Where a block of text stands."""

    TOP_LEFT = "top left"
    TOP_RIGHT = "top right"
    BOTTOM_LEFT = "bottom left"
    BOTTOM_RIGHT = "bottom right"

    @property
    def right(self) -> bool:
        """True for the two corners at the right."""
        return self in (Corner.TOP_RIGHT, Corner.BOTTOM_RIGHT)

    @property
    def bottom(self) -> bool:
        """True for the two corners at the bottom."""
        return self in (Corner.BOTTOM_LEFT, Corner.BOTTOM_RIGHT)


class MessageKind(StrEnum):
    """The look of a message in the middle."""

    INVITATION = "invitation"
    NOTE = "note"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Message:
    """What stands in the middle: a title, and a sentence that says what to do."""

    title: str
    text: str = ""
    kind: MessageKind = MessageKind.INVITATION


@dataclass(frozen=True, slots=True)
class CornerBlock:
    """The lines of one corner as they fit."""

    corner: Corner
    lines: tuple[str, ...]
    rect: QRectF
    font: QFont


def draw_text(painter: QPainter, baseline: QPointF, text: str, color: QColor) -> None:
    """Draw one line with a dark halo, readable over bright and dark anatomy."""
    painter.setPen(HALO)
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1)):
        painter.drawText(baseline + QPointF(dx, dy), text)
    painter.setPen(color)
    painter.drawText(baseline, text)


def picture_font(base: QFont, area: QRectF) -> QFont:
    """Return the font for an area: it grows with the monitor, within 10 to 22 pixels."""
    font = QFont(base)
    font.setPixelSize(round(min(max(min(area.width(), area.height()) / 52, 10.0), 22.0)))
    return font


def layout_corners(
    corners: Mapping[Corner, tuple[str, ...]], area: QRectF, font: QFont
) -> tuple[CornerBlock, ...]:
    """Fit the corners' text so that no block touches another.

    The font shrinks first; at its smallest, lines are cut with an ellipsis, then left out.

    Parameters
    ----------
    corners : mapping of Corner to tuple of str
    area : QRectF
        The view.
    font : QFont
        The largest font wanted, with a pixel size.

    Returns
    -------
    tuple of CornerBlock
    """
    filled = {corner: lines for corner, lines in corners.items() if any(lines)}
    if not filled:
        return ()
    inner = area.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
    fitted = QFont(font)
    size = font.pixelSize()
    while size > SMALLEST_FONT_PX and not _fits(filled, inner, fitted):
        size -= 1
        fitted.setPixelSize(size)
    metrics = QFontMetricsF(fitted)
    widest = inner.width() if not _both_sides(filled) else (inner.width() - MARGIN) / 2
    most_lines = max(1, int(inner.height() / metrics.lineSpacing() / 2))
    blocks = []
    for corner, lines in filled.items():
        if not _fits(filled, inner, fitted):
            lines = tuple(
                metrics.elidedText(line, Qt.TextElideMode.ElideRight, widest)
                for line in lines[:most_lines]
            )
        width, height = _size(lines, metrics)
        left = inner.right() - width if corner.right else inner.left()
        top = inner.bottom() - height if corner.bottom else inner.top()
        blocks.append(CornerBlock(corner, lines, QRectF(left, top, width, height), fitted))
    return tuple(blocks)


def _both_sides(corners: Mapping[Corner, tuple[str, ...]]) -> bool:
    return len({corner.right for corner in corners}) == 2


def _size(lines: Sequence[str], metrics: QFontMetricsF) -> tuple[float, float]:
    width = max(metrics.horizontalAdvance(line) for line in lines)
    return width, metrics.lineSpacing() * len(lines)


def _fits(corners: Mapping[Corner, tuple[str, ...]], inner: QRectF, font: QFont) -> bool:
    metrics = QFontMetricsF(font)
    sizes = {corner: _size(lines, metrics) for corner, lines in corners.items()}
    nothing = (-MARGIN, -MARGIN)

    def fits(one: Corner, other: Corner, axis: int, room: float) -> bool:
        used = sizes.get(one, nothing)[axis] + sizes.get(other, nothing)[axis] + MARGIN
        return used <= room

    return (
        fits(Corner.TOP_LEFT, Corner.TOP_RIGHT, 0, inner.width())
        and fits(Corner.BOTTOM_LEFT, Corner.BOTTOM_RIGHT, 0, inner.width())
        and fits(Corner.TOP_LEFT, Corner.BOTTOM_LEFT, 1, inner.height())
        and fits(Corner.TOP_RIGHT, Corner.BOTTOM_RIGHT, 1, inner.height())
    )


def paint_corners(painter: QPainter, blocks: Iterable[CornerBlock]) -> None:
    """Draw what `layout_corners` returned."""
    for block in blocks:
        painter.setFont(block.font)
        metrics = QFontMetricsF(block.font)
        baseline = block.rect.top() + metrics.ascent()
        for line in block.lines:
            x = block.rect.left()
            if block.corner.right:
                x = block.rect.right() - metrics.horizontalAdvance(line)
            draw_text(painter, QPointF(x, baseline), line, TEXT)
            baseline += metrics.lineSpacing()


def clear_of(rect: QRectF, blocks: Iterable[CornerBlock], downwards: bool) -> QRectF:
    """Return ``rect`` moved down (or up) until it touches no corner's text."""
    moved = QRectF(rect)
    by_distance = sorted(blocks, key=lambda b: b.rect.top(), reverse=not downwards)
    for block in by_distance:
        if not moved.adjusted(-4, -2, 4, 2).intersects(block.rect):
            continue
        if downwards:
            moved.moveTop(block.rect.bottom() + 6)
        else:
            moved.moveBottom(block.rect.top() - 6)
    return moved


def scale_bar_mm(mm_per_px: float, zoom: float, widest_px: float) -> float:
    """Return the longest of 1, 2, 5, 10, 20, 50, ... mm that is not wider on the screen.

    Parameters
    ----------
    mm_per_px : float
        Of an image pixel.
    zoom : float
        Screen pixels to an image pixel.
    widest_px : float
        Screen pixels.
    """
    widest_mm = widest_px / zoom * mm_per_px
    decade = 10.0 ** floor(log10(widest_mm))
    return max(step * decade for step in (1.0, 2.0, 5.0) if step * decade <= widest_mm)


def paint_scale_bar(
    painter: QPainter,
    area: QRectF,
    mm_per_px: float,
    zoom: float,
    text: str,
    font: QFont,
    blocks: Iterable[CornerBlock],
) -> None:
    """Draw the scale bar at the bottom of ``area``, with its length and where it comes from."""
    length_mm = scale_bar_mm(mm_per_px, zoom, min(area.width() * 0.25, 180.0))
    length = length_mm / mm_per_px * zoom
    label = tr("{length:g} mm").format(length=length_mm)
    label = f"{label} · {text}" if text else label
    metrics = QFontMetricsF(font)
    width = max(length, metrics.horizontalAdvance(label))
    height = metrics.lineSpacing() + 10
    wanted = QRectF(area.center().x() - width / 2, area.bottom() - MARGIN - height, width, height)
    rect = clear_of(wanted, blocks, downwards=False)
    y = rect.bottom() - 5
    left = rect.center().x() - length / 2
    path = QPainterPath(QPointF(left, y - 5))
    path.lineTo(left, y)
    path.lineTo(left + length, y)
    path.lineTo(left + length, y - 5)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.strokePath(path, QPen(HALO, 4))
    painter.strokePath(path, QPen(TEXT, 2))
    painter.setFont(font)
    x = rect.center().x() - metrics.horizontalAdvance(label) / 2
    draw_text(painter, QPointF(x, rect.top() + metrics.ascent()), label, TEXT)


def paint_message(painter: QPainter, area: QRectF, message: Message, font: QFont) -> None:
    """Draw a message in the middle of ``area``: a card with a sign, a title and a sentence."""
    accent = QColor(DARK.error if message.kind is MessageKind.ERROR else DARK.accent)
    title_font, text_font = QFont(font), QFont(font)
    title_font.setPixelSize(round(font.pixelSize() * 1.6))
    title_font.setWeight(QFont.Weight.DemiBold)
    text_font.setPixelSize(round(font.pixelSize() * 1.1))
    flags = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
    room = QRectF(0, 0, min(area.width() * 0.8, font.pixelSize() * 34), area.height())
    title = QFontMetricsF(title_font).boundingRect(room, flags, message.title)
    text = QFontMetricsF(text_font).boundingRect(room, flags, message.text)
    pad = font.pixelSize() * 1.8
    sign = 0.0 if message.kind is MessageKind.NOTE else font.pixelSize() * 4.0
    width = max(title.width(), text.width()) + 2 * pad
    height = sign + title.height() + text.height() + pad * (2.8 if sign else 2.3)
    card = QRectF(0, 0, min(width, area.width() - 8), height)
    card.moveCenter(area.center())

    painter.setBrush(QColor(16, 20, 24, 225))
    border = QPen(QColor(255, 255, 255, 60), 1.5)
    if message.kind is MessageKind.INVITATION:
        border.setDashPattern([5, 4])
    painter.setPen(border)
    painter.drawRoundedRect(card, pad * 0.5, pad * 0.5)
    y = card.top() + pad
    if sign:
        middle = QPointF(card.center().x(), y + sign / 2)
        pen = QPen(accent, sign / 18)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        is_error = message.kind is MessageKind.ERROR
        path = _warning_sign(sign) if is_error else _tray_sign(sign)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.strokePath(path.translated(middle), pen)
        y += sign + pad * 0.5
    painter.setFont(title_font)
    painter.setPen(TEXT)
    painter.drawText(QRectF(card.left(), y, card.width(), title.height()), flags, message.title)
    y += title.height() + pad * 0.3
    painter.setFont(text_font)
    painter.setPen(QColor(DARK.muted))
    inner = QRectF(card.center().x() - room.width() / 2, y, room.width(), text.height() + 2)
    painter.drawText(inner, flags, message.text)


def _tray_sign(size: float) -> QPainterPath:
    """Return an arrow that comes down into a tray."""
    path = QPainterPath(QPointF(0, -0.45 * size))
    path.lineTo(0, 0.12 * size)
    path.moveTo(-0.2 * size, -0.08 * size)
    path.lineTo(0, 0.12 * size)
    path.lineTo(0.2 * size, -0.08 * size)
    path.moveTo(-0.42 * size, 0.08 * size)
    path.lineTo(-0.42 * size, 0.38 * size)
    path.lineTo(0.42 * size, 0.38 * size)
    path.lineTo(0.42 * size, 0.08 * size)
    return path


def _warning_sign(size: float) -> QPainterPath:
    """Return a triangle with an exclamation mark."""
    path = QPainterPath(QPointF(0, -0.42 * size))
    path.lineTo(0.46 * size, 0.38 * size)
    path.lineTo(-0.46 * size, 0.38 * size)
    path.closeSubpath()
    path.moveTo(0, -0.14 * size)
    path.lineTo(0, 0.12 * size)
    path.moveTo(0, 0.255 * size)
    path.lineTo(0, 0.265 * size)
    return path
