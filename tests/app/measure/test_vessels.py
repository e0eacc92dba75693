"""What is kept of a vessel, what it says, and what goes out."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from app.measure.quantities import quantities
from app.measure.scale import Scale
from app.measure.table import Measured, csv_text
from app.measure.vessels import MOST_PLACES, pins_of, profile_csv, profile_of, values_of
from app.tracks.marks import Mark, MarkKind
from inference.measuring.stenosis import find_lesion
from inference.measuring.vessel import Vessel

MM = Scale(0.25, 0.25, "mm", "catheter 6 F", 0.01)
PX = Scale(1.0, 1.0, "px")
COUNT = 600


def vessel():
    """A straight vessel 10 px wide, narrowed to 4 px at its 300th place."""
    arc = np.arange(COUNT) * 1.0
    diameter = 10.0 - 6.0 * np.exp(-0.5 * ((arc - 300.0) / 15.0) ** 2)
    centre = np.stack([arc + 20.0, np.full(COUNT, 50.0)], axis=1)
    half = np.stack([np.zeros(COUNT), diameter / 2], axis=1)
    uncertainty = np.full(COUNT, 0.5)
    lesion = find_lesion(arc, diameter)
    return Vessel(centre, centre - half, centre + half, arc, diameter, uncertainty, lesion)


def values():
    return values_of(vessel(), [("left", 30.0, 44.0)])


def measured(scale=MM):
    mark = Mark("v", MarkKind.VESSEL, 4, ((20.0, 50.0), (619.0, 50.0)), "LAD", values())
    return Measured(mark, quantities(mark, scale), scale)


def test_what_is_kept_is_what_a_file_holds_and_little_of_it():
    kept = values()
    assert json.loads(json.dumps(kept)) == kept
    profile = profile_of(kept)
    assert len(profile.arc_px) <= MOST_PLACES + 3
    assert profile.arc_px[profile.narrowest] == 300.0
    assert profile.diameter_px[profile.narrowest] == pytest.approx(4.0)
    assert profile.lesion_px == pytest.approx(vessel().lesion.length)
    assert profile.stenosis == pytest.approx(0.6, abs=0.01)
    assert pins_of(kept) == (("left", 30.0, 44.0),)


def test_a_calibration_made_later_counts():
    minimal, reference, stenosis, lesion = measured().values
    assert (minimal.value, minimal.unit) == (pytest.approx(1.0), "mm")
    assert minimal.sd == pytest.approx(np.hypot(0.125, 0.01))
    assert reference.value == pytest.approx(2.5, abs=0.02)
    assert stenosis.text == "60%"
    assert lesion.value == pytest.approx(0.25 * vessel().lesion.length)
    in_px = measured(PX).values
    assert (in_px[0].text, in_px[0].sd) == ("4.00 px", None)
    assert in_px[2].text == "60%"


def test_it_names_its_source_and_that_it_is_not_validated():
    lines = measured().lines
    assert lines[0] == "LAD"
    assert lines[1] == "MLD 1.00 ± 0.25 mm, 60% DS"
    assert lines[2].startswith("lesion ") and lines[2].endswith(" mm, catheter 6 F")
    assert lines[3] == "not a validated medical measurement"
    assert lines[3] in measured().value_text


def test_the_csv_of_measures_says_so_in_every_line():
    rows = list(csv.DictReader(io.StringIO(csv_text([measured()]))))
    assert [row["quantity"] for row in rows] == ["MLD", "Reference", "DS", "Lesion"]
    assert {row["note"] for row in rows} == {"not a validated medical measurement"}
    assert [row["source"] for row in rows] == ["catheter 6 F", "catheter 6 F", "", "catheter 6 F"]


def test_the_profile_goes_out_with_places_unit_and_source():
    profile = profile_of(values())
    rows = list(csv.DictReader(io.StringIO(profile_csv(profile, MM))))
    assert len(rows) == len(profile.arc_px)
    (least,) = (row for row in rows if row["narrowest"] == "1")
    assert float(least["diameter"]) == pytest.approx(1.0)
    assert float(least["uncertainty"]) == pytest.approx(0.125)
    assert float(least["position"]) == pytest.approx(75.0)
    assert float(least["centre_x"]) == pytest.approx(320.0)
    assert (float(least["left_y"]), float(least["right_y"])) == (48.0, 52.0)
    assert (least["unit"], least["source"], least["lesion"]) == ("mm", "catheter 6 F", "1")
    assert {row["note"] for row in rows} == {"not a validated medical measurement"}
    assert 0 < sum(row["lesion"] == "1" for row in rows) < len(rows)


def test_a_place_of_the_picture_is_one_of_the_vessel_or_beside_it():
    profile = profile_of(values())
    place = profile.place_near(321.0, 51.0)
    assert profile.centre[place, 0] == pytest.approx(321.0, abs=2.0)
    assert profile.place_near(321.0, 70.0) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"edges": None},
        {"edges": [[[1, 2]], [[1, 2]]]},
        {"arc_px": [0.0, 1.0]},
        {"arc_px": [0.0] * 243},
        {"diameter_px": "wide"},
        {"diameter_px": [float("nan")] * 243},
        {"sd_px": [-1.0] * 243},
        {"reference_px": [0.0] * 243},
        {"centre": [[0.0, None]] * 243},
        {"lesion": [1, 2]},
        {"lesion": [1, 2, 9999]},
        {"lesion": [3, 2, 4]},
        {"lesion": [1.5, 2.5, 3.5]},
    ],
)
def test_values_of_a_file_are_believed_only_where_they_make_a_profile(wrong):
    assert profile_of({**values(), **wrong}) is None
    mark = Mark("v", MarkKind.VESSEL, 4, ((1.0, 2.0), (30.0, 2.0)), "", {**values(), **wrong})
    told = Measured(mark, quantities(mark, MM), MM)
    assert told.values == () and told.lines == ()


def test_no_values_make_no_profile():
    assert profile_of({}) is None
    assert pins_of({}) == () == pins_of({"pins": [["up", 1, 2], ["left", 1], 7, ["left", "a", 2]]})
