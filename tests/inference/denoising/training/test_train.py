"""Training from noisy runs alone: samples, the parts of both steps, adapting, exporting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from inference.denoising.denoiser import load_denoiser
from inference.denoising.networks import STUDENT_INPUTS, ExportedStudent, Msr2auNet
from inference.denoising.requests import DenoiseRequest
from inference.denoising.training import losses
from inference.denoising.training.adaptation import AdaptationError, adapt
from inference.denoising.training.cpu_layers import for_cpu
from inference.denoising.training.drawing import draw_devices
from inference.denoising.training.export import export_student, quantise_student
from inference.denoising.training.samples import BaseRun, draw_sample, load_base
from inference.denoising.training.train import (
    Config,
    StudentTask,
    collate,
    load_bases,
    load_config,
    train_step,
)
from inference.frames import FrameSequence
from inference.simulation import DeviceTruth
from inference.training.loop import LoopOptions


def flat_run(count: int = 14, size: int = 200, deviation: float = 9.0) -> np.ndarray:
    grain = np.random.default_rng(1).standard_normal((count, size, size))
    return np.clip(np.rint(120.0 + deviation * grain), 0, 255).astype(np.uint8)


def test_the_teacher_never_sees_the_centre_frame() -> None:
    network = Msr2auNet(2, (4, 8))
    torch.nn.init.normal_(network.out.weight)
    frames = torch.randn(1, 5, 32, 32)
    outputs = []
    for centre in (0.0, 50.0):
        frames[:, 2] = centre
        torch.manual_seed(3)
        outputs.append(network(frames))
    torch.testing.assert_close(outputs[0], outputs[1])


def test_a_noisy_run_teaches_by_targets_whose_noise_the_input_does_not_hold() -> None:
    base = load_base(flat_run())
    assert base.noise is not None
    rng = np.random.default_rng(2)
    found = []
    while len(found) < 24:
        sample = draw_sample(rng, [base], 96)
        if not sample.device.any():
            assert not sample.exact
            pair = [image - image.mean() for image in (sample.mean, sample.target)]
            found.append(float((pair[0] * pair[1]).mean() / (pair[0].std() * pair[1].std())))
    assert abs(np.mean(found)) < 0.01


def test_a_clean_run_teaches_by_a_lower_dose() -> None:
    base = load_base(flat_run(deviation=0.4))
    assert base.noise is None
    sample = draw_sample(np.random.default_rng(2), [base], 96)
    assert sample.exact
    assert np.std(sample.frame - sample.target) == pytest.approx(1.0, rel=0.15)


def test_the_recursion_averages_and_the_matrix_distrusts_it_where_something_moved() -> None:
    rng = np.random.default_rng(4)
    frames = [rng.standard_normal((64, 64)).astype(np.float32) for _ in range(5)]
    for k in range(5):
        frames[k][20:26, 8 + 10 * k : 14 + 10 * k] -= 30.0
    recursive = losses.recursive_mean(frames)
    assert recursive[40:].std() < 0.8
    still = np.mean(frames, axis=0)
    centre = torch.from_numpy(frames[2])[None, None]
    output = torch.from_numpy(np.where(centre[0, 0] < -15, centre[0, 0], 0.0))[None, None].float()
    trust = losses.cross_fusion_matrix(output, torch.from_numpy(still)[None, None], centre)[0, 0]
    assert trust[20:26, 28:34].mean() < 0.3
    assert trust[45:, :].mean() > 0.7


def test_pixels_of_one_profile_number_lie_at_one_distance_from_the_device() -> None:
    rng = np.random.default_rng(6)
    while not (profile := draw_devices(rng, 3, 96).profile).any():
        pass
    for number in np.unique(profile)[1:]:
        y, x = np.nonzero(profile == number)
        if len(y) > 8:
            # Along a smooth line, a stretch of equal distance is thin: no wider than its bend.
            _, spread, _ = np.linalg.svd(np.stack([x - x.mean(), y - y.mean()], 1))
            assert spread[1] / len(y) ** 0.5 < 4.0


def test_a_simulated_run_tells_where_its_catheter_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.denoising.training.samples.DEVICE_SHARE", 0.0)
    rows = 60 + 4 * np.arange(-2, 10)  # the first two frames were left out of the run
    frames = np.full((10, 160, 160), 120.0, np.float32)
    for frame, row in zip(frames, rows[2:], strict=True):
        frame[row - 3 : row + 4] = 40.0
    across = np.linspace(-20.0, 180.0, 101)
    body = tuple(np.stack([across, np.full(101, float(row))], 1) for row in rows)
    device = DeviceTruth("JR", np.zeros((12, 2)), ("visible",) * 12, body, 3.5)
    base = BaseRun(frames, 255.0, None, device=device)
    rng = np.random.default_rng(7)
    shown = 0
    for _ in range(12):
        sample = draw_sample(rng, [base], 96)
        dark = sample.target < sample.target.max() - 0.5 * np.ptp(sample.target)
        if sample.device.any():
            assert (sample.device > 0)[dark].mean() > 0.9
            assert dark[sample.device > 0].mean() > 0.7
            assert sample.profile[dark].all()
            shown += 1
    assert shown > 3


def test_a_device_thinned_alike_costs_more_than_noise_of_the_same_power() -> None:
    rng = np.random.default_rng(7)
    while not (drawn := draw_devices(rng, 3, 96)).profile.any():
        pass
    target = torch.from_numpy(-drawn.attenuation[1])[None, None]
    profile = torch.from_numpy(drawn.profile)[None, None]
    thinned = 0.9 * target
    power = float(((thinned - target)[profile > 0] ** 2).mean())
    noisy = target + power**0.5 * torch.randn(target.shape)
    bias, noise = (float(losses.profile_loss(x, target, profile)) for x in (thinned, noisy))
    assert bias > 4.0 * noise
    assert float(losses.profile_loss(target, target, profile)) == 0.0


@pytest.mark.parametrize("name", ["student", "paper"])
def test_every_named_part_can_be_left_out(name: str) -> None:
    config = load_config(name)
    base = load_base(flat_run())
    rng = np.random.default_rng(5)
    batch = collate([draw_sample(rng, [base], 64)], recursive=True)
    teacher = Msr2auNet(2, (4, 8)).eval()
    for part in (*config.losses, "cross_fusion"):
        _, figures = StudentTask(config.without(part), teacher)(batch)
        assert part not in figures
        assert all(torch.isfinite(value) for value in figures.values())
    with pytest.raises(ValueError, match="No part is called"):
        config.without("unheard-of")


def test_from_own_noisy_runs_to_a_network_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "run.npy", flat_run(10, 160))
    monkeypatch.setattr("inference.denoising.training.train.CHECKPOINT_FOLDER", tmp_path)
    config = Config(
        patch=64,
        batch=2,
        teacher_batch=1,
        student_widths=(8, 8, 8),
        teacher_branch_width=1,
        teacher_widths=(4, 8),
        losses={"target": 1.0, "distillation": 0.5, "recursion": 0.5},
    )
    bases = load_bases((), own_runs=(tmp_path / "run.npy",))
    options = LoopOptions(steps=2, warmup_steps=1, log_steps=1)
    train_step(config, options, 1, "own", bases)
    folder = train_step(config, options, 2, "own", bases)
    export_student(folder, tmp_path / "own", None)
    denoiser = load_denoiser("cpu", name=str(tmp_path / "own"))
    frames = flat_run(6, 96)
    given = []
    sequence = FrameSequence(lambda index: frames[index], 6, 96, 96)
    denoiser.denoise(sequence, DenoiseRequest((2,)), lambda: False, given.append)
    assert given[0].pixels.std() < 0.7 * frames[2].std()

    seen = [draw_sample(np.random.default_rng(k), bases, 64) for k in range(4)]
    inputs = [{n: v.numpy() for n, v in collate([s]).items() if n in STUDENT_INPUTS} for s in seen]
    (tmp_path / "bytes.safetensors").write_bytes((tmp_path / "own.safetensors").read_bytes())
    quantise_student(tmp_path / "own.onnx", tmp_path / "bytes.onnx", iter(inputs))
    in_bytes = load_denoiser("cpu", name=str(tmp_path / "bytes"))
    in_bytes.denoise(sequence, DenoiseRequest((2,)), lambda: False, given.append)
    assert np.abs(given[1].pixels - given[0].pixels).max() < 0.3 * frames[2].std()


def test_layers_written_for_cpus_compute_the_same() -> None:
    torch.manual_seed(5)
    network = ExportedStudent((16, 24, 32))
    torch.nn.init.normal_(network.leave.weight)
    inputs = [torch.randn(2, 1, 64, 96), torch.randn(2, 1, 64, 96), torch.rand(2, 1, 32, 48)]
    inputs.append(torch.rand(2, 1, 1, 1))
    with torch.inference_mode():
        torch.testing.assert_close(for_cpu(network)(*inputs), network(*inputs))


@pytest.mark.slow
def test_adapting_gives_a_score_before_and_after_and_weights_that_load(tmp_path: Path) -> None:
    frames = flat_run(12, 176)
    sequence = FrameSequence(lambda index: frames[index], 12, 176, 176)
    told: list[float] = []
    adapted = adapt(sequence, lambda: False, told.append, minutes=0.01)
    assert adapted is not None
    assert told[-1] == 1.0
    assert adapted.error_before < 0.3
    assert adapted.error_after < 0.3
    adapted.save(tmp_path / "adapted")
    operators = {node.op_type for node in onnx.load(tmp_path / "adapted.onnx").graph.node}
    assert "QuantizeLinear" in operators
    assert load_denoiser("cpu", name=str(tmp_path / "adapted")).device_name == "cpu"
    assert adapt(sequence, lambda: True, told.append) is None


@pytest.mark.parametrize("frames", [flat_run(11), flat_run(12, 96), flat_run(deviation=0.3)])
def test_a_series_that_cannot_teach_is_refused(frames: np.ndarray) -> None:
    count, rows, columns = frames.shape
    sequence = FrameSequence(lambda index: frames[index], count, rows, columns)
    with pytest.raises(AdaptationError):
        adapt(sequence, lambda: False, lambda _: None)
