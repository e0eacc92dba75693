"""Buttons of commands, two in a row, as panels have them below what they list."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from gettext import gettext as tr

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from widgets.command_button import CommandButton
from widgets.theme import Theme

COLUMNS = 2


class CommandGrid(QWidget):
    """A button for each command.

    Parameters
    ----------
    commands : sequence of (command, meaning, icon, short text)
        Meaning and text in English, translated here.
    spacing : int
        Between the buttons.

    Signals
    -------
    command_requested(str) : name of a command.
    """

    command_requested = Signal(str)

    def __init__(
        self,
        commands: Sequence[tuple[str, str, str, str]],
        spacing: int = 4,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._buttons: dict[str, CommandButton] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(spacing)
        for number, (command, meaning, icon_name, text) in enumerate(commands):
            button = CommandButton(command, tr(meaning), icon_name, tr(text))
            button.clicked.connect(self._request)
            self._buttons[command] = button
            grid.addWidget(button, number // COLUMNS, number % COLUMNS)

    def set_usable(self, commands: Collection[str]) -> None:
        """Enable the buttons of these commands and disable the others."""
        for command, button in self._buttons.items():
            button.setEnabled(command in commands)

    def set_shortcuts(self, keys: Mapping[str, str]) -> None:
        """Write the keys of the commands (command name to key) on the buttons."""
        for command, button in self._buttons.items():
            button.set_key(keys.get(command, ""))

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        for button in self._buttons.values():
            button.set_theme(theme)

    def _request(self) -> None:
        button = self.sender()
        assert isinstance(button, CommandButton)
        self.command_requested.emit(button.command)
