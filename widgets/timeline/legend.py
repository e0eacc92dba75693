"""What the patterns of the strips mean, for the timeline's tooltip."""

from __future__ import annotations

from functools import cache
from gettext import gettext as tr
from html import escape

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage

from widgets.point_look import FrameLooks, PointLook, look_text
from widgets.theme import Theme
from widgets.timeline.track_strip import TrackStrip, strip_pixels

SAMPLE = (30, 12)
"""Width and height of a sample in pixels."""
MARKS = ("moved", "stale", "emptied")


def legend_html(theme: Theme, color: str) -> str:
    """Return a table of all looks and marks with samples in a track's colour."""
    marks = (tr("moved by tracking"), tr("tracking pending"), tr("deleted"))
    rows = [(look_text(look), _sample(theme, color, look, "")) for look in PointLook if look]
    rows += [
        (
            text,
            _sample(
                theme, color, PointLook.EMPTY if mark == "emptied" else PointLook.TRACKED, mark
            ),
        )
        for text, mark in zip(marks, MARKS, strict=True)
    ]
    cells = [f'<td><img src="{sample}"> {escape(text)}&nbsp;&nbsp;</td>' for text, sample in rows]
    pairs = zip(cells[::2], [*cells[1::2], ""], strict=False)
    return f"<table>{''.join(f'<tr>{left}{right}</tr>' for left, right in pairs)}</table>"


@cache
def _sample(theme: Theme, color: str, look: PointLook, mark: str) -> str:
    """Return a picture of some frames of one look as a data URL."""
    width, height = SAMPLE
    frames = FrameLooks.empty(1)
    frames.looks[:] = look
    if mark:
        getattr(frames, mark)[:] = True
    strip = TrackStrip("", "", color, frames)
    pixels = strip_pixels(np.zeros(width, np.intp), strip, height, 1.0, theme)
    image = QImage(
        np.ascontiguousarray(pixels).data, width, height, 4 * width, QImage.Format.Format_RGB32
    )
    packed = QByteArray()
    buffer = QBuffer(packed)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return f"data:image/png;base64,{packed.toBase64().toStdString()}"
