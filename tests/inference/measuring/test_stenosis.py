"""The narrowest place of a diameter profile, and its reference."""

import numpy as np
import pytest

from inference.measuring.stenosis import find_lesion

ARC = np.arange(200) * 0.25


def profile(least=1.2, place=22.0, length=10.0):
    healthy = 3.2 - 0.012 * ARC
    away = np.clip((ARC - place) / length, -0.5, 0.5)
    return healthy * (1 - (1 - least / np.interp(place, ARC, healthy)) * np.cos(np.pi * away) ** 2)


def test_the_reference_is_that_of_the_healthy_vessel():
    lesion = find_lesion(ARC, profile())
    np.testing.assert_allclose(lesion.reference, 3.2 - 0.012 * ARC, atol=0.05)
    assert lesion.minimal == pytest.approx(1.2, abs=1e-3)
    assert ARC[lesion.index] == 22.0
    assert lesion.stenosis == pytest.approx(1 - 1.2 / (3.2 - 0.012 * 22), abs=0.01)
    assert lesion.reference_diameter == pytest.approx(3.2 - 0.012 * 22, abs=0.05)
    assert ARC[lesion.begin] == pytest.approx(18.0, abs=1.0)
    assert ARC[lesion.end] == pytest.approx(26.0, abs=1.0)
    assert lesion.length == ARC[lesion.end] - ARC[lesion.begin]


def test_a_long_lesion_and_noise_do_not_pull_the_reference_down():
    rng = np.random.default_rng(0)
    lesion = find_lesion(ARC, profile(length=22.0) + rng.normal(0, 0.05, len(ARC)))
    np.testing.assert_allclose(lesion.reference, 3.2 - 0.012 * ARC, atol=0.2)


def test_an_aneurysm_does_not_pull_it_up():
    wide = profile() + 2.0 * np.exp(-0.5 * ((ARC - 38) / 1.5) ** 2)
    lesion = find_lesion(ARC, wide)
    assert lesion.reference_diameter == pytest.approx(3.2 - 0.012 * 22, abs=0.15)


def test_stretches_called_healthy_give_the_reference():
    lesion = find_lesion(ARC, profile(), ((10, 20), (170, 190)))
    np.testing.assert_allclose(lesion.reference, 3.2 - 0.012 * ARC, atol=0.02)
    one = find_lesion(ARC, profile(), ((10, 20), (20, 10)))
    np.testing.assert_allclose(one.reference, np.median(profile()[10:21]), atol=1e-9)


def test_ends_are_not_taken_for_the_narrowest_place():
    narrow_end = profile()
    narrow_end[:4] = 0.3
    assert ARC[find_lesion(ARC, narrow_end).index] == 22.0


def test_a_healthy_vessel_has_no_stenosis():
    lesion = find_lesion(ARC, 3.2 - 0.012 * ARC)
    assert lesion.stenosis == pytest.approx(0, abs=1e-6)
    assert lesion.length == 0


def test_a_profile_of_few_points():
    lesion = find_lesion(np.array([0.0, 1.0]), np.array([2.0, 1.0]))
    assert 0 <= lesion.stenosis <= 1
