"""What happened to the labels, written to their file: each call is one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, update

from app.tracks import peek, rows
from app.tracks.content import Content, ReviewState
from app.tracks.database import LAYER, attach, mine, prepare
from app.tracks.edits import Change, MarkChange, PointChange, TrackChange
from app.tracks.history import PendingRecord, Record, SeenRecord, StepAction, StepRecord
from app.tracks.schema import (
    mark_changes,
    marks,
    pending,
    point_changes,
    points,
    reviews,
    steps,
    track_changes,
    tracks,
)

INFO_COLUMNS = ("name", "kind", "color", "position", "weights")
POINT_COLUMNS = ("frame", "x", "y", "state", "source", "confidence", "confirmed", "moved")
MARK_COLUMNS = ("id", "kind", "frame", "points", "text", "values", "position")
KEPT: tuple[tuple[type[Change], Table, tuple[str, ...], Callable[[Any], str | None]], ...] = (
    (TrackChange, track_changes, ("track_id",), rows.info_text),
    (PointChange, point_changes, ("track_id", "frame"), rows.point_text),
    (MarkChange, mark_changes, ("mark_id",), rows.mark_text),
)
"""Of each kind of change: its table in the history, what names it there, and its text."""


def write(
    connection: Connection, records: Iterable[Record], state: ReviewState | None = None
) -> None:
    """Write what happened and the review state: all of it, or on an error nothing."""
    with connection.begin():
        for record in records:
            if isinstance(record, StepRecord):
                _write_step(connection, record)
                _write_changes(connection, record.changes)
            elif isinstance(record, SeenRecord):
                _write_seen(connection, record)
            else:
                _write_pending(connection, record)
        if state is not None:
            _write_state(connection, state)


def write_new(path: Path, content: Content) -> None:
    """Write all labels to a new file."""
    with closing(peek.connect(path, create=True)) as raw, attach(raw) as connection:
        prepare(connection, content.run)
        with connection.begin():
            for step in (*content.done, *reversed(content.undone)):
                kept = tuple(step.changes.values())
                _write_step(connection, StepRecord(StepAction.APPLY, step.id, step.label, (), kept))
            for step in content.undone:
                _write_step(connection, StepRecord(StepAction.UNDO, step.id, step.label, (), ()))
            for track in content.tracks:
                made = (PointChange(track.id, f, None, point) for f, point in track.points.items())
                _write_changes(connection, (TrackChange(track.id, None, track.info), *made))
            _write_changes(connection, [MarkChange(m.id, None, m) for m in content.marks])
            for waiting in content.pending:
                _write_pending(connection, PendingRecord(waiting.track_id, waiting))
            _write_state(connection, content.state)


def _write_state(connection: Connection, state: ReviewState) -> None:
    view = json.dumps(dict(state.view))
    connection.execute(
        update(reviews)
        .where(mine(reviews))
        .values(playhead=state.playhead, reviewed=state.reviewed, view=view)
    )


def _write_step(connection: Connection, record: StepRecord) -> None:
    if record.action in (StepAction.UNDO, StepAction.REDO):
        undone = record.action is StepAction.UNDO
        here = mine(steps) & (steps.c.id == record.step_id)
        connection.execute(update(steps).where(here).values(undone=undone))
        return
    if record.action is StepAction.APPLY:
        connection.execute(delete(steps).where(mine(steps) & steps.c.undone))
        step = {"layer_id": LAYER, "id": record.step_id, "label": record.label, "undone": False}
        connection.execute(insert(steps).values(step))
    for kind, table, keys, text in KEPT:
        told = [
            {
                "layer_id": LAYER,
                "step_id": record.step_id,
                **{key: getattr(change, key) for key in keys},
                "before": text(change.before),
                "after": text(change.after),
            }
            for change in record.kept
            if isinstance(change, kind)
        ]
        _replace(connection, table, ("step_id", *keys), told)


def _write_changes(connection: Connection, changes: Sequence[Change]) -> None:
    """Make the changes of tracks and marks as they are."""
    _write_marks(connection, [c for c in changes if isinstance(c, MarkChange)])
    infos = [c for c in changes if isinstance(c, TrackChange)]
    moved = [c for c in changes if isinstance(c, PointChange)]
    for info in infos:
        if info.after is None:
            continue
        values = dict(zip(INFO_COLUMNS, rows.info_fields(info.after), strict=True))
        if info.before is None:
            new = {"layer_id": LAYER, "id": info.track_id, **values}
            connection.execute(insert(tracks).values(new))
        else:
            here = mine(tracks) & (tracks.c.id == info.track_id)
            connection.execute(update(tracks).where(here).values(values))
    told = [
        {
            "layer_id": LAYER,
            "track_id": change.track_id,
            **dict(zip(POINT_COLUMNS, rows.point_fields(change.after), strict=True)),
        }
        for change in moved
        if change.after is not None
    ]
    gone = [
        {"layer_id": LAYER, "track_id": change.track_id, "frame": change.frame}
        for change in moved
        if change.after is None
    ]
    _delete(connection, points, ("track_id", "frame"), gone)
    _replace(connection, points, ("track_id", "frame"), told)
    for info in infos:
        if info.after is None:
            here = mine(tracks) & (tracks.c.id == info.track_id)
            connection.execute(delete(tracks).where(here))


def _write_marks(connection: Connection, changes: Iterable[MarkChange]) -> None:
    changes = list(changes)
    _delete(connection, marks, ("id",), [{"id": change.mark_id} for change in changes])
    told = [
        {"layer_id": LAYER, **dict(zip(MARK_COLUMNS, rows.mark_fields(c.after), strict=True))}
        for c in changes
        if c.after is not None
    ]
    if told:
        connection.execute(insert(marks), told)


def _write_seen(connection: Connection, record: SeenRecord) -> None:
    here = mine(points) & (points.c.track_id == record.track_id)
    here &= points.c.frame == record.frame
    connection.execute(update(points).where(here).values(moved=False))


def _write_pending(connection: Connection, record: PendingRecord) -> None:
    here = mine(pending) & (pending.c.track_id == record.track_id)
    connection.execute(delete(pending).where(here))
    asked = record.pending
    if asked is not None:
        connection.execute(
            insert(pending).values(
                layer_id=LAYER,
                track_id=asked.track_id,
                first_frame=asked.first,
                last_frame=asked.last,
                step_id=asked.step_id,
                forced=asked.forced,
            )
        )


def _replace(
    connection: Connection, table: Any, keys: tuple[str, ...], told: list[dict[str, Any]]
) -> None:
    """Insert rows in place of those with the same keys."""
    if told:
        _delete(connection, table, keys, told)
        connection.execute(insert(table), told)


def _delete(
    connection: Connection, table: Any, keys: tuple[str, ...], told: list[dict[str, Any]]
) -> None:
    if told:
        gone = delete(table).where(mine(table))
        for key in keys:
            gone = gone.where(table.c[key] == bindparam(f"the_{key}"))
        connection.execute(gone, [{f"the_{key}": row[key] for key in keys} for row in told])
