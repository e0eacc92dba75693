"""The window's own shape."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication


def widths(window):
    return [panel.width() for panel in window.panels[:3]]


def test_the_panels_are_as_wide_after_full_screen_as_before(qtbot, make_window):
    window = make_window()
    QCoreApplication.processEvents()  # what stands in a tab asks for its room once it is shown
    before = widths(window)
    for _ in range(2):
        window.commander.do("toggle_full_screen")
        qtbot.waitUntil(lambda: window.isFullScreen() and not window.panels[0].isVisible())
        window.commander.do("toggle_full_screen")
        window.resize(1200, 800)  # the window manager gives the size back later than the panels
        qtbot.waitUntil(lambda: widths(window) == before)
        assert all(panel.isVisibleTo(window) for panel in window.panels[:3])


def test_panels_that_were_hidden_stay_hidden_after_full_screen(qtbot, make_window):
    window = make_window()
    window.commander.do("toggle_panels")
    window.commander.do("toggle_full_screen")
    window.commander.do("toggle_full_screen")
    window.resize(1200, 800)
    qtbot.waitUntil(lambda: window.width() == 1200)
    qtbot.wait(10)
    assert not any(panel.isVisible() for panel in window.panels)
    assert window.menuBar().isVisible() and window.tool_bar.isVisible()
