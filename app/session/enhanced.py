"""The enhanced device: frames moved so that two tracked markers lie still, and averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray

from app.errors import UserError
from app.tracks.labels import Labels
from app.tracks.track import Track, TrackKind
from inference.enhancement import Enhancer, resting_pair
from inference.frames import FrameSequence, ShouldStop

LEAST_DISTANCE_PX = 3.0
"""Between the markers; nearer, their direction is noise."""


class EnhancingError(UserError):
    """Markers about which nothing can be enhanced."""


@dataclass(frozen=True, slots=True, eq=False)
class MarkerWay:
    """Where two markers lie over a span of frames.

    Attributes
    ----------
    track_ids : (str, str)
    span : (first, last)
        Frames, both included.
    pairs : ndarray of float64, shape (n, 2, 2)
        (x, y) of both on each frame of the span, NaN where one has no place.
    confidence : ndarray of float64, shape (n,)
        Of the less sure one, 0 to 1.
    """

    track_ids: tuple[str, str]
    span: tuple[int, int]
    pairs: NDArray[np.float64]
    confidence: NDArray[np.float64]

    def same_as(self, other: MarkerWay) -> bool:
        """Tell whether the same would be enhanced of both."""
        return (
            (self.track_ids, self.span) == (other.track_ids, other.span)
            and np.array_equal(self.pairs, other.pairs, equal_nan=True)
            and np.array_equal(self.confidence, other.confidence)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Enhanced:
    """A picture of a device out of many frames.

    Attributes
    ----------
    pixels : ndarray of float32, shape (rows, columns)
        In one polarity, as the networks see frames (`DisplayPipeline.mono2`).
    frames : int
        That were averaged.
    way : MarkerWay
        What it was made by.
    stale : bool
        The markers or the marked span are other ones by now.
    """

    pixels: NDArray[np.float32]
    frames: int
    way: MarkerWay
    stale: bool = False


def marker_way(labels: Labels, track_ids: tuple[str, str], span: tuple[int, int]) -> MarkerWay:
    """Return where two tracks of a run lie over a span."""
    frames = range(span[0], span[1] + 1)
    pairs = np.full((len(frames), 2, 2), np.nan)
    confidence = np.ones(len(frames))
    for which, track_id in enumerate(track_ids):
        points = labels.track(track_id).points
        for place, frame in enumerate(frames):
            point = points.get(frame)
            if point is not None and point.x is not None and point.y is not None:
                pairs[place, which] = point.x, point.y
                if point.confidence is not None:
                    confidence[place] = min(confidence[place], point.confidence)
    return MarkerWay(track_ids, span, pairs, confidence)


def chosen_markers(tracks: Sequence[Track], selected: Track | None) -> tuple[str, str]:
    """Return the two tracks that a device is enhanced between.

    Balloon markers where there are two of them, else any tracks; of more than two, the selected one
    and the next.

    Raises
    ------
    EnhancingError
        If there are not two.
    """
    markers = [track for track in tracks if track.kind is TrackKind.BALLOON_MARKER]
    of = markers if len(markers) > 1 else list(tracks)
    if len(of) < 2:
        raise EnhancingError(
            tr(
                "Two tracks are needed, one on each marker: click them in Label (R), or let "
                "a pair be proposed (Alt+U)."
            )
        )
    ids = [track.id for track in of]
    first = ids.index(selected.id) if selected is not None and selected.id in ids else 0
    if len(ids) == 2:
        return ids[0], ids[1]
    return ids[first], ids[(first + 1) % len(ids)]


def enhance(
    sequence: FrameSequence,
    way: MarkerWay,
    should_stop: ShouldStop,
    progress: Callable[[float], None],
) -> Enhanced | None:
    """Average frames about two markers (off the GUI thread); None where it was stopped.

    Raises
    ------
    EnhancingError
        If no frame shows both markers, or they lie on each other.
    RunError
        If a frame cannot be decoded.
    """
    both = np.flatnonzero(np.isfinite(way.pairs).all(axis=(1, 2)))
    if not both.size:
        raise EnhancingError(tr("No frame of the span has both markers: track them first."))
    rest = resting_pair(way.pairs[:, 0], way.pairs[:, 1])
    if np.linalg.norm(rest[1] - rest[0]) < LEAST_DISTANCE_PX:
        raise EnhancingError(tr("Both tracks lie on one marker: place them on two."))
    enhancer = Enhancer(rest)
    for done, place in enumerate(both, start=1):
        if should_stop():
            return None
        frame = np.asarray(sequence.read(way.span[0] + int(place)), np.float32)
        enhancer.add(frame, way.pairs[place], float(way.confidence[place]))
        progress(done / both.size)
    if not enhancer.frames:
        raise EnhancingError(tr("The markers are not sure on any frame: correct their points."))
    return Enhanced(enhancer.picture, enhancer.frames, way)
