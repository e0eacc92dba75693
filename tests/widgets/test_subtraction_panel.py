"""The subtraction panel asks for commands and shows what is on."""

import pytest
from PySide6.QtCore import Qt

from widgets.panels.subtraction_panel import STOP, SubtractionPanel
from widgets.theme import LIGHT

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(qtbot):
    panel = SubtractionPanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


def test_each_button_asks_for_its_command_and_waits_for_the_answer(qtbot, panel):
    for command in panel.commands:
        button = panel._buttons[command]
        with qtbot.waitSignal(panel.command_requested) as asked:
            qtbot.mouseClick(button, LEFT)
        assert asked.args == [command]
        assert not button.isChecked()  # the session has not said so


def test_what_is_on_is_shown(panel):
    panel.set_on({"toggle_subtraction", "register_shift", "peak_time"})
    on = [command for command in panel.commands if panel._buttons[command].isChecked()]
    assert on == ["toggle_subtraction", "register_shift", "peak_time"]
    panel.set_on({"peak_off"})
    assert not panel._buttons["toggle_subtraction"].isChecked()
    assert panel._buttons["peak_off"].isChecked()


def test_the_share_is_told_by_the_user_alone(qtbot, panel):
    told = []
    panel.landmarks_changed.connect(told.append)
    panel.set_landmarks(0.4)
    assert told == [] and panel._percent.text() == "40 %"
    panel._slider.setValue(55)
    assert told == [0.55]


def test_progress_comes_and_goes_without_moving_anything(qtbot, panel):
    assert not panel._progress.isVisible()
    before = panel.sizeHint()
    panel.set_progress(0.25)
    assert panel.sizeHint() == before
    assert panel._progress.isVisible() and panel._progress.value() == 25
    with qtbot.waitSignal(panel.command_requested) as asked:
        qtbot.mouseClick(panel._stop, LEFT)
    assert asked.args == [STOP]
    panel.set_progress(None)
    assert not panel._progress.isVisible() and panel.sizeHint() == before


def test_what_cannot_be_done_is_disabled(panel):
    panel.set_usable(frozenset())
    assert not any(button.isEnabled() for button in panel._buttons.values())
    assert not panel._slider.isEnabled() and not panel._stop.isEnabled()
    panel.set_usable(frozenset({"mask_here", "more_landmarks"}))
    assert panel._buttons["mask_here"].isEnabled() and panel._slider.isEnabled()
    assert not panel._buttons["mask_span"].isEnabled()


def test_tooltips_have_the_keys(panel):
    panel.set_theme(LIGHT)
    panel.set_shortcuts({"toggle_subtraction": "M"})
    assert panel._buttons["toggle_subtraction"].toolTip() == "Subtract the mask (DSA) (M)"
    assert panel._buttons["peak_time"].toolTip() == "When contrast was fullest, in colours"
