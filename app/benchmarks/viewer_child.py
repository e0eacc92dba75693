"""One measured start of the real window, in its own process; prints one JSON line."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer

from app.session.settings import Settings, SettingsKeeper
from app.window.application import make_application
from app.window.main_window import MainWindow
from widgets.picture.compare import ViewMode

POLL_MS = 10
GIVE_UP_S = 300.0


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
    """Notes when the picture is painted: how long after the frame on it was due."""

    window: MainWindow
    lateness_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._due_at_ms: float | None = None
        self.window.picture.frame_shown.connect(self._note)
        self.window.view.viewport().installEventFilter(self)

    def _note(self, _: int) -> None:
        playback = self.window.playback
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


def main(path: Path, play_s: float, denoise: bool) -> None:
    """Open ``path``, wait for all frames, play for ``play_s`` seconds, and tell the figures."""
    figures: dict[str, float | int | None] = {}
    app = make_application()
    window = MainWindow(SettingsKeeper(Settings(), project_folder="/tmp"))
    window.resize(1440, 900)
    window.show()
    app.processEvents()
    figures["window_ms"] = process_age_ms()
    watch = PaintWatch(window)
    begun = time.perf_counter()

    def since_ms() -> float:
        return (time.perf_counter() - begun) * 1000.0

    def wait_for_frames() -> None:
        if window.review is not None:
            ready = window.review.cache.ready()
            if window.picture.complete:
                figures.setdefault("first_frame_ms", since_ms())
            if window.review.cache.resting:
                figures["all_frames_ms"] = since_ms() if ready.all() else None
                figures["decoded_frames"] = int(ready.sum())
                poll.stop()
                start_playing()
                return
        if since_ms() > GIVE_UP_S * 1000.0:
            app.exit(1)

    def start_playing() -> None:
        if denoise:
            window.picture.set_mode(ViewMode.DENOISED)
        if play_s <= 0:
            finish()
            return
        QTimer.singleShot(500, window.playback.play)
        QTimer.singleShot(int(500 + play_s * 1000), finish)

    def finish() -> None:
        late = sorted(watch.lateness_ms)
        if late:
            figures["shown"] = len(late)
            figures["late_median_ms"] = late[len(late) // 2]
            figures["late_p99_ms"] = late[int(len(late) * 0.99)]
        figures["dropped"] = window.playback.dropped
        figures["denoised_frames"] = int(window.denoising.ready().sum())
        figures["peak_mb"] = peak_memory_mb()
        window.close()
        app.quit()

    poll = QTimer()
    poll.setInterval(POLL_MS)
    poll.timeout.connect(wait_for_frames)
    poll.start()
    window.library.open_paths([path])
    app.exec()
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "denoise")
