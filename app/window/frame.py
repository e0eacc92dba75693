"""The window's own shape: panels, full screen, theme, and how it was left."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QDockWidget, QMainWindow, QToolBar

from app.session.settings import SettingsKeeper

PANELS_VERSION = 3
"""A layout of other panels than there are now is not taken up."""


class WindowFrame(QObject):
    """What commands may do with the window itself.

    Signals
    -------
    changed() : full screen or the panels were switched.
    """

    changed = Signal()

    def __init__(
        self,
        window: QMainWindow,
        tool_bar: QToolBar,
        panels: Sequence[QDockWidget],
        settings: SettingsKeeper,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._tool_bar = tool_bar
        self._panels = panels
        self._settings = settings
        self._was_maximized = False  # before full screen
        self._size_before = window.size()
        self._layout_before: QByteArray | None = None  # of the panels, until they have it again
        window.installEventFilter(self)
        self.full_screen = False
        """True while the picture has the whole screen."""
        self.restored = False
        """True where the panels are as they were left."""
        self.panels_shown = True
        """Whether the panels on both sides are shown while it has not."""

    def close(self) -> None:
        """Close the window."""
        self._window.close()

    def change_theme(self) -> None:
        """Go from the dark to the light theme, and back."""
        dark = self._settings.now.theme != "light"
        self._settings.change(theme="light" if dark else "dark")

    def toggle_panels(self) -> None:
        """Show or hide the panels on both sides."""
        self.panels_shown = not self.panels_shown
        self._show_panels()
        self.changed.emit()

    def toggle_full_screen(self) -> None:
        """Give the whole screen to the picture, or take it back."""
        window = self._window
        self.full_screen = not self.full_screen
        if self.full_screen:
            self._was_maximized = window.isMaximized()
            if self._layout_before is None:
                self._size_before, self._layout_before = (
                    window.size(),
                    window.saveState(PANELS_VERSION),
                )
        for bar in (window.menuBar(), self._tool_bar):
            bar.setVisible(not self.full_screen)
        self._show_panels()
        if self.full_screen:
            window.showFullScreen()
        else:
            (window.showMaximized if self._was_maximized else window.showNormal)()
            self._restore_layout()
        self.changed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Lay the panels out as before full screen: the window gets its size back some time later.

        Qt squeezes panels that come back into a window of another size, for good.
        """
        if event.type() is QEvent.Type.Resize and self._layout_before is not None:
            QTimer.singleShot(0, self, self._restore_layout)
        return super().eventFilter(watched, event)

    def _restore_layout(self) -> None:
        if self._layout_before is None or self.full_screen:
            return
        self._window.restoreState(self._layout_before, PANELS_VERSION)
        self._show_panels()
        if self._window.size() == self._size_before:
            self._layout_before = None

    def restore(self) -> bool:
        """Take the size and the panels that it was left with; False where none are known."""
        now = self._settings.now
        geometry, layout = (
            QByteArray.fromBase64(text.encode())
            for text in (now.window_geometry, now.window_layout)
        )
        size = self._window.restoreGeometry(geometry)
        self.restored = size and self._window.restoreState(layout, PANELS_VERSION)
        return self.restored

    def remember(self) -> None:
        """Keep size and panels for the next start."""
        if not self.full_screen:
            self._settings.change(
                window_geometry=bytes(self._window.saveGeometry().toBase64().data()).decode(),
                window_layout=bytes(
                    self._window.saveState(PANELS_VERSION).toBase64().data()
                ).decode(),
            )

    def _show_panels(self) -> None:
        for panel in self._panels:
            panel.setVisible(self.panels_shown and not self.full_screen)
