"""Memory is granted by what is stored and what the machine has, before it is taken."""

from __future__ import annotations

import pytest

from app.runs import allowance
from app.runs.allowance import allowed_bytes, check_allowance
from app.runs.run import RunError

GB = 1 << 30


@pytest.fixture(autouse=True)
def machine_of_8_gb(monkeypatch):
    class Memory:
        total = 8 * GB

    monkeypatch.setattr(allowance.psutil, "virtual_memory", Memory)


@pytest.mark.parametrize(
    ("needed", "stored"), [(64 << 20, 10), (256 << 20, 1 << 20), (2 * GB, None), (0, 0)]
)
def test_what_the_file_and_the_memory_are_worth_is_allowed(needed, stored):
    check_allowance(needed, stored, "run.dcm")
    assert needed <= allowed_bytes(stored)


@pytest.mark.parametrize("stored", [0, 10, 1 << 20])
def test_more_than_the_stored_bytes_can_hold_is_refused(stored):
    with pytest.raises(RunError, match=r"^run.dcm declares .* it is damaged\.$"):
        check_allowance(allowed_bytes(stored) + 1, stored, "run.dcm")


@pytest.mark.parametrize("stored", [None, GB])
def test_more_than_a_quarter_of_the_memory_is_refused(stored):
    with pytest.raises(RunError, match="would need 2 GB of memory"):
        check_allowance(2 * GB + 1, stored, "run.dcm")
