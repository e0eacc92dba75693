"""A vessel's centre line, edges, diameters and narrowest place."""

import numpy as np
import pytest

from inference.benchmarks.vessels import cases
from inference.denoising.training.samples import read_run
from inference.measuring.profiles import across
from inference.measuring.vessel import Pin, Side, measure_vessel
from inference.measuring.vesselness import polarity, way_along
from tests.inference.measuring.pictures import vessel, vessel_middle

ENDS = vessel_middle([15.0, 145.0])


def tapering(x):
    return 9.0 - 0.02 * x


def stenosed(least, place=80.0, length=40.0):
    def diameter(x):
        away = np.clip((x - place) / length, -0.5, 0.5)
        return tapering(x) * (1 - (1 - least / tapering(place)) * np.cos(np.pi * away) ** 2)

    return diameter


def picture(diameter, seed=0, noise=1.0, contrast=8.0, **options):
    shadow = vessel(diameter, **options)
    return 150 - contrast * shadow + np.random.default_rng(seed).normal(0, noise, shadow.shape)


def test_the_way_follows_the_vessel():
    frame = picture(tapering).astype(np.float32)
    line = way_along(frame, ENDS, -1)
    np.testing.assert_allclose(line[[0, -1]], ENDS, atol=0.1)
    middle = vessel_middle(line[:, 0])
    assert np.abs(line[:, 1] - middle[:, 1]).max() < 2.5


def test_clicks_between_lead_the_way():
    frame = picture(tapering).astype(np.float32)
    off = np.array([80.0, 105.0])
    line = way_along(frame, np.stack([ENDS[0], off, ENDS[1]]), -1)
    assert np.hypot(*(line - off).T).min() < 3.0


@pytest.mark.parametrize(
    "clicks", [[[10, 10]], [[10, 10], [10, 10]], [[10, 10], [500, 10]], [[-20, 4], [50, 50]]]
)
def test_clicks_that_mark_no_way_are_refused(clicks):
    with pytest.raises(ValueError, match=r"apart|within"):
        measure_vessel(np.zeros((160, 160)), np.array(clicks, float))


def test_both_polarities_are_told():
    frame = picture(tapering).astype(np.float32)
    assert polarity(frame, ENDS, 1.0) == -1
    assert polarity(-frame, ENDS, 1.0) == 1


def test_diameters_of_a_healthy_vessel():
    found = measure_vessel(picture(tapering), ENDS)
    inner = slice(8, -8)
    wanted = tapering(found.centre[:, 0])
    np.testing.assert_allclose(found.diameter_px[inner], wanted[inner], atol=0.6)
    assert np.abs(found.diameter_px - wanted)[inner].mean() < 0.25
    middle = vessel_middle(found.centre[:, 0])
    assert np.abs(found.centre - middle)[inner, 1].max() < 0.4
    np.testing.assert_allclose(
        np.linalg.norm(found.left - found.right, axis=1), found.diameter_px, atol=1e-6
    )
    assert found.lesion.stenosis < 0.12


@pytest.mark.parametrize("least", [1.4, 3.0, 5.0])
def test_a_stenosis_is_measured(least):
    found = measure_vessel(picture(stenosed(least)), ENDS)
    assert found.lesion.minimal == pytest.approx(least, abs=0.45)
    assert found.lesion.stenosis == pytest.approx(1 - least / tapering(80.0), abs=0.06)
    assert found.centre[found.lesion.index, 0] == pytest.approx(80.0, abs=4.0)
    assert 20.0 < found.lesion.length < 48.0


def test_blur_does_not_widen_a_narrow_lumen():
    sharp, soft = (
        measure_vessel(picture(stenosed(2.0), blur_px=blur), ENDS).lesion.minimal
        for blur in (0.7, 1.4)
    )
    assert soft == pytest.approx(sharp, abs=0.4)


def test_bright_vessels_and_linear_values():
    frame = picture(stenosed(3.0))
    bright = measure_vessel(255 - frame, ENDS)
    assert bright.lesion.minimal == pytest.approx(3.0, abs=0.45)
    shadow = vessel(stenosed(3.0))
    noise = np.random.default_rng(1).normal(0, 15, shadow.shape)
    linear = measure_vessel(3000 * np.exp(-0.1 * shadow) + noise, ENDS, linear=True)
    assert linear.lesion.minimal == pytest.approx(3.0, abs=0.45)


@pytest.mark.parametrize("side", list(Side))
def test_a_dragged_edge_goes_through_its_place(side):
    frame = picture(tapering)
    free = measure_vessel(frame, ENDS)
    row = len(free.arc_px) // 2
    edges = {Side.LEFT: free.left, Side.RIGHT: free.right}
    outwards = edges[side][row] - free.centre[row]
    wanted = edges[side][row] + 1.5 * outwards / np.linalg.norm(outwards)
    held = measure_vessel(frame, ENDS, [Pin(side, *wanted)])
    edge, other = (held.left, held.right) if side is Side.LEFT else (held.right, held.left)
    assert np.hypot(*(edge - wanted).T).min() < 0.6
    before = free.right if side is Side.LEFT else free.left
    assert np.abs(np.interp(80.0, *other.T) - np.interp(80.0, *before.T)) < 1.0
    np.testing.assert_allclose(held.diameter_px[:20], free.diameter_px[:20], atol=0.05)
    assert held.diameter_px[row] > free.diameter_px[row] + 0.8


def test_an_even_picture_gives_a_finite_answer():
    found = measure_vessel(np.full((160, 160), 9, np.uint8), ENDS)
    assert np.isfinite(found.diameter_px).all()
    assert np.isfinite(found.lesion.stenosis)


def test_the_uncertainty_covers_and_grows_with_the_noise():
    quiet, loud = (measure_vessel(picture(tapering, noise=noise), ENDS) for noise in (1.0, 5.0))
    inner = slice(8, -8)
    for found in (quiet, loud):
        wrong = np.abs(found.diameter_px - tapering(found.centre[:, 0]))[inner]
        assert (wrong < 1.96 * found.uncertainty_px[inner]).mean() > 0.9
    assert np.median(loud.uncertainty_px) > 1.1 * np.median(quiet.uncertainty_px)
    assert np.median(quiet.uncertainty_px) < 0.12 * np.median(quiet.diameter_px)


def test_a_pin_that_lies_elsewhere_holds_nothing():
    frame = picture(tapering)
    free = measure_vessel(frame, ENDS)
    held = measure_vessel(frame, ENDS, [Pin(Side.LEFT, 80.0, 10.0)])
    np.testing.assert_array_equal(held.left, free.left)


@pytest.mark.slow
def test_a_simulated_stenosis_is_measured_within_its_uncertainty():
    (case,) = cases(1)
    found = measure_vessel(case.frames[case.frame], case.clicks, linear=case.linear)
    minimal_mm = found.lesion.minimal * case.mm_per_px
    uncertainty_mm = found.uncertainty_px[found.lesion.index] * case.mm_per_px
    assert minimal_mm == pytest.approx(case.minimal_mm, abs=1.96 * uncertainty_mm)
    assert uncertainty_mm < 0.3
    assert found.lesion.stenosis == pytest.approx(case.stenosis, abs=0.12)


def test_a_real_vessel_is_darker_within_its_edges(shared_data):
    frame = np.asarray(read_run(shared_data / "rubo" / "0002.DCM"))[40]
    ends = np.array([[171.8, 151.8], [135.9, 347.2]])
    found = measure_vessel(frame, ends)
    picture = frame.astype(np.float32)
    inside = across(picture, found.centre, np.zeros(1))[:, 0]
    beside = [
        np.mean([picture[int(y), int(x)] for x, y in edge + 0.8 * (edge - found.centre)])
        for edge in (found.left, found.right)
    ]
    assert np.nanmean(inside) < min(beside) - 15
    assert (np.abs(found.diameter_px - 12.0) < 7.0).all()
    way = np.linalg.norm(ends[1] - ends[0])
    assert way < found.arc_px[-1] < 1.2 * way


def test_pins_that_contradict_each_other_still_give_an_answer():
    pins = [Pin(side, 80.0, y) for side in Side for y in (80.0, 84.0, 92.0, 95.0)]
    pins += [Pin(Side.LEFT, 81.0, 96.0), Pin(Side.RIGHT, *ENDS[0]), Pin(Side.LEFT, *ENDS[0])]
    found = measure_vessel(picture(tapering), ENDS, pins)
    assert np.isfinite(found.diameter_px).all() and (found.diameter_px >= 0).all()
    assert np.abs(found.diameter_px - tapering(found.centre[:, 0]))[100:-8].mean() < 0.4


def test_a_way_to_and_fro_all_over_the_picture_is_refused():
    to_and_fro = np.array([[10.0 + 12 * k, 150.0 if k % 2 else 10.0] for k in range(12)])
    with pytest.raises(ValueError, match="too long"):
        measure_vessel(np.random.default_rng(0).normal(100, 5, (160, 160)), to_and_fro)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_spoil_only_their_place(value):
    frame = picture(tapering)
    frame[20:24, 40:60] = value
    found = measure_vessel(frame, ENDS)
    wrong = np.abs(found.diameter_px - tapering(found.centre[:, 0]))[8:-8]
    assert wrong.mean() < 0.3
