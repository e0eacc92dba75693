"""What the history of the labels holds, and what their journal is told of each gesture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from app.tracks.edits import (
    Change,
    PointChange,
    TrackChange,
    TracksChange,
    was_moved,
)

Key = tuple[str, int | None]


@dataclass(slots=True)
class Step:
    """One entry of the history; what the network answers to a gesture joins its step."""

    id: int
    label: str
    changes: dict[Key, Change]


class StepAction(StrEnum):
    """What happened to a step."""

    APPLY = "apply"  # new; all undone steps are forgotten
    EXTEND = "extend"
    UNDO = "undo"
    REDO = "redo"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step that is about to happen.

    Attributes
    ----------
    changes : tuple of Change
        What it does to the tracks as they are.
    kept : tuple of Change
        What the step holds of these for undo: each from before the step's first change of it.
    """

    action: StepAction
    step_id: int
    label: str
    changes: tuple[Change, ...]
    kept: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A person saw what a re-tracking moved: no step, never undone."""

    track_id: str
    frame: int


@dataclass(frozen=True, slots=True)
class Pending:
    """Tracking that was asked for and is not done; it survives leaving the run, and a kill.

    Attributes
    ----------
    first, last : int
        The frames asked for, both included.
    step_id : int
        The step that the answers join.
    forced : bool
        A person asked for these frames: interpolated and emptied ones give way.
    """

    track_id: str
    first: int
    last: int
    step_id: int
    forced: bool = False


@dataclass(frozen=True, slots=True)
class PendingRecord:
    """What of a track waits for the tracker from now on; None where nothing does."""

    track_id: str
    pending: Pending | None


Record = StepRecord | SeenRecord | PendingRecord


class Journal(Protocol):
    """Keeps the labels, see `app.tracks.store`."""

    def record(self, record: Record) -> None:
        """Write down what is about to happen; raises UserError where it must not happen."""
        ...


@dataclass(frozen=True, slots=True)
class LabelsChange:
    """What a subscriber hears: the frames whose points changed, and whether tracks did.

    Attributes
    ----------
    frames : mapping of track id to frozenset of int
        Every touched track is a key, also one that only changed its name. A frame that is no
        longer marked as moved is among them.
    tracks_changed : bool
        A track came, went, or changed its name, kind, colour or weights.
    pending_changed : bool
        What waits for the tracker changed.
    marks_changed : bool
        A mark came, went or changed.
    """

    frames: MappingProxyType[str, frozenset[int]]
    tracks_changed: bool
    pending_changed: bool = False
    marks_changed: bool = False


def collides(change: TracksChange, touched: Mapping[Key, Change]) -> bool:
    """Return True where a later step changed the same thing, or made or deleted the track."""
    track = touched.get((change.track_id, None))
    if track is not None and (track.before is None or track.after is None):
        return True
    return change.key in touched


def since(step: Step, change: TracksChange) -> TracksChange:
    """Let a frame that the step itself moves twice count as moved by what was there before it."""
    old = step.changes.get(change.key)
    if not isinstance(change, PointChange) or not isinstance(old, PointChange):
        return change
    if change.after is None:
        return change
    after = replace(change.after, moved=was_moved(old.before, change.after))
    return PointChange(change.track_id, change.frame, change.before, after)


def joined(old: Change | None, change: TracksChange) -> TracksChange:
    """Return a change of a step that changes the same thing once more."""
    if isinstance(old, PointChange) and isinstance(change, PointChange):
        return PointChange(change.track_id, change.frame, old.before, change.after)
    if isinstance(old, TrackChange) and isinstance(change, TrackChange):
        return TrackChange(change.track_id, old.before, change.after)
    return change
