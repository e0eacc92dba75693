from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QLineEdit, QMainWindow, QToolButton, QWidget

from widgets.panels.denoise_panel import DenoisePanel
from widgets.panels.track_panel import COUNTS, NAME, TrackPanel, TrackRow
from widgets.picture.compare import ViewMode
from widgets.theme import LIGHT
from widgets.timeline.play_bar import REPEATS, PlayBar

SPEEDS = (0.5, 1.0, 2.0)

KINDS = {kind: kind for kind in ("catheter tip", "guidewire tip", "other")}
ROWS = (
    TrackRow("a", "Tip", "catheter tip", "#ffb000", edited=3, doubtful=2),
    TrackRow("b", "Wire", "guidewire tip", "#3ddc97"),
)


def visible(parent):
    """What a user can see in a panel, were the panel itself shown."""
    return [w for w in parent.findChildren(QWidget) if w.isVisibleTo(parent)]


@pytest.fixture
def tracks(qtbot):
    panel = TrackPanel(KINDS)
    qtbot.addWidget(panel)
    panel.set_tracks(ROWS)
    panel.select_track("a")
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def rename(panel, qtbot, track_id, name):
    panel._list.editItem(panel._items[track_id], NAME)
    editor = panel._list.findChild(QLineEdit)
    editor.selectAll()
    if name:
        qtbot.keyClicks(editor, name)
    else:
        qtbot.keyClick(editor, Qt.Key.Key_Backspace)
    qtbot.keyClick(editor, Qt.Key.Key_Return)


def test_a_track_is_renamed_in_place(tracks, qtbot):
    with qtbot.waitSignal(tracks.renamed) as got:
        rename(tracks, qtbot, "b", "  Guidewire ")
    assert got.args == ["b", "Guidewire"]


def test_tracks_leave_the_room_they_do_not_need_to_the_other_panels(tracks):
    assert tracks.height() <= tracks.maximumHeight() <= tracks.sizeHint().height()


def test_an_empty_name_is_not_taken(tracks, qtbot):
    with qtbot.assertNotEmitted(tracks.renamed):
        rename(tracks, qtbot, "b", "")
    assert tracks._items["b"].text(NAME) == "Wire"


def test_a_name_being_typed_survives_new_counts(tracks, qtbot):
    tracks._list.editItem(tracks._items["b"], NAME)
    editor = tracks._list.findChild(QLineEdit)
    editor.setText("Half a na")
    tracks.set_tracks((ROWS[0], replace(ROWS[1], doubtful=7)))
    assert editor.text() == "Half a na"
    assert tracks._items["b"].text(COUNTS) == "? 7"
    qtbot.keyClick(editor, Qt.Key.Key_Escape)


def test_return_ends_a_rename_though_the_window_binds_it(tracks, qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    action = QAction(window)
    action.setShortcuts([QKeySequence("Return"), QKeySequence("T"), QKeySequence("Escape")])
    window.addAction(action)
    window.setCentralWidget(tracks)
    window.show()
    qtbot.waitExposed(window)
    fired = []
    action.triggered.connect(lambda: fired.append(1))
    with qtbot.waitSignal(tracks.renamed) as got:
        rename(tracks, qtbot, "b", "T wire")
    assert got.args == ["b", "T wire"] and not fired
    window.takeCentralWidget()


def test_clicking_a_track_picks_it_and_shows_its_kind(tracks, qtbot):
    area = tracks._list.visualItemRect(tracks._items["b"])
    with qtbot.waitSignal(tracks.track_picked) as got:
        qtbot.mouseClick(tracks._list.viewport(), Qt.MouseButton.LeftButton, pos=area.center())
    assert got.args == ["b"]
    assert tracks._kind.currentText() == "guidewire tip"
    with qtbot.waitSignal(tracks.kind_picked) as got:
        tracks._kind.setFocus()
        qtbot.keyClick(tracks._kind, Qt.Key.Key_Down)
    assert got.args == ["b", "other"]


def test_the_eye_asks_to_hide_and_does_not_touch_the_selection(tracks, qtbot):
    area = tracks._list.visualItemRect(tracks._items["a"])
    area.setWidth(16)
    with qtbot.waitSignal(tracks.visibility_changed) as got:
        qtbot.mouseClick(tracks._list.viewport(), Qt.MouseButton.LeftButton, pos=area.center())
    assert got.args == ["a", False]
    assert tracks.selected == "a"


def test_new_counts_keep_the_selection_and_tell_nothing(tracks, qtbot):
    with qtbot.assertNotEmitted(tracks.track_picked), qtbot.assertNotEmitted(tracks.renamed):
        tracks.set_tracks((*ROWS, TrackRow("c", "Marker", "other", "#4cc9f0")))
        tracks.set_theme(LIGHT)
        assert tracks.selected == "a"
        tracks.set_tracks(ROWS[1:])
        assert tracks.selected is None
        tracks.set_tracks(())
    assert not tracks._kind.isEnabled()


def test_buttons_ask_for_their_commands_and_show_their_keys(tracks, qtbot):
    tracks.set_shortcuts({"mark_occluded": "X", "clear_span": "Shift+Delete"})
    with qtbot.waitSignal(tracks.command_requested) as got:
        qtbot.mouseClick(tracks._buttons["mark_occluded"], Qt.MouseButton.LeftButton)
    assert got.args == ["mark_occluded"]
    assert tracks._buttons["mark_occluded"].toolTip().endswith("(X)")
    assert tracks._buttons["clear_span"].toolTip().endswith("(Shift+Delete)")
    tracks.set_usable({"new_track"})
    assert [c for c, b in tracks._buttons.items() if b.isEnabled()] == ["new_track"]


def test_tracking_shows_progress_with_a_way_to_stop(tracks, qtbot):
    assert tracks._progress not in visible(tracks)
    tracks.set_progress(3, 10)
    assert tracks._progress in visible(tracks)
    with qtbot.waitSignal(tracks.command_requested) as got:
        qtbot.mouseClick(tracks._buttons["cancel_tracking"], Qt.MouseButton.LeftButton)
    assert got.args == ["cancel_tracking"]
    tracks.set_progress(10, 10)
    assert tracks._progress not in visible(tracks)


def test_denoise_modes_exclude_each_other_and_are_told_when_clicked(qtbot):
    panel = DenoisePanel()
    qtbot.addWidget(panel)
    with qtbot.assertNotEmitted(panel.mode_picked):
        panel.set_mode(ViewMode.DENOISED)
    with qtbot.waitSignal(panel.mode_picked) as got:
        qtbot.mouseClick(panel._buttons[ViewMode.WIPE], Qt.MouseButton.LeftButton)
    assert got.args[0] is ViewMode.WIPE
    assert [m for m, b in panel._buttons.items() if b.isChecked()] == [ViewMode.WIPE]


def test_strength_is_told_when_the_user_moves_it_only(qtbot):
    panel = DenoisePanel()
    qtbot.addWidget(panel)
    with qtbot.assertNotEmitted(panel.strength_changed):
        panel.set_strength(0.4)
    assert panel._percent.text() == "40 %"
    with qtbot.waitSignal(panel.strength_changed) as got:
        qtbot.keyClick(panel._slider, Qt.Key.Key_Right)
    assert got.args == [pytest.approx(0.41)]
    assert panel._percent.text() == "41 %"


def test_what_must_be_known_of_a_run_stands_in_place_of_the_device_and_moves_nothing(qtbot):
    panel = DenoisePanel()
    qtbot.addWidget(panel)
    panel.set_device("CPU")
    height = panel.sizeHint().height()
    panel.set_note("Nothing to remove: the noise of this run is too weak to be seen.")
    assert panel._note.text().startswith("Nothing to remove")
    assert panel.sizeHint().height() == height
    panel.set_note("")
    assert panel._note.text() == "CPU"


def test_only_usable_modes_can_be_picked_and_denoising_can_be_stopped(qtbot):
    panel = DenoisePanel()
    qtbot.addWidget(panel)
    panel.set_usable(())
    assert not panel._buttons[ViewMode.WIPE].isEnabled()
    assert not panel._slider.isEnabled()
    panel.set_usable({"show_wipe", "show_denoised", "cancel_denoising"})
    assert panel._buttons[ViewMode.WIPE].isEnabled()
    panel.set_progress(2, 5)
    with qtbot.waitSignal(panel.cancel_requested):
        qtbot.mouseClick(panel._cancel, Qt.MouseButton.LeftButton)
    panel.set_progress(5, 5)
    assert panel._progress not in visible(panel)


def test_play_bar_commands_speed_and_read_out(qtbot):
    bar = PlayBar(SPEEDS)
    qtbot.addWidget(bar)
    bar.set_usable(())
    assert not bar._buttons["toggle_play"].isEnabled()
    bar.set_usable({"toggle_play", "step_forward"})
    assert bar._buttons["toggle_play"].isEnabled()
    bar.set_frame_count(120)
    bar.set_position(37, 2467.9)
    assert bar._position.text() == "Frame 38 / 120   2.468 s"
    with qtbot.waitSignal(bar.command_requested) as got:
        qtbot.mouseClick(bar._buttons["step_forward"], Qt.MouseButton.LeftButton)
    assert got.args == ["step_forward"]
    told = []
    bar.speed_picked.connect(told.append)
    for speed in SPEEDS:
        bar.set_speed(speed)
        assert bar._speed.currentData() == speed
    assert told == []
    qtbot.keyClick(bar._speed, Qt.Key.Key_Up)
    assert told == [1.0]
    bar.set_shown_rate(14.94, 15.0, 0.624)
    assert bar._rate.text() == "14.9 fps shown · run 15 fps · 62% denoised"
    bar.set_shown_rate(14.94, 15.0)
    assert bar._rate.text() == "14.9 fps shown · run 15 fps"


def test_play_bar_says_what_play_and_repeat_would_do(qtbot):
    bar = PlayBar(SPEEDS)
    qtbot.addWidget(bar)
    bar.set_shortcuts({"toggle_play": "Space"})
    bar.set_playing(True)
    assert bar._buttons["toggle_play"].toolTip() == "Pause (Space)"
    bar.set_playing(False)
    assert bar._buttons["toggle_play"].accessibleName() == "Play"
    seen = set()
    for repeat in REPEATS:
        bar.set_repeat(repeat)
        seen.add(bar._buttons["cycle_repeat"].toolTip())
    assert len(seen) == 3


@pytest.mark.parametrize("make", [lambda: PlayBar(SPEEDS), DenoisePanel, lambda: TrackPanel(KINDS)])
def test_buttons_leave_the_keys_to_the_window_and_have_names(qtbot, make):
    panel = make()
    qtbot.addWidget(panel)
    for button in panel.findChildren(QToolButton):
        assert button.focusPolicy() is Qt.FocusPolicy.NoFocus
        assert button.accessibleName() and button.toolTip()
    if not isinstance(panel, PlayBar):
        assert panel.minimumSizeHint().width() <= 280
