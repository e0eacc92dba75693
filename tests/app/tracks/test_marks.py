"""Marks are kept, undone and checked like tracks."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from app.tracks import database, peek, rows
from app.tracks.content import Damaged
from app.tracks.edits import Edit, EditError, MarkChange
from app.tracks.history import Pending
from app.tracks.mark_edits import add_mark, change_mark, remove_marks
from app.tracks.marks import HANDLES, MOST_MARKS, MarkKind, new_mark, plain_words

from .conftest import change, label

PLACED = ((3.25, 4.5), (10.0, 4.5))


def put(labels, kind=MarkKind.DISTANCE, points=PLACED, **fields):
    mark = new_mark(labels.marks, kind, points=points, **fields)
    labels.apply(add_mark("Measure", mark))
    return mark


def test_marks_come_back_with_their_history(reopen, make_run):
    first = reopen(make_run())
    one = put(first.labels, frame=3, values={"french": 6, "edges": [[1.5, 2.0]]})
    two = put(first.labels, MarkKind.TEXT, PLACED[:1], text="the left ostium")
    first.labels.apply(change_mark("Move", one, points=((0.0, 0.0), (1.0, 1.0))))
    first.labels.apply(remove_marks("Delete", [two]))
    first.labels.undo()
    there = first.labels.marks
    assert [mark.text for mark in there] == ["", "the left ostium"]
    first.close()

    labels = reopen(make_run()).labels
    assert labels.marks == there
    assert labels.redo_label == "Delete"
    labels.redo()
    assert [mark.kind for mark in labels.marks] == [MarkKind.DISTANCE]
    assert [labels.undo() for _ in range(4)] == ["Delete", "Move", "Measure", "Measure"]
    assert labels.marks == ()
    for _ in range(2):
        labels.redo()
    assert labels.marks == (one, two)


def test_marks_alone_keep_the_file_and_none_leave_none(reopen, make_run):
    store = reopen(make_run())
    put(store.labels)
    store.close()
    assert store.path.exists()
    again = reopen(make_run())
    again.labels.undo()
    again.labels.redo()
    again.labels.undo()
    assert again.labels.marks == ()
    again.close()
    assert not again.path.exists()


def test_an_edit_of_a_mark_that_has_changed_since_is_refused(reopen, make_run):
    labels = reopen(make_run()).labels
    mark = put(labels)
    labels.apply(change_mark("Move", mark, text="x"))
    with pytest.raises(EditError):
        labels.apply(change_mark("Move", mark, text="y"))
    assert labels.marks[0].text == "x"


def test_marks_are_no_more_than_can_be_measured_on_each_frame(reopen, make_run):
    store = reopen(make_run())
    many = [new_mark((), MarkKind.DISTANCE, points=PLACED) for _ in range(MOST_MARKS)]
    store.labels.apply(Edit("Many", tuple(MarkChange(mark.id, None, mark) for mark in many)))
    with pytest.raises(EditError, match="delete some"):
        put(store.labels)
    store.labels.apply(remove_marks("Delete", many[:1]))
    put(store.labels)
    store.close()
    again = reopen(make_run())
    assert len(again.labels.marks) == MOST_MARKS and not again.notice
    again.close()
    change(
        again.path,
        "INSERT INTO marks SELECT 1, 'x', kind, frame, points, text, \"values\", 9 "
        "FROM marks LIMIT 1",
    )
    with pytest.raises(Damaged, match="more marks"):
        database.read(again.path)


def test_subscribers_hear_of_marks(reopen, make_run):
    labels = reopen(make_run()).labels
    heard = []
    labels.subscribe(heard.append)
    put(labels)
    label(labels, 3)
    assert [change.marks_changed for change in heard] == [True] + [False] * (len(heard) - 1)


def test_undo_of_a_mark_leaves_tracking_alone(reopen, make_run):
    store = reopen(make_run())
    labels = store.labels
    label(labels, 3)
    track_id = labels.tracks[0].id
    labels.set_pending(track_id, Pending(track_id, 0, 9, labels.history[0][-1].id))
    put(labels)
    labels.undo()
    assert track_id in labels.pending
    store.flush()
    assert [p.track_id for p in database.read(store.path).pending] == [track_id]
    labels.undo()
    assert not labels.pending
    store.flush()
    assert not database.read(store.path).pending


WRONG = {
    "a kind of nobody's": "UPDATE marks SET kind = 'crystal ball'",
    "text for a place": "UPDATE marks SET points = '[[\"a\", 1]]'",
    "a place far outside": "UPDATE marks SET points = '[[1e30, 1]]'",
    "a point of three": "UPDATE marks SET points = '[[1, 2, 3]]'",
    "a distance with one end": "UPDATE marks SET points = '[[1, 2]]'",
    "a distance without ends": "UPDATE marks SET points = '[]'",
    "an angle with two handles": "UPDATE marks SET kind = 'angle'",
    "a text with two places": "UPDATE marks SET kind = 'text'",
    "values that are no number": 'UPDATE marks SET "values" = \'{"a": NaN}\'',
    "a place of none": "UPDATE marks SET points = '[[null, 2]]'",
    "no JSON": "UPDATE marks SET points = '['",
    "values that are a list": "UPDATE marks SET \"values\" = '[]'",
    "a negative frame": "UPDATE marks SET frame = -1",
    "words of bytes": "UPDATE marks SET text = x'ff'",
    "a mark of no history": "UPDATE marks SET text = 'other'",
    "history of another mark": "UPDATE mark_changes SET mark_id = 'x'",
    "history of no mark": "UPDATE mark_changes SET after = NULL",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_damaged_mark_is_not_believed(reopen, make_run, wrong):
    store = reopen(make_run())
    put(store.labels, frame=2)
    store.close()
    change(store.path, wrong)
    with pytest.raises(Damaged):
        database.read(store.path)
    assert "damaged" in reopen(make_run()).notice


def test_undo_cannot_bring_a_mark_onto_a_frame_that_the_run_does_not_have(reopen, make_run):
    store = reopen(make_run())
    mark = put(store.labels, frame=8)
    store.labels.apply(change_mark("All frames", mark, frame=None))
    store.close()
    assert not reopen(make_run()).read_only
    shorter = reopen(make_run(frame_count=8))
    assert shorter.read_only and "after the last frame" in shorter.notice


@pytest.mark.parametrize("text", ["a\ud800b", "long " * 10_000, "line\n" * 4000, "\x00\u2028x"])
def test_any_words_can_be_kept_and_come_back(reopen, make_run, text):
    store = reopen(make_run())
    mark = put(store.labels, text=plain_words(text))
    store.close()
    again = reopen(make_run())
    assert again.labels.marks == (mark,) and not again.notice


@pytest.mark.parametrize("kind", HANDLES)
def test_a_measure_has_as_many_handles_as_its_kind(kind):
    def read(count):
        points = str([[float(i), 1.0] for i in range(count)])
        return rows.mark_from(("m", kind.value, None, points, "", "{}", 0))

    most = 10_001 if kind is MarkKind.POLYLINE else 4
    for count in {0, 1, 2, 3, 4, most - 1, most}:
        if count in HANDLES[kind]:
            assert len(read(count).points) == count
        else:
            with pytest.raises(Damaged, match="handles"):
                read(count)
    needed = {MarkKind.TEXT: 1, MarkKind.ANGLE: 3}.get(kind, 2)
    assert min(HANDLES[kind]) == needed
    assert kind is MarkKind.POLYLINE or len(HANDLES[kind]) == 1


def test_a_file_of_the_second_version_is_brought_up_to_date(reopen, make_run, tmp_path):
    store = reopen(make_run())
    label(store.labels, 7)
    store.close()
    content = database.read(store.path)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as raw:
        raw.execute("DROP TABLE marks")
        raw.execute("DROP TABLE mark_changes")
        raw.execute("UPDATE alembic_version SET version_num = '0002'")
        raw.execute("PRAGMA user_version = 2")
    opened = reopen(make_run())
    assert opened.labels.tracks == content.tracks and not opened.notice
    put(opened.labels)
    opened.close()
    with closing(sqlite3.connect(store.path)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (peek.VERSION,)
    assert [mark.points for mark in reopen(make_run()).labels.marks] == [PLACED]


def test_the_revisions_make_the_tables_that_the_schema_names(tmp_path):
    from app.tracks.schema import metadata

    def columns(connection):
        inspector = sa.inspect(connection)
        return {
            table: [
                (c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)
            ]
            for table in inspector.get_table_names()
        }

    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.connect() as connection, connection.begin():
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(database.MIGRATIONS))
        command.upgrade(config, "head")
        migrated = columns(connection)
    engine.dispose()
    fresh = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with fresh.connect() as connection, connection.begin():
        metadata.create_all(connection)
        made = columns(connection)
    fresh.dispose()
    assert migrated == made
