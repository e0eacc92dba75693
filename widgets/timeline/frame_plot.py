"""A small plot over the time of the run, with the playhead: the ground of ECG and motion plots."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QGraphicsItem, QWidget

from widgets.theme import DARK, Theme
from widgets.timeline.frame_axis import cell_edges

LEFT_TICK_DENSITY = 0.6
"""These plots are low: fewer labels than pyqtgraph would write."""


class _PlaceAxis(pg.AxisItem):
    unit = " s"

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{value:.6g}{self.unit}" for value in values]


class FramePlot(pg.PlotWidget):
    """A plot over time in s, or over the phase of the heart; it neither zooms nor pans.

    Signals
    -------
    frame_requested(int) : a click or drag asks for the frame at that time.
    """

    frame_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._place_axis = _PlaceAxis("bottom")
        super().__init__(parent, axisItems={"bottom": self._place_axis})
        self._places = np.zeros(1)
        self._frame = 0
        self._playhead = pg.InfiniteLine(0.0, angle=90)
        self._playhead.setZValue(10)
        self.addItem(self._playhead, ignoreBounds=True)
        self.setMouseEnabled(False, False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.getAxis("left").setTickDensity(LEFT_TICK_DENSITY)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.set_theme(DARK)

    def set_frames(self, times_ms: NDArray[np.float64]) -> None:
        """Span the axis over these frame times (T,)."""
        self._places = np.asarray(times_ms, dtype=np.float64) / 1000.0
        edges = cell_edges(self._places)
        self._span(float(edges[0]), float(edges[-1]), " s")
        self.set_frame(0)

    def set_phases(self, phases: NDArray[np.float64]) -> None:
        """Lay the beats over each other: phases (T,), 0 to 1, in place of the times."""
        self._places = np.asarray(phases, dtype=np.float64)
        self._span(0.0, 1.0, "")
        self.set_frame(self._frame)

    def _span(self, first: float, last: float, unit: str) -> None:
        self._place_axis.unit = unit
        self.setXRange(first, last, padding=0)

    def set_frame(self, index: int) -> None:
        """Move the playhead; curves that were added with `add_curve` are not drawn again."""
        self._frame = index
        self._playhead.setValue(self._places[index])

    @property
    def frame(self) -> int:
        """Where the playhead is."""
        return self._frame

    def add_curve(self, curve: pg.PlotCurveItem) -> None:
        """Add a curve that is kept as a picture, so that the playhead passes over it cheaply."""
        curve.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self.addItem(curve)

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self.setBackground(theme.panel)
        self._playhead.setPen(pg.mkPen(theme.text, width=1))
        for name in ("left", "bottom"):
            self.getAxis(name).setStyle(hideOverlappingLabels=True)
            self.getAxis(name).setPen(pg.mkPen(theme.border))
            self.getAxis(name).setTextPen(pg.mkPen(theme.muted))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame under the mouse."""
        self._request(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the playhead."""
        self._request(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Keep the plot from seeing half a click."""
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to whoever scrolls around the plot."""
        event.ignore()

    def _frame_at(self, place: float) -> int:
        """Return the frame at a place; where several beats lie there, that of the nearest beat."""
        away = np.abs(self._places - place)
        step = np.median(np.abs(np.diff(self._places))) if len(self._places) > 1 else 0.0
        if (np.diff(self._places) > 0).all():
            return int(away.argmin())
        near = np.flatnonzero(away <= away.min() + 0.5 * step)
        return int(near[np.abs(near - self._frame).argmin()])

    def _request(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            scene = self.mapToScene(event.position().toPoint())
            place = float(self.getPlotItem().getViewBox().mapSceneToView(scene).x())
            self.frame_requested.emit(self._frame_at(place))
        event.accept()
