"""The marked span on the timeline: its ground, two grips, and a label that drops it."""

from __future__ import annotations

from dataclasses import dataclass
from gettext import gettext as tr

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPainterPath, QPen

from widgets.theme import Theme

GRIP_WIDTH = 6.0
GRIP_HEIGHT = 14.0
GRIP_REACH = 3.0
"""How far beside a grip the mouse still takes it."""
LABEL_PAD = 6.0
GROUND_ALPHA = 55


@dataclass(frozen=True, slots=True)
class SpanMark:
    """Where the parts of the marked span lie on the timeline."""

    text: str
    ground: QRectF
    label: QRectF
    close: QRectF
    first_grip: QRectF
    last_grip: QRectF

    def grip_at(self, position: QPointF) -> QRectF | None:
        """Return the grip under the mouse."""
        reach = (-GRIP_REACH, -GRIP_REACH, GRIP_REACH, GRIP_REACH)
        grips = (self.last_grip, self.first_grip)
        return next((grip for grip in grips if grip.adjusted(*reach).contains(position)), None)


def span_text(first: int, last: int) -> str:
    """Say which frames (from 0) are marked, in numbers from 1."""
    if first == last:
        return tr("frame {number}").format(number=first + 1)
    return tr("frames {first}–{last}").format(first=first + 1, last=last + 1)


def lay_out_span(
    span: tuple[int, int],
    x_range: tuple[float, float],
    area: QRectF,
    ruler_height: float,
    metrics: QFontMetrics,
) -> SpanMark:
    """Return the parts of a span; however short it is, label and grips have their size.

    Parameters
    ----------
    span : (int, int)
        First and last frame, from 0.
    x_range : (float, float)
        Left and right border of its frames.
    area : QRectF
        The timeline.
    ruler_height : float
        The label stands in the ruler, the grips below.
    metrics : QFontMetrics
    """
    left, right = x_range
    ground = QRectF(left, 1, max(right - left, 2.0), area.height() - 3)
    text = span_text(*span)
    height = float(metrics.height())
    width = metrics.horizontalAdvance(text) + 2 * LABEL_PAD + height
    most = max(area.right() - width - 1, area.left() + 1)
    start = min(max(ground.center().x() - width / 2, area.left() + 1), most)
    label = QRectF(start, 1, width, height + 2)
    close = QRectF(label.right() - label.height(), label.top(), label.height(), label.height())
    top = ruler_height + (area.height() - ruler_height - GRIP_HEIGHT) / 2
    grips = (
        QRectF(ground.left() - GRIP_WIDTH, top, GRIP_WIDTH, GRIP_HEIGHT),
        QRectF(ground.right(), top, GRIP_WIDTH, GRIP_HEIGHT),
    )
    return SpanMark(text, ground, label, close, *grips)


def paint_span(painter: QPainter, mark: SpanMark, theme: Theme) -> None:
    """Draw a span over the strips."""
    accent = QColor(theme.accent)
    tint = QColor(accent)
    tint.setAlpha(GROUND_ALPHA)
    painter.fillRect(mark.ground, tint)
    painter.setPen(QPen(accent, 1.5))
    for x in (mark.ground.left(), mark.ground.right()):
        painter.drawLine(QPointF(x, mark.label.bottom()), QPointF(x, mark.ground.bottom()))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(accent)
    for box in (mark.first_grip, mark.last_grip, mark.label):
        painter.drawRoundedRect(box, 3, 3)
    painter.setPen(QPen(QColor(theme.accent_text), 1.4))
    words = mark.label.adjusted(LABEL_PAD, 0, -mark.close.width(), 0)
    painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, mark.text)
    arm = mark.close.height() * 0.2
    cross = QPainterPath()
    for sign in (-1, 1):
        cross.moveTo(mark.close.center() + QPointF(-arm, -sign * arm))
        cross.lineTo(mark.close.center() + QPointF(arm, sign * arm))
    painter.drawPath(cross)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
