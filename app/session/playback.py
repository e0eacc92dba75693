"""Plays the cine: asks the clock which frame is due and says so once for each frame."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.runs.run import Run
from app.session.cine_clock import CineClock, Repeat

SPEEDS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 4.0)
"""Usual playing speeds, 1 = true time."""
MIN_TICK_MS = 1.0
LATENESS_KEPT = 4000


def now_ms() -> float:
    """Return a monotonic time in ms."""
    return time.perf_counter() * 1000.0


class Playback(QObject):
    """The playhead: stepping, seeking and true-time playing.

    Signals
    -------
    frame_changed(int) : the frame to show; while playing, late frames are dropped.
    playing_changed(bool)
    speed_changed(float), repeat_changed(Repeat)
    ended() : a run that is played once has come to its end.
    """

    frame_changed = Signal(int)
    playing_changed = Signal(bool)
    speed_changed = Signal(float)
    repeat_changed = Signal(object)
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._tick)
        self._run: Run | None = None
        self._clock: CineClock | None = None
        self._played = np.arange(0)  # the frames that are played, in their order
        self._frame = 0
        self._playing = False
        self._speed = 1.0
        self._repeat = Repeat.LOOP
        self.lateness_ms: deque[float] = deque(maxlen=LATENESS_KEPT)
        """How late each played frame was asked for, since play was pressed."""
        self.asked_at_ms = 0.0
        """When the last played frame was asked for, by `now_ms`."""
        self.dropped = 0
        """Frames that were never shown since play was pressed, because they came too late."""

    @property
    def frame(self) -> int:
        """The frame under the playhead."""
        return self._frame

    @property
    def position_ms(self) -> float:
        """The time of the run now, between two frames while it plays."""
        if self._clock is None:
            return 0.0
        assert self._run is not None
        if self._playing:
            begin = float(self._run.frame_times_ms[self._played[0]])
            return begin + self._clock.position_ms(now_ms())
        return float(self._run.frame_times_ms[self._frame])

    @property
    def playing(self) -> bool:
        """True while the cine runs."""
        return self._playing

    @property
    def speed(self) -> float:
        """Playing speed, 1 = true time."""
        return self._speed

    @property
    def repeat(self) -> Repeat:
        """What happens at the end of the run."""
        return self._repeat

    def set_run(self, run: Run | None, frame: int = 0) -> None:
        """Take another run, with the playhead on ``frame``; playing stops."""
        self.pause()
        self._run, self._clock = run, None
        if run is None:
            return
        self._take_frames(np.arange(run.frame_count))
        self._frame = min(max(frame, 0), run.frame_count - 1)
        self.frame_changed.emit(self._frame)

    def set_played(self, frames: Sequence[int] | None) -> None:
        """Play, step and seek through these frames alone, growing; None takes all."""
        run = self._run
        if run is None or (frames is not None and not len(frames)):
            return
        self._take_frames(np.arange(run.frame_count) if frames is None else np.array(frames))
        if self._playing:
            self._start_clock()
        self.seek(self._frame)

    def _take_frames(self, frames: NDArray[np.intp]) -> None:
        assert self._run is not None
        times_ms = self._run.frame_times_ms[frames]
        ends_ms = np.append(self._run.frame_times_ms[1:], self._run.duration_ms)
        last_ms = float(ends_ms[frames[-1]] - times_ms[-1])
        if len(frames) > 1 and (np.diff(frames) != 1).any():  # each stays until the next one
            last_ms = float(np.median(np.diff(times_ms)))
        self._played = frames
        self._clock = CineClock(times_ms - times_ms[0], float(times_ms[-1] - times_ms[0]) + last_ms)
        self._clock.set_speed(self._speed, 0.0)
        self._clock.set_repeat(self._repeat, 0.0)

    def _place_of(self, frame: int) -> int:
        """Return which of the played frames is nearest."""
        return int(np.argmin(np.abs(self._played - frame)))

    def _start_clock(self) -> None:
        assert self._clock is not None
        self._clock.start(self._place_of(self._frame), now_ms())

    def play(self) -> None:
        """Start from the playhead (from the first frame at the end of a run played once)."""
        if self._clock is None or len(self._played) < 2 or self._playing:
            return
        if self._repeat is Repeat.ONCE and self._frame == self._played[-1]:
            self._show(int(self._played[0]))
        self._playing = True
        self.lateness_ms.clear()
        self.dropped = 0
        self._start_clock()
        self.playing_changed.emit(True)
        self._tick()

    def pause(self) -> None:
        """Stop on the frame that is shown."""
        self._timer.stop()
        if self._playing:
            self._playing = False
            self.playing_changed.emit(False)

    def toggle(self) -> None:
        """Play or pause."""
        if self._playing:
            self.pause()
        else:
            self.play()

    def seek(self, frame: int) -> None:
        """Go to a frame, or the nearest that is played; a running cine goes on from there."""
        if self._clock is None:
            return
        frame = int(self._played[self._place_of(frame)])
        if self._playing:
            self._clock.start(self._place_of(frame), now_ms())
        if frame != self._frame:
            self._show(frame)

    def seek_end(self) -> None:
        """Go to the last frame."""
        if self._clock is not None:
            self.seek(int(self._played[-1]))

    def step(self, frames: int) -> None:
        """Pause and go ``frames`` on (or back where negative); wraps where the run loops."""
        if self._clock is None:
            return
        self.pause()
        target, count = self._place_of(self._frame) + frames, len(self._played)
        if self._repeat is Repeat.LOOP and abs(frames) == 1:
            target %= count
        self.seek(int(self._played[min(max(target, 0), count - 1)]))

    def set_speed(self, speed: float) -> None:
        """Set the playing speed (0.1 to 4) without a jump."""
        self._speed = min(max(speed, SPEEDS[0]), SPEEDS[-1])
        if self._clock is not None:
            self._clock.set_speed(self._speed, now_ms())
        self.speed_changed.emit(self._speed)
        self._retime()

    def change_speed(self, steps: int) -> None:
        """Go to the next faster (+1) or slower (-1) of the usual speeds."""
        nearest = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - self._speed))
        self.set_speed(SPEEDS[min(max(nearest + steps, 0), len(SPEEDS) - 1)])

    def set_repeat(self, repeat: Repeat) -> None:
        """Set what happens at the end of the run."""
        self._repeat = repeat
        if self._clock is not None:
            self._clock.set_repeat(repeat, now_ms())
        self.repeat_changed.emit(repeat)
        self._retime()

    def cycle_repeat(self) -> None:
        """Loop, bounce, once, and round again."""
        ways = tuple(Repeat)
        self.set_repeat(ways[(ways.index(self._repeat) + 1) % len(ways)])

    def _retime(self) -> None:
        if self._playing:
            self._timer.start(0)

    def _show(self, frame: int) -> None:
        self._frame = frame
        self.frame_changed.emit(frame)

    def _tick(self) -> None:
        if self._clock is None or not self._playing:
            return
        self.asked_at_ms = now_ms()
        due = self._clock.due(self.asked_at_ms)
        frame = int(self._played[due.frame])
        if due.ended:
            if self._frame != frame:
                self._show(frame)
            self.pause()
            self.ended.emit()
            return
        if frame != self._frame:
            skipped = abs(due.frame - self._place_of(self._frame)) - 1
            if 0 < skipped < len(self._played) // 2:
                self.dropped += skipped
            self.lateness_ms.append(due.since_ms)
            self._show(frame)
            due = self._clock.due(now_ms())
        if self._playing:
            self._timer.start(round(max(due.next_in_ms, MIN_TICK_MS)))
