"""Keeps the strip of key images true to the labels, and asks for the report."""

from __future__ import annotations

from functools import partial
from gettext import gettext as tr
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject
from PySide6.QtPrintSupport import QPrintDialog, QPrinter
from PySide6.QtWidgets import QInputDialog, QMessageBox, QWidget

from app.session.background import Task
from app.session.key_images import caption, look_of
from app.session.open_run import OpenRun
from app.session.session import Session
from app.tracks.marks import Mark
from app.window.asking import ask_file, still_open
from app.window.report import ReportMaker, page_layout
from widgets.panels.key_image_strip import KeyImage, KeyImageStrip
from widgets.picture.cine_view import CineView


class KeyImageViews(QObject):
    """Shows key images, and brings them back."""

    def __init__(
        self, parent: QWidget, session: Session, view: CineView, strip: KeyImageStrip
    ) -> None:
        super().__init__(parent)
        self._parent = parent
        self._session = session
        self._view = view
        self._strip = strip
        self._drawn: set[str] = set()
        self._tasks: list[Task] = []
        self._report: ReportMaker | None = None
        session.key_images.changed.connect(self._show)
        session.run_changed.connect(lambda _: self._forget())
        strip.image_picked.connect(self.bring_back)

    def keep(self) -> None:
        """Keep the picture as it stands."""
        self._session.key_images.keep(self._size())

    def bring_back(self, image_id: str) -> None:
        """Show a key image as it was kept."""
        self._session.key_images.show(image_id, self._size())

    def remove(self) -> None:
        """Keep the chosen image no longer."""
        if self._strip.chosen:
            self._session.key_images.remove(self._strip.chosen)
        else:
            self._say_choose()

    def write(self) -> None:
        """Ask for the words below the chosen image."""
        images, chosen = self._session.key_images, self._strip.chosen
        image = next((image for image in images.images if image.id == chosen), None)
        opened = self._session.opened
        if opened is None or image is None:
            self._say_choose()
            return
        words, agreed = QInputDialog.getText(
            self._parent, tr("Key image"), tr("Words"), text=image.text
        )
        if agreed and still_open(self._session, opened):
            images.write(chosen, words)

    def save_report(self) -> None:
        """Ask whether patient data may be in the report, and where it goes; then write it."""
        opened = self._session.opened
        if opened is None:
            return
        patient = self._ask_patient()
        if patient is None:
            return
        start = opened.run.path.with_name(f"{opened.run.path.stem}-report.pdf")
        asked = ask_file(self._parent, tr("Save report"), start, {"pdf": ("PDF", ".pdf")})
        if asked is not None and still_open(self._session, opened):
            self.write_report(asked[0], patient=patient)

    def print_report(self) -> None:
        """Ask whether patient data may be in the report, and for a printer; then print it."""
        opened = self._session.opened
        patient = None if opened is None else self._ask_patient()
        if opened is not None and patient is not None:
            printer = QPrinter(QPrinter.PrinterMode.HighResolution)
            printer.setPageLayout(page_layout())
            agreed = QPrintDialog(printer, self._parent).exec()
            if agreed and still_open(self._session, opened):
                self.write_report(Path(), patient=patient, printer=printer)

    def write_report(self, path: Path, *, patient: bool, printer: QPrinter | None = None) -> None:
        """Write the report of the open run, or print it; one at a time."""
        opened = self._session.opened
        if opened is None or self._report is not None:
            return

        def done(_: bool) -> None:
            self._report = None

        self._report = ReportMaker(
            self._session, opened, path, done, patient=patient, printer=printer
        )
        self._report.start()

    def stop(self) -> None:
        """Give up a report that is being made."""
        if self._report is not None:
            self._report.stop()

    def _ask_patient(self) -> bool | None:
        """Ask whether patient data may be in the report; None where the user would rather not."""
        box = QMessageBox(self._parent)
        box.setWindowTitle(tr("Report"))
        box.setText(tr("May patient data and the file's name be in the report?"))
        box.setInformativeText(
            tr("Words that you wrote yourself are in it in any case, and what is in the pixels.")
        )
        without = box.addButton(tr("Without"), QMessageBox.ButtonRole.AcceptRole)
        with_data = box.addButton(tr("With patient data"), QMessageBox.ButtonRole.ActionRole)
        box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(without)
        box.exec()
        if box.clickedButton() in (without, with_data):
            return box.clickedButton() is with_data
        return None

    def _say_choose(self) -> None:
        self._session.said.emit(tr("Choose a key image in the strip first."))

    def _size(self) -> tuple[int, int]:
        return self._view.width(), self._view.height()

    def _forget(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._drawn.clear()
        self._show()

    def _show(self) -> None:
        opened, images = self._session.opened, self._session.key_images.images
        self._strip.set_images([KeyImage(image.id, caption(image)) for image in images])
        if opened is None:
            return
        for image in images:
            if image.id not in self._drawn:
                self._drawn.add(image.id)
                self._draw(opened, image)

    def _draw(self, opened: OpenRun, image: Mark) -> None:
        """Draw the small picture of an image on a thread."""
        look = look_of(image, opened, self._session.look.now, self._size())
        frame = image.frame
        assert frame is not None

        def work(_: Task) -> NDArray[np.uint8]:
            stored = opened.cache.wait(frame)
            picture = opened.display.render(stored, look.grey, frame_index=frame)
            upright = picture[:, ::-1] if look.mirrored else picture
            return np.ascontiguousarray(np.rot90(upright, -look.turns))

        self._tasks.append(
            self._session.background.start(
                work, partial(self._strip.set_picture, image.id), self._session.failed.emit
            )
        )
