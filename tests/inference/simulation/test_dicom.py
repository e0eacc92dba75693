"""Simulated runs as files: what a reader gets back is what was simulated."""

from __future__ import annotations

import json
import shlex
from importlib.resources import files
from pathlib import Path

import numpy as np
import pydicom
import pytest

from inference.simulation import Scenario, simulate_run
from inference.simulation.__main__ import main
from inference.simulation.dicom import write_dicom


@pytest.mark.parametrize(("bits", "inverted"), [(8, False), (12, True)])
def test_pixels_survive(tmp_path: Path, bits: int, inverted: bool) -> None:
    run = simulate_run(3, Scenario.LOW_DOSE, 4, 128, bits=bits)
    path = tmp_path / "run.dcm"
    write_dicom(run, path, inverted=inverted)
    dataset = pydicom.dcmread(path)
    pixels = dataset.pixel_array
    if inverted:
        assert dataset.PhotometricInterpretation == "MONOCHROME1"
        pixels = int(run.white) - pixels.astype(int)
    np.testing.assert_array_equal(pixels, run.frames)
    assert dataset.BitsStored == bits


def test_the_header_tells_time_geometry_and_heart(tmp_path: Path) -> None:
    run = simulate_run(
        9, Scenario.FLUOROSCOPY, 30, 64, frames_per_second=12.5, angles_deg=(30.0, -10.0)
    )
    path = tmp_path / "run.dcm"
    write_dicom(run, path)
    dataset = pydicom.dcmread(path)
    assert float(dataset.FrameTime) == pytest.approx(80.0)
    assert dataset.PositionerPrimaryAngle == 30 and dataset.PositionerSecondaryAngle == -10
    ratio = dataset.DistanceSourceToPatient / dataset.DistanceSourceToDetector
    assert dataset.ImagerPixelSpacing[0] * ratio == pytest.approx(run.spacing_mm, rel=1e-4)
    group = dataset.WaveformSequence[0]
    samples = np.frombuffer(group.WaveformData, "<i2") / 1000
    np.testing.assert_allclose(samples, run.ecg, atol=0.001)
    peaks = [round(time / 1000 * group.SamplingFrequency) for time in run.r_wave_times_ms]
    assert len(peaks) >= 2 and all(samples[peak] > 0.7 for peak in peaks if peak < len(samples))
    assert str(dataset.PatientName) == "Demo^Simulated"


def test_the_same_run_gives_the_same_file(tmp_path: Path) -> None:
    run = simulate_run(5, Scenario.PANNING, 2, 64)
    for name in ("a.dcm", "b.dcm"):
        write_dicom(run, tmp_path / name)
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()


def test_the_command_line_writes_a_run_with_its_truth(tmp_path: Path) -> None:
    output, truth = tmp_path / "run.dcm", tmp_path / "truth.json"
    status = main(
        ["dicom", "--seed", "4", "--scenario", "panning", "--frames", "5", "--size", "96",
         "--bits", "12", "--output", str(output), "--truth", str(truth)]
    )  # fmt: skip
    assert status == 0
    assert pydicom.dcmread(output).NumberOfFrames == 5
    assert len(json.loads(truth.read_text())["tips"]) == 5


def test_a_folder_that_is_not_there_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "missing" / "run.dcm"
    status = main(["dicom", "--frames", "1", "--size", "64", "--output", str(output)])
    assert status == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_built_in_sample_is_what_the_demo_needs() -> None:
    sample = files("resources") / "sample"
    path = Path(str(sample / "demo.dcm"))
    assert path.stat().st_size <= 6_000_000
    dataset = pydicom.dcmread(path)
    truth = json.loads((sample / "demo_truth.json").read_text())
    states = [tip["state"] for tip in truth["tips"]]
    assert dataset.NumberOfFrames == len(states)
    assert dataset.pixel_array.shape == (len(states), 512, 512)
    assert states[0] == states[-1] == "visible" and "occluded" in states
    assert dataset.WaveformSequence and dataset.RWavePointer
    assert dataset.MaskSubtractionSequence[0].MaskFrameNumbers
    assert all(0 <= tip["x"] < 512 and 0 <= tip["y"] < 512 for tip in truth["tips"])


@pytest.mark.slow
def test_the_sample_is_what_its_card_says_makes_it(tmp_path: Path) -> None:
    sample = Path(str(files("resources") / "sample"))
    block = (sample / "README.md").read_text().split("```")[1].replace("\\\n", " ")
    words = shlex.split(block)
    assert words[:3] == ["python", "-m", "inference.simulation"]
    again = [word.replace("resources/sample", str(tmp_path)) for word in words[3:]]
    assert main(again) == 0
    made, shipped = (
        pydicom.dcmread(folder / "demo.dcm").pixel_array for folder in (tmp_path, sample)
    )
    # Other processors may round a few pixels differently.
    assert np.abs(made.astype(int) - shipped).mean() < 0.01
    tips = [json.loads((folder / "demo_truth.json").read_text()) for folder in (tmp_path, sample)]
    assert tips[0] == tips[1]
