from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt

from widgets.theme import LIGHT
from widgets.timeline.ecg_strip import EcgStrip
from widgets.timeline.frame_axis import FrameAxis
from widgets.timeline.frame_plot import FramePlot
from widgets.timeline.motion_plot import MotionCurve, MotionPlot
from widgets.timeline.timeline import GUTTER_LEFT, GUTTER_RIGHT

FRAMES = 40
TIMES_MS = np.arange(FRAMES) * 100.0


def point_of(plot, time_s):
    """The pixel of a plot at this time, at half its height."""
    box = plot.getPlotItem().getViewBox()
    x = box.mapViewToScene(QPointF(time_s, 0.0)).x()
    return QPoint(round(x), plot.height() // 2)


@pytest.fixture
def motion(qtbot):
    widget = MotionPlot()
    qtbot.addWidget(widget)
    widget.resize(280, 300)
    widget.set_frames(TIMES_MS)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def curve(values):
    return MotionCurve("a", "Tip", "#ffb000", values, values * 2, np.full(FRAMES, 0.8))


def test_a_curve_has_a_gap_where_the_point_is_absent(motion):
    values = np.linspace(0.0, 9.0, FRAMES)
    values[10:20] = np.nan
    motion.set_curves([curve(values)], "mm")
    path = motion.curves[0].getPath()
    steps = [path.elementAt(i) for i in range(path.elementCount())]
    lines = [(a.x, b.x) for a, b in pairwise(steps) if b.isLineTo()]
    assert max(b - a for a, b in lines) < 0.11
    assert not [b for _, b in lines if 0.95 < b < 2.05]
    assert (min(lines)[0], max(lines)[1]) == (0.0, 3.9)


def test_the_unit_is_written_and_all_gaps_are_no_error(motion):
    motion.set_curves([curve(np.full(FRAMES, np.nan))], "mm")
    texts = [title.text for title in motion._titles]
    assert texts == ["Displacement, mm", "Speed, mm/s", "Confidence"]
    motion.set_curves([])
    assert motion.curves == []


def test_the_speed_gives_way_where_three_plots_are_too_low_to_read(motion, qtbot):
    _, speed, confidence = motion.findChildren(FramePlot)
    assert speed.isVisible()
    motion.resize(280, 8 * motion.fontMetrics().height())
    assert not speed.isVisible()
    assert confidence.height() > 2.5 * motion.fontMetrics().height()
    motion.resize(280, 300)
    assert speed.isVisible()


def test_clicking_a_motion_plot_asks_for_the_frame(motion, qtbot):
    plot = motion._speed
    with qtbot.waitSignal(motion.frame_requested) as got:
        qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=point_of(plot, 2.52))
    assert got.args == [25]


def test_the_playhead_moves_in_all_plots_and_themes(motion):
    motion.set_frame(12)
    motion.set_theme(LIGHT)
    assert [plot._playhead.value() for plot in motion._plots] == pytest.approx([1.2] * 3)
    motion.set_doubt_threshold(0.6)
    assert motion._threshold.value() == 0.6


@pytest.fixture
def ecg(qtbot):
    widget = EcgStrip()
    qtbot.addWidget(widget)
    widget.resize(600, 60)
    widget.set_frames(TIMES_MS)
    return widget


def test_the_ecg_strip_is_there_only_with_an_ecg(ecg, qtbot):
    assert ecg.isHidden() and not ecg.has_ecg
    ecg.set_ecg(
        np.sin(np.arange(1600) / 40).astype(np.float32),
        400.0,
        unit="mV",
        label="II",
        r_wave_times_ms=(500.0, 1400.0),
    )
    assert ecg.has_ecg and not ecg.isHidden()
    qtbot.waitExposed(ecg)
    timeline = FrameAxis(TIMES_MS, GUTTER_LEFT, 600 - GUTTER_LEFT - GUTTER_RIGHT)
    with qtbot.waitSignal(ecg.frame_requested) as got:
        qtbot.mouseClick(
            ecg,
            Qt.MouseButton.LeftButton,
            pos=QPoint(round(timeline.x_of_frame(10)), 20),
        )
    assert got.args == [10]
    ecg.set_frames(TIMES_MS)
    assert ecg.isHidden() and not ecg.has_ecg


def test_the_height_follows_the_lead_and_gaps_in_it_are_no_error(ecg):
    samples = np.array([np.nan, -2.0, 3.0, 1.0], np.float32)
    ecg.set_ecg(samples, 2.0)
    x, y = ecg.lead_points().T
    assert np.isnan(y[0])
    assert 0 < y[2] < y[3] < y[1] < ecg.height()  # 3 mV on top, -2 mV below
    assert np.all(np.diff(x) > 0)


def test_beats_are_laid_over_each_other(motion, qtbot):
    values = np.linspace(0.0, 9.0, FRAMES)
    motion.set_curves([curve(values)], "mm")
    motion.set_frame(25)
    phases = (np.arange(FRAMES) / 20.0) % 1.0
    motion.set_phases(phases)
    assert motion._speed._playhead.value() == pytest.approx(0.25)
    path = motion.curves[0].getPath()
    steps = [path.elementAt(i) for i in range(path.elementCount())]
    assert max(b.x - a.x for a, b in pairwise(steps) if b.isLineTo()) < 0.06
    assert min(b.x - a.x for a, b in pairwise(steps) if b.isLineTo()) >= 0  # no way back
    with qtbot.waitSignal(motion.frame_requested) as got:
        plot = motion._speed
        qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=point_of(plot, 0.5))
    assert got.args == [30]  # of the beat that the playhead is in
    motion.set_phases(None)
    assert motion._speed._playhead.value() == pytest.approx(2.5)
