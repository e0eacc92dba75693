"""The labels of one run: its tracks and marks now, and every gesture that led there, undoable."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from gettext import gettext as tr
from types import MappingProxyType
from typing import Literal

from app.tracks.edits import (
    Change,
    Edit,
    EditError,
    MarkChange,
    PointChange,
    TrackChange,
    TracksChange,
)
from app.tracks.frame_index import FrameIndex, indexed, next_of
from app.tracks.history import (
    Journal,
    LabelsChange,
    Pending,
    PendingRecord,
    SeenRecord,
    Step,
    StepAction,
    StepRecord,
    collides,
    joined,
    since,
)
from app.tracks.marks import MOST_MARKS, Mark
from app.tracks.track import Track, TrackInfo, TrackPoint


class Labels:
    """Tracks and marks of one run and their history. Used from one thread.

    Parameters
    ----------
    frame_count : int
        Frames of the run.
    tracks, marks, done, undone : sequences
        The state to start from; ``undone[-1]`` is redone first.
    pending : sequence of Pending
        What the tracker was asked and has not answered.
    journal : Journal, optional
        Told of each gesture before it happens.
    """

    def __init__(
        self,
        frame_count: int,
        tracks: Iterable[Track] = (),
        done: Iterable[Step] = (),
        undone: Iterable[Step] = (),
        pending: Iterable[Pending] = (),
        journal: Journal | None = None,
        marks: Iterable[Mark] = (),
    ) -> None:
        self.frame_count = frame_count
        self._tracks = {track.id: track for track in sorted(tracks, key=lambda t: t.order)}
        self._marks = {mark.id: mark for mark in sorted(marks, key=lambda m: m.order)}
        self._done = list(done)
        self._undone = list(undone)
        self._awaited: dict[int, str] = {}  # labels of steps that enter with their first answer
        self._pending = {p.track_id: p for p in pending if p.track_id in self._tracks}
        self._journal = journal
        self._subscribers: list[Callable[[LabelsChange], None]] = []
        self._index = {track.id: indexed(track) for track in self._tracks.values()}
        known = {step.id for step in (*self._done, *self._undone)}
        for waiting in self._pending.values():
            if waiting.step_id not in known:
                name = self._tracks[waiting.track_id].name
                self._awaited[waiting.step_id] = tr("Track {name}").format(name=name)
        self._newest_id = max((*known, *self._awaited), default=0)

    # the tracks now

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All tracks in their order."""
        return tuple(self._tracks.values())

    def track(self, track_id: str) -> Track:
        """Return one track; KeyError where there is none."""
        return self._tracks[track_id]

    @property
    def marks(self) -> tuple[Mark, ...]:
        """All marks in their order."""
        return tuple(self._marks.values())

    def mark(self, mark_id: str) -> Mark | None:
        """Return one mark; None where there is none."""
        return self._marks.get(mark_id)

    def __contains__(self, track_id: object) -> bool:
        return track_id in self._tracks

    def point(self, track_id: str, frame: int) -> TrackPoint | None:
        """Return the point of a track on a frame."""
        return self._tracks[track_id].points.get(frame)

    def held_neighbours(self, track_id: str, frame: int) -> tuple[int | None, int | None]:
        """Return the nearest frames before and after ``frame`` with a held point, never itself."""
        held = self._index[track_id].held
        left, right = bisect_left(held, frame), bisect_right(held, frame)
        return (held[left - 1] if left else None, held[right] if right < len(held) else None)

    def held_points(self, track_id: str, first: int, last: int) -> tuple[TrackPoint, ...]:
        """Return the held points on ``first..last``: the anchors for the tracker.

        A frame that somebody emptied is held, but no anchor.
        """
        held, points = self._index[track_id].held, self._tracks[track_id].points
        return tuple(points[f] for f in held[bisect_left(held, first) : bisect_right(held, last)])

    def stretch(self, track_id: str, frame: int) -> tuple[int, int]:
        """Return the first and last frame to track again after a correction on ``frame``.

        They are the neighbouring held frames, or the ends of the run; emptied frames bound nothing.
        """
        before, after = self.held_neighbours(track_id, frame)
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
        if order == "frame" or not doubtful:
            return next_of(doubtful, frame, backward=backward)
        points = self._tracks[track_id].points
        worst = sorted(doubtful, key=lambda f: (points[f].confidence or 0.0, f))
        if frame not in worst:
            return worst[-1 if backward else 0]
        return worst[(worst.index(frame) + (-1 if backward else 1)) % len(worst)]

    def moved_frames(self, track_id: str) -> tuple[int, ...]:
        """Return the frames that a re-tracking moved since a person last saw them, in order."""
        return tuple(self._index[track_id].moved)

    def next_to_see(self, track_id: str, frame: int, *, backward: bool = False) -> int | None:
        """Return the moved frame to look at after ``frame``, round and round."""
        return next_of(self._index[track_id].moved, frame, backward=backward)

    @property
    def pending(self) -> Mapping[str, Pending]:
        """What waits for the tracker, by track."""
        return MappingProxyType(self._pending)

    def stale(self, track_id: str, frame: int) -> bool:
        """Return True where the tracker was asked for a frame and has not changed it yet."""
        pending = self._pending.get(track_id)
        if pending is None or not pending.first <= frame <= pending.last:
            return False
        point = self._tracks[track_id].points.get(frame)
        if point is not None and point.held and not (point.emptied and pending.forced):
            return False
        step = self._step(pending.step_id)
        return step is None or (track_id, frame) not in step.changes

    # changes

    def apply(self, edit: Edit) -> int | None:
        """Apply an edit as a new step and return the step's id, for `extend`.

        An edit that changes nothing makes no step: None.

        Raises
        ------
        EditError
            If tracks or marks are no longer what the edit was built from, or marks are too many.
        """
        if not edit.changes:
            return None
        self._check(edit.changes)
        self._check_room(edit.changes)
        step = Step(self._next_id(), edit.label, {c.key: c for c in edit.changes})
        self._record(StepAction.APPLY, step, edit.changes)
        self._done.append(step)
        self._undone.clear()
        self._change(edit.changes)
        return step.id

    def await_step(self, label: str) -> int:
        """Reserve a step for what the network will answer, and return its id for `extend`.

        It enters the history with the first answer.
        """
        step_id = self._next_id()
        self._awaited[step_id] = label
        return step_id

    def extend(self, step_id: int, changes: Iterable[Change]) -> int:
        """Add what the network answers to the step that asked for it.

        Left out are changes of held points, of marks, of tracks but for their weights, and of all
        that a later gesture touched, done or undone, so that undo and redo stay exact. Nothing is
        taken for a step that is undone.

        Returns
        -------
        int
            How many of the changes were taken.
        """
        place = bisect_left(self._done, step_id, key=lambda step: step.id)
        step = self._step(step_id)
        there = step is not None
        if step is not None:
            later = [s.changes for s in (*self._done[place + 1 :], *self._undone)]
        elif step_id in self._awaited:
            step = Step(step_id, self._awaited[step_id], {})
            later = [s.changes for s in self._done[place:]]
        else:
            return 0
        taken = tuple(
            since(step, change)
            for change in changes
            if not isinstance(change, MarkChange)
            and self._may_answer(change)
            and not any(collides(change, c) for c in later)
        )
        self._check(taken)
        if not taken:
            return 0
        kept = tuple(joined(step.changes.get(change.key), change) for change in taken)
        action = StepAction.EXTEND if there else StepAction.APPLY
        self._record(action, step, taken, kept)
        if not there:
            del self._awaited[step_id]
            self._done.insert(place, step)
            self._undone.clear()
        step.changes.update((change.key, change) for change in kept)
        self._change(taken)
        return len(taken)

    def see(self, track_id: str, frame: int) -> None:
        """Say that a person saw the frame as it is: it is marked as moved no longer."""
        point = self._tracks[track_id].points.get(frame)
        if point is None or not point.moved:
            return
        if self._journal is not None:
            self._journal.record(SeenRecord(track_id, frame))
        seen = replace(point, moved=False)
        self._change([PointChange(track_id, frame, point, seen)])

    def set_pending(self, track_id: str, pending: Pending | None) -> None:
        """Say what of a track waits for the tracker; None when it is done.

        Not a step. Undo and redo of what changes the track, and its removal, give it up.

        Raises
        ------
        KeyError
            If there is no such track.
        """
        if track_id not in self._tracks:
            raise KeyError(track_id)
        if self._pending.get(track_id) != pending:
            if self._journal is not None:
                self._journal.record(PendingRecord(track_id, pending))
            old = self._pending.pop(track_id, None)
            if old is not None and (pending is None or pending.step_id != old.step_id):
                self._awaited.pop(old.step_id, None)
            if pending is not None:
                self._pending[track_id] = pending
            self._tell(LabelsChange(MappingProxyType({}), False, True))

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
        self._give_up_tracking(changes)
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
        self._give_up_tracking(changes)
        self._record(StepAction.REDO, step, changes)
        self._done.append(self._undone.pop())
        self._change(changes)
        return step.label

    def _give_up_tracking(self, changes: Iterable[Change]) -> None:
        """Give up what waits for the tracker of the tracks that undo or redo changes."""
        for track_id in {c.track_id for c in changes if not isinstance(c, MarkChange)}:
            if track_id in self._pending:
                self.set_pending(track_id, None)

    @property
    def history(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """The steps that are done, oldest first, and those undone; the last is redone first."""
        return tuple(self._done), tuple(self._undone)

    def subscribe(self, listener: Callable[[LabelsChange], None]) -> Callable[[], None]:
        """Call ``listener`` after each change; the returned function ends that."""
        self._subscribers.append(listener)
        return lambda: self._subscribers.remove(listener)

    # inside

    def _step(self, step_id: int) -> Step | None:
        """Return a step that is done; None where it is not."""
        place = bisect_left(self._done, step_id, key=lambda step: step.id)
        there = place < len(self._done) and self._done[place].id == step_id
        return self._done[place] if there else None

    def _next_id(self) -> int:
        """Return a step's number; none comes twice, so that no late answer meets a later step."""
        self._newest_id += 1
        return self._newest_id

    def _record(
        self,
        action: StepAction,
        step: Step,
        changes: Sequence[Change],
        kept: Sequence[Change] | None = None,
    ) -> None:
        if self._journal is not None:
            held = changes if kept is None else kept
            record = StepRecord(action, step.id, step.label, tuple(changes), tuple(held))
            self._journal.record(record)

    def _may_answer(self, change: TracksChange) -> bool:
        """Return True where the network may make this change to the tracks as they are."""
        track = self._tracks.get(change.track_id)
        if track is None:
            return False
        if isinstance(change, TrackChange):
            after = change.after
            return after is not None and replace(track.info, weights=after.weights) == after
        before = change.before
        return before is None or before.emptied or not before.held

    def _check(self, changes: Iterable[Change]) -> None:
        """Raise EditError where a change does not start from tracks and marks as they are."""
        changes = tuple(changes)
        coming = {c.track_id for c in changes if isinstance(c, TrackChange) and c.before is None}
        for change in changes:
            if isinstance(change, MarkChange):
                if self._marks.get(change.mark_id) != change.before:
                    raise EditError(tr("The labels have changed since; look again and repeat."))
                continue
            track = self._tracks.get(change.track_id)
            now: object
            if isinstance(change, TrackChange):
                now = None if track is None else track.info
            elif track is None and change.track_id not in coming:
                raise EditError(tr("This track has been deleted; undo to bring it back."))
            else:
                now = None if track is None else track.points.get(change.frame)
            if now != change.before:
                raise EditError(tr("The labels have changed since; look again and repeat."))

    def _check_room(self, changes: Iterable[Change]) -> None:
        """Raise EditError where there would be more marks than a labels file can hold."""
        marked = [c for c in changes if isinstance(c, MarkChange)]
        more = sum((c.before is None) - (c.after is None) for c in marked)
        if more > 0 and len(self._marks) + more > MOST_MARKS:
            told = tr("A run has {count} measures and key images at most; delete some first.")
            raise EditError(told.format(count=MOST_MARKS))

    def _change(self, changes: Sequence[Change]) -> None:
        """Make the changes, and tell; a track that goes waits for the tracker no more."""
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
        gone = [info.track_id for info in infos if info.after is None]
        for track_id in gone:
            del self._tracks[track_id], self._index[track_id]
        if infos:
            ordered = sorted(self._tracks.values(), key=lambda t: t.order)
            self._tracks = {track.id: track for track in ordered}
        frames = {c.track_id: frozenset[int]() for c in infos}
        frames |= {track_id: frozenset(c.frame for c in cs) for track_id, cs in points.items()}
        pending_changed = self._drop_pending(gone)
        marked = [c for c in changes if isinstance(c, MarkChange)]
        self._put_marks(marked)
        self._tell(
            LabelsChange(MappingProxyType(frames), bool(infos), pending_changed, bool(marked))
        )

    def _put_marks(self, changes: Iterable[MarkChange]) -> None:
        for change in changes:
            if change.after is None:
                self._marks.pop(change.mark_id, None)
            else:
                self._marks[change.mark_id] = change.after
        self._marks = dict(sorted(self._marks.items(), key=lambda item: item[1].order))

    def _drop_pending(self, track_ids: Iterable[str]) -> bool:
        dropped = [self._pending.pop(i) for i in track_ids if i in self._pending]
        for pending in dropped:
            self._awaited.pop(pending.step_id, None)
        return bool(dropped)

    def _tell(self, change: LabelsChange) -> None:
        for listener in tuple(self._subscribers):
            listener(change)

    def _put(self, track_id: str, info: TrackInfo) -> None:
        old = self._tracks.get(track_id, Track(track_id, info.name))
        self._tracks[track_id] = replace(
            old,
            name=info.name,
            kind=info.kind,
            color=info.color,
            order=info.order,
            weights=info.weights,
        )
        self._index.setdefault(track_id, FrameIndex())

    def _move(self, track: Track, changes: Iterable[PointChange]) -> None:
        points, index = dict(track.points), self._index[track.id]
        for change in changes:
            if change.after is None:
                points.pop(change.frame, None)
            else:
                points[change.frame] = change.after
            index.put(change.frame, change.after)
        self._tracks[track.id] = replace(track, points=MappingProxyType(points))
