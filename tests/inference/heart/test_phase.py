"""Phases that follow from R waves."""

from __future__ import annotations

import numpy as np
import pytest

from inference.heart.phase import HeartPhase, phase_from_r_waves

TIMES_MS = np.arange(0.0, 4000.0, 50.0)


def test_phase_runs_from_wave_to_wave_and_goes_on_beyond():
    heart = phase_from_r_waves(TIMES_MS, (2000.0, 1000.0, 2800.0))
    assert heart is not None and heart.from_ecg and heart.confidence == 1.0
    expected = {1000: 0.0, 1250: 0.25, 1950: 0.95, 2400: 0.5, 3200: 0.5, 500: 0.5, 0: 0.0}
    for time_ms, phase in expected.items():
        assert heart.phase[time_ms // 50] == pytest.approx(phase, abs=1e-9)
    assert heart.period_ms == pytest.approx(900.0)
    assert heart.beat_starts_ms == (1000.0, 2000.0, 2800.0)


def test_a_missed_wave_does_not_make_a_long_beat():
    heart = phase_from_r_waves(TIMES_MS, (200.0, 1000.0, 1800.0, 3400.0))
    assert heart is not None
    assert heart.beat_starts_ms == pytest.approx((200.0, 1000.0, 1800.0, 2600.0, 3400.0))
    assert heart.period_ms == 800.0


def test_a_wave_marked_twice_is_one():
    heart = phase_from_r_waves(TIMES_MS, (200.0, 1000.0, 1040.0, 1040.0, 1800.0))
    assert heart is not None and heart.period_ms == 800.0


@pytest.mark.parametrize(
    "waves", [(), (500.0,), (500.0, 500.0), (float("nan"), 3.0), (0.0, 9000.0)]
)
def test_fewer_than_two_waves_tell_no_beat(waves):
    assert phase_from_r_waves(TIMES_MS, waves) is None


def test_no_frames_have_no_phase():
    assert phase_from_r_waves(np.array([]), (0.0, 800.0)) is None


def test_the_nearest_frame_of_each_beat_is_shown():
    heart = phase_from_r_waves(TIMES_MS, (1000.0, 1990.0, 2810.0))
    assert heart is not None
    assert heart.frames_at() == (0, 20, 40, 56, 73)  # also where the run begins at phase 0
    assert heart.frames_at(0.5) == (10, 30, 48, 64)


def test_a_beat_that_the_run_cuts_off_shows_no_other_phase():
    phase = np.mod(0.30 + 0.05 * np.arange(50), 1.0)
    heart = HeartPhase(phase, (), 1000.0, True, 1.0)
    assert all(abs((phase[f] + 0.5) % 1.0 - 0.5) < 0.03 for f in heart.frames_at())
    assert len(heart.frames_at()) == 2
