"""The tracker as the program calls it: follows a tip through a run, proposes tips in a frame."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inference.frames import FrameSequence, ShouldStop
from inference.runtime import Network, Warn, load_network, usable_cores, weights_path
from inference.tracking.job import TrackingJob
from inference.tracking.paths import find_candidates, posteriors
from inference.tracking.requests import PointState, TrackedPoint, TrackRequest
from inference.tracking.search import CELL, OCCLUDED_ABOVE, TEMPLATES, Template, TipSearch
from inference.tracking.seen_frames import SeenFrames
from inference.tracking.side_by_side import OnPoints, TakeCall, take_turns
from inference.tracking.views import ViewGeometry, normalise, shrink

if TYPE_CHECKING:
    from torch import nn

PARTS = ("_stem", "", "_refiner")
"""Endings of the names of the tracker's three networks."""
PROPOSED_ABOVE = 0.1
"""Share of all candidates' chances from which one is proposed."""


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
    name : str
        Of the weights: ``<name>``, ``<name>_stem`` and ``<name>_refiner``.
    warn : callable, optional
        Receives sentences for the user (a device without enough memory).
    threads : int, optional
        CPU threads; as many as there are cores when None.

    Raises
    ------
    WeightsMissingError
        When a network is not installed.
    """

    def load(part: str) -> Network:
        return load_network(name + part, device, build=_build, warn=warn, threads=1)

    stem, matcher, refiner = map(load, PARTS)
    weights = _describe(name, matcher.metadata)
    return Tracker(stem, matcher, refiner, threads or usable_cores(), weights)


def _describe(name: str, metadata: Mapping[str, str]) -> str:
    """Return a tracker's name, its version where it has one, and what tells its weights apart."""
    digest = hashlib.sha256()
    for part in PARTS:
        digest.update(weights_path(name + part, ".safetensors").read_bytes())
    words = (PurePath(name).name, metadata.get("version"), f"(sha {digest.hexdigest()[:8]})")
    return " ".join(word for word in words if word)


def _build(metadata: Mapping[str, str]) -> nn.Module:
    """Make one of the networks for a GPU; torch is imported only here."""
    from inference.tracking.parts import build_part

    return build_part(metadata)


class Tracker:
    """Finds and follows one point at a time.

    Parameters
    ----------
    stem, matcher, refiner : Network
        Reads frames; finds a template's tip in what was read; places it exactly.
    threads : int
        On the CPU.
    weights : str
        Name, version and checksum of the networks, such as "tracker_tiny 6 (sha 1a2b3c4d)".
    """

    def __init__(
        self,
        stem: Network,
        matcher: Network,
        refiner: Network,
        threads: int = 1,
        weights: str = "",
    ) -> None:
        self._stem, self._matcher, self._refiner = stem, matcher, refiner
        self._threads = threads
        self.weights = weights
        self._search = TipSearch(matcher, refiner)
        self._seen: SeenFrames | None = None

    @property
    def networks(self) -> tuple[Network, Network, Network]:
        """Its three networks, in the order of ``PARTS``."""
        return self._stem, self._matcher, self._refiner

    @property
    def device_name(self) -> str:
        """Where the networks run: "cuda", "mps" or "cpu"."""
        return self._matcher.device

    def track(
        self,
        frames: FrameSequence,
        request: TrackRequest,
        should_stop: ShouldStop,
        on_points: OnPoints,
    ) -> None:
        """Fill the requested frames that hold no anchor.

        Frames nearest ``request.start_frame`` come first. As more of a stretch becomes known its
        earlier frames may be told again, better placed. Anchored frames are never told. What was
        read of the frames is kept for the next call with the same ``frames``: further tips and
        corrections take less time.

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
        for points in self.job(frames, request).run(should_stop):
            on_points(points)

    def track_together(self, frames: FrameSequence, take: TakeCall) -> None:
        """Do what `track` does for several tips of a run, side by side.

        The threads share the tips among them, which wastes less than all threads at one tip after
        the other.

        Parameters
        ----------
        take : callable
            Gives the next request that waits; further ones may come while others are worked on.
        """
        take_turns(take, lambda request: self.job(frames, request), self._usable_threads)

    def job(self, frames: FrameSequence, request: TrackRequest) -> TrackingJob:
        """Return the request as a job that has not begun."""
        if self._seen is None or self._seen.frames is not frames:
            self._seen = SeenFrames(frames, self._stem, self._search.side)
        return TrackingJob(self._search, self._seen, request, self._usable_threads)

    @property
    def _usable_threads(self) -> int:
        return self._threads if self.device_name == "cpu" else 1

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

        Returns
        -------
        list of TrackedPoint
            Their confidence is the network's own share for each place, were the tip at one of
            them: without a template it cannot know whether there is one. Not calibrated.
        """
        geometry = ViewGeometry(pixels.shape[0], pixels.shape[1], self._search.side)
        view = normalise(shrink(pixels, self._search.side))
        maps = self._stem({"pictures": np.stack([view, view, view])[None]})
        side = self._search.template_side
        nothing = np.zeros((3, side, side), np.float32)
        blank = Template(frame, np.zeros(2, np.float32), nothing, nothing, view)
        reading = self._search.read(list(maps), [frame], [blank] * TEMPLATES, frame)[0]
        candidates = find_candidates(reading.heat, CELL, geometry.shape)
        chances = posteriors([(frame, candidates)], geometry.shape)[0][:-1]
        chances = chances / chances.sum()
        points = geometry.to_picture(candidates.points)
        hidden = reading.occluded > OCCLUDED_ABOVE
        state = PointState.OCCLUDED if hidden else PointState.VISIBLE
        return [
            TrackedPoint(frame, float(x), float(y), state, float(chance))
            for (x, y), chance in zip(points, chances, strict=True)
            if chance >= PROPOSED_ABOVE
        ]
