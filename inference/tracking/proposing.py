"""Finding a run's catheter tip without a click, for batch work."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from inference.frames import FrameSequence
from inference.tracking.requests import Anchor, TrackedPoint, TrackRequest
from inference.tracking.tracker import Tracker

FRAMES_LOOKED_AT = 9
TRIED = 3
"""Proposals that are followed through the run before one is chosen."""
APART = 20.0
"""Pixels at 512 between proposals of one frame that are tried both."""


def find_tip(tracker: Tracker, frames: FrameSequence, frame: int | None = None) -> TrackedPoint:
    """Return the likeliest tip of a run: the proposal that can be followed most surely.

    Parameters
    ----------
    frame : int, optional
        Where to look; on a few frames throughout the run when None.

    Raises
    ------
    LookupError
        When nothing looks like a tip.
    """
    count = frames.frame_count
    step = max(1, count // FRAMES_LOOKED_AT)
    looked_at = range(step // 2, count, step) if frame is None else [frame]
    proposals = [
        point
        for number in looked_at
        for point in tracker.propose(frames.read(number), frames.white, number)
    ]
    tried = _best(proposals, max(frames.rows, frames.columns) / 512)
    if not tried:
        raise LookupError("No frame holds anything like a catheter tip.")
    return max(tried, key=lambda point: _followed(tracker, frames, point))


def _best(proposals: Iterable[TrackedPoint], scale: float) -> list[TrackedPoint]:
    """Return the surest proposals, none of them beside another of its frame.

    Tips that show come first: where one is hidden, ends of filled vessels look as much like it.
    """
    best: list[TrackedPoint] = []
    for point in sorted(proposals, key=lambda p: (p.state != "visible", -p.confidence)):
        same = [other for other in best if other.frame == point.frame]
        if all(_distance(point, other) > APART * scale for other in same):
            best.append(point)
    return best[:TRIED]


def _distance(one: TrackedPoint, other: TrackedPoint) -> float:
    assert one.x is not None and one.y is not None
    assert other.x is not None and other.y is not None
    return float(np.hypot(one.x - other.x, one.y - other.y))


def _followed(tracker: Tracker, frames: FrameSequence, start: TrackedPoint) -> float:
    """Return the mean confidence with which a proposal is followed through the run."""
    points: dict[int, TrackedPoint] = {start.frame: start}
    request = TrackRequest(
        (Anchor(start.frame, start.x, start.y, start.state),), 0, frames.frame_count - 1
    )
    tracker.track(
        frames, request, lambda: False, lambda told: points.update({p.frame: p for p in told})
    )
    return float(np.mean([p.confidence if p.x is not None else 0.0 for p in points.values()]))
