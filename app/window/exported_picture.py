"""Frames of a run as they go out: drawn out of sight, at the size and with what was chosen."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, QSizeF
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter
from PySide6.QtWidgets import QWidget

from app.runs.run import Ecg
from app.session.look import Comparison
from app.session.open_run import OpenRun
from app.session.session import Session
from app.window.hidden_picture import HiddenPicture
from widgets.dialogs.export_dialog import ExportChoices, PictureSize
from widgets.picture.compare import PANE_GAP
from widgets.picture.corner_text import picture_font
from widgets.picture.picture_view import PictureView
from widgets.theme import PICTURE_SURROUND
from widgets.timeline.ecg_strip import HEIGHT_LINES, EcgStrip

FULL_HD = QSize(1920, 1080)


class ExportedPicture:
    """The picture on the screen, drawn anew for another eye; `close` it in the end.

    Nothing is taken over from the screen but how the run is shown, so that nothing goes out that
    was not asked for.

    Parameters
    ----------
    view : PictureView
        Where the run is seen.
    frames : range
        What goes out of the run: the ECG shows their time, and the wipe moves across in it.

    Attributes
    ----------
    frames : range
    size : QSize
        Of the images, in pixels.
    """

    def __init__(
        self,
        session: Session,
        opened: OpenRun,
        view: PictureView,
        choices: ExportChoices,
        frames: range,
    ) -> None:
        self._look = look = replace(
            session.look.now,
            tracks=choices.marks,
            corners=choices.corners,
            patient=choices.patient,
        )
        self.frames = frames
        self._times_ms = times_ms = opened.run.frame_times_ms[frames.start : frames.stop]
        self._wipe_moves = choices.moving_wipe and len(times_ms) > 1
        self._ratio = view.devicePixelRatioF()
        self._picture_size = self.size = self._size_of(opened, view, choices.size)
        self._room = QWidget()  # never shown, nor what is in it
        self._strip: EcgStrip | None = None
        if choices.ecg and opened.run.ecg is not None:
            self._strip = self._ecg_strip(opened.run.ecg, view)
            strip_size = QSize(0, round(self._strip.height() * self._ratio))
            if choices.size is PictureSize.FULL_HD:
                self._picture_size = self.size - strip_size
            else:
                self.size = self.size + strip_size
        self._hidden = HiddenPicture(
            session, opened, look, self._picture_size / self._ratio, view.size()
        )
        self._hidden.view.setFont(view.font())
        self._hidden.view.set_wipe_position(view.wipe_position)

    def show(self, frame: int) -> bool:
        """Show a frame; False while it is being decoded or denoised: ask again."""
        index = frame - self.frames.start
        if self._wipe_moves:
            first, last = self._times_ms[0], self._times_ms[-1]
            self._hidden.view.set_wipe_position(
                float((last - self._times_ms[index]) / (last - first))
            )
        if self._strip is not None:
            self._strip.set_frame(index)
        return self._hidden.show(frame)

    def grab(self) -> QImage:
        """Return what is shown."""
        picture = self._hidden.grab(self._picture_size)
        if self._strip is None:
            return picture
        image = QImage(self.size, QImage.Format.Format_RGB32)
        image.fill(QColor(PICTURE_SURROUND))
        painter = QPainter(image)
        painter.drawImage(0, 0, picture)
        painter.translate(0, picture.height())
        painter.scale(self._ratio, self._ratio)
        self._strip.render(painter, QPoint())
        painter.end()
        return image

    @property
    def alive(self) -> bool:
        """False once the run is closed."""
        return self._hidden.alive

    def close(self) -> None:
        """Give up the view."""
        self._hidden.close()
        self._room.deleteLater()

    def _size_of(self, opened: OpenRun, view: PictureView, size: PictureSize) -> QSize:
        """Return the size of the picture, in pixels."""
        if size is PictureSize.SCREEN:
            return view.size() * self._ratio
        if size is PictureSize.FULL_HD:
            return QSize(FULL_HD)
        run, look = opened.run, self._look
        own = QSize(run.columns, round(run.rows * run.pixel_aspect_ratio))
        if look.turns % 2:
            own.transpose()
        if look.comparison is Comparison.SIDE_BY_SIDE:
            own.setWidth(2 * own.width() + round(PANE_GAP * self._ratio))
        return own

    def _ecg_strip(self, ecg: Ecg, view: PictureView) -> EcgStrip:
        """Return the ECG over the frames that go out, as wide as the picture."""
        strip = EcgStrip(self._room)
        size = self.size / self._ratio
        font = picture_font(view.font(), QRectF(QPointF(), QSizeF(size)))
        strip.setFont(font)
        strip.setFixedSize(size.width(), HEIGHT_LINES * QFontMetrics(font).height())
        strip.set_frames(self._times_ms)
        strip.set_ecg(
            ecg.samples,
            ecg.sampling_hz,
            start_ms=ecg.start_ms,
            unit=ecg.unit,
            label=ecg.label,
            r_wave_times_ms=ecg.r_wave_times_ms,
        )
        return strip
