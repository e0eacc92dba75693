"""Which frame is denoised next, so that what is computed is also seen.

While the playhead stands, frames near it come first. While it moves, a frame that it passes before
the denoiser is done with it would be computed for nobody: the order aims at frames that will be
ready in time, and where the film is faster than the denoiser at every k-th of them, k being what
both speeds measured so far allow, so that denoised frames come evenly.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Set

BEHIND_WEIGHT = 2
"""A frame behind a standing playhead waits as long as one so many times as far ahead."""
RATE_OVER_S = 1.0
"""Stretch of the latest moves that the speed of the film is measured over."""
STANDS_AFTER_S = 0.4
"""Without a move for so long the playhead is taken for standing."""
LONGEST_STEP = 12
"""A move by more frames than this is a jump, not a film that drops some."""
AHEAD_S = 1.0
"""So much further ahead than it has to be at most; what was left out nearer comes before that."""
FRAME_GUESS_S, READY_GUESS_S = 0.2, 1.0
"""From one frame to the next, and for one frame, until it is measured; what is late is not seen."""
CLOSING_UP = 0.85
"""Frames are taken so much closer while the order is further ahead than it has to be."""
MEASURED_FRAMES = 8
DELIVERY_S = 0.05
"""From the denoiser's thread to the screen."""


class DenoisingOrder:
    """The order of one run's frames; not locked, its owner does that.

    Parameters
    ----------
    frame_count : int
    playhead : int
        Where the playhead stands.
    clock : callable
        Gives a monotonic time in s.
    """

    def __init__(
        self, frame_count: int, playhead: int = 0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._count = frame_count
        self._clock = clock
        # Where the playhead is when frames are counted on over the loops of the film.
        self._position = playhead
        self._moves: deque[tuple[float, int]] = deque()  # time in s, frames
        self._aimed: float | None = None  # counted as the position is
        self._begun_s: dict[int, float] = {}
        self._done_s: deque[float] = deque(maxlen=MEASURED_FRAMES + 1)
        self._took_s: deque[float] = deque(maxlen=MEASURED_FRAMES)
        self._frame_s = FRAME_GUESS_S

    def set_playhead(self, frame: int) -> None:
        """Note that the playhead has moved."""
        step = (frame - self._position + self._count // 2) % self._count - self._count // 2
        self._position += step
        if abs(step) > LONGEST_STEP:
            self._moves.clear()
            self._aimed = None
        elif step:
            now_s = self._clock()
            self._moves.append((now_s, step))
            while self._moves[0][0] < now_s - RATE_OVER_S:
                self._moves.popleft()

    def start(self) -> None:
        """Note that the denoiser begins, or goes on after other work."""
        self._begun_s.clear()
        self._done_s.clear()

    def choose(self, wanted: Set[int]) -> int:
        """Return the frame to denoise next, out of those wanted (at least one)."""
        rate_hz = self._rate_hz()
        chosen = self._ahead(wanted, rate_hz) if rate_hz else min(wanted, key=self._urgency)
        self._begun_s[chosen] = self._clock()
        return chosen

    def note_done(self, frame: int) -> None:
        """Note that a chosen frame is denoised."""
        now_s = self._clock()
        self._took_s.append(now_s - self._begun_s.pop(frame, now_s))
        self._done_s.append(now_s)
        if len(self._done_s) > 2:
            self._frame_s = (now_s - self._done_s[0]) / (len(self._done_s) - 1)

    def _rate_hz(self) -> float:
        """Return the film's speed, negative backwards, 0 where it stands."""
        if len(self._moves) < 2 or self._clock() - self._moves[-1][0] > STANDS_AFTER_S:
            return 0.0
        since_s = self._moves[-1][0] - self._moves[0][0]
        moved = sum(step for _, step in self._moves) - self._moves[0][1]
        return moved / since_s if since_s > 0.0 else 0.0

    def _urgency(self, frame: int) -> int:
        ahead = frame - self._position % self._count
        return ahead if ahead >= 0 else -BEHIND_WEIGHT * ahead

    def _ahead(self, wanted: Set[int], rate_hz: float) -> int:
        """Return the next frame of a moving film that will be ready in time."""
        way, speed_hz = (1, rate_hz) if rate_hz > 0.0 else (-1, -rate_hz)
        # Until it is known how long a frame takes, those begun at once guess differently: one of
        # them will be right.
        guess_s = READY_GUESS_S * (1 + len(self._begun_s))
        ready_s = max(self._took_s, default=guess_s) + DELIVERY_S
        # All distances are counted from the playhead on, the way that the film runs.
        nearest = speed_hz * ready_s + 1.0
        aim = nearest
        if self._aimed is not None:
            latest, step = way * (self._aimed - self._position), speed_hz * self._frame_s
            aim = latest + max(1.0, step * (CLOSING_UP if latest > nearest else 1.0))
        if not nearest <= aim <= nearest + AHEAD_S * speed_hz:
            aim = nearest
        aimed = round(self._position + way * aim)
        frame = min(wanted, key=lambda frame: way * (frame - aimed) % self._count)
        further = way * (frame - aimed) % self._count
        # The part of a frame that rounding takes is kept, or the film would outrun the order.
        self._aimed = self._position + way * (aim + further)
        return frame
