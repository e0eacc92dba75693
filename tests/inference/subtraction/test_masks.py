"""The mask of each frame, of layers that move through each other as in a projection."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.subtraction import MaskFitter, Registration, RegistrationStoppedError
from inference.subtraction.elastic import find_field, warped
from inference.subtraction.masks import MOST_FRAMES
from inference.subtraction.shift import common, moved

SIZE = 128


def texture(seed: int, sigma: float = 4.0, strength: float = 15.0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((SIZE, SIZE)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.float32(strength) * smooth / smooth.std()


def noisy(picture: np.ndarray, seed: int, deviation: float = 1.0) -> np.ndarray:
    noise = np.random.default_rng(1000 + seed).normal(0, deviation, picture.shape)
    return (picture + noise).astype(np.float32)


def beating(frame: int) -> np.ndarray:
    """A heart that swings over a spine at rest, eight frames a beat."""
    swing = 6.0 * np.sin(2 * np.pi * frame / 8)
    return 120 + texture(0) + moved(texture(1), (0.3 * swing, swing))


def left(frame: np.ndarray, mask: np.ndarray) -> float:
    difference = (frame - mask)[12:-12, 12:-12]
    return float((difference - np.median(difference)).std())


def test_off_is_the_mean_of_the_span():
    frames = [noisy(beating(i), i) for i in range(4)]
    fit = MaskFitter(frames.__getitem__, (1, 3)).fit(frames[0], Registration.OFF)
    np.testing.assert_allclose(fit.pixels, (frames[1] + frames[3]) / 2, rtol=1e-6)
    assert fit.frames == (1, 3) and fit.shift_px == (0.0, 0.0) and fit.field is None


def test_the_frames_of_the_same_phase_make_the_mask():
    frames = [noisy(beating(i), i) for i in range(26)]
    fitter = MaskFitter(frames.__getitem__, range(24))
    fit = fitter.fit(frames[25], Registration.SHIFT)
    assert set(fit.frames) <= {1, 3, 9, 11, 17, 19}  # the same place, going and coming
    assert len(fit.frames) > 1  # averaged, against the noise
    assert left(beating(25), fit.pixels) < 0.2 * left(beating(25), fitter.mean)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_filled_frame_of_the_span_does_not_win_by_its_contrast(sign):
    """The span runs on until contrast comes: what the last frame holds would be subtracted."""
    vessel = np.zeros((SIZE, SIZE), np.float32)
    for row in (30, 60, 90):
        cv2.line(vessel, (15, row), (112, row + 12), sign * 40.0, 7, cv2.LINE_AA)
    frames = [noisy(beating(i), i) for i in range(18)]
    frames[14] += vessel
    frame = noisy(beating(25) + vessel, 25)
    fitter = MaskFitter(frames.__getitem__, range(18), contrast_is_dark=sign < 0)
    fit = fitter.fit(frame, Registration.SHIFT)
    assert 14 not in fit.frames
    np.testing.assert_allclose((frame - fit.pixels)[np.abs(vessel) > 39].mean(), sign * 40, atol=4)


def test_a_moved_table_is_followed_and_contrast_stays():
    still = 120 + texture(0)
    frames = [noisy(still, i) for i in range(6)]
    vessel = np.zeros((SIZE, SIZE), np.float32)
    cv2.line(vessel, (20, 30), (100, 90), 30.0, 6, cv2.LINE_AA)
    frame = noisy(moved(still, (5.5, -3.2)) - vessel + 10, 9)
    fit = MaskFitter(frames.__getitem__, range(6)).fit(frame, Registration.SHIFT)
    assert fit.shift_px == pytest.approx((5.5, -3.2), abs=0.15)
    known = common(frame.shape, fit.shift_px, margin=4)
    shown = (frame - fit.pixels)[known]
    np.testing.assert_allclose(shown[vessel[known] > 29].mean(), -30, atol=1)
    assert abs(np.median(shown[vessel[known] == 0])) < 0.3  # the brighter exposure is made up for


def test_elastic_takes_away_what_a_shift_cannot():
    still = 120 + texture(0, 5.0, 25.0)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    bump = 4.0 * np.exp(-((x - 64) ** 2 + (y - 64) ** 2) / (2 * 22.0**2))
    bent = cv2.remap(still, x - bump, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    frame = noisy(bent, 1)
    fitter = MaskFitter([noisy(still, 0)].__getitem__, (0,))
    shifted, elastic = (
        fitter.fit(frame, way) for way in (Registration.SHIFT, Registration.ELASTIC)
    )
    assert elastic.field is not None
    assert left(bent, elastic.pixels) < 0.5 * left(bent, shifted.pixels)


def test_a_filled_vessel_does_not_pull_the_field():
    still = 120 + texture(0, 5.0, 25.0)
    vessel = np.zeros((SIZE, SIZE), np.float32)
    cv2.line(vessel, (20, 30), (100, 90), 40.0, 5, cv2.LINE_AA)
    field = find_field(noisy(still, 0), noisy(still - vessel, 1))
    assert np.abs(field[vessel > 0]).max() < 0.5
    assert left(still, warped(still, field)) < 0.05 * vessel.max()


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (40, 40), (30, 200)])
@pytest.mark.parametrize("way", list(Registration))
def test_small_and_even_pictures_have_a_mask(shape, way):
    even = np.full(shape, 5.0, np.float32)
    fit = MaskFitter(lambda index: even, range(3)).fit(even + 2, way)
    assert fit.pixels.shape == shape
    expected = 5.0 if way is Registration.OFF else 7.0
    np.testing.assert_allclose(fit.pixels, expected, atol=1e-3)


def test_a_long_span_is_thinned_and_an_empty_one_refused():
    even = np.zeros((8, 8), np.float32)
    frames = MaskFitter(lambda index: even, range(2000)).frames
    assert len(frames) == MOST_FRAMES and frames[0] == 0 and frames[-1] == 1999
    with pytest.raises(ValueError, match="needs a frame"):
        MaskFitter(lambda index: even, ())


def test_it_stops_when_told_to():
    frame = noisy(beating(0), 0)
    with pytest.raises(RegistrationStoppedError):
        MaskFitter(lambda index: frame, range(3), lambda: True)
    fitter = MaskFitter(lambda index: frame, range(3))
    with pytest.raises(RegistrationStoppedError):
        fitter.fit(frame, Registration.SHIFT, lambda: True)
    asked = []

    def after_some() -> bool:
        asked.append(0)
        return len(asked) > 3

    with pytest.raises(RegistrationStoppedError):
        find_field(frame, noisy(beating(2), 2), after_some)
    assert len(asked) < 8  # at the next step of some 75
