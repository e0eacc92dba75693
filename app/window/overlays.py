"""What labels look like: overlays on the picture, strips on the timeline, rows, curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.runs.run import Run
from app.tracks.labels import Labels
from app.tracks.track import FrameState, Track, TrackPoint
from widgets.panels.track_panel import TrackRow
from widgets.picture.track_overlay import OverlayPoint, TrackOverlay
from widgets.point_look import FrameLooks, PointLook
from widgets.timeline.motion_plot import MotionCurve
from widgets.timeline.track_strip import TrackStrip

LOOKS = {
    FrameState.EMPTY: PointLook.EMPTY,
    FrameState.CLICKED: PointLook.CLICKED,
    FrameState.IMPORTED: PointLook.CLICKED,
    FrameState.TRACKED: PointLook.TRACKED,
    FrameState.INTERPOLATED: PointLook.INTERPOLATED,
    FrameState.OCCLUDED: PointLook.OCCLUDED,
    FrameState.ABSENT: PointLook.ABSENT,
    FrameState.DOUBTFUL: PointLook.DOUBTFUL,
}


def positions(track: Track, frames: Iterable[int]) -> NDArray[np.float64]:
    """Return (x, y) on each of ``frames``, NaN where the track has none; shape (n, 2)."""
    found = [_position(track.points.get(frame)) for frame in frames]
    return np.array(found, np.float64).reshape(-1, 2)


def overlay(
    track: Track, frame: int, frame_count: int, trail_frames: int, *, selected: bool
) -> TrackOverlay:
    """Return what is drawn of a track on one frame."""
    point = track.points.get(frame)
    shown = None
    if point is not None:
        shown = OverlayPoint(*_position(point), LOOKS[point.frame_state])
    past = range(max(0, frame - trail_frames), frame)
    future = range(frame + 1, min(frame_count, frame + 1 + trail_frames))
    return TrackOverlay(
        track.id,
        track.name,
        track.color,
        selected,
        shown,
        positions(track, past),
        positions(track, future),
    )


def strip(labels: Labels, track: Track) -> TrackStrip:
    """Return what the timeline shows of a track."""
    return TrackStrip(track.id, track.name, track.color, looks(track, range(labels.frame_count)))


def looks(track: Track, frames: Sequence[int]) -> FrameLooks:
    """Return how a track looks on each of ``frames``."""
    shown = FrameLooks.empty(len(frames))
    for place, frame in enumerate(frames):
        point = track.points.get(frame)
        if point is not None:
            shown.looks[place] = LOOKS[point.frame_state]
            shown.confidence[place] = np.nan if point.confidence is None else point.confidence
    return shown


def row(labels: Labels, track: Track, *, visible: bool) -> TrackRow:
    """Return what the panel lists of a track."""
    edited = len(labels.authoritative_points(track.id, 0, labels.frame_count - 1))
    doubtful = len(labels.doubtful_frames(track.id))
    return TrackRow(track.id, track.name, str(track.kind), track.color, edited, doubtful, visible)


def motion(run: Run, track: Track) -> MotionCurve:
    """Return displacement from the first point, speed, and confidence over the frames.

    In mm where the run's spacing holds in the patient, else in px; speed by central differences.
    """
    xy = positions(track, range(run.frame_count))
    scale = (1.0, 1.0)
    if run.spacing is not None and run.spacing.holds_in_patient:
        scale = (run.spacing.column_mm, run.spacing.row_mm)
    known = np.flatnonzero(np.isfinite(xy[:, 0]))
    displacement = np.full(run.frame_count, np.nan)
    speed = np.full(run.frame_count, np.nan)
    if len(known):
        scaled = xy * scale
        displacement = np.hypot(*(scaled - scaled[known[0]]).T)
        if run.frame_count > 1:
            velocity = np.gradient(scaled, run.frame_times_ms / 1000.0, axis=0)
            speed = np.hypot(*velocity.T)
    confidence = looks(track, range(run.frame_count)).confidence
    return MotionCurve(
        track.id, track.name, track.color, displacement, speed, confidence.astype(np.float64)
    )


def motion_unit(run: Run) -> str:
    """Return the unit of `motion`'s lengths."""
    return "mm" if run.spacing is not None and run.spacing.holds_in_patient else "px"


def _position(point: TrackPoint | None) -> tuple[float, float]:
    if point is None or point.x is None or point.y is None:
        return (np.nan, np.nan)
    return (point.x, point.y)
