"""One place tells what a pixel is long."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.measure.calibrations import calibrate, forget_calibration, take_over
from app.measure.scale import scale_of, scale_text, spacing_of
from app.runs.run import Run, Spacing, SpacingSource
from app.tracks.labels import Labels
from app.tracks.marks import Mark, MarkKind
from inference.measuring.calibration import Scale as Measured

CALIBRATED = Spacing(0.5, 0.25, SpacingSource.SOD_SID)


def a_run(spacing=None, **more):
    return Run(Path("run"), None, 5, 40, 60, np.arange(5) * 100.0, spacing=spacing, **more)


def test_a_run_that_is_not_calibrated_has_pixels_alone():
    for spacing in (None, Spacing(0.5, 0.25, SpacingSource.DETECTOR)):
        scale = scale_of(a_run(spacing))
        assert (scale.unit, scale.source, scale.relative_sd) == ("px", "", None)
    assert scale_text(a_run(), scale_of(a_run())) == "px only: not calibrated"
    at_detector = a_run(Spacing(0.5, 0.25, SpacingSource.DETECTOR))
    assert "not in the patient" in scale_text(at_detector, scale_of(at_detector))


def test_pixels_that_are_not_square_count_as_they_look():
    run = replace(a_run(), pixel_aspect_ratio=1.5)
    assert (scale_of(run).column_size, scale_of(run).row_size) == (1.0, 1.5)


def test_the_file_tells_millimetres_where_they_hold_in_the_patient():
    scale = scale_of(a_run(CALIBRATED))
    assert (scale.column_size, scale.row_size, scale.unit) == (0.25, 0.5, "mm")
    assert scale.relative_sd is None
    assert "corrected by SOD/SID" in scale_text(a_run(CALIBRATED), scale)


def test_what_a_person_calibrated_goes_before_the_file_and_can_be_forgotten():
    labels, run = Labels(5), replace(a_run(CALIBRATED), pixel_aspect_ratio=2.0)
    labels.apply(calibrate(run, labels.marks, Measured(0.3, 0.003), "catheter", 6.0, frame=2))
    scale = scale_of(run, labels.marks)
    assert (scale.column_size, scale.row_size) == (0.3, 0.6)
    assert (scale.source, scale.relative_sd) == ("catheter 6 F", pytest.approx(0.01))
    assert scale_text(run, scale) == "0.300 mm/px ± 2.0%, catheter 6 F"
    spacing = spacing_of(run, labels.marks)
    assert (spacing.column_mm, spacing.row_mm) == (0.3, 0.6)
    assert spacing.source is SpacingSource.CALIBRATED
    labels.apply(calibrate(run, labels.marks, Measured(0.4, 0.01), "sphere", 30.0))
    assert [scale_of(run, labels.marks).column_size, len(labels.marks)] == [0.4, 1]
    labels.apply(forget_calibration(labels.marks))
    assert scale_of(run, labels.marks) == scale_of(run)
    assert spacing_of(run, labels.marks) == CALIBRATED
    labels.undo()
    assert scale_of(run, labels.marks).source == "sphere of 30 mm"


@pytest.mark.parametrize(
    "wrong",
    [
        {"mm_per_px": "0.3"},
        {"mm_per_px": 0.0},
        {"mm_per_px": 1e9},
        {"relative_sd": -0.1},
        {"relative_sd": None},
        {"size": None},
        {"size": float("nan")},
        {"size": float("inf")},
        {"size": 1e300},
        {"size": -6.0},
    ],
)
def test_a_calibration_that_cannot_be_is_not_believed(wrong):
    values = {"mm_per_px": 0.3, "relative_sd": 0.01, "method": "length", "size": 5.0} | wrong
    mark = Mark("m", MarkKind.CALIBRATION, None, (), "", values)
    assert scale_of(a_run(), (mark,)).unit == "px"


def test_a_calibration_from_another_run_does_not_name_its_file():
    labels, run = Labels(5), a_run()
    made = calibrate(run, (), Measured(0.3, 0.003), "catheter", 6.0).changes[0].after
    labels.apply(take_over((), made.values, "DOE_JANE.dcm"))
    assert scale_of(run, labels.marks).source == "catheter 6 F, in another run"
    assert "DOE" not in labels.undo_label
