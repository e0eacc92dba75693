"""What a user does in the window, with engines that need no networks."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence

from app.runs import words
from app.session.look import Comparison
from app.session.settings import load_settings
from app.session.tools import Mode
from app.tracks.track import PointSource, PointState
from app.window.command_table import COMMANDS
from inference.tracking.requests import TrackedPoint
from widgets.panels.run_model import LabelState


def click_tip(qtbot, window, x, y):
    """Click on the picture at an image point, as an annotator does."""
    window.session.tools.set_mode(Mode.LABEL)
    viewport = window.view.viewport()
    place = window.view.mouse_position(x, y).toPoint()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=place)


def settled(qtbot, window, engines, jobs):
    """Wait until the tracker has answered ``jobs`` requests."""
    qtbot.waitUntil(lambda: len(engines[0].asked) >= jobs)
    qtbot.waitUntil(lambda: window.session.worker.idle)
    qtbot.wait(20)


def points(window):
    return {t.name: dict(t.points) for t in window.session.opened.labels.tracks}


def test_every_command_is_in_a_menu_and_keys_are_unique(make_window):
    window = make_window()
    assert set(window.commander.actions) == {command.name for command in COMMANDS}
    keys = [key for command in COMMANDS for key in command.keys]
    assert len(keys) == len(set(keys))


def test_first_frame_shows_and_the_cine_plays(qtbot, make_window, run_file):
    window = make_window(run_file)
    assert window.session.opened.run.frame_count == 20
    shown = []
    window.picture.frame_shown.connect(shown.append)
    window.commander.do("toggle_play")
    qtbot.waitUntil(lambda: len(set(shown)) > 5)
    window.commander.do("toggle_play")
    assert not window.session.playback.playing


def test_progress_counts_the_tips_that_are_tracked_together(qtbot, make_window, run_file, engines):
    asked, ending = threading.Event(), threading.Event()

    def track_together(frames, take):
        first = take()
        assert asked.wait(5)
        second = take()
        for call, count in ((first, 19), (second, 4)):
            call.on_points([TrackedPoint(f, 1.0, 2.0, "visible", 0.9) for f in range(1, count + 1)])
        assert ending.wait(5)
        first.on_end()
        second.on_end()

    engines[0].track_together = track_together
    window = make_window(run_file)
    told = []
    window.session.labelling.tracking_changed.connect(lambda done, of: told.append((done, of)))
    click_tip(qtbot, window, 60.0, 50.0)
    window.commander.do("new_track")
    click_tip(qtbot, window, 30.0, 80.0)
    asked.set()
    qtbot.waitUntil(lambda: told[-1:] == [(23, 40)])
    ending.set()
    qtbot.waitUntil(lambda: told[-1:] == [(0, 0)])
    assert sorted(len(track) for track in points(window).values()) == [5, 20]


def test_click_tracks_both_ways_and_undo_takes_it_all_back(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    window.session.playback.seek(8)
    click_tip(qtbot, window, 60.0, 50.0)
    settled(qtbot, window, engines, 1)
    track = window.session.labelling.selected
    assert sorted(track.points) == list(range(20))
    assert track.points[8].source is PointSource.CLICKED
    assert track.points[8].x == pytest.approx(60.0, abs=1.0)
    assert {p.source for f, p in track.points.items() if f != 8} == {PointSource.TRACKED}
    before = points(window)
    window.commander.do("undo")
    assert window.session.opened.labels.tracks == ()
    window.commander.do("redo")
    assert points(window) == before


def test_correction_tracks_only_between_its_neighbours(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    for frame in (4, 14):
        window.session.playback.seek(frame)
        click_tip(qtbot, window, 60.0, 50.0)
        settled(qtbot, window, engines, 1 if frame == 4 else 2)
    window.session.playback.seek(9)
    click_tip(qtbot, window, 70.0, 40.0)
    settled(qtbot, window, engines, 3)
    request = engines[0].asked[-1]
    assert (request.first_frame, request.last_frame) == (4, 14)
    assert [anchor.frame for anchor in request.anchors] == [4, 9, 14]
    assert window.session.labelling.selected.points[9].source is PointSource.CLICKED


def test_late_answers_never_move_a_click(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    engines[0].gate.clear()
    click_tip(qtbot, window, 60.0, 50.0)
    qtbot.waitUntil(lambda: len(engines[0].asked) == 1)
    window.session.playback.seek(5)
    click_tip(qtbot, window, 30.0, 30.0)
    engines[0].gate.set()
    settled(qtbot, window, engines, 2)
    clicked = window.session.labelling.selected.points
    assert clicked[0].source is clicked[5].source is PointSource.CLICKED
    assert clicked[5].x == pytest.approx(30.0, abs=1.0)


def tracked_window(qtbot, make_window, run_file, engines, frames=(0, 19)):
    """Open a window whose run has one track, clicked on ``frames`` and tracked between."""
    window = make_window(run_file)
    for jobs, frame in enumerate(frames, 1):
        window.session.playback.seek(frame)
        click_tip(qtbot, window, 60.0, 50.0)
        settled(qtbot, window, engines, jobs)
    return window


def test_states_and_spans(qtbot, make_window, run_file, engines):
    window = tracked_window(qtbot, make_window, run_file, engines)
    window.session.labelling.set_span(5, 8)
    window.session.playback.seek(6)
    window.commander.do("mark_occluded")
    track = window.session.labelling.selected
    assert [f for f in range(20) if track.points[f].state is PointState.OCCLUDED] == [5, 6, 7, 8]
    assert window.session.labelling.span is None  # it ends with its action
    window.session.playback.seek(12)
    window.commander.do("mark_absent")
    assert window.session.labelling.selected.points[12].x is None
    window.commander.do("delete_point")
    assert window.session.labelling.selected.points[12].emptied
    assert not window.session.labelling.selected.points[11].emptied
    for command in ("interpolate_span", "clear_span"):
        window.session.labelling.set_span(14, 17)
        window.session.playback.seek(15)
        window.commander.do(command)
        if command == "interpolate_span":
            sources = {window.session.labelling.selected.points[f].source for f in range(14, 18)}
            assert sources == {PointSource.INTERPOLATED}
    points = window.session.labelling.selected.points
    assert all(points[frame].emptied for frame in range(14, 18))
    while window.session.opened.labels.can_undo:
        window.commander.do("undo")
    assert window.session.opened.labels.tracks == ()


@pytest.mark.parametrize("command", ["mark_occluded", "mark_visible", "accept_point"])
def test_what_a_person_says_of_a_frame_tracks_nothing_again(
    qtbot, make_window, run_file, engines, command
):
    window = tracked_window(qtbot, make_window, run_file, engines)
    others = {f: p for f, p in window.session.labelling.selected.points.items() if f != 9}
    window.session.playback.seek(9)
    window.commander.do(command)
    qtbot.wait(50)
    assert len(engines[0].asked) == 2
    assert {f: p for f, p in window.session.labelling.selected.points.items() if f != 9} == others


@pytest.mark.parametrize(
    "command", ["mark_occluded", "mark_absent", "accept_point", "delete_point"]
)
def test_a_span_acts_only_while_the_playhead_is_within_it(
    qtbot, make_window, run_file, engines, command
):
    window = tracked_window(qtbot, make_window, run_file, engines)
    before = dict(window.session.labelling.selected.points)
    window.session.labelling.set_span(3, 5)
    window.session.playback.seek(12)
    window.commander.do(command)
    after = window.session.labelling.selected.points
    assert {f for f in range(20) if after.get(f) != before[f]} == {12}
    assert window.session.labelling.span == (3, 5)
    window.session.playback.seek(4)
    window.commander.do(command)
    after = window.session.labelling.selected.points
    assert {f for f in range(20) if after.get(f) != before[f]} == {3, 4, 5, 12}


def test_a_key_that_changes_nothing_makes_no_undo_step(qtbot, make_window, run_file, engines):
    window = tracked_window(qtbot, make_window, run_file, engines)
    window.session.playback.seek(7)
    window.commander.do("delete_point")
    label = window.session.opened.labels.undo_label
    window.commander.do("delete_point")
    window.session.playback.seek(0)
    window.commander.do("accept_point")  # it was clicked
    window.commander.do("mark_visible")
    assert window.session.opened.labels.undo_label == label
    window.commander.do("undo")
    assert 7 in window.session.labelling.selected.points


def test_the_neighbour_of_a_deleted_track_is_selected(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    for _ in range(3):
        window.commander.do("new_track")
    first, second, third = window.session.opened.labels.tracks
    window.session.labelling.select(second.id)
    window.commander.do("delete_track")
    assert window.session.labelling.selected.id == third.id
    window.commander.do("delete_track")
    assert window.session.labelling.selected.id == first.id


def test_a_click_belongs_to_the_frame_on_which_the_mouse_was_pressed(
    qtbot, make_window, run_file, engines
):
    window = make_window(run_file)
    window.session.tools.set_mode(Mode.LABEL)
    window.session.playback.seek(4)
    viewport, place = window.view.viewport(), window.view.mouse_position(60.0, 50.0).toPoint()
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=place)
    window.commander.do("step_forward")
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=place)
    settled(qtbot, window, engines, 1)
    clicked = [
        f for f, p in window.session.labelling.selected.points.items() if p.source == "clicked"
    ]
    assert clicked == [4]


def test_a_drag_belongs_to_the_frame_on_which_it_began(qtbot, make_window, run_file, engines):
    window = tracked_window(qtbot, make_window, run_file, engines, frames=(4,))
    left = window.session.labelling.selected.points[5]
    viewport, at = window.view.viewport(), window.view.mouse_position(60.0, 50.0).toPoint()
    to = window.view.mouse_position(80.0, 70.0).toPoint()
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseMove(viewport, to)
    window.commander.do("step_forward")
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=to)
    settled(qtbot, window, engines, 2)
    moved = window.session.labelling.selected.points
    assert moved[4].x == pytest.approx(80.0, abs=1.5)
    assert moved[5].x == left.x


def test_labels_are_not_imported_into_another_run(
    qtbot, make_window, run_file, engines, tmp_path, monkeypatch
):
    window = tracked_window(qtbot, make_window, run_file, engines)
    out = tmp_path / "labels.json"
    window.hands.exporting.save_labels(out, "json")
    qtbot.waitUntil(out.exists)
    other = tmp_path / "other"
    other.mkdir()
    copy = Path(shutil.copy(run_file, other / "run.dcm"))
    go_on = threading.Event()
    from app.window import importing

    read = importing.read_labels
    monkeypatch.setattr(importing, "read_labels", lambda path: go_on.wait(5) and read(path))
    window.hands.importing.load_labels(out)
    window.session.library.open_run(copy)
    qtbot.waitUntil(
        lambda: window.session.opened is not None and window.session.opened.run.path == copy
    )
    go_on.set()
    qtbot.waitUntil(lambda: window.notices.notice is not None)
    assert "nothing was done" in window.notices.notice.text
    assert window.session.opened.labels.tracks == ()


def test_interpolated_frames_are_not_tracked_over(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    for frame in (2, 10):
        window.session.playback.seek(frame)
        click_tip(qtbot, window, 60.0, 50.0)
        settled(qtbot, window, engines, 1 if frame == 2 else 2)
    window.session.labelling.set_span(3, 9)
    window.session.playback.seek(5)
    window.commander.do("interpolate_span")
    window.session.playback.seek(10)
    click_tip(qtbot, window, 90.0, 90.0)
    qtbot.wait(50)
    filled = [window.session.labelling.selected.points[f] for f in range(3, 10)]
    assert {p.source for p in filled} == {PointSource.INTERPOLATED}
    assert filled[-1].x > filled[0].x


def test_tracking_asked_for_in_one_run_means_nothing_in_the_next(
    qtbot, make_window, run_file, engines, tmp_path
):
    window = make_window(run_file)
    click_tip(qtbot, window, 60.0, 50.0)
    settled(qtbot, window, engines, 1)
    for jobs in (2, 3, 4):
        window.commander.do("track_both")
        settled(qtbot, window, engines, jobs)
    other = tmp_path / "other"
    other.mkdir()
    copy = Path(shutil.copy(run_file, other / "run.dcm"))
    window.session.library.open_run(copy)
    qtbot.waitUntil(
        lambda: window.session.opened is not None and window.session.opened.run.path == copy
    )
    for frame in (2, 10):
        window.session.playback.seek(frame)
        click_tip(qtbot, window, 60.0, 50.0)
        settled(qtbot, window, engines, 5 if frame == 2 else 6)
    window.session.labelling.set_span(3, 9)
    window.session.playback.seek(5)
    window.commander.do("interpolate_span")
    window.session.playback.seek(10)
    click_tip(qtbot, window, 90.0, 90.0)  # the fourth step, as the last tracking in the first run
    settled(qtbot, window, engines, 7)
    sources = {window.session.labelling.selected.points[f].source for f in range(3, 10)}
    assert sources == {PointSource.INTERPOLATED}


def test_locked_labels_stay(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    window.commander.do("lock_labels")
    click_tip(qtbot, window, 60.0, 50.0)
    assert window.session.opened.labels.tracks == ()


def test_everything_is_as_it_was_after_reopening(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    window.session.playback.seek(6)
    click_tip(qtbot, window, 60.0, 50.0)
    settled(qtbot, window, engines, 1)
    before = points(window)
    window.close()
    again = make_window(run_file)
    assert points(again) == before
    assert again.session.playback.frame == 6
    again.commander.do("undo")
    assert again.session.opened.labels.tracks == ()


def test_bad_file_is_one_sentence_and_the_open_run_stays(qtbot, make_window, run_file, tmp_path):
    window = make_window(run_file)
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"nothing that is a run")
    window.session.library.open_paths([bad])
    qtbot.waitUntil(lambda: window.notices.notice is not None)
    assert "\n" not in window.notices.notice.text
    assert window.session.opened.run.path == run_file


def test_doubtful_frames_are_visited_in_turn(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    engines[0].confidence = lambda frame: 0.1 if frame in (7, 13) else 0.9
    click_tip(qtbot, window, 60.0, 50.0)
    settled(qtbot, window, engines, 1)
    visited = []
    for _ in range(3):
        window.commander.do("next_doubtful")
        visited.append(window.session.playback.frame)
    assert visited == [7, 13, 7]
    window.commander.do("accept_point")
    window.commander.do("next_doubtful")
    assert window.session.playback.frame == 13


def test_denoised_picture_is_compared_in_every_mode(qtbot, make_window, run_file):
    window = make_window(run_file)
    for mode in Comparison:
        window.session.look.change(comparison=mode)
        qtbot.waitUntil(lambda: window.picture.complete)
        assert window.view.mode == mode
    window.commander.do("toggle_denoised")
    assert window.session.look.now.comparison is Comparison.ORIGINAL
    window.commander.do("toggle_denoised")
    assert window.session.look.now.comparison is Comparison.DIFFERENCE


def test_subtraction_shows_the_difference_to_the_mask(qtbot, make_window, run_file):
    window = make_window(run_file)
    plain = window.view.grab_picture()
    window.commander.do("toggle_subtraction")
    qtbot.waitUntil(lambda: window.session.look.now.grey.subtracted)
    assert window.view.grab_picture() != plain
    window.commander.do("toggle_subtraction")
    assert not window.session.look.now.grey.subtracted


def test_the_mask_is_chosen_and_moved(qtbot, make_window, run_file):
    window = make_window(run_file)
    window.session.playback.seek(2)
    window.commander.do("mask_here")
    qtbot.waitUntil(lambda: window.session.look.now.grey.mask_frames == (2,))
    nothing = window.view.grab_picture()
    for command in ("mask_right", "mask_right", "mask_up"):  # faster than the mask can follow
        window.commander.do(command)
    qtbot.waitUntil(lambda: window.session.look.now.grey.mask_shift_px == (1.0, -0.5))
    assert window.session.look.now.grey.subtracted
    assert window.view.grab_picture() != nothing
    window.commander.do("mask_reset")
    qtbot.waitUntil(lambda: window.session.look.now.grey.mask_frames == ())
    assert window.session.look.now.grey.mask_shift_px == (0.0, 0.0)


def test_strength_blends_without_computing_again(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    window.session.look.change(comparison=Comparison.DENOISED)
    qtbot.waitUntil(lambda: window.session.denoising.ready().all())
    computed = len(engines[1].order)
    window.session.look.set_strength(0.3)
    qtbot.wait(30)
    assert len(engines[1].order) == computed


def test_labels_go_out_and_come_back(qtbot, make_window, run_file, engines, tmp_path):
    window = make_window(run_file)
    click_tip(qtbot, window, 60.0, 50.0)
    settled(qtbot, window, engines, 1)
    out = tmp_path / "labels.json"
    window.hands.exporting.save_labels(out, "json")
    qtbot.waitUntil(out.exists)
    exported = json.loads(out.read_text())
    assert len(exported["tracks"][0]["points"]) == 20
    window.commander.do("delete_track")
    window.hands.importing.load_labels(out)
    qtbot.waitUntil(lambda: window.hands.importing.dialog is not None)
    assert window.session.opened.labels.tracks == ()
    window.hands.importing.dialog.accept()
    qtbot.waitUntil(lambda: len(window.session.opened.labels.tracks) == 1)
    assert sorted(window.session.opened.labels.tracks[0].points) == list(range(20))


def test_picture_is_saved_as_it_is_on_the_screen(make_window, run_file, tmp_path):
    from PySide6.QtGui import QImage

    window = make_window(run_file)
    window.hands.exporting.save_picture(tmp_path / "frame.png")
    saved = QImage(str(tmp_path / "frame.png"))
    assert saved.size() == window.view.grab_picture().size()
    refused = tmp_path / "no such folder" / "frame.png"
    window.notices.clear()
    window.hands.exporting.save_picture(refused)
    assert "no such folder" in window.notices.notice.text


def test_place_is_kept_while_stepping(qtbot, make_window, run_file, engines):
    window = make_window(run_file)
    click_tip(qtbot, window, 60.0, 50.0)
    settled(qtbot, window, engines, 1)
    window.session.playback.step(7)
    qtbot.waitUntil(lambda: window.session.opened.store.state.playhead == 7)


def test_movie_holds_every_frame_at_true_speed(qtbot, make_window, run_file, tmp_path):
    import av

    window = make_window(run_file)
    out = tmp_path / "run.mp4"
    window.session.playback.seek(6)
    shown = []
    window.picture.frame_shown.connect(shown.append)
    recorder = window.hands.exporting.save_movie(out)
    qtbot.waitUntil(lambda: recorder.done, timeout=20000)
    assert set(shown) <= {6}  # the user's own view stays where it is
    with av.open(str(out)) as movie:
        frames = list(movie.decode(video=0))
    assert len(frames) == 20
    times = np.array([frame.time for frame in frames]) * 1000.0
    np.testing.assert_allclose(times, window.session.opened.run.frame_times_ms, atol=1.0)


def test_patient_data_hides_with_one_key(qtbot, make_window, run_file):
    window = make_window(run_file)
    shown = window.view.grab_picture()
    window.commander.do("toggle_patient")
    hidden = window.view.grab_picture()
    assert shown != hidden


def test_theme_changes_and_is_remembered(make_window):
    window = make_window()
    window.commander.do("toggle_theme")
    assert window.session.settings.now.theme == "light"
    from app.session.settings import load_settings

    assert load_settings().theme == "light"


def press_keys(qtbot, window, keys):
    """Press keys over the picture."""
    combination = QKeySequence(keys)[0]
    qtbot.keyClick(window.view, combination.key(), combination.keyboardModifiers())


def test_dialogs_open_and_close(qtbot, make_window):
    window = make_window()
    for name in ("show_shortcuts", "show_about", "open_settings"):
        window.commander.do(name)
    assert len(window.hands.dialogs.open) == 3
    for dialog in tuple(window.hands.dialogs.open):
        dialog.reject()
    assert not window.hands.dialogs.open


@pytest.mark.parametrize("key", ["T", "E", "X", "Shift+Delete"])
def test_keys_of_commands_without_a_track_say_what_to_do(qtbot, make_window, run_file, key):
    window = make_window(run_file)
    press_keys(qtbot, window, key)
    assert "click the catheter tip" in window.notices.notice.text


def test_keys_with_nothing_open_say_what_to_do(qtbot, make_window):
    window = make_window()
    press_keys(qtbot, window, "Ctrl+Z")
    assert window.notices.notice.text == "Open a run first."


def test_states_in_the_list_come_back_at_the_next_start(qtbot, make_window, run_file, engines):
    window = tracked_window(qtbot, make_window, run_file, engines)
    window.close()
    again = make_window()
    again.session.settings.remember_run(run_file)
    again.session.library.show_recent()
    qtbot.waitUntil(lambda: str(run_file) in again.run_list.run_keys())
    row = again.run_list._model._runs[str(run_file)].run
    assert row.label_state is LabelState.IN_PROGRESS


def test_the_demo_touches_no_setting_and_keeps_ones_own_labels(
    qtbot, make_window, run_file, engines
):
    window = make_window()
    before = window.session.settings.now
    window.start_demo()
    demo = window._demo
    qtbot.waitUntil(lambda: window.session.opened is not None and window.picture.complete)
    qtbot.waitUntil(lambda: demo._scene is not None)
    while demo._scene is not None:  # to its end, without waiting for the audience
        qtbot.waitUntil(demo._scene.ready, timeout=20000)
        demo._next()
    assert window.session.opened.labels.tracks
    assert window.session.settings.now == before
    assert load_settings() == before
    window.session.library.open_run(run_file)
    qtbot.waitUntil(
        lambda: window.session.opened is not None and window.session.opened.run.path == run_file
    )
    click_tip(qtbot, window, 60.0, 50.0)
    settled(qtbot, window, engines, 2)
    window.stop_demo()
    assert window.session.opened.run.path == run_file
    window.close()
    again = make_window(run_file)
    assert len(again.session.opened.labels.tracks) == 1


def test_hidden_patient_data_takes_what_was_typed_with_it(make_window, run_file):
    window = make_window(run_file)
    described = replace(window.session.opened.run, series_description="Run of Mrs Doe")
    assert "Run of Mrs Doe" in words.study_lines(described)
    assert "Run of Mrs Doe" not in words.study_lines(described, described=False)


def test_full_screen_and_back_leaves_a_maximized_window_maximized(make_window):
    window = make_window()
    window.showMaximized()
    window.commander.do("toggle_full_screen")
    window.commander.do("toggle_full_screen")
    assert window.isMaximized()


def test_a_subtracted_picture_is_not_called_original(qtbot, make_window, run_file):
    window = make_window(run_file)
    window.commander.do("toggle_subtraction")
    qtbot.waitUntil(lambda: window.session.look.now.grey.subtracted)
    assert window.view._names.original == "Subtracted"


def test_the_picture_says_whether_its_mask_is_registered(qtbot, make_window, run_file):
    window = make_window(run_file)
    window.session.labelling.set_span(0, 3)
    window.commander.do("mask_span")
    qtbot.waitUntil(lambda: window.session.look.now.grey.subtracted)
    plain = window.view.grab_picture()
    window.session.playback.seek(9)
    window.commander.do("register_shift")
    qtbot.waitUntil(lambda: window.view._names.original == "Subtracted, registered")
    qtbot.waitUntil(lambda: window.session.subtraction.share is None)
    assert window.view.grab_picture() != plain
    window.commander.do("register_off")
    qtbot.waitUntil(lambda: window.view._names.original == "Subtracted")
    window.commander.do("peak_opacification")
    qtbot.waitUntil(lambda: window.view._names.original == "Peak opacification")
    window.commander.do("peak_off")
    qtbot.waitUntil(lambda: window.view._names.original == "Subtracted")


@pytest.mark.parametrize(
    ("removed", "said"), [(True, "Denoised 100%"), (False, "Nothing to remove")]
)
def test_the_picture_says_what_denoising_did(qtbot, make_window, run_file, engines, removed, said):
    engines[1].noise_removed = removed
    window = make_window(run_file)
    window.session.look.change(comparison=Comparison.DENOISED)
    qtbot.waitUntil(lambda: window.session.denoising.ready().all())
    qtbot.waitUntil(lambda: window.view._names.denoised == said)


def test_with_nothing_open_only_what_needs_no_run_is_offered(qtbot, make_window, run_file):
    window = make_window()
    offered = {name for name, action in window.commander.actions.items() if action.isEnabled()}
    assert offered >= {"open_files", "show_about", "quit", "toggle_theme"}
    assert not offered & {"toggle_play", "mark_occluded", "export_movie", "undo", "fit"}
    window.session.library.open_run(run_file)
    qtbot.waitUntil(lambda: window.session.opened is not None)
    assert window.commander.actions["toggle_play"].isEnabled()
    window.session.open(None)
    assert not window.commander.actions["toggle_play"].isEnabled()


def test_the_window_comes_back_as_it_was_left(make_window):
    window = make_window()
    assert not window.hands.frame.restore()
    window.panels[-1].hide()
    window.close()
    left = load_settings()
    again = make_window(window_geometry=left.window_geometry, window_layout=left.window_layout)
    assert again.panels[-1].isVisible()
    assert again.hands.frame.restore()
    assert not again.panels[-1].isVisible()


def test_patient_data_stays_hidden_when_the_next_run_opens(qtbot, make_window, run_file, tmp_path):
    window = make_window(run_file)
    window.commander.do("toggle_patient")
    other = tmp_path / "other"
    other.mkdir()
    copy = Path(shutil.copy(run_file, other / "run.dcm"))
    window.session.library.open_run(copy)
    qtbot.waitUntil(
        lambda: window.session.opened is not None and window.session.opened.run.path == copy
    )
    assert not window.commander.actions["toggle_patient"].isChecked()
    assert not window.session.look.now.patient
    window.commander.do("toggle_theme")
    assert not window.session.look.now.patient


def test_shift_click_says_occluded_and_a_click_can_step_on(qtbot, make_window, run_file, engines):
    window = make_window(run_file, step_after_click=True)
    window.session.tools.set_mode(Mode.LABEL)
    viewport, place = window.view.viewport(), window.view.mouse_position(60.0, 50.0).toPoint()
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, shift, place)
    assert window.session.playback.frame == 1
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=place)
    points = window.session.labelling.selected.points
    assert points[0].state is PointState.OCCLUDED and points[1].state is PointState.VISIBLE
    assert window.session.playback.frame == 2


def test_a_point_is_moved_by_a_pixel_and_confirmed_on_the_way(
    qtbot, make_window, run_file, engines
):
    window = make_window(run_file)
    window.commander.do("nudge_left")  # there is none yet: nothing happens
    click_tip(qtbot, window, 60.0, 50.0)
    settled(qtbot, window, engines, 1)
    before = window.session.labelling.selected.points[0]
    window.commander.do("nudge_left")
    window.commander.do("nudge_down")
    after = window.session.labelling.selected.points[0]
    assert (after.x, after.y) == pytest.approx((before.x - 1.0, before.y + 1.0))
    window.session.playback.seek(3)
    window.commander.do("accept_and_step")
    assert window.session.labelling.selected.points[3].confirmed
    assert window.session.playback.frame == 4
