"""A vessel on the picture, in its panel and in files: drawn, dragged, pointed at."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent

from app.measure.vessels import pins_of, profile_of
from app.session.tools import Tool
from app.tracks.marks import MarkKind
from app.window.main_window import Panel
from tests.app.window.test_marks import at, click, drag, measures
from tests.inference.measuring.pictures import vessel, vessel_middle

WAIT_MS = 60000
SIDE = 160
BEGIN, END = (tuple(place) for place in vessel_middle([20.0, 140.0]).tolist())


@pytest.fixture(scope="module")
def vessel_run(tmp_path_factory):
    """Three frames of a vessel that is 9 px wide, and 4 px in its middle."""
    shadow = vessel(lambda x: 9.0 - 5.0 * np.exp(-0.5 * ((x - 80.0) / 9.0) ** 2))
    noise = np.random.default_rng(6).normal(0, 1, (3, SIDE, SIDE))
    path = tmp_path_factory.mktemp("vessel") / "vessel.npy"
    np.save(path, np.clip(150 - 8.0 * shadow + noise, 0, 255).astype(np.uint8))
    return path


@pytest.fixture
def window(make_window, vessel_run, tmp_path):
    path = tmp_path / "run.npy"
    path.write_bytes(vessel_run.read_bytes())
    return make_window(path)


@pytest.fixture
def drawn(qtbot, window):
    """A window with one vessel, drawn by one drag."""
    window.commander.do("tool_vessel")
    with qtbot.waitSignal(window.session.vessels.measured, timeout=WAIT_MS):
        drag(qtbot, window, BEGIN, END)
    return window


def profile(window):
    return profile_of(measures(window)[0].values)


def test_one_drag_analyses_a_vessel(drawn):
    (mark,) = measures(drawn)
    assert (mark.kind, mark.frame) == (MarkKind.VESSEL, 0)
    np.testing.assert_allclose(mark.points, [BEGIN, END], atol=1.0)
    found = profile(drawn)
    assert found.diameter_px[found.narrowest] == pytest.approx(4.0, abs=0.6)
    (overlay,) = drawn.view._marks
    assert overlay.selected and len(overlay.vessel.left) == len(found.arc_px)
    assert overlay.lines[-1] == "not a validated medical measurement"
    assert drawn.vessel_panel._words.text() == "\n".join(overlay.lines)
    listed = drawn.measure_panel._list.topLevelItem(0)
    assert listed.text(0) == "Vessel" and "MLD 4." in listed.text(2)
    assert "not a validated medical measurement" in listed.text(2)


def test_the_key_takes_the_tool_and_its_panel_comes_forward(qtbot, window):
    qtbot.keyClick(window.view, Qt.Key.Key_9)
    assert window.session.tools.tool is Tool.VESSEL
    assert not window.panels[Panel.VESSEL].visibleRegion().isEmpty()
    assert window.panels[Panel.MEASURES].visibleRegion().isEmpty()


@pytest.mark.parametrize("ends_by", ["Return", "double click"])
def test_clicks_go_on_until_they_are_ended(qtbot, window, ends_by):
    window.session.labelling.place(5.0, 5.0)  # Return would confirm it
    qtbot.waitUntil(lambda: not window.session.worker.tracking)
    window.commander.do("tool_vessel")
    click(qtbot, window, BEGIN)
    middle = tuple(vessel_middle([80.0])[0].tolist())
    click(qtbot, window, middle)
    assert window.view.drawing and not window.session.vessels._tasks
    click(qtbot, window, END)
    with qtbot.waitSignal(window.session.vessels.measured, timeout=WAIT_MS):
        if ends_by == "Return":
            window.view.setFocus()
            qtbot.keyClick(window.view, Qt.Key.Key_Return)
        else:
            qtbot.mouseDClick(
                window.view.viewport(), Qt.MouseButton.LeftButton, pos=at(window, *END)
            )
    assert not window.view.drawing
    np.testing.assert_allclose(measures(window)[0].points, [BEGIN, middle, END], atol=1.0)


def test_an_edge_is_pulled_to_the_mouse(qtbot, drawn):
    drawn.commander.do("tool_window")
    before = profile(drawn)
    row = len(before.arc_px) // 4
    away = before.right[row] - before.centre[row]
    place = before.right[row] + 2.0 * away / np.hypot(*away)
    with qtbot.waitSignal(drawn.session.vessels.measured, timeout=WAIT_MS):
        drag(qtbot, drawn, tuple(before.right[row]), tuple(place))
    (pin,) = pins_of(measures(drawn)[0].values)
    assert pin[0] == "right"
    assert np.hypot(*(profile(drawn).right - place).T).min() < 1.2
    assert np.abs(profile(drawn).left[row] - before.left[row]).max() < 1.5
    drawn.commander.do("undo")
    assert not pins_of(measures(drawn)[0].values)


def test_points_and_centre_line_are_dragged(qtbot, drawn):
    drawn.commander.do("tool_window")
    with qtbot.waitSignal(drawn.session.vessels.measured, timeout=WAIT_MS):
        drag(qtbot, drawn, END, tuple(vessel_middle([110.0])[0]))
    points = measures(drawn)[0].points
    assert points[1][0] == pytest.approx(110.0, abs=1.0) and len(points) == 2
    found = profile(drawn)
    row = len(found.arc_px) // 2
    x, y = found.centre[row]
    with qtbot.waitSignal(drawn.session.vessels.measured, timeout=WAIT_MS):
        drag(qtbot, drawn, (x, y), (x, y + 5.0))
    assert len(measures(drawn)[0].points) == 3
    with qtbot.waitSignal(drawn.session.vessels.measured, timeout=WAIT_MS):
        drawn.commander.do("nudge_down")
    assert measures(drawn)[0].points[0][1] == pytest.approx(BEGIN[1] + 1.0, abs=1.0)
    assert len(measures(drawn)) == 1


def plot_position(window, place):
    plot = window.vessel_panel.plot
    arc = float(plot._curve.arc[place])
    scene = plot.getPlotItem().getViewBox().mapViewToScene(QPointF(arc, 1.0))
    return QPointF(plot.mapFromScene(scene))


def mouse(window, kind, place, button=Qt.MouseButton.NoButton):
    plot = window.vessel_panel.plot
    where = plot_position(window, place)
    far = plot.mapToGlobal(where)
    none = Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(kind, where, far, button, button, none)
    (plot.mouseMoveEvent if kind is QEvent.Type.MouseMove else plot.mousePressEvent)(event)


def test_the_plots_cursor_is_tied_to_the_picture(qtbot, drawn):
    found = profile(drawn)
    plot = drawn.vessel_panel.plot
    mouse(drawn, QEvent.Type.MouseMove, 40)
    ends = np.array(drawn.view._pointer)
    near = int(np.hypot(*(found.left - ends[0]).T).argmin())
    assert abs(near - 40) <= 1
    np.testing.assert_allclose(ends[1], found.right[near])
    plot.pointing_ended.emit()
    assert drawn.view._pointer is None
    drawn.view.mouse_moved.emit(*found.centre[70].tolist())
    assert plot._cursor.isVisible()
    assert plot._cursor.value() == pytest.approx(plot._curve.arc[70])
    drawn.view.mouse_moved.emit(80.0, 10.0)
    assert not plot._cursor.isVisible()


def test_a_click_in_the_plot_goes_to_the_place(drawn):
    found = profile(drawn)
    drawn.view.zoom_to(400.0)
    drawn.session.playback.seek(2)
    assert drawn.view._pointer is None
    mouse(drawn, QEvent.Type.MouseMove, 100)
    assert drawn.view._pointer is None  # another frame is seen
    mouse(drawn, QEvent.Type.MouseButtonPress, 100, Qt.MouseButton.LeftButton)
    assert drawn.session.playback.frame == 0
    np.testing.assert_allclose(drawn.view.place[1:], found.centre[100], atol=1.5)
    assert drawn.view._pointer is not None


def test_the_plot_shows_what_is_told(drawn):
    plot, found = drawn.vessel_panel.plot, profile(drawn)
    np.testing.assert_allclose(plot._diameter.getData()[1], found.diameter_px)
    np.testing.assert_allclose(plot._reference.getData()[1], found.reference_px)
    assert plot._lesion.getRegion() == pytest.approx(
        (found.arc_px[found.begin], found.arc_px[found.end])
    )
    drawn.commander.do("delete_point")
    assert plot._curve is None and not plot._diameter.isVisible()
    assert "Take the tool Vessel" in drawn.vessel_panel._words.text()


def test_the_profile_is_exported(drawn, tmp_path):
    path = tmp_path / "profile.csv"
    drawn.hands.exporting.save_profile(path)
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    assert len(rows) == len(profile(drawn).arc_px)
    assert rows[0]["unit"] == "px" and "not a validated" in rows[0]["note"]
    assert drawn.commander.actions["export_profile"].isEnabled()
    drawn.session.measuring.select(None)
    assert not drawn.commander.actions["export_profile"].isEnabled()


def test_a_vessel_stays_on_its_frame_and_comes_back(qtbot, drawn, make_window):
    told = []
    drawn.session.said.connect(told.append)
    drawn.commander.do("measure_all_frames")
    assert "on which it was measured" in told[0]
    there = measures(drawn)
    path = drawn.session.opened.run.path
    drawn.close()
    again = make_window(path)
    assert measures(again) == there
    assert again.view._marks[0].vessel is not None


def test_a_vessel_that_makes_no_sense_is_drawn_by_its_points(window):
    from app.tracks.marks import new_mark

    mark = new_mark((), MarkKind.VESSEL, frame=0, points=(BEGIN, END), values={"edges": 3})
    assert window.session.measuring.add(mark)
    (overlay,) = window.view._marks
    assert overlay.vessel is None and overlay.lines == ()
    assert window.session.vessels.chosen is None
    assert measures(window) == (mark,)
