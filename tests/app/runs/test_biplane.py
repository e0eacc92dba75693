"""The other plane of a biplane run is found, and nothing else is taken for it."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pydicom
import pytest

from app.runs.biplane import PLANE_A, PLANE_B, SINGLE_PLANE, other_plane
from app.runs.catalog import scan
from app.runs.catalog_entry import CatalogEntry

NOON = datetime(2026, 3, 1, 12, 0, 0)
A = CatalogEntry(
    Path("a"),
    "a",
    study_uid="1.2",
    frame_count=40,
    plane=PLANE_A,
    acquired=NOON,
    instance_number=3,
    primary_angle_deg=-30.0,
    secondary_angle_deg=0.0,
)
B = replace(A, path=Path("b"), plane=PLANE_B, primary_angle_deg=60.0, instance_number=4)
LATER = {"acquired": NOON + timedelta(seconds=40)}
UNTIMED = {"acquired": None}
UNNAMED = {"plane": ""}


@pytest.mark.parametrize(
    ("run", "other", "together"),
    [
        (A, B, True),
        (A, replace(B, acquired=NOON + timedelta(seconds=1)), True),
        (A, replace(B, acquired=NOON + timedelta(seconds=1.1)), False),
        (replace(A, **UNNAMED), replace(B, **UNNAMED, acquired=NOON + timedelta(seconds=1)), True),
        (replace(A, **UNNAMED), replace(B, **UNNAMED, primary_angle_deg=-25.0), True),
        (A, replace(B, **LATER), False),
        (A, replace(B, study_uid="1.3"), False),
        (replace(A, study_uid=""), replace(B, study_uid=""), False),
        (A, replace(B, plane=PLANE_A), False),
        (A, replace(B, plane=SINGLE_PLANE), False),
        (replace(A, **UNTIMED), B, True),
        (A, replace(B, **UNTIMED, instance_number=3), True),
        (A, replace(B, **UNTIMED, instance_number=2), False),  # B comes after its A
        (A, replace(B, **UNTIMED, instance_number=5), False),
        (A, replace(B, **UNTIMED, instance_number=None), False),
        (replace(A, **UNNAMED), replace(B, **UNNAMED), True),
        (replace(A, **UNNAMED), B, False),
        (replace(A, **UNNAMED), replace(B, **UNNAMED, **UNTIMED), False),
        (replace(A, **UNNAMED), replace(B, **UNNAMED, frame_count=39), False),
        (replace(A, **UNNAMED), replace(B, **UNNAMED, primary_angle_deg=-29.0), False),
        (replace(A, **UNNAMED), replace(B, **UNNAMED, primary_angle_deg=None), False),
    ],
)
def test_which_runs_are_two_planes_of_one(run, other, together):
    others = [run, replace(A, path=Path("c"), study_uid="9"), other]
    assert other_plane(run, others) is (other if together else None)
    assert other_plane(other, others) is (run if together else None)


def test_of_two_that_would_do_none_is_taken():
    assert other_plane(A, [A, B, replace(B, path=Path("c"))]) is None


@pytest.mark.parametrize("time", ["120000.5", "", "99"])
def test_planes_are_paired_by_what_their_files_say(run_file, time):
    folder = run_file.parent
    uid = pydicom.uid.generate_uid()
    planes = (("p.dcm", "BIPLANE A", -20), ("q.dcm", "BIPLANE B", 70))
    for number, (name, plane, angle) in enumerate(planes, 1):
        dataset = pydicom.dcmread(run_file)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = (
            pydicom.uid.generate_uid()
        )
        dataset.ImageType = ["ORIGINAL", "PRIMARY", plane]
        dataset.StudyInstanceUID = uid
        dataset.PositionerPrimaryAngle = angle
        dataset.AcquisitionDate = "20260301"
        with pydicom.config.disable_value_validation():
            dataset.AcquisitionTime = time
        del dataset.ContentTime
        dataset.InstanceNumber = number
        dataset.save_as(folder / name)
    entries = {entry.path.name: entry for entry in scan(folder)}
    known = datetime(2026, 3, 1, 12, 0, 0, 500000) if time.startswith("12") else None
    assert entries["p.dcm"].acquired == known
    assert other_plane(entries["p.dcm"], tuple(entries.values())) is entries["q.dcm"]
    assert other_plane(entries["run.dcm"], tuple(entries.values())) is None
