"""Labels files of Fluorotrace 0.1 open as they were, and are brought up to date when changed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import MetaData, create_engine

from app.tracks import database, peek, records
from app.tracks.content import Content, ReviewState
from app.tracks.identity import RunIdentity
from app.tracks.labels import Labels
from app.tracks.store import label_summary
from app.tracks.track import PointSource, PointState, TrackPoint

from .conftest import FRAMES, change, label

TRACK = "0123456789abcdef0123456789abcdef"
OLD_TABLES = """
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
OLD_POINTS = [
    (3, 10.5, 20.0, "visible", "clicked", None),
    (4, 11.0, 21.0, "occluded", "tracked", 0.25),
    (5, None, None, "absent", "imported", None),
    (6, 12.0, 22.0, "visible", "interpolated", None),
]


@pytest.fixture
def old_file(tmp_path):
    """A file as 0.1 wrote it: a click, what was tracked, a step of nothing, an undone step."""
    path = tmp_path / "run.dcm.fluorotrace.sqlite"
    info = json.dumps(["left", "catheter tip", "#ffb000", 0])
    with closing(sqlite3.connect(path)) as made:
        made.executescript(OLD_TABLES)
        made.execute("PRAGMA application_id=1179407442")
        made.execute("PRAGMA user_version=1")
        made.execute("INSERT INTO run VALUES ('uid:1.2.3')")
        made.execute("INSERT INTO review VALUES (17, 1, ?)", [json.dumps({"zoom": 2.5})])
        made.execute("INSERT INTO tracks VALUES (?, 'left', 'catheter tip', '#ffb000', 0)", [TRACK])
        made.executemany(
            "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?)", [(TRACK, *p) for p in OLD_POINTS]
        )
        steps = [(1, "Place", 0), (2, "Track", 0), (3, "Import", 0), (4, "Place", 1)]
        made.executemany("INSERT INTO steps VALUES (?, ?, ?)", steps)
        made.execute("INSERT INTO track_changes VALUES (1, ?, NULL, ?)", [TRACK, info])
        texts = [json.dumps(point) for point in OLD_POINTS]
        changes = [
            (1, 3, None, texts[0]),
            (1, 4, None, texts[1]),
            (3, 5, None, texts[2]),
            (3, 6, None, texts[3]),
            (4, 6, texts[3], json.dumps([6, 1.0, 2.0, "visible", "clicked", None])),
        ]
        made.executemany(
            "INSERT INTO point_changes VALUES (?, ?, ?, ?, ?)",
            [(step, TRACK, frame, before, after) for step, frame, before, after in changes],
        )
        made.commit()
    return path


def test_an_old_file_opens_with_all_it_held(old_file, reopen):
    before = old_file.read_bytes()
    opened = reopen()
    assert not opened.notice
    (track,) = opened.labels.tracks
    assert track.name == "left"
    assert dict(track.points) == {
        3: TrackPoint(3, 10.5, 20.0),
        4: TrackPoint(4, 11.0, 21.0, PointState.OCCLUDED, PointSource.TRACKED, 0.25),
        5: TrackPoint(5, None, None, PointState.ABSENT, PointSource.IMPORTED, None, confirmed=True),
        6: TrackPoint(6, 12.0, 22.0, PointState.VISIBLE, PointSource.INTERPOLATED),
    }
    assert [point.held for point in track.points.values()] == [True, False, True, False]
    assert opened.state == ReviewState(17, True, {"zoom": 2.5})
    opened.close()
    assert old_file.read_bytes() == before  # only looked at


def test_its_history_goes_on(old_file, reopen):
    opened = reopen()
    assert opened.labels.redo() == "Place"
    assert opened.labels.tracks[0].points[6] == TrackPoint(6, 1.0, 2.0)
    labels = [opened.labels.undo() for _ in range(3)]
    assert labels == ["Place", "Import", "Place"]  # what changed nothing is no step any more
    assert opened.labels.tracks == ()
    for _ in range(2):
        opened.labels.redo()
    opened.close()
    content = database.read(old_file)
    assert [step.label for step in content.undone] == ["Place"]
    again = Labels(FRAMES, content.tracks, content.done, content.undone)
    assert again.tracks == opened.labels.tracks
    assert content.state == ReviewState(17, True, {"zoom": 2.5})


def test_it_is_brought_up_to_date_with_the_first_change(old_file, reopen, tmp_path):
    opened = reopen()
    label(opened.labels, 9)
    opened.close()
    records.write_new(tmp_path / "new.sqlite", Content(RunIdentity("uid:1.2.3")))
    assert tables(old_file) == tables(tmp_path / "new.sqlite")
    assert peek.read_identity(old_file).signature
    with closing(sqlite3.connect(old_file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (peek.VERSION,)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_the_run_list_reads_an_old_file(old_file, tmp_path):
    summary = label_summary(tmp_path / "run.dcm", "1.2.3")
    assert (summary.tracks, summary.confirmed, summary.doubtful) == (1, 2, 1)
    assert summary.reviewed


def test_a_read_only_old_file_is_read(old_file, reopen, tmp_path):
    opened, looked_at = reopen(), reopen()
    assert looked_at.read_only
    assert looked_at.labels.tracks == opened.labels.tracks != ()


def test_a_damaged_old_file_is_set_aside(old_file, reopen):
    change(old_file, "UPDATE points SET y = 'up' WHERE frame = 3")
    opened = reopen()
    assert "is kept as" in opened.notice


def test_a_kill_in_the_middle_of_the_move_leaves_the_old_file(old_file, reopen, monkeypatch):
    before = old_file.read_bytes()
    opened = reopen()
    made = database.upgrade

    def broken(connection, found):
        made(connection, found)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(database, "upgrade", broken)
    label(opened.labels, 9)
    with pytest.raises(Exception, match="not saved"):
        opened.close()
    opened.discard()
    assert old_file.read_bytes() == before


def test_an_unknown_revision_is_newer_and_left_alone(reopen, tmp_path):
    opened = reopen()
    label(opened.labels)
    opened.close()
    change(opened.path, "UPDATE alembic_version SET version_num = '9999'")
    content = opened.path.read_bytes()
    looked_at = reopen()
    assert looked_at.read_only
    assert "newer version" in looked_at.notice
    looked_at.close()
    assert opened.path.read_bytes() == content


def tables(path):
    """Return the columns, keys and foreign keys of each table."""
    engine = create_engine(f"sqlite:///{path}")
    found = MetaData()
    found.reflect(engine)
    engine.dispose()
    return {
        name: (
            [(c.name, str(c.type), c.nullable, c.primary_key) for c in table.columns],
            sorted(str(c.target_fullname) for c in table.foreign_keys),
        )
        for name, table in found.tables.items()
    }
