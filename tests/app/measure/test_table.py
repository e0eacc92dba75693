"""Measures as text."""

from __future__ import annotations

import csv
import io

from app.measure.quantities import quantities
from app.measure.scale import Scale
from app.measure.table import Measured, csv_text
from app.tracks.marks import Mark, MarkKind

MM = Scale(0.25, 0.25, "mm", "catheter 6 F", 0.01)
PX = Scale(1.0, 1.0, "px")


def measured(kind, points, scale=MM, frame=4, text=""):
    mark = Mark("m", kind, frame, points, text)
    return Measured(mark, quantities(mark, scale), scale)


def test_a_length_names_its_source_on_the_picture():
    distance = measured(MarkKind.DISTANCE, ((0, 0), (40, 0)), text="LAD")
    assert distance.lines == ("LAD", "10.0 ± 0.4 mm, catheter 6 F")
    assert measured(MarkKind.DISTANCE, ((0, 0), (40, 0)), PX).lines == ("40.0 px",)


def test_an_angle_names_no_source():
    angle = measured(MarkKind.ANGLE, ((100, 0), (0, 0), (0, 100)))
    assert angle.source == ""
    assert angle.lines[0].startswith("90.0 ±")


def test_the_csv_holds_every_value_its_unit_uncertainty_and_source():
    rows = list(
        csv.DictReader(
            io.StringIO(
                csv_text(
                    [
                        measured(MarkKind.DISTANCE, ((0, 0), (40, 0))),
                        measured(MarkKind.RECTANGLE, ((0, 0), (4, 4)), PX, frame=None),
                        measured(MarkKind.TEXT, ((1, 2),), text='=HYPERLINK("x"), and more'),
                    ]
                )
            )
        )
    )
    assert [row["kind"] for row in rows] == ["distance", "rectangle", "text"]
    assert [row["frame"] for row in rows] == ["5", "", "5"]
    assert [row["unit"] for row in rows] == ["mm", "px²", ""]
    assert [row["source"] for row in rows] == ["catheter 6 F", "", ""]
    assert float(rows[0]["value"]) == 10.0
    assert 0.3 < float(rows[0]["uncertainty"]) < 0.5
    assert rows[1]["uncertainty"] == ""
    assert rows[2]["text"] == """'=HYPERLINK("x"), and more"""
    assert rows[2]["points"] == "1.00 2.00"
