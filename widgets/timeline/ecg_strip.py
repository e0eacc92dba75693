"""The ECG under the cine: the lead, its R waves and the playhead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from widgets.theme import DARK, Theme
from widgets.timeline.frame_plot import FramePlot
from widgets.timeline.timeline import GUTTER_LEFT, GUTTER_RIGHT

HEIGHT_LINES = 4


class EcgStrip(QWidget):
    """One ECG lead in the time of the run; hidden while there is none.

    Its time axis lies under that of the `Timeline` where both have the same left and width.

    Signals
    -------
    frame_requested(int) : a click or drag asks for the frame at that time.
    """

    frame_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = FramePlot()
        self._plot.frame_requested.connect(self.frame_requested)
        for axis in ("left", "bottom"):
            self._plot.hideAxis(axis)
        self._r_waves = pg.PlotCurveItem(connect="pairs")
        self._lead = pg.PlotCurveItem(antialias=True)
        self._plot.add_curve(self._r_waves)
        self._plot.add_curve(self._lead)
        self._label = pg.LabelItem(justify="left")
        self._label.setParentItem(self._plot.getPlotItem().getViewBox())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GUTTER_LEFT, 0, GUTTER_RIGHT, 0)
        layout.addWidget(self._plot)
        self.setFixedHeight(HEIGHT_LINES * self.fontMetrics().height())
        self.setAccessibleName("ECG")
        self.set_theme(DARK)
        self.hide()

    @property
    def has_ecg(self) -> bool:
        """True where a lead is shown."""
        return self._lead.xData is not None and len(self._lead.xData) > 0

    def set_frames(self, times_ms: NDArray[np.float64]) -> None:
        """Show another run by its frame times (T,); its ECG is to be set after."""
        self._plot.set_frames(times_ms)
        self.clear()

    def set_frame(self, index: int) -> None:
        """Move the playhead."""
        self._plot.set_frame(index)

    def set_ecg(
        self,
        samples: NDArray[np.float32],
        sampling_hz: float,
        *,
        start_ms: float = 0.0,
        unit: str = "",
        label: str = "ECG",
        r_wave_times_ms: Sequence[float] = (),
    ) -> None:
        """Show a lead, and the strip with it.

        Parameters
        ----------
        samples : ndarray, shape (n,)
            In ``unit``; the height follows their range.
        start_ms : float
            Time of the first sample, 0 = first frame.
        """
        times_s = start_ms / 1000.0 + np.arange(len(samples)) / sampling_hz
        self._lead.setData(times_s, np.asarray(samples, dtype=np.float64), connect="finite")
        low, high = float(np.nanmin(samples)), float(np.nanmax(samples))
        margin = 0.08 * max(high - low, 1e-6)
        self._plot.setYRange(low - margin, high + margin, padding=0)
        marks = np.repeat(np.asarray(r_wave_times_ms, dtype=np.float64) / 1000.0, 2)
        heights = np.tile([low - margin, high + margin], len(marks) // 2)
        self._r_waves.setData(marks, heights)
        self._label.setText(label)
        self.setAccessibleDescription(f"{label}{f' in {unit}' if unit else ''}")
        self.setToolTip(self.accessibleDescription())
        self.show()

    def clear(self) -> None:
        """Forget the lead and hide."""
        self._lead.clear()
        self._r_waves.clear()
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._plot.set_theme(theme)
        self._lead.setPen(pg.mkPen(theme.success, width=1))
        self._r_waves.setPen(pg.mkPen(theme.error, width=1, style=Qt.PenStyle.DotLine))
        self._label.setText(self._label.text, color=theme.muted)
