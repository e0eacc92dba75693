"""Peak opacification and time to peak of a bolus that runs along a vessel."""

from __future__ import annotations

import numpy as np
import pytest

from inference.subtraction import opacification

TIMES_MS = 1000.0 + 66.0 * np.arange(30)


def bolus(sign: float, noise: float = 2.0):
    """Contrast of 40 that passes rows 30 to 36 from left to right, two frames for ten pixels."""
    rng = np.random.default_rng(0)
    columns = np.arange(100)
    for frame, time_ms in enumerate(TIMES_MS):
        picture = rng.normal(0, noise, (64, 100)).astype(np.float32)
        picture[30:37] += sign * 40 * np.exp(-(((frame - 4 - columns / 5) / 2.0) ** 2))
        yield float(time_ms), picture


@pytest.mark.parametrize(("sign", "dark"), [(-1, True), (1, False)])
@pytest.mark.parametrize("told", [True, False])
def test_contrast_is_timed_and_the_background_has_no_time(sign, dark, told):
    seen = opacification(bolus(sign), dark if told else None)
    assert seen.contrast_is_dark is dark
    assert sign * seen.peak[33].mean() > 35
    background = np.delete(seen.time_to_peak_ms, np.s_[28:39], axis=0)
    assert np.isfinite(background).mean() < 0.005
    row = seen.time_to_peak_ms[33]
    expected = 66.0 * (4 + np.arange(100) / 5)
    assert np.nanmax(np.abs(row - expected)) <= 100 and np.isfinite(row).all()


def test_where_no_contrast_came_there_is_next_to_no_time():
    rng = np.random.default_rng(1)
    frames = [(t, rng.normal(0, 2, (64, 64)).astype(np.float32)) for t in TIMES_MS]
    seen = opacification(frames)
    assert np.isfinite(seen.time_to_peak_ms).mean() < 0.005
    np.testing.assert_array_equal(seen.darkest, np.min([f for _, f in frames], axis=0))
    np.testing.assert_array_equal(seen.brightest, np.max([f for _, f in frames], axis=0))


def test_one_frame_is_enough_and_none_is_refused():
    seen = opacification([(0.0, np.zeros((4, 4), np.float32))])
    assert np.isnan(seen.time_to_peak_ms).all()
    with pytest.raises(ValueError, match="no frame"):
        opacification([])


def test_frames_are_not_changed():
    first = np.ones((4, 4), np.float32)
    opacification([(0.0, first), (1.0, np.zeros((4, 4), np.float32))])
    np.testing.assert_array_equal(first, 1)


def test_a_frayed_rim_hides_no_contrast_elsewhere():
    rng = np.random.default_rng(2)

    def frayed():
        for time_ms, picture in bolus(-1):
            picture[2:4] = rng.choice([-100.0, 100.0], (2, 100))
            yield time_ms, picture

    seen = opacification(frayed(), True)
    assert np.isfinite(seen.time_to_peak_ms[33]).all()
    assert np.isnan(seen.time_to_peak_ms[:8]).mean() > 0.98
