"""What is going on: the opened run, how it is shown, what is played, labelled and computed.

The window draws a session and sends it what the user wants; the session knows no window.
"""

from __future__ import annotations

from dataclasses import replace
from gettext import gettext as tr
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.session.adapting import Adapting
from app.session.background import Background
from app.session.denoising import Denoising
from app.session.labelling import Labelling
from app.session.leaving import AT_ONCE_S, Leaving
from app.session.library import Library
from app.session.look import Comparison, Look, LookKeeper, view_of
from app.session.measuring import Measuring
from app.session.open_run import OpenRun
from app.session.playback import Playback
from app.session.settings import Settings, SettingsKeeper
from app.session.subtraction import Subtraction
from app.session.tools import Tools
from app.session.worker import InferenceWorker
from app.tracks.store import warm_up

WARM_UP_AFTER_MS = 800
CLOSING_S = 1.0
"""How long a closing window may wait for the disk before it says what it waits for."""


class Session(QObject):
    """One opened run and everything that is done with it.

    Attributes
    ----------
    look : LookKeeper
        How the run is shown.
    settings, worker, background, playback, tools, labelling, measuring, denoising, subtraction,
    adapting, library, leaving
        What each is for stands in its own file.

    Signals
    -------
    run_left(object) : this `OpenRun` is no longer the open one, and is saved by now.
    run_changed(object) : the `OpenRun` that is open now, or None.
    reviewed_changed(bool)
    said(str), warned(str), failed(str) : a sentence for the user: news, a warning, an error.
    """

    run_left = Signal(object)
    run_changed = Signal(object)
    reviewed_changed = Signal(bool)
    said = Signal(str)
    warned = Signal(str)
    failed = Signal(str)
    _trouble = Signal(str)  # from the thread that writes the labels

    def __init__(self, settings: SettingsKeeper, worker: InferenceWorker) -> None:
        super().__init__()
        now = settings.now
        self._opened: OpenRun | None = None
        self._place_told = False  # where the labels lie
        self._applied = now
        self.settings = settings
        self.worker = worker
        self.background = Background()
        self.playback = Playback(self)
        self.look = LookKeeper(Look(patient=now.show_patient))
        self.tools = Tools()
        self.labelling = Labelling(self.playback, worker)
        self.measuring = Measuring(self.labelling, self.playback)
        self.denoising = Denoising(worker, now.denoised_memory_mb << 20)
        self.subtraction = Subtraction(self.look, self.playback, self.background)
        self.adapting = Adapting(settings, self.denoising)
        self.leaving = Leaving(self.background)
        self.library = Library(self.background, settings, self.leaving)
        self._warm_up = QTimer(self)
        self._warm_up.setSingleShot(True)
        self._warm_up.setInterval(WARM_UP_AFTER_MS)
        self._warm_up.timeout.connect(self._prepare_saving)
        settings.changed.connect(self._apply_settings)
        self.look.changed.connect(self._follow_look)
        self.labelling.refused.connect(self.said)
        self.measuring.refused.connect(self.said)
        self.labelling.labels_changed.connect(lambda _: self._tell_place())
        self.subtraction.failed.connect(self.failed)
        self.adapting.said.connect(self.said)
        self.adapting.warned.connect(self.warned)
        self.library.refused.connect(self.failed)
        self.library.opened.connect(self.open)
        self.labelling.tracking.left_done.connect(self.leaving.close)
        self.library.take_back = self._take_back
        worker.failed.connect(lambda _, text: self.failed.emit(text))
        worker.notice.connect(self.warned)
        self._trouble.connect(self._tell_trouble)

    @property
    def opened(self) -> OpenRun | None:
        """The run that is open."""
        return self._opened

    def open(self, opened: OpenRun | None) -> None:
        """Go on with another run; the former one is saved and closed."""
        if opened is not None and opened is self._opened:
            return
        self.leave()
        self._opened = opened
        if opened is None:
            self.run_changed.emit(None)
            return
        opened.store.on_trouble = self._trouble.emit
        self._place_told = opened.store.path is not None
        self.look.set_run(opened)
        self.labelling.set_run(opened)
        self.measuring.set_run(opened)
        self.denoising.set_run(opened)
        self.subtraction.set_run(opened)
        self.adapting.set_run(opened)
        self.run_changed.emit(opened)
        self.playback.set_run(opened.run, opened.store.state.playhead)
        self._warm_up.start()
        if self.settings.now.autoplay:
            self.playback.play()
        if opened.store.notice:
            self.warned.emit(opened.store.notice)
        for note in opened.run.notes:
            self.said.emit(note)

    def leave(self, wait_s: float = AT_ONCE_S) -> None:
        """Save and close the open run, within ``wait_s`` or on a thread."""
        opened = self._opened
        if opened is None:
            return
        self.playback.set_run(None)
        self.remember_place()
        self._opened = None
        self.denoising.set_run(None)
        self.labelling.set_run(None)
        self.measuring.set_run(None)
        self.subtraction.set_run(None)
        self.adapting.set_run(None)
        self.run_left.emit(opened)
        if not self.labelling.tracking.leave(opened):
            self.leaving.close(opened, wait_s)

    def _take_back(self, path: Path) -> OpenRun | None:
        here = self._opened
        if here is not None and here.lies_at(path):
            return here
        return self.labelling.tracking.take_back(path) or self.leaving.take_back(path)

    def _prepare_saving(self) -> None:
        """Import what the first gesture needs, once the first frame is on the screen."""
        self.background.start(lambda _: warm_up(), lambda _: None, self.failed.emit, patient=True)

    def _tell_trouble(self, why: str) -> None:
        """Say that labels are not saved, or that they are again."""
        if why:
            self.failed.emit(why)
        else:
            self.said.emit(tr("All labels are saved."))

    def _tell_place(self) -> None:
        """Say where new labels are saved, if they do not lie where one looks for them."""
        if self._opened is None or self._place_told:
            return
        store = self._opened.store
        self._place_told = store.path is not None
        if store.path is not None and store.displaced:
            told = tr("The run's folder cannot be written to: its labels are saved in {folder}.")
            self.said.emit(told.format(folder=store.path.parent))

    @property
    def reviewed(self) -> bool:
        """True where somebody said that the open run is done."""
        return self._opened is not None and self._opened.store.state.reviewed

    def toggle_reviewed(self) -> None:
        """Say that the run is done, or that it is not."""
        if self._opened is not None:
            store = self._opened.store
            store.save_state(replace(store.state, reviewed=not store.state.reviewed))
            self.reviewed_changed.emit(store.state.reviewed)

    def remember_place(self) -> None:
        """Save the playhead, and how the run is shown."""
        if self._opened is not None:
            store = self._opened.store
            view = view_of(self.look.now, self._opened.run)
            state = replace(store.state, playhead=self.playback.frame, view=view)
            if state != store.state:
                store.save_state(state)

    def close(self) -> bool:
        """Save everything and end the threads.

        Returns
        -------
        bool
            False where something cannot be saved at once: `leaving` tells when that is done, or
            asks. The session goes on, without a run.
        """
        self._warm_up.stop()
        self.adapting.cancel()
        self.leave(CLOSING_S)
        self.run_changed.emit(None)
        for left in self.labelling.tracking.stop():
            self.leaving.close(left, CLOSING_S)
        if not self.leaving.done:
            self.leaving.try_again()
            return False
        self.worker.close()
        self.background.close()
        return True

    def _apply_settings(self, settings: Settings) -> None:
        """Take over what has changed; what was switched on the screen since stays as it is."""
        before, self._applied = self._applied, settings
        if settings.show_patient != before.show_patient:
            self.look.change(patient=settings.show_patient)
        if settings.device != before.device:
            self.worker.set_device(settings.device)
        if settings.denoised_memory_mb != before.denoised_memory_mb:
            self.denoising.set_budget(settings.denoised_memory_mb << 20)

    def _follow_look(self, before: Look, now: Look) -> None:
        if now.comparison != before.comparison:
            self.denoising.set_wanted(now.comparison is not Comparison.ORIGINAL)
