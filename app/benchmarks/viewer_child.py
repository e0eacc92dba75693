"""One measured start of the real window, in its own process; prints one JSON line."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, QTimer, Signal

from app.benchmarks.denoised_passes import Pass
from app.session.look import Comparison
from app.session.settings import Settings, SettingsKeeper
from app.window.application import make_application
from app.window.main_window import MainWindow
from app.window.picture import Picture
from widgets.picture.picture_view import PictureView

POLL_MS = 10
GIVE_UP_S = 300.0
BEFORE_PLAYING_MS = 500
MOST_LOOPS = 2
"""Loops that are played at once; after a rest, in which all is denoised, one more follows."""


def process_age_ms() -> float:
    """Return how long ago this process was started (Linux: field 22 of /proc/self/stat)."""
    ticks = int(Path("/proc/self/stat").read_text("ascii").rsplit(")", 1)[1].split()[19])
    uptime_s = float(Path("/proc/uptime").read_text("ascii").split()[0])
    return (uptime_s - ticks / 100.0) * 1000.0


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process (Linux: VmHWM)."""
    status = Path("/proc/self/status").read_text("ascii")
    peak_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak_kb) / 1024.0


@dataclass
class PaintWatch(QObject):
    """Notes when a picture is painted: how long after the frame on it was due."""

    window: MainWindow
    picture: Picture
    view: PictureView
    lateness_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._due_at_ms: float | None = None
        self.picture.frame_shown.connect(self._note)
        self.view.viewport().installEventFilter(self)

    def _note(self, _: int) -> None:
        playback = self.window.session.playback
        if playback.playing and playback.lateness_ms:
            self._due_at_ms = playback.asked_at_ms - playback.lateness_ms[-1]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note a paint after it has been done."""
        if event.type() is QEvent.Type.Paint and self._due_at_ms is not None:
            due, self._due_at_ms = self._due_at_ms, None
            QTimer.singleShot(
                0, self, lambda: self.lateness_ms.append(time.perf_counter() * 1000.0 - due)
            )
        return False


class Passes(QObject):
    """Plays a run loop by loop and notes which of the frames shown were denoised.

    Signals
    -------
    ended() : the last loop has been played.
    """

    ended = Signal()

    def __init__(self, window: MainWindow, loop_s: float) -> None:
        super().__init__()
        self._window, self._loop_s = window, loop_s
        self.passes: list[Pass] = []
        self.dropped = 0
        self._rested = False
        self.all_denoised_s: float | None = None
        self._begun_s = time.perf_counter()
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._wait_for_all)
        window.picture.frame_shown.connect(self._note)

    def start(self) -> None:
        """Play the first loops, one straight after the other."""
        self._window.session.playback.play()
        self._begin_loop()

    def _begin_loop(self) -> None:
        count = len(self._window.session.denoising.ready())
        self.passes.append(Pass(count, time.perf_counter()))
        self._ready_before = int(self._window.session.denoising.ready().sum())
        QTimer.singleShot(int(1000 * self._loop_s), self, self._end_loop)

    def _end_loop(self) -> None:
        loop = self.passes[-1]
        loop.ended_s = time.perf_counter()
        loop.computed = int(self._window.session.denoising.ready().sum()) - self._ready_before
        if self._rested:
            self.dropped += self._window.session.playback.dropped
            self.ended.emit()
        elif len(self.passes) < MOST_LOOPS:
            self._begin_loop()
        else:
            self.dropped = self._window.session.playback.dropped
            self._window.session.playback.pause()
            self._poll.start()

    def _wait_for_all(self) -> None:
        now_s = time.perf_counter()
        done = bool(self._window.session.denoising.ready().all())
        if done or now_s - self._begun_s > GIVE_UP_S:
            self._poll.stop()
            self.all_denoised_s = now_s - self._begun_s if done else None
            self._rested = True
            self._window.session.playback.play()
            self._begin_loop()

    def _note(self, frame: int) -> None:
        if self.passes and self._window.session.playback.playing:
            denoised = bool(self._window.session.denoising.ready()[frame])
            self.passes[-1].shown.append((time.perf_counter(), denoised))


def main(path: Path, play_s: float, denoise: bool, beside: Path | None = None) -> None:
    """Open ``path``, wait for all frames, play for ``play_s`` seconds, and tell the figures.

    A run that is ``beside`` it follows it in a second place.
    """
    figures: dict[str, Any] = {}
    app = make_application()
    window = MainWindow(SettingsKeeper(Settings(), project_folder="/tmp"))
    window.resize(1440, 900)
    window.show()
    app.processEvents()
    figures["window_ms"] = process_age_ms()
    watches = [PaintWatch(window, window.picture, window.view)]
    passes = Passes(window, play_s)
    begun = time.perf_counter()

    def since_ms() -> float:
        return (time.perf_counter() - begun) * 1000.0

    def wait_for_frames() -> None:
        if window.session.opened is not None:
            ready = window.session.opened.cache.ready()
            if window.picture.complete:
                figures.setdefault("first_frame_ms", since_ms())
            if window.session.opened.cache.resting:
                figures["all_frames_ms"] = since_ms() if ready.all() else None
                figures["decoded_frames"] = int(ready.sum())
                if beside is None or len(watches) > 1:
                    poll.stop()
                    start_playing()
                    return
                open_beside(beside)
        if since_ms() > GIVE_UP_S * 1000.0:
            app.exit(1)

    def open_beside(other: Path) -> None:
        window.session.set_places(2)
        picture, view = window.places_view.pictures[0], window.place_grid.view(0)
        watches.append(PaintWatch(window, picture, view))
        window.session.activate(1)
        window.session.library.open_run(other)

    def start_playing() -> None:
        if play_s <= 0:
            finish()
        elif denoise:
            window.session.look.change(comparison=Comparison.DENOISED)
            passes.ended.connect(finish)
            QTimer.singleShot(BEFORE_PLAYING_MS, passes.start)
        else:
            QTimer.singleShot(BEFORE_PLAYING_MS, window.session.playback.play)
            QTimer.singleShot(int(BEFORE_PLAYING_MS + play_s * 1000), finish)

    def finish() -> None:
        late = sorted(late_ms for watch in watches for late_ms in watch.lateness_ms)
        if late:
            figures["shown"] = len(late)
            figures["late_median_ms"] = late[len(late) // 2]
            figures["late_p99_ms"] = late[int(len(late) * 0.99)]
        painted = [len(watch.lateness_ms) for watch in watches]
        dropped = len(watches) * window.session.playback.dropped + max(painted) - min(painted)
        figures["dropped"] = passes.dropped if denoise else dropped
        figures["passes"] = [loop.figures() for loop in passes.passes]
        figures["all_denoised_s"] = passes.all_denoised_s
        figures["peak_mb"] = peak_memory_mb()
        window.close()
        app.quit()

    poll = QTimer()
    poll.setInterval(POLL_MS)
    poll.timeout.connect(wait_for_frames)
    poll.start()
    window.session.library.open_paths([path])
    app.exec()
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    others = [Path(argument) for argument in sys.argv[4:]]
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "denoise", *others)
