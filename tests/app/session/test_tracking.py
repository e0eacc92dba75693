"""Tracking goes on when a run is left, and after a restart; what is not answered looks stale."""

from __future__ import annotations

import shutil

import pytest

from app.tracks import database
from app.tracks.track import PointSource
from app.window import overlays


def click(window, frame=6, x=60.0, y=50.0):
    window.session.labelling.place(x, y, frame=frame)


def run(window, command):
    window.commander.actions[command].trigger()


def go_to(qtbot, window, path):
    window.session.library.open_run(path)
    qtbot.waitUntil(
        lambda: window.session.opened is not None and window.session.opened.run.path == path
    )


def stale(window):
    labels = window.session.opened.labels
    (track,) = labels.tracks
    return [f for f, on in enumerate(overlays.strip(labels, track).frames.stale) if on]


def test_a_run_that_is_left_is_tracked_to_its_end_and_closed(
    qtbot, make_window, run_file, other_run_file, engines
):
    window = make_window(run_file)
    engines[0].gate.clear()
    click(window)
    labels_file = window.session.opened.store.path
    go_to(qtbot, window, other_run_file)
    assert [run.run.path for run in window.session.labelling.tracking.left] == [run_file]
    engines[0].gate.set()
    qtbot.waitUntil(lambda: not window.session.labelling.tracking.left)
    assert window.session.opened.labels.tracks == ()  # nothing of it lands in the other run
    content = database.read(labels_file)
    assert sorted(content.tracks[0].points) == list(range(20))
    assert content.tracks[0].weights == "dummy 1"
    assert content.pending == ()
    assert not (labels_file.with_name(f"{labels_file.name}.lock")).exists()


def test_a_run_that_is_taken_back_goes_on_as_it_was(
    qtbot, make_window, run_file, other_run_file, engines
):
    window = make_window(run_file)
    engines[0].gate.clear()
    click(window)
    first = window.session.opened
    go_to(qtbot, window, other_run_file)
    go_to(qtbot, window, run_file)
    assert window.session.opened is first
    assert not window.session.opened.store.read_only
    assert stale(window) == [f for f in range(20) if f != 6]
    engines[0].gate.set()
    qtbot.waitUntil(lambda: len(window.session.opened.labels.tracks[0].points) == 20)
    qtbot.waitUntil(lambda: not window.session.opened.labels.pending)
    assert len(engines[0].asked) == 1  # it was not asked twice
    assert window.session.labelling.tracking.left == ()


def test_after_a_restart_what_was_pending_goes_on_and_joins_its_step(
    qtbot, make_window, run_file, engines
):
    window = make_window(run_file)
    engines[0].gate.clear()
    click(window)
    window.close()
    window = make_window(run_file)
    assert stale(window) == [f for f in range(20) if f != 6]
    engines[0].gate.set()
    qtbot.waitUntil(lambda: len(window.session.opened.labels.tracks[0].points) == 20)
    qtbot.waitUntil(lambda: not window.session.opened.labels.pending)
    assert stale(window) == []
    run(window, "undo")
    assert window.session.opened.labels.tracks == ()


def test_after_a_kill_too(qtbot, make_window, run_file, engines, tmp_path):
    window = make_window(run_file)
    engines[0].gate.clear()
    click(window)
    window.session.opened.store.flush()
    killed = tmp_path / "killed"
    killed.mkdir()  # what would be on the disk
    for file in (run_file, window.session.opened.store.path):
        shutil.copy(file, killed / file.name)
    engines[0].gate.set()
    again = make_window(killed / run_file.name)
    qtbot.waitUntil(lambda: len(again.session.opened.labels.tracks[0].points) == 20)


def test_track_again_that_was_never_answered_resumes_as_one_step(
    qtbot, make_window, run_file, engines
):
    window = make_window(run_file)
    click(window)
    qtbot.waitUntil(lambda: len(window.session.opened.labels.tracks[0].points) == 20)
    qtbot.waitUntil(lambda: not window.session.opened.labels.pending)
    window.session.playback.seek(12)
    run(window, "delete_point")
    assert window.session.labelling.selected.points[12].emptied
    depth = len(window.session.opened.labels.history[0])
    engines[0].gate.clear()
    run(window, "track_both")
    assert len(window.session.opened.labels.history[0]) == depth  # nothing answered, no step
    assert 12 in stale(window)
    window.close()
    engines[0].gate.set()
    window = make_window(run_file)
    qtbot.waitUntil(lambda: not window.session.opened.labels.pending)
    assert window.session.labelling.selected.points[12].source is PointSource.TRACKED
    assert len(window.session.opened.labels.history[0]) == depth + 1
    run(window, "undo")
    assert window.session.labelling.selected.points[12].emptied


def test_a_deleted_frame_stays_empty_when_its_neighbours_are_tracked(
    qtbot, make_window, run_file, engines
):
    window = make_window(run_file)
    click(window)
    qtbot.waitUntil(lambda: not window.session.opened.labels.pending)
    window.session.playback.seek(12)
    run(window, "delete_point")
    click(window, 15)
    qtbot.waitUntil(lambda: not window.session.opened.labels.pending)
    assert window.session.labelling.selected.points[12].emptied


def test_a_click_while_another_is_tracked_leaves_no_stretch_out(
    qtbot, make_window, run_file, engines
):
    window = make_window(run_file)
    engines[0].gate.clear()
    click(window, 6)
    click(window, 12)
    engines[0].gate.set()
    qtbot.waitUntil(lambda: not window.session.opened.labels.pending)
    assert sorted(window.session.labelling.selected.points) == list(range(20))


def test_cancelled_tracking_is_pending_no_more(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    engines[0].gate.clear()
    click(window)
    progress = []
    window.session.labelling.tracking_changed.connect(
        lambda done, asked: progress.append((done, asked))
    )
    run(window, "cancel_tracking")
    assert stale(window) == []
    assert progress[-1] == (0, 0)
    assert not window.session.opened.labels.pending


@pytest.mark.parametrize("command", ["accept_point", "mark_occluded", "mark_absent"])
def test_what_a_person_says_twice_is_one_step(qtbot, make_window, run_file, engines, command):
    window = make_window(run_file)
    click(window)
    qtbot.waitUntil(lambda: not window.session.opened.labels.pending)
    asked = len(engines[0].asked)
    window.session.playback.seek(9)
    run(window, command)
    assert window.session.labelling.selected.points[9].held
    assert window.session.labelling.selected.points[9].source is PointSource.TRACKED
    depth = len(window.session.opened.labels.history[0])
    run(window, command)
    assert len(window.session.opened.labels.history[0]) == depth
    assert len(engines[0].asked) == asked


def test_a_frame_that_tracking_moved_is_marked_until_it_rested_on_the_screen(
    qtbot, make_window, run_file, engines
):
    window = make_window(run_file)
    click(window)
    qtbot.waitUntil(lambda: not window.session.opened.labels.pending)
    labels = window.session.opened.labels
    (track,) = labels.tracks
    window.session.playback.seek(6)
    run(window, "track_both")  # the dummy answers as before: nothing moves
    qtbot.waitUntil(lambda: not labels.pending)
    assert labels.moved_frames(track.id) == ()
    engines[0].place = (30.0, 40.0)
    run(window, "track_both")
    qtbot.waitUntil(lambda: not labels.pending)
    moved = labels.moved_frames(track.id)
    assert moved == tuple(f for f in range(20) if f != 6)
    depth = len(labels.history[0])
    window.session.playback.seek(9)
    qtbot.waitUntil(lambda: 9 not in labels.moved_frames(track.id))
    assert len(labels.moved_frames(track.id)) == len(moved) - 1
    assert len(labels.history[0]) == depth
    assert not overlays.strip(labels, labels.track(track.id)).frames.moved[9]
    run(window, "next_moved")
    assert window.session.playback.frame == 10
    run(window, "previous_moved")
    assert window.session.playback.frame == 8
    assert overlays.strip(labels, labels.track(track.id)).frames.moved[10]
