"""Adapting the denoiser to a scanner beside other work, and choosing among adapted ones.

The work is done by a second process, the command line's ``fluorotrace adapt``: minutes of training
would else take the interpreter from the window, and it can be stopped at any moment.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from gettext import gettext as tr
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QProcess, Signal

from app.session.denoisers import (
    MINUTES,
    AdaptedDenoiser,
    delete_denoiser,
    free_name,
    saved_denoisers,
)
from app.session.denoising import Denoising
from app.session.open_run import OpenRun
from app.session.settings import SettingsKeeper
from app.session.worker import NICENESS

log = logging.getLogger(__name__)

ENDING_MS = 3000
TOLD_PREFIX = "fluorotrace: "


class Adapting(QObject):
    """Keeps which denoiser is used, and runs the process that adapts one.

    Attributes
    ----------
    made : AdaptedDenoiser or None
        What came of adapting, until the user says whether to keep it; a window that is closed
        before that keeps it, unused.

    Signals
    -------
    choice_changed(object, str) : the adapted denoisers there are (list), and the name of the one
        in use, "" for the shipped one.
    adaptable_changed(bool) : whether adapting can be begun.
    progressed(float, str, str) : share done, that in words, and the name of the run.
    made_changed(object) : what came of adapting and is to be asked about, None when nothing is.
    said(str), warned(str) : a sentence for the user.
    """

    choice_changed = Signal(object, str)
    adaptable_changed = Signal(bool)
    progressed = Signal(float, str, str)
    made_changed = Signal(object)
    said = Signal(str)
    warned = Signal(str)

    def __init__(self, settings: SettingsKeeper, denoising: Denoising) -> None:
        super().__init__()
        self._settings = settings
        self._denoising = denoising
        self._opened: OpenRun | None = None
        self._process: QProcess | None = None
        self._name = self._run_name = ""  # of the denoiser to be, and of the run it learns from
        self.made: AdaptedDenoiser | None = None

    @property
    def running(self) -> bool:
        """True while a denoiser is being adapted."""
        return self._process is not None

    @property
    def adaptable(self) -> bool:
        """True where a run is open, and nothing else is being adapted or asked."""
        return self._opened is not None and not self.running and self.made is None

    def set_run(self, opened: OpenRun | None) -> None:
        """Adapt to another run from now on; what is under way goes on."""
        self._opened = opened
        self._tell_adaptable()

    # choosing

    def use_last(self) -> None:
        """Use the denoiser that was used last."""
        self.use(self._settings.now.denoiser)

    def use(self, name: str) -> None:
        """Denoise with an adapted denoiser, "" for the shipped one, now and from now on."""
        saved = {denoiser.name: denoiser for denoiser in saved_denoisers()}
        if name and name not in saved:
            self.said.emit(
                tr("The denoiser {name} is gone; the shipped one is used.").format(name=name)
            )
            name = ""
        if self.made is not None:
            saved.pop(self.made.name, None)
        self._denoising.set_weights(saved[name].weights if name else "")
        self._settings.change(denoiser=name)
        self.choice_changed.emit(list(saved.values()), name)

    def delete(self, name: str) -> None:
        """Delete an adapted denoiser; where it was used, go back to the shipped one."""
        used = self._settings.now.denoiser
        if used == name:
            self.use("")
        delete_denoiser(name)
        self.use("" if used == name else used)

    # adapting

    def adapt(self) -> None:
        """Begin to adapt a denoiser to the open run."""
        if self._opened is None:
            self.said.emit(tr("Open a noisy run first: the denoiser learns from it."))
            return
        if not self.adaptable:
            return
        run = self._opened.run
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
        self._tell_adaptable()
        self._tell_progress(0.0, tr("Adapting…"))
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
            self._ask_about(None)

    def take_result(self, keep: bool) -> None:
        """Keep and use what came of adapting, or throw it away."""
        made = self.made
        if made is None:
            return
        self._ask_about(None)
        if keep:
            self.use(made.name)
            self.said.emit(tr("Denoised with {name} from now on.").format(name=made.name))
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
                self._tell_progress(told["share"], progress_text(told["share"]))
            else:
                self.made = AdaptedDenoiser(**told)

    def _tell_progress(self, share: float, text: str) -> None:
        self.progressed.emit(share, text, self._run_name)

    def _tell_adaptable(self) -> None:
        self.adaptable_changed.emit(self.adaptable)

    def _ask_about(self, made: AdaptedDenoiser | None) -> None:
        self.made = made
        self.made_changed.emit(made)
        self._tell_adaptable()

    def _end(self, status: int) -> None:
        assert self._process is not None
        self._read()
        lines = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
        self._process.deleteLater()
        self._process = None
        if status == 0 and self.made is not None:
            self._ask_about(self.made)
        else:
            told = next(
                (line for line in reversed(lines.splitlines()) if line.startswith(TOLD_PREFIX)), ""
            )
            self._give_up(told.removeprefix(TOLD_PREFIX) or tr("Adapting broke off; try it again."))

    def _fail_to_start(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart and self._process is not None:
            self._process.deleteLater()
            self._process = None
            self._give_up(tr("Adapting could not be started; install Fluorotrace again."))

    def _give_up(self, sentence: str) -> None:
        self._ask_about(None)
        self.warned.emit(sentence)


def progress_text(share: float) -> str:
    """Say how long learning will take yet, with a share of it done; after it comes the score."""
    if share >= 1.0:
        return tr("Scoring…")
    left_s = MINUTES * 60.0 * (1.0 - share)
    if left_s > 90.0:
        return tr("Adapting, {minutes:.0f} min left").format(minutes=left_s / 60.0)
    return tr("Adapting, {seconds:.0f} s left").format(seconds=left_s)


def adapting_arguments(run_path: Path, name: str) -> list[str]:
    """Return what Python is given to adapt a denoiser to a run (a frozen program is not Python)."""
    program = [] if getattr(sys, "frozen", False) else ["-m", "app"]
    adapt = ["adapt", str(run_path.absolute()), "--output", name]
    return [*program, *adapt, "--minutes", str(MINUTES), "--json", "--end-with-input"]
