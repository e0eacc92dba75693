"""Edits: what a gesture would change, built from the tracks as they are, applied by `Labels`.

An edit lists each changed point and each changed track with its value before and after, so it
can be looked at before it is applied and inverted exactly afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from gettext import gettext as tr
from typing import Literal, Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from app.errors import UserError
from app.tracks.marks import Mark
from app.tracks.track import (
    TRACK_COLORS,
    PointSource,
    PointState,
    Track,
    TrackInfo,
    TrackKind,
    TrackPoint,
    clean_name,
    emptied_frame,
)

DECIMALS = 3  # of what the network answers: a thousandth of a pixel
MOVED_PX = 1.0
"""A re-tracking that moves a point farther than this marks it as moved."""
NO_FRAME = -1


class EditError(UserError):
    """An edit that cannot be made on these tracks."""


@dataclass(frozen=True, slots=True)
class PointChange:
    """One point before and after; None where the track has no point on the frame."""

    track_id: str
    frame: int
    before: TrackPoint | None
    after: TrackPoint | None

    @property
    def key(self) -> tuple[str, int]:
        """What the change touches."""
        return self.track_id, self.frame

    def inverted(self) -> PointChange:
        """Return the change that takes this one back."""
        return PointChange(self.track_id, self.frame, self.after, self.before)


@dataclass(frozen=True, slots=True)
class TrackChange:
    """A track without its points before and after; None where there is no such track."""

    track_id: str
    before: TrackInfo | None
    after: TrackInfo | None

    @property
    def key(self) -> tuple[str, None]:
        """What the change touches."""
        return self.track_id, None

    def inverted(self) -> TrackChange:
        """Return the change that takes this one back."""
        return TrackChange(self.track_id, self.after, self.before)


@dataclass(frozen=True, slots=True)
class MarkChange:
    """A mark before and after; None where there is no such mark."""

    mark_id: str
    before: Mark | None
    after: Mark | None

    @property
    def key(self) -> tuple[str, int]:
        """What the change touches."""
        return self.mark_id, NO_FRAME

    def inverted(self) -> MarkChange:
        """Return the change that takes this one back."""
        return MarkChange(self.mark_id, self.after, self.before)


TracksChange = PointChange | TrackChange
Change = TracksChange | MarkChange


@dataclass(frozen=True, slots=True)
class Edit:
    """One gesture: a label for the undo menu and its changes, each touching another thing.

    The order of the changes has no meaning: tracks come into being before their points and go
    after them.
    """

    label: str
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if len({change.key for change in self.changes}) != len(self.changes):
            raise ValueError("an edit changes each point, track and mark once")

    def inverted(self) -> Edit:
        """Return the edit that takes this one back."""
        return Edit(self.label, tuple(change.inverted() for change in self.changes))


class NetworkPoint(Protocol):
    """What the tracker answers for a frame (`inference.tracking.requests.TrackedPoint`)."""

    @property
    def frame(self) -> int: ...  # noqa: D102
    @property
    def x(self) -> float | None: ...  # noqa: D102
    @property
    def y(self) -> float | None: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def confidence(self) -> float: ...  # noqa: D102


# tracks


def new_track(
    existing: Sequence[Track],
    name: str | None = None,
    kind: TrackKind = TrackKind.CATHETER_TIP,
    color: str | None = None,
) -> Track:
    """Return an empty track to add after ``existing``, with a free name and the next colour."""
    order = max((track.order for track in existing), default=-1) + 1
    return Track(
        id=uuid4().hex,
        name=free_name(clean_name(name or "") or str(kind), {track.name for track in existing}),
        kind=kind,
        color=color or TRACK_COLORS[order % len(TRACK_COLORS)],
        order=order,
    )


def free_name(name: str, taken: set[str]) -> str:
    """Return ``name``, numbered where it is taken.

    >>> free_name("tip", {"tip", "tip 2"})
    'tip 3'
    """
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free


def add_track(track: Track) -> Edit:
    """Add a track with the points it has."""
    changes: list[Change] = [TrackChange(track.id, None, track.info)]
    changes += [PointChange(track.id, frame, None, point) for frame, point in track.points.items()]
    return Edit(tr("New track {name}").format(name=track.name), tuple(changes))


def remove_track(track: Track) -> Edit:
    """Remove a track and all its points."""
    label = tr("Delete track {name}").format(name=track.name)
    return Edit(label, add_track(track).inverted().changes)


def change_track(
    track: Track,
    *,
    name: str | None = None,
    kind: TrackKind | None = None,
    color: str | None = None,
) -> Edit:
    """Rename a track, change its kind or its colour.

    Raises
    ------
    EditError
        If nothing of the name can be shown.
    """
    if name is not None:
        name = clean_name(name)
        if not name:
            raise EditError(tr("A track needs a name; type one."))
    after = replace(
        track.info,
        name=track.name if name is None else name,
        kind=track.kind if kind is None else kind,
        color=track.color if color is None else color,
    )
    if name is not None:
        label = tr("Rename {name}").format(name=track.name)
    elif kind is not None:
        label = tr("Change kind of {name}").format(name=track.name)
    else:
        label = tr("Recolour {name}").format(name=track.name)
    return Edit(label, _info_changes(track, after))


# points


def place_point(
    track: Track, frame: int, x: float, y: float, state: PointState = PointState.VISIBLE
) -> Edit:
    """Place a point by a click or at the end of a drag: held from now on."""
    point = TrackPoint(frame, float(x), float(y), state, PointSource.CLICKED)
    return _set_points(tr("Place {name}").format(name=track.name), track, [point])


def confirm(track: Track, first: int, last: int | None = None) -> Edit:
    """Say that the points on ``first..last`` are right as they are: held from now on.

    Raises
    ------
    EditError
        If there is no point on any of the frames.
    """
    there = [track.points[f] for f in _span(first, last) if f in track.points]
    points = [replace(p, confirmed=True, moved=False) for p in there if not p.emptied]
    if not points:
        raise EditError(tr("There is no point on this frame; click to place it."))
    return _set_points(tr("Confirm {name}").format(name=track.name), track, points)


def set_state(track: Track, first: int, last: int | None, state: PointState) -> Edit:
    """Say what can be seen on ``first..last``: each frame is confirmed, its place and source stay.

    An absent point has no position. Where a visible or occluded one has none yet, it gets what
    its neighbours suggest.

    Raises
    ------
    EditError
        If a position is needed and the track has none on any frame.
    """
    points = []
    for frame in _span(first, last):
        old = track.points.get(frame)
        if old is not None and old.emptied:
            old = None
        if state is PointState.ABSENT:
            old = old or TrackPoint(frame, None, None)
            point = replace(old, x=None, y=None, state=state, confirmed=True, moved=False)
        elif old is not None and old.x is not None:
            point = replace(old, state=state, confirmed=True, moved=False)
        else:
            x, y = _position(track, frame)
            point = TrackPoint(frame, x, y, state, PointSource.INTERPOLATED, confirmed=True)
        points.append(point)
    if state is PointState.ABSENT:
        label = tr("Mark {name} absent")
    elif state is PointState.OCCLUDED:
        label = tr("Mark {name} occluded")
    else:
        label = tr("Mark {name} visible")
    return _set_points(label.format(name=track.name), track, points)


def delete_points(track: Track, first: int, last: int | None = None) -> Edit:
    """Empty the frames ``first..last``: no point, and none comes back until a person asks.

    Frames of the span that were not tracked yet are emptied with the others; where no frame of
    it has a point there is nothing to delete.
    """
    frames = _span(first, last)
    there = [track.points[frame] for frame in frames if frame in track.points]
    points = [emptied_frame(frame) for frame in frames]
    if all(point.emptied for point in there):
        points = []
    label = tr("Delete point of {name}") if len(frames) == 1 else tr("Clear span of {name}")
    return _set_points(label.format(name=track.name), track, points)


def interpolate_span(
    track: Track, first: int, last: int, method: Literal["linear", "cubic"] = "linear"
) -> Edit:
    """Fill the frames ``first..last`` between the held points around them.

    Held points stay, emptied frames are filled; frames before the first or after the last held
    point are left alone. A filled frame is occluded where the held points on both its sides are.

    Parameters
    ----------
    method : {"linear", "cubic"}
        Cubic is the Hermite spline with second-order finite-difference tangents.

    Raises
    ------
    EditError
        If no frame of the span lies between two held points with positions.
    """
    marked = track.marked_points
    knots = [p for p in marked if p.held and p.x is not None]
    held = {p.frame for p in marked if p.held}
    frames = [
        frame
        for frame in _span(first, last)
        if frame not in held and knots and knots[0].frame < frame < knots[-1].frame
    ]
    if not frames:
        raise EditError(tr("Click the point before and after the span, then interpolate between."))
    at = np.array([p.frame for p in knots], float)
    xy = np.array([(p.x, p.y) for p in knots], float)
    filled = _hermite(at, xy, np.array(frames, float), straight=method == "linear")
    points = []
    for frame, (x, y) in zip(frames, filled.tolist(), strict=True):
        right = int(np.searchsorted(at, frame))
        both = knots[right - 1].state is knots[right].state is PointState.OCCLUDED
        state = PointState.OCCLUDED if both else PointState.VISIBLE
        points.append(TrackPoint(frame, x, y, state, PointSource.INTERPOLATED))
    return _set_points(tr("Interpolate {name}").format(name=track.name), track, points)


def put_tracked(
    track: Track,
    answers: Iterable[NetworkPoint],
    *,
    weights: str | None = None,
    forced: bool = False,
) -> Edit:
    """Put the tracker's answers into a track; held frames stay as they are.

    Parameters
    ----------
    weights : str, optional
        Name and version of the weights that answered, kept with the track.
    forced : bool
        A person asked for these frames: those that somebody emptied are filled again.
    """
    points = []
    for answer in answers:
        old = track.points.get(answer.frame)
        if old is not None and old.held and not (forced and old.emptied):
            continue
        state, x, y = PointState(answer.state), answer.x, answer.y
        if state is PointState.ABSENT or x is None or y is None:
            state, x, y = PointState.ABSENT, None, None
        else:
            x, y = round(float(x), DECIMALS), round(float(y), DECIMALS)
        sure = round(min(1.0, max(0.0, float(answer.confidence))), DECIMALS)
        point = TrackPoint(answer.frame, x, y, state, PointSource.TRACKED, sure)
        points.append(replace(point, moved=was_moved(old, point)))
    placed = _set_points(tr("Track {name}").format(name=track.name), track, points)
    if weights is None or not placed.changes:
        return placed
    infos = _info_changes(track, replace(track.info, weights=weights))
    return Edit(placed.label, (*infos, *placed.changes))


def was_moved(before: TrackPoint | None, after: TrackPoint | None) -> bool:
    """Return True where a person who saw ``before`` would be surprised by ``after``."""
    if before is None or after is None or before.emptied or after.emptied:
        return False
    if before.moved or before.state is not after.state:
        return True
    if before.x is None or before.y is None or after.x is None or after.y is None:
        return False
    return math.hypot(after.x - before.x, after.y - before.y) > MOVED_PX


def _info_changes(track: Track, after: TrackInfo) -> tuple[TrackChange, ...]:
    return () if after == track.info else (TrackChange(track.id, track.info, after),)


def _set_points(label: str, track: Track, points: Iterable[TrackPoint]) -> Edit:
    changes: list[Change] = []
    for point in points:
        if point.frame < 0:
            raise ValueError(f"frame {point.frame} is before the run")
        if point.x is not None and not np.isfinite((point.x, point.y or 0.0)).all():
            raise ValueError(f"the position on frame {point.frame} is not finite")
        before = track.points.get(point.frame)
        if before != point:
            changes.append(PointChange(track.id, point.frame, before, point))
    return Edit(label, tuple(changes))


def _span(first: int, last: int | None) -> range:
    last = first if last is None else last
    return range(min(first, last), max(first, last) + 1)


def _position(track: Track, frame: int) -> tuple[float, float]:
    """Return the position on a frame, or what its nearest neighbours with one suggest."""
    point = track.points.get(frame)
    if point is not None and point.x is not None and point.y is not None:
        return point.x, point.y
    known = [p for _, p in sorted(track.points.items()) if p.x is not None]
    if not known:
        raise EditError(tr("Click the point on at least one frame first."))
    at = [p.frame for p in known]
    x = np.interp(frame, at, np.array([p.x for p in known], float))
    y = np.interp(frame, at, np.array([p.y for p in known], float))
    return float(x), float(y)


def _hermite(
    at: NDArray[np.float64],
    values: NDArray[np.float64],
    wanted: NDArray[np.float64],
    *,
    straight: bool,
) -> NDArray[np.float64]:
    """Interpolate ``values`` (n, 2) known at ``at`` (n,); straight lines or a cubic Hermite."""
    if straight or len(at) < 3:
        return np.stack([np.interp(wanted, at, column) for column in values.T], axis=1)
    slopes = np.gradient(values, at, axis=0)
    left = np.clip(np.searchsorted(at, wanted) - 1, 0, len(at) - 2)
    step = (at[left + 1] - at[left])[:, None]
    t = (wanted - at[left])[:, None] / step
    return (
        (1 + 2 * t) * (1 - t) ** 2 * values[left]
        + t * (1 - t) ** 2 * step * slopes[left]
        + t**2 * (3 - 2 * t) * values[left + 1]
        + t**2 * (t - 1) * step * slopes[left + 1]
    )
