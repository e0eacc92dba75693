"""What is drawn of a track: lengths in millimetres of its own axis, trails of its own frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.measure.scale import scale_of
from app.runs.run import Run, Spacing, SpacingSource
from app.tracks.labels import Labels
from app.tracks.marks import Mark, MarkKind
from app.tracks.track import Track, TrackPoint
from app.window import overlays

TRACK = Track(
    "a" * 32, "tip", points={f: TrackPoint(f, 10.0 + 3 * f, 20.0 - 4 * f) for f in range(5)}
)


def a_run(spacing=None):
    return Run(Path("run"), None, 5, 40, 60, np.arange(5) * 100.0, spacing=spacing)


def test_motion_is_measured_along_each_axis_in_its_own_spacing():
    run = a_run(Spacing(0.5, 2.0, SpacingSource.CALIBRATED))
    curve = overlays.motion(run, TRACK, scale_of(run))
    step_mm = np.hypot(3 * 2.0, 4 * 0.5)
    np.testing.assert_allclose(curve.displacement, np.arange(5) * step_mm)
    np.testing.assert_allclose(curve.speed, step_mm / 0.1)


def test_motion_is_in_pixels_where_no_millimetre_holds():
    for spacing in (None, Spacing(0.5, 2.0, SpacingSource.DETECTOR)):
        run = a_run(spacing)
        scale = scale_of(run)
        moved = overlays.motion(run, TRACK, scale).displacement
        np.testing.assert_allclose(moved, np.arange(5) * 5.0)
        assert scale.unit == "px"


def test_a_trail_goes_through_the_frames_on_both_sides():
    labels = Labels(5, (TRACK,))
    drawn = overlays.overlay(labels, TRACK, 2, 1, selected=True)
    np.testing.assert_array_equal(drawn.past, [(13.0, 16.0)])
    np.testing.assert_array_equal(drawn.future, [(19.0, 8.0)])
    first = overlays.overlay(labels, TRACK, 0, 12, selected=True)
    assert (len(first.past), len(first.future)) == (0, 4)


def test_outlines_of_a_file_that_cannot_be_drawn_are_left_out():
    edges = [[[1.0, 2.0], [10**400, 1], [float("nan"), 1], [1e308, 1], ["a", 1]], 3, {}]
    for values, drawn in (({"edges": edges}, [[(1.0, 2.0)], [], []]), ({"edges": {"a": 1}}, [])):
        mark = Mark("m", MarkKind.CALIBRATION, 0, ((1.0, 2.0),), "", values)
        assert overlays._edges(mark) == drawn
