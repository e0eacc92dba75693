"""The chosen vessel: what was measured of it, and the plot of its diameter."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from gettext import gettext as tr

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from widgets.command_grid import CommandGrid
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
        self._grid = CommandGrid(BUTTONS)
        self._grid.command_requested.connect(self.command_requested)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 6)
        column.setSpacing(4)
        column.addWidget(self._words)
        column.addWidget(self.plot, 1)
        column.addWidget(self._grid)
        self.set_vessel((), None)

    def set_vessel(self, lines: Sequence[str], curve: VesselCurve | None) -> None:
        """Show what is said of a vessel, and its diameters; without them say how to get some."""
        self._words.setText("\n".join(lines) if curve is not None else tr(HINT))
        self.plot.set_curve(curve)

    def set_usable(self, commands: Collection[str]) -> None:
        """Enable the buttons of these commands and disable the others."""
        self._grid.set_usable(commands)

    def set_shortcuts(self, keys: Mapping[str, str]) -> None:
        """Write the keys of the commands (command name to key) on the buttons."""
        self._grid.set_shortcuts(keys)

    def set_theme(self, theme: Theme = DARK) -> None:
        """Draw in the colours of ``theme``."""
        self.plot.set_theme(theme)
        self._grid.set_theme(theme)
