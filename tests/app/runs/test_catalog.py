"""The list of runs: found in folders and DICOMDIRs, by headers only."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    generate_uid,
)

from app.display.thumbnail import thumbnail
from app.runs.catalog import scan


@pytest.fixture
def archive(tmp_path, write_run, ramp, make_dataset):
    """A folder with a run, a folder of pictures, a report, a text and a damaged file."""
    root = tmp_path / "archive"
    (root / "deep" / "pictures").mkdir(parents=True)
    run = write_run(
        ramp,
        StudyDate="20250102",
        SeriesDescription="LCA",
        StudyDescription="CORO",
        PositionerPrimaryAngle="-30",
        PositionerSecondaryAngle="20",
        FrameTime="50",
    )
    run.rename(root / "deep" / "run.dcm")
    for k in range(3):
        png = imagecodecs.png_encode(np.full((8, 8), k, np.uint8))
        (root / "deep" / "pictures" / f"{k}.png").write_bytes(png)
    report = make_dataset(np.zeros((1, 2, 2), np.uint8))
    del report.PixelData
    report.SOPClassUID = ComprehensiveSRStorage
    report.save_as(root / "report.dcm", enforce_file_format=True)
    (root / "notes.txt").write_text("notes")
    (root / "damaged.dcm").write_bytes((root / "deep" / "run.dcm").read_bytes()[:800])
    return root


def test_folder(archive):
    entries = {entry.path.name: entry for entry in scan(archive)}
    assert set(entries) == {"run.dcm", "pictures", "damaged.dcm"}
    run = entries["run.dcm"]
    assert (run.title, run.modality, run.frame_count) == ("LCA", "XA", 10)
    assert run.duration_ms == 500
    assert (run.primary_angle_deg, run.secondary_angle_deg) == (-30, 20)
    assert run.study_date.isoformat() == "2025-01-02"
    assert run.error is None
    assert entries["pictures"].frame_count == 3
    assert entries["damaged.dcm"].error.endswith(".")


def test_scanning_stops_when_asked(archive):
    assert list(scan(archive, should_stop=lambda: True)) == []


def test_single_files_are_listed_even_when_they_are_no_runs(archive):
    (entry,) = scan(archive / "notes.txt")
    assert entry.error
    (entry,) = scan(archive / "report.dcm")
    assert "no picture" in entry.error
    (entry,) = scan(archive / "deep" / "run.dcm")
    assert entry.error is None


@pytest.fixture
def write_directory():
    """Return a function that writes a DICOMDIR naming these files."""

    def write(folder, *file_ids):
        records = []
        for parts in file_ids:
            record = Dataset()
            record.ReferencedFileID = parts
            records.append(record)
        directory = Dataset()
        directory.file_meta = FileMetaDataset()
        directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
        directory.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        directory.DirectoryRecordSequence = records
        directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
        return folder / "DICOMDIR"

    return write


def test_dicomdir(tmp_path, write_run, write_directory, ramp):
    disc = tmp_path / "disc"
    (disc / "IMAGES").mkdir(parents=True)
    for number in range(2):
        run = write_run(ramp, SeriesDescription=f"run {number}")
        run.rename(disc / "IMAGES" / f"IM{number}")
    path = write_directory(disc, ["IMAGES", "IM0"], ["IMAGES", "IM1"], ["IMAGES", "IM2"])
    entries = list(scan(path))
    assert [entry.title for entry in entries] == ["run 0", "run 1", "IM2"]
    assert [entry.error for entry in entries[:2]] == [None, None]
    assert "missing" in entries[2].error
    assert [entry.title for entry in scan(disc)] == ["run 0", "run 1"]


@pytest.mark.parametrize("on_disk", ["IM0.dcm", "im0.DCM;1", "im0.;1", "Im0.ima"])
def test_names_of_a_dicomdir_that_copying_changed(
    tmp_path, write_run, write_directory, ramp, on_disk
):
    folder = tmp_path / "images"
    folder.mkdir()
    write_run(ramp).rename(folder / on_disk)
    (entry,) = scan(write_directory(tmp_path, ["IMAGES", "IM0"]))
    assert (entry.path.name, entry.frame_count, entry.error) == (on_disk, 10, None)


def test_dicomdir_does_not_lead_outside_its_folder(tmp_path, write_run, write_directory, ramp):
    write_run(ramp, name="secret.dcm")
    (tmp_path / "disc").mkdir()
    path = write_directory(tmp_path / "disc", ["..", "secret.dcm"])
    assert list(scan(path)) == []


def test_shared_data_lists_bad_files_beside_good_ones(shared_data):
    entries = list(scan(shared_data))
    good = [entry for entry in entries if entry.error is None]
    assert len(good) > 35
    assert any(entry.path.name == "P4_C5" for entry in good)
    assert not any(entry.path.name == "GSPS_PR000000.dcm" for entry in entries)


def test_thumbnail_of_pixels_that_are_not_square(write_run):
    path = write_run(np.zeros((48, 64), np.uint8), PixelAspectRatio=[2, 1])
    assert thumbnail(path, size=96).shape == (96, 64)


def test_thumbnail(shared_data):
    picture = thumbnail(shared_data / "orthanc" / "KarstenHilbertRF.dcm", size=96)
    assert picture.shape == (87, 96)
    assert picture.dtype == np.uint8
    assert picture.std() > 20
