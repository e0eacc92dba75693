"""How far and how fast the tracked points move, and how sure the tracker is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as tr

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from widgets.theme import DARK, Theme
from widgets.timeline.frame_plot import FramePlot

AXIS_WIDTH = 40
HEADROOM = 0.35
"""Room above the curves for the title, as a part of their height."""
THREE_FROM_LINES = 13
"""Height in lines of text from which three plots can be read; in less the speed gives way."""


@dataclass(frozen=True, slots=True, eq=False)
class MotionCurve:
    """The motion of one track; NaN where it has no point or nothing is known.

    Attributes
    ----------
    displacement : ndarray, shape (T,)
        Distance from the first point, px or mm.
    speed : ndarray, shape (T,)
        The same unit a second.
    confidence : ndarray, shape (T,)
        0..1.
    """

    track_id: str
    name: str
    color: str
    displacement: NDArray[np.float64]
    speed: NDArray[np.float64]
    confidence: NDArray[np.float64]


class MotionPlot(QWidget):
    """Displacement, speed and confidence of the tracks, one under the other on one time axis.

    Signals
    -------
    frame_requested(int) : a click or drag asks for the frame at that time.
    """

    frame_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unit = "px"
        self._times_ms = np.zeros(1)
        self._phases: NDArray[np.float64] | None = None
        self._shown: tuple[MotionCurve, ...] = ()
        self._displacement = FramePlot()
        self._speed = FramePlot()
        self._confidence = FramePlot()
        self._curves: list[tuple[FramePlot, pg.PlotCurveItem]] = []
        self._threshold = pg.InfiniteLine(0.5, angle=0)
        self._confidence.addItem(self._threshold, ignoreBounds=True)
        self._confidence.setYRange(-0.2, 1.0 + HEADROOM, padding=0)
        self._confidence.getAxis("left").setTicks([[(0.0, "0"), (0.5, "0.5"), (1.0, "1")]])
        self._titles: list[pg.LabelItem] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        for plot, stretch in zip(self._plots, (4, 4, 5), strict=True):
            plot.frame_requested.connect(self.frame_requested)
            plot.getAxis("left").setWidth(AXIS_WIDTH)
            plot.getAxis("left").enableAutoSIPrefix(False)
            if plot is not self._confidence:
                plot.hideAxis("bottom")
            title = pg.LabelItem(justify="left")
            title.setParentItem(plot.getPlotItem().getViewBox())
            self._titles.append(title)
            layout.addWidget(plot, stretch)
        bottom = self._confidence.getAxis("bottom")
        bottom.enableAutoSIPrefix(False)
        bottom.setHeight(self.fontMetrics().height() + 6)
        self.setMinimumHeight(7 * self.fontMetrics().height())
        self.setAccessibleName(tr("Motion plots"))
        self.set_theme(DARK)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the speed out where three plots would be too low to read."""
        super().resizeEvent(event)
        lines = event.size().height() / self.fontMetrics().height()
        self._speed.setVisible(lines >= THREE_FROM_LINES)

    @property
    def _plots(self) -> tuple[FramePlot, FramePlot, FramePlot]:
        return self._displacement, self._speed, self._confidence

    @property
    def curves(self) -> list[pg.PlotCurveItem]:
        """All curves drawn: displacement, speed and confidence of each track in turn."""
        return [curve for _, curve in self._curves]

    def set_frames(self, times_ms: NDArray[np.float64]) -> None:
        """Show another run by its frame times (T,); the curves are emptied."""
        self._times_ms = np.asarray(times_ms, dtype=np.float64)
        self._phases = None
        for plot in self._plots:
            plot.set_frames(times_ms)
        self.set_curves(())

    def set_phases(self, phases: NDArray[np.float64] | None) -> None:
        """Lay the beats over each other, by phases (T,) of 0 to 1; None goes back to the time."""
        if phases is None and self._phases is None:
            return
        self._phases = phases
        for plot in self._plots:
            if phases is None:
                frame = plot.frame
                plot.set_frames(self._times_ms)
                plot.set_frame(frame)
            else:
                plot.set_phases(phases)
        self.set_curves(self._shown, self._unit)

    def set_frame(self, index: int) -> None:
        """Move the playhead."""
        for plot in self._plots:
            plot.set_frame(index)

    def set_doubt_threshold(self, confidence: float) -> None:
        """Draw the line below which a point is doubtful."""
        self._threshold.setValue(confidence)

    def set_curves(self, curves: Sequence[MotionCurve], unit: str = "px") -> None:
        """Show these tracks; lengths are in ``unit``, written on the plots."""
        self._shown = tuple(curves)
        for plot, item in self._curves:
            plot.removeItem(item)
        self._curves = [
            (plot, self._draw(plot, curve.color, values))
            for curve in curves
            for plot, values in zip(
                self._plots, (curve.displacement, curve.speed, curve.confidence), strict=True
            )
        ]
        for plot in (self._displacement, self._speed):
            tops = [np.nanmax(c.yData, initial=0.0) for p, c in self._curves if p is plot]
            top = max([*tops, 1.0])
            plot.setYRange(-0.08 * top, (1.0 + HEADROOM) * top, padding=0)
        self._unit = unit
        self._write_titles()

    def _draw(self, plot: FramePlot, color: str, values: NDArray[np.float64]) -> pg.PlotCurveItem:
        places, values = self._times_ms / 1000.0, np.asarray(values, dtype=np.float64)
        if self._phases is not None:  # a beat ends where the next one begins
            ends = np.flatnonzero(np.diff(self._phases) < 0) + 1
            places = np.insert(self._phases, ends, np.nan)
            values = np.insert(values, ends, np.nan)
        curve = pg.PlotCurveItem(
            places,
            values,
            connect="finite",
            pen=pg.mkPen(color, width=1),
            antialias=True,
        )
        plot.add_curve(curve)
        return curve

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._theme = theme
        for plot in self._plots:
            plot.set_theme(theme)
        self._threshold.setPen(pg.mkPen(theme.error, style=Qt.PenStyle.DashLine))
        self._write_titles()

    def _write_titles(self) -> None:
        texts = (
            tr("Displacement, {unit}").format(unit=self._unit),
            tr("Speed, {unit}/s").format(unit=self._unit),
            tr("Confidence"),
        )
        for title, text in zip(self._titles, texts, strict=True):
            title.setText(text, color=self._theme.muted, size="8pt")
