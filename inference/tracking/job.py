"""One tracking request while it is worked on: fronts that move away from their anchors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from inference.frames import ShouldStop
from inference.tracking.paths import Candidates, held, posteriors
from inference.tracking.requests import Anchor, TrackedPoint, TrackRequest
from inference.tracking.seen_frames import SeenFrames

if TYPE_CHECKING:
    from inference.tracking.tracker import Answer, Template, Tracker

OnPoints = Callable[[list[TrackedPoint]], None]
"""Receives points; a frame told again replaces what was said of it before."""

BATCH = 6
"""Frames a call of the networks: few enough to stop within 200 ms."""
SHAFTS = 3
"""Anchors whose shafts are looked for where the tip is hidden."""
FOLLOW_ABOVE = 0.6
"""Confidence from which a tracked frame may become a template."""
WINDOW = 48
"""Frames on either side that are joined again after each batch; the whole stretch at its end."""
MOVED = 0.25
"""Picture pixels by which an answer must change to be told again."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one point.

    Attributes
    ----------
    chance : float
        Probability of its candidate given all frames.
    sharpness : float
        Share of the candidate's mass that lies close to it.
    sure : float
        The tracking network's own logit of being right.
    mass : float
        The refiner's probability of being within 5 pixels (at 512).
    moved : float
        View pixels between the candidate and where the refiner puts it.
    hidden : float
        Probability that something hides the tip.
    alike : float
        How like the shafts of anchored frames the picture is; 0 where the tip is not hidden.
    away : int
        Frames to the nearest anchor.
    """

    chance: float
    sharpness: float
    sure: float
    mass: float
    moved: float
    hidden: float
    alike: float
    away: int


@dataclass(slots=True)
class _Front:
    """One side of a stretch, moving away from its anchor."""

    first: Template  # the nearest one that shows the tip
    other: Template
    recent: Template
    anchors: list[Template]  # the nearest ones, whose shafts tell where a hidden tip is
    frames: list[int]  # still to do, nearest the anchor first
    stretch: int


@dataclass(slots=True, eq=False)
class _Stretch:
    """The frames between two anchors (or an anchor and the end), both ends included."""

    candidates: dict[int, Candidates] = field(default_factory=dict)
    answers: dict[int, Answer] = field(default_factory=dict)  # anchored frames have none


class TrackingJob:
    """One request while it is worked on.

    Attributes
    ----------
    evidence : dict
        For each frame told so far what speaks for its point.
    """

    def __init__(self, tracker: Tracker, seen: SeenFrames, request: TrackRequest) -> None:
        self._tracker = tracker
        self._seen = seen
        self._request = request
        self._anchors = sorted(request.anchors, key=lambda anchor: anchor.frame)
        self._placed = [a for a in self._anchors if a.x is not None and a.y is not None]
        if not self._placed:
            raise ValueError("Tracking needs at least one point that was placed by hand.")
        self._states = {anchor.frame: anchor.state for anchor in self._placed}
        self._stretches: list[_Stretch] = []
        self._told: dict[int, TrackedPoint] = {}
        self.evidence: dict[int, Evidence] = {}

    def run(self, should_stop: ShouldStop) -> Iterator[list[TrackedPoint]]:
        """Work on the fronts, the one nearest the playhead first."""
        start = self._request.start_frame
        if start is None:
            start = self._placed[0].frame
        fronts = self._make_fronts(should_stop)
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

    def _make_fronts(self, should_stop: ShouldStop) -> list[_Front]:
        templates: dict[int, Template] = {}
        for anchor in self._placed:
            if should_stop():
                return []
            point = np.array([anchor.x, anchor.y], np.float64)
            templates[anchor.frame] = self._tracker.template(self._seen, anchor.frame, point)
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
        shown = [t for t in near if self._states[t.frame] == "visible"]
        first = (shown or near)[0]
        other = next((t for t in near if t is not first), first)
        return _Front(first, other, first, near[:SHAFTS], todo, len(self._stretches) - 1)

    def _advance(self, front: _Front, should_stop: ShouldStop) -> list[TrackedPoint] | None:
        """Do the next frames of a front; return the path around them, None when stopped."""
        numbers, front.frames = front.frames[:BATCH], front.frames[BATCH:]
        for number in numbers:
            if should_stop():
                return None
            self._seen.views(number)
        templates = [front.first, front.other, front.recent]
        answers = self._tracker.search(
            self._seen, numbers, templates, front.anchors, front.first.frame
        )
        stretch = self._stretches[front.stretch]
        for number, answer in zip(numbers, answers, strict=True):
            stretch.candidates[number], stretch.answers[number] = answer.candidates, answer
        path = self._points(stretch, numbers[-1])
        points = {point.frame: point for point in path}
        # The latest frame that is sure becomes a template; the first click stays one for good.
        for number in reversed(numbers):
            point = points[number]
            if point.x is not None and point.y is not None and point.confidence > FOLLOW_ABOVE:
                place = np.array([point.x, point.y], np.float64)
                front.recent = self._tracker.template(self._seen, number, place)
                break
        return path

    def _points(self, stretch: _Stretch, around: int | None) -> list[TrackedPoint]:
        """Read the path of a stretch as far as it is known, all of it or around a frame."""
        chain = sorted(stretch.candidates.items())
        if around is not None:
            chain = [link for link in chain if abs(link[0] - around) <= WINDOW]
        points = []
        for (number, candidates), chances in zip(chain, posteriors(chain), strict=True):
            if number not in stretch.answers:
                continue
            answer = stretch.answers[number]
            best = int(chances.argmax())
            chance = float(chances[best])
            if best == len(candidates.points):
                self.evidence.pop(number, None)
                points.append(TrackedPoint(number, None, None, "absent", chance))
                continue
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
            x, y = self._seen.geometry.to_picture(candidates.points[best]).tolist()
            state = "occluded" if answer.occluded > 0.5 else "visible"
            points.append(TrackedPoint(number, x, y, state, self._tracker.confidence(evidence)))
        return points

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
