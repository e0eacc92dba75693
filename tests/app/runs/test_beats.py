"""Beats are counted from the R waves, evenly between them and beyond."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.runs.beats import beats_by_r_waves
from app.runs.run import Ecg, Run


def run_with(waves_ms):
    times_ms = np.arange(11) * 100.0
    ecg = Ecg(np.zeros(4, np.float32), 100.0, r_wave_times_ms=waves_ms)
    return Run(Path("r"), None, 11, 4, 4, times_ms, ecg=ecg)


def test_r_waves_are_whole_numbers_and_beats_are_even_between_and_beyond():
    beats = beats_by_r_waves(run_with((200.0, 600.0, 800.0)))
    expected = [-2 / 3, -1 / 3, 0, 0.25, 0.5, 0.75, 1, 1.5, 2, 2 + 1 / 3, 2 + 2 / 3]
    np.testing.assert_allclose(beats, expected)


@pytest.mark.parametrize("waves_ms", [(), (300.0,), (300.0, 300.0)])
def test_without_two_r_waves_no_beat_is_known(waves_ms):
    run = run_with(waves_ms)
    assert beats_by_r_waves(run) is None
    assert beats_by_r_waves(replace(run, ecg=None)) is None


def test_the_order_of_the_waves_in_the_file_does_not_matter():
    one, other = (beats_by_r_waves(run_with(w)) for w in ((200.0, 600.0), (600.0, 200.0)))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(one, np.arange(-2, 9) / 4)
