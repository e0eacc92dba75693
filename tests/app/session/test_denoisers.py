"""Adapted denoisers on the command line and in the user's data folder."""

import errno
import json
import os
from datetime import date

import pytest
from pydicom import dcmread

import inference.denoising.denoiser
from app.cli import main as cli
from app.session.denoisers import denoisers_folder, saved_denoisers
from inference.denoising.training import adaptation
from inference.denoising.training.adaptation import AdaptationError


class Learned:
    """What adapting gives, without a network."""

    error_before, error_after = 0.0831, 0.0623

    def save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".safetensors", ".onnx"):
            path.with_name(path.name + suffix).write_bytes(b"weights")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("FLUOROTRACE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def learning(monkeypatch):
    """Adapting takes no time; returns the minutes that were asked for."""
    asked = []

    def adapt(frames, should_stop, on_progress, minutes):
        asked.append(minutes)
        on_progress(0.5)
        on_progress(1.0)
        return Learned()

    monkeypatch.setattr(adaptation, "adapt", adapt)
    return asked


@pytest.fixture
def described_run(run_file):
    """A run whose scanner is known, and whose series was described with the patient's name."""
    data = dcmread(run_file)
    data.Manufacturer, data.ManufacturerModelName = "Maker/Co", "Model: 7"
    data.PatientName, data.PatientID = "Doe^Jane", "4711"
    data.SeriesDescription = "Left coro of Mrs. DOE"
    data.save_as(run_file)
    return run_file


def test_the_card_tells_the_scanner_and_the_scores_but_no_patient(
    described_run, learning, tmp_path, capsys
):
    assert cli.main(["adapt", str(described_run), "--minutes", "2"]) == 0
    assert learning == [2.0]
    told = capsys.readouterr().err
    assert "8.3% of the noise before, 6.2% after" in told
    name = f"Model 7 {date.today().isoformat()}"
    assert f"--weights '{name}'" in told
    files = sorted(p.name for p in denoisers_folder().iterdir())
    assert files == [f"{name}.json", f"{name}.onnx", f"{name}.safetensors"]
    card = (denoisers_folder() / files[0]).read_text()
    facts = json.loads(card)
    assert (facts["manufacturer"], facts["scanner_model"]) == ("Maker/Co", "Model: 7")
    assert facts["series"] == ""
    assert not any(word in card.casefold() for word in ("doe", "jane", "4711"))
    assert cli.main(["adapt", str(described_run)]) == 0  # another one of the same day
    assert [d.name for d in saved_denoisers()] == [name, f"{name} (2)"]


def test_denoising_takes_the_weights_that_are_named(described_run, learning, tmp_path, monkeypatch):
    loaded = []

    class Denoiser:
        device_name = "cpu"

        def denoise(self, *_):
            pass

    def load_denoiser(device, name, warn):
        loaded.append(name)
        return Denoiser()

    monkeypatch.setattr(inference.denoising.denoiser, "load_denoiser", load_denoiser)
    assert cli.main(["adapt", str(described_run), "--output", "lab 2"]) == 0
    command = ["denoise", str(described_run), "--output", str(tmp_path / "a.npy")]
    assert cli.main([*command, "--weights", "lab 2"]) == 0
    assert cli.main(command) == 0
    assert loaded == [str(denoisers_folder() / "lab 2"), "denoiser_student"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["adapt", "{run}", "--output", "../lab"], "Name the denoiser with letters"),
        (["adapt", "{run}", "--output", "lab"], "There is a denoiser called lab already"),
        (
            ["denoise", "{run}", "--output", "{folder}/a.npy", "--weights", "lob"],
            "There is no denoiser called lob; choose one of: lab.",
        ),
    ],
)
def test_names_that_do_not_do_are_told_before_the_work(
    run_file, learning, tmp_path, capsys, arguments, told
):
    assert cli.main(["adapt", str(run_file), "--output", "lab"]) == 0
    capsys.readouterr()
    filled = [a.format(run=run_file, folder=tmp_path) for a in arguments]
    assert cli.main(filled) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert told in line
    assert len(learning) == 1


def test_a_clean_run_says_that_there_is_nothing_to_adapt(run_file, tmp_path, capsys, monkeypatch):
    def refuse(*_):
        raise AdaptationError("This run is clean.")

    monkeypatch.setattr(adaptation, "adapt", refuse)
    assert cli.main(["adapt", str(run_file)]) == 1
    assert capsys.readouterr().err == "fluorotrace: This run is clean.\n"
    assert saved_denoisers() == []


def test_programs_are_told_in_lines_of_json(run_file, learning, capsys):
    assert cli.main(["adapt", str(run_file), "--json", "--output", "lab"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == [{"share": 0.5}, {"share": 1.0}]
    assert lines[2]["name"] == "lab"


def test_adapting_ends_with_the_program_that_asked_for_it(run_file, monkeypatch):
    read, write = os.pipe()
    before = os.dup(0)
    os.dup2(read, 0)

    def adapt(frames, should_stop, on_progress, minutes):
        assert not should_stop()
        os.close(write)
        while not should_stop():
            pass

    monkeypatch.setattr(adaptation, "adapt", adapt)
    try:
        assert cli.main(["adapt", str(run_file), "--json", "--end-with-input"]) == 1
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(read)
    assert saved_denoisers() == []


def test_weights_that_cannot_be_saved_leave_nothing(run_file, learning, capsys, monkeypatch):
    def save(self, path):
        path.with_name(path.name + ".safetensors").write_bytes(b"weights")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Learned, "save", save)
    assert cli.main(["adapt", str(run_file), "--output", "lab"]) == 1
    assert "disk is full" in capsys.readouterr().err
    assert list(denoisers_folder().iterdir()) == []
