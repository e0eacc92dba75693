"""The log tells what happened and never whose run it was."""

import logging
import os
import subprocess
import sys

from app.log import SafeFormatter

NAME = "Doe_Jane_1950"


def logged(name, message, *args, error=None):
    """Return what the log would hold of a record."""
    trouble = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord(name, logging.ERROR, "x.py", 7, message, args, trouble)
    return SafeFormatter().format(record)


def test_numbers_and_types_are_written_and_names_are_not():
    text = logged("app.runs.dicom", "frame %d of %s not decoded", 12, NAME)
    assert "frame 12 of" in text
    assert NAME not in text


def test_an_error_tells_its_type_and_place_but_not_its_words():
    try:
        raise ValueError(f"{NAME}.dcm is bad")
    except ValueError as error:
        text = logged("app.runs", "opening failed", error=error)
    assert "ValueError" in text
    assert "test_log.py" in text
    assert NAME not in text


def test_what_other_libraries_say_is_left_out():
    assert NAME not in logged("pydicom", f"reading {NAME}.dcm")


def test_a_command_that_fails_is_logged_without_the_name_of_its_file(tmp_path):
    bad = tmp_path / f"{NAME}.dcm"
    bad.write_bytes(b"no run at all")
    done = subprocess.run(
        [sys.executable, "-m", "app", "info", str(bad)],
        env=os.environ | {"FLUOROTRACE_LOG": str(tmp_path / "log")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    written = "".join(p.read_text() for p in (tmp_path / "log").glob("*"))
    assert NAME not in written
