"""Which frame belongs on the screen now: it follows from elapsed time, not from a tick count."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Repeat(StrEnum):
    """What happens at the end of the run."""

    LOOP = "loop"
    BOUNCE = "bounce"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class Due:
    """The frame due now.

    ``since_ms`` is how long it has been due, ``next_in_ms`` how long until the next one is
    (both in real time, the speed taken into account); ``ended`` is True past the end of ONCE.
    """

    frame: int
    since_ms: float
    next_in_ms: float
    ended: bool = False


class CineClock:
    """True-time playing of frames by their own times.

    Parameters
    ----------
    frame_times_ms : ndarray, shape (T,)
        Strictly increasing, from 0.
    duration_ms : float
        Time from the first frame to the end of the last one's interval.
    """

    def __init__(self, frame_times_ms: NDArray[np.float64], duration_ms: float) -> None:
        self._times = np.asarray(frame_times_ms, dtype=np.float64)
        self._duration = max(duration_ms, float(self._times[-1]) + 1.0)
        self._speed = 1.0
        self._repeat = Repeat.LOOP
        self._origin_now = 0.0
        self._origin_position = 0.0

    @property
    def speed(self) -> float:
        """Playing speed, 1 = true time."""
        return self._speed

    @property
    def repeat(self) -> Repeat:
        """What happens at the end."""
        return self._repeat

    def start(self, frame: int, now_ms: float) -> None:
        """Start playing from ``frame`` at clock time ``now_ms``."""
        self._origin_now = now_ms
        self._origin_position = float(self._times[frame])

    def set_speed(self, speed: float, now_ms: float) -> None:
        """Change the speed without a jump."""
        self._rebase(now_ms)
        self._speed = speed

    def set_repeat(self, repeat: Repeat, now_ms: float) -> None:
        """Change what happens at the end without a jump."""
        self._rebase(now_ms)
        self._repeat = repeat

    def position_ms(self, now_ms: float) -> float:
        """Return the time of the run at clock time ``now_ms``."""
        return self._fold(self._position(now_ms))[0]

    def due(self, now_ms: float) -> Due:
        """Return the frame due at clock time ``now_ms``."""
        position, direction = self._fold(self._position(now_ms))
        if self._repeat is Repeat.ONCE and self._position(now_ms) >= self._duration:
            return Due(len(self._times) - 1, 0.0, 0.0, ended=True)
        frame = int(np.searchsorted(self._times, position, side="right")) - 1
        begin = float(self._times[frame])
        end = float(self._times[frame + 1]) if frame + 1 < len(self._times) else self._duration
        since, left = position - begin, end - position
        if direction < 0:
            since, left = left, since
        return Due(frame, since / self._speed, left / self._speed)

    def _position(self, now_ms: float) -> float:
        return self._origin_position + (now_ms - self._origin_now) * self._speed

    def _rebase(self, now_ms: float) -> None:
        position, direction = self._fold(self._position(now_ms))
        self._origin_now = now_ms
        self._origin_position = position if direction > 0 else 2.0 * self._duration - position

    def _fold(self, position: float) -> tuple[float, int]:
        """Bring an ever-growing position into the run; the sign tells the way it plays."""
        last = np.nextafter(self._duration, 0.0)
        if self._repeat is Repeat.LOOP:
            return position % self._duration, 1
        if self._repeat is Repeat.BOUNCE:
            position %= 2.0 * self._duration
            if position >= self._duration:
                return min(2.0 * self._duration - position, float(last)), -1
            return position, 1
        return min(max(position, 0.0), float(last)), 1
