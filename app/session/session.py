"""What is going on: the opened run, how it is shown, what is played, labelled and computed.

The window draws a session and sends it what the user wants; the session knows no window.
"""

from __future__ import annotations

from dataclasses import replace
from gettext import gettext as tr
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.runs.allowance import allowed_bytes
from app.session.adapting import Adapting
from app.session.background import Background
from app.session.calibrating import Calibrating
from app.session.denoising import Denoising
from app.session.enhancing import Enhancing
from app.session.heart import Heart
from app.session.key_images import KeyImages
from app.session.labelling import Labelling, locked_sentence
from app.session.leaving import AT_ONCE_S, Leaving
from app.session.library import Library
from app.session.look import Comparison, Look, LookKeeper, remember
from app.session.measuring import Measuring
from app.session.open_run import OpenRun
from app.session.place import Shown
from app.session.places import Places
from app.session.playback import Playback
from app.session.settings import Settings, SettingsKeeper
from app.session.subtraction import Subtraction
from app.session.synchrony import Sync
from app.session.tools import Tools
from app.session.vessels import Vessels
from app.session.worker import InferenceWorker
from app.tracks.store import warm_up

WARM_UP_AFTER_MS = 800
TOLD_AFTER_MS = 300
CLOSING_S = 1.0
"""How long a closing window may wait for the disk before it says what it waits for."""


class Session(QObject):
    """The run that is worked on and everything that is done with it, and the runs seen beside it.

    Attributes
    ----------
    look : LookKeeper
        How the run is shown.
    settings, worker, background, playback, tools, labelling, measuring, calibrating, vessels,
    key_images, heart, denoising, subtraction, enhancing, adapting, library, leaving, places
        What each is for stands in its own file.

    Signals
    -------
    run_left(object) : this `OpenRun` is no longer the one that is worked on.
    run_changed(object) : the `OpenRun` that is worked on now, or None.
    reviewed_changed(bool)
    said(str), warned(str), failed(str) : a sentence for the user: news, a warning, an error.
    withdrawn(str) : such a sentence holds no longer.
    """

    run_left = Signal(object)
    run_changed = Signal(object)
    reviewed_changed = Signal(bool)
    said = Signal(str)
    warned = Signal(str)
    failed = Signal(str)
    withdrawn = Signal(str)
    _trouble = Signal(str)  # from the thread that writes the labels

    def __init__(self, settings: SettingsKeeper, worker: InferenceWorker) -> None:
        super().__init__()
        now = settings.now
        self._opened: OpenRun | None = None
        self._place_told = False  # where the labels lie
        self._told_trouble = ""
        self._applied = now
        self.settings = settings
        self.worker = worker
        self.background = Background()
        self.playback = Playback(self)
        self.look = LookKeeper(Look(patient=now.show_patient))
        self.tools = Tools()
        self.labelling = Labelling(self.playback, worker)
        self.measuring = Measuring(self.labelling, self.playback)
        self.key_images = KeyImages(self.labelling, self.playback, self.look)
        self.denoising = Denoising(worker, now.denoised_memory_mb << 20)
        self.subtraction = Subtraction(self.look, self.playback, self.background)
        self.enhancing = Enhancing(self.labelling, self.playback, self.look, self.background)
        self.heart = Heart(self.playback, self.background)
        self.adapting = Adapting(settings, self.denoising)
        self.leaving = Leaving(self.background)
        self.places = Places(self.playback, self.look, worker, settings, self.heart)
        self._asking_place = 0  # for which the library opens a run
        self.library = Library(self.background, settings, self.leaving)
        self.calibrating = Calibrating(self.labelling, self.background, self.library)
        self.vessels = Vessels(self.labelling, self.background, self.measuring)
        self._work = ""  # what the user waits for
        self._work_told = ""
        self._work_lasts = QTimer(self)
        self._work_lasts.setSingleShot(True)
        self._work_lasts.setInterval(TOLD_AFTER_MS)
        self._work_lasts.timeout.connect(self._tell_work)
        self._warm_up = QTimer(self)
        self._warm_up.setSingleShot(True)
        self._warm_up.setInterval(WARM_UP_AFTER_MS)
        self._warm_up.timeout.connect(self._prepare_saving)
        settings.changed.connect(self._apply_settings)
        self.look.changed.connect(self._follow_look)
        self.labelling.refused.connect(self.said)
        self.labelling.locked_changed.connect(lambda _: self.withdrawn.emit(locked_sentence()))
        self.calibrating.refused.connect(self.said)
        self.vessels.refused.connect(self.said)
        self.calibrating.working.connect(self._note_work)
        self.vessels.working.connect(self._note_work)
        self.labelling.labels_changed.connect(lambda _: self._tell_place())
        self.subtraction.failed.connect(self.failed)
        self.enhancing.said.connect(self.said)
        self.enhancing.failed.connect(self.failed)
        self.heart.said.connect(self.said)
        self.heart.failed.connect(self.failed)
        self.adapting.said.connect(self.said)
        self.adapting.warned.connect(self.warned)
        self.library.refused.connect(self.failed)
        self.library.opening.connect(self._note_place)
        self.library.opened.connect(self._open_where_asked)
        self.labelling.tracking.left_done.connect(self._let_go)
        self.places.said.connect(self.said)
        self.adapting.choice_changed.connect(lambda *_: self._share_weights())
        self.library.take_back = self._take_back
        worker.failed.connect(lambda _, text: self.failed.emit(text))
        worker.notice.connect(self.warned)
        self._trouble.connect(self._tell_trouble)

    @property
    def opened(self) -> OpenRun | None:
        """The run that is worked on."""
        return self._opened

    def open(self, opened: OpenRun | None) -> None:
        """Go on with another run in the active place; the former one is saved and closed."""
        if opened is not None and opened is self._opened:
            return
        self.leave()
        if opened is None:
            self.run_changed.emit(None)
            return
        frame = self.places.frame_for(opened, opened.store.state.playhead)
        self._take_up(Shown(opened, self.look.of_run(opened), frame))
        if self.settings.now.autoplay:
            self.playback.play()
        if opened.store.notice:
            self.warned.emit(opened.store.notice)
        for note in opened.run.notes:
            self.said.emit(note)

    def leave(self, wait_s: float = AT_ONCE_S) -> None:
        """Save and close the run that is worked on, within ``wait_s`` or on a thread."""
        shown = self._put_down()
        if shown is not None:
            self._let_go(shown.opened, wait_s)

    @property
    def files(self) -> tuple[Path, ...]:
        """What nothing may be written onto: the runs that are open and their labels files."""
        seen = [place.opened for place in self.places.seen] + [self._opened]
        return tuple(file for opened in seen if opened is not None for file in opened.files)

    def close_run(self, opened: OpenRun) -> None:
        """Save and close a run, in whichever place it is."""
        if opened is self._opened:
            self.open(None)
        elif (place := self.places.of(opened)) is not None:
            place.take()
            self._let_go(opened)

    # several runs side by side

    def denoising_of(self, opened: OpenRun) -> Denoising | None:
        """Return what denoises a run; None where it is closed, or in no place."""
        if opened is self._opened:
            return self.denoising
        place = self.places.of(opened)
        return None if place is None else place.denoising

    def activate(self, index: int) -> None:
        """Work on the run in another place; the one that was worked on stays to be seen."""
        if index == self.places.active or not 0 <= index < self.places.count:
            return
        plays_on = self.playback.playing and self.places.sync is not Sync.OFF
        taken = self.places.switch(index, self._put_down())
        if taken is None:
            self.places.lead(None)
            self.run_changed.emit(None)
        else:
            self._take_up(taken)
            if plays_on:
                self.playback.play()

    def activate_next(self, steps: int) -> None:
        """Go to the next place (+1), or the one before (-1)."""
        self.activate((self.places.active + steps) % self.places.count)

    def set_places(self, count: int) -> None:
        """Show so many runs side by side; the other plane of a biplane run comes by itself."""
        if self._opened is None and count < self.places.count:
            self.activate(self.places.first_seen)  # no run is closed for the sake of an empty place
        for gone in self.places.set_count(count):
            self._let_go(gone)
        self._share_memory()
        if self._opened is not None:
            plane = self.library.other_plane(self._opened.run.path)
            empty = self.places.first_empty
            if plane is not None and empty is not None and self.places.find(plane) is None:
                self.activate(empty)
                self.library.open_run(plane)

    def _put_down(self) -> Shown | None:
        """Work on no run; the one that was worked on stays open."""
        opened = self._opened
        if opened is None:
            return None
        self.places.lead(None)
        self.playback.set_run(None)
        self.remember_place()
        track, frame = self.labelling.selected, self.playback.frame
        selected = None if track is None else track.id
        shown = Shown(opened, self.look.now, frame, self.denoising.kept, selected)
        self._opened = None
        self.denoising.set_run(None)
        self.labelling.set_run(None)
        self.measuring.set_run(None)
        self.key_images.set_run(None)
        self.calibrating.set_run(None)
        self.vessels.set_run(None)
        self.heart.set_run(None)
        self.labelling.tracking.leave(opened)
        self.subtraction.set_run(None)
        self.enhancing.set_run(None)
        self.adapting.set_run(None)
        self.run_left.emit(opened)
        return shown

    def _take_up(self, shown: Shown) -> None:
        """Work on a run."""
        self._opened = opened = shown.opened
        opened.store.on_trouble = self._trouble.emit
        self._place_told = opened.store.path is not None
        self._share_memory()
        self.look.set(shown.look)
        self.labelling.set_run(opened)
        if shown.selected is not None:
            self.labelling.select(shown.selected)
        self.measuring.set_run(opened)
        self.key_images.set_run(opened)
        self.calibrating.set_run(opened)
        self.vessels.set_run(opened)
        self.heart.set_run(opened)
        self.denoising.set_run(opened, shown.denoised)
        self.subtraction.set_run(opened)
        self.enhancing.set_run(opened)
        self.adapting.set_run(opened)
        self.run_changed.emit(opened)
        self.playback.set_run(opened.run, shown.frame)
        self.places.lead(opened)
        self._warm_up.start()

    def _let_go(self, opened: OpenRun, wait_s: float = AT_ONCE_S) -> None:
        """Close a run that nobody sees, once it is tracked."""
        seen = opened is self._opened or self.places.of(opened) is not None
        if seen:
            return
        self.heart.leave(opened)
        if not self.labelling.tracking.leave(opened):
            self.leaving.close(opened, wait_s)

    def _note_place(self, path: Path | None) -> None:
        if path is not None:
            self._asking_place = self.places.active

    def _open_where_asked(self, opened: OpenRun) -> None:
        """Open a run in the place that was active when somebody asked for it."""
        self.activate(self._asking_place)
        self.open(opened)

    def _share_memory(self) -> None:
        """Give each run as much memory as one may have, or its share of what all may take."""
        now = self.settings.now
        seen = {place.opened for place in self.places.seen if place.opened is not None}
        runs = seen if self._opened is None else seen | {self._opened}
        for opened in runs:
            opened.cache.set_budget(_share(now.frame_memory_mb << 20, len(runs)))
        shown = len(self.places.seen) + (self._opened is not None)
        for denoising in (self.denoising, *(place.denoising for place in self.places.all)):
            denoising.set_budget(_share(now.denoised_memory_mb << 20, shown))

    def _share_weights(self) -> None:
        for place in self.places.all:
            place.denoising.set_weights(self.denoising.weights)

    def _take_back(self, path: Path) -> OpenRun | None:
        here = self._opened
        if here is not None and here.lies_at(path):
            return here
        return (
            self.places.find(path)
            or self.labelling.tracking.take_back(path)
            or self.leaving.take_back(path)
        )

    def _prepare_saving(self) -> None:
        """Import what the first gesture needs, once the first frame is on the screen."""
        self.background.start(lambda _: warm_up(), lambda _: None, self.failed.emit, patient=True)

    def _tell_trouble(self, why: str) -> None:
        """Say that labels are not saved, or that they are again."""
        self.withdrawn.emit(self._told_trouble)
        self._told_trouble = why
        if why:
            self.failed.emit(why)
        else:
            self.said.emit(tr("All labels are saved."))

    def _note_work(self, what: str) -> None:
        """Note what the user waits for; it is said where it takes long."""
        self._work = what
        if what:
            self._work_lasts.start()
        else:
            self._tell_work()

    def _tell_work(self) -> None:
        self._work_lasts.stop()
        if self._work_told:
            self.withdrawn.emit(self._work_told)
        self._work_told = self._work
        if self._work:
            self.said.emit(self._work)

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
            remember(self._opened, self.look.now, self.playback.frame)

    def close(self) -> bool:
        """Save everything and end the threads.

        Returns
        -------
        bool
            False where something cannot be saved at once: `leaving` tells when that is done, or
            asks. The session goes on, without a run.
        """
        self._warm_up.stop()
        self._work_lasts.stop()
        self.adapting.cancel()
        self.leave(CLOSING_S)
        self.run_changed.emit(None)
        for place in self.places.seen:
            shown = place.take()
            if shown is not None:
                self._let_go(shown.opened, CLOSING_S)
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
        memory = settings.frame_memory_mb, settings.denoised_memory_mb
        if memory != (before.frame_memory_mb, before.denoised_memory_mb):
            self._share_memory()

    def _follow_look(self, before: Look, now: Look) -> None:
        if now.comparison != before.comparison:
            self.denoising.set_wanted(now.comparison is not Comparison.ORIGINAL)


def _share(wanted_bytes: int, count: int) -> int:
    """Return what each of ``count`` gets: all it wants where the machine has enough for them."""
    most = max(wanted_bytes, allowed_bytes(None))
    return min(wanted_bytes, most // max(count, 1))
