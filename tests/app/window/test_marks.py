"""Review and Label, and measures drawn with the mouse."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QInputDialog

from app.session.tools import Mode, Tool
from app.tracks.marks import MarkKind
from widgets.picture.corner_text import Corner

LEFT = Qt.MouseButton.LeftButton


def at(window, x, y) -> QPoint:
    return window.view.mouse_position(x, y).toPoint()


def drag(qtbot, window, start, end, button=LEFT):
    viewport = window.view.viewport()
    middle = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
    first, half, last = (at(window, *place) for place in (start, middle, end))
    qtbot.mousePress(viewport, button, pos=first)
    qtbot.mouseMove(viewport, half)
    qtbot.mouseMove(viewport, last)
    qtbot.mouseRelease(viewport, button, pos=last)


def click(qtbot, window, place):
    qtbot.mouseMove(window.view.viewport(), at(window, *place))
    qtbot.mouseClick(window.view.viewport(), LEFT, pos=at(window, *place))


def measures(window):
    return window.session.measuring.marks


@pytest.fixture
def window(make_window, run_file):
    return make_window(run_file)


def test_in_review_a_click_writes_nothing(qtbot, window):
    click(qtbot, window, (60.0, 50.0))
    labels = window.session.opened.labels
    assert not (labels.tracks or labels.marks or labels.can_undo)
    assert window.session.opened.store.path is None


def test_in_review_a_drag_does_what_the_tool_does(qtbot, window):
    look = window.session.look
    before = look.now
    drag(qtbot, window, (60.0, 50.0), (80.0, 50.0))
    assert look.now.grey.voi != before.grey.voi and look.now.place is None
    window.commander.do("tool_pan")
    window.view.zoom_to(400.0)
    place = window.view.place
    drag(qtbot, window, (60.0, 50.0), (70.0, 50.0))
    assert window.view.place[0] == place[0]
    assert window.view.place[1] == pytest.approx(place[1] - 10.0, abs=0.5)
    window.commander.do("tool_zoom")
    drag(qtbot, window, (60.0, 60.0), (60.0, 50.0))
    assert window.view.place[0] > place[0]
    assert not window.session.opened.labels.can_undo


def test_the_key_and_the_switch_change_the_mode(qtbot, window):
    tools = window.session.tools
    window.commander.do("toggle_mode")
    assert tools.mode is Mode.LABEL and window.mode_switch._label.isChecked()
    qtbot.mouseClick(window.mode_switch._review, LEFT)
    assert tools.mode is Mode.REVIEW
    window.commander.do("tool_distance")
    window.commander.do("toggle_mode")
    click(qtbot, window, (60.0, 50.0))
    assert [t.points[0].x for t in window.session.opened.labels.tracks] == [
        pytest.approx(60.0, abs=1.0)
    ]
    assert not measures(window)


@pytest.mark.parametrize("turns", range(4))
def test_a_distance_is_drawn_where_the_mouse_was(qtbot, window, turns):
    window.session.look.turn(turns)
    window.session.look.mirror()
    window.session.playback.seek(3)
    window.commander.do("tool_distance")
    drag(qtbot, window, (20.0, 30.0), (80.0, 40.0))
    (mark,) = measures(window)
    assert (mark.kind, mark.frame) == (MarkKind.DISTANCE, 3)
    np.testing.assert_allclose(mark.points, [(20.0, 30.0), (80.0, 40.0)], atol=1.0)
    assert window.session.measuring.selected == mark


def test_clicks_draw_an_angle_and_a_double_click_ends_a_polyline(qtbot, window):
    window.commander.do("tool_angle")
    for place in ((20.0, 20.0), (60.0, 20.0), (60.0, 60.0)):
        click(qtbot, window, place)
    window.commander.do("tool_polyline")
    for place in ((20.0, 80.0), (60.0, 80.0), (60.0, 100.0)):
        click(qtbot, window, place)
    qtbot.mouseDClick(window.view.viewport(), LEFT, pos=at(window, 60.0, 100.0))
    angle, line = measures(window)
    assert window.session.measuring.measured(angle).values[0].value == pytest.approx(90, abs=3)
    assert len(line.points) == 3 and line.kind is MarkKind.POLYLINE
    assert not window.isFullScreen()


def test_escape_gives_up_a_figure_then_the_choice_then_the_tool(qtbot, window):
    window.commander.do("tool_distance")
    drag(qtbot, window, (20.0, 30.0), (80.0, 40.0))
    click(qtbot, window, (30.0, 90.0))
    assert window.view.drawing
    window.commander.do("cancel_tracking")
    assert not window.view.drawing and len(measures(window)) == 1
    window.commander.do("cancel_tracking")
    assert window.session.measuring.selected is None
    window.commander.do("cancel_tracking")
    assert window.session.tools.tool is Tool.WINDOW


def test_handles_and_lines_are_dragged_and_keys_move_by_a_pixel(qtbot, window):
    window.commander.do("tool_distance")
    drag(qtbot, window, (20.0, 30.0), (80.0, 30.0))
    window.commander.do("tool_window")
    drag(qtbot, window, (80.0, 30.0), (80.0, 60.0))
    np.testing.assert_allclose(measures(window)[0].points, [(20, 30), (80, 60)], atol=1.5)
    drag(qtbot, window, (50.0, 45.0), (60.0, 45.0))
    moved = measures(window)[0].points
    np.testing.assert_allclose(moved, [(30, 30), (90, 60)], atol=1.5)
    window.commander.do("nudge_right")
    window.session.look.turn(1)
    window.commander.do("nudge_down")  # of a picture turned clockwise, down is right
    np.testing.assert_allclose(measures(window)[0].points, np.add(moved, (2.0, 0.0)))
    for _ in range(5):
        window.commander.do("undo")
    assert not measures(window)


def test_delete_takes_the_chosen_measure_and_not_the_point(qtbot, window):
    window.session.labelling.place(60.0, 50.0)
    window.commander.do("tool_distance")
    drag(qtbot, window, (20.0, 90.0), (80.0, 90.0))
    window.commander.do("delete_point")
    assert not measures(window)
    assert 0 in window.session.labelling.selected.points
    window.commander.do("undo")
    assert len(measures(window)) == 1


def test_a_measure_lies_on_its_frame_or_on_all(qtbot, window):
    window.commander.do("tool_distance")
    drag(qtbot, window, (20.0, 90.0), (80.0, 90.0))
    assert len(window.view._marks) == 1
    window.commander.do("step_forward")
    assert not window.view._marks
    window.commander.do("measure_all_frames")
    assert len(window.view._marks) == 1
    window.commander.do("step_forward")
    assert len(window.view._marks) == 1


def test_words_are_asked_for_and_can_be_changed(qtbot, window, monkeypatch):
    answers = iter([("the ostium", True), ("", False), ("the left ostium", True)])
    monkeypatch.setattr(QInputDialog, "getMultiLineText", lambda *_: next(answers))
    window.commander.do("tool_text")
    click(qtbot, window, (40.0, 40.0))
    click(qtbot, window, (90.0, 90.0))  # and no word: no mark
    assert [mark.text for mark in measures(window)] == ["the ostium"]
    window.commander.do("tool_window")
    qtbot.mouseDClick(window.view.viewport(), LEFT, pos=at(window, 40.0, 40.0))
    assert [mark.text for mark in measures(window)] == ["the left ostium"]


def test_a_known_length_calibrates_everything(qtbot, window, monkeypatch):
    monkeypatch.setattr(QInputDialog, "getDouble", lambda *_: (30.0, True))
    window.commander.do("tool_distance")
    drag(qtbot, window, (20.0, 90.0), (80.0, 90.0))
    window.commander.do("calibrate_length")
    (mark,) = measures(window)
    assert window.session.measuring.measured(mark).values[0].value == pytest.approx(30.0)
    told = window.view._corners[Corner.BOTTOM_RIGHT][-1]
    assert "known length 30 mm" in told
    assert "known length 30 mm" in window.measure_panel._scale.text()
    assert window.view._scale_bar[0] == pytest.approx(0.5, abs=0.02)
    window.commander.do("forget_calibration")
    assert "known length" not in window.view._corners[Corner.BOTTOM_RIGHT][-1]


def test_measures_and_the_turned_picture_come_back(qtbot, make_window, run_file):
    window = make_window(run_file)
    window.commander.do("tool_ellipse")
    drag(qtbot, window, (20.0, 30.0), (80.0, 60.0))
    for name in ("turn_right", "mirror", "more_edges"):
        window.commander.do(name)
    there, look = measures(window), window.session.look.now
    assert {"Turned 270°", "Mirrored", "Edges 25%"} < set(window.view._corners[Corner.BOTTOM_RIGHT])
    window.close()
    again = make_window(run_file)
    assert measures(again) == there
    now = again.session.look.now
    assert (now.turns, now.mirrored, now.grey.edges) == (look.turns, look.mirrored, 0.25)
    assert again.view._view.turns == look.turns


def test_all_measures_go_out_as_csv(qtbot, window, tmp_path):
    window.commander.do("tool_distance")
    drag(qtbot, window, (20.0, 90.0), (80.0, 90.0))
    window.hands.exporting.save_measures(tmp_path / "measures.csv")
    written = (tmp_path / "measures.csv").read_text("utf-8")
    assert "distance,1,Length" in written
    window.commander.do("copy_measures")
    assert "distance,1,Length" in written


def test_a_figure_belongs_to_the_frame_on_which_it_began(qtbot, window):
    window.commander.do("tool_distance")
    qtbot.mousePress(window.view.viewport(), LEFT, pos=at(window, 20.0, 90.0))
    window.session.playback.seek(5)
    qtbot.mouseMove(window.view.viewport(), at(window, 50.0, 90.0))
    qtbot.mouseRelease(window.view.viewport(), LEFT, pos=at(window, 80.0, 90.0))
    assert [mark.frame for mark in measures(window)] == [0]


def test_a_run_plays_at_once_where_that_is_wanted(qtbot, make_window, run_file):
    window = make_window()
    window.session.settings.change(autoplay=True)
    window.session.library.open_paths([run_file])
    qtbot.waitUntil(lambda: window.session.playback.playing)


def test_locked_labels_take_no_measure(qtbot, window):
    window.commander.do("lock_labels")
    window.commander.do("tool_distance")
    drag(qtbot, window, (20.0, 90.0), (80.0, 90.0))
    assert not measures(window)
    assert "locked" in window.notices.notice.text


@pytest.mark.parametrize("what", ["text", "words", "length"])
def test_what_is_answered_about_a_run_is_not_done_in_the_next_one(
    qtbot, window, other_run_file, monkeypatch, what
):
    window.session.measuring.draw(MarkKind.DISTANCE, 0, ((10.0, 10.0), (60.0, 10.0)))
    opened = window.session.opened
    before = opened.labels.marks

    def then(*answer):
        def ask(*_):
            window.session.library.open_paths([other_run_file])
            qtbot.waitUntil(lambda: window.session.opened is not opened)
            return answer

        return ask

    monkeypatch.setattr(QInputDialog, "getMultiLineText", then("words", True))
    monkeypatch.setattr(QInputDialog, "getDouble", then(30.0, True))
    told = []
    window.session.warned.connect(told.append)
    if what == "text":
        window.commander.do("tool_text")
        click(qtbot, window, (30.0, 90.0))
    else:
        window.commander.do("rename_measure" if what == "words" else "calibrate_length")
    assert "Another run" in told[0]
    assert opened.labels.marks == before
    assert not window.session.opened.labels.marks


def test_nothing_is_asked_that_locked_labels_would_refuse(qtbot, window, monkeypatch):
    window.session.measuring.draw(MarkKind.DISTANCE, 0, ((10.0, 10.0), (60.0, 10.0)))
    window.commander.do("keep_image")
    window.key_image_strip._list.item(0).setSelected(True)
    window.commander.do("lock_labels")
    asked, told = [], []
    for question in ("getMultiLineText", "getDouble", "getText"):
        monkeypatch.setattr(QInputDialog, question, lambda *_, **__: asked.append(1))
    window.session.labelling.refused.connect(told.append)
    before = window.session.opened.labels.marks
    window.commander.do("rename_measure")
    window.commander.do("calibrate_length")
    window.commander.do("write_on_image")
    window.commander.do("tool_text")
    click(qtbot, window, (30.0, 90.0))
    assert not asked and len(told) == 4 and len(set(told)) == 1
    assert window.session.opened.labels.marks == before


@pytest.mark.parametrize("gesture", ["figure", "handle"])
def test_a_gesture_that_is_under_way_does_not_reach_the_next_run(
    qtbot, window, other_run_file, gesture
):
    viewport = window.view.viewport()
    window.session.measuring.draw(MarkKind.DISTANCE, 0, ((10.0, 10.0), (60.0, 10.0)))
    window.commander.do("tool_polyline" if gesture == "figure" else "tool_window")
    opened = window.session.opened
    before = opened.labels.marks
    if gesture == "figure":
        click(qtbot, window, (20.0, 80.0))
        click(qtbot, window, (60.0, 80.0))
    else:
        qtbot.mousePress(viewport, LEFT, pos=at(window, 60.0, 10.0))
        qtbot.mouseMove(viewport, at(window, 60.0, 30.0))
    window.session.library.open_paths([other_run_file])
    qtbot.waitUntil(lambda: window.session.opened is not opened and window.picture.complete)
    assert not window.view.drawing
    qtbot.mouseMove(viewport, at(window, 50.0, 40.0))
    qtbot.mouseRelease(viewport, LEFT, pos=at(window, 50.0, 40.0))
    assert opened.labels.marks == before
    assert not window.session.opened.labels.marks
    qtbot.waitUntil(lambda: window.session.leaving.done)


def test_a_tool_that_is_not_simply_dragged_says_what_to_do(window):
    told = []
    window.session.said.connect(told.append)
    for command in ("tool_distance", "calibrate_catheter", "tool_polyline", "tool_polyline"):
        window.commander.do(command)
    assert len(told) == 2
    assert "empty stretch" in told[0] and "Return" in told[1]
