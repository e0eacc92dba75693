"""The chosen vessel: what was measured of it, and the plot of its diameter."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from gettext import gettext as tr

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from widgets.command_button import CommandButton
from widgets.panels.vessel_plot import VesselCurve, VesselPlot
from widgets.theme import DARK, Theme
from widgets.translation import marked

BUTTONS = (
    (
        "tool_vessel",
        marked("Analyse a vessel: click along it, end by Return; or drag from end to end"),
        "pipe",
        marked("Vessel"),
    ),
    (
        "export_profile",
        marked("Save the diameters along the chosen vessel as CSV"),
        "export-variant",
        marked("Profile"),
    ),
)
"""Command, meaning, icon, short text."""
HINT = marked(
    "Take the tool Vessel, click along a vessel and end by Return, or drag from one end of it to "
    "the other. Drag edges and points to correct it."
)


class VesselPanel(QWidget):
    """Shows one vessel.

    Attributes
    ----------
    plot : VesselPlot

    Signals
    -------
    command_requested(str) : name of a command.
    """

    command_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = QLabel()
        self._words.setWordWrap(True)
        self.plot = VesselPlot()
        self._buttons = [
            CommandButton(name, tr(hint), symbol, tr(text)) for name, hint, symbol, text in BUTTONS
        ]
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in self._buttons:
            button.clicked.connect(self._request)
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 6)
        column.setSpacing(4)
        column.addWidget(self._words)
        column.addWidget(self.plot, 1)
        column.addLayout(row)
        self.set_vessel((), None)

    def set_vessel(self, lines: Sequence[str], curve: VesselCurve | None) -> None:
        """Show what is said of a vessel, and its diameters; without them say how to get some."""
        self._words.setText("\n".join(lines) if curve is not None else tr(HINT))
        self.plot.set_curve(curve)

    def set_usable(self, commands: Collection[str]) -> None:
        """Offer these commands."""
        for button in self._buttons:
            button.setEnabled(button.command in commands)

    def set_shortcuts(self, keys: Mapping[str, str]) -> None:
        """Say the keys in the buttons' hints."""
        for button in self._buttons:
            button.set_key(keys.get(button.command, ""))

    def set_theme(self, theme: Theme = DARK) -> None:
        """Draw in the colours of ``theme``."""
        self.plot.set_theme(theme)
        for button in self._buttons:
            button.set_theme(theme)

    def _request(self) -> None:
        button = self.sender()
        assert isinstance(button, CommandButton)
        self.command_requested.emit(button.command)
