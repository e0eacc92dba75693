"""How much of a film is seen denoised while it is played, loop after loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(slots=True)
class Pass:
    """One loop of a film.

    Attributes
    ----------
    frame_count : int
        Of the run.
    begun_s, ended_s : float
    computed : int
        Frames that the denoiser finished meanwhile: its own speed beside the playing window.
    shown : list of tuple
        (time in s, whether it was denoised) of each frame that was shown.
    """

    frame_count: int
    begun_s: float
    ended_s: float = 0.0
    computed: int = 0
    shown: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Share of the shown frames that were denoised."""
        return sum(denoised for _, denoised in self.shown) / max(1, len(self.shown))

    @property
    def allowed_share(self) -> float:
        """The share that the denoiser's own speed allowed: all it computed, were it shown."""
        return min(1.0, self.computed / self.frame_count)

    def longest_gap_s(self) -> float:
        """Longest time without a denoised frame, from the first one on."""
        times = [time_s for time_s, denoised in self.shown if denoised]
        if not times:
            return self.ended_s - self.begun_s
        return max(later - earlier for earlier, later in pairwise([*times, self.ended_s]))

    def first_after_s(self) -> float:
        """Return when the first denoised frame was shown."""
        times = (time_s for time_s, denoised in self.shown if denoised)
        return next(times, self.ended_s) - self.begun_s

    def figures(self) -> dict[str, float]:
        """Return what the table shows."""
        return {
            "share": self.share,
            "allowed": self.allowed_share,
            "gap_s": self.longest_gap_s(),
            "first_s": self.first_after_s(),
        }
