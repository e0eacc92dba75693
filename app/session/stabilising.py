"""Stabilised playing: the tracked device stands, and the frames move."""

from __future__ import annotations

from dataclasses import dataclass

from app.tracks.labels import Labels
from app.tracks.track import Track


@dataclass(frozen=True, slots=True)
class Stabilised:
    """What stands still, and where.

    Attributes
    ----------
    track_id : str
    x, y : float
        Where its point lay on the frame on which this was switched on, in image pixels.
    """

    track_id: str
    x: float
    y: float


def stabilised_on(track: Track, frame: int) -> Stabilised | None:
    """Return how the picture is stabilised so that nothing moves now; None without any point."""
    place = place_near(track, frame)
    return None if place is None else Stabilised(track.id, *place)


def shift_px(
    labels: Labels, stabilised: Stabilised | None, frame: int
) -> tuple[float, float] | None:
    """Return how far (x, y) the device lies on a frame from where it stands; None without it."""
    if stabilised is None or stabilised.track_id not in labels:
        return None
    place = place_near(labels.track(stabilised.track_id), frame)
    return None if place is None else (place[0] - stabilised.x, place[1] - stabilised.y)


def place_near(track: Track, frame: int) -> tuple[float, float] | None:
    """Return where a track is on a frame, else on the last one before, else on the first after."""
    known = [f for f, point in track.points.items() if point.x is not None]
    before = max((f for f in known if f <= frame), default=None)
    nearest = min(known, default=None) if before is None else before
    if nearest is None:
        return None
    point = track.points[nearest]
    assert point.x is not None and point.y is not None
    return point.x, point.y
