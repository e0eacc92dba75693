"""A labels file is believed only when all of it is right."""

from __future__ import annotations

import random
import shutil
import sqlite3

import pytest

from app.tracks import database, peek
from app.tracks.content import Damaged
from app.tracks.store import label_summary, open_store

from .conftest import change, label, random_gesture

WRONG = {
    "text in a place": "UPDATE points SET y = 'up' WHERE state = 'visible'",
    "infinite place": "UPDATE points SET y = 9e999 WHERE state = 'visible'",
    "a place far outside": "UPDATE points SET x = 1e30 WHERE state = 'visible'",
    "a visible point of no place": "UPDATE points SET x = NULL WHERE state = 'visible'",
    "text in the confidence": "UPDATE points SET confidence = 'much'",
    "more than sure": "UPDATE points SET confidence = 1.5",
    "a state of nobody's": "UPDATE points SET state = 'floating'",
    "a source of nobody's": "UPDATE points SET source = 'guessed'",
    "a flag of five": "UPDATE points SET moved = 5",
    "text in a frame": "UPDATE points SET frame = 'first' WHERE frame = (SELECT min(frame) "
    "FROM points)",
    "a negative frame": "UPDATE points SET frame = -4 WHERE frame = 3",
    "text in the playhead": "UPDATE reviews SET playhead = 'x'",
    "a list as view": "UPDATE reviews SET view = '[1,2]'",
    "no JSON as view": "UPDATE reviews SET view = '{'",
    "deep JSON as view": f"UPDATE reviews SET view = '{'[' * 100_000}'",
    "no review": "DELETE FROM reviews",
    "text in the position": "UPDATE tracks SET position = 'first'",
    "no colour": "UPDATE tracks SET color = 'url(http://x)'",
    "a name of bytes": "UPDATE tracks SET name = x'ff00'",
    "a name that is no UTF-8": "UPDATE tracks SET name = CAST(x'ff41' AS TEXT)",
    "no name": "UPDATE tracks SET name = ''",
    "a deleted track in history": "DELETE FROM tracks",
    "points of no track": "UPDATE points SET track_id = 'x' WHERE rowid = (SELECT min(rowid) "
    "FROM points)",
    "a step of nobody's": "DELETE FROM steps WHERE id = 2",
    "a step that is undone and not": "UPDATE steps SET undone = 1 WHERE id = 1",
    "history that does not lead here": "UPDATE point_changes SET after = before "
    "WHERE before IS NOT NULL",
    "history of another frame": "UPDATE point_changes SET frame = frame + 50",
    "history that is no JSON": "UPDATE point_changes SET after = 'x'",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON points BEGIN DELETE FROM points; END",
    "another table": "CREATE TABLE more (x)",
    "another column": "ALTER TABLE points ADD COLUMN z",
    "a missing table": "DROP TABLE steps",
    "a negative version": "PRAGMA user_version = -1",
}

ENDLESS = (
    "DROP TABLE points",
    "CREATE VIEW points AS WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) "
    "SELECT 1 AS layer_id, 'a' AS track_id, n AS frame, 1.0 AS x, 1.0 AS y, 'visible' AS state, "
    "'clicked' AS source, NULL AS confidence, 1 AS confirmed, 0 AS moved FROM t",
)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A labels file with a long history."""
    import numpy as np

    from app.runs.run import Run

    from .conftest import GreyFrames

    folder = tmp_path_factory.mktemp("labelled")
    times = np.arange(40.0)
    run = Run(folder / "run.dcm", GreyFrames(), 40, 64, 48, times, sop_instance_uid="1.2.3")
    opened = open_store(run)
    label(opened.labels)
    rng = random.Random(11)
    for _ in range(40):
        random_gesture(rng, opened.labels)
    label(opened.labels, 5)
    label(opened.labels, 3)
    opened.close()
    return opened.path


@pytest.mark.parametrize("wrong", [*WRONG, "a view instead of a table"])
def test_what_no_labels_hold_is_set_aside_with_a_notice(labelled, reopen, tmp_path, wrong):
    path = tmp_path / labelled.name
    shutil.copy(labelled, path)
    change(path, *([WRONG[wrong]] if wrong in WRONG else ENDLESS))
    with pytest.raises(Damaged):
        database.read(path)
    opened = reopen()
    assert "is kept as" in opened.notice
    assert opened.labels.tracks == ()
    label(opened.labels)


def test_the_file_as_it_was_is_believed(labelled):
    content = database.read(labelled)
    assert content.tracks
    assert content.done


def test_a_file_larger_than_any_is_not_read(labelled, monkeypatch):
    monkeypatch.setattr(peek, "MOST_BYTES", labelled.stat().st_size - 1)
    with pytest.raises(Damaged):
        database.read(labelled)


def test_more_rows_than_anybody_makes_are_not_read(labelled, monkeypatch):
    monkeypatch.setattr(peek, "MOST_ROWS", 20)
    with pytest.raises(Damaged):
        database.read(labelled)


def test_the_run_list_reads_nothing_of_an_endless_view(labelled, tmp_path):
    path = tmp_path / labelled.name
    shutil.copy(labelled, path)
    change(path, *ENDLESS)
    assert label_summary(tmp_path / "run.dcm", "1.2.3") is None
    assert peek.read_identity(path) is None


def test_what_fails_to_open_keeps_no_lock(labelled, reopen, tmp_path, monkeypatch):
    shutil.copy(labelled, tmp_path / labelled.name)
    with monkeypatch.context() as broken:

        def no_memory(*args):
            raise MemoryError

        broken.setattr(database, "read", no_memory)
        with pytest.raises(MemoryError):
            reopen()

        def no_access(*args):
            raise sqlite3.OperationalError("unable to open database file")

        broken.setattr(database, "read", no_access)
        with pytest.raises(Exception, match="cannot be read"):
            reopen()
    opened = reopen()
    assert not opened.read_only
    assert opened.labels.tracks


def test_labels_that_go_on_after_the_run_are_only_looked_at(labelled, reopen, tmp_path, make_run):
    shutil.copy(labelled, tmp_path / labelled.name)
    before = (tmp_path / labelled.name).read_bytes()
    opened = reopen(make_run(frame_count=4))
    assert opened.read_only
    assert "after the last frame" in opened.notice
    opened.close()
    assert (tmp_path / labelled.name).read_bytes() == before


@pytest.mark.parametrize("name", ["endless_view.sqlite", "sqlite_132_r.dcm.fluorotrace.sqlite"])
def test_the_files_of_the_attack_are_not_believed(shared_data, tmp_path, name):
    shutil.copy(shared_data / "field_cases" / "attacks" / name, tmp_path / name)
    with pytest.raises(Damaged):
        database.read(tmp_path / name)


@pytest.mark.parametrize(("frame", "read_only"), [(3, False), (4, True)])
def test_a_label_on_the_frame_after_the_last_is_after_the_run(reopen, make_run, frame, read_only):
    opened = reopen()
    label(opened.labels, frame)
    opened.close()
    assert reopen(make_run(frame_count=4)).read_only is read_only
