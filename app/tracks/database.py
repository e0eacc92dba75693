"""Labels files opened, brought to the present version, and read."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Connection,
    StaticPool,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

from app.tracks import peek, rows
from app.tracks.content import Content, Damaged, ReviewState
from app.tracks.history import Step
from app.tracks.identity import RunIdentity
from app.tracks.marks import MOST_MARKS
from app.tracks.schema import (
    HEAD,
    alembic_version,
    layers,
    mark_changes,
    marks,
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
from app.tracks.track import Track, TrackPoint

log = logging.getLogger(__name__)

READER = ""
"""Whose layer this is; the file beside a run has one."""
LAYER = 1
FIRST_REVISION = "0001"
MIGRATIONS = Path(__file__).with_name("migrations")


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
            upgrade(connection, found)
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


def upgrade(connection: Connection, found: int) -> None:
    """Bring the tables of the version ``found`` to the present one, in the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    if found == 1:  # its files do not name it
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


def read_newer(path: Path) -> tuple[Track, ...]:
    """Return the tracks of a file that a newer version made, to be looked at only.

    What is no longer stored as it is today stays out of sight: then there are none.
    """
    try:
        with (
            closing(peek.connect(path)) as connection,
            attach(connection, write=False) as newer,
            newer.begin(),
        ):
            return _read_tracks(newer)
    except (sqlite3.Error, DBAPIError, Damaged, ValueError, TypeError, LookupError) as error:
        log.warning("labels of a newer version cannot be shown: %s", error)
        return ()


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
            upgrade(present, found)
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
    shown = _read_tracks(connection)
    found = rows.steps_from(_raw_rows(connection, _columns(steps).order_by("id")))
    _read_changes(connection, found)
    waiting = _raw_rows(connection, _columns(pending))
    (state,) = _raw_rows(connection, _columns(reviews))
    put = list(_raw_rows(connection, _columns(marks).order_by("position").limit(MOST_MARKS + 1)))
    if len(put) > MOST_MARKS:
        raise Damaged("more marks than anybody can have put there")
    return Content(
        RunIdentity(rows.text(run[0]), str(run[1]), rows.whole(run[2])),
        shown,
        tuple(step for step, undone in found.values() if not undone),
        tuple(step for step, undone in reversed(list(found.values())) if undone),
        tuple(rows.pending_from(row) for row in waiting),
        rows.state_from(*state),
        tuple(rows.mark_from(row) for row in put),
    )


def _read_tracks(connection: Connection) -> tuple[Track, ...]:
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
    return shown


def _read_changes(connection: Connection, found: Mapping[int, tuple[Step, bool]]) -> None:
    for step_id, track_id, before, after in _raw_rows(connection, _columns(track_changes)):
        info = rows.track_change(track_id, rows.info_parsed(before), rows.info_parsed(after))
        found[step_id][0].changes[info.key] = info
    for step_id, mark_id, before, after in _raw_rows(connection, _columns(mark_changes)):
        mark = rows.mark_change(mark_id, rows.mark_parsed(before), rows.mark_parsed(after))
        found[step_id][0].changes[mark.key] = mark
    parsed = cache(rows.point_parsed)  # what one step leaves, the next one finds
    for step_id, track_id, frame, before, after in _raw_rows(connection, _columns(point_changes)):
        change = rows.point_change(track_id, frame, parsed(before), parsed(after))
        found[step_id][0].changes[change.key] = change


def _columns(table: Any) -> Any:
    """Select all of this layer but its number."""
    columns = (column for column in table.columns if column.name != "layer_id")
    return select(*columns).where(mine(table))


def _raw_rows(connection: Connection, query: Any) -> Any:
    """Return rows as the driver gives them: they are checked here, not by column types."""
    made = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
    return connection.exec_driver_sql(str(made))


def mine(table: Any) -> Any:
    """Return the condition that a row is of this reader's layer."""
    return table.c.layer_id == LAYER


def _raw(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
