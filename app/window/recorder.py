"""Draws what goes out, frame after frame, and writes it while the window stays usable."""

from __future__ import annotations

from gettext import gettext as tr
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QProgressDialog, QWidget

from app.errors import UserError, sentence
from app.session.movie_writer import MovieWriter
from app.session.session import Session
from app.window.exported_picture import ExportedPicture

WAIT_MS = 20
PATIENCE_MS = 800
"""A single picture that takes longer says so."""


class Recorder(QObject):
    """Writes frames of a run; those that are asked to be denoised are waited for.

    Parameters
    ----------
    parent : QWidget
        Of the progress, where it can be stopped.
    picture : ExportedPicture
        Closed in the end.
    frames : range
    writer : MovieWriter
    path : Path
        Where to.
    saved : str
        What is said in the end.

    Signals
    -------
    ended() : all is written, or nothing.
    """

    ended = Signal()

    def __init__(
        self,
        parent: QWidget,
        session: Session,
        picture: ExportedPicture,
        frames: range,
        writer: MovieWriter,
        path: Path,
        saved: str,
    ) -> None:
        super().__init__()
        self._session = session
        self._picture = picture
        self._frames = frames
        self._writer = writer
        self._path = path
        self._saved = saved
        self._written = 0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._record)
        self._progress = QProgressDialog(
            tr("Saving {name}").format(name=path.name), tr("Stop"), 0, len(frames), parent
        )
        self._progress.setMinimumDuration(0 if len(frames) > 1 else PATIENCE_MS)
        self._progress.canceled.connect(self.stop)
        self.done = False

    def start(self) -> None:
        """Begin with the first frame, at once."""
        self._timer.start(0)
        self._record()

    def stop(self) -> None:
        """Give up: the unfinished file is removed."""
        if self._timer.isActive():
            self._writer.abort()
            self._end()
            self._session.said.emit(tr("{name} was not saved.").format(name=self._path.name))

    def _record(self) -> None:
        if not self._picture.alive:
            self.stop()
            return
        if not self._picture.show(self._frames[self._written]):
            self._timer.setInterval(WAIT_MS)  # for the decoder, or the denoiser
            return
        self._timer.setInterval(0)
        try:
            self._writer.write(rgb(self._picture.grab()))
            self._written += 1
            self._progress.setValue(self._written)
            if self._written == len(self._frames):
                self._writer.close()
                self._end()
                self.done = True
                self._session.said.emit(self._saved)
        except (UserError, OSError) as error:
            self._writer.abort()
            self._end()
            self._session.failed.emit(sentence(error))

    def _end(self) -> None:
        self._timer.stop()
        self._progress.canceled.disconnect(self.stop)
        self._progress.close()
        self._progress.deleteLater()
        self._picture.close()
        self.ended.emit()


def rgb(image: QImage) -> NDArray[np.uint8]:
    """Return the pixels of an image, shape (H, W, 3)."""
    packed = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(packed.constBits(), np.uint8).reshape(
        packed.height(), packed.bytesPerLine()
    )
    return rows[:, : packed.width() * 3].reshape(packed.height(), packed.width(), 3).copy()
