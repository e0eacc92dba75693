"""The panels at both sides of the window: which there are, and which share a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from gettext import gettext as tr
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget

from widgets.translation import marked


class Panel(IntEnum):
    """The panels, in the order of `MainWindow.panels`."""

    RUNS = 0
    TRACKS = 1
    DENOISE = 2
    MOTION = 3
    MEASURES = 4
    KEY_IMAGES = 5
    SUBTRACTION = 6
    VESSEL = 7


NAMES = {
    Panel.RUNS: ("Runs", marked("Runs")),
    Panel.TRACKS: ("Tracks", marked("Tracks")),
    Panel.DENOISE: ("Denoise", marked("Denoise")),
    Panel.MOTION: ("Motion", marked("Motion")),
    Panel.MEASURES: ("Measures", marked("Measures")),
    Panel.KEY_IMAGES: ("KeyImages", marked("Key images")),
    Panel.SUBTRACTION: ("Subtraction", marked("Subtract")),
    Panel.VESSEL: ("Vessel", marked("Vessel")),
}
"""What a kept layout knows a panel by, and its title."""
SHARED = (
    (Panel.TRACKS, Panel.MEASURES, Panel.VESSEL),
    (Panel.DENOISE, Panel.SUBTRACTION),
    (Panel.MOTION, Panel.KEY_IMAGES),
)
"""Panels that stand behind each other, the first in front."""
SHARED_ON_LOW_SCREENS = (
    (Panel.TRACKS, Panel.MEASURES, Panel.VESSEL, Panel.SUBTRACTION),
    (Panel.DENOISE, Panel.MOTION, Panel.KEY_IMAGES),
)
LOW_SCREEN = 840
"""On screens of less height all panels at the right share two places."""
SIDE_WIDTH = 274
RUNS_SHARE = 6
"""The run list has this part of the window at most: on small screens the picture needs it."""


def make_panels(window: QMainWindow, widgets: Mapping[Panel, QWidget]) -> tuple[QDockWidget, ...]:
    """Put widgets into panels at the sides of a window."""
    panels = tuple(_dock(window, panel, widgets[panel]) for panel in Panel)
    window.setAnimated(False)  # nothing moves by itself
    window.setTabPosition(Qt.DockWidgetArea.RightDockWidgetArea, QTabWidget.TabPosition.North)
    low = window.screen().availableGeometry().height() < LOW_SCREEN
    for group in SHARED_ON_LOW_SCREENS if low else SHARED:
        for before, panel in pairwise(group):
            window.tabifyDockWidget(panels[before], panels[panel])
        for panel in group:  # the tab names it
            panels[panel].setTitleBarWidget(QWidget())
        panels[group[0]].raise_()
    return panels


def give_room(window: QMainWindow, panels: Sequence[QDockWidget]) -> None:
    """Give the panels their width."""
    runs = min(SIDE_WIDTH - 30, window.width() // RUNS_SHARE)
    sides = [panels[Panel.RUNS], panels[Panel.TRACKS]]
    window.resizeDocks(sides, [runs, SIDE_WIDTH], Qt.Orientation.Horizontal)


def _dock(window: QMainWindow, panel: Panel, widget: QWidget) -> QDockWidget:
    name, title = NAMES[panel]
    dock = QDockWidget(tr(title), window)
    dock.setObjectName(name)
    dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetMovable)
    dock.setWidget(widget)
    left = panel is Panel.RUNS
    area = Qt.DockWidgetArea.LeftDockWidgetArea if left else Qt.DockWidgetArea.RightDockWidgetArea
    window.addDockWidget(area, dock)
    return dock
