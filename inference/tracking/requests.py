"""What the tracker is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from inference.point_state import PointState


@dataclass(frozen=True, slots=True)
class Anchor:
    """A point that a person placed; nothing moves it. ``x``, ``y`` are None where absent."""

    frame: int
    x: float | None
    y: float | None
    state: PointState = PointState.VISIBLE


@dataclass(frozen=True, slots=True)
class TrackRequest:
    """Fill the frames ``first_frame..last_frame`` (inclusive) that hold no anchor.

    A stretch between two anchors is held at both ends; one with an anchor on one side only is
    tracked away from it. Needs at least one anchor with a position.
    """

    anchors: tuple[Anchor, ...]
    first_frame: int
    last_frame: int
    start_frame: int | None = None  # the playhead: frames near it come first


@dataclass(frozen=True, slots=True)
class TrackedPoint:
    """The tracker's answer for one frame; ``x``, ``y`` are None where the state is absent."""

    frame: int
    x: float | None
    y: float | None
    state: PointState
    confidence: float
