"""Asks what shall become of labels that could not be saved."""

from __future__ import annotations

from gettext import gettext as tr
from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from app.session.leaving import Leaving
from app.session.open_run import OpenRun
from app.tracks.identity import SUFFIX
from app.window.asking import ask_file


class UnsavedDialogs(QObject):
    """One question for each run that was left and whose labels are not on the disk."""

    def __init__(self, parent: QWidget, leaving: Leaving) -> None:
        super().__init__(parent)
        self._parent = parent
        self._leaving = leaving
        leaving.unsaved.connect(self.ask)

    def ask(self, opened: OpenRun, why: str) -> None:
        """Ask: try again, save elsewhere, or discard. Escape leaves it open for later."""
        question = QMessageBox(self._parent)
        question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        question.setIcon(QMessageBox.Icon.Warning)
        question.setWindowTitle(tr("Labels are not saved"))
        question.setText(tr("{name}: {why}").format(name=opened.run.path.name, why=why))
        accept, destroy = QMessageBox.ButtonRole.AcceptRole, QMessageBox.ButtonRole.DestructiveRole
        again = question.addButton(tr("Try again"), accept)
        elsewhere = question.addButton(tr("Save elsewhere…"), accept)
        discard = question.addButton(tr("Discard the changes"), destroy)
        question.setEscapeButton(question.addButton(tr("Later"), QMessageBox.ButtonRole.RejectRole))
        question.setDefaultButton(again)
        again.clicked.connect(lambda: self._leaving.try_again(opened))
        elsewhere.clicked.connect(lambda: self._save_elsewhere(opened, why))
        discard.clicked.connect(lambda: self._leaving.discard(opened))
        question.open()

    def _save_elsewhere(self, opened: OpenRun, why: str) -> None:
        name = f"{opened.run.path.name}{SUFFIX}"
        asked = ask_file(
            self._parent,
            tr("Save labels"),
            Path.home() / name,
            {"labels": (tr("Labels"), SUFFIX)},
        )
        if asked is None:
            self.ask(opened, why)
        else:
            self._leaving.save_elsewhere(opened, asked[0])
