"""What labels look like: overlays on the picture, strips on the timeline, rows, curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.measure.scale import Scale, is_calibration, scale_of, source_text
from app.measure.vessels import profile_of
from app.runs.run import Run
from app.session.measuring import measured
from app.session.open_run import OpenRun
from app.tracks.labels import Labels
from app.tracks.marks import Mark, MarkKind
from app.tracks.rows import FARTHEST_PX
from app.tracks.track import PointSource, PointState, Track, TrackPoint
from widgets.panels.track_panel import TrackRow
from widgets.picture.mark_overlay import MarkOverlay, MarkShape
from widgets.picture.track_overlay import OverlayPoint, TrackOverlay
from widgets.picture.vessel_overlay import VesselOverlay
from widgets.point_look import FrameLooks, PointLook
from widgets.timeline.motion_plot import MotionCurve
from widgets.timeline.track_strip import TrackStrip

STATE_LOOKS = {PointState.OCCLUDED: PointLook.OCCLUDED, PointState.ABSENT: PointLook.ABSENT}
SOURCE_LOOKS = {
    PointSource.CLICKED: PointLook.CLICKED,
    PointSource.TRACKED: PointLook.TRACKED,
    PointSource.INTERPOLATED: PointLook.INTERPOLATED,
    PointSource.IMPORTED: PointLook.CONFIRMED,
}
SHAPES = {
    MarkKind.DISTANCE: MarkShape.LINE,
    MarkKind.POLYLINE: MarkShape.POLYLINE,
    MarkKind.ANGLE: MarkShape.ANGLE,
    MarkKind.RECTANGLE: MarkShape.RECTANGLE,
    MarkKind.ELLIPSE: MarkShape.ELLIPSE,
    MarkKind.TEXT: MarkShape.TEXT,
    MarkKind.ARROW: MarkShape.ARROW,
    MarkKind.VESSEL: MarkShape.VESSEL,
    MarkKind.CALIBRATION: MarkShape.FOUND,
}


def look(point: TrackPoint | None) -> PointLook:
    """Return how a point looks: doubt first, then what can be seen, then who placed it."""
    if point is None or point.state is None:
        return PointLook.EMPTY
    if point.doubtful:
        return PointLook.DOUBTFUL
    if point.state in STATE_LOOKS:
        return STATE_LOOKS[point.state]
    if point.confirmed and point.source is not PointSource.CLICKED:
        return PointLook.CONFIRMED
    return SOURCE_LOOKS[point.source]


def positions(track: Track, frames: Iterable[int]) -> NDArray[np.float64]:
    """Return (x, y) on each of ``frames``, NaN where the track has none; shape (n, 2)."""
    found = [_position(track.points.get(frame)) for frame in frames]
    return np.array(found, np.float64).reshape(-1, 2)


def overlay(
    labels: Labels, track: Track, frame: int, trail_frames: int, *, selected: bool
) -> TrackOverlay:
    """Return what is drawn of a track on one frame."""
    point = track.points.get(frame)
    shown = None
    if point is not None:
        shown = OverlayPoint(
            *_position(point),
            look(point),
            moved=point.moved,
            stale=labels.stale(track.id, frame),
            emptied=point.emptied,
        )
    past = range(max(0, frame - trail_frames), frame)
    future = range(frame + 1, min(labels.frame_count, frame + 1 + trail_frames))
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
    frames = looks(labels, track, range(labels.frame_count))
    return TrackStrip(track.id, track.name, track.color, frames)


def looks(labels: Labels, track: Track, frames: Sequence[int]) -> FrameLooks:
    """Return how a track looks on each of ``frames``."""
    shown = FrameLooks.empty(len(frames))
    for place, frame in enumerate(frames):
        point = track.points.get(frame)
        shown.stale[place] = labels.stale(track.id, frame)
        if point is not None:
            shown.looks[place] = look(point)
            shown.moved[place], shown.emptied[place] = point.moved, point.emptied
            shown.confidence[place] = np.nan if point.confidence is None else point.confidence
    return shown


def row(labels: Labels, track: Track, *, visible: bool) -> TrackRow:
    """Return what the panel lists of a track."""
    edited = len(labels.held_points(track.id, 0, labels.frame_count - 1))
    doubtful = len(labels.doubtful_frames(track.id))
    return TrackRow(track.id, track.name, str(track.kind), track.color, edited, doubtful, visible)


def motion(run: Run, track: Track, scale: Scale) -> MotionCurve:
    """Return displacement from the first point, speed, and confidence over the frames.

    In the unit of ``scale``; speed by central differences.
    """
    xy = positions(track, range(run.frame_count))
    known = np.flatnonzero(np.isfinite(xy[:, 0]))
    displacement = np.full(run.frame_count, np.nan)
    speed = np.full(run.frame_count, np.nan)
    if len(known):
        scaled = xy * (scale.column_size, scale.row_size)
        displacement = np.hypot(*(scaled - scaled[known[0]]).T)
        if run.frame_count > 1:
            velocity = np.gradient(scaled, run.frame_times_ms / 1000.0, axis=0)
            speed = np.hypot(*velocity.T)
    points = (track.points.get(frame) for frame in range(run.frame_count))
    sure = [np.nan if p is None or p.confidence is None else p.confidence for p in points]
    return MotionCurve(track.id, track.name, track.color, displacement, speed, np.array(sure))


def _position(point: TrackPoint | None) -> tuple[float, float]:
    if point is None or point.x is None or point.y is None:
        return (np.nan, np.nan)
    return (point.x, point.y)


def marks(opened: OpenRun, frame: int, chosen_id: str) -> list[MarkOverlay]:
    """Return the measures of a frame with what they say."""
    scale = scale_of(opened.run, opened.labels.marks)
    return [
        MarkOverlay(
            mark.id,
            SHAPES[mark.kind],
            mark.points,
            _lines(opened, mark, frame, scale),
            mark.id == chosen_id,
            tuple(tuple((x, y) for x, y in edge) for edge in _edges(mark)),
            _vessel(mark),
        )
        for mark in opened.labels.marks
        if mark.kind in SHAPES and mark.frame in (None, frame)
    ]


def _lines(opened: OpenRun, mark: Mark, frame: int, scale: Scale) -> tuple[str, ...]:
    if mark.kind is MarkKind.CALIBRATION:
        return (source_text(mark.values),) if is_calibration(mark.values) and mark.points else ()
    return measured(opened, mark, frame, scale).lines


def _vessel(mark: Mark) -> VesselOverlay | None:
    profile = profile_of(mark.values) if mark.kind is MarkKind.VESSEL else None
    if profile is None:
        return None
    centre, left, right = (
        tuple((x, y) for x, y in line.tolist())
        for line in (profile.centre, profile.left, profile.right)
    )
    return VesselOverlay(centre, left, right, profile.begin, profile.narrowest, profile.end)


def _edges(mark: Mark) -> list[list[tuple[float, float]]]:
    """Return the lines that belong to a mark; what a file says otherwise is left out."""
    edges = mark.values.get("edges", [])
    if not isinstance(edges, list):
        return []
    found = []
    for edge in edges:
        points = edge if isinstance(edge, list) else []
        pairs = [p for p in points if isinstance(p, list) and len(p) == 2]
        places = [(x, y) for x, y in pairs if _is_place(x) and _is_place(y)]
        found.append(places)
    return found


def _is_place(value: object) -> bool:
    """Tell whether a value of a file is a number that can be drawn."""
    return isinstance(value, (int, float)) and abs(value) <= FARTHEST_PX
