"""Labels out, the picture as PNG, and the movie of what is on the screen."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from gettext import gettext as tr
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter
from PySide6.QtWidgets import QProgressDialog, QWidget

from app.errors import UserError, sentence
from app.measure.scale import spacing_of
from app.measure.table import csv_text
from app.measure.vessels import profile_csv
from app.outputs import check_output, whole_file
from app.session.movie_writer import MovieWriter
from app.session.open_run import OpenRun
from app.session.session import Session
from app.tracks.formats import FORMATS, label_file
from app.window.asking import ask_file
from app.window.hidden_picture import HiddenPicture
from widgets.picture.cine_view import CineView

LONGEST_MOVIE_SIDE = 1920


class Exporting:
    """Asks where to, and does it; each ``save_...`` also runs without asking."""

    def __init__(self, parent: QWidget, session: Session, view: CineView) -> None:
        self._parent = parent
        self._session = session
        self._view = view
        self._recorder: MovieRecorder | None = None

    def export_labels(self) -> None:
        """Ask for a file and write the labels."""
        opened = self._session.opened
        if opened is None or not opened.labels.tracks:
            self._session.said.emit(
                tr("There are no labels yet: in Label (R), click the catheter tip on the picture.")
            )
            return
        formats = {name: (tr(fmt.title), fmt.suffix) for name, fmt in FORMATS.items()}
        asked = self._ask(tr("Export labels"), opened, ".tracks.json", formats)
        if asked is not None:
            self.save_labels(*asked)

    def save_labels(self, path: Path, format_name: str) -> None:
        """Write the labels in one of `FORMATS`."""
        opened = self._session.opened
        assert opened is not None
        fmt = FORMATS[format_name]
        spacing = spacing_of(opened.run, opened.labels.marks)
        labels = label_file(opened.run, opened.labels.tracks, spacing)
        kept = self._session.files

        def write(_: object) -> None:
            check_output(path, kept)
            fmt.write(path, labels)

        self._session.background.start(
            write,
            lambda _: self._session.said.emit(tr("The labels are in {path}.").format(path=path)),
            self._session.failed.emit,
        )

    def copy_measures(self) -> None:
        """Put all measures on the clipboard, as CSV."""
        QGuiApplication.clipboard().setText(self._measures())
        self._session.said.emit(tr("The measures are on the clipboard."))

    def export_measures(self) -> None:
        """Ask for a file and write all measures as CSV."""
        opened = self._session.opened
        if opened is None:
            return
        end, formats = "-measures.csv", {"csv": ("CSV", ".csv")}
        asked = self._ask(tr("Export measures"), opened, end, formats)
        if asked is not None:
            self.save_measures(asked[0])

    def save_measures(self, path: Path) -> None:
        """Write all measures as CSV."""
        self._save_text(path, self._measures(), tr("The measures are in {path}."))

    def export_profile(self) -> None:
        """Ask for a file and write the diameters along the chosen vessel as CSV."""
        opened = self._session.opened
        if opened is None or self._session.vessels.chosen is None:
            return
        end, formats = "-vessel.csv", {"csv": ("CSV", ".csv")}
        asked = self._ask(tr("Export the diameters along the vessel"), opened, end, formats)
        if asked is not None:
            self.save_profile(asked[0])

    def save_profile(self, path: Path) -> None:
        """Write the diameters along the chosen vessel as CSV."""
        chosen, scale = self._session.vessels.chosen, self._session.measuring.scale
        if chosen is not None and scale is not None:
            text = profile_csv(chosen[1], scale)
            self._save_text(path, text, tr("The diameters are in {path}."))

    def _save_text(self, path: Path, text: str, done: str) -> None:
        try:
            check_output(path, self._session.files)
            with whole_file(path) as draft:
                draft.write_text(text, "utf-8", newline="")
        except (UserError, OSError) as error:
            self._session.failed.emit(sentence(error))
        else:
            self._session.said.emit(done.format(path=path))

    def _measures(self) -> str:
        measuring = self._session.measuring
        return csv_text(measuring.measured(mark) for mark in measuring.marks)

    def export_picture(self) -> None:
        """Ask for a file and save what is on the screen."""
        opened = self._session.opened
        if opened is None:
            self._session.said.emit(tr("Open a run first."))
            return
        frame = self._session.playback.frame + 1
        end, formats = f"-frame{frame}.png", {"png": ("PNG", ".png")}
        asked = self._ask(tr("Save picture"), opened, end, formats)
        if asked is not None:
            self.save_picture(asked[0])

    def save_picture(self, path: Path) -> None:
        """Save the picture with all that is drawn on it."""
        picture = self._view.grab_picture()
        try:
            check_output(path, self._session.files)
            with whole_file(path) as draft:
                if not QImageWriter(str(draft), QByteArray(b"png")).write(picture):
                    raise OSError(errno.EIO, "not saved", str(path))
        except (UserError, OSError) as error:
            self._session.failed.emit(sentence(error))
        else:
            self._session.said.emit(tr("The picture is in {path}.").format(path=path))

    def export_movie(self) -> None:
        """Ask for a file and record the whole run as it is shown."""
        opened = self._session.opened
        if opened is None or opened.run.frame_count < 2:
            self._session.said.emit(tr("Open a run with several frames first."))
            return
        asked = self._ask(tr("Save movie"), opened, "-movie.mp4", {"mp4": ("MP4", ".mp4")})
        if asked is not None:
            self.save_movie(asked[0])

    def save_movie(self, path: Path) -> MovieRecorder | None:
        """Record the whole run as it is shown, at its true speed."""
        try:
            check_output(path, self._session.files)
            self._recorder = MovieRecorder(self._parent, self._session, self._view, path)
        except (UserError, OSError) as error:
            self._session.failed.emit(sentence(error))
            return None
        self._recorder.start()
        return self._recorder

    def _ask(
        self, title: str, opened: OpenRun, end: str, formats: Mapping[str, tuple[str, str]]
    ) -> tuple[Path, str] | None:
        """Ask where to save; a name beside the run, its own with ``end``, is offered."""
        path = opened.run.path
        return ask_file(self._parent, title, path.with_name(f"{path.stem}{end}"), formats)

    def close(self) -> None:
        """Give up a recording that is under way."""
        if self._recorder is not None:
            self._recorder.stop()


class MovieRecorder(QObject):
    """Draws frame after frame as the view shows it, on a hidden copy, and writes them.

    The user's own view is left alone, so that the window stays usable. Frames that are asked to be
    denoised are waited for.
    """

    def __init__(self, parent: QWidget, session: Session, view: CineView, path: Path) -> None:
        super().__init__(parent)
        assert session.opened is not None
        self._session = session
        self._path = path
        self._run = session.opened.run
        self._size = movie_size(view.size() * view.devicePixelRatioF())
        self._writer = MovieWriter(
            path,
            self._run.frame_times_ms / session.playback.speed,
            (self._size.width(), self._size.height()),
        )
        self._hidden = HiddenPicture(session, session.opened, session.look.now, view.size())
        self._hidden.view.copy_look(view)
        self._next = 0
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._record)
        self._progress = QProgressDialog(
            tr("Saving {name}").format(name=path.name),
            tr("Stop"),
            0,
            self._run.frame_count,
            parent,
        )
        self._progress.setMinimumDuration(0)
        self._progress.canceled.connect(self.stop)
        self.done = False

    def start(self) -> None:
        """Begin with the first frame."""
        self._timer.start()

    def stop(self) -> None:
        """Give up: the unfinished file is removed."""
        if self._timer.isActive():
            self._end()
            self._writer.abort()
            self._session.said.emit(tr("The movie was not saved."))

    def _record(self) -> None:
        if not self._hidden.alive:
            self.stop()
            return
        if not self._hidden.show(self._next):
            self._timer.setInterval(20)  # wait for the decoder, or the denoiser
            return
        self._timer.setInterval(0)
        try:
            self._writer.write(rgb(self._hidden.grab(self._size)))
        except (UserError, OSError) as error:
            self._end()
            self._writer.abort()
            self._session.failed.emit(sentence(error))
            return
        self._next += 1
        self._progress.setValue(self._next)
        if self._next == self._run.frame_count:
            self._end()
            try:
                self._writer.close()
            except (UserError, OSError) as error:
                self._session.failed.emit(sentence(error))
                return
            self.done = True
            self._session.said.emit(tr("The movie is in {path}.").format(path=self._path))

    def _end(self) -> None:
        self._timer.stop()
        self._progress.canceled.disconnect(self.stop)
        self._progress.close()
        self._progress.deleteLater()
        self._hidden.close()


def movie_size(view: QSize) -> QSize:
    """Return the size of a movie of the view: even, and no larger than full HD is wide."""
    size = QSize(view)
    if max(size.width(), size.height()) > LONGEST_MOVIE_SIDE:
        size.scale(LONGEST_MOVIE_SIDE, LONGEST_MOVIE_SIDE, Qt.AspectRatioMode.KeepAspectRatio)
    return QSize(size.width() // 2 * 2, size.height() // 2 * 2)


def rgb(image: QImage) -> NDArray[np.uint8]:
    """Return the pixels of an image, shape (H, W, 3)."""
    packed = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(packed.constBits(), np.uint8).reshape(
        packed.height(), packed.bytesPerLine()
    )
    return rows[:, : packed.width() * 3].reshape(packed.height(), packed.width(), 3).copy()
