import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader

import inference.tracking.training
from inference.runtime import OnnxRunner, weights_path
from inference.tracking import search
from inference.tracking.correlation import correlate, unit
from inference.tracking.network import (
    CELL,
    TEMPLATES,
    TIMES,
    Correction,
    NetworkOptions,
    Stem,
    TrackerNetwork,
)
from inference.tracking.parts import build_part
from inference.tracking.refiner import Refiner, RefinerOptions
from inference.tracking.tracker import PARTS
from inference.tracking.training.export import load_trained
from inference.tracking.training.finetuning import Finetuning, decode_peak, heat_target, start_from
from inference.tracking.training.matching import draw_pair, matching_loss
from inference.tracking.training.pretraining import (
    MASKS,
    STEMS,
    Clips,
    Pretraining,
    PretrainingOptions,
    draw_mask,
    reconstruction_picture,
)
from inference.tracking.training.quantised_export import calibration_inputs
from inference.tracking.training.refining import Refining, draw_fine_sample
from inference.tracking.training.samples import SampleOptions, draw_sample
from inference.tracking.training.shards import (
    ABSENT,
    OCCLUDED,
    VISIBLE,
    ShardPool,
    make_shard,
    read_shard,
    write_shard,
)
from inference.training.loop import LoopOptions, averaged_state, read_options, train
from inference.training.precision import mixed_precision

SMALL = NetworkOptions(width=48, depth=2, heads=2, stem=(8, 8, 16), view=128, template=48)
CONFIGS = Path(inference.tracking.training.__file__).parent / "configs"


def small_inputs(clips=2, searches=3):
    return (
        torch.randn(clips, TEMPLATES, TIMES, 48, 48),
        torch.rand(clips, TEMPLATES, 2) * 100,
        torch.zeros(clips, TEMPLATES),
        torch.randn(clips, searches, TIMES, 64, 64),
        torch.zeros(clips, searches, 2),
        torch.zeros(clips, searches),
    )


def test_the_network_answers_for_each_searched_frame():
    said = TrackerNetwork(SMALL)(*small_inputs())
    assert said.heat.shape == (2, 3, 1 + (64 // CELL) ** 2)
    assert said.body.shape == (2, 3, 16, 16)
    assert said.occluded.shape == said.sure.shape == (2, 3)


def test_clips_and_searched_frames_do_not_disturb_each_other():
    network = TrackerNetwork(SMALL).eval()
    inputs = small_inputs(clips=2)
    with torch.inference_mode():
        together = network(*inputs).heat[1, 2]
        known = tuple(part[1:] for part in inputs[:3])
        search = tuple(part[1:, 2:] for part in inputs[3:])
        alone = network(*known, *search).heat[0, 0]
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_each_size_comes_from_its_configuration(size):
    options = read_options(NetworkOptions, CONFIGS / f"{size}.toml", "network")
    assert options.width % options.heads == 0
    assert options.width % 6 == 0
    TrackerNetwork(options)


def test_the_cpu_path_agrees_with_the_network_on_what_it_shares():
    assert (search.CELL, search.TEMPLATES) == (CELL, TEMPLATES)


@pytest.mark.parametrize("side", [3, 13])
def test_a_correlation_is_highest_where_the_template_was_cut(side):
    frame = unit(torch.randn(1, 1, 6, 40, 40))
    pattern = frame[:, :, :, 10:30, 5:25]  # its middle, 10, lies at (15, 20)
    weight = torch.rand(1, 1, 1, 20, 20) + 0.1
    for chosen in (None, weight):
        found = correlate(pattern, frame, side, chosen)[0, 0, 0]
        assert divmod(int(found.argmax()), 40) == (20, 15)
        assert found.max() == pytest.approx(1.0, abs=1e-4)


def test_a_correlation_is_the_mean_cosine_over_the_template():
    pattern, frame = torch.randn(2, 3, 4, 10, 10), torch.randn(2, 2, 4, 16, 16)
    found = correlate(unit(pattern), unit(frame), 5)
    kernel = torch.nn.functional.normalize(pattern[..., 3:8, 3:8], dim=2) / 25
    ground = torch.nn.functional.normalize(frame, dim=2)
    for clip in range(2):
        expected = torch.nn.functional.conv2d(ground[clip], kernel[clip], padding=2)
        torch.testing.assert_close(found[clip], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # of torch's own making
def test_features_of_nothing_stay_finite_in_the_exported_file(tmp_path):
    class Unit(torch.nn.Module):
        def forward(self, features):
            return unit(features)

    nothing = torch.zeros(1, 4, 8, 8)
    program = torch.onnx.export(Unit().eval(), (nothing,), input_names=["features"], dynamo=True)
    program.save(tmp_path / "unit.onnx")
    (out,) = OnnxRunner(tmp_path / "unit.onnx")({"features": nothing.numpy()})
    assert not out.any()


def test_trained_weights_are_mixed_with_former_ones(tmp_path):
    weights = {"new": torch.nn.Linear(2, 1), "former": torch.nn.Linear(2, 1)}
    for name, module in weights.items():
        state = {f"network.{key}": value for key, value in module.state_dict().items()}
        save_file(state, tmp_path / f"{name}.safetensors")
    mixed = torch.nn.Linear(2, 1)
    load_trained(mixed, tmp_path / "new.safetensors", tmp_path / "former.safetensors", 0.25)
    new, former = weights["new"].weight, weights["former"].weight
    torch.testing.assert_close(mixed.weight, 0.75 * new + 0.25 * former)
    load_trained(mixed, tmp_path / "new.safetensors", None, 0.25)
    torch.testing.assert_close(mixed.weight, new)


def test_the_transformer_reads_the_correlations():
    network = TrackerNetwork(SMALL).eval()
    inputs = small_inputs(clips=1, searches=1)
    seen = []
    network.encoder.norm.register_forward_hook(lambda module, given, out: seen.append(out))
    with torch.inference_mode():
        network(*inputs)
        network.to_tokens.weight.normal_()
        network(*inputs)
    before, after = seen
    assert (after - before).abs().max() > 0.1


def test_a_network_that_sees_more_starts_from_one_that_saw_less(tmp_path):
    task = Finetuning(SMALL)
    state = Finetuning(SMALL).state_dict()
    name = "network.encoder.stem.at_half.0.weight"
    linear = "network.to_seen.weight"
    older = state | {name: state[name][:, :1], linear: state[linear][:, :50]}
    torch.save({"averaged": older}, tmp_path / "checkpoint.pt")
    start_from(task, tmp_path)
    for part, kept in ((name, 1), (linear, 50)):
        now = task.state_dict()[part]
        torch.testing.assert_close(now[:, :kept], older[part])
        assert not now[:, kept:].any()


def test_a_correction_starts_as_the_identity():
    x = torch.randn(2, 8, 16, 16)
    correction = Correction(8)
    torch.testing.assert_close(correction(x), x)
    correction(x).square().mean().backward()
    assert correction.second.weight.grad.abs().max() > 0  # and learns from there


def test_the_refiner_answers_for_each_part():
    options = RefinerOptions(fine=8, coarse=16, crop=32)
    templates = torch.randn(2, TEMPLATES, TIMES, 32, 32)
    heat = Refiner(options)(templates, torch.randn(2, 5, TIMES, 32, 32))
    assert heat.shape == (2, 5, 1 + 32 * 32)


def test_fimae_hides_tubes_and_almost_all_between():
    hidden = draw_mask(PretrainingOptions(), 64, np.random.default_rng(1))
    np.testing.assert_array_equal(hidden[0::2], np.repeat(hidden[:1], 5, axis=0))
    assert hidden[0].mean() == 0.75
    assert (hidden[1::2].mean(axis=1) > 0.95).all()
    assert not hidden[1::2].all()


@pytest.mark.parametrize("mask", MASKS)
def test_each_mask_trains(mask):
    options = PretrainingOptions(
        mask=mask, crop=64, decoder_width=48, decoder_depth=1, stem="frozen"
    )
    task = Pretraining(SMALL, options)
    random = np.random.default_rng(2)
    hidden = torch.from_numpy(np.stack([draw_mask(options, 16, random) for _ in range(2)]))
    clips = torch.randn(2, 10, 64, 64)
    loss, _ = task({"clips": clips, "hidden": hidden})
    loss.backward()
    assert torch.isfinite(loss)
    picture = reconstruction_picture(task, {"clips": clips[0], "hidden": hidden[0]})
    assert picture.shape == (3 * 64, 10 * 64)


@pytest.mark.parametrize("stem", STEMS)
def test_what_trains_the_stem_that_correlates_can_be_chosen(stem, tmp_path):
    options = PretrainingOptions(crop=64, decoder_width=48, stem=stem, frames=10, view=128)
    torch.manual_seed(1)
    task = Pretraining(SMALL, options)
    batch = next(iter(DataLoader(Clips([shard_with_a_dot(tmp_path)], options, 1), 2)))
    assert ("first" in batch) == (stem == "matching")
    loss, _ = task(batch)
    loss.backward()
    convolutions = [p for n, p in task.encoder.stem.named_parameters() if "token" not in n]
    learned = [p.grad is not None for p in convolutions]
    assert learned == [stem != "frozen"] * len(learned)
    assert task.encoder.stem.token.weight.grad is not None
    assert task.encoder.blocks[0].qkv.weight.grad is not None


def test_what_trains_the_stem_has_to_be_known():
    with pytest.raises(ValueError, match="matching, frozen, pixels"):
        Pretraining(SMALL, PretrainingOptions(stem="nobody"))


def test_pixels_do_not_train_a_stem_that_learns_by_matching():
    task = Pretraining(SMALL, PretrainingOptions(crop=64, decoder_width=48))
    hidden = torch.zeros(1, 10, 16, dtype=torch.bool)
    hidden[:, 1::2] = True
    task.reconstruct(torch.randn(1, 10, 64, 64), hidden).sum().backward()
    assert task.encoder.stem.at_half[0].weight.grad is None
    assert task.encoder.stem.token.weight.grad is not None


def test_the_places_of_a_pair_show_the_same(tmp_path):
    shard = read_shard(shard_with_a_dot(tmp_path) / "run.npz")
    random = np.random.default_rng(7)
    alike = []
    for _ in range(20):
        pair = draw_pair(shard, shard, random, 64, 128)
        dark = np.argwhere(cv2.GaussianBlur(pair["first"][0], (0, 0), 1.5) < -1.5)
        if len(dark):  # the dot
            y, x = dark.mean(axis=0)
            x, y = np.rint(pair["matrix"] @ (x, y, 1.0)).astype(int)
            if 3 < x < 60 and 3 < y < 60:
                alike.append(pair["second"][0][y, x] < 0)
    assert len(alike) > 5
    assert np.mean(alike) > 0.8


@pytest.mark.slow
def test_matching_teaches_the_stem_to_find_places_again(tmp_path):
    options = PretrainingOptions(crop=64, view=128)
    random = np.random.default_rng(8)
    noise = random.standard_normal((12, 256, 256)).astype(np.float32)
    cells = np.stack([cv2.GaussianBlur(picture, (0, 0), 4.0) for picture in noise])
    frames = np.clip(128 + 900 * cells, 0, 255).astype(np.uint8)
    tips, states = np.full((12, 2), np.nan), np.full(12, 3, np.uint8)
    shard = make_shard(frames, tips, states, None, real=False)
    torch.manual_seed(1)
    stem = Stem(SMALL)
    optimiser = torch.optim.Adam(stem.parameters(), 2e-3)
    shares = []
    for _ in range(60):
        pairs = [draw_pair(shard, shard, random, options.crop, options.view) for _ in range(4)]
        loss, found = matching_loss(
            stem, {k: torch.from_numpy(np.stack([p[k] for p in pairs])) for k in pairs[0]}
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        shares.append(found.item())
    assert np.mean(shares[-10:]) > np.mean(shares[:10]) + 0.1


@pytest.mark.slow
def test_hidden_patches_are_guessed_from_their_neighbours_in_time():
    random = np.random.default_rng(1)
    options = PretrainingOptions(crop=64, decoder_width=48, stem="pixels")

    def clip():
        still = cv2.GaussianBlur(random.standard_normal((64, 64)).astype(np.float32), (0, 0), 3)
        return (
            np.repeat(still[None] / still.std(), options.frames, axis=0),
            draw_mask(options, 16, random),
        )

    torch.manual_seed(1)
    task = Pretraining(SMALL, options)
    optimiser = torch.optim.Adam(task.parameters(), 2e-3)
    explained = []
    for _ in range(160):
        clips, hidden = (np.stack(part) for part in zip(*(clip() for _ in range(8)), strict=True))
        batch = {"clips": torch.from_numpy(clips), "hidden": torch.from_numpy(hidden)}
        loss, figures = task(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        explained.append(figures["explained"].item())
    # A network that says the mean of all patches, whatever it sees, explains nothing.
    assert np.mean(explained[-20:]) > 0.03


def test_hidden_pixels_cannot_leak_into_the_reconstruction():
    options = PretrainingOptions(crop=64, decoder_width=48, decoder_depth=1)
    task = Pretraining(SMALL, options).eval()
    hidden = torch.from_numpy(draw_mask(options, 16, np.random.default_rng(3)))[None]
    clips = torch.randn(1, 10, 64, 64)
    patches = hidden.view(10, 4, 4).repeat_interleave(16, 1).repeat_interleave(16, 2)
    changed = torch.where(patches, torch.randn(10, 64, 64), clips[0])[None]
    with torch.inference_mode():
        torch.testing.assert_close(
            task.reconstruct(clips, hidden), task.reconstruct(changed, hidden)
        )


def test_a_heatmap_says_where_its_tip_is():
    tips = torch.tensor([[20.3, 41.8], [60.0, 7.5], [0.0, 0.0]])
    states = torch.tensor([VISIBLE, OCCLUDED, ABSENT])
    target = heat_target(tips, states, 64)
    torch.testing.assert_close(target.sum(-1), torch.ones(3))
    assert target[2, 0] == 1.0
    found = decode_peak(target[:2].clamp(min=1e-9).log())
    assert (found - tips[:2]).abs().max() < 0.3


def shard_with_a_dot(tmp_path):
    frames = np.random.default_rng(4).integers(90, 110, (12, 256, 256)).astype(np.uint8)
    tips = np.stack([80 + 5.0 * np.arange(12), np.full(12, 120.0)], axis=1)
    for frame, (x, y) in zip(frames, tips.astype(int), strict=True):
        frame[y - 4 : y + 5, x - 4 : x + 5] = 20
    shard = make_shard(frames, tips, np.zeros(12, np.uint8), None, real=True)
    write_shard(tmp_path / "run.npz", shard)
    return tmp_path


def test_samples_hold_the_tip_where_they_say(tmp_path):
    shard = read_shard(shard_with_a_dot(tmp_path) / "run.npz")
    options = SampleOptions(crop=128, template=48, blank_share=0.0)
    random = np.random.default_rng(5)
    dark = []
    for _ in range(20):
        sample = draw_sample(shard, random, options)
        for (view, _, _), (x, y), state in zip(
            sample["search"], sample["tips"], sample["states"], strict=True
        ):
            if state == VISIBLE and 3 < x < 124 and 3 < y < 124:
                dark.append(view[round(y), round(x)] < 0)
        assert sample["templates"][0, 0, 24, 24] < 0
    assert np.mean(dark) > 0.9


def test_fine_samples_hold_the_tip_where_they_say(tmp_path):
    shard = read_shard(shard_with_a_dot(tmp_path) / "run.npz")
    random = np.random.default_rng(5)
    dark = []
    for _ in range(20):
        sample = draw_fine_sample(shard, random, RefinerOptions())
        for (part, _, _), (x, y), state in zip(
            sample["search"], sample["tips"], sample["states"], strict=True
        ):
            if state == VISIBLE:
                dark.append(part[round(y), round(x)] < 0)
            else:
                assert not (4 < x < 75 and 4 < y < 75)
        assert sample["templates"][0, 0, 40, 40] < 0
    assert np.mean(dark) > 0.9


def test_the_refiner_learns(tmp_path):
    shard = read_shard(shard_with_a_dot(tmp_path) / "run.npz")
    random = np.random.default_rng(6)
    options = RefinerOptions(fine=8, coarse=16, crop=48)
    samples = [draw_fine_sample(shard, random, options) for _ in range(4)]
    batch = {key: torch.from_numpy(np.stack([s[key] for s in samples])) for key in samples[0]}
    torch.manual_seed(1)
    task = Refining(options)
    optimiser = torch.optim.Adam(task.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        loss, _ = task(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(("has", "enabled"), [({}, False), ({"avx512_bf16": True}, True)])
def test_bfloat16_is_used_only_where_the_processor_has_it(monkeypatch, has, enabled):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    with mixed_precision("cpu"):
        assert torch.is_autocast_enabled("cpu") is enabled


def test_training_resumes_where_it_stopped(tmp_path):
    pool = ShardPool([shard_with_a_dot(tmp_path)])
    options = SampleOptions(crop=64, template=48, searches=1)
    random = np.random.default_rng(6)

    def batches():
        while True:
            samples = [draw_sample(pool.draw(random), random, options) for _ in range(2)]
            yield {
                key: torch.from_numpy(np.stack([sample[key] for sample in samples]))
                for key in samples[0]
            }

    folder = tmp_path / "checkpoints"
    train(Finetuning(SMALL), batches(), LoopOptions(steps=2), folder)
    first = averaged_state(folder)
    train(Finetuning(SMALL), batches(), LoopOptions(steps=2), folder)
    assert all(torch.equal(first[key], value) for key, value in averaged_state(folder).items())
    train(Finetuning(SMALL), batches(), LoopOptions(steps=3), folder)
    assert any(not torch.equal(first[key], value) for key, value in averaged_state(folder).items())


def test_figures_logged_after_a_break_are_means_of_the_steps_since(tmp_path, caplog):
    class AlwaysOne(torch.nn.Linear):
        def forward(self, batch):
            return super().forward(batch["x"]).square().mean(), {"one": torch.ones(())}

    batches = [{"x": torch.ones(2, 3)}] * 10
    caplog.set_level(logging.INFO)
    train(AlwaysOne(3, 1), batches, LoopOptions(steps=3, log_steps=4), tmp_path)
    train(AlwaysOne(3, 1), batches, LoopOptions(steps=4, log_steps=4), tmp_path)
    assert "one 1.0000" in caplog.text


@pytest.fixture(scope="module")
def inputs_in_use():
    """What each shipped network is given while simulated runs are tracked."""
    return calibration_inputs("tracker_tiny", runs=4)


@pytest.mark.parametrize("part", PARTS)
def test_the_shipped_files_are_the_same_network(part, inputs_in_use):
    path = weights_path("tracker_tiny" + part, ".safetensors")
    with safe_open(path, framework="np") as file:
        module = build_part(file.metadata()).eval()
    module.load_state_dict(load_file(path))
    runner = OnnxRunner(weights_path("tracker_tiny" + part, ".onnx"))
    # All calls together: which of them comes first is left to threads.
    pairs: dict[int, list[np.ndarray]] = {}
    for inputs in inputs_in_use[part]:
        with torch.inference_mode():
            expected = module(**{key: torch.from_numpy(value) for key, value in inputs.items()})
        for output, (ours, theirs) in enumerate(zip(runner(inputs), expected, strict=True)):
            if ours.size > 8:
                both = np.stack([ours.ravel(), theirs.numpy().ravel()])
                pairs.setdefault(output, []).append(both)
    # The CPU's file is in 8 bits: alike, not the same.
    for both in pairs.values():
        assert np.corrcoef(np.concatenate(both, axis=1))[0, 1] > 0.98


def test_the_shipped_files_are_small():
    for part in PARTS:
        for suffix in (".onnx", ".safetensors"):
            assert weights_path("tracker_tiny" + part, suffix).stat().st_size < 20e6
