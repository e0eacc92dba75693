from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import jsonschema
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage

from app.cli import main as cli
from app.errors import UserError
from app.runs import opening
from app.runs.opening import open_run
from app.tracks.edits import add_track, new_track, place_point
from app.tracks.store import open_store
from inference.denoising import denoiser
from inference.denoising.requests import DenoisedFrame
from inference.tracking import tracker
from inference.tracking.requests import TrackedPoint
from resources import resource_path

FRAMES, ROWS, COLUMNS = 6, 40, 48


class RightwardTracker:
    """Moves one pixel to the right a frame."""

    device_name, weights = "cpu", "rightward 7"

    def track(self, frames, request, should_stop, on_points):
        start = request.anchors[0]
        for frame in range(request.first_frame, request.last_frame + 1):
            assert frames.read(frame).shape == (ROWS, COLUMNS)
            if frame != start.frame:
                x = start.x + frame - start.frame
                on_points([TrackedPoint(frame, x, start.y, "visible", 0.75)])

    def track_together(self, frames, take):
        while (call := take()) is not None:
            self.track(frames, call.request, call.should_stop, call.on_points)
            call.on_end()

    def propose(self, pixels, white=255.0, frame=0):
        sure = 0.9 if frame == 3 else 0.4
        return [TrackedPoint(frame, 20.0, 30.0, "visible", sure)] if frame > 1 else []


class HalvingDenoiser:
    """Halves what it is given, which is dark on bright."""

    device_name = "cpu"

    def denoise(self, frames, request, should_stop, on_frame):
        for frame in request.frames:
            on_frame(DenoisedFrame(frame, (frames.read(frame) / 2).astype(np.float32)))


@pytest.fixture(autouse=True)
def settings_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("FLUOROTRACE_CONFIG", str(tmp_path / "settings"))


@pytest.fixture(autouse=True)
def engines(monkeypatch):
    monkeypatch.setattr(tracker, "load_tracker", lambda device, warn=None: RightwardTracker())
    monkeypatch.setattr(
        denoiser,
        "load_denoiser",
        lambda device, name, warn=None: HalvingDenoiser(),
    )


@pytest.fixture
def pictures() -> np.ndarray:
    """Six 8-bit frames, (T, H, W)."""
    return np.random.default_rng(0).integers(0, 256, (FRAMES, ROWS, COLUMNS)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, pictures: np.ndarray) -> Path:
    """A run of PNG frames."""
    folder = tmp_path / "run"
    folder.mkdir()
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


def inverted_dicom(path: Path, stored: np.ndarray) -> Path:
    """Write a 10-bit MONOCHROME1 XA run of 40 ms frames of a patient."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = XRayAngiographicImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = XRayAngiographicImageStorage, "1.2.3.4"
    data.PatientName, data.PatientID, data.Modality = "DOE^JANE", "4711", "XA"
    data.NumberOfFrames, data.Rows, data.Columns = stored.shape
    data.FrameTime, data.FrameIncrementPointer = "40", 0x00181063
    data.PhotometricInterpretation, data.SamplesPerPixel = "MONOCHROME1", 1
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 10, 9, 0
    data.PixelData = stored.astype("<u2").tobytes()
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path


def only_line(capsys) -> str:
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.strip().splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "runs", "demo"),
    [([], [], False), (["a.dcm", "b"], ["a.dcm", "b"], False), (["--demo"], [], True)],
)
def test_without_a_command_the_window_opens(monkeypatch, arguments, runs, demo):
    asked = []

    def run_window(paths, *, demo):
        asked.append((paths, demo))
        return 0

    monkeypatch.setitem(
        sys.modules, "app.window.application", SimpleNamespace(run_window=run_window)
    )
    assert cli.main(arguments) == 0
    assert asked == [([Path(r) for r in runs], demo)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["info"],
        ["track", "run", "--output", "a.json"],
        ["track", "run", "--tip", "5", "--frame", "0", "--output", "a.json"],
        ["track", "run", "--tip", "5,6", "--output", "a.json"],
        ["track", "run", "--tip", "5,6", "--frame", "x", "--output", "a.json"],
        ["track", "run", "--tip", "5,6", "--auto", "--output", "a.json"],
        ["track", "run", "--auto", "--output", "a.mp4"],
        ["track", "run", "--auto", "--device", "abacus", "--output", "a.json"],
        ["denoise", "run"],
        ["denoise", "run", "--output", "a.gif"],
        ["denoise", "run", "--output", "a.npy", "--strength", "-1"],
        ["denoise", "run", "--output", "a.npy", "--strength", "101%"],
        ["export", "run", "--format", "xml", "--output", "a"],
    ],
)
def test_wrong_usage_is_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: fluorotrace" in capsys.readouterr().err


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert all(command in told for command in cli.COMMANDS)


def test_what_cannot_be_read_is_one_line_and_1(tmp_path, capsys):
    (tmp_path / "text.dcm").write_text("no run\n")
    for name in ("missing.dcm", "text.dcm"):
        assert cli.main(["info", str(tmp_path / name)]) == 1
        assert only_line(capsys).startswith("fluorotrace: ")


def test_info_tells_what_was_read_but_not_the_patient(tmp_path, capsys):
    path = inverted_dicom(tmp_path / "run.dcm", np.ones((3, 8, 9)))
    assert cli.main(["info", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    facts = json.loads(out)
    assert (facts["frames"], facts["rows"], facts["columns"]) == (3, 8, 9)
    assert (facts["bits_stored"], facts["inverted"]) == (10, True)
    assert facts["frame_times_ms"] == [0, 40, 80]
    assert facts["timing_source"] == "frame time"
    assert cli.main(["info", str(path)]) == 0
    table = capsys.readouterr().out
    assert "frame rate hz" in table
    assert "DOE" not in out + table
    assert "4711" not in out + table


@pytest.fixture
def named_run(tmp_path):
    """A run in whose every free text the patient is named, its folder and file included."""
    folder = tmp_path / "DOE_JANE"
    folder.mkdir()
    path = inverted_dicom(folder / "doe-jane.dcm", np.ones((3, 8, 9)))
    data = pydicom.dcmread(path)
    data.StudyDescription, data.SeriesDescription = "Coro DOE", "JANE, left"
    data.WindowCenter, data.WindowWidth = "512", "1024"
    data.WindowCenterWidthExplanation = "for Jane"
    data.FrameTime = "0"  # impossible, so that there is a note
    data.save_as(path)
    return path


def test_info_names_the_patient_only_where_it_is_asked_to(named_run, capsys):
    for arguments in (["--json"], []):
        assert cli.main(["info", *arguments, str(named_run)]) == 0
        told = capsys.readouterr().out.casefold()
        assert "doe" not in told and "jane" not in told
        assert "frames" in told
    assert cli.main(["info", "--json", "--patient", str(named_run)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["path"] == str(named_run)
    assert (facts["study_description"], facts["series_description"]) == ("Coro DOE", "JANE, left")
    assert facts["patient_id"] == "4711"
    assert cli.main(["info", "--patient", str(named_run)]) == 0
    assert "Coro DOE" in capsys.readouterr().out


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def test_json_is_valid_whatever_was_read(tmp_path, capsys, monkeypatch):
    path = inverted_dicom(tmp_path / "run.dcm", np.ones((3, 8, 9)))
    run = replace(
        open_run(path),
        primary_angles_deg=np.array([np.nan, np.inf, 1.5]),
    )
    monkeypatch.setattr(opening, "open_run", lambda path: run)
    assert cli.main(["info", "--json", str(path)]) == 0
    facts = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert facts["primary_angles_deg"] == [None, None, 1.5]


SOURCES = [
    ("denoise", ["--output", "{run}"], "a.npy"),
    ("track", ["--tip", "1,1", "--frame", "0", "--output", "{run}"], "a.json"),
    ("export", ["--output", "{run}"], "a.npy"),
    ("export", ["--output", "{run}.fluorotrace.sqlite"], "a.npy"),
    ("export", ["--output", "{folder}/./x/../{name}"], "a.npy"),
]


@pytest.mark.parametrize(("command", "rest", "name"), SOURCES)
def test_no_command_writes_onto_the_run_or_its_labels(
    tmp_path, pictures, capsys, command, rest, name
):
    run = tmp_path / name
    with run.open("wb") as file:
        np.save(file, pictures)
    (tmp_path / "x").mkdir()
    labelled = open_run(run)
    store = open_store(labelled)
    store.labels.apply(add_track(new_track((), "left")))
    store.labels.apply(place_point(store.labels.tracks[0], 4, 7.25, 8))
    store.close()
    labelled.frames.close()
    labels = run.with_name(f"{name}.fluorotrace.sqlite")
    before = run.read_bytes(), labels.read_bytes()
    filled = [text.format(run=run, folder=tmp_path, name=name) for text in rest]
    assert cli.main([command, str(run), *filled]) == 1
    assert "part of the run itself" in only_line(capsys)
    assert (run.read_bytes(), labels.read_bytes()) == before


@pytest.mark.parametrize("command", ["denoise", "export", "track"])
def test_nothing_is_written_into_a_folder_of_pictures(folder, capsys, command):
    start = ["--auto"] if command == "track" else []
    before = sorted(folder.iterdir())
    output = str(folder / ("a.npy" if command == "denoise" else "a.json"))
    assert cli.main([command, str(folder), *start, "--output", output]) == 1
    assert "inside the folder of the run" in only_line(capsys)
    assert sorted(folder.iterdir()) == before


FULL = """
import resource, sys
from app.cli import main as cli
from inference.denoising import denoiser
from inference.denoising.requests import DenoisedFrame
class Same:
    device_name = "cpu"
    def denoise(self, frames, request, should_stop, on_frame):
        for frame in request.frames:
            on_frame(DenoisedFrame(frame, frames.read(frame).astype("float32"), True))
denoiser.load_denoiser = lambda device, name, warn: Same()
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
sys.exit(cli.main(["denoise", sys.argv[1], "--output", sys.argv[2]]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of a process there")
@pytest.mark.parametrize("name", ["a.npy", "a.mp4", "pictures"])
def test_a_full_disk_is_a_sentence_and_leaves_what_was_there(folder, tmp_path, name):
    output = tmp_path / name
    if output.suffix:
        output.write_bytes(b"old")
    command = [sys.executable, "-c", FULL, str(folder), str(output)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "larger than this disk allows" in told.stderr or "could not be written" in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert not output.exists() if not output.suffix else output.read_bytes() == b"old"
    assert not list(tmp_path.glob(".fluorotrace*"))


def test_denoise_says_that_there_was_nothing_to_remove(folder, tmp_path, capsys, monkeypatch):
    class Idle:
        device_name = "cpu"

        def denoise(self, frames, request, should_stop, on_frame):
            for frame in request.frames:
                on_frame(DenoisedFrame(frame, frames.read(frame).astype(np.float32), False))

    command = ["denoise", str(folder), "--output", str(tmp_path / "a.npy")]
    assert cli.main(command) == 0
    assert "Nothing to remove" not in capsys.readouterr().err
    monkeypatch.setattr(denoiser, "load_denoiser", lambda device, name, warn: Idle())
    assert cli.main(command) == 0
    assert "Nothing to remove" in only_line(capsys)


def test_track_says_which_weights_it_used(folder, tmp_path, capsys):
    command = ["track", str(folder), "--auto", "--output", str(tmp_path / "a.json")]
    assert cli.main(command) == 0
    assert "rightward 7" in only_line(capsys)


def test_track_fills_the_run_both_ways_from_the_click(folder, tmp_path, capsys):
    output = tmp_path / "tracks.json"
    command = ["track", str(folder), "--tip", "10,20.5", "--frame", "2", "--name", "left"]
    assert cli.main([*command, "--output", str(output)]) == 0
    assert capsys.readouterr().out == ""
    document = json.loads(output.read_text())
    schema = json.loads(resource_path("schemas", "fluorotrace-tracks-2.schema.json").read_text())
    jsonschema.validate(document, schema)
    (track,) = document["tracks"]
    assert track["name"] == "left"
    assert [p["frame"] for p in track["points"]] == list(range(FRAMES))
    assert [p["x"] for p in track["points"]] == [8, 9, 10, 11, 12, 13]
    clicked = track["points"].pop(2)
    assert (clicked["source"], clicked["confidence"], clicked["y"]) == ("clicked", None, 20.5)
    assert {(p["source"], p["confidence"]) for p in track["points"]} == {("tracked", 0.75)}
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "settings") == [
        "run",
        "tracks.json",
    ]


@pytest.mark.parametrize("name", ["json", "csv", "coco"])
def test_a_folder_named_after_a_patient_is_not_in_the_labels(folder, tmp_path, name):
    named = folder.rename(tmp_path / "DOE_JANE")
    run = open_run(named)
    store = open_store(run)
    store.labels.apply(add_track(new_track((), "left")))
    store.labels.apply(place_point(store.labels.tracks[0], 4, 7.25, 8))
    store.close()
    run.frames.close()
    output = tmp_path / "labels.out"
    command = ["export", str(named), "--format", name, "--output", str(output)]
    assert cli.main(command) == 0
    assert "7.25" in output.read_text()
    assert "DOE" not in output.read_text()


def test_each_tip_becomes_a_track(folder, tmp_path):
    output = tmp_path / "tracks.json"
    tips = ["--tip", "10,20.5", "--tip", "30,8", "--frame", "2"]
    assert cli.main(["track", str(folder), *tips, "--name", "left", "--output", str(output)]) == 0
    first, second = json.loads(output.read_text())["tracks"]
    assert (first["name"], second["name"]) == ("left", "left 2")
    assert [p["x"] for p in first["points"]] == [8, 9, 10, 11, 12, 13]
    assert [p["x"] for p in second["points"]] == [28, 29, 30, 31, 32, 33]
    assert {p["y"] for p in second["points"]} == {8}


def test_track_finds_the_tip_itself(folder, tmp_path):
    output = tmp_path / "tracks.csv"
    assert cli.main(["track", str(folder), "--auto", "--output", str(output)]) == 0
    rows = [line.split(",") for line in output.read_text().splitlines()[1:]]
    assert [float(row[4]) for row in rows] == [17, 18, 19, 20, 21, 22]
    assert {row[7] for row in rows} == {"tracked"}


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (["--tip", "5,6", "--frame", "6"], "the last is 5"),
        (["--tip", "48,6", "--frame", "0"], "outside the picture"),
        (["--auto", "--frame", "0"], "No catheter tip was found"),
    ],
)
def test_a_start_that_is_not_in_the_run(folder, tmp_path, capsys, start, told):
    output = tmp_path / "tracks.json"
    assert cli.main(["track", str(folder), *start, "--output", str(output)]) == 1
    assert told in only_line(capsys)
    assert not output.exists()


def test_a_missing_output_folder_is_told_before_the_work(folder, tmp_path, capsys):
    output = tmp_path / "nowhere" / "stack.npy"
    assert cli.main(["denoise", str(folder), "--output", str(output)]) == 1
    assert "no folder" in only_line(capsys)


@pytest.mark.parametrize(
    ("strength", "share"), [("1", 1), ("0", 0), ("0.5", 0.5), ("50%", 0.5), ("50", 0.5)]
)
def test_denoised_stack_is_on_the_grey_scale_of_the_run(
    folder, pictures, tmp_path, strength, share
):
    output = tmp_path / "stack.npy"
    command = ["denoise", str(folder), "--output", str(output), "--strength", strength]
    assert cli.main(command) == 0
    stack = np.load(output)
    assert stack.dtype == np.float32
    np.testing.assert_allclose(stack, pictures * (1 - share / 2), atol=1e-3)


def test_an_inverted_run_goes_in_dark_on_bright_and_comes_out_as_stored(tmp_path):
    stored = np.random.default_rng(1).integers(0, 1024, (3, 16, 20))
    path = inverted_dicom(tmp_path / "run.dcm", stored)
    output = tmp_path / "stack.npy"
    assert cli.main(["denoise", str(path), "--output", str(output)]) == 0
    np.testing.assert_allclose(np.load(output), 1023 - (1023 - stored) / 2, atol=1e-2)


def test_denoised_movie_and_pictures(folder, pictures, tmp_path):
    movie, out = tmp_path / "movie.mp4", tmp_path / "denoised"
    assert cli.main(["denoise", str(folder), "--output", str(movie)]) == 0
    with av.open(str(movie)) as container:
        frames = [(f.time, f.width, f.height) for f in container.decode(video=0)]
    assert frames == [(pytest.approx(n / 15, abs=1e-3), COLUMNS, ROWS) for n in range(FRAMES)]
    assert cli.main(["denoise", str(folder), "--output", str(out)]) == 0
    read = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in sorted(out.iterdir())]
    np.testing.assert_allclose(np.array(read), pictures / 2, atol=0.6)


def test_a_folder_in_use_is_left_alone(folder, tmp_path, capsys):
    before = sorted(folder.iterdir())
    assert cli.main(["denoise", str(folder), "--output", str(folder)]) == 1
    assert "part of the run itself" in only_line(capsys)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("spelling", ["stack.npy", "./stack.npy", "link.npy", "hard.npy"])
def test_a_run_is_never_written_onto(tmp_path, capsys, spelling, monkeypatch):
    stack = tmp_path / "stack.npy"
    np.save(stack, np.zeros((3, 8, 9), np.uint8))
    (tmp_path / "link.npy").symlink_to(stack)
    (tmp_path / "hard.npy").hardlink_to(stack)
    before = stack.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert cli.main(["denoise", str(stack), "--output", spelling]) == 1
    assert "part of the run itself" in only_line(capsys)
    assert stack.read_bytes() == before


@pytest.mark.parametrize("name", ["stack.npy", "movie.mp4", "denoised"])
@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "Stopped."),
        (UserError("It broke."), 1, "It broke."),
        (RuntimeError("bad\nnews"), 1, "This did not work, by a fault"),
    ],
)
def test_what_is_broken_off_leaves_nothing(
    folder, tmp_path, capsys, monkeypatch, name, raised, status, told
):
    class Breaking(HalvingDenoiser):
        def denoise(self, frames, request, should_stop, on_frame):
            super().denoise(frames, type(request)(request.frames[:2]), should_stop, on_frame)
            raise raised

    monkeypatch.setattr(denoiser, "load_denoiser", lambda device, name, warn: Breaking())
    before = sorted(p.name for p in tmp_path.iterdir())
    assert cli.main(["denoise", str(folder), "--output", str(tmp_path / name)]) == status
    assert told in only_line(capsys)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "settings") == before


@pytest.mark.parametrize("name", ["json", "csv", "coco"])
def test_export_writes_the_saved_labels(folder, tmp_path, capsys, name):
    output = tmp_path / "labels.out"
    command = ["export", str(folder), "--format", name, "--output", str(output)]
    assert cli.main(command) == 1
    assert "no labels" in only_line(capsys)
    run = open_run(folder)
    store = open_store(run)
    store.labels.apply(add_track(new_track((), "left")))
    store.labels.apply(place_point(store.labels.tracks[0], 4, 7.25, 8))
    store.flush()
    assert cli.main(command) == 0  # beside an open window too
    store.close()
    run.frames.close()
    assert "left" in output.read_text()
    assert "7.25" in output.read_text()


def test_the_command_line_starts_without_the_heavy_parts():
    heavy = ("torch", "PySide6", "numpy", "cv2", "rich")
    code = f"import sys, app.cli.main; print([m for m in {heavy} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_as_a_program(tmp_path):
    command = [sys.executable, "-m", "app", "info", str(tmp_path / "missing.dcm")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stdout == ""
    assert len(told.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_networks_do_the_main_job_on_the_built_in_sample(tmp_path):
    sample = str(resource_path("sample", "demo.dcm"))
    truth = json.loads(resource_path("sample", "demo_truth.json").read_text())
    tracks, stack = tmp_path / "tracks.json", tmp_path / "stack.npy"
    tip = "{x},{y}".format(**truth["tips"][0])
    for command in (
        ["track", sample, "--tip", tip, "--frame", "0", "--output", str(tracks)],
        ["denoise", sample, "--output", str(stack)],
    ):
        program = [sys.executable, "-m", "app", *command, "--device", "cpu"]
        told = subprocess.run(program, capture_output=True, text=True, check=False)
        assert (told.returncode, told.stdout) == (0, "")
    points = json.loads(tracks.read_text())["tracks"][0]["points"]
    assert [p["frame"] for p in points] == list(range(60))
    assert points[0]["source"] == "clicked"
    seen = [(t, p) for t, p in zip(truth["tips"], points, strict=True) if p["state"] == "visible"]
    misses_px = [np.hypot(t["x"] - p["x"], t["y"] - p["y"]) for t, p in seen]
    assert np.median(misses_px) < 5
    denoised = np.load(stack, mmap_mode="r")
    assert (denoised.shape, denoised.dtype) == ((60, 512, 512), np.float32)
    run = open_run(Path(sample))
    noisy = run.frames.read(0).astype(np.float32)
    run.frames.close()
    assert 0.5 < np.abs(denoised[0] - noisy).mean() < 20
