"""A session works without a window, and brings a run back as it was left."""

import threading

import pytest

from app.runs.run import Window
from app.session.look import Comparison
from app.tracks import records


def opened(qtbot, session, path):
    with qtbot.waitSignal(session.run_changed):
        session.library.open_run(path)


def test_one_signal_tells_which_run_is_open(qtbot, make_session, run_file):
    session, told = make_session(), []
    session.run_changed.connect(told.append)
    opened(qtbot, session, run_file)
    assert told == [session.opened]
    session.open(None)
    assert told[1] is None
    assert session.opened is None


def test_a_run_comes_back_as_it_was_left_also_after_a_restart(
    qtbot, make_session, run_file, other_run_file
):
    session = make_session(run_file)
    session.labelling.place(60.0, 50.0)  # a run without labels leaves no file behind
    session.playback.seek(4)
    look = session.look
    look.change(comparison=Comparison.WIPE, place=(2.0, 30.0, 40.0), strength=0.5)
    look.change_grey(voi=Window(100.0, 50.0), inverted=True)
    left = look.now
    opened(qtbot, session, other_run_file)
    assert look.now.grey == session.opened.display.default_settings()
    assert look.now.place is None
    look.change(comparison=Comparison.ORIGINAL)
    opened(qtbot, session, run_file)
    assert look.now == left
    assert session.playback.frame == 4
    session.close()
    again = make_session(run_file)
    assert again.look.now == left
    assert again.denoising.wanted


def test_what_is_shown_of_all_runs_stays_when_the_run_changes(
    qtbot, make_session, run_file, other_run_file
):
    session = make_session(run_file)
    session.look.change(patient=False, trails=False)
    opened(qtbot, session, other_run_file)
    assert not session.look.now.patient
    assert not session.look.now.trails


@pytest.mark.parametrize(
    "view",
    [
        {"comparison": 3, "strength": "x", "place": [1, 2], "mask_frames": [99, "a", -1]},
        {"window": [1], "lut": 7, "place": [0, 1, 1], "mask_shift_px": [None, 1]},
        {"window": {"center": 1, "width": 0}, "hidden_tracks": 5, "inverted": "yes"},
        {"window": {"center": float("nan"), "width": 4, "function": "LINEAR"}},
    ],
)
def test_a_damaged_view_is_as_if_it_were_not_there(make_session, run_file, view):
    from app.session.look import look_from

    session = make_session(run_file)
    default = session.look.now
    assert look_from(view, session.opened.run, default) == default


def test_flipping_brings_the_last_comparison_back(make_session):
    look = make_session().look
    look.change(comparison=Comparison.SIDE_BY_SIDE)
    look.flip_denoised()
    assert look.now.comparison is Comparison.ORIGINAL
    look.flip_denoised()
    assert look.now.comparison is Comparison.SIDE_BY_SIDE


def test_a_run_that_is_reviewed_is_so_after_a_restart(make_session, run_file):
    session = make_session(run_file)
    assert not session.reviewed
    session.toggle_reviewed()
    session.close()
    again = make_session(run_file)
    assert again.reviewed
    again.toggle_reviewed()
    again.close()
    assert not make_session(run_file).reviewed


def test_a_folder_without_a_run_says_so_and_the_open_run_stays(
    qtbot, make_session, run_file, tmp_path
):
    session = make_session(run_file)
    empty = tmp_path / "nothing here"
    empty.mkdir()
    with qtbot.waitSignal(session.failed) as told:
        session.library.open_paths([empty])
    assert told.args == ["No X-ray run was found there; choose another file or folder."]
    assert session.opened.run.path == run_file


def test_asking_again_for_the_open_run_changes_nothing(qtbot, make_session, run_file):
    session = make_session(run_file)
    session.labelling.place(60.0, 50.0)
    here = session.opened
    session.library.open_run(run_file)
    qtbot.wait(50)
    assert session.opened is here
    assert not here.store.read_only


def test_a_run_that_is_still_being_saved_is_waited_for(
    qtbot, make_session, run_file, other_run_file, monkeypatch
):
    session = make_session(run_file)
    session.labelling.place(60.0, 50.0)
    qtbot.waitUntil(lambda: not session.worker.tracking)
    gate, write = threading.Event(), records.write
    monkeypatch.setattr(records, "write", lambda *args: (gate.wait(), write(*args)))
    session.labelling.place(61.0, 51.0)
    qtbot.waitUntil(lambda: not session.worker.tracking)
    opened(qtbot, session, other_run_file)
    assert not session.leaving.done
    session.library.open_run(run_file)
    gate.set()
    qtbot.waitUntil(lambda: session.opened.run.path == run_file)
    assert not session.opened.store.read_only
    assert session.opened.labels.tracks[0].points[0].x == 61.0


def test_runs_that_are_asked_for_one_after_the_other_lock_nobody_out(
    qtbot, make_session, run_file, other_run_file
):
    session = make_session(run_file)
    session.labelling.place(60.0, 50.0)
    qtbot.waitUntil(lambda: not session.worker.tracking)
    for path in (other_run_file, run_file, other_run_file, run_file):
        session.library.open_run(path)
    qtbot.waitUntil(lambda: session.leaving.done and session.opened.run.path == run_file)
    qtbot.wait(200)
    assert session.opened.run.path == run_file
    assert not session.opened.store.read_only


def test_what_takes_long_is_said_and_withdrawn_when_it_is_over(qtbot, make_session):
    session = make_session()
    said, gone = [], []
    session.said.connect(said.append)
    session.withdrawn.connect(gone.append)
    session.calibrating.working.emit("Looking…")
    session.calibrating.working.emit("")
    assert not said  # it did not take long
    session.calibrating.working.emit("Looking…")
    qtbot.waitUntil(lambda: said == ["Looking…"])
    session.calibrating.working.emit("")
    assert gone == ["Looking…"]
