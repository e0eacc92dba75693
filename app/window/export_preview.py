"""Shows in the dialog what would go out."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer

from app.window.exported_picture import ExportedPicture
from widgets.dialogs.export_dialog import ExportChoices, ExportDialog

WAIT_MS = 50


class ExportPreview(QObject):
    """Draws one frame as the dialog's choices are; `close` it in the end.

    Parameters
    ----------
    exported : callable
        Returns the picture for some choices.
    frame : int
        What is shown, or the nearest one that goes out.
    """

    def __init__(
        self,
        dialog: ExportDialog,
        exported: Callable[[ExportChoices], ExportedPicture],
        frame: int,
    ) -> None:
        super().__init__()
        self._dialog = dialog
        self._exported = exported
        self._frame = frame
        self._picture: ExportedPicture | None = None
        self._timer = QTimer(self)  # for the decoder, or the denoiser
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._look_again)
        dialog.changed.connect(self.show)

    def show(self, choices: ExportChoices) -> None:
        """Draw the picture anew."""
        self.close()
        self._picture = picture = self._exported(choices)
        if not self._complete(picture):
            self._timer.start(WAIT_MS)
        self._draw(picture)

    def close(self) -> None:
        """Give up the picture."""
        self._timer.stop()
        if self._picture is not None:
            self._picture.close()
            self._picture = None

    def _look_again(self) -> None:
        picture = self._picture
        if picture is None or not picture.alive:
            return
        if self._complete(picture):
            self._draw(picture)
        else:
            self._timer.start(WAIT_MS)

    def _complete(self, picture: ExportedPicture) -> bool:
        frames = picture.frames
        return picture.show(min(max(self._frame, frames.start), frames.stop - 1))

    def _draw(self, picture: ExportedPicture) -> None:
        image = picture.grab().scaled(
            self._dialog.preview_size,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        self._dialog.show_preview(image, picture.size)
