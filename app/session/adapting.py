"""Adapting the denoiser to a scanner beside other work, and choosing among adapted ones.

The work is done by a second process, the command line's ``fluorotrace adapt``: minutes of training
would else take the interpreter from the window, and it can be stopped at any moment.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QProcess
from PySide6.QtWidgets import QMessageBox

from app.session.denoisers import (
    MINUTES,
    AdaptedDenoiser,
    delete_denoiser,
    free_name,
    saved_denoisers,
)
from app.session.worker import NICENESS
from widgets.panels.denoiser_choice import DenoiserRow
from widgets.panels.notice_bar import Severity

if TYPE_CHECKING:
    from app.window.main_window import MainWindow

log = logging.getLogger(__name__)

ENDING_MS = 3000
TOLD_PREFIX = "fluorotrace: "


class Adapting(QObject):
    """Joins the choice of denoisers with their files, and with the process that adapts one.

    Attributes
    ----------
    made : AdaptedDenoiser or None
        What came of adapting, until the user says whether to keep it; a window that is closed
        before that keeps it, unused.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._choice = window.denoise_panel.denoiser
        self._process: QProcess | None = None
        self._name = self._run_name = ""  # of the denoiser to be, and of the run it learns from
        self.made: AdaptedDenoiser | None = None
        self._choice.denoiser_picked.connect(self.use)
        self._choice.adapt_requested.connect(self.adapt)
        self._choice.cancel_requested.connect(self.cancel)
        self._choice.delete_requested.connect(self.ask_to_delete)
        self._choice.result_taken.connect(self.take_result)
        self._choice.set_adaptable(False)
        self.use(window.settings.now.denoiser)

    @property
    def running(self) -> bool:
        """True while a denoiser is being adapted."""
        return self._process is not None

    def show_adaptable(self) -> None:
        """Offer to adapt where a run is open, and nothing else is being adapted or asked."""
        free = not self.running and self.made is None
        self._choice.set_adaptable(free and self._window.review is not None)

    # choosing

    def use(self, name: str) -> None:
        """Denoise with an adapted denoiser, "" for the shipped one, now and from now on."""
        saved = {denoiser.name: denoiser for denoiser in saved_denoisers()}
        if name and name not in saved:
            self._window.say(f"The denoiser {name} is gone; the shipped one is used.")
            name = ""
        if self.made is not None:
            saved.pop(self.made.name, None)
        rows = [DenoiserRow(d.name, f"{d.origin}\n{d.scores}") for d in saved.values()]
        self._choice.set_denoisers(rows, name)
        self._window.denoising.set_weights(saved[name].weights if name else "")
        self._window.settings.change(denoiser=name)

    def ask_to_delete(self, name: str) -> None:
        """Delete an adapted denoiser once the user has said so."""
        question = QMessageBox(self._window)
        question.setWindowTitle("Delete denoiser")
        question.setText(f"Delete the denoiser {name}? It cannot be brought back.")
        delete = question.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        question.setDefaultButton(question.addButton(QMessageBox.StandardButton.Cancel))
        delete.clicked.connect(lambda: self.delete(name))
        question.finished.connect(question.deleteLater)
        question.open()

    def delete(self, name: str) -> None:
        """Delete an adapted denoiser; where it was used, go back to the shipped one."""
        used = self._window.settings.now.denoiser
        if used == name:
            self.use("")
        delete_denoiser(name)
        self.use("" if used == name else used)

    # adapting

    def adapt(self) -> None:
        """Begin to adapt a denoiser to the open run."""
        review = self._window.review
        if review is None:
            self._window.say("Open a noisy run first: the denoiser learns from it.")
            return
        if self.running or self.made is not None:
            return
        run = review.run
        self._name, self._run_name = free_name(run), run.path.name
        process = QProcess(self)
        process.setProgram(sys.executable)
        process.setArguments(adapting_arguments(run.path, self._name))
        process.setWorkingDirectory(str(Path(__file__).parents[2]))  # where app is imported from
        process.started.connect(self._let_others_go_first)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._end)
        process.errorOccurred.connect(self._fail_to_start)
        self._process = process
        self.show_adaptable()
        self._show_progress(0.0, "Adapting…")
        process.start()

    def cancel(self) -> None:
        """Stop adapting; nothing is left of it."""
        process, self._process = self._process, None
        if process is not None:
            process.blockSignals(True)
            process.kill()
            process.waitForFinished(ENDING_MS)
            process.deleteLater()
            delete_denoiser(self._name)  # half written perhaps
            self._choice.show_choice()
            self.show_adaptable()

    def take_result(self, keep: bool) -> None:
        """Keep and use what came of adapting, or throw it away."""
        made, self.made = self.made, None
        if made is None:
            return
        self._choice.show_choice()
        self.show_adaptable()
        if keep:
            self.use(made.name)
            self._window.say(f"Denoised with {made.name} from now on.")
        else:
            delete_denoiser(made.name)

    # what the process tells

    def _let_others_go_first(self) -> None:
        assert self._process is not None
        if hasattr(os, "setpriority"):
            try:
                os.setpriority(os.PRIO_PROCESS, self._process.processId(), NICENESS)
            except OSError:
                log.info("adapting keeps the normal priority", exc_info=True)

    def _read(self) -> None:
        assert self._process is not None
        while self._process.canReadLine():
            told: dict[str, Any] = json.loads(bytes(self._process.readLine().data()))
            if "share" in told:
                self._show_progress(told["share"], progress_text(told["share"]))
            else:
                self.made = AdaptedDenoiser(**told)

    def _show_progress(self, share: float, text: str) -> None:
        self._choice.show_progress(share, text, f"The denoiser learns from {self._run_name}")

    def _end(self, status: int) -> None:
        assert self._process is not None
        self._read()
        lines = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
        self._process.deleteLater()
        self._process = None
        if status == 0 and self.made is not None:
            better = self.made.error_after < self.made.error_before
            self._choice.show_result(self.made.scores, better=better)
        else:
            told = next(
                (line for line in reversed(lines.splitlines()) if line.startswith(TOLD_PREFIX)), ""
            )
            self._give_up(told.removeprefix(TOLD_PREFIX) or "Adapting broke off; try it again.")
        self.show_adaptable()

    def _fail_to_start(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart and self._process is not None:
            self._process.deleteLater()
            self._process = None
            self._give_up("Adapting could not be started; install Fluorotrace again.")
            self.show_adaptable()

    def _give_up(self, sentence: str) -> None:
        self.made = None
        self._choice.show_choice()
        self._window.say(sentence, Severity.WARNING)


def progress_text(share: float) -> str:
    """Say how long learning will take yet, with a share of it done; after it comes the score."""
    if share >= 1.0:
        return "Scoring…"
    left_s = MINUTES * 60.0 * (1.0 - share)
    left = f"{left_s / 60.0:.0f} min" if left_s > 90.0 else f"{left_s:.0f} s"
    return f"Adapting, {left} left"


def adapting_arguments(run_path: Path, name: str) -> list[str]:
    """Return what Python is given to adapt a denoiser to a run (a frozen program is not Python)."""
    program = [] if getattr(sys, "frozen", False) else ["-m", "app"]
    adapt = ["adapt", str(run_path.absolute()), "--output", name]
    return [*program, *adapt, "--minutes", str(MINUTES), "--json", "--end-with-input"]
