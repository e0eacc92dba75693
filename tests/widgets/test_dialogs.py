from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QPushButton,
    QTreeWidget,
    QWidget,
)

from widgets.dialogs.about_dialog import AboutDialog, ThirdParty
from widgets.dialogs.settings_dialog import DeviceChoice, SettingsDialog, SettingsValues
from widgets.dialogs.shortcuts_page import ShortcutRow, ShortcutsPage
from widgets.panels.notice_bar import Notice, NoticeBar, Severity
from widgets.theme import LIGHT

VALUES = SettingsValues("light", "cpu", 1200, "/labels", 20, 7.5, False, True, False, True)
DEVICES = (DeviceChoice("auto", "Automatic"), DeviceChoice("cpu", "CPU"))


@pytest.fixture
def settings(qtbot):
    def build(values=VALUES):
        dialog = SettingsDialog(values, DEVICES)
        qtbot.addWidget(dialog)
        dialog.open()
        return dialog

    return build


def press(qtbot, dialog, which):
    button = dialog.findChild(QDialogButtonBox).button(which)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("values", [VALUES, replace(VALUES, project_folder="", device="auto")])
def test_settings_come_back_as_they_went_in(settings, qtbot, values):
    dialog = settings(values)
    with qtbot.waitSignal(dialog.applied) as got:
        press(qtbot, dialog, QDialogButtonBox.StandardButton.Ok)
    assert got.args == [values]
    assert not dialog.isVisible()


def test_changed_settings_are_told_and_cancelled_ones_are_not(settings, qtbot):
    dialog = settings()
    dialog._trail.setValue(33)
    dialog._place.setCurrentIndex(0)
    with qtbot.waitSignal(dialog.applied) as got:
        press(qtbot, dialog, QDialogButtonBox.StandardButton.Ok)
    assert got.args == [replace(VALUES, trail_frames=33, project_folder="")]
    dialog = settings()
    dialog._trail.setValue(33)
    with qtbot.assertNotEmitted(dialog.applied):
        press(qtbot, dialog, QDialogButtonBox.StandardButton.Cancel)


def test_a_project_folder_must_be_named(settings, qtbot):
    dialog = settings(replace(VALUES, project_folder=""))
    ok = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)
    assert ok.isEnabled() and not dialog._folder.isEnabled()
    dialog._place.setCurrentIndex(1)
    assert not ok.isEnabled()
    qtbot.keyClicks(dialog._folder, "/data/labels")
    assert ok.isEnabled()
    assert dialog.values().project_folder == "/data/labels"
    dialog.reject()


def test_the_project_folder_can_be_browsed_for(settings, qtbot, tmp_path):
    dialog = settings()
    qtbot.mouseClick(dialog._browse, Qt.MouseButton.LeftButton)
    chooser = dialog.findChild(QFileDialog)
    chooser.fileSelected.emit(str(tmp_path))
    assert dialog.values().project_folder == str(tmp_path)
    chooser.reject()
    dialog.reject()


def test_shortcuts_are_found_by_action_group_and_key(qtbot):
    page = ShortcutsPage(
        [
            ShortcutRow("Play", "Play or pause", "Space"),
            ShortcutRow("Play", "Next frame", "Right"),
            ShortcutRow("Track", "Next track", "Tab"),
        ]
    )
    qtbot.addWidget(page)
    page.open()
    assert page.visible_actions() == ["Play or pause", "Next frame", "Next track"]
    for text, found in (
        ("next", ["Next frame", "Next track"]),
        ("NEXT track", ["Next track"]),
        ("space", ["Play or pause"]),
        ("play next", ["Next frame"]),
        ("nothing", []),
    ):
        page._search.clear()
        qtbot.keyClicks(page._search, text)
        assert page.visible_actions() == found
    page.reject()


def test_about_says_what_the_program_is_not(qtbot):
    dialog = AboutDialog(
        "Fluorotrace", "1.2.3", "Apache-2.0", [ThirdParty("numpy", "2", "BSD-3-Clause")]
    )
    qtbot.addWidget(dialog)
    dialog.open()
    text = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "not a medical device" in text and "1.2.3" in text and "Apache-2.0" in text
    item = dialog.findChild(QTreeWidget).topLevelItem(0)
    assert [item.text(i) for i in range(3)] == ["numpy", "2", "BSD-3-Clause"]
    dialog.reject()


def test_about_copies_what_a_report_needs(qtbot):
    dialog = AboutDialog("Fluorotrace", "1", "MIT", [], details=lambda: "versions and log")
    qtbot.addWidget(dialog)
    dialog.open()
    (copy,) = [b for b in dialog.findChildren(QPushButton) if b.text() == "Copy details"]
    qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "versions and log"
    dialog.reject()


@pytest.fixture
def notices(qtbot):
    host = QWidget()
    qtbot.addWidget(host)
    host.resize(800, 400)
    bar = NoticeBar(host)
    yield bar
    bar.clear()


def test_notices_queue_and_the_gravest_comes_first(notices, qtbot):
    assert notices.isHidden()
    info, warning, error = (
        Notice("Saved.", Severity.INFO),
        Notice("The file ends early.", Severity.WARNING),
        Notice("The file cannot be read.", Severity.ERROR),
    )
    for notice in (warning, info, error, warning):
        notices.show_notice(notice)
    order = []
    while notices.notice:
        order.append(notices.notice)
        assert notices._text.text() == notices.notice.text
        qtbot.mouseClick(notices._close, Qt.MouseButton.LeftButton)
    assert order == [error, warning, info]
    assert notices.isHidden()


def test_only_infos_go_by_themselves(notices, qtbot):
    notices._timer.setInterval(20)
    notices.show_notice(Notice("Careful.", Severity.WARNING))
    assert not notices._timer.isActive()
    notices.dismiss()
    notices.show_notice(Notice("Saved."))
    qtbot.waitUntil(notices.isHidden)


def test_the_action_is_told_once_and_takes_the_notice_away(notices, qtbot):
    notice = Notice("The run is only half read.", Severity.ERROR, "Show details", "details")
    notices.show_notice(notice)
    notices.set_theme(LIGHT)
    assert notices.accessibleDescription() == notice.text
    with qtbot.waitSignal(notices.action_requested) as got:
        qtbot.mouseClick(notices._action, Qt.MouseButton.LeftButton)
    assert got.args == [notice]
    assert notices.notice is None


def test_clicks_on_a_notice_reach_the_picture_below_and_its_buttons_work(qtbot):
    picture = QWidget()
    qtbot.addWidget(picture)
    picture.resize(800, 400)
    bar = NoticeBar(picture)
    picture.show()
    qtbot.waitExposed(picture)
    bar.show_notice(Notice("Careful.", Severity.WARNING))
    middle = bar.geometry().center()
    assert picture.childAt(middle) is None  # the picture itself gets it
    assert picture.childAt(bar._close.mapTo(picture, bar._close.rect().center())) is bar._close
