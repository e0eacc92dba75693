"""A named track of one kind of point: what a reader clicked, the network found, or lies between."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from inference.tracking.requests import PointState


class PointSource(StrEnum):
    """Who found the place of a point."""

    CLICKED = "clicked"
    TRACKED = "tracked"
    INTERPOLATED = "interpolated"
    IMPORTED = "imported"


class TrackKind(StrEnum):
    """What is tracked."""

    CATHETER_TIP = "catheter tip"
    GUIDEWIRE_TIP = "guidewire tip"
    BALLOON_MARKER = "balloon marker"
    OTHER = "other"


TRACK_COLORS = ("#ffb000", "#4db8ff", "#ff5fa2", "#7ddc5b", "#c08bff", "#ff7a3c")
"""Colours of new tracks in turn: apart from each other for colour-blind eyes too, on grey."""

DOUBTFUL_BELOW = 0.5
"""A tracked point with a confidence below this is shown as doubtful."""


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """What a track has on one frame.

    Attributes
    ----------
    x, y : float or None
        In full-resolution pixels, centres at integers, 0-based; None where the point is absent
        and on an emptied frame.
    state : PointState or None
        None says that a person emptied the frame: it stays so until that person asks.
    source : PointSource
        Who found the place; confirming it or changing the state leaves it.
    confidence : float or None
        0..1 for tracked points, confirmed or not; None for all others.
    confirmed : bool
        A person looked at it. A clicked point is confirmed, whatever is said here.
    moved : bool
        A re-tracking moved it since a person last saw it. Where somebody looked is no part of
        what a point is: it does not count when points are compared.
    """

    frame: int
    x: float | None
    y: float | None
    state: PointState | None = PointState.VISIBLE
    source: PointSource = PointSource.CLICKED
    confidence: float | None = None
    confirmed: bool = False
    moved: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if self.source is PointSource.CLICKED and not self.confirmed:
            object.__setattr__(self, "confirmed", True)

    @property
    def held(self) -> bool:
        """True where no prediction changes the frame."""
        return self.confirmed

    @property
    def emptied(self) -> bool:
        """True where a person deleted the point: nothing to draw, to export or to track from."""
        return self.state is None

    @property
    def doubtful(self) -> bool:
        """True where the network placed the point without being sure, and nobody confirmed it."""
        return (
            not self.confirmed and self.confidence is not None and self.confidence < DOUBTFUL_BELOW
        )


def emptied_frame(frame: int) -> TrackPoint:
    """Return what a track holds on a frame that a person emptied."""
    return TrackPoint(frame, None, None, None, PointSource.CLICKED)


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """A track without its points.

    Attributes
    ----------
    order : int
        Its place among the tracks of the run.
    weights : str
        Name and version of the weights that tracked it; "" where none did.
    """

    name: str
    kind: TrackKind
    color: str
    order: int
    weights: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """A track and its points by frame; edits make new tracks, nothing changes in place.

    ``points`` holds the emptied frames too, see `TrackPoint.emptied`.
    """

    id: str  # uuid4 hex
    name: str
    kind: TrackKind = TrackKind.CATHETER_TIP
    color: str = TRACK_COLORS[0]
    points: Mapping[int, TrackPoint] = field(default_factory=lambda: MappingProxyType({}))
    order: int = 0
    weights: str = ""

    @property
    def info(self) -> TrackInfo:
        """Everything but the points."""
        return TrackInfo(self.name, self.kind, self.color, self.order, self.weights)

    @property
    def marked_points(self) -> list[TrackPoint]:
        """The points by frame, without the emptied frames."""
        return [point for _, point in sorted(self.points.items()) if not point.emptied]


LONGEST_NAME = 200


def clean_name(name: str) -> str:
    r"""Return a track's name as it can be shown, saved and exported.

    Lone surrogates, NUL, control characters and line ends become spaces, runs of spaces one; what
    is longer than `LONGEST_NAME` is cut.

    >>> clean_name("left\n\udcff tip")
    'left tip'
    """
    kept = "".join(" " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in name)
    return " ".join(kept.split())[:LONGEST_NAME].rstrip()
