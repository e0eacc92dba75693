"""Which frames of a track are held, doubtful or moved, found without a look at all its points."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.tracks.track import Track, TrackPoint


@dataclass(slots=True)
class FrameIndex:
    """Sorted frames of one track, so that a frame change never scans all its points."""

    held: list[int] = field(default_factory=list)  # emptied frames are not among them
    doubtful: list[int] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)

    def put(self, frame: int, point: TrackPoint | None) -> None:
        """Take over the point of a frame; None where it has none."""
        there = point is not None and not point.emptied
        _keep(self.held, frame, there and point is not None and point.held)
        _keep(self.doubtful, frame, point is not None and point.doubtful)
        _keep(self.moved, frame, point is not None and point.moved)


def next_of(frames: Sequence[int], frame: int, *, backward: bool) -> int | None:
    """Return which of the sorted ``frames`` comes after ``frame``, round and round."""
    if not frames:
        return None
    if backward:
        return frames[bisect_left(frames, frame) - 1]
    return frames[bisect_right(frames, frame) % len(frames)]


def indexed(track: Track) -> FrameIndex:
    """Return the index of a track."""
    index = FrameIndex()
    for frame, point in sorted(track.points.items()):
        index.put(frame, point)
    return index


def _keep(frames: list[int], frame: int, wanted: bool) -> None:
    """Put ``frame`` into the sorted ``frames`` or take it out."""
    place = bisect_left(frames, frame)
    there = place < len(frames) and frames[place] == frame
    if wanted and not there:
        frames.insert(place, frame)
    elif there and not wanted:
        del frames[place]
