"""Enhances the device between two tracks of the open run, and proposes its markers."""

from __future__ import annotations

from dataclasses import replace
from gettext import gettext as tr

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.errors import UserError
from app.session.background import Background, Task
from app.session.enhanced import Enhanced, chosen_markers, enhance, marker_way
from app.session.labelling import Labelling
from app.session.look import LookKeeper
from app.session.open_run import OpenRun
from app.session.playback import Playback
from app.tracks.edits import new_track
from app.tracks.track import PointSource, TrackKind, TrackPoint
from inference.enhancement import MarkerPair, propose_pairs

LOOKED_AT = 7
"""Frames by which markers are proposed."""
BEAT_MS = 1000.0
"""Over which they are spread: markers are told from what does not keep its distance."""


class Enhancing(QObject):
    """Keeps the enhanced picture of each run with it while that is open.

    Signals
    -------
    changed() : the picture, whether it is of what is marked and tracked now, or `share`.
    said(str), failed(str) : a sentence.
    """

    changed = Signal()
    said = Signal(str)
    failed = Signal(str)

    def __init__(
        self, labelling: Labelling, playback: Playback, look: LookKeeper, background: Background
    ) -> None:
        super().__init__()
        self._labelling = labelling
        self._playback = playback
        self._look = look
        self._background = background
        self._opened: OpenRun | None = None
        self._task: Task | None = None
        self._search: Task | None = None
        self._proposed = (-1, -1)  # frame, and which of its pairs
        self.share: float | None = None
        """How much is averaged, 0 to 1; None where nothing is being enhanced."""
        labelling.labels_changed.connect(lambda _: self._judge())
        labelling.span_changed.connect(self._judge)

    def set_run(self, opened: OpenRun | None) -> None:
        """Enhance in another run."""
        self.stop()
        if self._search is not None:
            self._search.cancel()
            self._search = None
        self._opened = opened
        self._proposed = (-1, -1)
        self._judge()

    @property
    def shown(self) -> bool:
        """True where an enhanced picture is on the screen."""
        there = self._opened is not None and self._opened.enhanced is not None
        return there and self._look.now.enhanced

    def toggle(self) -> None:
        """Show the enhanced picture beside the run, or the run alone; make it where it is not."""
        if self._opened is not None and self._opened.enhanced is None:
            self.enhance()
        else:
            self._look.change(enhanced=not self._look.now.enhanced)

    def enhance(self) -> None:
        """Average the marked span, else all frames, about two tracks, and show the result."""
        opened = self._opened
        if opened is None:
            return
        try:
            markers = chosen_markers(opened.labels.tracks, self._labelling.selected)
        except UserError as error:
            self.said.emit(str(error))
            return
        self.stop()
        span = self._labelling.span or (0, opened.run.frame_count - 1)
        way = marker_way(opened.labels, markers, span)

        def work(task: Task) -> Enhanced | None:
            return enhance(opened.sequence, way, lambda: task.cancelled, task.report)

        def done(enhanced: Enhanced | None) -> None:
            opened.enhanced = enhanced
            self._tell(None)
            self._judge()

        def failed(text: str) -> None:
            self._tell(None)
            self.failed.emit(text)

        self._task = self._background.start(work, done, failed, self._tell)
        self._look.change(enhanced=True)
        self._tell(0.0)

    def stop(self) -> None:
        """Leave the picture as it was before."""
        if self._task is not None:
            self._task.cancel()
            self._tell(None)

    def propose(self) -> None:
        """Find two markers about the frame on the screen and track them; asked again, others."""
        opened, frame = self._opened, self._playback.frame
        if opened is None or self._search is not None:
            return
        times_ms = opened.run.frame_times_ms
        near = np.flatnonzero(np.abs(times_ms - times_ms[frame]) <= BEAT_MS / 2.0)
        spread = near[np.linspace(0, len(near) - 1, min(len(near), LOOKED_AT)).astype(int)]
        looked_at = [frame, *(int(other) for other in spread if other != frame)]

        def work(_: Task) -> tuple[MarkerPair, ...]:
            frames = [np.asarray(opened.sequence.read(i), np.float32) for i in looked_at]
            return propose_pairs(frames)

        def done(pairs: tuple[MarkerPair, ...]) -> None:
            self._search = None
            self._take(pairs, frame)

        def failed(text: str) -> None:
            self._search = None
            self.failed.emit(text)

        self._search = self._background.start(work, done, failed)

    def _take(self, pairs: tuple[MarkerPair, ...], frame: int) -> None:
        """Make two tracks of the next pair."""
        assert self._opened is not None
        if not pairs:
            self.said.emit(tr("No pair of markers stands out here; click both in Label (R)."))
            return
        before, number = self._proposed
        number = (number + 1) % len(pairs) if before == frame else 0
        there = list(self._opened.labels.tracks)
        for x, y in pairs[number].points.tolist():
            track = new_track(there, name=tr("marker"), kind=TrackKind.BALLOON_MARKER)
            point = TrackPoint(frame, x, y, source=PointSource.TRACKED, confirmed=True)
            there.append(replace(track, points={frame: point}))
        if self._labelling.add_tracks(tr("Propose markers"), there[-2:]):
            self._proposed = frame, number
            told = tr("Pair {number} of {count}; undo it and ask again for the next.")
            self.said.emit(told.format(number=number + 1, count=len(pairs)))

    def _tell(self, share: float | None) -> None:
        if share is None:
            self._task = None
        self.share = share
        self.changed.emit()

    def _judge(self) -> None:
        """Tell whether the picture is of what is marked and tracked now."""
        opened = self._opened
        if opened is None or opened.enhanced is None:
            return
        way, labels = opened.enhanced.way, opened.labels
        stale = any(track_id not in labels for track_id in way.track_ids)
        if not stale:
            now = marker_way(labels, way.track_ids, self._labelling.span or way.span)
            stale = not now.same_as(way)
        if stale != opened.enhanced.stale:
            opened.enhanced = replace(opened.enhanced, stale=stale)
            self.changed.emit()
