import json

import cv2
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from inference.benchmarks import peers
from inference.benchmarks.tracking import both_ways
from inference.tracking.confidence import Evidence, features
from inference.tracking.tracker import load_tracker
from inference.tracking.training.augmentation import Look
from inference.tracking.training.calibration import fit, gather, held_back_runs, write_confidence
from inference.tracking.training.labelled import LabelledRun, read_labelled_runs
from inference.tracking.training.prepare import prepare_drawn, prepare_real, prepare_simulated
from inference.tracking.training.samples import SampleOptions, draw_sample
from inference.tracking.training.shards import STATES, VISIBLE, ShardPool, read_shard


@pytest.fixture
def data(tmp_path):
    """A folder laid out as shared/data, with one labelled run of two frames."""
    folder = tmp_path / "data" / "angiodata" / "P2_C9"
    folder.mkdir(parents=True)
    for index in range(2):
        cv2.imwrite(str(folder / f"frame_{index:05d}.jpg"), np.full((64, 64), 90 + index, np.uint8))
    labels = tmp_path / "data" / "labels" / "training"
    labels.mkdir(parents=True)
    frames = {"0": {"x": 10.5, "y": 20.0, "state": "visible"}}
    (labels / "P2_C9.json").write_text(json.dumps({"run": "P2_C9", "frames": frames}))
    return tmp_path / "data"


def test_labels_are_read_with_their_frames(data):
    (run,) = read_labelled_runs(data, "training")
    assert run.frames.shape == (2, 64, 64)
    np.testing.assert_array_equal(run.tips[0], [10.5, 20.0])
    assert [STATES[state] for state in run.states] == ["visible", "unknown"]


def test_no_validation_patient_can_enter_supervised_training(shared_data, tmp_path):
    validation = {path.stem for path in (shared_data / "labels" / "validation").glob("*.json")}
    prepare_drawn(range(3), 4, shared_data, tmp_path, 256)
    training = {path.stem for path in (shared_data / "labels" / "training").glob("*.json")}
    assert not training & validation
    assert not {name[:2] for name in training} & {name[:2] for name in validation}
    assert len(list(tmp_path.glob("*.npz"))) >= 1


def names(folder):
    return {path.stem for path in folder.glob("*.npz")}


def test_real_shards_keep_labels_and_pretraining_runs_apart(shared_data, tmp_path):
    prepare_real(shared_data, tmp_path, 64)
    runs = {folder.name for folder in (shared_data / "angiodata").iterdir()}
    validation = {path.stem for path in (shared_data / "labels" / "validation").glob("*.json")}
    held_back = {name[:2] for name in validation}
    assert names(tmp_path / "unlabelled") == {run for run in runs if run[:2] not in held_back}
    labelled = {path.stem for path in (shared_data / "labels" / "training").glob("*.json")}
    assert names(tmp_path / "labelled") == labelled
    for path in (tmp_path / "unlabelled").glob("*.npz"):
        assert (read_shard(path).states == STATES.index("unknown")).all()


def test_no_frame_of_a_validation_patient_enters_a_shard(data, tmp_path):
    for run in ("P1_C1", "P4_C2", "P9_C3", "P3_C1"):
        folder = data / "angiodata" / run
        folder.mkdir()
        cv2.imwrite(str(folder / "frame_00000.jpg"), np.full((64, 64), 90, np.uint8))
    prepare_real(data, tmp_path / "shards", 64)
    assert names(tmp_path / "shards" / "unlabelled") == {"P2_C9", "P3_C1"}
    assert names(tmp_path / "shards" / "labelled") == {"P2_C9"}


def test_simulated_shards_hold_the_truth(tmp_path):
    prepare_simulated(range(3, 5), 6, tmp_path, 512)
    pool = ShardPool([tmp_path])
    assert len(pool) >= 1
    random = np.random.default_rng(1)
    for _ in range(4):
        shard = pool.draw(random)
        assert shard.frame(0).shape == (512, 512)
        assert shard.frame(0, 256).shape == shard.body_mask(0, 256).shape == (256, 256)
        frame = int(np.flatnonzero(shard.states == VISIBLE)[0])
        x, y = np.rint(shard.tips[frame] / 2).astype(int)
        near = shard.body_mask(frame, 256)[max(0, y - 5) : y + 6, max(0, x - 5) : x + 6]
        assert near.any()
        sample = draw_sample(shard, random, SampleOptions())
        assert all(np.isfinite(part).all() for part in sample.values())


def test_what_crosses_the_clicked_tip_does_not_follow_it():
    flat, away = np.full((256, 256), 140, np.uint8), np.full(2, -4000.0)
    crossed, tip, moved = np.full(2, 150.0), np.full(2, 60.0), np.full(2, 90.0)
    crossing = 0
    for seed in range(40):
        look = Look(np.random.default_rng(seed))

        def shown(tip, beside, look=look):
            return look.apply(flat, tip, beside, np.random.default_rng(0), covered=False)

        seen = shown(tip, crossed)
        np.testing.assert_array_equal(seen, shown(moved, crossed))
        changed = np.abs(seen - shown(tip, away)) > 4.0
        crossing += bool(changed[120:180, 120:180].any())
    assert 10 <= crossing <= 30


def test_calibration_learns_which_evidence_counts():
    random = np.random.default_rng(2)
    chance, noise = random.uniform(0.01, 0.99, 4000), random.normal(size=4000)
    right = random.uniform(size=4000) < chance
    weights = fit(
        np.stack(
            [
                features(Evidence(c, 0.5, n, 0.5, 0.0, 0.5, 0.0, 0))
                for c, n in zip(chance, noise, strict=True)
            ]
        ),
        right,
    )
    np.testing.assert_allclose(weights, [0.0, 1.0, *7 * [0.0]], atol=0.15)


def test_calibration_looks_at_every_tracked_point():
    run = next(held_back_runs(1, None))
    run = LabelledRun(run.name, run.frames[:6], run.tips[:6], run.states[:6])
    rows, right = gather(load_tracker("cpu"), run)
    assert len(rows) == len(right) <= 5


def test_the_calibration_is_kept_in_the_weights_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"layer": np.arange(3.0)}, path, {"network": "{}"})
    write_confidence(path, np.array([0.5, 1.0]))
    with safe_open(path, framework="np") as file:
        assert file.metadata() == {"network": "{}", "confidence": "[0.5, 1.0]"}
        np.testing.assert_array_equal(file.get_tensor("layer"), np.arange(3.0))


def test_peers_follow_a_square_both_ways():
    frames = np.random.default_rng(3).integers(100, 120, (7, 256, 256)).astype(np.uint8)
    frames = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in frames])
    tips = np.stack([60.0 + 3 * np.arange(7), np.full(7, 90.0)], axis=1)
    for frame, (x, y) in zip(frames, tips.astype(int), strict=True):
        frame[y - 8 : y + 9, x - 8 : x + 9] = 20
    run = LabelledRun("square", frames, tips, np.zeros(7, np.uint8))
    for follow in (peers.lucas_kanade, peers.template_matching, peers.multiple_instance):
        found = both_ways(follow, run, 3)
        assert np.hypot(*(found - tips).T).max() < 6, follow.__name__


def test_nanotrack_runs(shared_data):
    folder = shared_data.parent / "peers" / "nanotrack"
    if not folder.is_dir():
        pytest.skip(f"NanoTrack is not at {folder}")
    frames = np.zeros((3, 256, 256), np.uint8)
    frames[:, 100:120, 100:120] = 200
    found = peers.nano_tracker(folder)(frames, (110.0, 110.0))
    assert found.shape == (3, 2)
    assert np.isfinite(found).all()
