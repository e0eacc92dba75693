"""Measures of the open run: drawn, moved, written on, removed; and its scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from gettext import gettext as tr
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from app.measure.quantities import quantities
from app.measure.scale import Scale, scale_of
from app.measure.table import KIND_TEXTS, Measured, kind_text
from app.session.labelling import Labelling
from app.session.open_run import OpenRun
from app.session.playback import Playback
from app.tracks.history import LabelsChange
from app.tracks.mark_edits import add_mark, change_mark, remove_marks
from app.tracks.marks import Mark, MarkKind, Point, new_mark, plain_words


class Measuring(QObject):
    """Does what the measuring tools ask for; every change is a gesture of the labels.

    Signals
    -------
    changed() : measures, the chosen one, or the scale are others.
    """

    changed = Signal()

    def __init__(self, labelling: Labelling, playback: Playback) -> None:
        super().__init__()
        self._labelling = labelling
        self._playback = playback
        self._opened: OpenRun | None = None
        self._selected: str | None = None
        labelling.labels_changed.connect(self._follow)

    def set_run(self, opened: OpenRun | None) -> None:
        """Measure in another run."""
        self._opened = opened
        self._selected = None
        self.changed.emit()

    @property
    def scale(self) -> Scale | None:
        """What a pixel of the open run is long; None without a run."""
        opened = self._opened
        return None if opened is None else scale_of(opened.run, opened.labels.marks)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The measures of the run."""
        if self._opened is None:
            return ()
        return tuple(mark for mark in self._opened.labels.marks if mark.kind in KIND_TEXTS)

    @property
    def selected(self) -> Mark | None:
        """The measure that keys change."""
        if self._opened is None or self._selected is None:
            return None
        return self._opened.labels.mark(self._selected)

    def measured(self, mark: Mark) -> Measured:
        """Return a measure's values; of one that holds on all frames those of the playhead's."""
        assert self._opened is not None
        return measured(self._opened, mark, self._playback.frame)

    # gestures

    def select(self, mark_id: str | None) -> None:
        """Choose a measure; the run goes to its frame."""
        if mark_id == self._selected:
            return
        self._selected = mark_id
        mark = self.selected
        if mark is not None and mark.frame is not None and mark.frame != self._playback.frame:
            self._playback.pause()
            self._playback.seek(mark.frame)
        self.changed.emit()

    def draw(self, kind: MarkKind, frame: int, points: Sequence[Point], text: str = "") -> None:
        """Put a measure on a frame, and choose it."""
        if self._opened is None:
            return
        marks = self._opened.labels.marks
        self.add(new_mark(marks, kind, frame=frame, points=tuple(points), text=plain_words(text)))

    def add(self, mark: Mark) -> bool:
        """Put a measure on the run, and choose it; False where that is refused."""
        label = tr("Add {what}").format(what=kind_text(mark.kind))
        if self._labelling.apply(add_mark(label, mark)) is None:
            return False
        self._selected = mark.id
        self.changed.emit()
        return True

    def move(self, mark_id: str, points: Sequence[Point]) -> None:
        """Move a measure, or some of its handles."""
        self._change(mark_id, tr("Move {what}"), points=tuple(points))

    def nudge(self, right: int, down: int) -> None:
        """Move the chosen measure by whole pixels, as far as the picture reaches."""
        mark, opened = self.selected, self._opened
        if mark is None or opened is None:
            return
        x = np.array([x for x, _ in mark.points]) + right
        y = np.array([y for _, y in mark.points]) + down
        run = opened.run
        if x.min() >= 0 and y.min() >= 0 and x.max() < run.columns and y.max() < run.rows:
            self.move(mark.id, tuple(zip(x.tolist(), y.tolist(), strict=True)))

    def write(self, mark_id: str, text: str) -> None:
        """Write words on a measure."""
        self._change(mark_id, tr("Write on {what}"), text=plain_words(text))

    def toggle_all_frames(self) -> None:
        """Let the chosen measure hold on all frames, or on this one alone."""
        mark = self.selected
        if mark is not None and mark.kind is MarkKind.VESSEL:
            self._labelling.refused.emit(tr("A vessel lies on the frame on which it was measured."))
        elif mark is not None:
            frame = self._playback.frame if mark.frame is None else None
            label = tr("{what} on one frame") if mark.frame is None else tr("{what} on all frames")
            self._change(mark.id, label, frame=frame)

    def delete(self, mark_ids: Sequence[str] = ()) -> None:
        """Remove measures; the chosen one where none are named."""
        if self._opened is None:
            return
        wanted = mark_ids or ([self._selected] if self._selected else [])
        marks = [mark for mark in self.marks if mark.id in wanted]
        if not marks:
            return
        label = tr("Delete {what}").format(what=kind_text(marks[0].kind))
        if len(marks) > 1:
            label = tr("Delete {count} measures").format(count=len(marks))
        self._labelling.apply(remove_marks(label, marks))

    # inside

    def _change(self, mark_id: str, label: str, **fields: Any) -> None:
        mark = None if self._opened is None else self._opened.labels.mark(mark_id)
        if mark is not None and replace(mark, **fields) != mark:
            told = label.format(what=kind_text(mark.kind))
            self._labelling.apply(change_mark(told, mark, **fields))

    def _follow(self, change: LabelsChange) -> None:
        if change.marks_changed:
            if self.selected is None:
                self._selected = None
            self.changed.emit()


def measured(opened: OpenRun, mark: Mark, frame: int, scale: Scale | None = None) -> Measured:
    """Return the values of a measure; greys are those of its frame, else of ``frame``.

    A frame that is not decoded has no greys. Whoever measures much gives the ``scale`` of the run.
    """
    if scale is None:
        scale = scale_of(opened.run, opened.labels.marks)
    stored = opened.cache.get(frame if mark.frame is None else mark.frame)

    def greys(rows: slice, columns: slice) -> NDArray[np.float64]:
        assert stored is not None
        return opened.display.to_modality(stored[rows, columns])

    return Measured(mark, quantities(mark, scale, None if stored is None else greys), scale)
