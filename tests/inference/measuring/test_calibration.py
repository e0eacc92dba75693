"""Millimetres to a pixel and how sure they are."""

import numpy as np
import pytest

from inference.measuring.calibration import (
    TOLERANCE_MM,
    Scale,
    by_catheter,
    by_geometry,
    by_length,
    by_sphere,
    of_known_length,
)
from inference.measuring.catheter import CatheterWidth
from inference.measuring.sphere import Circle

NOWHERE = np.zeros((2, 2))


def test_french_is_a_third_of_a_millimetre():
    width = CatheterWidth(8.0, 0.16, NOWHERE, NOWHERE, NOWHERE, 60, True, 0.0, frozenset())
    scale = by_catheter(width, 6)
    assert scale.mm_per_px == pytest.approx(0.25)
    assert scale.uncertainty / scale.mm_per_px == pytest.approx(np.hypot(0.02, TOLERANCE_MM / 2.0))


def test_a_length_carries_both_uncertainties():
    length_mm, uncertainty_mm = Scale(0.25, 0.005).length(40.0, 1.0)
    assert length_mm == pytest.approx(10.0)
    assert uncertainty_mm == pytest.approx(np.hypot(0.2, 0.25))


def test_by_length_counts_the_clicks():
    near, far = (by_length(np.array([[0, 0], [x, 0]]), x / 4) for x in (20.0, 200.0))
    assert near.mm_per_px == pytest.approx(far.mm_per_px) == 0.25
    assert near.uncertainty == pytest.approx(10 * far.uncertainty)
    coarse = by_length(np.array([[0, 0], [20.0, 0]]), 5.0, unit=2.0)
    assert coarse.uncertainty == pytest.approx(2 * near.uncertainty)


def test_by_sphere():
    scale = by_sphere(Circle(0, 0, 50.0, 0.5), 10.0, tolerance_mm=0.1)
    assert scale.mm_per_px == pytest.approx(0.2)
    assert scale.uncertainty == pytest.approx(0.2 * np.hypot(0.01, 0.01))


def test_geometry_at_the_isocentre_is_demagnified():
    scale = by_geometry(0.2, 1000.0, 750.0)
    assert scale.mm_per_px == pytest.approx(0.15)
    assert scale.uncertainty == pytest.approx(0.15 * 40 / 750)


def test_the_table_height_moves_the_heart_and_makes_it_surer():
    plain = by_geometry(0.2, 1000.0, 750.0)
    level = by_geometry(0.2, 1000.0, 750.0, table_height_mm=130.0)
    lower = by_geometry(0.2, 1000.0, 750.0, table_height_mm=180.0)
    assert level.mm_per_px == pytest.approx(plain.mm_per_px)
    assert lower.mm_per_px == pytest.approx(0.2 * 700 / 1000)
    assert level.uncertainty < plain.uncertainty


def test_from_the_side_the_table_height_says_nothing():
    lateral = by_geometry(0.2, 1000.0, 750.0, table_height_mm=180.0, angles_deg=(90.0, 0.0))
    assert lateral.mm_per_px == pytest.approx(0.15)
    assert lateral.uncertainty == pytest.approx(by_geometry(0.2, 1000.0, 750.0).uncertainty)


@pytest.mark.parametrize(
    "distances", [(0.2, 700.0, 750.0), (0.0, 1000.0, 750.0), (0.2, 1000.0, 0.0)]
)
def test_impossible_geometry_is_refused(distances):
    with pytest.raises(ValueError, match="between"):
        by_geometry(*distances)


@pytest.mark.parametrize("lengths", [(0.0, 10.0), (5.0, 0.0), (-1.0, 10.0), (float("nan"), 10.0)])
def test_impossible_lengths_are_refused(lengths):
    with pytest.raises(ValueError, match="above 0"):
        of_known_length(*lengths, uncertainty_px=0.1)


@pytest.mark.parametrize(
    "scale", [(0.0, 0.1), (float("inf"), 0.1), (0.2, -0.1), (0.2, float("nan"))]
)
def test_impossible_scales_are_refused(scale):
    with pytest.raises(ValueError, match="0"):
        Scale(*scale)
