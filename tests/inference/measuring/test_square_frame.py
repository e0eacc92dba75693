"""Pixels that are not square change no width, diameter or place."""

import numpy as np
import pytest

from inference.measuring.catheter import Build, measure_catheter
from inference.measuring.sphere import measure_sphere
from inference.measuring.square_frame import SquareFrame
from inference.measuring.vessel import Pin, Side, measure_vessel
from tests.inference.measuring.pictures import along, ball, tube, vessel, vessel_middle

PAIRS = {"rows": (1, 2), "columns": (2, 1)}
"""Two pixels become one: their (x, y) sizes."""


def joined(picture, size):
    """The mean of as many columns and rows as ``size`` says, and the aspect of such pixels."""
    wide, high = size
    rows, columns = picture.shape
    parts = picture.reshape(rows // high, high, columns // wide, wide)
    return parts.mean(axis=(1, 3)), high / wide


def placed(points, size):
    """The places in that picture."""
    size = np.array(size)
    return (np.asarray(points, float) - (size - 1) / 2) / size


def noisy(shadow, contrast=10.0):
    return 150 - contrast * shadow + np.random.default_rng(2).normal(0, 1, shadow.shape)


@pytest.fixture(params=PAIRS.values(), ids=PAIRS)
def size(request):
    return request.param


def test_places_go_there_and_back(size):
    picture = np.random.default_rng(0).normal(size=(60, 80)).astype(np.float32)
    for most_side in (None, 50):
        square = SquareFrame(picture, size[1] / size[0], most_side=most_side)
        points = np.array([[0.0, 0.0], [12.5, 33.0], [79.0, 59.0]])
        np.testing.assert_allclose(square.back(square.there(points)), points, atol=1e-9)


def test_what_is_resampled_lies_where_it_lay(size):
    x, y = np.meshgrid(np.arange(80.0), np.arange(60.0))
    square = SquareFrame(3 * x - 2 * y, size[1] / size[0], most_side=40)
    there = square.there([[20.0, 30.0], [44.0, 18.0]])
    for (column, row), (a, b) in zip(there, ((20.0, 30.0), (44.0, 18.0)), strict=True):
        low = np.floor([column, row]).astype(int)
        part = square.pixels[low[1] : low[1] + 2, low[0] : low[0] + 2]
        right, down = column - low[0], row - low[1]
        value = np.array([1 - down, down]) @ part @ np.array([1 - right, right])
        assert value == pytest.approx(3 * a - 2 * b, abs=0.05)


def test_square_pixels_stay_as_they_are():
    picture = np.arange(12.0).reshape(3, 4)
    square = SquareFrame(picture)
    np.testing.assert_array_equal(square.pixels, picture)
    assert square.columns_per_px == 1.0


def test_a_catheter_is_as_wide(size):
    frame, aspect = joined(noisy(tube(9.0, 0.72)), size)
    clicks = placed(along(20.0), size)
    found = measure_catheter(frame, clicks, Build.DIAGNOSTIC, aspect=aspect)
    assert found.width_px * size[0] == pytest.approx(9.0, rel=0.06)
    width = np.linalg.norm((found.right - found.left) * size, axis=1)
    np.testing.assert_allclose(width, found.width_px * size[0], rtol=1e-6)


def test_a_ball_is_as_large_and_lies_where_it_lies(size):
    frame, aspect = joined(120 - 60 * ball(36.0, 1.5), size)
    rim = placed([[66.0, 47.0], [48.0, 62.0], [34.0, 44.0], [52.0, 27.0]], size)
    found = measure_sphere(frame, rim, aspect=aspect)
    assert found.diameter_px * size[0] == pytest.approx(36.0, rel=0.02)
    np.testing.assert_allclose([found.x, found.y], placed([50.3, 44.8], size), atol=0.3)


def test_a_vessel_has_the_same_diameters_and_lies_where_it_lies(size):
    frame, aspect = joined(noisy(vessel(lambda x: 11.0 - 0.02 * x)), size)
    ends = placed(vessel_middle([15.0, 145.0]), size)
    found = measure_vessel(frame, ends, aspect=aspect)
    inner = slice(10, -10)
    x = found.centre[:, 0] * size[0]
    wanted = 11.0 - 0.02 * x
    assert np.abs(found.diameter_px * size[0] - wanted)[inner].mean() < 0.4
    middle = placed(vessel_middle(x), size)[:, 1]
    assert np.abs(found.centre[:, 1] - middle)[inner].max() * size[1] < 0.8
    way = np.linalg.norm(np.diff(found.centre * size, axis=0), axis=1).sum()
    assert found.arc_px[-1] * size[0] == pytest.approx(way, rel=0.02)
    row = len(x) // 2
    place = found.left[row] - 0.3 * (found.right[row] - found.left[row])
    held = measure_vessel(frame, ends, [Pin(Side.LEFT, *place)], aspect=aspect)
    assert np.linalg.norm((held.left - place) * size, axis=1).min() < 1.0


def test_a_large_picture_is_measured_at_half_its_size(monkeypatch):
    frame = noisy(vessel(lambda x: 11.0 - 0.02 * x))
    ends = vessel_middle([15.0, 145.0])
    whole = measure_vessel(frame, ends)
    monkeypatch.setattr("inference.measuring.vessel.MOST_SIDE_PX", 100)
    half = measure_vessel(frame, ends)
    assert len(half.arc_px) < 0.6 * len(whole.arc_px)
    assert half.arc_px[-1] == pytest.approx(whole.arc_px[-1], rel=0.02)
    inner = slice(5, -5)
    assert np.abs(half.diameter_px - (11.0 - 0.02 * half.centre[:, 0]))[inner].mean() < 0.4
