"""Actions, menus and key bindings of a window, all from the one table of commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow

from app.window.commands import COMMANDS, Command
from widgets.dialogs.shortcuts_page import ShortcutRow
from widgets.icons import icon
from widgets.theme import Theme


def make_actions(
    window: QMainWindow, receivers: Mapping[str, Callable[..., object]]
) -> dict[str, QAction]:
    """Fill the menu bar and bind the keys.

    Parameters
    ----------
    receivers : mapping
        What each command does, by name; a checkable command is called with its new state.

    Raises
    ------
    KeyError
        If a command has no receiver.
    """
    actions: dict[str, QAction] = {}
    menus = {name: window.menuBar().addMenu(name) for name in _menu_names()}
    for command in COMMANDS:
        action = _make_action(window, command, receivers[command.name])
        if command.separated:
            menus[command.menu].addSeparator()
        menus[command.menu].addAction(action)
        window.addAction(action)  # keys stay alive while the menu bar is hidden
        actions[command.name] = action
    return actions


def set_icons(actions: Mapping[str, QAction], theme: Theme) -> None:
    """Draw the icons in the colours of ``theme``."""
    for command in COMMANDS:
        if command.icon:
            actions[command.name].setIcon(icon(command.icon, theme))


def shown_keys() -> dict[str, str]:
    """Return the first key of each command as the platform writes it."""
    return {command.name: native(command.keys[0]) for command in COMMANDS if command.keys}


def shortcut_rows() -> tuple[ShortcutRow, ...]:
    """Return the help page's table."""
    return tuple(
        ShortcutRow(
            command.menu, command.text.rstrip("…"), "   ".join(native(key) for key in command.keys)
        )
        for command in COMMANDS
        if command.keys
    )


def native(key: str) -> str:
    """Return a key sequence as the platform writes it."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


def _make_action(window: QMainWindow, command: Command, receiver: Callable[..., object]) -> QAction:
    action = QAction(command.text, window)
    action.setShortcuts([QKeySequence(key) for key in command.keys])
    action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
    action.setCheckable(command.checkable)
    action.setChecked(command.starts_on)
    if command.checkable:
        action.triggered.connect(receiver)
    else:
        action.triggered.connect(partial(_call_without_state, receiver))
    hint = f" ({native(command.keys[0])})" if command.keys else ""
    action.setToolTip(command.text.rstrip("…") + hint)
    return action


def _call_without_state(receiver: Callable[..., object], _checked: bool = False) -> None:
    receiver()


def _menu_names() -> list[str]:
    return list(dict.fromkeys(command.menu for command in COMMANDS))
