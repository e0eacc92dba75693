"""A ball's diameter, from one that hardly absorbs to an opaque one."""

import numpy as np
import pytest

from inference.measuring.sphere import measure_sphere
from tests.inference.measuring.pictures import ball

ROUGH = np.array([[64.0, 47.0], [48.0, 60.0], [36.0, 44.0], [52.0, 28.0]])


def picture(diameter, depth, noise=1.0, sign=-1):
    rng = np.random.default_rng(0)
    shadow = ball(diameter, depth)
    return 120 + sign * 60 * shadow + rng.normal(0, noise, shadow.shape)


@pytest.mark.parametrize("depth", [0.3, 1.5, 20.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_place_and_diameter_are_found(depth, sign):
    found = measure_sphere(picture(30.0, depth, sign=sign), ROUGH)
    assert found.diameter_px == pytest.approx(30.0, rel=0.01)
    assert (found.x, found.y) == pytest.approx((50.3, 44.8), abs=0.2)
    assert 0 < found.uncertainty_px < 0.6


def test_clicks_in_a_line_are_refused():
    with pytest.raises(ValueError, match="line"):
        measure_sphere(picture(30.0, 1.0), np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))


def test_two_clicks_are_refused():
    with pytest.raises(ValueError, match="three"):
        measure_sphere(picture(30.0, 1.0), ROUGH[:2])


def test_nothing_is_measured_where_there_is_no_ball():
    frame = np.random.default_rng(1).normal(100, 5, (96, 96))
    with pytest.raises(LookupError):
        measure_sphere(frame, ROUGH)


def test_a_ball_that_leaves_the_picture_is_refused():
    with pytest.raises(LookupError, match="edge"):
        measure_sphere(picture(30.0, 1.0), ROUGH - [[50.0, 45.0]])
