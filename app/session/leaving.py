"""Closes the runs that are no longer shown, and gives none up whose labels are not saved."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.errors import UserError
from app.session.background import Background
from app.session.open_run import OpenRun

AT_ONCE_S = 0.05
"""How long the window may wait for labels that are nearly always saved long ago."""


class Leaving(QObject):
    """Runs between the screen and the disk.

    A run is closed at once where that takes no time, else on a thread. One whose labels cannot be
    saved stays, until somebody says what shall become of them.

    Signals
    -------
    unsaved(object, str) : an `OpenRun` that stays, and why, in a sentence.
    finished() : all that was left is closed.
    """

    unsaved = Signal(object, str)
    finished = Signal()

    def __init__(self, background: Background) -> None:
        super().__init__()
        self._background = background
        self._closing: dict[OpenRun, threading.Event] = {}  # set once it is closed, or cannot be
        self._unsaved: list[OpenRun] = []

    @property
    def done(self) -> bool:
        """True where nothing waits to be saved."""
        return not (self._closing or self._unsaved)

    def close(self, opened: OpenRun, wait_s: float = AT_ONCE_S) -> None:
        """Save and close a run, within ``wait_s`` or on a thread."""
        try:
            opened.close(wait_s)
        except UserError:
            self.try_again(opened)

    def try_again(self, opened: OpenRun | None = None) -> None:
        """Try to save a run, or all that could not be saved, and wait longer for it."""
        for run in tuple(self._unsaved) if opened is None else (opened,):
            self._start(run, run.close)

    def save_elsewhere(self, opened: OpenRun, path: Path) -> None:
        """Write the labels of a run to another file, and close it; else it is `unsaved` again."""
        self._start(opened, lambda: opened.save_elsewhere(path))

    def discard(self, opened: OpenRun) -> None:
        """Close a run, and give up what is not saved of its labels."""
        opened.discard()
        self._unsaved.remove(opened)
        self._tell_end()

    def wait_for(self, path: Path) -> None:
        """Wait, on any thread but the window's, until a run is no longer being closed."""
        for opened, ended in tuple(self._closing.items()):
            if opened.lies_at(path):
                ended.wait()

    def take_back(self, path: Path) -> OpenRun | None:
        """Give a run whose labels could not be saved, to be shown again; None where not kept."""
        for opened in self._unsaved:
            if opened.lies_at(path):
                self._unsaved.remove(opened)
                return opened
        return None

    def _start(self, opened: OpenRun, work: Callable[[], None]) -> None:
        if opened in self._unsaved:
            self._unsaved.remove(opened)
        ended = self._closing[opened] = threading.Event()

        def close(_: object) -> None:
            try:
                work()
            finally:
                ended.set()

        self._background.start(
            close, lambda _: self._forget(opened), lambda why: self._keep(opened, why)
        )

    def _forget(self, opened: OpenRun) -> None:
        del self._closing[opened]
        self._tell_end()

    def _keep(self, opened: OpenRun, why: str) -> None:
        del self._closing[opened]
        self._unsaved.append(opened)
        self.unsaved.emit(opened, why)

    def _tell_end(self) -> None:
        if self.done:
            self.finished.emit()
