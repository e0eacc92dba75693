"""What was measured asks for its size, and for agreement where it weighs."""

from __future__ import annotations

import numpy as np
import pytest

from app.measure.scale import scale_of
from app.session.calibrating import Reading
from inference.measuring.catheter import CatheterWidth, Doubt
from inference.measuring.sphere import Circle

LINE = np.array([[10.0, 20.0], [60.0, 20.0]])


def reading(window, *doubts):
    width = CatheterWidth(8.0, 0.2, LINE, LINE - 4, LINE + 4, 50, True, 0.5, frozenset(doubts))
    return Reading(window.session.opened, 0, ((10.0, 20.0), (60.0, 20.0)), catheter=width)


@pytest.fixture
def window(make_window, run_file):
    return make_window(run_file)


def shown(window, *doubts):
    window.session.calibrating.read.emit(reading(window, *doubts))
    return window.calibration_views._dialog


def scale(window):
    opened = window.session.opened
    return scale_of(opened.run, opened.labels.marks)


def test_an_empty_catheter_calibrates_once_its_size_is_chosen(window):
    dialog = shown(window)
    assert not dialog._all_the_same.isVisible() and not dialog._ok.isEnabled()
    dialog._french.setCurrentIndex(3)
    assert dialog._ok.isEnabled()
    dialog._ok.click()
    assert scale(window).source == "catheter 6 F"


def test_a_filled_one_calibrates_only_where_that_is_ticked(window):
    dialog = shown(window, Doubt.FILLED)
    assert dialog._all_the_same.isVisible()
    dialog._french.setCurrentIndex(3)
    assert not dialog._ok.isEnabled()
    dialog._all_the_same.setChecked(True)
    assert dialog._ok.isEnabled()
    dialog._all_the_same.setChecked(False)
    assert not dialog._ok.isEnabled()
    dialog._all_the_same.setChecked(True)
    dialog._ok.click()
    assert scale(window).source == "catheter 6 F"


def test_measured_anew_and_found_filled_it_has_to_be_ticked_then(window):
    dialog = shown(window)
    dialog._french.setCurrentIndex(3)
    assert shown(window, Doubt.FILLED) is dialog
    assert dialog._all_the_same.isVisible() and not dialog._ok.isEnabled()
    dialog._all_the_same.setChecked(True)
    assert shown(window) is dialog
    assert dialog._ok.isEnabled()
    assert shown(window, Doubt.FILLED) is dialog
    assert not dialog._ok.isEnabled()  # what was ticked then is not agreed to now
    dialog.reject()
    assert not window.session.opened.labels.marks


def test_other_doubts_are_told_alone(window):
    dialog = shown(window, Doubt.FEW_PROFILES)
    assert "short" in dialog._doubts.text() and not dialog._all_the_same.isVisible()
    dialog._french.setCurrentIndex(1)
    assert dialog._ok.isEnabled()
    dialog.reject()


def test_what_was_found_is_seen_before_it_is_agreed_to(qtbot, window):
    calibrating = window.session.calibrating
    opened = window.session.opened
    ball = Circle(60.0, 50.0, 20.0, 0.1)
    calibrating.read.emit(Reading(opened, 0, ((50.0, 40.0), (70.0, 60.0)), ball=ball))
    (found,) = window.view._marks_now()
    across = [x for x, _ in found.outlines[0]]
    assert (min(across), max(across)) == pytest.approx((50.0, 70.0), abs=0.1)
    window.commander.do("step_forward")
    assert not window.view._marks_now()
    window.commander.do("step_back")
    window.calibration_views.close()
    assert not window.view._marks_now()
