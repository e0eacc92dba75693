"""One tracking request while it is worked on: fronts that move away from their anchors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inference.frames import ShouldStop
from inference.tracking.confidence import Evidence
from inference.tracking.offsets import Offsets
from inference.tracking.paths import Candidates, held, posteriors
from inference.tracking.requests import Anchor, PointState, TrackedPoint, TrackRequest
from inference.tracking.search import OCCLUDED_ABOVE, Answer, Template, TipSearch
from inference.tracking.seen_frames import SeenFrames

BATCH = 8
"""Frames a call of the networks: few enough to stop within 200 ms."""
SHAFTS, SHOWN = 3, 2
"""Anchors, and tracked frames, whose shafts are looked for where the tip is hidden."""
OFFSETS = 16
"""Corrected hidden tips that are compared with what the tracker says by itself."""
FOLLOW_ABOVE = 0.6
"""Confidence from which a tracked frame may become a template."""
WINDOW = 48
"""Frames on either side that are joined again after each batch; the whole stretch at its end."""
SAME_CHANCE = 1e-4
"""Difference of a point's chance up to which what was read of it stays."""
MOVED = 0.25
"""Picture pixels by which an answer must change to be told again."""


@dataclass(slots=True)
class _Front:
    """One side of a stretch, moving away from its anchor."""

    first: Template  # the nearest one that shows the tip
    other: Template
    recent: Template
    anchors: list[Template]  # the nearest ones, whose shafts tell where a hidden tip is
    shown: list[Template]  # the latest frames that surely show the tip: their shafts do as well
    frames: list[int]  # still to do, nearest the anchor first
    stretch: int


@dataclass(slots=True, eq=False)
class _Stretch:
    """The frames between two anchors (or an anchor and the end), both ends included.

    ``read`` holds, for frames that were read before, the best candidate, its chance and the point.
    """

    candidates: dict[int, Candidates] = field(default_factory=dict)
    answers: dict[int, Answer] = field(default_factory=dict)  # anchored frames have none
    said: dict[int, NDArray[np.float32]] = field(default_factory=dict)  # (x, y), no offset added
    read: dict[int, tuple[int, float, TrackedPoint]] = field(default_factory=dict)


class TrackingJob:
    """One request while it is worked on.

    Attributes
    ----------
    threads : int
        How many work on a batch of frames.
    evidence : dict
        For each frame told so far what speaks for its point.
    """

    def __init__(
        self, search: TipSearch, seen: SeenFrames, request: TrackRequest, threads: int
    ) -> None:
        self._search = search
        self._seen = seen
        self._request = request
        self.threads = threads
        self._anchors = sorted(request.anchors, key=lambda anchor: anchor.frame)
        self._placed = [a for a in self._anchors if a.x is not None and a.y is not None]
        if not self._placed:
            raise ValueError("Tracking needs at least one point that was placed by hand.")
        self._states = {anchor.frame: anchor.state for anchor in self._placed}
        self._stretches: list[_Stretch] = []
        self._told: dict[int, TrackedPoint] = {}
        self._offsets: Offsets | None = None
        self.evidence: dict[int, Evidence] = {}

    def run(self, should_stop: ShouldStop) -> Iterator[list[TrackedPoint]]:
        """Work on the fronts, the one nearest the playhead first."""
        start = self._request.start_frame
        if start is None:
            start = self._placed[0].frame
        templates = self._make_templates(should_stop)
        self._offsets = self._measure_offsets(templates, should_stop)
        fronts = self._make_fronts(templates) if not should_stop() else []
        while fronts and not should_stop():
            front = min(fronts, key=lambda f: abs(f.frames[0] - start))
            points = self._advance(front, should_stop)
            if points is None:
                return
            fronts = [f for f in fronts if f.frames]
            if all(f.stretch != front.stretch for f in fronts):
                points = self._points(self._stretches[front.stretch], None)
            changed = self._changed(points)
            if changed:
                yield changed

    def _make_templates(self, should_stop: ShouldStop) -> dict[int, Template]:
        templates: dict[int, Template] = {}
        for anchor in self._placed:
            if should_stop():
                break
            point = np.array([anchor.x, anchor.y], np.float64)
            templates[anchor.frame] = self._search.template(self._seen, anchor.frame, point)
        return templates

    def _measure_offsets(
        self, templates: dict[int, Template], should_stop: ShouldStop
    ) -> Offsets | None:
        """Find how far corrected hidden tips are from what the tracker says by itself."""
        request = self._request
        hidden = [frame for frame in templates if self._states[frame] == PointState.OCCLUDED]
        hidden.sort(key=lambda f: max(request.first_frame - f, f - request.last_frame, 0))
        said = {}
        for frame in hidden[:OFFSETS]:
            others = {key: value for key, value in templates.items() if key != frame}
            if should_stop() or not others:
                return None
            self._seen.read(frame)
            answer = self._look(self._front(others, frame, []), [frame])[0]
            if len(answer.candidates.points) and answer.occluded > OCCLUDED_ABOVE:
                said[frame] = answer.candidates.points[int(answer.candidates.scores.argmax())]
        if not said:
            return None
        corrected = np.stack([templates[frame].centre for frame in said])
        return Offsets(np.array(list(said)), np.stack(list(said.values())), corrected)

    def _make_fronts(self, templates: dict[int, Template]) -> list[_Front]:
        first, last = self._request.first_frame, self._request.last_frame
        ends: list[Anchor | None] = [None, *self._anchors, None]
        fronts = []
        for left, right in pairwise(ends):
            low = first if left is None else left.frame + 1
            high = last if right is None else right.frame - 1
            inside = range(max(low, first), min(high, last) + 1)
            if not len(inside):
                continue
            stretch = _Stretch()
            for end in (left, right):
                if end is not None:
                    stretch.candidates[end.frame] = held(self._in_view(end))
            self._stretches.append(stretch)
            middle = len(inside) if right is None else 0 if left is None else (len(inside) + 1) // 2
            for end, todo in (
                (left, list(inside[:middle])),
                (right, list(inside[middle:])[::-1]),
            ):
                if end is not None and todo:
                    fronts.append(self._front(templates, end.frame, todo))
        return fronts

    def _front(self, templates: dict[int, Template], frame: int, todo: list[int]) -> _Front:
        """Make the front that starts from an anchored frame."""
        near = sorted(templates.values(), key=lambda t: abs(t.frame - frame))
        shown = [t for t in near if self._states[t.frame] == PointState.VISIBLE]
        first = (shown or near)[0]
        other = next((t for t in near if t is not first), first)
        return _Front(first, other, first, near[:SHAFTS], [], todo, len(self._stretches) - 1)

    def _look(self, front: _Front, numbers: list[int]) -> list[Answer]:
        """Look for the tip in some frames with what a front knows of it."""
        templates = [front.first, front.other, front.recent]
        anchors = front.anchors + front.shown
        origin = front.first.frame
        return self._search.search(self._seen, numbers, templates, anchors, origin, self.threads)

    def _advance(self, front: _Front, should_stop: ShouldStop) -> list[TrackedPoint] | None:
        """Do the next frames of a front; return the path around them, None when stopped."""
        numbers, front.frames = front.frames[:BATCH], front.frames[BATCH:]
        for number in numbers:
            if should_stop():
                return None
            self._seen.read(number)
        answers = self._look(front, numbers)
        stretch = self._stretches[front.stretch]
        for number, answer in zip(numbers, answers, strict=True):
            stretch.candidates[number] = answer.candidates
            stretch.answers[number] = replace(answer, body=None)  # 16 kB that nobody asks for later
        path = self._points(stretch, numbers[-1])
        points = {point.frame: point for point in path}
        # The latest frame that is sure becomes a template; the first click stays one for good.
        for number, answer in zip(reversed(numbers), reversed(answers), strict=True):
            point = points[number]
            if point.x is not None and point.confidence > FOLLOW_ABOVE:
                said = stretch.said[number]
                front.recent = self._search.template(self._seen, number, said, answer.body)
                if point.state == PointState.VISIBLE:
                    front.shown = [*front.shown, front.recent][-SHOWN:]
                break
        return path

    def _points(self, stretch: _Stretch, around: int | None) -> list[TrackedPoint]:
        """Read the path of a stretch as far as it is known, all of it or around a frame."""
        chain = sorted(stretch.candidates.items())
        if around is not None:
            chain = [link for link in chain if abs(link[0] - around) <= WINDOW]
        every = posteriors(chain, self._seen.geometry.shape)
        points = []
        for (number, _), chances in zip(chain, every, strict=True):
            if number not in stretch.answers:
                continue
            best = int(chances.argmax())
            chance = float(chances[best])
            before = stretch.read.get(number)
            if before is None or before[0] != best or abs(before[1] - chance) > SAME_CHANCE:
                point = self._read(stretch, number, best, chance)
                stretch.read[number] = before = (best, chance, point)
            points.append(before[2])
        return points

    def _read(self, stretch: _Stretch, number: int, best: int, chance: float) -> TrackedPoint:
        """Make a point of the best candidate of a frame."""
        candidates, answer = stretch.candidates[number], stretch.answers[number]
        if best == len(candidates.points):
            self.evidence.pop(number, None)
            return TrackedPoint(number, None, None, PointState.ABSENT, chance)
        evidence = Evidence(
            chance,
            float(candidates.sharpness[best]),
            answer.sure,
            float(candidates.mass[best]),
            float(candidates.moved[best]),
            answer.occluded,
            float(candidates.alike[best]),
            min(abs(number - anchor.frame) for anchor in self._placed),
        )
        self.evidence[number] = evidence
        geometry = self._seen.geometry
        place = candidates.points[best]
        stretch.said[number] = geometry.to_picture(place)
        hidden = answer.occluded > OCCLUDED_ABOVE
        if hidden and self._offsets is not None:
            place = place + self._offsets.at(np.array([number]), place[None])[0]
        limit = (geometry.columns - 1, geometry.rows - 1)
        x, y = np.clip(geometry.to_picture(place), 0.0, limit).tolist()
        state = PointState.OCCLUDED if hidden else PointState.VISIBLE
        return TrackedPoint(number, x, y, state, self._search.confidence(evidence))

    def _changed(self, points: list[TrackedPoint]) -> list[TrackedPoint]:
        """Return the points that are new or have changed since they were told."""
        changed = [p for p in points if _differs(p, self._told.get(p.frame))]
        self._told |= {point.frame: point for point in changed}
        return changed

    def _in_view(self, anchor: Anchor) -> tuple[float, float] | None:
        if anchor.x is None or anchor.y is None:
            return None
        x, y = self._seen.geometry.to_view(np.array([anchor.x, anchor.y], np.float64)).tolist()
        return x, y


def _differs(point: TrackedPoint, told: TrackedPoint | None) -> bool:
    if told is None or told.state != point.state:
        return True
    if point.x is None or point.y is None or told.x is None or told.y is None:
        return False
    moved = abs(point.x - told.x) + abs(point.y - told.y)
    return moved > MOVED or abs(point.confidence - told.confidence) > 0.02
