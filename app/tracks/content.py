"""What a labels file holds, as plain values, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.tracks.history import Pending, Step
from app.tracks.identity import RunIdentity
from app.tracks.marks import Mark
from app.tracks.track import Track


class Newer(Exception):  # noqa: N818 - a finding, turned into a sentence by the store
    """The file was made by a newer version of the program."""


class Damaged(Exception):  # noqa: N818 - a finding, turned into a sentence by the store
    """The file holds what no labels file of ours can hold; the message says it for the log."""


class Foreign(Damaged):
    """The file is another program's."""


@dataclass(frozen=True, slots=True)
class ReviewState:
    """Where the reader stood, and whether the run is done.

    ``view`` holds the window's settings for this run: anything that JSON can say.
    """

    playhead: int = 0
    reviewed: bool = False
    view: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """All that a labels file holds of one reader's labels of one run."""

    run: RunIdentity
    tracks: tuple[Track, ...] = ()
    done: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()
    pending: tuple[Pending, ...] = ()
    state: ReviewState = field(default_factory=ReviewState)
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """How far a run is labelled.

    Attributes
    ----------
    tracks : int
        Tracks of the run.
    confirmed, doubtful : int
        Points that a person looked at, and those where the network was not sure, of all tracks.
    pending : int
        Tracks that wait for the tracker.
    calibration : str
        The values of the newest calibration as JSON, unchecked; "" where there is none.
    """

    tracks: int = 0
    confirmed: int = 0
    doubtful: int = 0
    reviewed: bool = False
    pending: int = 0
    calibration: str = ""
