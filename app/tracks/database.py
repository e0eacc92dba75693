"""Labels files read and written: current state and history, in one transaction each."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Connection,
    StaticPool,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

from app.tracks import peek, rows
from app.tracks.content import Content, Damaged, ReviewState
from app.tracks.edits import Change, PointChange, TrackChange
from app.tracks.history import PendingRecord, Record, SeenRecord, Step, StepAction, StepRecord
from app.tracks.identity import RunIdentity
from app.tracks.schema import (
    HEAD,
    alembic_version,
    layers,
    metadata,
    pending,
    point_changes,
    points,
    reviews,
    runs,
    steps,
    track_changes,
    tracks,
)
from app.tracks.track import TrackPoint

READER = ""
"""Whose layer this is; the file beside a run has one."""
LAYER = 1
FIRST_REVISION = "0001"
MIGRATIONS = Path(__file__).with_name("migrations")
POINT_COLUMNS = ("frame", "x", "y", "state", "source", "confidence", "confirmed", "moved")


def attach(connection: sqlite3.Connection, *, write: bool = True) -> Connection:
    """Let SQLAlchemy use a connection that stays the caller's to close.

    Transactions that write begin as such, so that none fails half-way because of another writer.
    """
    engine = create_engine(
        "sqlite://", creator=lambda: connection, poolclass=StaticPool, hide_parameters=True
    )
    begin = "BEGIN IMMEDIATE" if write else "BEGIN"
    event.listen(engine, "begin", lambda made: made.exec_driver_sql(begin))
    return engine.connect()


def prepare(connection: Connection, run: RunIdentity) -> bool:
    """Make the tables, or bring those of an older version to the present one.

    Parameters
    ----------
    run : RunIdentity
        Whose labels they are, where the file does not say it.

    Returns
    -------
    bool
        True where the file knows what the run looks like, see `write_signature`.

    Raises
    ------
    Newer, Damaged
        If the file is none of ours, or no longer.
    """
    with connection.begin():
        found = peek.version(_raw(connection))
        if found == 0:
            _create(connection)
            told = {"identity": run.key, "signature": run.signature, "frame_count": run.frame_count}
            connection.execute(update(runs).values(told))
        elif found < peek.VERSION:
            upgrade(connection)
        return bool(connection.execute(select(runs.c.signature)).scalar_one())


def write_signature(connection: Connection, signature: str) -> None:
    """Write down what the run looks like."""
    with connection.begin():
        connection.execute(update(runs).values(signature=signature))


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.exec_driver_sql(f"PRAGMA application_id={peek.APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version={peek.VERSION}")
    connection.execute(insert(alembic_version).values(version_num=HEAD))
    connection.execute(insert(runs).values(id=1, identity="", signature="", frame_count=0))
    connection.execute(insert(layers).values(id=LAYER, run_id=1, reader=READER))
    nothing = ReviewState()
    connection.execute(
        insert(reviews).values(
            layer_id=LAYER, playhead=nothing.playhead, reviewed=nothing.reviewed, view="{}"
        )
    )


def upgrade(connection: Connection) -> None:
    """Bring the tables of an older version to the present one, in the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.stamp(config, FIRST_REVISION)
    command.upgrade(config, HEAD)


# reading


def read(path: Path) -> Content | None:
    """Read everything; None where the file is empty. What is older is upgraded in memory.

    Raises
    ------
    Damaged
        If the file is damaged or another program's.
    Newer
        If it was made by a newer version.
    sqlite3.OperationalError, OSError
        If it cannot be got at (locked, no access).
    """
    try:
        if path.stat().st_size > peek.MOST_BYTES:
            raise Damaged("larger than any labels file")
        with closing(peek.connect(path)) as connection:
            connection.execute("BEGIN")
            found = peek.version(connection)
            if not found:
                return None
            peek.check_whole(connection, found)
            with _present(connection, found) as present:
                content = _read(present)
        rows.check_history(content)
    except (NoResultFound, MultipleResultsFound) as error:
        raise Damaged("not one run, or not one layer") from error
    except (sqlite3.Error, DBAPIError) as error:
        if is_damage(error):
            raise Damaged("broken database") from error
        raise _driver_error(error) from error
    except (ValueError, TypeError, KeyError, LookupError, RecursionError, OverflowError) as error:
        raise Damaged("values that no labels have") from error
    return content


@contextmanager
def _present(connection: sqlite3.Connection, found: int) -> Iterator[Connection]:
    """Give the tables in the present version; those of an older one are a copy in memory."""
    if found == peek.VERSION:
        connection.execute("COMMIT")
        present = attach(connection, write=False)
        with present, present.begin():
            yield present
        return
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        connection.backup(memory)
        present = attach(memory)
        with present, present.begin():
            upgrade(present)
            yield present


def is_damage(error: Exception) -> bool:
    """Return True where an error means that the file is broken, not that it is out of reach."""
    found = _driver_error(error)
    code = getattr(found, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _driver_error(error: Exception) -> Exception:
    if isinstance(error, DBAPIError) and isinstance(error.orig, Exception):
        return error.orig
    return error


def _read(connection: Connection) -> Content:
    ask = connection.execute
    run = ask(select(runs.c.identity, runs.c.signature, runs.c.frame_count)).one()
    if ask(select(layers.c.id).where(layers.c.reader == READER)).scalar_one() != LAYER:
        raise Damaged("no layer of labels")
    by_track: dict[Any, dict[int, TrackPoint]] = {}
    query = _columns(points).order_by("track_id", "frame")
    for track_id, *fields in _raw_rows(connection, query):
        point = rows.point_from(fields)
        by_track.setdefault(track_id, {})[point.frame] = point
    shown = tuple(
        rows.track_from(i, rows.info_from(info), MappingProxyType(by_track.pop(i, {})))
        for i, *info in _raw_rows(connection, _columns(tracks).order_by("position"))
    )
    if by_track:
        raise Damaged("points of no track")
    found = rows.steps_from(_raw_rows(connection, _columns(steps).order_by("id")))
    _read_changes(connection, found)
    waiting = _raw_rows(connection, _columns(pending))
    (state,) = _raw_rows(connection, _columns(reviews))
    return Content(
        RunIdentity(rows.text(run[0]), str(run[1]), rows.whole(run[2])),
        shown,
        tuple(step for step, undone in found.values() if not undone),
        tuple(step for step, undone in reversed(list(found.values())) if undone),
        tuple(rows.pending_from(row) for row in waiting),
        rows.state_from(*state),
    )


def _read_changes(connection: Connection, found: Mapping[int, tuple[Step, bool]]) -> None:
    for step_id, track_id, before, after in _raw_rows(connection, _columns(track_changes)):
        info = rows.track_change(track_id, rows.info_parsed(before), rows.info_parsed(after))
        found[step_id][0].changes[info.key] = info
    parsed = cache(rows.point_parsed)  # what one step leaves, the next one finds
    for step_id, track_id, frame, before, after in _raw_rows(connection, _columns(point_changes)):
        change = rows.point_change(track_id, frame, parsed(before), parsed(after))
        found[step_id][0].changes[change.key] = change


def _columns(table: Any) -> Any:
    """Select all of this layer but its number."""
    columns = (column for column in table.columns if column.name != "layer_id")
    return select(*columns).where(_mine(table))


def _raw_rows(connection: Connection, query: Any) -> Any:
    """Return rows as the driver gives them: they are checked here, not by column types."""
    made = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
    return connection.exec_driver_sql(str(made))


# writing


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
            for waiting in content.pending:
                _write_pending(connection, PendingRecord(waiting.track_id, waiting))
            _write_state(connection, content.state)


def _write_state(connection: Connection, state: ReviewState) -> None:
    view = json.dumps(dict(state.view))
    connection.execute(
        update(reviews)
        .where(_mine(reviews))
        .values(playhead=state.playhead, reviewed=state.reviewed, view=view)
    )


def _write_step(connection: Connection, record: StepRecord) -> None:
    if record.action in (StepAction.UNDO, StepAction.REDO):
        undone = record.action is StepAction.UNDO
        here = _mine(steps) & (steps.c.id == record.step_id)
        connection.execute(update(steps).where(here).values(undone=undone))
        connection.execute(delete(pending).where(_mine(pending)))
        return
    if record.action is StepAction.APPLY:
        connection.execute(delete(steps).where(_mine(steps) & steps.c.undone))
        step = {"layer_id": LAYER, "id": record.step_id, "label": record.label, "undone": False}
        connection.execute(insert(steps).values(step))
    told = [
        {
            "layer_id": LAYER,
            "step_id": record.step_id,
            "track_id": change.track_id,
            "before": rows.info_text(change.before),
            "after": rows.info_text(change.after),
        }
        for change in record.kept
        if isinstance(change, TrackChange)
    ]
    _replace(connection, track_changes, ("step_id", "track_id"), told)
    told = [
        {
            "layer_id": LAYER,
            "step_id": record.step_id,
            "track_id": change.track_id,
            "frame": change.frame,
            "before": rows.point_text(change.before),
            "after": rows.point_text(change.after),
        }
        for change in record.kept
        if isinstance(change, PointChange)
    ]
    _replace(connection, point_changes, ("step_id", "track_id", "frame"), told)


def _write_changes(connection: Connection, changes: Iterable[Change]) -> None:
    """Make the changes of the tracks as they are."""
    infos = [c for c in changes if isinstance(c, TrackChange)]
    moved = [c for c in changes if isinstance(c, PointChange)]
    for info in infos:
        if info.after is None:
            continue
        names = ("name", "kind", "color", "position", "weights")
        values = dict(zip(names, rows.info_fields(info.after), strict=True))
        if info.before is None:
            new = {"layer_id": LAYER, "id": info.track_id, **values}
            connection.execute(insert(tracks).values(new))
        else:
            here = _mine(tracks) & (tracks.c.id == info.track_id)
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
            here = _mine(tracks) & (tracks.c.id == info.track_id)
            connection.execute(delete(tracks).where(here))


def _write_seen(connection: Connection, record: SeenRecord) -> None:
    here = _mine(points) & (points.c.track_id == record.track_id)
    here &= points.c.frame == record.frame
    connection.execute(update(points).where(here).values(moved=False))


def _write_pending(connection: Connection, record: PendingRecord) -> None:
    here = _mine(pending) & (pending.c.track_id == record.track_id)
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
        gone = delete(table).where(_mine(table))
        for key in keys:
            gone = gone.where(table.c[key] == bindparam(f"the_{key}"))
        connection.execute(gone, [{f"the_{key}": row[key] for key in keys} for row in told])


def _mine(table: Any) -> Any:
    """Return the condition that a row is of this reader's layer."""
    return table.c.layer_id == LAYER


def _raw(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
