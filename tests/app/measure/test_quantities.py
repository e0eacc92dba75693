"""What measures say, and how sure they are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.measure.quantities import Quantity, quantities
from app.measure.scale import Scale
from app.tracks.marks import Mark, MarkKind

PIXELS = Scale(1.0, 1.0, "px")
TALL = Scale(0.2, 0.4, "mm", "catheter 6 F", 0.01)
RAMP = np.arange(40)[:, None] * 100.0 + np.arange(60)[None, :]


def greys(rows, columns):
    return RAMP[rows, columns]


def values(kind, points, scale=PIXELS, **more):
    return quantities(Mark("m", kind, 0, points), scale, **more)


def test_a_distance_is_measured_along_each_axis_in_its_own_spacing():
    (length,) = values(MarkKind.DISTANCE, ((0.0, 0.0), (30.0, 20.0)), TALL)
    assert length.value == pytest.approx(math.hypot(6.0, 8.0))
    assert length.unit == "mm"
    placed = 0.5 * math.sqrt(2) * math.hypot(0.6 * 0.2, 0.8 * 0.4)
    assert length.sd == pytest.approx(math.hypot(placed, 0.1), rel=1e-3)


def test_pixels_have_no_uncertainty_of_millimetres():
    (length,) = values(MarkKind.DISTANCE, ((0.0, 0.0), (3.0, 4.0)))
    assert (length.value, length.unit, length.sd) == (5.0, "px", None)


def test_a_polyline_is_as_long_as_its_parts():
    (length,) = values(MarkKind.POLYLINE, ((0, 0), (3, 4), (3, 10), (0, 10)))
    assert length.value == pytest.approx(14.0)


@pytest.mark.parametrize(
    ("end", "degrees"), [((0, -5), 90), ((5, 0), 0), ((-5, 0), 180), ((5, 5), 45), ((0, 5), 90)]
)
def test_an_angle_is_that_at_the_second_handle(end, degrees):
    corner = (20.0, 20.0)
    points = ((28.0, 20.0), corner, (corner[0] + end[0], corner[1] + end[1]))
    (angle,) = values(MarkKind.ANGLE, points)
    assert angle.value == pytest.approx(degrees, abs=1e-6)
    assert angle.unit == "°"


def test_an_angle_is_that_of_the_patient_where_pixels_are_not_square():
    (angle,) = values(MarkKind.ANGLE, ((10, 0), (0, 0), (10, 5)), TALL)
    assert angle.value == pytest.approx(45.0)


def test_the_uncertainty_of_an_angle_falls_with_the_length_of_its_legs():
    short, long = (
        values(MarkKind.ANGLE, ((reach, 0), (0, 0), (0, reach)))[0].sd for reach in (10, 100)
    )
    assert short == pytest.approx(10 * long, rel=1e-3)
    assert short == pytest.approx(math.degrees(0.5 * 2 / 10), rel=0.01)


def test_a_rectangle_tells_the_greys_inside_and_its_area():
    mean, sd, area = values(MarkKind.RECTANGLE, ((10, 5), (12, 8)), TALL, greys=greys)
    part = RAMP[5:9, 10:13]
    assert mean.value == pytest.approx(part.mean())
    assert sd.value == pytest.approx(part.std())
    assert (area.value, area.unit) == (pytest.approx(2 * 0.2 * 3 * 0.4), "mm²")
    assert area.sd >= 0.02 * area.value


def test_corners_may_be_placed_in_any_order_and_beyond_the_edge():
    there = values(MarkKind.RECTANGLE, ((-3.2, -7.0), (4.4, 2.6)), greys=greys)
    back = values(MarkKind.RECTANGLE, ((4.4, 2.6), (-3.2, -7.0)), greys=greys)
    assert [v.value for v in there] == pytest.approx([v.value for v in back])
    assert there[0].value == pytest.approx(RAMP[:3, :5].mean())


def test_an_ellipse_takes_the_pixels_whose_centres_lie_inside():
    mean, sd, area = values(MarkKind.ELLIPSE, ((10, 10), (20, 30)), greys=greys)
    y, x = np.mgrid[:40, :60]
    inside = ((x - 15) / 5) ** 2 + ((y - 20) / 10) ** 2 <= 1
    assert mean.value == pytest.approx(RAMP[inside].mean())
    assert sd.value == pytest.approx(RAMP[inside].std())
    assert area.value == pytest.approx(math.pi * 5 * 10)


@pytest.mark.parametrize("kind", [MarkKind.RECTANGLE, MarkKind.ELLIPSE])
@pytest.mark.parametrize("far", [1e3, 1e6])
def test_a_region_far_larger_than_the_picture_costs_no_more_than_the_picture(kind, far):
    mean, sd, area = values(kind, ((-far, -far), (far, far)), greys=greys)
    assert (mean.value, sd.value) == pytest.approx((RAMP.mean(), RAMP.std()))
    assert area.value > RAMP.size
    assert len(values(kind, ((far, far), (2 * far, 2 * far)), greys=greys)) == 1


def test_a_region_between_pixels_has_an_area_alone():
    assert len(values(MarkKind.RECTANGLE, ((1.2, 1.2), (1.4, 1.4)), greys=greys)) == 1
    assert len(values(MarkKind.ELLIPSE, ((1.2, 1.2), (9.0, 9.0)))) == 1


def test_words_have_no_values():
    assert values(MarkKind.TEXT, ((1, 1),)) == ()
    assert values(MarkKind.ARROW, ((1, 1), (2, 2))) == ()


def test_a_value_is_written_with_what_covers_95_percent():
    assert Quantity("Length", 12.43, "mm", 0.14).text == "12.4 ± 0.3 mm"
    assert Quantity("Length", 1.234, "mm", 0.021).text == "1.23 ± 0.04 mm"
    assert Quantity("Length", 83.24, "px").text == "83.2 px"
    assert Quantity("Angle", 43.2, "°", 0.4).text == "43.2 ± 0.8°"
