"""Finding a run's catheter tip without a click, for batch work."""

from __future__ import annotations

import numpy as np

from inference.frames import FrameSequence
from inference.tracking.requests import Anchor, PointState, TrackedPoint, TrackRequest
from inference.tracking.tracker import Tracker

FRAMES_LOOKED_AT = 9
TRIED = 3
"""Proposals that are followed through the run before one is chosen."""
APART = 20.0
"""Pixels at 512 within which two places are the same tip."""

Path = dict[int, TrackedPoint]
"""A proposal followed through the run, by frame."""


def find_tip(tracker: Tracker, frames: FrameSequence, frame: int | None = None) -> TrackedPoint:
    """Return the likeliest tip of a run.

    Proposals of a few frames are followed through the run, the surest first; one that lies on the
    path of another is the same tip. That is chosen which is proposed most surely, there and along
    its path, and followed most surely. Where a tip is hidden, ends of filled vessels look as much
    like it: tips that show come first.

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
    within = APART * max(frames.rows, frames.columns) / 512
    chances: list[float] = []
    starts: list[TrackedPoint] = []
    paths: list[Path] = []
    for start in sorted(proposals, key=lambda p: (p.state != PointState.VISIBLE, -p.confidence)):
        if len(paths) < TRIED and not any(_passes(path, start, within) for path in paths):
            path = _follow(tracker, frames, start)
            along = sum(p.confidence for p in proposals if _passes(path, p, within))
            followed = np.mean([p.confidence if p.x is not None else 0.0 for p in path.values()])
            chances.append(float((start.confidence + along / len(looked_at)) * followed))
            starts.append(start)
            paths.append(path)
    if not starts:
        raise LookupError("No frame holds anything like a catheter tip.")
    return starts[int(np.argmax(chances))]


def _passes(path: Path, point: TrackedPoint, within: float) -> bool:
    """Say whether a path leads past a point of one of its frames."""
    there = path.get(point.frame)
    if there is None or there.x is None or there.y is None:
        return False
    assert point.x is not None and point.y is not None
    return bool(np.hypot(there.x - point.x, there.y - point.y) <= within)


def _follow(tracker: Tracker, frames: FrameSequence, start: TrackedPoint) -> Path:
    """Follow a proposal through the run."""
    path: Path = {start.frame: start}
    anchor = Anchor(start.frame, start.x, start.y, start.state)
    request = TrackRequest((anchor,), 0, frames.frame_count - 1)
    tracker.track(
        frames, request, lambda: False, lambda told: path.update({p.frame: p for p in told})
    )
    return path
