"""The examples in the docstrings are true."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("app", "widgets", "inference", "resources")


def with_examples():
    files = (file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py")))
    found = [file for file in files if ">>> " in file.read_text("utf-8")]
    return [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in found]


@pytest.mark.parametrize("name", with_examples())
def test_the_examples_are_true(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert (failed, tried > 0) == (0, True)
