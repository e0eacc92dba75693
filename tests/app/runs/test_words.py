"""The corner lines: what people say, nothing unlabelled, and no name where none may stand."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from app.runs import words
from app.runs.opening import open_run
from app.runs.run import Patient, Run, Window


def a_run(**fields):
    frames = None
    base = Run(Path("run"), frames, 3, 4, 6, np.arange(3) * 40.0)
    return replace(base, **fields)


@pytest.mark.parametrize(
    ("dicom", "spoken"),
    [
        ("REMOVED^PUBLIC", "REMOVED, PUBLIC"),
        ("Doe^Jane^Q", "Doe, Jane Q"),
        ("Doe", "Doe"),
        ("Doe^", "Doe"),
        ("^Jane", "Jane"),
        ("Doe^^^^", "Doe"),
        ("  Doe ^ Jane  Ann ", "Doe, Jane Ann"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou"),
        ("=山田^太郎", "山田, 太郎"),
        ("", ""),
        ("^^^^", ""),
        ("a^b^c^d^e^f^g", "a, b c, d, e"),
    ],
)
def test_names_as_people_write_them(dicom, spoken):
    assert words.person_name(dicom) == spoken


def test_patient_lines_are_labelled():
    patient = Patient("Doe^Jane", "5", date(1970, 1, 31), "F")
    assert words.patient_lines(a_run(patient=patient)) == (
        "Doe, Jane",
        "ID 5",
        "born 1970-01-31, female",
    )
    assert words.patient_lines(a_run(patient=Patient(sex="M"))) == ("male",)
    assert words.patient_lines(a_run(patient=Patient(sex="?"))) == ()
    assert words.patient_lines(a_run()) == ()


def test_study_lines_without_what_people_typed():
    run = a_run(
        study_description="CORO of Jane Doe",
        series_description="LCA",
        study_date=date(2024, 2, 29),
        acquisition_time="093015.5",
    )
    assert words.study_lines(run) == ("CORO of Jane Doe", "LCA", "2024-02-29 09:30:15")
    numbered = replace(run, study_description="5", series_description="12")
    assert words.study_lines(numbered)[:2] == ("Study 5", "Series 12")
    assert words.study_lines(run, described=False) == ("2024-02-29 09:30:15",)


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("0930", "09:30"),
        ("5", ""),
        ("", ""),
        ("noon", ""),
        ("093", ""),
        ("093060", "09:30:60"),
        ("2430", ""),
    ],
)
def test_times_of_day(time, shown):
    assert words.study_lines(a_run(acquisition_time=time)) == ((shown,) if shown else ())


@pytest.mark.parametrize(
    ("primary", "secondary", "text"),
    [
        (30.0, 20.0, "LAO 30° CRAN 20°"),
        (-30.0, -20.0, "RAO 30° CAUD 20°"),
        (-32.0, 2.0, "RAO 32° CRAN 2°"),
        (None, -5.0, "CAUD 5°"),
        (45.4, None, "LAO 45°"),
        (None, None, ""),
    ],
)
def test_projections(primary, secondary, text):
    assert words.angle_text(primary, secondary) == text
    run = a_run(
        primary_angles_deg=None if primary is None else np.array([0.0, primary, 0.0]),
        secondary_angles_deg=None if secondary is None else np.array([0.0, secondary, 0.0]),
    )
    assert words.angles_on(run, 1) == text


def test_timing_lines():
    assert words.timing_lines(a_run(), 1)[:2] == ("Frame 2 / 3", "0.040 s")


def test_window_text():
    assert words.window_text(Window(100, 50), inverted=True) == "C 100 W 50  inverted"


def test_dates_and_names_come_from_the_file_as_they_are_shown(tmp_path, write_run, ramp):
    run = open_run(write_run(ramp, PatientBirthDate="19700131", StudyDate="20240230"))
    with closing(run.frames):
        assert run.patient.birth_date == date(1970, 1, 31)
        assert run.study_date is None
