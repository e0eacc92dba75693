"""A named track of one kind of point: what a reader clicked, the network found, or lies between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from inference.tracking.requests import PointState


class PointSource(StrEnum):
    """Who placed the point."""

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


class FrameState(StrEnum):
    """How a frame of a track looks on the timeline, the most worrying first."""

    DOUBTFUL = "doubtful"
    ABSENT = "absent"
    OCCLUDED = "occluded"
    INTERPOLATED = "interpolated"
    TRACKED = "tracked"
    IMPORTED = "imported"
    CLICKED = "clicked"
    EMPTY = "empty"


TRACK_COLORS = ("#ffb000", "#4db8ff", "#ff5fa2", "#7ddc5b", "#c08bff", "#ff7a3c")
"""Colours of new tracks in turn: apart from each other for colour-blind eyes too, on grey."""

DOUBTFUL_BELOW = 0.5
"""A tracked point with a confidence below this is shown as doubtful."""


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """A point on one frame; (x, y) in full-resolution pixels, centres at integers, 0-based.

    ``x`` and ``y`` are None where the state is absent. ``confidence`` is 0..1 for tracked points
    and None for all others: a click is authoritative and carries no confidence.
    """

    frame: int
    x: float | None
    y: float | None
    state: PointState = PointState.VISIBLE
    source: PointSource = PointSource.CLICKED
    confidence: float | None = None

    @property
    def authoritative(self) -> bool:
        """True where no prediction may move the point."""
        return self.source in (PointSource.CLICKED, PointSource.IMPORTED)

    @property
    def doubtful(self) -> bool:
        """True where the network placed the point without being sure of it."""
        return self.confidence is not None and self.confidence < DOUBTFUL_BELOW

    @property
    def frame_state(self) -> FrameState:
        """The look of the point and of its frame on the timeline."""
        if self.doubtful:
            return FrameState.DOUBTFUL
        if self.state is not PointState.VISIBLE:
            return FrameState(self.state.value)
        return FrameState(self.source.value)


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """A track without its points; ``order`` is its place among the tracks of the run."""

    name: str
    kind: TrackKind
    color: str
    order: int


@dataclass(frozen=True, slots=True)
class Track:
    """A track and its points by frame; edits make new tracks, nothing changes in place."""

    id: str  # uuid4 hex
    name: str
    kind: TrackKind = TrackKind.CATHETER_TIP
    color: str = TRACK_COLORS[0]
    points: Mapping[int, TrackPoint] = field(default_factory=lambda: MappingProxyType({}))
    order: int = 0

    @property
    def info(self) -> TrackInfo:
        """Everything but the points."""
        return TrackInfo(self.name, self.kind, self.color, self.order)
