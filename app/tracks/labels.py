"""The labels of one run: its tracks now, and every gesture that led there, undoable."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, Protocol

from app.tracks.edits import Change, Edit, EditError, PointChange, TrackChange
from app.tracks.track import FrameState, Track, TrackInfo, TrackPoint

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
    """What the journal writes down: ``changes`` take the tracks from before to after."""

    action: StepAction
    step_id: int
    label: str
    changes: tuple[Change, ...]


class Journal(Protocol):
    """Keeps the labels, see `app.tracks.store`."""

    def record(self, record: StepRecord) -> None:
        """Write down what is about to happen; raises UserError where it must not happen."""
        ...


@dataclass(frozen=True, slots=True)
class LabelsChange:
    """What a subscriber hears: the frames whose points changed, and whether tracks did.

    Attributes
    ----------
    frames : mapping of track id to frozenset of int
        Every touched track is a key, also one that only changed its name.
    tracks_changed : bool
        A track came, went, or changed its name, kind or colour.
    """

    frames: MappingProxyType[str, frozenset[int]]
    tracks_changed: bool


@dataclass(slots=True)
class _Index:
    """Sorted frames of one track, so that a frame change never scans all its points."""

    authoritative: list[int] = field(default_factory=list)
    doubtful: list[int] = field(default_factory=list)

    def put(self, frame: int, point: TrackPoint | None) -> None:
        _keep(self.authoritative, frame, point is not None and point.authoritative)
        _keep(self.doubtful, frame, point is not None and point.doubtful)


class Labels:
    """Tracks of one run and their history. Used from one thread.

    Parameters
    ----------
    frame_count : int
        Frames of the run.
    tracks, done, undone : sequences
        The state to start from; ``undone[-1]`` is redone first.
    journal : Journal, optional
        Told of each gesture before it happens.
    """

    def __init__(
        self,
        frame_count: int,
        tracks: Iterable[Track] = (),
        done: Iterable[Step] = (),
        undone: Iterable[Step] = (),
        journal: Journal | None = None,
    ) -> None:
        self.frame_count = frame_count
        self._tracks = {track.id: track for track in sorted(tracks, key=lambda t: t.order)}
        self._done = list(done)
        self._undone = list(undone)
        self._journal = journal
        self._subscribers: list[Callable[[LabelsChange], None]] = []
        self._index = {track.id: _indexed(track) for track in self._tracks.values()}

    # the tracks now

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All tracks in their order."""
        return tuple(self._tracks.values())

    def track(self, track_id: str) -> Track:
        """Return one track; KeyError where there is none."""
        return self._tracks[track_id]

    def __contains__(self, track_id: object) -> bool:
        return track_id in self._tracks

    def point(self, track_id: str, frame: int) -> TrackPoint | None:
        """Return the point of a track on a frame."""
        return self._tracks[track_id].points.get(frame)

    def frame_states(self, track_id: str) -> list[FrameState]:
        """Return the state of each frame of the run, for the timeline."""
        states = [FrameState.EMPTY] * self.frame_count
        for frame, point in self._tracks[track_id].points.items():
            if frame < self.frame_count:
                states[frame] = point.frame_state
        return states

    def authoritative_neighbours(self, track_id: str, frame: int) -> tuple[int | None, int | None]:
        """Return the nearest authoritative frames before and after ``frame``, never itself."""
        held = self._index[track_id].authoritative
        left, right = bisect_left(held, frame), bisect_right(held, frame)
        return (held[left - 1] if left else None, held[right] if right < len(held) else None)

    def authoritative_points(self, track_id: str, first: int, last: int) -> tuple[TrackPoint, ...]:
        """Return the authoritative points on ``first..last``: the anchors for the tracker."""
        held, points = self._index[track_id].authoritative, self._tracks[track_id].points
        return tuple(points[f] for f in held[bisect_left(held, first) : bisect_right(held, last)])

    def stretch(self, track_id: str, frame: int) -> tuple[int, int]:
        """Return the first and last frame to track again after a correction on ``frame``.

        They are the neighbouring authoritative frames, or the ends of the run.
        """
        before, after = self.authoritative_neighbours(track_id, frame)
        return (
            0 if before is None else before,
            self.frame_count - 1 if after is None else after,
        )

    def doubtful_frames(self, track_id: str) -> tuple[int, ...]:
        """Return the frames where the network was not sure, in order."""
        return tuple(self._index[track_id].doubtful)

    def next_doubtful(
        self,
        track_id: str,
        frame: int,
        order: Literal["frame", "worst"] = "frame",
        *,
        backward: bool = False,
    ) -> int | None:
        """Return the doubtful frame to look at after ``frame``, round and round.

        Parameters
        ----------
        order : {"frame", "worst"}
            By time, or the least confident first; a frame that is not doubtful comes before all.
        """
        doubtful = self._index[track_id].doubtful
        if not doubtful:
            return None
        if order == "frame":
            if backward:
                return doubtful[bisect_left(doubtful, frame) - 1]
            return doubtful[bisect_right(doubtful, frame) % len(doubtful)]
        points = self._tracks[track_id].points
        worst = sorted(doubtful, key=lambda f: (points[f].confidence or 0.0, f))
        if frame not in worst:
            return worst[-1 if backward else 0]
        return worst[(worst.index(frame) + (-1 if backward else 1)) % len(worst)]

    # changes

    def apply(self, edit: Edit) -> int:
        """Apply an edit as a new step and return the step's id, for `extend`.

        An edit without changes is a gesture too (such as "track both ways"): its step waits for
        what the network answers.

        Raises
        ------
        EditError
            If the tracks are no longer what the edit was built from.
        """
        self._check(edit.changes)
        newest = [steps[-1].id for steps in (self._done, self._undone[:1]) if steps]
        step = Step(max(newest, default=0) + 1, edit.label, {c.key: c for c in edit.changes})
        self._record(StepAction.APPLY, step, edit.changes)
        self._done.append(step)
        self._undone.clear()
        self._change(edit.changes)
        return step.id

    def extend(self, step_id: int, changes: Sequence[Change]) -> int:
        """Add what the network answers to the step that asked for it.

        Left out are changes of authoritative points, and of anything that a later gesture
        touched, done or undone, so that undo and redo stay exact. Nothing is taken for a step
        that is undone.

        Returns
        -------
        int
            How many of the changes were taken.
        """
        place = next(
            (i for i in reversed(range(len(self._done))) if self._done[i].id == step_id), -1
        )
        if place < 0:
            return 0
        step = self._done[place]
        later = [s.changes for s in (*self._done[place + 1 :], *self._undone)]
        taken = tuple(
            change
            for change in changes
            if isinstance(change, PointChange)
            and change.track_id in self._tracks
            and not (change.before is not None and change.before.authoritative)
            and not any(_collides(change, touched) for touched in later)
        )
        self._check(taken)
        if not taken:
            return 0
        self._record(StepAction.EXTEND, step, taken)
        for change in taken:
            old = step.changes.get(change.key)
            if isinstance(old, PointChange):
                change = PointChange(change.track_id, change.frame, old.before, change.after)
            step.changes[change.key] = change
        self._change(taken)
        return len(taken)

    @property
    def can_undo(self) -> bool:
        """True where a step can be taken back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """True where an undone step can be done again."""
        return bool(self._undone)

    @property
    def undo_label(self) -> str:
        """The gesture that `undo` takes back, or ""."""
        return self._done[-1].label if self._done else ""

    @property
    def redo_label(self) -> str:
        """The gesture that `redo` does again, or ""."""
        return self._undone[-1].label if self._undone else ""

    def undo(self) -> str | None:
        """Take the last step back and return its label; None where there is none."""
        if not self._done:
            return None
        step = self._done[-1]
        changes = tuple(change.inverted() for change in step.changes.values())
        self._record(StepAction.UNDO, step, changes)
        self._undone.append(self._done.pop())
        self._change(changes)
        return step.label

    def redo(self) -> str | None:
        """Do the last undone step again and return its label; None where there is none."""
        if not self._undone:
            return None
        step = self._undone[-1]
        changes = tuple(step.changes.values())
        self._record(StepAction.REDO, step, changes)
        self._done.append(self._undone.pop())
        self._change(changes)
        return step.label

    def subscribe(self, listener: Callable[[LabelsChange], None]) -> Callable[[], None]:
        """Call ``listener`` after each change; the returned function ends that."""
        self._subscribers.append(listener)
        return lambda: self._subscribers.remove(listener)

    # inside

    def _record(self, action: StepAction, step: Step, changes: Sequence[Change]) -> None:
        if self._journal is not None:
            self._journal.record(StepRecord(action, step.id, step.label, tuple(changes)))

    def _check(self, changes: Iterable[Change]) -> None:
        """Raise EditError where a change does not start from the tracks as they are."""
        changes = tuple(changes)
        coming = {c.track_id for c in changes if isinstance(c, TrackChange) and c.before is None}
        for change in changes:
            track = self._tracks.get(change.track_id)
            now: object
            if isinstance(change, TrackChange):
                now = None if track is None else track.info
            elif track is None and change.track_id not in coming:
                raise EditError("This track has been deleted; undo to bring it back.")
            else:
                now = None if track is None else track.points.get(change.frame)
            if now != change.before:
                raise EditError("The labels have changed since; look again and repeat.")

    def _change(self, changes: Sequence[Change]) -> None:
        infos = [c for c in changes if isinstance(c, TrackChange)]
        points: dict[str, list[PointChange]] = {}
        for change in changes:
            if isinstance(change, PointChange):
                points.setdefault(change.track_id, []).append(change)
        for info in infos:
            if info.after is not None:
                self._put(info.track_id, info.after)
        for track_id, moved in points.items():
            self._move(self._tracks[track_id], moved)
        for info in infos:
            if info.after is None:
                del self._tracks[info.track_id], self._index[info.track_id]
        if infos:
            ordered = sorted(self._tracks.values(), key=lambda t: t.order)
            self._tracks = {track.id: track for track in ordered}
        frames = {c.track_id: frozenset[int]() for c in infos}
        frames |= {track_id: frozenset(c.frame for c in cs) for track_id, cs in points.items()}
        told = LabelsChange(MappingProxyType(frames), bool(infos))
        for listener in tuple(self._subscribers):
            listener(told)

    def _put(self, track_id: str, info: TrackInfo) -> None:
        old = self._tracks.get(track_id, Track(track_id, info.name))
        self._tracks[track_id] = replace(
            old, name=info.name, kind=info.kind, color=info.color, order=info.order
        )
        self._index.setdefault(track_id, _Index())

    def _move(self, track: Track, changes: Iterable[PointChange]) -> None:
        points, index = dict(track.points), self._index[track.id]
        for change in changes:
            if change.after is None:
                points.pop(change.frame, None)
            else:
                points[change.frame] = change.after
            index.put(change.frame, change.after)
        self._tracks[track.id] = replace(track, points=MappingProxyType(points))


def _collides(change: PointChange, touched: Mapping[Key, Change]) -> bool:
    """Return True where a later step set this point, or made or deleted its track."""
    track = touched.get((change.track_id, None))
    if track is not None and (track.before is None or track.after is None):
        return True
    return change.key in touched


def _indexed(track: Track) -> _Index:
    return _Index(
        sorted(frame for frame, point in track.points.items() if point.authoritative),
        sorted(frame for frame, point in track.points.items() if point.doubtful),
    )


def _keep(frames: list[int], frame: int, wanted: bool) -> None:
    """Put ``frame`` into the sorted ``frames`` or take it out."""
    place = bisect_left(frames, frame)
    there = place < len(frames) and frames[place] == frame
    if wanted and not there:
        frames.insert(place, frame)
    elif there and not wanted:
        del frames[place]
