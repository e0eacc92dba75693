"""Labels files looked at from outside: what they are, whose labels they hold, how far they are.

With the standard library alone, so that a list of runs does not wait for SQLAlchemy.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from app.tracks.content import Damaged, Foreign, LabelSummary, Newer
from app.tracks.identity import RunIdentity
from app.tracks.track import DOUBTFUL_BELOW

APPLICATION_ID = 0x464C5452  # "FLTR"
VERSION = 3
"""In ``user_version``: as many as there are revisions in `app.tracks.migrations`."""
BUSY_TIMEOUT_S = 0.8
MOST_BYTES = 1 << 30
MOST_ROWS = 20_000_000

TABLES: dict[int, dict[str, str]] = {
    1: {
        "run": "identity",
        "review": "playhead reviewed view",
        "tracks": "id name kind color position",
        "points": "track_id frame x y state source confidence",
        "steps": "id label undone",
        "track_changes": "step_id track_id before after",
        "point_changes": "step_id track_id frame before after",
    },
    2: {
        "runs": "id identity signature frame_count",
        "layers": "id run_id reader",
        "tracks": "layer_id id name kind color position weights",
        "points": "layer_id track_id frame x y state source confidence confirmed moved",
        "steps": "layer_id id label undone",
        "track_changes": "layer_id step_id track_id before after",
        "point_changes": "layer_id step_id track_id frame before after",
        "pending": "layer_id track_id first_frame last_frame step_id forced",
        "reviews": "layer_id playhead reviewed view",
        "alembic_version": "version_num",
    },
}
TABLES[3] = TABLES[2] | {
    "marks": "layer_id id kind frame points text values position",
    "mark_changes": "layer_id step_id mark_id before after",
}
"""Tables and columns of each version of the file."""

IDENTITY = {
    1: "SELECT identity, '', 0 FROM run",
    2: "SELECT identity, signature, frame_count FROM runs",
}
IDENTITY[3] = IDENTITY[2]
SUMMARY = {
    1: "SELECT (SELECT count(*) FROM tracks), "
    "(SELECT count(*) FROM points WHERE source IN ('clicked', 'imported')), "
    "(SELECT count(*) FROM points WHERE source = 'tracked' AND confidence < :doubtful), "
    "(SELECT reviewed FROM review), 0",
    2: "SELECT (SELECT count(*) FROM tracks), "
    "(SELECT count(*) FROM points WHERE confirmed AND state IS NOT NULL), "
    "(SELECT count(*) FROM points WHERE NOT confirmed AND confidence < :doubtful), "
    "(SELECT max(reviewed) FROM reviews), (SELECT count(*) FROM pending)",
}
SUMMARY[3] = (
    f"{SUMMARY[2]}, (SELECT \"values\" FROM marks WHERE kind = 'calibration' "
    "ORDER BY position DESC LIMIT 1)"
)


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
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def version(connection: sqlite3.Connection) -> int:
    """Return the version of the tables, checked before anything in them is read; 0 if empty.

    Raises
    ------
    Newer, Foreign, Damaged
        If it is none of ours.
    sqlite3.Error
        If it is no database, or cannot be got at.
    """
    ask = connection.execute
    if not ask("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return 0
    if ask("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise Foreign("another program's database")
    found: int = ask("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise Newer
    if found not in TABLES:
        raise Damaged("no version")
    kinds = ask("SELECT type, name FROM sqlite_master LIMIT 1000").fetchall()
    strange = [name for kind, name in kinds if kind not in ("table", "index")]
    tables = {name for kind, name in kinds if kind == "table"}
    if "alembic_version" in tables:
        _check_revision(connection, found)
    if strange or tables != set(TABLES[found]):
        raise Damaged("other tables than a labels file has")
    for table, columns in TABLES[found].items():
        there = ask(f"PRAGMA table_xinfo({table})").fetchall()
        if [row[1] for row in there] != columns.split() or any(row[6] for row in there):
            raise Damaged("other columns than a labels file has")
    return found


def _check_revision(connection: sqlite3.Connection, found: int) -> None:
    (revision,) = connection.execute("SELECT max(version_num) FROM alembic_version").fetchone()
    if not isinstance(revision, str) or revision > f"{found:04d}":
        raise Newer
    if revision != f"{found:04d}":
        raise Damaged("another revision than its version")


def check_whole(connection: sqlite3.Connection, found: int) -> None:
    """Raise `Damaged` where pages are broken, or more rows than anybody can have labelled."""
    ask = connection.execute
    for table in TABLES[found]:
        most = ask(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {MOST_ROWS + 1})")
        if most.fetchone()[0] > MOST_ROWS:
            raise Damaged("too many rows")
    if ask("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise Damaged("broken pages")


def read_identity(path: Path) -> RunIdentity | None:
    """Return which run the labels in ``path`` belong to; None where that cannot be read."""
    try:
        with closing(connect(path)) as connection:
            found = version(connection)
            row = connection.execute(IDENTITY[found]).fetchone() if found else None
            return None if row is None else RunIdentity(str(row[0]), str(row[1]), int(row[2]))
    except (sqlite3.Error, OSError, Damaged, Newer, ValueError, TypeError):
        return None


def read_summary(path: Path) -> tuple[str, LabelSummary] | None:
    """Return whose labels a file holds and how far they are; None where that cannot be read."""
    try:
        with closing(connect(path)) as connection:
            found = version(connection)
            if not found:
                return None
            ask = connection.execute
            row = ask(IDENTITY[found]).fetchone()
            counts = ask(SUMMARY[found], {"doubtful": DOUBTFUL_BELOW}).fetchone()
            if row is None:
                return None
            tracks, confirmed, doubtful, reviewed, pending, *calibration = counts
            told = calibration[0] if calibration and isinstance(calibration[0], str) else ""
            summary = LabelSummary(tracks, confirmed, doubtful, bool(reviewed), pending, told)
            return str(row[0]), summary
    except (sqlite3.Error, OSError, Damaged, Newer, ValueError, TypeError):
        return None
