"""A button that stands for a command of the window and shows its key."""

from __future__ import annotations

from gettext import gettext as tr

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from widgets.icons import icon
from widgets.theme import DARK, Theme

KEY_GAP = 7
SHORT_KEYS = (("Ctrl+", "^"), ("Shift+", "⇧"), ("Delete", "Del"), ("Return", "⏎"))
"""What fits on a button; the tooltip has the key in full."""


class CommandButton(QToolButton):
    """Never takes the focus, so that space and arrows stay with the window.

    Parameters
    ----------
    command : str
        Name of the command, for whoever connects the button.
    description : str
        What it does, for the tooltip and for screen readers.
    icon_name : str
        Material Design icon.
    text : str
        Short text on the button; with "" it shows the icon alone.
    """

    def __init__(
        self,
        command: str,
        description: str,
        icon_name: str,
        text: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.command = command
        self._description = description
        self._icon_name = icon_name
        self._theme = DARK
        self._key = ""
        self.setText(text)
        if text:
            self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self.setProperty("role", "action")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAutoRaise(True)
        self.setAccessibleName(description)
        self.set_key("")
        self.set_theme(DARK)

    def set_icon_name(self, icon_name: str) -> None:
        """Show another icon."""
        self._icon_name = icon_name
        self.setIcon(icon(icon_name, self._theme))

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._theme = theme
        self.set_icon_name(self._icon_name)

    def set_description(self, description: str) -> None:
        """Say something else in the tooltip."""
        self._description = description
        self.setAccessibleName(description)
        self.set_key(self._key)

    def set_key(self, key: str) -> None:
        """Show ``key`` (as the platform writes it) in the tooltip, and beside a text."""
        self._short_key = key
        for long, short in SHORT_KEYS:
            self._short_key = self._short_key.replace(long, short)
        self._key = key
        tip = tr("{meaning} ({key})") if key else "{meaning}"
        self.setToolTip(tip.format(meaning=self._description, key=key))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for icon, text and key."""
        size = super().sizeHint()
        if self.text() and self._key:
            size.setWidth(
                size.width() + self.fontMetrics().horizontalAdvance(self._short_key) + KEY_GAP
            )
        return size

    def minimumSizeHint(self) -> QSize:
        """Return the same room: nothing is cut off."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the key right of the text, quieter."""
        super().paintEvent(event)
        if self.text() and self._key:
            painter = QPainter(self)
            painter.setPen(QColor(self._theme.muted if self.isEnabled() else self._theme.disabled))
            painter.drawText(
                self.rect().adjusted(0, 0, -KEY_GAP, 0),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                self._short_key,
            )
