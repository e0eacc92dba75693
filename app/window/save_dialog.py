"""Asks where to save, and never replaces a file that was not named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from gettext import gettext as tr
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget


def ask_where(
    parent: QWidget,
    title: str,
    start: Path,
    kinds: Mapping[str, str],
    done: Callable[[Path, str], object],
    given_up: Callable[[], None] = lambda: None,
) -> None:
    """Show a dialog for a file's name, without waiting for the answer.

    Parameters
    ----------
    start : Path
        What is offered.
    kinds : mapping of str to str
        What each kind of file is called, and the suffix that its names get.
    done : callable
        Receives the name with its suffix, and the kind. Where the suffix had to be added and there
        is such a file, that is asked once more: the dialog knew only the name without it.
    given_up : callable
        Called where no name was given.
    """
    filters = {f"{kind} (*{suffix})": kind for kind, suffix in kinds.items()}
    dialog = QFileDialog(parent, title, str(start.parent))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters(list(filters))
    dialog.selectFile(start.name)

    def take(name: str) -> None:
        kind = filters[dialog.selectedNameFilter()]
        path = Path(name)
        if path.name.lower().endswith(kinds[kind]):
            done(path, kind)
            return
        path = path.with_name(path.name + kinds[kind])
        if path.exists():
            _ask_to_replace(parent, title, path, lambda: done(path, kind), given_up)
        else:
            done(path, kind)

    dialog.fileSelected.connect(take)
    dialog.rejected.connect(given_up)
    dialog.open()


def _ask_to_replace(
    parent: QWidget,
    title: str,
    path: Path,
    replace: Callable[[], object],
    given_up: Callable[[], None],
) -> None:
    question = QMessageBox(parent)
    question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    question.setWindowTitle(title)
    question.setText(tr("There is a file {name} already. Replace it?").format(name=path.name))
    yes = question.addButton(tr("Replace"), QMessageBox.ButtonRole.DestructiveRole)
    no = question.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
    question.setDefaultButton(no)
    yes.clicked.connect(replace)
    no.clicked.connect(given_up)
    question.open()
