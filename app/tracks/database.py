"""The tables of a labels file: current state and history, written in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.tracks.edits import Change, PointChange, TrackChange
from app.tracks.labels import Step, StepAction, StepRecord
from app.tracks.track import PointSource, PointState, Track, TrackInfo, TrackKind, TrackPoint

APPLICATION_ID = 0x464C5452  # "FLTR"
VERSION = 1
BUSY_TIMEOUT_S = 5.0

SCHEMA = """
CREATE TABLE run (identity TEXT NOT NULL);
CREATE TABLE review (playhead INTEGER NOT NULL, reviewed INTEGER NOT NULL, view TEXT NOT NULL);
CREATE TABLE tracks (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, color TEXT NOT NULL,
    position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE points (
    track_id TEXT NOT NULL, frame INTEGER NOT NULL, x REAL, y REAL, state TEXT NOT NULL,
    source TEXT NOT NULL, confidence REAL, PRIMARY KEY (track_id, frame)) WITHOUT ROWID;
CREATE TABLE steps (id INTEGER PRIMARY KEY, label TEXT NOT NULL, undone INTEGER NOT NULL);
CREATE TABLE track_changes (
    step_id INTEGER NOT NULL, track_id TEXT NOT NULL, before TEXT, after TEXT,
    PRIMARY KEY (step_id, track_id)) WITHOUT ROWID;
CREATE TABLE point_changes (
    step_id INTEGER NOT NULL, track_id TEXT NOT NULL, frame INTEGER NOT NULL,
    before TEXT, after TEXT, PRIMARY KEY (step_id, track_id, frame)) WITHOUT ROWID;
"""


class Newer(Exception):  # noqa: N818 - a finding, turned into a sentence by the store
    """The file was made by a newer version of the program."""


class NotOurs(Exception):  # noqa: N818 - a finding, turned into a sentence by the store
    """The file is damaged or foreign; the message says which."""


@dataclass(frozen=True, slots=True)
class ReviewState:
    """Where the reader stood, and whether the run is done.

    ``view`` holds the window's settings for this run: anything that JSON can say.
    """

    playhead: int = 0
    reviewed: bool = False
    view: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """All that a labels file holds."""

    identity: str
    tracks: tuple[Track, ...]
    done: tuple[Step, ...]
    undone: tuple[Step, ...]
    review: ReviewState


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open the file, also to read only: what a killed writer left half done is rolled back.

    A rollback journal, not WAL: it leaves one file when idle, works on network shares, and a
    second window can read beside the writer. ``synchronous=FULL``: a finished gesture survives a
    power cut too.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
    )
    try:
        connection.execute("PRAGMA synchronous=FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def create(connection: sqlite3.Connection, identity: str) -> None:
    """Make the tables in one transaction, unless they are there."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("INSERT INTO run VALUES (?)", (identity,))
            connection.execute("INSERT INTO review VALUES (0, 0, '{}')")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def read_identity(path: Path) -> str | None:
    """Return which run the labels in ``path`` belong to; None where that cannot be read."""
    try:
        connection = connect(path)
        try:
            row = connection.execute("SELECT identity FROM run").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return None
    return str(row[0]) if row else None


def read_summary(path: Path) -> tuple[str, bool, bool] | None:
    """Return identity, whether there are tracks, and whether reviewed; None if unreadable."""
    try:
        connection = connect(path)
        try:
            row = connection.execute(
                "SELECT identity, EXISTS (SELECT 1 FROM tracks), reviewed FROM run, review"
            ).fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return None
    return None if row is None else (str(row[0]), bool(row[1]), bool(row[2]))


def read(path: Path) -> Content | None:
    """Read everything; None where the file is empty.

    Raises
    ------
    NotOurs
        If the file is damaged or another program's.
    Newer
        If it was made by a newer version.
    sqlite3.OperationalError, OSError
        If it cannot be got at (locked, no access).
    """
    try:
        connection = connect(path)
        try:
            connection.execute("BEGIN")
            return _read(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if primary in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise NotOurs("damaged") from error
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise NotOurs("damaged") from error


def _read(connection: sqlite3.Connection) -> Content | None:
    ask = connection.execute
    if not ask("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return None
    if ask("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise NotOurs("not a labels file")
    if ask("PRAGMA user_version").fetchone()[0] > VERSION:
        raise Newer
    if ask("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise NotOurs("damaged")
    (identity,) = ask("SELECT identity FROM run").fetchone()
    playhead, reviewed, view = ask("SELECT playhead, reviewed, view FROM review").fetchone()
    points: dict[str, dict[int, TrackPoint]] = {}
    for track_id, *fields in ask("SELECT * FROM points ORDER BY track_id, frame"):
        points.setdefault(track_id, {})[fields[0]] = _point(fields)
    tracks = tuple(
        Track(i, name, TrackKind(kind), color, MappingProxyType(points.get(i, {})), position)
        for i, name, kind, color, position in ask("SELECT * FROM tracks ORDER BY position")
    )
    steps = {i: Step(i, label, {}) for i, label in ask("SELECT id, label FROM steps ORDER BY id")}
    for step_id, track_id, before, after in ask("SELECT * FROM track_changes"):
        info = TrackChange(track_id, _info_from(before), _info_from(after))
        steps[step_id].changes[info.key] = info
    point = cache(_point_from)  # what one step leaves, the next one finds
    for step_id, track_id, frame, before, after in ask("SELECT * FROM point_changes"):
        change = PointChange(track_id, frame, point(before), point(after))
        steps[step_id].changes[change.key] = change
    undone = {i for (i,) in ask("SELECT id FROM steps WHERE undone")}
    return Content(
        identity,
        tracks,
        tuple(step for step in steps.values() if step.id not in undone),
        tuple(step for step in reversed(steps.values()) if step.id in undone),
        ReviewState(playhead, bool(reviewed), json.loads(view)),
    )


def write(
    connection: sqlite3.Connection, records: Iterable[StepRecord], review: ReviewState | None
) -> None:
    """Write gestures and review state: all of it, or on an error nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for record in records:
            _write_step(connection, record)
            _write_state(connection, record.changes)
        if review is not None:
            connection.execute(
                "UPDATE review SET playhead=?, reviewed=?, view=?",
                (review.playhead, review.reviewed, json.dumps(dict(review.view))),
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _write_step(connection: sqlite3.Connection, record: StepRecord) -> None:
    if record.action in (StepAction.UNDO, StepAction.REDO):
        undone = record.action is StepAction.UNDO
        connection.execute("UPDATE steps SET undone=? WHERE id=?", (undone, record.step_id))
        return
    if record.action is StepAction.APPLY:
        for table in ("track_changes", "point_changes"):
            connection.execute(
                f"DELETE FROM {table} WHERE step_id IN (SELECT id FROM steps WHERE undone)"
            )
        connection.execute("DELETE FROM steps WHERE undone")
        connection.execute("INSERT INTO steps VALUES (?, ?, 0)", (record.step_id, record.label))
    connection.executemany(
        "INSERT INTO track_changes VALUES (?, ?, ?, ?)",
        [
            (record.step_id, c.track_id, _info_text(c.before), _info_text(c.after))
            for c in record.changes
            if isinstance(c, TrackChange)
        ],
    )
    connection.executemany(  # a point that the step changed already keeps its first "before"
        "INSERT INTO point_changes VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
        "SET after=excluded.after",
        [
            (record.step_id, c.track_id, c.frame, _point_text(c.before), _point_text(c.after))
            for c in record.changes
            if isinstance(c, PointChange)
        ],
    )


def _write_state(connection: sqlite3.Connection, changes: Iterable[Change]) -> None:
    for change in changes:
        if isinstance(change, TrackChange):
            info = change.after
            if info is None:
                connection.execute("DELETE FROM tracks WHERE id=?", (change.track_id,))
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO tracks VALUES (?, ?, ?, ?, ?)",
                    (change.track_id, info.name, info.kind, info.color, info.order),
                )
        elif change.after is None:
            connection.execute(
                "DELETE FROM points WHERE track_id=? AND frame=?", (change.track_id, change.frame)
            )
        else:
            connection.execute(
                "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?)",
                (change.track_id, *_fields(change.after)),
            )


def _fields(p: TrackPoint) -> tuple[int, float | None, float | None, str, str, float | None]:
    return p.frame, p.x, p.y, p.state or "", p.source.value, p.confidence


def _point(fields: list[Any]) -> TrackPoint:
    frame, x, y, state, source, confidence = fields
    return TrackPoint(
        frame, x, y, PointState(state) if state else None, PointSource(source), confidence
    )


def _point_text(point: TrackPoint | None) -> str | None:
    return None if point is None else json.dumps(_fields(point))


def _point_from(text: str | None) -> TrackPoint | None:
    return None if text is None else _point(json.loads(text))


def _info_text(info: TrackInfo | None) -> str | None:
    return None if info is None else json.dumps((info.name, info.kind, info.color, info.order))


def _info_from(text: str | None) -> TrackInfo | None:
    if text is None:
        return None
    name, kind, color, order = json.loads(text)
    return TrackInfo(name, TrackKind(kind), color, order)
