"""Vessels of the open run: measured on a thread, corrected by hand, kept as measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from gettext import gettext as tr
from uuid import uuid4

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.errors import UserError
from app.measure.quantities import path_length
from app.measure.vessels import Pin, Profile, pins_of, profile_of, values_of
from app.session.background import Background, Task
from app.session.labelling import Labelling
from app.session.measuring import Measuring
from app.session.open_run import OpenRun
from app.tracks.mark_edits import change_mark
from app.tracks.marks import Mark, MarkKind, Point, new_mark

SHORTEST_PX = 10.0
"""Along less than this nothing can be said of a vessel."""
PIN_REACH_PX = 8.0
"""A dragged edge takes the place of what was dragged so near before, pixels of a 512 matrix."""
CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is being measured.

    Attributes
    ----------
    base : Mark or None
        The vessel as it was when the gesture began; None of a new one.
    """

    base: Mark | None
    frame: int
    points: tuple[Point, ...]
    pins: tuple[Pin, ...]


class Vessels(QObject):
    """Measures vessels; each result is a gesture of the labels.

    Of several gestures on one vessel that are made faster than it can be measured, each goes on
    from the one before, and only the last is measured.

    Signals
    -------
    measured(str) : the id of a vessel that was measured.
    refused(str) : one sentence, why something cannot be done.
    working(str) : what is being measured; "" when that is over.
    """

    measured = Signal(str)
    refused = Signal(str)
    working = Signal(str)

    def __init__(self, labelling: Labelling, background: Background, measuring: Measuring) -> None:
        super().__init__()
        self._labelling = labelling
        self._background = background
        self._measuring = measuring
        self._opened: OpenRun | None = None
        self._wanted: dict[str, _Wanted] = {}
        self._tasks: dict[str, Task] = {}

    def set_run(self, opened: OpenRun | None) -> None:
        """Measure in another run; what is being measured is given up."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks, self._wanted = {}, {}
        self._opened = opened
        self.working.emit("")

    @property
    def chosen(self) -> tuple[Mark, Profile] | None:
        """The vessel among the measures that keys change; None where another one is chosen."""
        mark = self._measuring.selected
        profile = None if mark is None or mark.kind is not MarkKind.VESSEL else _profile(mark)
        return None if mark is None or profile is None else (mark, profile)

    # gestures

    def draw(self, frame: int, points: Sequence[Point]) -> None:
        """Measure the vessel through these points of a frame; it becomes a measure."""
        self._measure(uuid4().hex, _Wanted(None, frame, tuple(points), ()))

    def move(self, mark_id: str, points: Sequence[Point]) -> None:
        """Let a vessel go through other points."""
        wanted = self._begun(mark_id)
        if wanted is not None:
            self._measure(mark_id, replace(wanted, points=tuple(points)))

    def nudge(self, mark_id: str, right: int, down: int) -> None:
        """Move a vessel's points by whole pixels, as far as the picture reaches."""
        wanted, opened = self._begun(mark_id), self._opened
        if wanted is None or opened is None:
            return
        points = tuple((x + right, y + down) for x, y in wanted.points)
        rows, columns = opened.run.rows, opened.run.columns
        if all(0 <= x < columns and 0 <= y < rows for x, y in points):
            self._measure(mark_id, replace(wanted, points=points))

    def pull(self, mark_id: str, part: str, place: Point) -> None:
        """Pull an edge ("left" or "right") or the centre line ("centre") to a place."""
        wanted, opened = self._begun(mark_id), self._opened
        profile = None if wanted is None or wanted.base is None else _profile(wanted.base)
        if wanted is None or profile is None or opened is None:
            return
        if part == CENTRE:
            wanted = replace(wanted, points=_with_point(wanted.points, place, profile))
        else:
            size = np.array([1.0, opened.run.pixel_aspect_ratio])
            reach = PIN_REACH_PX * max(max(opened.run.rows, opened.run.columns) / 512.0, 1.0)
            kept = [
                pin
                for pin in wanted.pins
                if pin[0] != part or np.hypot(*((np.array(pin[1:]) - place) * size)) > reach
            ]
            wanted = replace(wanted, pins=(*kept, (part, *place)))
        self._measure(mark_id, wanted)

    # inside

    def _begun(self, mark_id: str) -> _Wanted | None:
        """Return what a gesture on a vessel goes on from."""
        if mark_id in self._wanted:
            return self._wanted[mark_id]
        mark = None if self._opened is None else self._opened.labels.mark(mark_id)
        if mark is None or mark.kind is not MarkKind.VESSEL or mark.frame is None:
            return None
        return _Wanted(mark, mark.frame, mark.points, pins_of(mark.values))

    def _measure(self, key: str, wanted: _Wanted) -> None:
        opened = self._opened
        if opened is None:
            return
        run = opened.run
        if (
            path_length(np.array(wanted.points, float) * (1.0, run.pixel_aspect_ratio))
            < SHORTEST_PX
        ):
            self.refused.emit(tr("This stretch is too short to measure; draw a longer one."))
            return
        if key in self._tasks:
            self._tasks[key].cancel()
        self._wanted[key] = wanted

        def work(_: Task) -> dict[str, object]:
            from inference.measuring.lumen import Side
            from inference.measuring.vessel import Pin as Held
            from inference.measuring.vessel import measure_vessel

            picture = np.asarray(opened.sequence.read(wanted.frame))
            try:
                found = measure_vessel(
                    picture,
                    np.array(wanted.points),
                    [Held(Side(side), x, y) for side, x, y in wanted.pins],
                    linear=run.pixel_intensity_relationship == "LIN",
                    aspect=run.pixel_aspect_ratio,
                )
            except ValueError as error:
                told = tr(
                    "No vessel can be measured there; draw along its middle, a shorter stretch."
                )
                raise UserError(told) from error
            return values_of(found, wanted.pins)

        def ended() -> None:
            del self._tasks[key], self._wanted[key]
            self.working.emit("")

        def done(values: dict[str, object]) -> None:
            ended()
            self._put(key, wanted, values)

        def failed(told: str) -> None:
            ended()
            self.refused.emit(told)

        self._tasks[key] = self._background.start(work, done, failed)
        self.working.emit(tr("Following the vessel…"))

    def _put(self, key: str, wanted: _Wanted, values: dict[str, object]) -> None:
        opened, base = self._opened, wanted.base
        assert opened is not None
        if base is None:
            fields = {"frame": wanted.frame, "points": wanted.points, "values": values}
            mark = new_mark(opened.labels.marks, MarkKind.VESSEL, **fields)
            if self._measuring.add(mark):
                self.measured.emit(mark.id)
            return
        now = opened.labels.mark(key)
        if now is None or (now.points, now.values) != (base.points, base.values):
            return  # it was taken back meanwhile
        change = change_mark(tr("Correct Vessel"), now, points=wanted.points, values=values)
        if self._labelling.apply(change) is not None:
            self.measured.emit(key)


def _profile(mark: Mark) -> Profile | None:
    return profile_of(mark.values)


def _with_point(points: tuple[Point, ...], place: Point, profile: Profile) -> tuple[Point, ...]:
    """Put a further point where it comes along the vessel."""

    def along(point: Point) -> int:
        return int(np.hypot(*(profile.centre - point).T).argmin())

    here = along(place)
    before = sum(along(point) <= here for point in points[:-1])
    at = max(before, 1)
    return (*points[:at], place, *points[at:])
