"""An archive becomes shards for the tracker's training."""

import os
from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.cli import main as cli
from app.cli.preparing import Job, cut, prepare_all, prepare_run
from app.runs.opening import open_run
from app.tracks.edits import add_track, new_track, place_point, put_tracked
from app.tracks.store import open_store
from app.tracks.track import TrackKind
from inference.simulation import Scenario, simulate_run
from inference.simulation.dicom import write_dicom
from inference.tracking.requests import TrackedPoint
from inference.tracking.training.shards import STATES, read_shard


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("FLUOROTRACE_CONFIG", str(tmp_path / "settings"))


@pytest.fixture(scope="module")
def simulated():
    return simulate_run(3, Scenario.FLUOROSCOPY, frame_count=12, size=96)


def states(shard):
    return [STATES[state] for state in shard.states]


def test_an_archive_is_prepared_once_and_bad_files_are_told(tmp_path, capsys, simulated):
    archive, output = tmp_path / "archive", tmp_path / "shards"
    (archive / "2024" / "pictures").mkdir(parents=True)
    write_dicom(simulated, archive / "2024" / "run.dcm")
    write_dicom(simulated, archive / "copy.dcm")
    for number, frame in enumerate(simulated.frames):
        picture = np.uint8(frame * (255.0 / simulated.white))
        cv2.imwrite(str(archive / "2024" / "pictures" / f"{number}.png"), picture)
    write_dicom(replace(simulated, seed=4, frames=simulated.frames[:1]), archive / "still.dcm")
    whole = (archive / "copy.dcm").read_bytes()
    (archive / "cut.dcm").write_bytes(whole[:300])
    (archive / "notes.txt").write_text("no run")
    command = ["prepare", str(archive), "--output", str(output), "--processes", "2"]
    assert cli.main(command) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 2
    assert "cut.dcm" in told[0] and "copy or export it again" in told[0]
    assert "2 runs prepared as 2 shards" in told[1]
    shards = sorted(output.rglob("*"))
    assert [p.parent.name for p in shards if p.is_file()] == ["unlabelled"] * 2
    for path in shards:
        assert not any(word in path.name for word in ("run", "Demo", "pictures", "1.2.826"))
        if path.is_file():
            assert b"Demo" not in path.read_bytes()
            assert len(read_shard(path)) == len(simulated.frames)
            assert set(states(read_shard(path))) == {"unknown"}
    (archive / "cut.dcm").unlink()
    before = [p.stat().st_mtime_ns for p in shards]
    assert cli.main(command) == 0
    assert "0 runs prepared" in (summary := capsys.readouterr().err)
    assert "2 were done before" in summary
    assert [p.stat().st_mtime_ns for p in shards] == before


def test_devices_are_dark_whatever_the_polarity_of_the_file(tmp_path, simulated):
    made = []
    for inverted in (False, True):
        path = tmp_path / f"{inverted}.dcm"
        write_dicom(simulated, path, inverted=inverted)
        assert prepare_run(Job(path, f"{inverted}", tmp_path)).unlabelled == 1
        made.append(read_shard(tmp_path / "unlabelled" / f"{inverted}_000.npz").frame(0))
    np.testing.assert_array_equal(*made)
    small = cv2.resize(made[0], simulated.frames.shape[1:], interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), simulated.frames[0].ravel())[0, 1] > 0.9


def test_what_a_person_labelled_is_learned_from_and_what_a_network_guessed_is_not(
    tmp_path, simulated
):
    path = tmp_path / "run.dcm"
    write_dicom(simulated, path)
    run = open_run(path)
    store = open_store(run)
    tip, wire = new_track((), "tip"), replace(new_track((), "wire"), kind=TrackKind.GUIDEWIRE_TIP)
    for edit in (
        add_track(tip),
        add_track(wire),
        place_point(wire, 5, 1.0, 2.0),
        place_point(tip, 3, 40.0, 20.5),
    ):
        store.labels.apply(edit)
    guess = TrackedPoint(4, 41.0, 21.0, "occluded", 0.9)
    store.labels.apply(put_tracked(store.labels.track(tip.id), [guess]))
    store.flush()
    job = Job(path, "a", tmp_path / "shards")
    assert prepare_run(job).labelled == 1  # also while the labels are open in a window
    (file,) = (tmp_path / "shards" / "labelled").iterdir()
    shard = read_shard(file)
    assert shard.real and shard.only
    assert [(i, s) for i, s in enumerate(states(shard)) if s != "unknown"] == [(3, "visible")]
    scale = shard.side / 96
    np.testing.assert_allclose((shard.tips[3] + 0.5) / scale - 0.5, (40.0, 20.5), atol=0.01)
    store.save_state(replace(store.state, reviewed=True))
    store.close()
    run.frames.close()
    assert prepare_run(job).labelled == 1
    found = [s for s in states(read_shard(file)) if s != "unknown"]
    assert found == ["visible", "occluded"]  # a reviewed run is right as a whole


def test_new_labels_are_picked_up_later(tmp_path, capsys, simulated):
    archive, output = tmp_path / "archive", tmp_path / "shards"
    archive.mkdir()
    write_dicom(simulated, archive / "run.dcm")
    command = ["prepare", str(archive), "--output", str(output), "--processes", "1"]
    assert cli.main(command) == 0
    run = open_run(archive / "run.dcm")
    store = open_store(run)
    store.labels.apply(add_track(tip := new_track((), "tip")))
    store.labels.apply(place_point(tip, 3, 40.0, 20.5))
    store.close()
    run.frames.close()
    assert cli.main(command) == 0
    assert "and 1 with labels" in capsys.readouterr().err.splitlines()[-1]
    assert len(list((output / "labelled").iterdir())) == 1


class DeadlyJob(Job):
    """Ends the process that receives it, as a decoder that crashes would."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_file_that_ends_its_process_is_left_out_and_the_others_are_prepared(tmp_path, simulated):
    jobs = []
    for number in range(3):
        path = tmp_path / f"{number}.dcm"
        write_dicom(simulated, path)
        make = DeadlyJob if number == 1 else Job
        jobs.append(make(path, f"{number}", tmp_path))
    outcomes = {job.name: outcome for job, outcome in prepare_all(jobs, 1)}
    assert [outcomes[name].unlabelled for name in "012"] == [1, 0, 1]
    assert "1.dcm broke the program" in outcomes["1"].trouble


def test_long_runs_are_cut_so_that_they_fit_in_memory():
    pieces = cut(130, 512 * 512)
    assert [len(piece) for piece in pieces] == [44, 43, 43]
    np.testing.assert_array_equal(np.concatenate(pieces), np.arange(130))
    large = 4096 * 4096 * 2
    assert max(len(piece) for piece in cut(130, large)) * large <= 20 * large
    assert len(cut(12, large)) == 1


def test_a_missing_archive_is_one_sentence(tmp_path, capsys):
    assert cli.main(["prepare", str(tmp_path / "no"), "--output", str(tmp_path / "s")]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "There is no folder" in line


@pytest.mark.parametrize("name", ["XA1_UNC", "XA1_JPLL", "XA1_J2KR", "XA1_RLE"])
def test_real_transfer_syntaxes(shared_data, tmp_path, name):
    path = shared_data / "nema_wg04" / f"{name}.dcm"
    assert prepare_run(Job(path, name, tmp_path)).unlabelled == 1
    shard = read_shard(tmp_path / "unlabelled" / f"{name}_000.npz")
    assert shard.frame(0).std() > 10
