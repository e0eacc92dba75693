"""The timeline: a playhead over the frames, what is decoded, and the state of each track."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.theme import DARK, Theme
from widgets.timeline.frame_axis import FrameAxis
from widgets.timeline.track_strip import STATE_TEXT, FrameState, TrackStrip, strip_pixels

GUTTER_LEFT = 16
GUTTER_RIGHT = 10
PROGRESS_HEIGHT = 3
STRIP_HEIGHT = 7
SELECTED_STRIP_HEIGHT = 14
STRIP_GAP = 2
PLAYHEAD_REACH = 6


class Timeline(QWidget):
    """All frames from left to right, by their times or by their numbers.

    Signals
    -------
    frame_requested(int) : a click or drag asks for this frame.
    span_selected(int, int) : Shift+drag marked these frames, first and last inclusive.
    track_picked(str) : the strip of this track was clicked.
    """

    frame_requested = Signal(int)
    span_selected = Signal(int, int)
    track_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = DARK
        self._times_ms = np.zeros(0)
        self._by_time = True
        self._axis = FrameAxis(np.zeros(1), True, GUTTER_LEFT, 1.0)
        self._frame = 0
        self._strips: dict[str, TrackStrip] = {}
        self._selected: str | None = None
        self._span: tuple[int, int] | None = None
        self._span_from: int | None = None
        self._buffered = np.zeros(0, dtype=bool)
        self._denoised = np.zeros(0, dtype=bool)
        self._r_wave_times_ms: tuple[float, ...] = ()
        self._picture = QPixmap()
        self._stale = True
        self._stale_strips: set[str] = set()
        self._progress_stale = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Timeline")
        self.setAccessibleDescription("Click or drag to go to a frame, Shift+drag to mark a span.")

    # What is shown ------------------------------------------------------------------------

    @property
    def frame_count(self) -> int:
        """Number of frames shown."""
        return len(self._times_ms)

    @property
    def frame(self) -> int:
        """The frame under the playhead."""
        return self._frame

    @property
    def span(self) -> tuple[int, int] | None:
        """The marked frames, first and last inclusive."""
        return self._span

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._theme = theme
        self._redraw()

    def set_frames(self, times_ms: NDArray[np.float64]) -> None:
        """Show a run by its frame times (T,), growing; tracks, span and progress are emptied."""
        self._times_ms = np.asarray(times_ms, dtype=np.float64)
        self._frame = 0
        self._span = self._span_from = None
        self._strips = {}
        self._selected = None
        self._r_wave_times_ms = ()
        self._buffered = np.zeros(self.frame_count, dtype=bool)
        self._denoised = np.zeros(self.frame_count, dtype=bool)
        self._lay_out()

    def set_by_time(self, by_time: bool) -> None:
        """Space the frames by their true times, or evenly by their numbers."""
        self._by_time = by_time
        self._lay_out()

    def set_frame(self, index: int) -> None:
        """Move the playhead; cheap, only what it uncovers and covers is repainted."""
        if index == self._frame:
            return
        self.update(self._playhead_area())
        self._frame = index
        self.update(self._playhead_area())

    def set_tracks(self, strips: Sequence[TrackStrip]) -> None:
        """Show these tracks, from top to bottom."""
        grown = len(strips) != len(self._strips)
        self._strips = {
            strip.track_id: TrackStrip(
                strip.track_id,
                strip.name,
                strip.color,
                np.array(strip.states, dtype=np.uint8),
                np.array(strip.confidence, dtype=np.float32),
            )
            for strip in strips
        }
        self._redraw()
        if grown:
            self.updateGeometry()

    def select_track(self, track_id: str | None) -> None:
        """Draw the strip of this track taller than the others."""
        if track_id != self._selected:
            self._selected = track_id
            self._redraw()
            self.updateGeometry()

    def update_states(
        self,
        track_id: str,
        frames: NDArray[np.intp],
        states: NDArray[np.uint8],
        confidence: NDArray[np.float32],
    ) -> None:
        """Change some frames of one track; only its strip is drawn again."""
        strip = self._strips[track_id]
        strip.states[frames] = states
        strip.confidence[frames] = confidence
        self._stale_strips.add(track_id)
        self.update(self._strip_area(track_id))

    def set_buffered(self, frames: NDArray[np.bool_]) -> None:
        """Show which frames (T,) are decoded."""
        self._buffered = np.array(frames, dtype=bool)
        self._redraw_progress()

    def set_denoised(self, frames: NDArray[np.bool_]) -> None:
        """Show which frames (T,) are denoised."""
        self._denoised = np.array(frames, dtype=bool)
        self._redraw_progress()

    def set_span(self, span: tuple[int, int] | None) -> None:
        """Mark the frames first..last (inclusive), or none."""
        self._span = span
        self.update()

    def set_r_waves(self, times_ms: Sequence[float]) -> None:
        """Mark the R waves of the ECG (ms in the time of the run)."""
        self._r_wave_times_ms = tuple(times_ms)
        self._redraw()

    # Geometry -----------------------------------------------------------------------------

    def _ruler_height(self) -> int:
        return self.fontMetrics().height() + 8

    def _strips_top(self) -> int:
        return self._ruler_height() + 2 * (PROGRESS_HEIGHT + 1) + 3

    def _strip_area(self, track_id: str) -> QRect:
        top = self._strips_top()
        for other in self._strips:
            height = SELECTED_STRIP_HEIGHT if other == self._selected else STRIP_HEIGHT
            if other == track_id:
                return QRect(0, top, self.width(), height)
            top += height + STRIP_GAP
        return QRect()

    def _track_at(self, y: int) -> str | None:
        for track_id in self._strips:
            area = self._strip_area(track_id)
            if area.top() - STRIP_GAP / 2 <= y <= area.bottom() + STRIP_GAP / 2:
                return track_id
        return None

    def _span_width(self) -> int:
        return max(self.width() - GUTTER_LEFT - GUTTER_RIGHT, 1)

    def _playhead_area(self) -> QRect:
        x = round(self._axis.x_of_frame(self._frame))
        return QRect(x - PLAYHEAD_REACH, 0, 2 * PLAYHEAD_REACH + 1, self.height())

    def sizeHint(self) -> QSize:
        """Wide, and as high as the tracks need; the first one's place is kept free.

        So the picture above does not move under the mouse that makes the first track.
        """
        strips = max(len(self._strips), 1) * (STRIP_HEIGHT + STRIP_GAP)
        strips += SELECTED_STRIP_HEIGHT - STRIP_HEIGHT
        return QSize(480, self._strips_top() + strips + 2)

    def minimumSizeHint(self) -> QSize:
        """Return the least size: narrow, but never cut a strip."""
        return QSize(200, self.sizeHint().height())

    def _lay_out(self) -> None:
        if self.frame_count:
            self._axis = FrameAxis(self._times_ms, self._by_time, GUTTER_LEFT, self._span_width())
        self._redraw()

    def _redraw(self) -> None:
        self._stale = True
        self.update()

    def _redraw_progress(self) -> None:
        self._progress_stale = True
        self.update(0, self._ruler_height(), self.width(), 2 * (PROGRESS_HEIGHT + 1))

    # Drawing ------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """Draw anew with another font."""
        if event.type() == QEvent.Type.FontChange:
            self.updateGeometry()
            self._redraw()
        super().changeEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw anew for the new width."""
        self._lay_out()
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Copy the kept picture; the span and the playhead are drawn over it."""
        self._refresh_picture()
        painter = QPainter(self)
        ratio = self._picture.devicePixelRatio()
        area = event.rect()
        source = QRectF(
            area.x() * ratio, area.y() * ratio, area.width() * ratio, area.height() * ratio
        )
        painter.drawPixmap(QRectF(area), self._picture, source)
        if not self.frame_count:
            return
        if self._span is not None:
            self._draw_span(painter)
        self._draw_playhead(painter)

    def _refresh_picture(self) -> None:
        ratio = self.devicePixelRatioF()
        self._stale |= self._picture.devicePixelRatio() != ratio
        if self._stale:
            self._picture = QPixmap(self.size() * ratio)
            self._picture.setDevicePixelRatio(ratio)
            self._picture.fill(QColor(self._theme.window))
            self._stale_strips = set(self._strips)
            self._progress_stale = True
        if not self.frame_count:
            self._stale = self._progress_stale = False
        if not (self._stale or self._progress_stale or self._stale_strips):
            return
        painter = QPainter(self._picture)
        if self._stale:
            self._draw_ruler(painter)
        if self._progress_stale:
            self._draw_progress(painter, ratio)
        for track_id in self._stale_strips & self._strips.keys():
            self._draw_strip(painter, self._strips[track_id], ratio)
        painter.end()
        self._stale = self._progress_stale = False
        self._stale_strips = set()

    def _draw_ruler(self, painter: QPainter) -> None:
        base = self._ruler_height() - 2
        for position, label in self._axis.ticks():
            painter.setPen(QColor(self._theme.border))
            painter.drawLine(QPointF(position, base - 4), QPointF(position, base))
            painter.setPen(QColor(self._theme.muted))
            width = self.fontMetrics().horizontalAdvance(label)
            left = min(max(position - width / 2, 2.0), self.width() - width - 2.0)
            painter.drawText(QPointF(left, base - 6), label)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.error))
        for time_ms in self._r_wave_times_ms:
            if self._times_ms[0] <= time_ms <= self._times_ms[-1]:
                x = self._axis.x_of_time(time_ms)
                painter.drawPolygon(
                    QPolygonF([QPointF(x - 3, base), QPointF(x, base - 6), QPointF(x + 3, base)])
                )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_progress(self, painter: QPainter, ratio: float) -> None:
        groove = QColor(self._theme.raised)
        rows = (
            (self._buffered, QColor(self._theme.disabled)),
            (self._denoised, QColor(self._theme.accent)),
        )
        for row, (done, color) in enumerate(rows):
            top = self._ruler_height() + row * (PROGRESS_HEIGHT + 1)
            shown = np.minimum.reduceat(done, self._columns(ratio))
            pixels = np.where(shown, np.uint32(color.rgb()), np.uint32(groove.rgb()))
            height = max(round(PROGRESS_HEIGHT * ratio), 1)
            self._draw_pixels(
                painter, np.repeat(pixels[None], height, axis=0), top, PROGRESS_HEIGHT
            )

    def _columns(self, ratio: float) -> NDArray[np.intp]:
        """Return the first frame under each device-pixel column."""
        return self._axis.first_frames(max(round(self._span_width() * ratio), 1))

    def _draw_strip(self, painter: QPainter, strip: TrackStrip, ratio: float) -> None:
        area = self._strip_area(strip.track_id)
        painter.fillRect(area.adjusted(0, -1, 0, 1), QColor(self._theme.window))
        painter.fillRect(QRect(4, area.top(), 7, area.height()), QColor(strip.color))
        columns = self._columns(ratio)
        height = max(round(area.height() * ratio), 1)
        pixels = strip_pixels(columns, strip, height, ratio, self._theme)
        self._draw_pixels(painter, pixels, area.top(), area.height())
        if strip.track_id == self._selected:
            painter.setPen(QPen(QColor(self._theme.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(
                QRect(GUTTER_LEFT - 1, area.top() - 1, self._span_width() + 1, area.height() + 1)
            )

    def _draw_pixels(
        self, painter: QPainter, pixels: NDArray[np.uint32], top: int, height: int
    ) -> None:
        rows, columns = pixels.shape
        pixels = np.ascontiguousarray(pixels)
        image = QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)
        painter.drawImage(QRectF(GUTTER_LEFT, top, self._span_width(), height), image)

    def _draw_span(self, painter: QPainter) -> None:
        assert self._span is not None
        left, right = self._axis.x_range(*self._span)
        color = QColor(self._theme.accent)
        painter.setPen(QPen(color, 1))
        color.setAlpha(45)
        painter.setBrush(color)
        painter.drawRect(QRectF(left, 1, max(right - left, 2.0), self.height() - 3))

    def _draw_playhead(self, painter: QPainter) -> None:
        x = self._axis.x_of_frame(self._frame)
        color = QColor(self._theme.text)
        top = self._ruler_height() - 2
        painter.setPen(QPen(color, 1.5))
        painter.drawLine(QPointF(x, top), QPointF(x, self.height()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawPolygon(
            QPolygonF([QPointF(x - 5, top - 7), QPointF(x + 5, top - 7), QPointF(x, top + 1)])
        )

    # The mouse ----------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame, pick its track, or begin a span."""
        if event.button() != Qt.MouseButton.LeftButton or not self.frame_count:
            return
        frame = self._axis.frame_at(event.position().x())
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._span_from = frame
            self.set_span((frame, frame))
            return
        track_id = self._track_at(int(event.position().y()))
        if track_id is not None:
            self.track_picked.emit(track_id)
        self.frame_requested.emit(frame)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the playhead or the span; a visible tooltip follows."""
        if not self.frame_count:
            return
        if not event.buttons() & Qt.MouseButton.LeftButton:
            if QToolTip.isVisible():
                self._show_tooltip(event.position().toPoint())
            return
        frame = self._axis.frame_at(event.position().x())
        if self._span_from is not None:
            self.set_span((min(self._span_from, frame), max(self._span_from, frame)))
        elif frame != self._frame:
            self.frame_requested.emit(frame)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell the span that was marked."""
        if self._span_from is not None and self._span is not None:
            self._span_from = None
            self.span_selected.emit(*self._span)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Step one frame a notch."""
        notches = event.angleDelta().y()
        if notches and self.frame_count:
            step = -1 if notches > 0 else 1
            self.frame_requested.emit(min(max(self._frame + step, 0), self.frame_count - 1))

    def event(self, event: QEvent) -> bool:
        """Answer the request for a tooltip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            self._show_tooltip(event.pos())
            return True
        return super().event(event)

    def _show_tooltip(self, position: QPoint) -> None:
        QToolTip.showText(self.mapToGlobal(position), self.describe(position), self)

    def describe(self, position: QPoint) -> str:
        """Say what is under ``position``: frame number from 1, time, and the track's state."""
        if not self.frame_count:
            return ""
        frame = self._axis.frame_at(position.x())
        text = f"Frame {frame + 1} of {self.frame_count}, {self._times_ms[frame] / 1000.0:.3f} s"
        track_id = self._track_at(position.y())
        if track_id is None:
            return text
        strip = self._strips[track_id]
        text += f"\n{strip.name}: {STATE_TEXT[FrameState(int(strip.states[frame]))]}"
        confidence = float(strip.confidence[frame])
        return text if np.isnan(confidence) else f"{text}, confidence {confidence:.2f}"
