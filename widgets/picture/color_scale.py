"""What the colours of a picture mean: a bar at its side with values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPen

from widgets.picture.corner_text import HALO, MARGIN, TEXT, draw_text

WIDTH = 12.0
HEIGHT_SHARE = 0.34
HIGHEST = 240.0
STOPS = 17
LABELS = 5


@dataclass(frozen=True, slots=True, eq=False)
class ColorScale:
    """Colours from the lowest to the highest value.

    Attributes
    ----------
    colors : ndarray of uint8, shape (n, 3)
        Red, green, blue.
    low, high : float
    unit : str
        Such as "s".
    """

    colors: NDArray[np.uint8]
    low: float
    high: float
    unit: str


def paint_color_scale(painter: QPainter, area: QRectF, scale: ColorScale, font: QFont) -> None:
    """Draw the bar at the right of ``area``, half way up, the highest value on top."""
    metrics = QFontMetricsF(font)
    height = min(area.height() * HEIGHT_SHARE, HIGHEST)
    bar = QRectF(area.right() - MARGIN - WIDTH, area.center().y() - height / 2, WIDTH, height)
    gradient = QLinearGradient(bar.bottomLeft(), bar.topLeft())
    for share in np.linspace(0.0, 1.0, STOPS):
        color = scale.colors[round(share * (len(scale.colors) - 1))]
        gradient.setColorAt(float(share), QColor(*(int(part) for part in color)))
    painter.setPen(QPen(HALO, 2))
    painter.setBrush(gradient)
    painter.drawRect(bar)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setFont(font)
    count = LABELS if height > 2 * LABELS * metrics.height() else 2
    for share in np.linspace(0.0, 1.0, count):
        value = scale.low + share * (scale.high - scale.low)
        text = f"{value:.2f} {scale.unit}"
        x = bar.left() - metrics.horizontalAdvance(text) - metrics.height() * 0.4
        y = bar.bottom() - share * height + metrics.ascent() / 2 - 1
        draw_text(painter, QPointF(x, y), text, TEXT)
