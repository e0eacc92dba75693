"""From gestures to edits: clicks and drags on the picture, keys on frames and spans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from gettext import gettext as tr

from PySide6.QtCore import QObject, QTimer, Signal

from app.errors import UserError
from app.session.open_run import OpenRun
from app.session.playback import Playback
from app.session.tracking import Tracking, anchors_of, is_interpolated
from app.session.worker import InferenceWorker
from app.tracks import edits
from app.tracks.edits import Edit
from app.tracks.history import LabelsChange
from app.tracks.labels import Labels
from app.tracks.track import PointState, Track, TrackKind

SEEN_MS = 300
"""A frame that rests on the screen so long was seen: it is marked as moved no longer."""


class Labelling(QObject):
    """Turns what the user does into edits, and asks the tracker for what follows from them.

    Signals
    -------
    labels_changed(object) : a `LabelsChange`.
    selection_changed()
    span_changed()
    tracking_changed(int, int) : frames done and asked; equal when nothing runs.
    locked_changed(bool)
    refused(str) : one sentence, why a gesture did nothing.
    """

    labels_changed = Signal(object)
    selection_changed = Signal()
    span_changed = Signal()
    tracking_changed = Signal(int, int)
    locked_changed = Signal(bool)
    refused = Signal(str)

    def __init__(self, playback: Playback, worker: InferenceWorker) -> None:
        super().__init__()
        self._playback = playback
        self._opened: OpenRun | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._selected: str | None = None
        self._span: tuple[int, int] | None = None
        self._locked = False
        self.tracking = Tracking(worker)
        """What was asked of the tracker, for this run and for those left meanwhile."""
        self.tracking.progress_changed.connect(self.tracking_changed)
        self.tracking.refused.connect(self.refused)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(SEEN_MS)
        self._rest.timeout.connect(self._see)
        playback.frame_changed.connect(lambda _: self._rest.start())
        playback.playing_changed.connect(lambda _: self._rest.start())

    # what is being labelled

    def set_run(self, opened: OpenRun | None) -> None:
        """Label another run; tracking of the former one goes on while it is open."""
        self._unsubscribe()
        self._rest.stop()
        self._opened = opened
        self._span = None
        self._selected = None
        if opened is not None:
            self._unsubscribe = opened.labels.subscribe(self._after_change)
            tracks = opened.labels.tracks
            self._selected = tracks[0].id if tracks else None
        else:
            self._unsubscribe = lambda: None
        self.tracking.show(opened, opened.store.state.playhead if opened is not None else 0)
        self.selection_changed.emit()
        self.span_changed.emit()

    @property
    def selected(self) -> Track | None:
        """The track that gestures change."""
        if self._opened is None or self._selected is None:
            return None
        labels = self._opened.labels
        return labels.track(self._selected) if self._selected in labels else None

    @property
    def span(self) -> tuple[int, int] | None:
        """The marked span of frames, both ends included."""
        return self._span

    @property
    def locked(self) -> bool:
        """True where clicks and keys must not change labels."""
        return self._locked

    def toggle_lock(self) -> None:
        """Keep clicks and keys from changing labels, or let them again."""
        self._locked = not self._locked
        self.locked_changed.emit(self._locked)

    def select(self, track_id: str | None) -> None:
        """Choose the track that gestures change."""
        if track_id != self._selected:
            self._selected = track_id
            self.selection_changed.emit()

    def select_next(self) -> None:
        """Choose the next track."""
        if self._opened is None or not self._opened.labels.tracks:
            return
        ids = [track.id for track in self._opened.labels.tracks]
        now = ids.index(self._selected) if self._selected in ids else -1
        self.select(ids[(now + 1) % len(ids)])

    # tracks

    def add_track(self, kind: TrackKind = TrackKind.CATHETER_TIP) -> None:
        """Add an empty track and choose it."""
        if self._opened is not None and self.may_edit():
            track = edits.new_track(self._opened.labels.tracks, kind=kind)
            self._apply(lambda: edits.add_track(track))
            self.select(track.id)

    def add_tracks(self, label: str, tracks: Sequence[Track]) -> bool:
        """Add tracks that have a point each in one step, and track what follows from them.

        Returns
        -------
        bool
            False where it was refused, and said.
        """
        changes = [change for track in tracks for change in edits.add_track(track).changes]
        step = self._apply(lambda: Edit(label, tuple(changes)))
        if step is None:
            return False
        self.select(tracks[0].id)
        for track in tracks:
            self._follow_up(track.id, min(track.points), max(track.points), step)
        return True

    def remove_track(self, track_id: str | None = None) -> None:
        """Delete a track, the chosen one by default."""
        if self._opened is None:
            return
        track_id = track_id or self._selected
        if track_id is not None and track_id in self._opened.labels:
            track = self._opened.labels.track(track_id)
            place = self._opened.labels.tracks.index(track)
            chosen = self._selected == track_id
            if self._apply(lambda: edits.remove_track(track)) is None:
                return
            self.tracking.cancel(self._opened, track_id)
            remaining = self._opened.labels.tracks
            if chosen and remaining:
                self.select(remaining[min(place, len(remaining) - 1)].id)

    def change_track(
        self, track_id: str, name: str | None = None, kind: TrackKind | None = None
    ) -> None:
        """Rename a track or change its kind."""
        if self._opened is not None and track_id in self._opened.labels:
            track = self._opened.labels.track(track_id)
            self._apply(lambda: edits.change_track(track, name=name, kind=kind))

    # points

    def drop(self, track_id: str, frame: int, x: float, y: float) -> None:
        """Put the point of a track that was dragged on a frame where it was let go."""
        if self._opened is not None and track_id in self._opened.labels:
            self.select(track_id)
            self.place(x, y, keep_state=True, frame=frame)

    def place(
        self,
        x: float,
        y: float,
        *,
        keep_state: bool = False,
        occluded: bool = False,
        frame: int | None = None,
    ) -> bool:
        """Put the point of the chosen track on a frame, and track what follows from it.

        The first click makes the track. ``keep_state`` (a drag) leaves an occluded point occluded;
        without ``frame`` it is the one under the playhead. False where nothing was placed.
        """
        step = None
        if self._opened is None or not self.may_edit():
            return False
        if self._inside(x, y):
            frame = self._playback.frame if frame is None else frame
            track = self.selected
            if track is None:
                track = edits.new_track(self._opened.labels.tracks)
                made = edits.add_track(track)
                state = PointState.OCCLUDED if occluded else PointState.VISIBLE
                placed = edits.place_point(track, frame, x, y, state)
                both = Edit(placed.label, (*made.changes, *placed.changes))
                step = self._apply(lambda: both)
                self.select(track.id)
            else:
                old = track.points.get(frame)
                kept = old.state if keep_state and old and old.x is not None else None
                state = PointState.OCCLUDED if occluded else kept or PointState.VISIBLE
                step = self._apply(lambda: edits.place_point(track, frame, x, y, state))
            if step is not None:
                self._follow_up(track.id, frame, frame, step)
        return step is not None

    def nudge(self, right: int, down: int) -> None:
        """Move the point of the chosen track on this frame by whole pixels."""
        track, frame = self.selected, self._playback.frame
        point = None if track is None else track.points.get(frame)
        if point is None or point.x is None or point.y is None:
            self.refused.emit(tr("There is no point on this frame; click to place it."))
        else:
            self.place(point.x + right, point.y + down, keep_state=True)

    def confirm_and_step(self) -> None:
        """Say that the point on this frame is right, and go to the next frame."""
        self.confirm()
        self._playback.step(1)

    def confirm(self) -> None:
        """Say that the points of the span, or on this frame, are right as they are."""
        self._edit_span_or_frame(edits.confirm)

    def mark_occluded(self) -> None:
        """Mark the span, or this frame, as occluded."""
        self._set_state(PointState.OCCLUDED)

    def mark_absent(self) -> None:
        """Mark the span, or this frame, as absent."""
        self._set_state(PointState.ABSENT)

    def mark_visible(self) -> None:
        """Mark the span, or this frame, as visible."""
        self._set_state(PointState.VISIBLE)

    def _set_state(self, state: PointState) -> None:
        self._edit_span_or_frame(
            lambda track, first, last: edits.set_state(track, first, last, state)
        )

    def delete_point(self) -> None:
        """Delete the points of the span, or the one on this frame only."""
        self._edit_span_or_frame(edits.delete_points)

    # spans

    def set_span(self, first: int, last: int) -> None:
        """Mark a span of frames."""
        self._span = (min(first, last), max(first, last))
        self.span_changed.emit()

    def start_span(self) -> None:
        """Let the span start on this frame; after its end a new one starts."""
        self._mark_span_end(keep=1)

    def end_span(self) -> None:
        """Let the span end on this frame; before its start a new one ends."""
        self._mark_span_end(keep=0)

    def _mark_span_end(self, keep: int) -> None:
        """Move one end of the span here; where only one frame is marked, it is the other end."""
        frame = self._playback.frame
        span = self._span or (frame, frame)
        kept = span[keep]
        in_order = frame <= kept if keep else kept <= frame
        self.set_span(frame, kept if in_order or span[0] == span[1] else frame)

    def drop_span(self) -> None:
        """Forget the span; no label changes."""
        self._span = None
        self.span_changed.emit()

    def interpolate_span(self) -> None:
        """Fill the span, or the stretch around this frame, between the edited points."""
        track = self.selected
        if self._opened is None or track is None:
            self._refuse_without_track()
            return
        span = self._span_here()
        first, last = span or self._opened.labels.stretch(track.id, self._playback.frame)
        step = self._apply(lambda: edits.interpolate_span(track, first, last))
        if step is not None and span:
            self.drop_span()

    def clear_span(self) -> None:
        """Delete all points of the span."""
        track = self.selected
        if track is None:
            self._refuse_without_track()
        elif (span := self._span_here()) is None:
            self.refused.emit(
                tr("Mark a span and go into it: Shift+drag on the timeline, or press , and .")
            )
        elif self._apply(lambda: edits.delete_points(track, *span)) is not None:
            self.drop_span()

    # tracking

    def track_again(self, *, backward: bool = True, forward: bool = True) -> None:
        """Track from this frame's neighbouring edited points: backward, forward or both."""
        track = self.selected
        if self._opened is None or track is None:
            self._refuse_without_track()
            return
        if not self.may_edit():
            return
        frame, labels = self._playback.frame, self._opened.labels
        first, last = labels.stretch(track.id, frame)
        span = self._span_here()
        if span is not None:
            first, last = span
        elif not backward:
            first = frame
        elif not forward:
            last = frame
        if not anchors_of(labels, track.id):
            self.refused.emit(tr("Click the point on one frame first, then it can be tracked."))
            return
        step = labels.await_step(tr("Track {name}").format(name=track.name))
        self._ask(track.id, first, last, step, forced=True)
        if span is not None:
            self.drop_span()

    def cancel_tracking(self) -> None:
        """Stop tracking; what has been found stays."""
        if self._opened is not None:
            self.tracking.cancel(self._opened)

    def go_to_doubtful(self, *, backward: bool = False) -> None:
        """Go to the next frame where the network was not sure."""
        self._go(
            lambda labels, track, frame: labels.next_doubtful(track, frame, backward=backward),
            tr("No frame of “{name}” is in doubt."),
        )

    def go_to_moved(self, *, backward: bool = False) -> None:
        """Go to the next frame that a new tracking moved and nobody has seen since."""
        self._go(
            lambda labels, track, frame: labels.next_to_see(track, frame, backward=backward),
            tr("No frame of “{name}” was moved since you saw it."),
        )

    def _go(self, find: Callable[[Labels, str, int], int | None], nothing: str) -> None:
        track = self.selected
        if self._opened is None or track is None:
            self._refuse_without_track()
            return
        frame = find(self._opened.labels, track.id, self._playback.frame)
        if frame is None:
            self.refused.emit(nothing.format(name=track.name))
        else:
            self._playback.pause()
            self._playback.seek(frame)

    # history

    def undo(self) -> None:
        """Take the last gesture back, with what was tracked because of it."""
        self._walk_history(lambda opened: opened.labels.undo(), tr("There is nothing to undo."))

    def redo(self) -> None:
        """Do the last undone gesture again."""
        self._walk_history(lambda opened: opened.labels.redo(), tr("There is nothing to redo."))

    def apply(self, edit: Edit) -> int | None:
        """Apply an edit made elsewhere, such as an import; None where it is refused, and said."""
        return self._apply(lambda: edit)

    def refuse_locked(self) -> None:
        """Say why a gesture does nothing while the labels are locked."""
        self.refused.emit(locked_sentence())

    def may_edit(self) -> bool:
        """Tell whether the labels can be changed; where they cannot, say why.

        Asked before a question whose answer would be refused.
        """
        if self.locked:
            self.refuse_locked()
        return not self.locked

    # inside

    def _walk_history(self, walk: Callable[[OpenRun], str | None], nothing: str) -> None:
        if self._opened is None or not self.may_edit():
            return
        waiting = set(self._opened.labels.pending)
        try:
            if walk(self._opened) is None:
                self.refused.emit(nothing)
        except UserError as error:
            self.refused.emit(str(error))
        for track_id in waiting - set(self._opened.labels.pending):
            self.tracking.cancel(self._opened, track_id)
        if self.selected is None and self._opened.labels.tracks:
            self.select(self._opened.labels.tracks[-1].id)

    def _refuse_without_track(self) -> None:
        self.refused.emit(
            tr("There is no track yet: in Label (R), click the catheter tip on the picture.")
        )

    def _inside(self, x: float, y: float) -> bool:
        assert self._opened is not None
        run = self._opened.run
        return -0.5 <= x <= run.columns - 0.5 and -0.5 <= y <= run.rows - 0.5

    def _apply(self, make: Callable[[], Edit]) -> int | None:
        """Make and apply an edit; returns the step, None if refused or where nothing changes."""
        if self._opened is None or not self.may_edit():
            return None
        try:
            edit = make()
            return self._opened.labels.apply(edit)
        except UserError as error:
            self.refused.emit(str(error))
            return None

    def _span_here(self) -> tuple[int, int] | None:
        """Return the span where the playhead is within it; elsewhere it does nothing."""
        span = self._span
        return span if span and span[0] <= self._playback.frame <= span[1] else None

    def _edit_span_or_frame(self, make: Callable[[Track, int, int], Edit]) -> None:
        """Change what a person says of the frames; the tracker is not asked."""
        track = self.selected
        if track is None:
            self._refuse_without_track()
            return
        span, frame = self._span_here(), self._playback.frame
        step = self._apply(lambda: make(track, *(span or (frame, frame))))
        if step is not None and span:
            self.drop_span()

    def _follow_up(self, track_id: str, first: int, last: int, step: int) -> None:
        """Track the stretches on both sides of ``first..last`` again, held at their far ends.

        Points that somebody interpolated are interpolated anew, not tracked.
        """
        assert self._opened is not None
        labels = self._opened.labels
        begin = labels.stretch(track_id, first)[0]
        end = labels.stretch(track_id, last)[1]
        track = labels.track(track_id)
        interpolated = [frame for frame in range(begin, end + 1) if is_interpolated(track, frame)]
        if interpolated:
            again = edits.interpolate_span(track, interpolated[0], interpolated[-1])
            labels.extend(step, [c for c in again.changes if _frame_of(c) in interpolated])
        if len(interpolated) < end - begin + 1 - len(labels.held_points(track_id, begin, end)):
            self._ask(track_id, begin, end, step)

    def _ask(
        self, track_id: str, first: int, last: int, step: int, *, forced: bool = False
    ) -> None:
        """Ask the tracker, where the track has a point to start from."""
        assert self._opened is not None
        if not anchors_of(self._opened.labels, track_id):
            return
        frame = self._playback.frame
        try:
            self.tracking.ask(
                self._opened, track_id, first, last, step=step, start_frame=frame, forced=forced
            )
        except UserError as error:
            self.refused.emit(str(error))

    def _see(self) -> None:
        """Note that the frame under the playhead was seen as it is."""
        opened = self._opened
        if opened is None or opened.store.read_only or self._playback.playing:
            return
        try:
            for track in opened.labels.tracks:
                opened.labels.see(track.id, self._playback.frame)
        except UserError as error:
            self.refused.emit(str(error))

    def _after_change(self, change: LabelsChange) -> None:
        self.labels_changed.emit(change)
        if any(self._playback.frame in frames for frames in change.frames.values()):
            self._rest.start()
        if self.selected is None and self._selected is not None:
            self.select(None)


def _frame_of(change: edits.Change) -> int | None:
    return change.frame if isinstance(change, edits.PointChange) else None


def locked_sentence() -> str:
    """Say why a gesture does nothing while the labels are locked."""
    return tr("The labels are locked; press K to unlock them.")
