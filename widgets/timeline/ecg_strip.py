"""The ECG under the cine: the lead, its R waves and the playhead."""

from __future__ import annotations

from collections.abc import Sequence
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from widgets.theme import DARK, Theme
from widgets.timeline.frame_axis import FrameAxis
from widgets.timeline.timeline import GUTTER_LEFT, GUTTER_RIGHT

HEIGHT_LINES = 4
HEADROOM = 0.1
"""Room above and below the lead, as a part of the height."""
PLAYHEAD_REACH = 2


class EcgStrip(QWidget):
    """One ECG lead in the time of the run; hidden while there is none, unless its room is kept.

    It lies under the `Timeline`, has its left and width, and shares its axis: a moment has the
    same x in both.

    Signals
    -------
    frame_requested(int) : a click or drag asks for the frame at that time.
    """

    frame_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = DARK
        self._times_ms = np.zeros(1)
        self._frame = 0
        self._sample_times_ms: NDArray[np.float64] = np.zeros(0)
        self._samples: NDArray[np.float64] = np.zeros(0)
        self._r_wave_times_ms: tuple[float, ...] = ()
        self._label = ""
        self._kept = False
        self._axis = FrameAxis(self._times_ms, GUTTER_LEFT, 1.0)
        self._picture = QPixmap()
        self._stale = True
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFixedHeight(HEIGHT_LINES * self.fontMetrics().height())
        self.setAccessibleName(tr("ECG"))
        self.hide()

    @property
    def has_ecg(self) -> bool:
        """True where a lead is shown."""
        return len(self._samples) > 0

    def set_frames(self, times_ms: NDArray[np.float64]) -> None:
        """Show another run by its frame times (T,); its ECG is to be set after."""
        self._times_ms = np.asarray(times_ms, dtype=np.float64)
        self._frame = 0
        self.clear()
        self._lay_out()

    def set_frame(self, index: int) -> None:
        """Move the playhead; only what it uncovers and covers is repainted."""
        self.update(self._playhead_area())
        self._frame = index
        self.update(self._playhead_area())

    def set_ecg(
        self,
        samples: NDArray[np.float32],
        sampling_hz: float,
        *,
        start_ms: float = 0.0,
        unit: str = "",
        label: str = "ECG",
        r_wave_times_ms: Sequence[float] = (),
    ) -> None:
        """Show a lead, and the strip with it.

        Parameters
        ----------
        samples : ndarray, shape (n,)
            In ``unit``; the height follows their range. NaN leaves a gap.
        start_ms : float
            Time of the first sample, 0 = first frame.
        """
        self._samples = np.asarray(samples, dtype=np.float64)
        self._sample_times_ms = start_ms + np.arange(len(samples), dtype=np.float64) * (
            1000.0 / sampling_hz
        )
        self._r_wave_times_ms = tuple(r_wave_times_ms)
        self._label = label
        described = tr("{lead} in {unit}").format(lead=label, unit=unit) if unit else label
        self.setAccessibleDescription(described)
        self.setToolTip(described)
        self._redraw()
        self.show()

    def keep_room(self, kept: bool) -> None:
        """Stay where there is no lead, so that nothing moves between runs with and without one."""
        if kept != self._kept:
            self._kept = kept
            self.setVisible(kept or self.has_ecg)

    def clear(self) -> None:
        """Forget the lead and hide."""
        self._samples = self._sample_times_ms = np.zeros(0)
        self._r_wave_times_ms = ()
        self._redraw()
        self.setVisible(self._kept)

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._theme = theme
        self._redraw()

    def lead_points(self) -> NDArray[np.float64]:
        """Return where the samples lie on the widget, shape (n, 2), NaN in gaps."""
        known = self._samples[np.isfinite(self._samples)]
        if not len(known):
            return np.full((len(self._samples), 2), np.nan)
        low, high = float(known.min()), float(known.max())
        room = self.height() * (1.0 - 2.0 * HEADROOM)
        y = self.height() * HEADROOM + (high - self._samples) / max(high - low, 1e-6) * room
        return np.stack([self._axis.x_of_times(self._sample_times_ms), y], axis=1)

    # Drawing ------------------------------------------------------------------------------

    def _span_width(self) -> int:
        return max(self.width() - GUTTER_LEFT - GUTTER_RIGHT, 1)

    def _playhead_area(self) -> QRect:
        x = round(self._axis.x_of_frame(self._frame))
        return QRect(x - PLAYHEAD_REACH, 0, 2 * PLAYHEAD_REACH + 1, self.height())

    def _lay_out(self) -> None:
        if len(self._times_ms):
            self._axis = FrameAxis(self._times_ms, GUTTER_LEFT, self._span_width())
        self._redraw()

    def _redraw(self) -> None:
        self._stale = True
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw anew for the new width."""
        self._lay_out()
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Copy the kept picture; the playhead is drawn over it."""
        ratio = self.devicePixelRatioF()
        if self._stale or self._picture.devicePixelRatio() != ratio:
            self._picture = QPixmap(self.size() * ratio)
            self._picture.setDevicePixelRatio(ratio)
            self._picture.fill(QColor(self._theme.panel))
            self._draw()
            self._stale = False
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        if self.has_ecg:
            x = self._axis.x_of_frame(self._frame)
            painter.setPen(QPen(QColor(self._theme.text), 1.5))
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))

    def _draw(self) -> None:
        painter = QPainter(self._picture)
        painter.setFont(self.font())
        painter.setClipRect(QRect(GUTTER_LEFT, 0, self._span_width(), self.height()))
        painter.setPen(QPen(QColor(self._theme.error), 1, Qt.PenStyle.DotLine))
        for time_ms in self._r_wave_times_ms:
            x = self._axis.x_of_time(time_ms)
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._theme.success), 1))
        points = self.lead_points()
        gaps = np.flatnonzero(~np.isfinite(points[:, 1]))
        for piece in np.split(points, gaps):
            piece = piece[np.isfinite(piece[:, 1])]
            painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in piece.tolist()]))
        painter.setPen(QColor(self._theme.muted))
        top = self.fontMetrics().ascent() + 2
        label = self._label if self.has_ecg else tr("No ECG")
        painter.drawText(QPointF(GUTTER_LEFT + 4, top), label)
        painter.end()

    # The mouse ----------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame under the mouse."""
        self._request(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the playhead."""
        self._request(event)

    def _request(self, event: QMouseEvent) -> None:
        event.accept()
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.frame_requested.emit(self._axis.frame_at(event.position().x()))
