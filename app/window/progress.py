"""What is decoded and denoised, and the rate at which frames reach the screen."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from app.session.denoising import Denoising
from app.session.open_run import OpenRun
from app.session.playback import Playback
from widgets.timeline.play_bar import PlayBar
from widgets.timeline.timeline import Timeline

REFRESH_MS = 200
KEPT = 0.8
"""Share of the former rate in the one that is shown: single late frames do not make it flicker."""


class Progress(QObject):
    """Shows five times a second how far the background's work has come while a run is open."""

    rested = Signal()  # the playhead stands still: where and how one looks can be saved

    def __init__(
        self, playback: Playback, denoising: Denoising, timeline: Timeline, play_bar: PlayBar
    ) -> None:
        super().__init__(playback)
        self._playback, self._denoising = playback, denoising
        self._timeline, self._play_bar = timeline, play_bar
        self._opened: OpenRun | None = None
        self._shown_frames = 0
        self._smoothed_rate = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self._show)
        playback.playing_changed.connect(self._set_playing)

    def set_run(self, opened: OpenRun | None) -> None:
        """Show the progress of another run; None stops."""
        self._opened = opened
        if opened is None:
            self._timer.stop()
        else:
            self._timer.start()

    def count_frame(self, _: int) -> None:
        """Count a frame that has reached the screen."""
        self._shown_frames += 1

    def _show(self) -> None:
        opened = self._opened
        assert opened is not None
        self._timeline.set_buffered(opened.cache.ready())
        self._timeline.set_denoised(self._denoising.ready())
        if self._playback.playing:
            shown = self._shown_frames * 1000.0 / REFRESH_MS
            self._smoothed_rate = KEPT * self._smoothed_rate + (1.0 - KEPT) * shown
            share = self._denoising.share_shown if self._denoising.wanted else 1.0
            self._play_bar.set_shown_rate(
                self._smoothed_rate, opened.rate_hz, share if share < 1.0 else None
            )
        else:
            self.rested.emit()
        self._shown_frames = 0

    def _set_playing(self, playing: bool) -> None:
        self._shown_frames = 0
        if playing and self._opened is not None:
            self._smoothed_rate = (self._opened.rate_hz or 0.0) * self._playback.speed
        else:
            self._play_bar.set_shown_rate(None)
            self.rested.emit()
