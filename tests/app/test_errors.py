"""A person reads sentences, never the words of Python."""

import errno
import os

import pytest

from app.errors import UserError, sentence
from app.plain_json import json_text


@pytest.mark.parametrize(
    "error",
    [
        ValueError("invalid literal for int() with base 10: '²'"),
        KeyError("PatientName"),
        IndexError("index 1200 is out of bounds for axis 0 with size 256"),
        OSError("cannot identify image file <_io.BytesIO object>"),
        RuntimeError(""),
        AssertionError(),
    ],
)
def test_a_fault_of_the_program_is_one_sentence_without_its_words(error):
    told = sentence(error)
    assert "the details in the log" in told
    assert not str(error) or str(error) not in told
    assert type(error).__name__ not in told


@pytest.mark.parametrize(
    "number", [n for n in errno.errorcode if n not in (errno.EMFILE, errno.ENFILE, errno.EAGAIN)]
)
def test_what_the_system_refuses_names_the_file_and_not_the_systems_words(number):
    told = sentence(OSError(number, os.strerror(number), "run.dcm"))
    assert "run.dcm" in told or number == errno.ENAMETOOLONG
    assert os.strerror(number) not in told


def test_what_was_meant_for_the_user_is_said_as_it_is():
    assert sentence(UserError("It broke.")) == "It broke."
    assert "memory" in sentence(MemoryError())


def test_json_is_valid_whatever_the_numbers():
    assert json_text({"a": [float("inf"), -1.5], "b": (float("nan"),)}) == (
        '{"a": [null, -1.5], "b": [null]}'
    )
