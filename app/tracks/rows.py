"""Points, tracks, marks and history as rows, and rows checked before they are believed.

A labels file may come from a broken disk or from somebody who means harm. Whatever breaks the
rules of `app.tracks.track` and `app.tracks.labels` raises `Damaged` here, so that nothing fails
later, in the middle of a gesture.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.tracks.content import Content, Damaged, ReviewState
from app.tracks.edits import NO_FRAME, Change, MarkChange, PointChange, TrackChange
from app.tracks.history import Key, Pending, Step
from app.tracks.marks import HANDLES, MOST_HANDLES, Mark, MarkKind
from app.tracks.track import (
    LONGEST_NAME,
    PointSource,
    PointState,
    Track,
    TrackInfo,
    TrackKind,
    TrackPoint,
)

MOST_FRAMES = 100_000_000
FARTHEST_PX = 1e6
"""No picture has pixels farther out than this."""
LONGEST_TEXT = 10_000
LONGEST_VALUES = 1 << 20

MarkFields = tuple[str, str, int | None, str, str, str, int]
"""id, kind, frame, points, text, values, position"""
PointFields = tuple[
    int, float | None, float | None, str | None, str, float | None, bool, bool
]  # frame, x, y, state, source, confidence, confirmed, moved


def point_fields(point: TrackPoint) -> PointFields:
    """Return a point as the columns of ``points`` after the track."""
    state = None if point.state is None else point.state.value
    return (
        point.frame,
        point.x,
        point.y,
        state,
        point.source.value,
        point.confidence,
        point.confirmed,
        point.moved,
    )


def point_from(fields: Iterable[Any]) -> TrackPoint:
    """Return the point that the columns describe."""
    frame, x, y, state, source, confidence, confirmed, moved = fields
    point = TrackPoint(
        whole(frame),
        _place(x),
        _place(y),
        None if state is None else PointState(state),
        PointSource(source),
        _share(confidence),
        _flag(confirmed),
        _flag(moved),
    )
    placed = point.state not in (None, PointState.ABSENT)
    if (point.x is not None) is not placed or (point.y is not None) is not placed:
        raise Damaged("a point's position does not fit its state")
    if point.confirmed is not bool(confirmed):
        raise Damaged("a clicked point is not confirmed")
    if point.emptied and not point.held:
        raise Damaged("an emptied frame is not held")
    return point


def info_from(fields: Iterable[Any]) -> TrackInfo:
    """Return what the columns name, kind, color, position, weights of ``tracks`` describe."""
    name, kind, color, position, weights = fields
    if not isinstance(name, str) or not name or len(name) > LONGEST_NAME * 10:
        raise Damaged("a track has no name")
    if not isinstance(color, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        raise Damaged("a track has no colour")
    return TrackInfo(name, TrackKind(kind), color, whole(position), text(weights))


def info_fields(info: TrackInfo) -> tuple[str, str, str, int, str]:
    """Return a track as the columns name, kind, color, position, weights."""
    return info.name, info.kind.value, info.color, info.order, info.weights


def mark_fields(mark: Mark) -> MarkFields:
    """Return a mark as the columns of ``marks`` after the layer."""
    points, values = json.dumps(mark.points), json.dumps(dict(mark.values))
    return mark.id, mark.kind.value, mark.frame, points, mark.text, values, mark.order


def mark_from(fields: Iterable[Any]) -> Mark:
    """Return the mark that the columns describe."""
    mark_id, kind, frame, points, words, values, position = fields
    if not isinstance(mark_id, str) or not 0 < len(mark_id) <= 64:
        raise Damaged("a mark has no id")
    if not isinstance(values, str) or len(values) > LONGEST_VALUES:
        raise Damaged("the values of a mark are too long")
    handles, more = json.loads(points), json.loads(values)
    if not isinstance(handles, list) or not isinstance(more, dict):
        raise Damaged("a mark is not built like one")
    if len(handles) not in HANDLES.get(MarkKind(kind), range(MOST_HANDLES + 1)):
        raise Damaged("a mark has too few handles, or too many")
    return Mark(
        mark_id,
        MarkKind(kind),
        None if frame is None else whole(frame),
        tuple(_handle(x, y) for x, y in handles),
        text(words),
        more,
        whole(position),
    )


def _handle(x: Any, y: Any) -> tuple[float, float]:
    placed = _place(x), _place(y)
    if placed[0] is None or placed[1] is None:
        raise Damaged("a mark's point has no place")
    return placed[0], placed[1]


def mark_text(mark: Mark | None) -> str | None:
    """Return a mark as the history keeps it: JSON."""
    return None if mark is None else json.dumps(mark_fields(mark))


def mark_parsed(text: str | None) -> Mark | None:
    """Return a mark from how the history keeps it."""
    return None if text is None else mark_from(json.loads(text))


def mark_change(mark_id: Any, before: Mark | None, after: Mark | None) -> MarkChange:
    """Return a change of a mark."""
    if before is None and after is None:
        raise Damaged("a change changes nothing")
    if any(mark is not None and mark.id != mark_id for mark in (before, after)):
        raise Damaged("a change names two marks")
    return MarkChange(text(mark_id), before, after)


def point_text(point: TrackPoint | None) -> str | None:
    """Return a point as the history keeps it: JSON."""
    return None if point is None else json.dumps(point_fields(point))


def info_text(info: TrackInfo | None) -> str | None:
    """Return a track as the history keeps it: JSON."""
    return None if info is None else json.dumps(info_fields(info))


def info_parsed(text: str | None) -> TrackInfo | None:
    """Return a track from how the history keeps it."""
    return None if text is None else info_from(json.loads(text))


def point_parsed(text: str | None) -> TrackPoint | None:
    """Return a point from how the history keeps it."""
    return None if text is None else point_from(json.loads(text))


def track_change(track_id: Any, before: TrackInfo | None, after: TrackInfo | None) -> TrackChange:
    """Return a change of a track."""
    if before is None and after is None:
        raise Damaged("a change changes nothing")
    return TrackChange(text(track_id), before, after)


def point_change(
    track_id: Any, frame: Any, before: TrackPoint | None, after: TrackPoint | None
) -> PointChange:
    """Return a change of a point."""
    if before is None and after is None:
        raise Damaged("a change changes nothing")
    if any(point is not None and point.frame != frame for point in (before, after)):
        raise Damaged("a change names two frames")
    return PointChange(text(track_id), whole(frame), before, after)


def state_from(playhead: Any, reviewed: Any, view: Any) -> ReviewState:
    """Return the review state that the columns describe."""
    settings = json.loads(view)
    if not isinstance(settings, dict):
        raise Damaged("the view is not an object")
    return ReviewState(whole(playhead), _flag(reviewed), settings)


def pending_from(fields: Iterable[Any]) -> Pending:
    """Return what the columns of ``pending`` after the layer describe."""
    track_id, first, last, step_id, forced = fields
    pending = Pending(text(track_id), whole(first), whole(last), whole(step_id), _flag(forced))
    if pending.first > pending.last:
        raise Damaged("pending tracking ends before it begins")
    return pending


def check_history(content: Content) -> None:
    """Raise `Damaged` unless every step can be undone, and every undone one done again."""
    now: dict[Key, object] = {}
    for track in content.tracks:
        now[track.id, None] = track.info
        now.update(((track.id, frame), point) for frame, point in track.points.items())
    if len({track.id for track in content.tracks}) != len(content.tracks):
        raise Damaged("two tracks are one")
    now.update(((mark.id, NO_FRAME), mark) for mark in content.marks)
    start = dict(now)
    for step in reversed(content.done):
        _walk(now, (change.inverted() for change in step.changes.values()))
    now = start
    for step in reversed(content.undone):
        _walk(now, step.changes.values())
    if any(pending.track_id not in {t.id for t in content.tracks} for pending in content.pending):
        raise Damaged("pending tracking of no track")


def _walk(now: dict[Key, object], changes: Iterable[Change]) -> None:
    made = list(changes)
    for change in made:
        if now.get(change.key) != change.before:
            raise Damaged("the history does not lead to the labels")
        if change.after is None:
            now.pop(change.key, None)
        else:
            now[change.key] = change.after
    gone = {c.track_id for c in made if isinstance(c, TrackChange) and c.after is None}
    placed = {c.track_id for c in made if isinstance(c, PointChange) and c.after is not None}
    if any((track_id, None) not in now for track_id in placed):
        raise Damaged("the history has points of no track")
    if gone and any(track_id in gone for track_id, _ in now):
        raise Damaged("the history deletes a track but not its points")


def steps_from(rows: Iterable[tuple[Any, Any, Any]]) -> Mapping[int, tuple[Step, bool]]:
    """Return the steps without their changes, by id, and whether they are undone."""
    return {whole(i): (Step(whole(i), text(label), {}), _flag(undone)) for i, label, undone in rows}


def track_from(track_id: Any, info: TrackInfo, points: Mapping[int, TrackPoint]) -> Track:
    """Return a track with its points."""
    if not isinstance(track_id, str) or not 0 < len(track_id) <= 64:
        raise Damaged("a track has no id")
    return Track(track_id, info.name, info.kind, info.color, points, info.order, info.weights)


def whole(value: Any) -> int:
    """Return a frame, step or position: a whole number that is not negative."""
    if type(value) is not int or not 0 <= value <= MOST_FRAMES:
        raise Damaged("a number is not whole, or out of range")
    return value


def text(value: Any) -> str:
    """Return a short text."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise Damaged("a text is none, or too long")
    return value


def _flag(value: Any) -> bool:
    if value not in (0, 1):
        raise Damaged("a flag is neither 0 nor 1")
    return bool(value)


def _place(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > FARTHEST_PX:
        raise Damaged("a position is not a number, or far outside")
    return float(value)


def _share(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise Damaged("a confidence is not between 0 and 1")
    return float(value)
