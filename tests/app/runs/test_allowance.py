"""Memory is granted by what is stored and what the machine has, before it is taken."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import tifffile

from app.runs import allowance
from app.runs.allowance import allowed_bytes, check_allowance
from app.runs.catalog import scan
from app.runs.opening import open_run
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


def test_a_deflated_file_is_counted_before_it_is_held(tmp_path, make_dataset, monkeypatch):
    monkeypatch.setattr("app.runs.allowance.FREE_BYTES", 8 << 20)
    monkeypatch.setattr("app.runs.allowance.LARGEST_RATIO", 20)
    dataset = make_dataset(np.zeros((40, 1024, 1024), np.uint8))
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    dataset.save_as(tmp_path / "zeros.dcm", enforce_file_format=True)
    del dataset
    tracemalloc.start()
    try:
        with pytest.raises(RunError, match="stores only"):
            open_run(tmp_path / "zeros.dcm")
        (entry,) = scan(tmp_path / "zeros.dcm")
        assert "stores only" in entry.error
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["run.npy", "run.npz", "run.tif", "pages.tif", "pictures"])
def test_too_many_frames_are_refused_by_every_reader(tmp_path, monkeypatch, name):
    monkeypatch.setattr("app.runs.allowance.MAX_FRAMES", 5)
    path, frames = tmp_path / name, np.zeros((6, 8, 9), np.uint8)
    match name:
        case "run.npy":
            np.save(path, frames)
        case "run.npz":
            np.savez(path, frames=frames)
        case "run.tif":
            tifffile.imwrite(path, frames, photometric="minisblack", imagej=True)
        case "pages.tif":
            tifffile.imwrite(path, frames, photometric="minisblack", compression="zlib")
        case "pictures":
            path.mkdir()
            for number, frame in enumerate(frames):
                tifffile.imwrite(path / f"{number}.tif", frame)
    with pytest.raises(RunError, match="holds 6 frames; more than 5 cannot be shown"):
        open_run(path)
