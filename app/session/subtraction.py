"""Mask subtraction (DSA) of the open run: on and off, its mask, how that follows each frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from app.display.settings import DisplaySettings, Peak
from app.session.background import Background, Task
from app.session.look import Look, LookKeeper
from app.session.open_run import OpenRun
from app.session.playback import Playback
from inference.frames import ShouldStop
from inference.subtraction import Registration, RegistrationStoppedError

STEP_PX = 0.5
"""How far one key press moves the mask."""
LANDMARK_STEP = 0.1


class Subtraction(QObject):
    """Does what the menu "Subtraction" offers.

    Masks are registered on a thread, from the playhead on, as many as are kept; where the playhead
    comes to a frame without one, the thread starts again from there.

    Signals
    -------
    failed(str) : one sentence, why the mask cannot be had.
    registered(int) : this frame can be shown as it is wanted: registered, or as the peak.
    registering_changed() : how far registering has come.
    """

    failed = Signal(str)
    registered = Signal(int)
    registering_changed = Signal()

    def __init__(self, look: LookKeeper, playback: Playback, background: Background) -> None:
        super().__init__()
        self._look = look
        self._playback = playback
        self._background = background
        self._opened: OpenRun | None = None
        self._task: Task | None = None
        self.share: float | None = None
        """How much of what is being registered is done, 0 to 1; None where nothing is."""
        self._stopped = False  # by the user, until the way or the mask is another
        look.changed.connect(self._follow_look)
        playback.frame_changed.connect(self._follow_playhead)

    def set_run(self, opened: OpenRun | None) -> None:
        """Subtract in another run."""
        self._cancel()
        self._opened = opened
        self._stopped = False
        self._register()

    def toggle(self) -> None:
        """Subtract the mask that was chosen, else the file's, else the first frame; or stop it."""
        on = not self._look.now.grey.subtracted
        self._change(lambda settings: _subtracted(settings, on))

    def use_this_frame(self) -> None:
        """Take the frame on the screen for the mask."""
        self._use((self._playback.frame,))

    def use_span(self, span: tuple[int, int] | None) -> None:
        """Take the mean of a span of frames, both ends included, for the mask."""
        if span is not None:
            self._use(tuple(range(span[0], span[1] + 1)))

    def set_registration(self, registration: Registration) -> None:
        """Let the mask follow each frame in this way."""
        self._stopped = False
        if self._task is None and registration is self._look.now.grey.registration:
            self._register()  # it was stopped
        self._change(lambda settings: replace(_subtracted(settings), registration=registration))

    def stop_registering(self) -> None:
        """Leave the frames that have no registered mask yet as they are."""
        if self._task is not None:
            self._stopped = True
            self._cancel()

    def show_peak(self, peak: Peak) -> None:
        """Show contrast over the whole run in one way; asked again, or OFF, frames."""
        wanted = Peak.OFF if peak is self.shown_peak else peak
        self._stopped = False
        self._change(lambda settings: replace(_subtracted(settings), peak=wanted))

    @property
    def shown_peak(self) -> Peak:
        """What of contrast over the whole run is wanted."""
        grey = self._look.now.grey
        return grey.peak if grey.subtracted else Peak.OFF

    def change_landmarks(self, steps: int) -> None:
        """Let more or less of the unsubtracted picture stay."""

        def changed(settings: DisplaySettings) -> DisplaySettings:
            return _with_landmarks(settings, settings.landmarks + LANDMARK_STEP * steps)

        self._change(changed)

    def set_landmarks(self, share: float) -> None:
        """Let this share of the unsubtracted picture stay, 0 to 1."""
        now = self._look.now.grey
        if now.subtracted:  # its mask is there
            self._look.change(grey=_with_landmarks(now, share))
        else:
            self._change(lambda settings: _with_landmarks(settings, share))

    def move(self, right: int, down: int) -> None:
        """Move the mask a step by hand, after what the patient has moved since."""

        def moved(settings: DisplaySettings) -> DisplaySettings:
            x, y = settings.mask_shift_px
            shift = (x + STEP_PX * right, y + STEP_PX * down)
            registration = Registration.OFF  # which would find a place of its own
            return replace(_subtracted(settings), mask_shift_px=shift, registration=registration)

        self._change(moved)

    def reset(self) -> None:
        """Take the file's mask as it is."""
        self._change(lambda settings: replace(settings, mask_frames=(), mask_shift_px=(0.0, 0.0)))

    def _use(self, frames: tuple[int, ...]) -> None:
        self._change(lambda settings: replace(_subtracted(settings), mask_frames=frames))

    def _follow_look(self, before: Look, now: Look) -> None:
        if _fits(before.grey) != _fits(now.grey):
            self._cancel()
            self._stopped = False
            self._register()

    def _follow_playhead(self, _: int) -> None:
        if self._task is None and not self._stopped:
            self._register()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._tell(None)

    def _tell(self, share: float | None) -> None:
        if share is None:
            self._task = None
        self.share = share
        self.registering_changed.emit()

    def _register(self) -> None:
        """Compute what the frame under the playhead is to be shown by, unless it is there."""
        opened, settings = self._opened, self._look.now.grey
        if opened is None:
            return
        first = min(self._playback.frame, opened.run.frame_count - 1)
        if _is_due(opened, settings, first):
            self._compute(opened, settings, first)

    def waits_for(self, opened: OpenRun, settings: DisplaySettings, frame: int) -> bool:
        """Tell whether a frame will yet be shown otherwise; what is missing is computed.

        For pictures out of sight. False where registering was stopped, or has failed.
        """
        if opened is not self._opened or self._stopped or not _is_due(opened, settings, frame):
            return False
        if self._task is None:
            self._compute(opened, settings, frame)
        return True

    def _compute(self, opened: OpenRun, settings: DisplaySettings, first: int) -> None:
        display, count = opened.display, opened.run.frame_count
        room = min(count, display.registered_room)

        def masks(stop: ShouldStop, tell: Callable[[int, float], None]) -> None:
            for done in range(room):
                frame = (first + done) % count
                display.register(settings, frame, stop)
                tell(frame, (done + 1) / room)

        def everything(stop: ShouldStop, tell: Callable[[int, float], None]) -> None:
            if settings.peak is Peak.OFF:
                masks(stop, tell)
            else:
                display.find_peak(settings, stop, tell)
            display.narrow_window(settings)

        self._start(everything)

    def _start(self, compute: Callable[[ShouldStop, Callable[[int, float], None]], None]) -> None:
        def work(task: Task) -> None:
            try:
                compute(lambda: task.cancelled, lambda *told: task.report(told))
            except RegistrationStoppedError:
                return

        def progress(told: tuple[int, float]) -> None:
            frame, share = told
            self._tell(share)
            self.registered.emit(frame)

        def done(_: object) -> None:
            self._tell(None)
            self.registered.emit(self._playback.frame)

        def failed(text: str) -> None:
            self._stopped = True
            self._tell(None)
            self.failed.emit(text)

        self._task = self._background.start(work, done, failed, progress)
        self._tell(0.0)

    def _change(self, change: Callable[[DisplaySettings], DisplaySettings]) -> None:
        """Change the settings, once the mask's frames are decoded.

        Key presses that follow each other fast each add their step to what is there by then.
        """
        look, opened = self._look, self._opened
        settings = change(look.now.grey)
        if opened is None or not settings.subtracted:
            look.change(grey=settings)
            return
        frame = self._playback.frame

        def show(_: object) -> None:
            if self._opened is opened:
                look.change(grey=change(look.now.grey))

        self._background.start(
            lambda _: opened.display.prepare_mask(settings, frame), show, self.failed.emit
        )


def unsubtracted(settings: DisplaySettings) -> DisplaySettings:
    """Return the settings of the plain picture."""
    return _subtracted(settings, on=False)


def _subtracted(settings: DisplaySettings, on: bool = True) -> DisplaySettings:
    """Turn subtraction on or off; each has a window of its own."""
    if settings.subtracted == on:
        return settings
    return replace(settings, subtracted=on, voi=settings.other_voi, other_voi=settings.voi)


def _with_landmarks(settings: DisplaySettings, share: float) -> DisplaySettings:
    return replace(_subtracted(settings), landmarks=round(min(max(share, 0.0), 1.0), 6))


def _is_due(opened: OpenRun, settings: DisplaySettings, frame: int) -> bool:
    """Tell whether what a frame is to be shown by has yet to be computed."""
    if not settings.subtracted:
        return False
    if settings.peak is not Peak.OFF:
        return opened.display.peak(settings) is None
    registers = settings.registration is not Registration.OFF
    return registers and not opened.display.is_registered(settings, frame)


def _fits(settings: DisplaySettings) -> tuple[object, ...]:
    """Return what registered masks and contrast over the run depend on."""
    peak = settings.peak is not Peak.OFF
    fits = settings.subtracted, settings.mask_frames, settings.registration, peak
    return (*fits, settings.mask_shift_px, settings.landmarks) if peak else fits
