"""Binds the table of commands to menus and keys, and keeps them true to what can be done now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from gettext import gettext as tr

from PySide6.QtCore import QKeyCombination, QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow

from app.window.command_table import COMMANDS
from app.window.commands import NEED_WORDS, Command, Need, fulfilled
from app.window.hands import Hands
from widgets.dialogs.shortcuts_page import ShortcutRow
from widgets.icons import icon
from widgets.theme import Theme
from widgets.translation import marked


class Commander(QObject):
    """The actions of one window.

    Attributes
    ----------
    actions : dict
        By the command's name.

    Signals
    -------
    usable_changed(object) : names (frozenset) of the commands that can be done now.
    """

    usable_changed = Signal(object)

    def __init__(self, window: QMainWindow, hands: Hands) -> None:
        super().__init__(window)
        self._hands = hands
        self._usable: frozenset[str] | None = None
        menus = {
            name: window.menuBar().addMenu(tr(name))
            for name in dict.fromkeys(command.menu for command in COMMANDS)
        }
        self.actions: dict[str, QAction] = {}
        for command in COMMANDS:
            action = self._make_action(window, command)
            if command.separated:
                menus[command.menu].addSeparator()
            menus[command.menu].addAction(action)
            window.addAction(action)  # keys stay alive while the menu bar is hidden
            self.actions[command.name] = action
        session = hands.session
        for changed in (
            session.run_changed,
            session.reviewed_changed,
            session.labelling.labels_changed,
            session.labelling.locked_changed,
            session.measuring.changed,
            session.heart.changed,
            session.enhancing.changed,
            session.tools.changed,
            session.look.changed,
            session.settings.changed,
            session.places.changed,
            hands.frame.changed,
        ):
            changed.connect(self.refresh)

    def do(self, name: str) -> None:
        """Do a command, where it can be done now."""
        self.actions[name].trigger()

    def say_why_not(self, keys: QKeyCombination) -> bool:
        """Say what a command needs that these keys stand for but cannot be done now.

        Qt hands keys on as if they were nobody's where their action is disabled. Returns False
        where they are nobody's.
        """
        pressed, there = QKeySequence(keys), fulfilled(self._hands)
        for command in COMMANDS:
            if command.need not in there and pressed in self.actions[command.name].shortcuts():
                need = Need.RUN if Need.RUN not in there else command.need
                self._hands.session.said.emit(tr(NEED_WORDS[need]))
                return True
        return False

    def set_theme(self, theme: Theme) -> None:
        """Draw the icons in the colours of ``theme``."""
        for command in COMMANDS:
            if command.icon:
                self.actions[command.name].setIcon(icon(command.icon, theme))

    def refresh(self) -> None:
        """Show what can be done, and what is on."""
        there = fulfilled(self._hands)
        for command in COMMANDS:
            action = self.actions[command.name]
            action.setEnabled(command.need in there)
            if command.is_on is not None:
                action.setChecked(command.is_on(self._hands))
            if command.says is not None:
                action.setText(command.says(self._hands))
        usable = frozenset(command.name for command in COMMANDS if command.need in there)
        if usable != self._usable:
            self._usable = usable
            self.usable_changed.emit(usable)

    def _make_action(self, window: QMainWindow, command: Command) -> QAction:
        action = QAction(tr(command.text), window)
        action.setShortcuts([QKeySequence(key) for key in command.keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setCheckable(command.is_on is not None)
        action.triggered.connect(partial(self._do, command.does, action, command.is_on))
        hint = f" ({native(command.keys[0])})" if command.keys else ""
        action.setToolTip(tr(command.text).rstrip("…") + hint)
        return action

    def _do(
        self,
        does: Callable[[Hands], object],
        action: QAction,
        is_on: Callable[[Hands], bool] | None,
        _checked: bool = False,
    ) -> None:
        does(self._hands)
        if is_on is not None:  # Qt has ticked it by itself; the mask, say, is not read yet
            action.setChecked(is_on(self._hands))


def shown_keys() -> dict[str, str]:
    """Return the first key of each command as the platform writes it."""
    return {command.name: native(command.keys[0]) for command in COMMANDS if command.keys}


MOUSE = (
    marked("Mouse"),
    (
        (marked("Do what the chosen tool does (review)"), marked("drag")),
        (marked("Choose a measure or a track (review)"), marked("click")),
        (marked("Full screen; write on a measure (review)"), marked("double click")),
        (marked("Place the tip, or pick a track (label)"), marked("click")),
        (marked("Place the tip, and say that it is occluded (label)"), marked("Shift + click")),
        (marked("Move the tip of the chosen track (label)"), marked("drag it")),
        (marked("End a polyline or a vessel"), marked("double click, or Return")),
        (marked("Analyse a vessel from end to end (tool Vessel)"), marked("drag along it")),
        (marked("Correct a vessel's edge, centre line or points"), marked("drag it")),
        (marked("Window: contrast across, brightness down"), marked("right drag")),
        (marked("Move the picture"), marked("middle drag")),
        (marked("Step through the frames"), marked("wheel")),
        (marked("Zoom at the mouse"), marked("Ctrl + wheel, or pinch")),
        (marked("Loupe while it is held"), "L"),
        (marked("Mark a span of frames"), marked("Shift + drag on the timeline")),
    ),
)
"""What the mouse does, for the help page; and the loupe, which is no command."""


def shortcut_rows() -> tuple[ShortcutRow, ...]:
    """Return the help page's table."""
    title, moves = MOUSE
    mouse = tuple(ShortcutRow(tr(title), tr(what), tr(how)) for what, how in moves)
    return mouse + tuple(
        ShortcutRow(
            tr(command.menu),
            tr(command.text).rstrip("…"),
            "   ".join(native(key) for key in command.keys),
        )
        for command in COMMANDS
        if command.keys
    )


def native(key: str) -> str:
    """Return a key sequence as the platform writes it."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
