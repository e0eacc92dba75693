"""A small plot over the time of the run, with the playhead: the ground of ECG and motion plots."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QGraphicsItem, QWidget

from widgets.theme import DARK, Theme
from widgets.timeline.frame_axis import cell_edges, frame_at

LEFT_TICK_DENSITY = 0.6
"""These plots are low: fewer labels than pyqtgraph would write."""


class _SecondsAxis(pg.AxisItem):
    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{value:.6g} s" for value in values]


class FramePlot(pg.PlotWidget):
    """A plot whose x axis is time in s from the first frame; it neither zooms nor pans.

    Signals
    -------
    frame_requested(int) : a click or drag asks for the frame at that time.
    """

    frame_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, axisItems={"bottom": _SecondsAxis("bottom")})
        self._edges_s = np.array([0.0, 1.0])
        self._times_s = np.zeros(1)
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
        self._times_s = np.asarray(times_ms, dtype=np.float64) / 1000.0
        self._edges_s = cell_edges(self._times_s)
        self.setXRange(self._edges_s[0], self._edges_s[-1], padding=0)
        self.set_frame(0)

    def set_frame(self, index: int) -> None:
        """Move the playhead; curves that were added with `add_curve` are not drawn again."""
        self._playhead.setValue(self._times_s[index])

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

    def _request(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            scene = self.mapToScene(event.position().toPoint())
            time_s = self.getPlotItem().getViewBox().mapSceneToView(scene).x()
            self.frame_requested.emit(frame_at(self._edges_s, float(time_s)))
        event.accept()
