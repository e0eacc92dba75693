"""Where files are looked for, and where they are saved: what all file dialogs have in common."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import gettext as tr
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.session.open_run import OpenRun
from app.session.session import Session
from app.session.settings import Settings


def folder_to_look_in(settings: Settings) -> str:
    """Return where a dialog that opens files begins: the last run's folder, or one's home."""
    last = settings.last_folder
    return last if last and Path(last).is_dir() else str(Path.home())


def ask_file(
    parent: QWidget, title: str, start: Path, formats: Mapping[str, tuple[str, str]]
) -> tuple[Path, str] | None:
    """Ask where to save, and as what.

    An ending that was typed decides; where it is none of the formats', that of the chosen format
    is added, and a file that has this name is not replaced unasked.

    Parameters
    ----------
    formats : mapping of str to (title, suffix)

    Returns
    -------
    (Path, str) or None
        The file and the name of its format; None where the user would rather not.
    """
    filters = {f"{text} (*{suffix})": name for name, (text, suffix) in formats.items()}
    answer, chosen = QFileDialog.getSaveFileName(parent, title, str(start), ";;".join(filters))
    if not answer:
        return None
    path = Path(answer)
    picked = filters.get(chosen, next(iter(formats)))
    fitting = [n for n, (_, suffix) in formats.items() if path.name.lower().endswith(suffix)]
    if fitting:
        return path, picked if picked in fitting else fitting[0]
    path = path.with_name(f"{path.name}{formats[picked][1]}")
    if path.exists() and not _may_replace(parent, title, path):
        return None
    return path, picked


def still_open(session: Session, opened: OpenRun) -> bool:
    """Tell whether a run is still the one that is worked on, and say it where it is not.

    Runs go on to the next one and openings end while a question is on the screen.
    """
    if session.opened is opened:
        return True
    warn_of_other_run(session)
    return False


def warn_of_other_run(session: Session) -> None:
    """Say that what was asked about a run is not done: it is no longer worked on."""
    session.warned.emit(tr("Another run is open by now, so nothing was done."))


def _may_replace(parent: QWidget, title: str, path: Path) -> bool:
    question = tr("{name} exists already. Replace it?").format(name=path.name)
    return QMessageBox.question(parent, title, question) is QMessageBox.StandardButton.Yes
