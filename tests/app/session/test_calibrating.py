"""Calibrations are measured on the picture, kept as gestures, offered, never taken unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from app.measure.calibrations import holds_for, parsed, stand_of
from app.measure.scale import scale_of
from app.runs.run import BeamGeometry, Run
from app.session.background import Background
from app.session.calibrating import Calibrating
from app.tracks.labels import Labels
from app.tracks.marks import Mark, MarkKind

WIDTH_PX = 9.0
BEAM = BeamGeometry((0.3, 0.3), 1000.0, 750.0, None, 200.0)


def tube() -> np.ndarray:
    """A hollow catheter of a known outer width, upright in the middle of a bright picture."""
    fine = 8
    x = (np.arange(200 * fine) + 0.5) / fine - 0.5 - 100.0
    outer = 2.0 * np.sqrt(np.maximum((WIDTH_PX / 2) ** 2 - x**2, 0.0))
    inner = 2.0 * np.sqrt(np.maximum((0.72 * WIDTH_PX / 2) ** 2 - x**2, 0.0))
    row = 2000.0 - 60.0 * (outer - inner).reshape(200, fine).mean(axis=1)
    picture = np.repeat(row[None, :], 200, axis=0)
    noise = np.random.default_rng(3).normal(0.0, 4.0, picture.shape)
    return cv2.GaussianBlur(picture, (0, 0), 0.9) + noise


class Opened(SimpleNamespace):
    __hash__ = object.__hash__


def make_opened(picture, **fields) -> Opened:
    facts = {"study_uid": "1.2", "beam": BEAM, "primary_angles_deg": np.array([10.0])}
    facts |= {"secondary_angles_deg": np.array([5.0])} | fields
    run = Run(Path("run.dcm"), None, 1, *picture.shape, np.zeros(1), **facts)
    labels = Labels(1)
    store = SimpleNamespace(read_only=False)
    sequence = SimpleNamespace(read=lambda index: picture)
    return Opened(run=run, labels=labels, store=store, sequence=sequence)


@pytest.fixture
def calibrating(qtbot):
    background = Background()
    applied = SimpleNamespace(apply=None)
    library = SimpleNamespace(calibrations={}, noted=[])
    library.note_calibration = lambda run, values: library.noted.append((run.path, values))
    made = Calibrating(applied, background, library)
    made.library = library

    def open_run(opened):
        applied.apply = opened.labels.apply
        made.set_run(opened)
        return opened

    made.open_run = open_run
    yield made
    background.close()


def scale(opened):
    return scale_of(opened.run, opened.labels.marks)


def test_a_catheter_of_known_size_calibrates(calibrating, qtbot):
    opened = calibrating.open_run(make_opened(tube()))
    with qtbot.waitSignal(calibrating.read, timeout=20000) as got:
        calibrating.measure_catheter(0, ((101.5, 20.0), (98.5, 180.0)), "diagnostic")
    (reading,) = got.args
    assert reading.catheter.width_px == pytest.approx(WIDTH_PX, rel=0.03)
    calibrating.take(reading, 6.0)
    told = scale(opened)
    assert told.source == "catheter 6 F"
    assert told.column_size == pytest.approx(2.0 / WIDTH_PX, rel=0.03)
    assert 0.0 < told.relative_sd < 0.05
    (mark,) = opened.labels.marks
    left, right = (np.array(edge) for edge in mark.values["edges"])
    assert abs(right[:, 0] - left[:, 0]).mean() == pytest.approx(WIDTH_PX, rel=0.05)
    assert opened.labels.undo() == "Calibrate by catheter 6 F"
    assert scale(opened).unit == "px"


def test_where_no_catheter_stands_out_it_says_so(calibrating, qtbot):
    blank = np.random.default_rng(1).normal(100.0, 5.0, (128, 128))
    calibrating.open_run(make_opened(blank))
    working = []
    calibrating.working.connect(working.append)
    with qtbot.waitSignal(calibrating.refused, timeout=20000) as got:
        calibrating.measure_catheter(0, ((20.0, 20.0), (100.0, 100.0)))
    assert "No catheter" in got.args[0]
    assert working == ["Looking for the edges…", ""]


def test_a_ball_of_known_diameter_calibrates(calibrating, qtbot):
    y, x = np.mgrid[:160, :160]
    depth = 2.0 * np.sqrt(np.maximum(30.0**2 - (x - 80) ** 2 - (y - 70) ** 2, 0.0))
    opened = calibrating.open_run(make_opened(cv2.GaussianBlur(3000.0 - 20.0 * depth, (0, 0), 1.0)))
    with qtbot.waitSignal(calibrating.read, timeout=20000) as got:
        calibrating.measure_sphere(0, ((52.0, 38.0), (108.0, 103.0)))
    calibrating.take(got.args[0], 20.0)
    assert scale(opened).column_size == pytest.approx(20.0 / 60.0, rel=0.02)
    assert scale(opened).source == "sphere of 20 mm"


def test_a_reading_of_another_run_calibrates_nothing(calibrating, qtbot):
    first = calibrating.open_run(make_opened(tube()))
    with qtbot.waitSignal(calibrating.read, timeout=20000) as got:
        calibrating.measure_catheter(0, ((100.0, 20.0), (100.0, 180.0)))
    second = calibrating.open_run(make_opened(tube()))
    calibrating.take(got.args[0], 6.0)
    assert not first.labels.marks and not second.labels.marks


def test_a_known_length_calibrates_with_the_uncertainty_of_its_ends(calibrating):
    opened = calibrating.open_run(make_opened(tube(), pixel_aspect_ratio=2.0))
    measure = Mark("m", MarkKind.DISTANCE, 0, ((0.0, 0.0), (30.0, 20.0)))
    calibrating.by_length(measure, 25.0)
    told = scale(opened)
    assert told.column_size == pytest.approx(25.0 / 50.0)
    assert told.relative_sd == pytest.approx(200 / 512 * 2**0.5 / 50.0)
    assert told.source == "known length 25 mm"


def test_a_short_distance_calibrates_nothing(calibrating):
    opened = calibrating.open_run(make_opened(tube()))
    told = []
    calibrating.refused.connect(told.append)
    calibrating.by_length(Mark("m", MarkKind.DISTANCE, 0, ((0.0, 0.0), (5.0, 0.0))), 25.0)
    assert "too short" in told[0] and not opened.labels.marks


def test_the_c_arm_calibrates_where_the_file_tells_its_distances(calibrating):
    opened = calibrating.open_run(make_opened(tube()))
    calibrating.by_geometry()
    assert scale(opened).column_size == pytest.approx(0.3 * 0.75)
    assert scale(opened).source == "distances of the C-arm"
    told = []
    calibrating.refused.connect(told.append)
    bare = calibrating.open_run(make_opened(tube(), beam=BeamGeometry()))
    calibrating.by_geometry()
    beyond = replace(BEAM, source_to_isocenter_mm=1200.0)
    calibrating.open_run(make_opened(tube(), beam=beyond))
    calibrating.by_geometry()
    assert len(told) == 2 and not bare.labels.marks


def calibrated_values(calibrating):
    opened = calibrating.open_run(make_opened(tube()))
    calibrating.by_geometry()
    (mark,) = opened.labels.marks
    return mark.values


def test_a_calibration_is_offered_to_a_run_taken_alike_and_taken_over_when_asked(calibrating):
    values = calibrated_values(calibrating)
    calibrating.library.calibrations[Path("/study/first.dcm")] = values
    offers = []
    calibrating.offered.connect(offers.append)
    opened = calibrating.open_run(make_opened(tube()))
    assert [offer.run_name for offer in offers] == ["first.dcm"]
    assert not opened.labels.marks  # never unasked
    assert "first.dcm was calibrated by distances of the C-arm" in offers[0].text
    calibrating.take_offer()
    assert scale(opened).source == "distances of the C-arm, in another run"
    assert calibrating.open_run(opened) is opened
    assert len(offers) == 1  # it is calibrated by now


OTHER_STANDS = {
    "another study": {"study_uid": "1.3"},
    "no study": {"study_uid": None},
    "another distance": {"beam": replace(BEAM, source_to_detector_mm=1100.0)},
    "an unknown distance": {"beam": replace(BEAM, source_to_detector_mm=None)},
    "another field of view": {"beam": replace(BEAM, field_of_view_mm=150.0)},
    "another primary angle": {"primary_angles_deg": np.array([-30.0])},
    "another secondary angle": {"secondary_angles_deg": np.array([25.0])},
    "unknown angles": {"primary_angles_deg": None},
}


@pytest.mark.parametrize("fields", OTHER_STANDS.values(), ids=OTHER_STANDS)
def test_it_is_not_offered_where_the_c_arm_stood_otherwise(calibrating, fields):
    values = calibrated_values(calibrating)
    assert holds_for(values, make_opened(tube()).run)
    other = make_opened(tube(), **fields).run
    assert not holds_for(values, other)
    assert not holds_for({**values, "stand": stand_of(other)[:3]}, other)


def test_values_of_a_file_are_believed_only_where_they_make_a_calibration():
    assert parsed("") is None
    assert parsed("[1]") is None
    assert parsed("{") is None
    assert parsed('{"mm_per_px": -1.0, "relative_sd": 0.1, "size": 6.0}') is None
    assert parsed('{"mm_per_px": 0.3, "relative_sd": 0.1, "size": 6.0}') is not None


def test_a_filled_catheter_calibrates_only_where_somebody_says_so(calibrating, qtbot):
    x = np.arange(200) - 99.5
    filled = 2.0 * np.sqrt(np.maximum((WIDTH_PX / 2) ** 2 - x**2, 0.0))
    row = 2000.0 - 60.0 * cv2.GaussianBlur(filled[None, :], (0, 0), 0.9)
    noise = np.random.default_rng(3).normal(0.0, 4.0, (200, 200))
    opened = calibrating.open_run(make_opened(np.repeat(row, 200, axis=0) + noise))
    told = []
    calibrating.refused.connect(told.append)
    with qtbot.waitSignal(calibrating.read, timeout=20000) as got:
        calibrating.measure_catheter(0, ((100.0, 20.0), (99.0, 180.0)))
    (reading,) = got.args
    assert reading.filled and "filled" in reading.doubts[0]
    calibrating.take(reading, 6.0)
    assert "filled" in told[0] and not opened.labels.marks
    calibrating.take(reading, 6.0, all_the_same=True)
    assert scale(opened).source == "catheter 6 F"


@pytest.mark.parametrize(("across", "down"), [(1, 2), (2, 1)])
def test_pixels_that_are_not_square_change_no_millimetre(calibrating, qtbot, across, down):
    parts = tube().reshape(200 // down, down, 200 // across, across)
    picture, aspect = parts.mean(axis=(1, 3)), down / across
    opened = calibrating.open_run(make_opened(picture, pixel_aspect_ratio=aspect))
    with qtbot.waitSignal(calibrating.read, timeout=20000) as got:
        ends = ((100.0 / across, 20.0 / down), (100.0 / across, 180.0 / down))
        calibrating.measure_catheter(0, ends, "diagnostic")
    calibrating.take(got.args[0], 6.0)
    told = scale(opened)
    assert told.column_size == pytest.approx(across * 2.0 / WIDTH_PX, rel=0.05)
    assert told.row_size == pytest.approx(down * 2.0 / WIDTH_PX, rel=0.05)


def test_a_ball_is_round_in_the_patient_also_where_pixels_are_not_square(calibrating, qtbot):
    y, x = np.mgrid[:160, :160]
    depth = 2.0 * np.sqrt(np.maximum(30.0**2 - (x - 80) ** 2 - (y - 70) ** 2, 0.0))
    whole = cv2.GaussianBlur(3000.0 - 20.0 * depth, (0, 0), 1.0)
    high = whole.reshape(80, 2, 160).mean(axis=1)
    opened = calibrating.open_run(make_opened(high, pixel_aspect_ratio=2.0))
    with qtbot.waitSignal(calibrating.read, timeout=20000) as got:
        calibrating.measure_sphere(0, ((52.0, 19.0), (108.0, 51.5)))
    calibrating.take(got.args[0], 20.0)
    assert scale(opened).column_size == pytest.approx(20.0 / 60.0, rel=0.02)
    (mark,) = opened.labels.marks
    rim = np.array(mark.values["edges"][0])
    assert np.ptp(rim[:, 0]) == pytest.approx(60.0, abs=1.5)
    assert np.ptp(rim[:, 1]) == pytest.approx(30.0, abs=1.0)
