"""The timeline: a playhead over the frames, what is decoded, and the state of each track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from gettext import gettext as tr
from html import escape

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

from widgets.point_look import FrameLooks, PointLook, look_text, mark_texts
from widgets.theme import DARK, Theme
from widgets.timeline.frame_axis import FrameAxis
from widgets.timeline.legend import legend_html
from widgets.timeline.span_mark import SpanMark, lay_out_span, paint_span
from widgets.timeline.track_strip import TrackStrip, strip_pixels

GUTTER_LEFT = 16
GUTTER_RIGHT = 10
PROGRESS_HEIGHT = 3
STRIP_HEIGHT = 7
SELECTED_STRIP_HEIGHT = 14
STRIP_GAP = 2
STRIPS_ROOM = SELECTED_STRIP_HEIGHT + 3 * (STRIP_HEIGHT + STRIP_GAP)
"""For the strips of all tracks, however many there are: the picture above never moves."""
PLAYHEAD_REACH = 6


class Timeline(QWidget):
    """All frames from left to right, by their times.

    Signals
    -------
    frame_requested(int) : a click or drag asks for this frame.
    span_selected(int, int) : Shift+drag, or a drag at one of the span's grips, marked these
        frames, first and last inclusive.
    span_dropped() : the cross on the span's label was clicked.
    track_picked(str) : the strip of this track was clicked.
    """

    frame_requested = Signal(int)
    span_selected = Signal(int, int)
    span_dropped = Signal()
    track_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = DARK
        self._times_ms = np.zeros(0)
        self._axis = FrameAxis(np.zeros(1), GUTTER_LEFT, 1.0)
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
        self.setAccessibleName(tr("Timeline"))
        self.setAccessibleDescription(
            tr("Click or drag to go to a frame, Shift+drag to mark a span.")
        )

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

    def set_frame(self, index: int) -> None:
        """Move the playhead; cheap, only what it uncovers and covers is repainted."""
        if index == self._frame:
            return
        self.update(self._playhead_area())
        self._frame = index
        self.update(self._playhead_area())

    def set_tracks(self, strips: Sequence[TrackStrip]) -> None:
        """Show these tracks, from top to bottom."""
        self._strips = {
            strip.track_id: replace(strip, frames=strip.frames.copy()) for strip in strips
        }
        self._redraw()

    def select_track(self, track_id: str | None) -> None:
        """Draw the strip of this track taller than the others."""
        if track_id != self._selected:
            self._selected = track_id
            self._redraw()

    def update_frames(self, track_id: str, frames: NDArray[np.intp], looks: FrameLooks) -> None:
        """Change how some frames (n,) of one track look; only its strip is drawn again."""
        self._strips[track_id].frames.put(frames, looks)
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
        return self._strip_areas().get(track_id, QRect())

    def _strip_areas(self) -> dict[str, QRect]:
        """Share the room among the tracks: the selected one keeps its height, others give way."""
        pitch = float(STRIP_HEIGHT + STRIP_GAP)
        others = len(self._strips) - (self._selected in self._strips)
        room = STRIPS_ROOM - (len(self._strips) - others) * (SELECTED_STRIP_HEIGHT + STRIP_GAP)
        pitch = min(pitch, (room + STRIP_GAP) / max(others, 1))
        gap = min(STRIP_GAP, max(int(pitch) - 2, 0))
        top, areas = float(self._strips_top()), {}
        for track_id in self._strips:
            step = SELECTED_STRIP_HEIGHT + STRIP_GAP if track_id == self._selected else pitch
            gap_below = STRIP_GAP if track_id == self._selected else gap
            first, end = round(top), round(top + step)
            areas[track_id] = QRect(0, first, self.width(), max(end - first - gap_below, 1))
            top += step
        return areas

    def _track_at(self, y: int) -> str | None:
        areas = self._strip_areas().items()
        return next((t for t, area in areas if area.top() - 1 <= y <= area.bottom() + 1), None)

    def _span_mark(self) -> SpanMark | None:
        if self._span is None or not self.frame_count:
            return None
        return lay_out_span(
            self._span,
            self._axis.x_range(*self._span),
            QRectF(self.rect()),
            self._ruler_height(),
            self.fontMetrics(),
        )

    def _span_width(self) -> int:
        return max(self.width() - GUTTER_LEFT - GUTTER_RIGHT, 1)

    def _playhead_area(self) -> QRect:
        x = round(self._axis.x_of_frame(self._frame))
        return QRect(x - PLAYHEAD_REACH, 0, 2 * PLAYHEAD_REACH + 1, self.height())

    def sizeHint(self) -> QSize:
        """Wide, and always equally high: the picture above does not move when tracks come."""
        return QSize(480, self._strips_top() + STRIPS_ROOM + 2)

    def minimumSizeHint(self) -> QSize:
        """Return the least size: narrow, but no strip is cut."""
        return QSize(200, self.sizeHint().height())

    def _lay_out(self) -> None:
        if self.frame_count:
            self._axis = FrameAxis(self._times_ms, GUTTER_LEFT, self._span_width())
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
        mark = self._span_mark()
        if mark is not None:
            paint_span(painter, mark, self._theme)
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
        """Go to the frame, pick its track, drop the span, or begin to mark one."""
        if event.button() != Qt.MouseButton.LeftButton or not self.frame_count:
            return
        frame = self._axis.frame_at(event.position().x())
        mark = self._span_mark()
        if mark is not None and self._span is not None:
            if mark.close.contains(event.position()):
                self.span_dropped.emit()
                return
            grip = mark.grip_at(event.position())
            if grip is not None:  # the other end stays
                self._span_from = self._span[0 if grip == mark.last_grip else 1]
                return
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
            self._show_cursor(event.position())
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
        if not self.frame_count:
            return
        strip = self._strips.get(self._track_at(position.y()) or "")
        lines = escape(self.describe(position)).replace("\n", "<br>")
        legend = legend_html(self._theme, strip.color) if strip is not None else ""
        QToolTip.showText(self.mapToGlobal(position), f"<p>{lines}</p>{legend}", self)

    def _show_cursor(self, position: QPointF) -> None:
        mark, shape = self._span_mark(), Qt.CursorShape.ArrowCursor
        if mark is not None and mark.close.contains(position):
            shape = Qt.CursorShape.PointingHandCursor
        elif mark is not None and mark.grip_at(position) is not None:
            shape = Qt.CursorShape.SizeHorCursor
        self.setCursor(shape)

    def describe(self, position: QPoint) -> str:
        """Say what is under ``position``: frame number from 1, time, and the track's state."""
        if not self.frame_count:
            return ""
        frame = self._axis.frame_at(position.x())
        text = tr("Frame {number} of {count}, {seconds:.3f} s").format(
            number=frame + 1, count=self.frame_count, seconds=self._times_ms[frame] / 1000.0
        )
        strip = self._strips.get(self._track_at(position.y()) or "")
        if strip is None:
            return text
        frames = strip.frames
        said = [look_text(PointLook(int(frames.looks[frame])))]
        if not np.isnan(frames.confidence[frame]):
            said.append(tr("confidence {share:.2f}").format(share=frames.confidence[frame]))
        said += mark_texts(
            moved=bool(frames.moved[frame]),
            stale=bool(frames.stale[frame]),
            emptied=bool(frames.emptied[frame]),
        )
        return f"{text}\n{strip.name}: {', '.join(said)}"
