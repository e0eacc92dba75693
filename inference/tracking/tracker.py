"""Tracking a run: the network's heatmaps, joined into a path between the anchors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.frames import FrameSequence, ShouldStop
from inference.runtime import Network, Warn, load_network
from inference.tracking.paths import Candidates, find_candidates, held, posteriors
from inference.tracking.requests import Anchor, TrackedPoint, TrackRequest
from inference.tracking.views import ViewGeometry, crop, normalise, shrink

OnPoints = Callable[[list[TrackedPoint]], None]
"""Receives points; a frame told again replaces what was said of it before."""

BATCH = 4
"""Frames a call of the network: few enough to stop within 200 ms."""
FOLLOW_ABOVE = 0.6
"""Confidence from which a tracked frame may become a template."""
CELL = 2  # as in inference.tracking.network, which would import torch
TEMPLATES = 3
TIME_LIMIT = 30.0
WINDOW = 48
"""Frames on either side that are joined again after each batch; the whole stretch at its end."""
MOVED = 0.25
"""Picture pixels by which an answer must change to be told again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Template:
    frame: int
    centre: NDArray[np.float32]  # (2,) view (x, y)
    pixels: NDArray[np.float32]  # (side, side)


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """The network's answer for one frame."""

    candidates: Candidates
    occluded: float  # probability
    sure: float  # logit
    anchored: bool = False


@dataclass(slots=True)
class _Front:
    """One side of a stretch, moving away from its anchor."""

    first: _Template
    other: _Template
    recent: _Template
    frames: list[int]  # still to do, nearest the anchor first
    stretch: int


@dataclass(slots=True, eq=False)
class _Stretch:
    """The frames between two anchors (or an anchor and the end), both ends included."""

    answers: dict[int, _Answer] = field(default_factory=dict)


def load_tracker(
    device: str = "auto",
    *,
    name: str = "tracker_tiny",
    warn: Warn | None = None,
    threads: int | None = None,
) -> Tracker:
    """Load the shipped tracker.

    Parameters
    ----------
    device : {"auto", "cuda", "mps", "cpu"}
    warn : callable, optional
        Receives sentences for the user (a device without enough memory).
    threads : int, optional
        CPU threads; as many as there are physical cores when None.

    Raises
    ------
    WeightsMissingError
        When the network is not installed.
    """
    return Tracker(load_network(name, device, build=_build, warn=warn, threads=threads))


def _build(metadata: Mapping[str, str]) -> Any:
    from inference.tracking.export import build_tracker

    return build_tracker(metadata)


class Tracker:
    """Finds and follows one point at a time."""

    def __init__(self, network: Network) -> None:
        self._network = network
        options = json.loads(network.metadata["network"])
        self._side: int = options["view"]
        self._template: int = options["template"]
        weights = json.loads(network.metadata.get("confidence", "[0.0, 1.0, 0.0, 1.0]"))
        self._confidence = np.array(weights, np.float64)

    @property
    def device_name(self) -> str:
        """Where the network runs: "cuda", "mps" or "cpu"."""
        return self._network.device

    def track(
        self,
        frames: FrameSequence,
        request: TrackRequest,
        should_stop: ShouldStop,
        on_points: OnPoints,
    ) -> None:
        """Fill the requested frames that hold no anchor.

        Frames nearest ``request.start_frame`` come first. As more of a stretch becomes known its
        earlier frames may be told again, better placed. Anchored frames are never told.

        Parameters
        ----------
        should_stop : callable
            Asked before every batch of frames; the call returns soon after it says True.
        on_points : callable
            Receives the points of each batch.

        Raises
        ------
        ValueError
            When no anchor has a position.
        """
        job = TrackingJob(self, frames, request)
        for points in job.run(should_stop):
            on_points(points)

    def propose(
        self, pixels: NDArray[np.generic], white: float = 255.0, frame: int = 0
    ) -> list[TrackedPoint]:
        """Propose where catheter tips are in a frame without any click, the likeliest first.

        Parameters
        ----------
        pixels : ndarray
            (rows, columns), dark devices on a bright ground.
        white : float
            Largest value of the grey scale; contrast is measured locally, so it does not matter.
        frame : int
            Number that the points carry.
        """
        geometry = ViewGeometry(pixels.shape[0], pixels.shape[1], self._side)
        blank = _Template(frame, np.zeros(2, np.float32), np.zeros((self._template,) * 2, "f4"))
        answer = self.search([self.view(pixels)], [frame], [blank] * TEMPLATES, frame, geometry)[0]
        chances = posteriors([(frame, answer.candidates)])[0]
        points = geometry.to_picture(answer.candidates.points)
        state = "occluded" if answer.occluded > 0.5 else "visible"
        return [
            TrackedPoint(
                frame, float(x), float(y), state, self.confidence(chance, sharp, answer.sure)
            )
            for (x, y), chance, sharp in zip(
                points, chances, answer.candidates.sharpness, strict=False
            )
            if chance > 0.02
        ]

    def view(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Scale and normalise a picture for the network, (side, side)."""
        return normalise(shrink(pixels, self._side))

    def template(
        self, view: NDArray[np.float32], frame: int, centre: NDArray[np.floating]
    ) -> _Template:
        """Cut a template whose tip lies at view position ``centre``."""
        at = np.asarray(centre, np.float32)
        return _Template(frame, at, crop(view, (float(at[0]), float(at[1])), self._template))

    def search(
        self,
        views: list[NDArray[np.float32]],
        numbers: list[int],
        templates: list[_Template],
        origin: int,
        geometry: ViewGeometry,
    ) -> list[_Answer]:
        """Run the network on some frames; times count from frame ``origin``."""

        def times(of: list[int]) -> NDArray[np.float32]:
            since = np.array(of, np.float32) - origin
            return np.clip(since, -TIME_LIMIT, TIME_LIMIT).astype(np.float32)

        heat, occluded, sure = self._network(
            {"search": np.stack(views), "search_times": times(numbers)},
            {
                "templates": np.stack([t.pixels for t in templates]),
                "centres": np.stack([t.centre for t in templates]),
                "template_times": times([t.frame for t in templates]),
            },
        )
        return [
            _Answer(
                find_candidates(heat[i], CELL, geometry.shape),
                float(1.0 / (1.0 + np.exp(-occluded[i]))),
                float(sure[i]),
            )
            for i in range(len(views))
        ]

    def confidence(self, chance: float, sharpness: float, sure: float) -> float:
        """Calibrated probability that a point is within 5 pixels (at 512) of the tip."""
        return float(1.0 / (1.0 + np.exp(-features(chance, sharpness, sure) @ self._confidence)))


def features(chance: float, sharpness: float, sure: float) -> NDArray[np.float64]:
    """Return what the confidence is made from.

    1, the log odds of the path and of the peak being sharp, and the network's own logit.
    """
    shares = np.clip([chance, sharpness], 1e-3, 1.0 - 1e-3)
    return np.array([1.0, *np.log(shares / (1.0 - shares)), sure])


class TrackingJob:
    """One request while it is worked on.

    Attributes
    ----------
    evidence : dict
        For each frame told so far the arguments of `Tracker.confidence`.
    """

    def __init__(self, tracker: Tracker, frames: FrameSequence, request: TrackRequest) -> None:
        self._tracker = tracker
        self._frames = frames
        self._request = request
        self._geometry = ViewGeometry(frames.rows, frames.columns, tracker._side)
        self._anchors = sorted(request.anchors, key=lambda anchor: anchor.frame)
        self._placed = [a for a in self._anchors if a.x is not None and a.y is not None]
        if not self._placed:
            raise ValueError("Tracking needs at least one point that was placed by hand.")
        self._stretches: list[_Stretch] = []
        self._told: dict[int, TrackedPoint] = {}
        self.evidence: dict[int, tuple[float, float, float]] = {}

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
        templates: dict[int, _Template] = {}
        for anchor in self._placed:
            if should_stop():
                return []
            view = self._tracker.view(self._frames.read(anchor.frame))
            templates[anchor.frame] = self._tracker.template(
                view, anchor.frame, self._to_view(anchor)
            )
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
                    point = None if end.x is None else tuple(self._to_view(end))
                    stretch.answers[end.frame] = _Answer(held(point), 0.0, 0.0, anchored=True)
            self._stretches.append(stretch)
            middle = len(inside) if right is None else 0 if left is None else (len(inside) + 1) // 2
            for end, todo in (
                (left, list(inside[:middle])),
                (right, list(inside[middle:])[::-1]),
            ):
                if end is not None and todo:
                    own, other = self._nearest(templates, end.frame)
                    fronts.append(_Front(own, other, own, todo, len(self._stretches) - 1))
        return fronts

    def _nearest(self, templates: dict[int, _Template], frame: int) -> tuple[_Template, _Template]:
        """Return the two templates nearest to a frame (the same one twice where there is one)."""
        near = sorted(templates.values(), key=lambda t: abs(t.frame - frame))[:2]
        return near[0], near[-1]

    def _advance(self, front: _Front, should_stop: ShouldStop) -> list[TrackedPoint] | None:
        """Do the next frames of a front; return the path around them, None when stopped."""
        numbers, front.frames = front.frames[:BATCH], front.frames[BATCH:]
        views = []
        for number in numbers:
            if should_stop():
                return None
            views.append(self._tracker.view(self._frames.read(number)))
        answers = self._tracker.search(
            views,
            numbers,
            [front.first, front.other, front.recent],
            front.first.frame,
            self._geometry,
        )
        stretch = self._stretches[front.stretch]
        stretch.answers.update(zip(numbers, answers, strict=True))
        path = self._points(stretch, numbers[-1])
        points = {point.frame: point for point in path}
        # The latest frame that is sure becomes a template; the first click stays one for good.
        for number, view in reversed(list(zip(numbers, views, strict=True))):
            point = points[number]
            if point.x is not None and point.y is not None and point.confidence > FOLLOW_ABOVE:
                centre = self._geometry.to_view(np.array([point.x, point.y]))
                front.recent = self._tracker.template(view, number, centre)
                break
        return path

    def _points(self, stretch: _Stretch, around: int | None) -> list[TrackedPoint]:
        """Read the path of a stretch as far as it is known, all of it or around a frame."""
        chain = sorted(stretch.answers.items())
        if around is not None:
            chain = [link for link in chain if abs(link[0] - around) <= WINDOW]
        chances = posteriors([(number, answer.candidates) for number, answer in chain])
        points = []
        for (number, answer), chance in zip(chain, chances, strict=True):
            if answer.anchored:
                continue
            best = int(chance.argmax())
            if best == len(answer.candidates.points):
                self.evidence.pop(number, None)
                points.append(TrackedPoint(number, None, None, "absent", float(chance[best])))
                continue
            sharpness = float(answer.candidates.sharpness[best])
            self.evidence[number] = float(chance[best]), sharpness, answer.sure
            confidence = self._tracker.confidence(*self.evidence[number])
            x, y = self._geometry.to_picture(answer.candidates.points[best])
            state = "occluded" if answer.occluded > 0.5 else "visible"
            points.append(TrackedPoint(number, float(x), float(y), state, confidence))
        return points

    def _changed(self, points: list[TrackedPoint]) -> list[TrackedPoint]:
        """Return the points that are new or have changed since they were told."""
        changed = [p for p in points if _differs(p, self._told.get(p.frame))]
        self._told |= {point.frame: point for point in changed}
        return changed

    def _to_view(self, anchor: Anchor) -> NDArray[np.float32]:
        return self._geometry.to_view(np.array([anchor.x, anchor.y], np.float64))


def _differs(point: TrackedPoint, told: TrackedPoint | None) -> bool:
    if told is None or told.state != point.state:
        return True
    if point.x is None or point.y is None or told.x is None or told.y is None:
        return False
    moved = abs(point.x - told.x) + abs(point.y - told.y)
    return moved > MOVED or abs(point.confidence - told.confidence) > 0.02
