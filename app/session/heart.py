"""The beats of the heart: steps from beat to beat, loops of one, one phase alone."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from gettext import gettext as tr
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from app.session.background import Background, Task
from app.session.open_run import OpenRun
from app.session.playback import Playback
from inference.heart.phase import HeartPhase, phase_from_r_waves

HeartAction = Callable[[HeartPhase], None]
END_DIASTOLE = 0.0


class Played(Enum):
    """Which frames of the run are played."""

    ALL = auto()
    BEAT = auto()
    PHASE = auto()


class Heart(QObject):
    """Knows the phase of the heart in each run, by its R waves or from its pictures.

    Signals
    -------
    changed() : the phase is known now, or other frames are played.
    said(str), failed(str) : a sentence for the user.
    """

    changed = Signal()
    said = Signal(str)
    failed = Signal(str)

    def __init__(self, playback: Playback, background: Background) -> None:
        super().__init__()
        self._playback = playback
        self._background = background
        self._opened: OpenRun | None = None
        self._known: WeakKeyDictionary[OpenRun, HeartPhase | None] = WeakKeyDictionary()
        self._estimating: dict[OpenRun, Task] = {}
        self._played = Played.ALL
        self._phase = END_DIASTOLE
        self._by_beat = False

    def set_run(self, opened: OpenRun | None) -> None:
        """Count the beats of another run."""
        self._opened = opened
        self._played = Played.ALL
        self.changed.emit()

    def leave(self, opened: OpenRun) -> None:
        """Look no longer for the beats of a run, which is closed."""
        if opened in self._estimating:
            self._estimating.pop(opened).cancel()

    @property
    def phase(self) -> HeartPhase | None:
        """The phase in each frame of the open run; None where nobody knows it yet."""
        return None if self._opened is None else self.phase_of(self._opened)

    def phase_of(self, opened: OpenRun) -> HeartPhase | None:
        """Return the phase in each frame of a run, as far as it is known."""
        if opened not in self._known:
            ecg = opened.run.ecg
            waves = () if ecg is None else ecg.r_wave_times_ms
            found = phase_from_r_waves(opened.run.frame_times_ms, waves)
            if found is None:
                return None
            self._known[opened] = found
        return self._known[opened]

    @property
    def played(self) -> Played:
        """Which frames are played."""
        return self._played

    @property
    def end_diastole_alone(self) -> bool:
        """True where one frame of each beat is played, at end-diastole."""
        return self._played is Played.PHASE and self._phase == END_DIASTOLE

    @property
    def one_phase_alone(self) -> bool:
        """True where one frame of each beat is played, at another phase."""
        return self._played is Played.PHASE and self._phase != END_DIASTOLE

    @property
    def by_beat(self) -> bool:
        """True where the motion of the tracks is drawn beat over beat."""
        return self._by_beat and self.phase is not None

    @property
    def text(self) -> str:
        """What of this the picture says; "" where all frames are played."""
        known = self.phase
        if known is None or self._played is Played.ALL:
            return ""
        if self._played is Played.BEAT:
            told = tr("One beat in a loop")
        elif self._phase == END_DIASTOLE:
            told = tr("End-diastole alone")
        else:
            told = tr("{percent}% of the beat alone").format(percent=round(100 * self._phase))
        return (
            told if known.from_ecg else tr("{what}, estimated from the pictures").format(what=told)
        )

    # what the user asks for

    def step(self, beats: int) -> None:
        """Go to the frame at the next R wave (+1), or the one before (-1)."""
        self._know_and(lambda known: self._step(known, beats))

    def toggle_beat(self) -> None:
        """Play the beat under the playhead in a loop, or everything again."""
        self._toggle(Played.BEAT)

    def toggle_end_diastole(self) -> None:
        """Play the end-diastolic frame of each beat alone, or everything again."""
        if self.one_phase_alone:
            self._play(None, Played.ALL)
        self._phase = END_DIASTOLE
        self._toggle(Played.PHASE)

    def toggle_this_phase(self) -> None:
        """Play the frames of the phase under the playhead alone, or everything again."""
        if self.one_phase_alone:
            self._play(None, Played.ALL)
            return

        def take(known: HeartPhase) -> None:
            self._phase = float(known.phase[self._playback.frame])
            self._play(known, Played.PHASE)

        self._know_and(take)

    def toggle_by_beat(self) -> None:
        """Draw the motion of the tracks beat over beat, or over the time."""
        self._by_beat = not self._by_beat
        if self._by_beat:
            self._know_and(lambda _: self.changed.emit())
        self.changed.emit()

    def _toggle(self, played: Played) -> None:
        if self._played is played:
            self._play(None, Played.ALL)
        else:
            self._know_and(lambda known: self._play(known, played))

    def _play(self, known: HeartPhase | None, played: Played) -> None:
        frames: tuple[int, ...] | None = None
        if known is not None and played is Played.BEAT:
            frames = _beat_around(known, self._playback.frame)
        elif known is not None and played is Played.PHASE:
            frames = known.frames_at(self._phase)
        self._played = played
        self._playback.set_played(frames)
        self.changed.emit()

    def _step(self, known: HeartPhase, beats: int) -> None:
        frames, now = np.array(known.frames_at(END_DIASTOLE)), self._playback.frame
        there = frames[frames > now] if beats > 0 else frames[frames < now][::-1]
        self._playback.pause()
        if len(there):
            self._playback.seek(int(there[0]))
        elif len(frames):  # round and round
            self._playback.seek(int(frames[0] if beats > 0 else frames[-1]))

    # knowing the phase

    def _know_and(self, go_on: HeartAction) -> None:
        """Go on with the phase, once it is known; without an ECG the pictures are looked at."""
        opened = self._opened
        if opened is None or opened in self._estimating:
            return
        known = self.phase_of(opened)
        if known is not None:
            go_on(known)
        elif opened in self._known:
            self._say_none(opened)
        else:
            self._look_for(opened, go_on)

    def look_for(self, opened: OpenRun) -> None:
        """Look for the beats of a run in its pictures, where no ECG tells them; once."""
        known = self.phase_of(opened) is not None or opened in self._known
        if not known and opened not in self._estimating:
            self._look_for(opened, lambda _: None)

    def _look_for(self, opened: OpenRun, go_on: HeartAction) -> None:
        name = opened.run.path.name
        told = tr("{name} has no ECG: the heart beat is looked for in the pictures.")
        self.said.emit(told.format(name=name))

        def work(task: Task) -> HeartPhase | None:
            from inference.heart.from_pictures import phase_from_pictures

            def read(index: int) -> NDArray[np.float32]:
                return np.asarray(opened.sequence.read(index), np.float32)

            times_ms = opened.run.frame_times_ms
            return phase_from_pictures(read, times_ms, lambda: task.cancelled)

        def done(found: HeartPhase | None) -> None:
            del self._estimating[opened]
            self._known[opened] = found
            self.changed.emit()
            if found is None:
                self._say_none(opened)
                return
            told = tr("{name}, estimated from its pictures: {rate} beats a minute.")
            self.said.emit(told.format(name=name, rate=round(60_000.0 / found.period_ms)))
            if opened is self._opened:
                go_on(found)

        def failed(text: str) -> None:
            del self._estimating[opened]
            self.failed.emit(text)

        self._estimating[opened] = self._background.start(work, done, failed)

    def _say_none(self, opened: OpenRun) -> None:
        told = tr("Neither an ECG nor the pictures of {name} show a heart beat.")
        self.said.emit(told.format(name=opened.run.path.name))


def _beat_around(known: HeartPhase, frame: int) -> tuple[int, ...]:
    """Return the frames of the beat that a frame belongs to."""
    beats = np.floor(known.beats + 1e-9)
    return tuple(np.flatnonzero(beats == beats[frame]).tolist())
