"""Tracking that outlives what it began with: asked by a gesture, answered into the run that asked.

What was asked is written into the labels (`Labels.pending`) until it is answered. So it goes on
when the run is left for another one, and after a restart when the run is opened again.
"""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.errors import UserError
from app.session.open_run import OpenRun
from app.session.worker import InferenceWorker, TrackJob
from app.tracks import edits
from app.tracks.history import Pending
from app.tracks.labels import Labels
from app.tracks.track import PointSource, Track
from inference.tracking.requests import Anchor, TrackedPoint, TrackRequest

log = logging.getLogger(__name__)


class Tracking(QObject):
    """Asks the worker for the open run, and for the runs that were left before it was done.

    Signals
    -------
    progress_changed(int, int) : frames done and asked of the run that is shown; equal when none.
    run_progress(object, int, int) : the same of any `OpenRun`, also one that was left.
    refused(str) : one sentence, why an answer could not be taken.
    left_done(object) : an `OpenRun` that was left is tracked; the receiver closes it.
    """

    progress_changed = Signal(int, int)
    run_progress = Signal(object, int, int)
    refused = Signal(str)
    left_done = Signal(object)

    def __init__(self, worker: InferenceWorker) -> None:
        super().__init__()
        self._worker = worker
        self._shown: OpenRun | None = None
        self._left: dict[str, OpenRun] = {}
        self._progress: dict[str, tuple[int, int]] = {}  # frames done and asked, by job
        worker.points_tracked.connect(self._take_points)
        worker.tracking_progress.connect(self._tell_progress)
        worker.tracking_finished.connect(self._take_end)

    # runs

    def show(self, opened: OpenRun | None, start_frame: int = 0) -> None:
        """Work for another run, and go on with what it waits for."""
        self._shown = opened
        if opened is not None:
            self._left.pop(opened.key, None)
        if opened is not None and not opened.store.read_only:
            for pending in tuple(opened.labels.pending.values()):
                if self._key(opened, pending.track_id) not in self._progress:
                    self._send(opened, pending, start_frame)
        self._tell()

    def leave(self, opened: OpenRun) -> bool:
        """Keep a run that is no longer worked on until it is tracked.

        Returns
        -------
        bool
            False where nothing is being tracked: the run is still the caller's to close.
        """
        if not self._jobs_of(opened):
            return False
        self._left[opened.key] = opened
        return True

    @property
    def left(self) -> tuple[OpenRun, ...]:
        """The runs that were left and are kept."""
        return tuple(self._left.values())

    def take_back(self, path: Path) -> OpenRun | None:
        """Give a run that was left and is to be shown again; None where it is not kept."""
        for key, opened in self._left.items():
            if opened.lies_at(path):
                return self._left.pop(key)
        return None

    def stop(self) -> tuple[OpenRun, ...]:
        """Stop for good, and give the runs that were left to be closed; what waits stays noted."""
        self._shown = None
        for key in self._progress:
            self._worker.cancel_tracking(key)
        self._progress.clear()
        left, self._left = self.left, {}
        return left

    # asking

    def ask(
        self,
        opened: OpenRun,
        track_id: str,
        first: int,
        last: int,
        *,
        step: int,
        start_frame: int,
        forced: bool = False,
    ) -> None:
        """Ask for ``first..last``, and for what the track waits for already.

        Parameters
        ----------
        step : int
            The step that the answers join.
        forced : bool
            A person asked for these frames: interpolated and emptied ones give way.
        """
        waiting = opened.labels.pending.get(track_id)
        if waiting is not None:
            first, last = min(first, waiting.first), max(last, waiting.last)
            forced = forced or waiting.forced
        pending = Pending(track_id, first, last, step, forced)
        opened.labels.set_pending(track_id, pending)
        self._send(opened, pending, start_frame)

    def cancel(self, opened: OpenRun, track_id: str | None = None) -> None:
        """Stop tracking one track of a run, or all; what has been found stays."""
        for name in tuple(opened.labels.pending) if track_id is None else (track_id,):
            self._worker.cancel_tracking(self._key(opened, name))
            self._progress.pop(self._key(opened, name), None)
            if name in opened.labels:
                opened.labels.set_pending(name, None)
        self._tell()

    def _send(self, opened: OpenRun, pending: Pending, start_frame: int) -> None:
        anchors = anchors_of(opened.labels, pending.track_id)
        if not anchors:
            opened.labels.set_pending(pending.track_id, None)
            return
        request = TrackRequest(anchors, pending.first, pending.last, start_frame)
        key = self._key(opened, pending.track_id)
        self._progress[key] = (0, pending.last - pending.first + 1)
        self._worker.track(TrackJob(key, opened.sequence, request, tag=pending.step_id))

    # answers

    def _take_points(self, key: str, step: int, points: list[TrackedPoint]) -> None:
        opened, track_id = self._run_of(key), _track_of(key)
        if opened is None or track_id not in opened.labels:
            return
        track, waiting = opened.labels.track(track_id), opened.labels.pending.get(track_id)
        if waiting is None or waiting.step_id != step:
            return
        if not waiting.forced:
            points = [point for point in points if not is_interpolated(track, point.frame)]
        weights = self._worker.tracker_weights
        answers = edits.put_tracked(track, points, weights=weights, forced=waiting.forced)
        try:
            opened.labels.extend(step, answers.changes)
        except UserError as error:
            self.refused.emit(str(error))

    def _take_end(self, key: str, step: int, _: bool) -> None:
        opened, track_id = self._run_of(key), _track_of(key)
        if opened is None:
            self._progress.pop(key, None)
            return
        waiting = opened.labels.pending.get(track_id)
        if waiting is not None and waiting.step_id != step:
            return  # a newer request took its place
        self._progress.pop(key, None)
        if waiting is not None:
            try:
                opened.labels.set_pending(track_id, None)
            except UserError as error:
                self.refused.emit(str(error))
        self._tell(opened)
        if opened.key in self._left and not self._jobs_of(opened):
            del self._left[opened.key]
            self.left_done.emit(opened)

    def _tell_progress(self, key: str, done: int, asked: int) -> None:
        if key in self._progress:
            self._progress[key] = done, asked
            self._tell(self._run_of(key))

    def _tell(self, opened: OpenRun | None = None) -> None:
        """Tell how far the tracking of a run is, by default of the one that is shown."""
        opened = opened or self._shown
        jobs = [] if opened is None else self._jobs_of(opened)
        told = [self._progress[key] for key in jobs]
        done, asked = sum(done for done, _ in told), sum(asked for _, asked in told)
        if opened is self._shown:
            self.progress_changed.emit(done, asked)
        if opened is not None:
            self.run_progress.emit(opened, done, asked)

    # inside

    def _key(self, opened: OpenRun, track_id: str) -> str:
        return f"{opened.key}/{track_id}"

    def _jobs_of(self, opened: OpenRun) -> list[str]:
        return [key for key in self._progress if key.startswith(f"{opened.key}/")]

    def _run_of(self, key: str) -> OpenRun | None:
        run_key = key.rpartition("/")[0]
        if self._shown is not None and run_key == self._shown.key:
            return self._shown
        return self._left.get(run_key)


def anchors_of(labels: Labels, track_id: str) -> tuple[Anchor, ...]:
    """Return what a person said of a track; nothing where no place is known."""
    held = labels.held_points(track_id, 0, labels.frame_count - 1)
    if not any(point.x is not None for point in held):
        return ()
    return tuple(Anchor(p.frame, p.x, p.y, p.state) for p in held if p.state is not None)


def is_interpolated(track: Track, frame: int) -> bool:
    """Return True where a person let a point be interpolated and has not confirmed it."""
    point = track.points.get(frame)
    return point is not None and point.source is PointSource.INTERPOLATED and not point.held


def _track_of(key: str) -> str:
    return key.rpartition("/")[2]
