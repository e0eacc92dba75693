"""The log tells what happened, and names nobody."""

import logging
import os
import subprocess
import sys

import pytest
from PySide6.QtCore import qInstallMessageHandler, qWarning

from app.log import SafeFormatter, last_lines, log_qt_messages

NAMES = ("DOE", "Jane", "4711", "/data")


def written(name, text, *args, error=None):
    told = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, logging.ERROR, "/x/some_file.py", 12, text, args, told)
    return SafeFormatter().format(record)


def failing():
    try:
        open("/data/DOE^Jane/4711.dcm")  # noqa: PTH123, SIM115
    except OSError as error:
        raise ValueError("patient DOE^Jane is 4711") from error


def error_of(function):
    try:
        function()
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("value", ["DOE^Jane", ["DOE"], {"id": "4711"}, b"Jane", ValueError("DOE")])
def test_values_are_told_by_their_type_alone(value):
    text = written("app.runs", "cannot read %s in frame %d", value, 17)
    assert "cannot read" in text and "frame 17" in text and type(value).__name__ in text
    assert not any(name in text for name in NAMES)


def test_one_value_is_told_alike_each_time_and_another_otherwise():
    first, again, other = (written("app", "%r", value)[23:] for value in ("DOE", "DOE", "ROE"))
    assert first == again != other


def test_an_error_is_told_by_type_and_place_but_not_by_its_text():
    text = written("app.session", "it failed", error=error_of(failing))
    assert "builtins.ValueError" in text and "FileNotFoundError, errno 2" in text
    assert "test_log.py" in text and "failing" in text
    assert not any(name in text for name in NAMES)


def test_of_other_libraries_only_the_place_is_told():
    text = written("pydicom.valuerep", "Invalid value: 'DOE^Jane' %s", "4711")
    assert "pydicom.valuerep" in text and "line 12 of some_file.py" in text
    assert not any(name in text for name in NAMES)


PROGRAM = """
import logging, sys, threading
from app.log import start_log
start_log(); start_log()
logging.getLogger("app.test").info("begun with %s", "DOE")
def fail(): raise RuntimeError("DOE in a thread")
thread = threading.Thread(target=fail); thread.start(); thread.join()
class Lost:
    def __del__(self): raise RuntimeError("DOE at the end")
x = Lost(); del x
raise RuntimeError("DOE at last")
"""


def test_what_nobody_caught_is_in_the_file_and_on_standard_error(tmp_path):
    environment = os.environ | {"FLUOROTRACE_LOG": str(tmp_path / "log")}

    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 1
    assert "DOE at last" in ended.stderr
    (file,) = (tmp_path / "log").iterdir()
    text = file.read_text()
    assert text.count("begun with") == 1
    for told in ("a thread ended by an error", "could not be raised", "nobody caught an error"):
        assert told in text
    assert text.count("builtins.RuntimeError") == 3
    assert "DOE" not in text


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "log").write_text("a file where the folder should be")
    environment = os.environ | {"FLUOROTRACE_LOG": str(tmp_path / "log")}
    command = [sys.executable, "-m", "app", "info", str(tmp_path / "missing.dcm")]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)


def test_messages_of_qt_are_logged_without_their_text(qtbot, caplog):
    log_qt_messages()
    try:
        qWarning("QImage::load: /data/DOE.png")
    finally:
        qInstallMessageHandler(None)
    (record,) = [r for r in caplog.records if r.name == "app.log"]
    text = SafeFormatter().format(record)
    assert "QImage::load" in text
    assert not any(name in text for name in NAMES)


def test_the_end_of_the_log_is_there_for_a_report(tmp_path, monkeypatch):
    monkeypatch.setenv("FLUOROTRACE_LOG", str(tmp_path))
    assert last_lines(2) == []
    (tmp_path / "fluorotrace.log").write_text("a\nb\nc\n")
    assert last_lines(2) == ["b", "c"]


def test_a_command_that_fails_is_logged_without_the_name_of_its_file(tmp_path):
    bad = tmp_path / "Doe_Jane_1950.dcm"
    bad.write_bytes(b"no run at all")
    environment = os.environ | {"FLUOROTRACE_LOG": str(tmp_path / "log")}
    command = [sys.executable, "-m", "app", "info", str(bad)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 1
    assert "Doe" not in "".join(p.read_text() for p in (tmp_path / "log").glob("*"))
