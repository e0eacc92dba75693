"""Shifts of the whole picture, to a fraction of a pixel, with and without contrast."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.subtraction.shift import common, find_shift, moved


def scene(seed: int = 0, size: int = 256) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.standard_normal((size, size)).astype(np.float32), (0, 0), 3)
    coarse = cv2.GaussianBlur(rng.standard_normal((size, size)).astype(np.float32), (0, 0), 12)
    return 120 + 60 * fine / fine.std() * 0.3 + 20 * coarse / coarse.std()


def vessel(picture: np.ndarray, depth: float = 60.0) -> np.ndarray:
    drawn = np.zeros_like(picture)
    cv2.line(drawn, (30, 20), (110, 140), 1.0, 9, cv2.LINE_AA)
    cv2.line(drawn, (60, 60), (140, 70), 1.0, 6, cv2.LINE_AA)
    return picture - depth * cv2.GaussianBlur(drawn, (0, 0), 1.0)


@pytest.mark.parametrize("shift", [(0.4, -0.7), (3.25, 1.5), (-11.6, 20.3)])
@pytest.mark.parametrize("contrast", [False, True])
def test_a_shift_is_found_to_a_tenth_of_a_pixel(shift, contrast):
    noise = np.random.default_rng(1).normal(0, 3, (256, 256)).astype(np.float32)
    frame = moved(scene(), shift)
    frame = (vessel(frame) if contrast else frame) + noise
    assert find_shift(scene(), frame) == pytest.approx(shift, abs=0.1)


def test_a_brighter_frame_is_not_a_moved_one():
    assert find_shift(scene(), scene() + 25) == (0.0, 0.0)


def test_noise_alone_moves_nothing():
    noise = [np.random.default_rng(i).normal(0, 3, (96, 96)).astype(np.float32) for i in (0, 1)]
    assert find_shift(100 + noise[0], 100 + noise[1]) == pytest.approx((0.0, 0.0), abs=0.6)


@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (20, 20), (17, 300)])
def test_small_and_even_pictures_have_no_shift(shape):
    even = np.full(shape, 7.0, np.float32)
    assert find_shift(even, even) == (0.0, 0.0)


def test_moved_goes_right_and_down_and_common_tells_where_it_is_known():
    picture = np.zeros((20, 20), np.float32)
    picture[5, 6] = 1.0
    assert np.unravel_index(moved(picture, (2.0, 3.0)).argmax(), (20, 20)) == (8, 8)
    assert common((20, 20), (2.5, -3.0), margin=0) == (slice(0, 17), slice(3, 20))
    rows, columns = common((20, 20), (40.0, 0.0))
    assert picture[rows, columns].size == 0
