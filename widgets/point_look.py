"""How the point of a frame looks: one set of looks for the picture and the timeline."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray


class PointLook(IntEnum):
    """The kinds of frame that a reader must tell apart at a glance.

    Where one pixel of the timeline covers several frames, the highest of their looks is drawn.
    """

    EMPTY = 0
    """There is no point."""
    TRACKED = 1
    INTERPOLATED = 2
    ABSENT = 3
    OCCLUDED = 4
    DOUBTFUL = 5
    """Tracked, but not with confidence."""
    CONFIRMED = 6
    """Placed by the program, and accepted by a person."""
    CLICKED = 7
    """Placed by a person."""


LOOK_COLORS = {
    PointLook.CLICKED: "#ffffff",
    PointLook.OCCLUDED: "#b9a2ff",
    PointLook.ABSENT: "#d3d8de",
    PointLook.DOUBTFUL: "#ff5d5d",
}
"""On the picture; looks that are left out have the track's own colour."""

MOVED_COLOR = "#45d6f0"
STALE_COLOR = "#f0b44c"


def look_text(look: PointLook) -> str:
    """Return the name of a look in the user's language."""
    return {
        PointLook.EMPTY: tr("no point"),
        PointLook.TRACKED: tr("tracked"),
        PointLook.INTERPOLATED: tr("interpolated"),
        PointLook.ABSENT: tr("absent"),
        PointLook.OCCLUDED: tr("occluded"),
        PointLook.DOUBTFUL: tr("doubtful"),
        PointLook.CONFIRMED: tr("confirmed"),
        PointLook.CLICKED: tr("placed by hand"),
    }[look]


def mark_texts(*, moved: bool, stale: bool, emptied: bool) -> tuple[str, ...]:
    """Return what the marks of a frame mean, in the user's language."""
    texts = (
        (moved, tr("moved by tracking")),
        (stale, tr("tracking pending")),
        (emptied, tr("deleted")),
    )
    return tuple(text for on, text in texts if on)


@dataclass(frozen=True, slots=True, eq=False)
class FrameLooks:
    """How some frames of one track look; arrays of one length (n,).

    Attributes
    ----------
    looks : ndarray of uint8
        A `PointLook` for each frame.
    confidence : ndarray of float32
        0..1; NaN where a point carries none.
    moved : ndarray of bool
        A new tracking has moved the point since it was last seen.
    stale : ndarray of bool
        What is shown is out of date: tracking is pending here.
    emptied : ndarray of bool
        A person deleted the point here, and nothing will fill the frame again.
    """

    looks: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    moved: NDArray[np.bool_]
    stale: NDArray[np.bool_]
    emptied: NDArray[np.bool_]

    @classmethod
    def empty(cls, count: int) -> FrameLooks:
        """Return frames without any point."""
        return cls(
            np.zeros(count, np.uint8),
            np.full(count, np.nan, np.float32),
            np.zeros(count, bool),
            np.zeros(count, bool),
            np.zeros(count, bool),
        )

    def copy(self) -> FrameLooks:
        """Return the same looks in arrays of their own."""
        return FrameLooks(
            np.array(self.looks, np.uint8),
            np.array(self.confidence, np.float32),
            np.array(self.moved, bool),
            np.array(self.stale, bool),
            np.array(self.emptied, bool),
        )

    def put(self, frames: NDArray[np.intp], others: FrameLooks) -> None:
        """Let ``frames`` (n,) look like ``others`` (n,)."""
        self.looks[frames] = others.looks
        self.confidence[frames] = others.confidence
        self.moved[frames] = others.moved
        self.stale[frames] = others.stale
        self.emptied[frames] = others.emptied
