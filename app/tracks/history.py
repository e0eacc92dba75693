"""What the history of the labels holds, and what their journal is told of each gesture."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from app.tracks.edits import Change

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
    """

    frames: MappingProxyType[str, frozenset[int]]
    tracks_changed: bool
    pending_changed: bool = False
