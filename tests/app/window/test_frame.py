"""The window's own shape."""


def sizes(window):
    return [(panel.width(), panel.height()) for panel in window.panels[:3]]


def test_the_panels_have_their_sizes_again_after_full_screen(qtbot, make_window):
    window = make_window()
    before = sizes(window)
    for _ in range(2):
        window.commander.do("toggle_full_screen")
        qtbot.waitUntil(lambda: window.isFullScreen() and not window.panels[0].isVisible())
        window.commander.do("toggle_full_screen")
        window.resize(1200, 800)  # the window manager gives the size back later than the panels
        qtbot.waitUntil(lambda: sizes(window) == before)
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
