"""The writer never holds anybody up, survives what it meets, and says what is not saved."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from app.tracks import database, records, writer
from app.tracks.edits import remove_track
from app.tracks.store import StoreError

from .conftest import label


class Told:
    """Keeps the sentences of a store; `wait_for` waits until one fits."""

    def __init__(self, store):
        self.sentences = []
        self._changed = threading.Condition()
        store.on_trouble = self._take

    def _take(self, sentence):
        with self._changed:
            self.sentences.append(sentence)
            self._changed.notify_all()

    def wait_for(self, part):
        with self._changed:
            return self._changed.wait_for(
                lambda: any(part in s if part else s == part for s in self.sentences), 20
            )


@pytest.fixture
def gate(monkeypatch):
    """The disk answers only while this is set."""
    gate, write = threading.Event(), records.write

    def slow(*args):
        gate.wait()
        write(*args)

    monkeypatch.setattr(records, "write", slow)
    yield gate
    gate.set()


def test_a_slow_disk_holds_nobody_up_and_is_told_with_a_count(reopen, gate):
    opened = reopen()
    told = Told(opened)
    label(opened.labels)  # a track and a point
    for frame in range(4, 8):
        label(opened.labels, frame)
    assert opened.unsaved == 6
    assert told.wait_for("Saving is slow: 6 changes are not yet saved.")
    with pytest.raises(StoreError, match="6 changes"):
        opened.close(timeout_s=0.01)
    gate.set()
    assert told.wait_for("")
    opened.flush()
    assert opened.unsaved == 0
    assert sorted(database.read(opened.path).tracks[0].points) == [3, 4, 5, 6, 7]


def test_a_file_that_another_program_holds_is_told(reopen, monkeypatch):
    monkeypatch.setattr("app.tracks.peek.BUSY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(writer, "RETRY_S", 0.05)
    opened = reopen()
    label(opened.labels)
    opened.close()
    opened = reopen()
    told = Told(opened)
    with closing(sqlite3.connect(opened.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        label(opened.labels, 7)
        assert told.wait_for("Another program uses")
        other.execute("ROLLBACK")
    assert told.wait_for("")
    opened.close()
    assert sorted(reopen().labels.tracks[0].points) == [3, 7]


@pytest.mark.parametrize("error", [ValueError("odd"), UnicodeError("odd"), MemoryError()])
def test_whatever_a_write_meets_the_next_one_is_tried(reopen, monkeypatch, error):
    monkeypatch.setattr(writer, "RETRY_S", 0.01)
    write, met = records.write, threading.Event()

    def odd(*args):
        if not met.is_set():
            met.set()
            raise error
        write(*args)

    monkeypatch.setattr(records, "write", odd)
    opened = reopen()
    label(opened.labels)
    assert met.wait(20)
    label(opened.labels, 4)
    opened.close()
    assert sorted(reopen().labels.tracks[0].points) == [3, 4]


def test_a_writer_that_died_is_started_again(reopen, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*args):
        raise Killed

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    opened = reopen()
    with monkeypatch.context() as deadly:
        deadly.setattr(records, "write", die)
        label(opened.labels)
        (thread,) = [t for t in opened._writer._threads if t.name == "labels writer"]
        thread.join(20)
    label(opened.labels, 4)
    opened.close()
    assert sorted(reopen().labels.tracks[0].points) == [3, 4]


def test_a_listener_that_fails_does_not_stop_the_writer(reopen, monkeypatch):
    monkeypatch.setattr(writer, "RETRY_S", 0.01)
    opened, heard = reopen(), threading.Event()

    def broken(sentence):
        heard.set()
        raise RuntimeError

    opened.on_trouble = broken
    with monkeypatch.context() as failing:
        failing.setattr(records, "write", lambda *args: 1 / 0)
        label(opened.labels)
        assert heard.wait(20)
    opened.close()
    assert reopen().labels.tracks


def test_where_no_thread_can_be_started_the_gesture_is_refused(reopen, monkeypatch, tmp_path):
    opened = reopen()
    with monkeypatch.context() as exhausted:

        def no_thread(self):
            raise RuntimeError("can't start new thread")

        exhausted.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(Exception, match="no more threads"):
            label(opened.labels)
    assert opened.labels.tracks == ()
    assert not list(tmp_path.glob("*.lock"))
    label(opened.labels)


def test_undoing_the_last_label_leaves_no_file(reopen, tmp_path):
    opened = reopen()
    label(opened.labels)
    opened.flush()
    assert opened.path.exists()
    while opened.labels.undo() is not None:
        pass
    opened.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_a_deleted_track_stays_for_undo(reopen):
    opened = reopen()
    label(opened.labels)
    opened.labels.apply(remove_track(opened.labels.tracks[0]))
    opened.close()
    again = reopen()
    again.labels.undo()
    assert again.labels.tracks


def test_a_labels_file_that_was_moved_away_is_told_and_nothing_is_half_written(
    reopen, tmp_path, monkeypatch
):
    monkeypatch.setattr(writer, "RETRY_S", 0.01)
    opened = reopen()
    label(opened.labels)
    opened.flush()
    opened.path.rename(tmp_path / "moved.sqlite")
    label(opened.labels, 4)
    with pytest.raises(StoreError, match="1 change of the labels is not saved"):
        opened.close()
    assert not opened.path.exists()
    opened.save_elsewhere(tmp_path / "again.sqlite")
    assert sorted(database.read(tmp_path / "again.sqlite").tracks[0].points) == [3, 4]


def test_what_is_given_up_removes_no_labels_that_are_saved(reopen, monkeypatch):
    monkeypatch.setattr(writer, "RETRY_S", 0.01)
    opened = reopen()
    label(opened.labels)
    opened.flush()
    with monkeypatch.context() as failing:
        failing.setattr(records, "write", lambda *args: 1 / 0)
        while opened.labels.undo() is not None:
            pass
        opened.discard()
    assert reopen().labels.tracks
