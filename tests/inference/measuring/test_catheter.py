"""A catheter's outer width, whatever its wall, blur, polarity and scale."""

import numpy as np
import pytest

from inference.measuring.catheter import Build, Doubt, measure_catheter
from tests.inference.measuring.pictures import along, tube

WALLS = ((Build.GUIDING, 0.86), (Build.DIAGNOSTIC, 0.72))


def picture(shadow, seed=0, contrast=12.0, noise=1.0, ground=120.0):
    rng = np.random.default_rng(seed)
    slope = np.linspace(-8, 8, shadow.shape[1])[None, :]
    return ground + slope - contrast * shadow + rng.normal(0, noise, shadow.shape)


@pytest.mark.parametrize(("build", "inner"), WALLS)
@pytest.mark.parametrize("width", [6.5, 10.0])
def test_the_width_is_found(build, inner, width):
    frame = picture(tube(width, inner))
    found = measure_catheter(frame, along(20.0) + [[0.8, -1.0], [-0.5, 1.2]], build)
    assert found.width_px == pytest.approx(width, rel=0.03)
    assert 0.005 * width < found.uncertainty_px < 0.05 * width
    assert found.darker and not found.doubts
    assert found.profile_count > 60


def test_blur_does_not_widen_it():
    widths = [
        measure_catheter(picture(tube(8.0, 0.72, blur_px=blur), noise=0.3), along(20.0)).width_px
        for blur in (0.7, 1.2)
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.03)


def test_edges_lie_half_a_width_to_each_side_of_the_true_middle():
    found = measure_catheter(picture(tube(8.0, 0.72)), along(20.0) + 2.0, Build.DIAGNOSTIC)
    np.testing.assert_allclose(
        np.linalg.norm(found.left - found.right, axis=1), found.width_px, rtol=1e-6
    )
    angle = np.deg2rad(20.0)
    away = (found.centre - 64.0) @ [-np.sin(angle), np.cos(angle)]
    assert np.abs(away).max() < 0.3
    # Left and right as seen on the screen, going along.
    way = found.centre[-1] - found.centre[0]
    side = (found.right - found.centre)[0]
    assert way[0] * side[1] - way[1] * side[0] > 0


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_polarity_and_stored_type_make_no_difference(dtype):
    frame = picture(tube(8.0, 0.72))
    dark = measure_catheter(frame.astype(dtype), along(20.0))
    bright = measure_catheter((255 - frame).astype(dtype), along(20.0))
    assert dark.darker and not bright.darker
    assert bright.width_px == pytest.approx(dark.width_px, rel=0.01)


def test_linear_values_are_measured_by_their_logarithm():
    shadow = tube(8.0, 0.72)
    frame = 3000 * np.exp(-0.12 * shadow) + np.random.default_rng(1).normal(0, 15, shadow.shape)
    found = measure_catheter(frame, along(20.0), Build.DIAGNOSTIC, linear=True)
    assert found.width_px == pytest.approx(8.0, rel=0.03)


def test_knowing_the_build_makes_it_surer():
    frame = picture(tube(8.0, 0.72))
    known, unknown = (
        measure_catheter(frame, along(20.0), b) for b in (Build.DIAGNOSTIC, Build.UNKNOWN)
    )
    assert known.uncertainty_px < 0.7 * unknown.uncertainty_px


def test_contrast_in_the_lumen_is_told():
    filled = measure_catheter(picture(tube(9.0, 0.72, lumen=1.0)), along(20.0))
    empty = measure_catheter(picture(tube(9.0, 0.72, lumen=0.05)), along(20.0))
    assert Doubt.FILLED in filled.doubts and filled.lumen_share > 0.5
    assert Doubt.FILLED not in empty.doubts and empty.lumen_share < 0.2


def test_a_short_stretch_is_doubted():
    found = measure_catheter(picture(tube(8.0, 0.72)), along(20.0, reach=7.0))
    assert Doubt.FEW_PROFILES in found.doubts


def test_noise_widens_the_uncertainty():
    quiet, loud = (
        measure_catheter(picture(tube(8.0, 0.72), noise=noise), along(20.0), Build.DIAGNOSTIC)
        for noise in (0.5, 8.0)
    )
    assert loud.uncertainty_px > 1.2 * quiet.uncertainty_px


def test_nothing_is_measured_where_there_is_no_catheter():
    frame = np.random.default_rng(3).normal(100, 5, (128, 128))
    with pytest.raises(LookupError):
        measure_catheter(frame, along(20.0))


@pytest.mark.parametrize("frame", [np.zeros((64, 64), np.uint8), np.full((64, 64), 7.0)])
def test_an_even_picture_holds_no_catheter(frame):
    with pytest.raises(LookupError):
        measure_catheter(frame, np.array([[10.0, 30.0], [50.0, 30.0]]))


def test_a_line_outside_the_picture_holds_no_catheter():
    with pytest.raises(LookupError):
        measure_catheter(picture(tube(8.0, 0.72)), along(20.0) + 400.0)


@pytest.mark.parametrize("clicks", [[[5, 5]], [[5, 5], [5, 5]], [[5, 5], [np.nan, 9]]])
def test_clicks_that_mark_no_line_are_refused(clicks):
    with pytest.raises(ValueError, match="apart"):
        measure_catheter(np.zeros((32, 32)), np.array(clicks, float))
