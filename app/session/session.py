"""What is going on: the opened run, how it is shown, what is played, labelled and computed.

The window draws a session and sends it what the user wants; the session knows no window.
"""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from app.errors import UserError
from app.session.adapting import Adapting
from app.session.background import Background
from app.session.denoising import Denoising
from app.session.labelling import Labelling
from app.session.library import Library
from app.session.look import Comparison, Look, LookKeeper, view_of
from app.session.open_run import OpenRun
from app.session.playback import Playback
from app.session.settings import Settings, SettingsKeeper
from app.session.subtraction import Subtraction
from app.session.worker import InferenceWorker


class Session(QObject):
    """One opened run and everything that is done with it.

    Attributes
    ----------
    look : LookKeeper
        How the run is shown.
    settings, worker, background, playback, labelling, denoising, subtraction, adapting, library
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
        self._applied = now
        self.settings = settings
        self.worker = worker
        self.background = Background()
        self.playback = Playback(self)
        self.look = LookKeeper(Look(patient=now.show_patient))
        self.labelling = Labelling(self.playback, worker)
        self.denoising = Denoising(worker, now.denoised_memory_mb << 20)
        self.subtraction = Subtraction(self.look, self.playback, self.background)
        self.adapting = Adapting(settings, self.denoising)
        self.library = Library(self.background, settings)
        settings.changed.connect(self._apply_settings)
        self.look.changed.connect(self._follow_look)
        self.labelling.refused.connect(self.said)
        self.subtraction.failed.connect(self.failed)
        self.adapting.said.connect(self.said)
        self.adapting.warned.connect(self.warned)
        self.library.refused.connect(self.failed)
        self.library.opened.connect(self.open)
        worker.failed.connect(lambda _, text: self.failed.emit(text))
        worker.notice.connect(self.warned)
        self._trouble.connect(self.failed)

    @property
    def opened(self) -> OpenRun | None:
        """The run that is open."""
        return self._opened

    def open(self, opened: OpenRun | None) -> None:
        """Go on with another run; the former one is saved and closed."""
        self.leave()
        self._opened = opened
        if opened is None:
            self.run_changed.emit(None)
            return
        opened.store.on_trouble = self._trouble.emit
        self.look.set_run(opened)
        self.labelling.set_review(opened)
        self.denoising.set_review(opened)
        self.subtraction.set_run(opened)
        self.adapting.set_run(opened)
        self.run_changed.emit(opened)
        self.playback.set_run(opened.run, opened.store.review.playhead)
        if opened.store.notice:
            self.warned.emit(opened.store.notice)
        for note in opened.run.notes:
            self.said.emit(note)

    def leave(self) -> None:
        """Save and close the open run."""
        opened = self._opened
        if opened is None:
            return
        self.playback.set_run(None)
        self.remember_place()
        self._opened = None
        self.denoising.set_review(None)
        self.labelling.set_review(None)
        self.subtraction.set_run(None)
        self.adapting.set_run(None)
        self.run_left.emit(opened)
        try:
            opened.close()
        except UserError as error:
            self.failed.emit(str(error))

    @property
    def reviewed(self) -> bool:
        """True where somebody said that the open run is done."""
        return self._opened is not None and self._opened.store.review.reviewed

    def toggle_reviewed(self) -> None:
        """Say that the run is done, or that it is not."""
        if self._opened is not None:
            store = self._opened.store
            store.save_review(replace(store.review, reviewed=not store.review.reviewed))
            self.reviewed_changed.emit(store.review.reviewed)

    def remember_place(self) -> None:
        """Save the playhead, and how the run is shown."""
        if self._opened is not None:
            store = self._opened.store
            view = view_of(self.look.now, self._opened.run)
            state = replace(store.review, playhead=self.playback.frame, view=view)
            if state != store.review:
                store.save_review(state)

    def close(self) -> None:
        """Save everything and end the threads."""
        self.adapting.cancel()
        self.leave()
        self.worker.close()
        self.background.close()

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
