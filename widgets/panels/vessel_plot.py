"""The diameter along a vessel, with its lesion; tied to the picture by a cursor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from widgets.picture.vessel_overlay import LESION_COLOR
from widgets.theme import DARK, Theme

LESION_OPACITY = 0.22
HEADROOM = 1.12
"""Of the axis over the widest place."""
TICK_DENSITY = 0.6
"""The plot is low: fewer labels than pyqtgraph would write."""


@dataclass(frozen=True, slots=True, eq=False)
class VesselCurve:
    """Diameters along a vessel, in ``unit``; begin, narrowest and end are places of its lesion.

    Attributes
    ----------
    arc, diameter, reference : ndarray, shape (N,)
        Length along it, diameter, and that of the healthy vessel.
    """

    arc: NDArray[np.float64]
    diameter: NDArray[np.float64]
    reference: NDArray[np.float64]
    begin: int
    narrowest: int
    end: int
    unit: str


class VesselPlot(pg.PlotWidget):
    """Draws a `VesselCurve`; it neither zooms nor pans.

    Signals
    -------
    place_pointed(int) : the mouse is over this place of the vessel.
    place_picked(int) : a click on it.
    pointing_ended() : the mouse has left.
    """

    place_pointed = Signal(int)
    place_picked = Signal(int)
    pointing_ended = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curve: VesselCurve | None = None
        self._lesion = pg.LinearRegionItem(movable=False)
        self._diameter = pg.PlotCurveItem()
        self._reference = pg.PlotCurveItem()
        self._narrowest = pg.ScatterPlotItem(size=9)
        self._cursor = pg.InfiniteLine(0.0, angle=90)
        self._items = (self._lesion, self._reference, self._diameter, self._narrowest)
        for item in (*self._items, self._cursor):
            self.addItem(item, ignoreBounds=True)
            item.hide()
        self.setMouseEnabled(False, False)
        self.setMenuEnabled(False)
        self.hideButtons()
        for name in ("left", "bottom"):
            axis = self.getAxis(name)
            axis.setTickDensity(TICK_DENSITY)
            axis.enableAutoSIPrefix(False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumHeight(90)
        self.set_theme(DARK)

    def set_curve(self, curve: VesselCurve | None) -> None:
        """Show the diameters of a vessel; None empties the plot."""
        self._curve = curve
        self._cursor.hide()
        for item in self._items:
            item.setVisible(curve is not None)
        for name in ("left", "bottom"):
            self.getPlotItem().showAxis(name, curve is not None)
        if curve is None:
            return
        arc = curve.arc
        self._diameter.setData(arc, curve.diameter)
        self._reference.setData(arc, curve.reference)
        self._lesion.setRegion((arc[curve.begin], arc[curve.end]))
        self._narrowest.setData([arc[curve.narrowest]], [curve.diameter[curve.narrowest]])
        self.setXRange(float(arc[0]), float(arc[-1]), padding=0)
        widest = max(float(curve.diameter.max()), float(curve.reference.max()))
        self.setYRange(0.0, HEADROOM * widest, padding=0)
        self.getAxis("bottom").setLabel(curve.unit)
        self.getAxis("left").setLabel("⌀ " + curve.unit)

    def set_cursor(self, place: int | None) -> None:
        """Show where something points to; None where nothing does."""
        curve = self._curve
        self._cursor.setVisible(place is not None and curve is not None)
        if place is not None and curve is not None:
            self._cursor.setValue(float(curve.arc[place]))

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self.setBackground(theme.panel)
        lesion = QColor(LESION_COLOR)
        self._narrowest.setBrush(lesion)
        self._narrowest.setPen(pg.mkPen(theme.text, width=1))
        lesion.setAlphaF(LESION_OPACITY)
        self._lesion.setBrush(lesion)
        for line in self._lesion.lines:
            line.setPen(pg.mkPen(None))
        self._diameter.setPen(pg.mkPen(theme.accent, width=2))
        self._reference.setPen(pg.mkPen(theme.muted, width=1, style=Qt.PenStyle.DashLine))
        self._cursor.setPen(pg.mkPen(theme.text, width=1))
        for name in ("left", "bottom"):
            self.getAxis(name).setPen(pg.mkPen(theme.border))
            self.getAxis(name).setTextPen(pg.mkPen(theme.muted))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at the place under the mouse."""
        event.accept()
        place = self._place_at(event.position())
        if place is not None:
            self.set_cursor(place)
            self.place_pointed.emit(place)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Ask for the place under the mouse."""
        event.accept()
        place = self._place_at(event.position())
        if place is not None and event.button() is Qt.MouseButton.LeftButton:
            self.place_picked.emit(place)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Keep the plot from seeing half a click."""
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        """Point no more."""
        super().leaveEvent(event)
        self.set_cursor(None)
        self.pointing_ended.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to whoever scrolls around the plot."""
        event.ignore()

    def _place_at(self, position: QPointF) -> int | None:
        if self._curve is None:
            return None
        scene = self.mapToScene(position.toPoint())
        arc = float(self.getPlotItem().getViewBox().mapSceneToView(scene).x())
        return int(np.abs(self._curve.arc - arc).argmin())
