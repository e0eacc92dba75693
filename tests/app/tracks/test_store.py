from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from app.errors import UserError
from app.tracks import database, records, store, writer
from app.tracks.content import LabelSummary, ReviewState
from app.tracks.edits import set_state
from app.tracks.labels import Labels
from app.tracks.store import Store, StoreError, label_summary, open_store
from app.tracks.track import PointState
from resources import resource_path

from .conftest import FRAMES, change, label, random_gesture


def moved(track) -> list[int]:
    return [frame for frame, point in sorted(track.points.items()) if point.moved]


def unroll(labels: Labels) -> list:
    """Undo to the start, then redo to the end; return all states on the way, and go back."""
    undone, states = len(labels._undone), []
    while labels.undo() is not None:
        states.append(labels.tracks)
    while labels.redo() is not None:
        states.append(labels.tracks)
    for _ in range(undone):
        labels.undo()
    return states


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=strategies.integers(0, 2**32))
def test_reopened_it_is_as_it_was_with_undo_and_redo(reopen, make_run, seed):
    rng = random.Random(seed)
    run = make_run(uid=f"1.2.{seed}")  # each example has its own labels
    first = reopen(run)
    for _ in range(50):
        random_gesture(rng, first.labels)
    for _ in range(rng.randrange(5)):
        first.labels.undo()
    tracks = first.labels.tracks
    first.close()

    second = reopen(run)
    assert second.labels.tracks == tracks
    assert dict(second.labels.pending) == dict(first.labels.pending)
    assert [moved(t) for t in second.labels.tracks] == [moved(t) for t in tracks]
    again = unroll(second.labels)
    assert second.labels.tracks == tracks
    second.close()

    if second.path is None:  # no gesture left anything to keep
        assert not tracks
        return
    bare = database.read(second.path)
    assert unroll(Labels(FRAMES, bare.tracks, bare.done, bare.undone)) == again


def test_looking_at_a_run_leaves_no_file(reopen, tmp_path):
    opened = reopen()
    opened.save_state(ReviewState(playhead=7))
    opened.close()
    assert list(tmp_path.iterdir()) == []


def test_one_file_beside_the_run(reopen, tmp_path):
    opened = reopen()
    label(opened.labels)
    opened.flush()
    opened.close()
    assert [p.name for p in tmp_path.iterdir()] == ["run.dcm.fluorotrace.sqlite"]


def test_review_state_comes_back(reopen):
    review = ReviewState(17, True, {"window": {"center": 120.5, "width": 80}, "wipe": [0.25]})
    opened = reopen()
    opened.save_state(ReviewState(3))
    opened.save_state(review)
    opened.close()
    assert reopen().state == review


def test_a_project_folder_keeps_the_labels(reopen, tmp_path, make_run):
    folder = tmp_path / "project"
    opened = reopen(folder=folder)
    label(opened.labels)
    opened.close()
    assert opened.path.parent == folder
    (tmp_path / "elsewhere").mkdir()
    moved = make_run(tmp_path / "elsewhere" / "other name.dcm")
    assert reopen(moved, folder).labels.tracks == opened.labels.tracks


def test_a_renamed_run_finds_its_labels_and_another_does_not(reopen, tmp_path, make_run):
    (tmp_path / "a.png").write_bytes(b"one")
    opened = reopen(make_run(tmp_path / "a.png", uid=None))
    label(opened.labels)
    opened.close()
    (tmp_path / "a.png").rename(tmp_path / "b.png")
    (tmp_path / "a.png").write_bytes(b"another run")

    assert reopen(make_run(tmp_path / "b.png", uid=None)).labels.tracks == opened.labels.tracks
    other = reopen(make_run(tmp_path / "a.png", uid=None))
    assert other.labels.tracks == ()
    label(other.labels)
    other.close()
    assert other.path not in (None, opened.path)
    assert reopen(make_run(tmp_path / "a.png", uid=None)).labels.tracks == other.labels.tracks


def test_a_folder_run_is_known_by_its_pixels(reopen, tmp_path, make_run):
    (tmp_path / "frames").mkdir()
    opened = reopen(make_run(tmp_path / "frames", uid=None))
    label(opened.labels)
    opened.close()
    assert opened.path == tmp_path / "frames.fluorotrace.sqlite"
    (tmp_path / "frames").rename(tmp_path / "run 7")
    assert reopen(make_run(tmp_path / "run 7", uid=None)).labels.tracks


def test_a_folder_that_cannot_take_files_keeps_labels_elsewhere(reopen, tmp_path, make_run):
    (tmp_path / "not a folder").write_text("")
    run = make_run(tmp_path / "not a folder" / "run.dcm")
    opened = reopen(run)
    label(opened.labels)
    opened.close()
    assert opened.path.parent == tmp_path / "user data" / "labels"
    assert reopen(run).labels.tracks == opened.labels.tracks


def test_the_programs_own_folder_stays_as_it_was(reopen, tmp_path, make_run):
    opened = reopen(make_run(resource_path("sample") / "demo.dcm"))
    label(opened.labels)
    assert opened.path.parent == tmp_path / "user data" / "labels"


def test_where_no_file_can_be_made_the_gesture_is_refused_in_a_sentence(
    reopen, tmp_path, make_run, monkeypatch
):
    (tmp_path / "not a folder").write_text("")
    monkeypatch.setattr(store, "user_data_path", lambda name: tmp_path / "not a folder")
    opened = reopen(make_run(tmp_path / "not a folder" / "run.dcm"))
    with pytest.raises(StoreError, match="No folder"):
        label(opened.labels)
    assert opened.labels.tracks == ()


def test_a_newer_file_that_stores_points_otherwise_shows_none(reopen):
    opened = reopen()
    label(opened.labels)
    opened.close()
    change(opened.path, "ALTER TABLE points RENAME COLUMN x TO across")
    change(opened.path, "PRAGMA user_version=99")
    looked_at = reopen()
    assert looked_at.read_only and looked_at.labels.tracks == ()


def test_a_file_of_a_newer_version_is_left_as_it_is_and_that_is_said(reopen, tmp_path):
    opened = reopen()
    label(opened.labels)
    opened.close()
    change(opened.path, "PRAGMA user_version=99")
    content = opened.path.read_bytes()
    looked_at = reopen()
    assert looked_at.read_only
    assert "newer version" in looked_at.notice
    assert looked_at.labels.tracks == opened.labels.tracks  # to be looked at
    with pytest.raises(StoreError, match="newer version"):
        label(looked_at.labels, 9)
    looked_at.close()
    assert opened.path.read_bytes() == content
    assert not list(tmp_path.glob("*.set-aside-*"))


def test_how_far_a_run_is_labelled_is_told_without_opening_it(reopen, make_run, tmp_path):
    run_path = make_run().path
    assert label_summary(run_path, "") is None
    opened = reopen()
    label(opened.labels)
    opened.close()
    assert label_summary(run_path, "1.2.3") == LabelSummary(tracks=1, confirmed=1)
    assert label_summary(run_path, "1.2.3.of.another.run") is None


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda p: p.write_bytes(b"no database " * 500), "damaged"),
        (lambda p: p.write_bytes(p.read_bytes()[:5000]), "damaged"),
        (lambda p: change(p, "PRAGMA application_id=1"), "was not a labels file"),
        (lambda p: change(p, "UPDATE points SET state='floating'"), "damaged"),
        (lambda p: change(p, "DROP TABLE steps"), "damaged"),
    ],
)
def test_a_file_that_cannot_be_used_is_set_aside_never_deleted(reopen, tmp_path, damage, told):
    opened = reopen()
    label(opened.labels)
    opened.close()
    damage(opened.path)
    content = opened.path.read_bytes()

    fresh = reopen()
    assert told in fresh.notice
    assert fresh.labels.tracks == ()
    label(fresh.labels)
    fresh.close()
    (kept,) = tmp_path.glob("*.set-aside-*")
    assert kept.name in fresh.notice
    assert kept.read_bytes() == content
    third = reopen()
    assert not third.notice
    assert third.labels.tracks == fresh.labels.tracks


def test_an_empty_file_is_a_new_one(reopen, tmp_path):
    (tmp_path / "run.dcm.fluorotrace.sqlite").touch()
    opened = reopen()
    label(opened.labels)
    opened.close()
    assert len(reopen().labels.tracks) == 1


def test_a_second_window_looks_and_does_not_touch(reopen):
    first = reopen()
    label(first.labels)
    first.flush()
    second = reopen()
    assert second.read_only
    assert "another window" in second.notice
    assert second.labels.tracks == first.labels.tracks
    before = second.labels.tracks
    for gesture in (lambda: label(second.labels, 9), second.labels.undo):
        with pytest.raises(StoreError, match="another window"):
            gesture()
    assert second.labels.tracks == before
    second.save_state(ReviewState(5))
    label(first.labels, 12)
    first.close()
    second.close()
    third = reopen()
    assert not third.read_only
    assert third.labels.tracks == first.labels.tracks
    assert third.state == ReviewState()


def test_two_windows_that_both_begin_to_label(reopen):
    first, second = reopen(), reopen()
    label(first.labels)
    with pytest.raises(StoreError, match="Another window"):
        label(second.labels)
    first.close()
    with pytest.raises(StoreError, match="Another window"):
        label(second.labels)


def test_trouble_is_told_once_and_nothing_is_lost_when_it_ends(reopen, monkeypatch):
    told: list[str] = []
    heard = threading.Event()
    write, full = records.write, threading.Event()
    monkeypatch.setattr(writer, "RETRY_S", 0.02)

    def failing(connection, records, review):
        if full.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        write(connection, records, review)

    def tell(sentence):
        told.append(sentence)
        heard.set()

    monkeypatch.setattr(records, "write", failing)
    opened = reopen()
    opened.on_trouble = tell
    label(opened.labels)
    full.set()
    label(opened.labels, 4)
    assert heard.wait(5)
    label(opened.labels, 5)  # goes on in memory
    with pytest.raises(StoreError, match="could not be saved"):
        opened.flush(0.1)
    full.clear()
    opened.flush()
    opened.close()
    assert len(told) == 2
    assert told[1] == ""
    assert sorted(reopen().labels.tracks[0].points) == [3, 4, 5]


def test_closing_while_saving_fails_says_so(make_run, monkeypatch):
    monkeypatch.setattr(writer, "RETRY_S", 0.02)
    opened = open_store(make_run())
    write = records.write
    monkeypatch.setattr(records, "write", failing)
    label(opened.labels)
    label(opened.labels, 4)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"^3 changes of the labels are not saved"):
            opened.close()
    assert opened.unsaved == 3
    monkeypatch.setattr(records, "write", write)
    opened.close()
    assert opened.unsaved == 0
    assert sorted(open_and_close(make_run()).labels.tracks[0].points) == [3, 4]


def test_what_cannot_be_saved_is_saved_elsewhere_or_given_up(make_run, monkeypatch, tmp_path):
    monkeypatch.setattr(writer, "RETRY_S", 0.02)
    rng = random.Random(5)
    opened = open_store(make_run())
    for _ in range(50):
        random_gesture(rng, opened.labels)
    opened.save_state(ReviewState(7, True, {"zoom": 2.0}))
    opened.flush()
    monkeypatch.setattr(records, "write", failing)
    label(opened.labels)
    with pytest.raises(StoreError):
        opened.close()
    with pytest.raises(UserError, match="part of the run"):
        opened.save_elsewhere(opened.path)
    opened.save_elsewhere(tmp_path / "kept.sqlite")
    content = database.read(tmp_path / "kept.sqlite")
    assert content.tracks == opened.labels.tracks
    assert (content.done, content.undone) == opened.labels.history
    assert {p.track_id: p for p in content.pending} == dict(opened.labels.pending)
    assert content.state == opened.state
    assert content.run.key == "uid:1.2.3"
    with pytest.raises(StoreError, match="closed"):
        label(opened.labels, 11)

    again = open_store(make_run())
    saved = again.labels.tracks
    label(again.labels, 9)
    again.discard()
    assert open_and_close(make_run()).labels.tracks == saved


def failing(*args):
    raise sqlite3.OperationalError("disk I/O error")


def open_and_close(run) -> Store:
    opened = open_store(run)
    opened.close()
    return opened


KILLED = """
import sys
from pathlib import Path
import numpy as np
from app.runs.run import Run
from app.tracks.edits import add_track, new_track, place_point, put_tracked
from app.tracks.store import open_store
from inference.tracking.requests import TrackedPoint

class Frames:
    def read(self, index):
        return np.full((64, 48), index, np.uint8)

run = Run(Path(sys.argv[1]), Frames(), 40, 64, 48, np.arange(40.0), sop_instance_uid="1.2.3")
store = open_store(run)
labels = store.labels
labels.apply(add_track(new_track(())))
for number in range(1, 100000):
    frame = number % 40
    step = labels.apply(place_point(labels.tracks[0], frame, number, 0))
    answers = [TrackedPoint(f % 40, f, f, "visible", 0.5) for f in range(frame, frame + 20)]
    labels.extend(step, put_tracked(labels.tracks[0], answers).changes)
    store.flush()
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    if number % 5 == 4:
        labels.undo()
        labels.redo()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
@pytest.mark.parametrize("seed", range(6))
def test_kill_9_loses_at_most_the_gesture_under_way(reopen, make_run, seed):
    run = make_run()
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(run.path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    rng = random.Random(seed)
    for _ in range(rng.randrange(3, 60)):
        child.stdout.readline()
    threading.Event().wait(rng.random() * 0.03)
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().split()
    child.stdout.close()
    child.wait()

    opened = reopen()
    assert not opened.notice
    assert not opened.read_only
    places = [s.label.startswith("Place") for s in (*opened.labels._done, *opened.labels._undone)]
    saved = sum(places)
    finished = int(rest[-1]) if rest else 0
    assert saved >= finished - 1
    clicked = [p for p in opened.labels.tracks[0].points.values() if p.held]
    assert clicked
    states = unroll(opened.labels)
    assert states[len(opened.labels._done) - 1] == ()
    label(opened.labels, 3)


def test_marks_survive_too(reopen):
    opened = reopen()
    label(opened.labels, 5)
    opened.labels.apply(set_state(opened.labels.tracks[0], 0, 9, PointState.OCCLUDED))
    opened.close()
    assert reopen().labels.tracks == opened.labels.tracks


def test_a_transaction_that_writes_begins_as_such(tmp_path):
    path = tmp_path / "a.sqlite"
    opened = [sqlite3.connect(path, timeout=0, isolation_level=None) for _ in range(2)]
    first, second = (database.attach(raw) for raw in opened)
    with first.begin(), pytest.raises(Exception, match="locked"), second.begin():
        pass
    reader = database.attach(opened[1], write=False)
    with first.begin(), reader.begin():
        pass  # who only looks waits for nobody
    for made in (first, second, reader, *opened):
        made.close()
