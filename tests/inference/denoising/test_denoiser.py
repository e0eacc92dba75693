"""The shipped denoiser: it gains, never invents, keeps the grey scale, order and stop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from inference.benchmarks.denoising_scores import (
    autocorrelation_of,
    contrast_to_noise,
    edge_correlation,
    psnr,
)
from inference.denoising.alignment import align
from inference.denoising.denoiser import Denoiser, _Run, load_denoiser
from inference.denoising.requests import DenoisedFrame, DenoiseRequest
from inference.frames import FrameSequence
from inference.simulation import Scenario, SimulatedRun, simulate_run


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    return load_denoiser("cpu")


@pytest.fixture(scope="module")
def low_dose() -> SimulatedRun:
    return simulate_run(21, Scenario.LOW_DOSE, 12, 320, noise_sd=0.04, bits=8, recursion=0.0)


def sequence_of(frames: np.ndarray, white: float) -> FrameSequence:
    count, rows, columns = frames.shape
    return FrameSequence(lambda index: frames[index], count, rows, columns, white)


def denoised(
    denoiser: Denoiser,
    frames: np.ndarray,
    white: float,
    order: tuple[int, ...] | None = None,
    causal: bool = False,
    noise_removed: bool = True,
) -> dict[int, np.ndarray]:
    found: dict[int, np.ndarray] = {}

    def keep(frame: DenoisedFrame) -> None:
        assert frame.noise_removed is noise_removed
        assert frame.pixels.dtype == np.float32
        assert frame.pixels.shape == frames.shape[1:]
        found[frame.frame] = frame.pixels

    order = order if order is not None else tuple(range(len(frames)))
    denoiser.denoise(sequence_of(frames, white), DenoiseRequest(order, causal), lambda: False, keep)
    assert tuple(found) == order
    return found


@pytest.mark.parametrize("causal", [False, True])
def test_a_low_dose_run_gains_in_picture_and_device(
    denoiser: Denoiser, low_dose: SimulatedRun, causal: bool
) -> None:
    out = denoised(denoiser, low_dose.frames, low_dose.white, causal=causal)
    masks = low_dose.device_mask(True).astype(bool)
    gains, before, after = [], [], []
    for k, truth in enumerate(low_dose.clean):
        noisy = low_dose.frames[k].astype(np.float32)
        gains.append(psnr(out[k], truth, low_dose.white) - psnr(noisy, truth, low_dose.white))
        before.append(contrast_to_noise(noisy, truth, masks[k]))
        after.append(contrast_to_noise(out[k], truth, masks[k]))
    assert np.mean(gains) > 6.0
    assert np.nanmean(after) > 1.5 * np.nanmean(before)


def flat_and_device_runs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noisy frames, their truth, and where the device or its edges are."""
    rng = np.random.default_rng(8)
    rows, columns, count = 256, 256, 11
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    ground = 130.0 + 25.0 * np.sin(x / 90.0) + 15.0 * np.cos(y / 70.0)
    truth = []
    for k in range(count):
        canvas = np.zeros((rows, columns), np.uint8)
        points = np.stack(
            [np.linspace(10, 245, 40), 60 + 3 * k + 25 * np.sin(np.arange(40) / 7)], 1
        )
        cv2.polylines(
            canvas, [np.round(points * 16).astype(np.int32)], False, 255, 2, cv2.LINE_AA, 4
        )
        cv2.line(canvas, (40, 150), (220, 235), 255, 5, cv2.LINE_AA)
        truth.append(
            ground - 40.0 * cv2.GaussianBlur(canvas.astype(np.float32) / 255.0, (0, 0), 0.8)
        )
    scene = np.array(truth, np.float32)
    noisy = np.clip(np.rint(scene + 8.0 * rng.standard_normal(scene.shape)), 0, 255)
    devices = np.array(
        [cv2.dilate((t < ground - 4).astype(np.uint8), np.ones((9, 9))) for t in truth]
    )
    return noisy.astype(np.uint8), scene, devices.astype(bool)


@dataclass(frozen=True)
class Left:
    """What the residual holds beyond noise; pure noise has about 0 in all three.

    Structure makes neighbouring pixels of the residual alike (``alike`` above 0); noise that was
    kept in the picture is missing from the residual and makes them differ (``unlike`` below 0).
    """

    alike: float
    unlike: float
    edges: float


def structure_left(filtered: Callable[[int], np.ndarray]) -> tuple[Left, Left]:
    """What is left on flat ground and on devices."""
    noisy, truth, devices = flat_and_device_runs()
    taken = [noisy[k] - filtered(k) for k in range(len(noisy))]
    pure = noisy - truth
    found = []
    for where in (~devices, devices):
        excess, edges = [], []
        for k in range(len(noisy)):
            left = autocorrelation_of([taken[k]], where[k])
            excess.append(left - autocorrelation_of([pure[k]], where[k]))
            edges.append(edge_correlation([taken[k]], [truth[k]], where[k]))
        mean = np.mean(excess, axis=0)
        found.append(Left(float(mean.max()), float(mean.min()), abs(float(np.mean(edges)))))
    return found[0], found[1]


def test_what_it_takes_away_is_noise_alone(denoiser: Denoiser) -> None:
    noisy, _, _ = flat_and_device_runs()
    out = denoised(denoiser, noisy, 255.0)
    flat, device = structure_left(lambda k: out[k])
    assert flat.alike < 0.01
    assert flat.unlike > -0.03
    assert flat.edges < 0.01
    assert device.alike < 0.01
    # An outline that is neither thinned nor widened keeps some of the grain beneath it.
    assert device.unlike > -0.12
    # Pure noise would give 0.006.
    assert device.edges < 0.03


def test_the_structure_test_finds_out_a_filter_that_blurs() -> None:
    noisy, truth, _ = flat_and_device_runs()
    _, device = structure_left(lambda k: cv2.GaussianBlur(noisy[k].astype(np.float32), (0, 0), 2.0))
    assert device.edges > 0.3
    _, thinned = structure_left(lambda k: truth[k] + 0.1 * (truth[k].max() - truth[k]))
    assert thinned.alike > 0.02
    assert thinned.edges > 0.06


def test_a_device_that_moves_leaves_no_shadow_and_is_not_thinned(denoiser: Denoiser) -> None:
    noisy, truth, _ = flat_and_device_runs()
    out = denoised(denoiser, noisy, 255.0)
    middle = len(noisy) // 2
    dark = truth[middle] < 110.0
    wire = dark & (np.arange(256)[:, None] < 130)
    depth_kept = (out[middle][wire] - truth[middle][wire]).mean() / 40.0
    assert depth_kept < 0.12
    before = (truth[middle - 2] < 110.0) & (truth[middle] > truth[middle][0, 0] - 200.0)
    before &= ~cv2.dilate(dark.astype(np.uint8), np.ones((7, 7))).astype(bool)
    shadow = (truth[middle] - out[middle])[before].mean() / 40.0
    assert shadow < 0.05


def test_flat_noise_stays_flat(denoiser: Denoiser) -> None:
    rng = np.random.default_rng(9)
    noisy = np.clip(np.rint(120.0 + 9.0 * rng.standard_normal((9, 256, 256))), 0, 255)
    out = denoised(denoiser, noisy.astype(np.uint8), 255.0, order=(4,))
    assert out[4].mean() == pytest.approx(120.0, abs=0.3)
    assert out[4].std() < 1.5
    assert np.abs(out[4] - 120.0)[16:-16, 16:-16].max() < 7.0


def test_a_first_frame_of_more_noise_is_denoised_like_the_others(
    denoiser: Denoiser, low_dose: SimulatedRun
) -> None:
    rng = np.random.default_rng(11)
    frames = low_dose.frames.copy()
    grain = frames[0] - low_dose.clean[0] + 14.0 * rng.standard_normal(frames[0].shape)
    frames[0] = np.clip(np.rint(low_dose.clean[0] + grain), 0, 255).astype(np.uint8)
    out = denoised(denoiser, frames, low_dose.white, (0,))[0]
    usual = denoised(denoiser, low_dose.frames, low_dose.white, (0,))[0]
    gains = [
        psnr(found, low_dose.clean[0], 255.0) - psnr(noisy.astype(float), low_dose.clean[0], 255.0)
        for found, noisy in ((out, frames[0]), (usual, low_dose.frames[0]))
    ]
    assert gains[0] > gains[1]


def test_the_answer_does_not_depend_on_the_order(
    denoiser: Denoiser, low_dose: SimulatedRun
) -> None:
    forward = denoised(denoiser, low_dose.frames, low_dose.white)
    mixed = denoised(denoiser, low_dose.frames, low_dose.white, (7, 2, 11, 0, 5))
    for index, pixels in mixed.items():
        np.testing.assert_array_equal(pixels, forward[index])


def test_causal_mode_never_sees_the_future(denoiser: Denoiser, low_dose: SimulatedRun) -> None:
    frames = low_dose.frames.copy()
    sequence = sequence_of(frames, low_dose.white)
    found: list[np.ndarray] = []
    request = DenoiseRequest((6,), causal=True)
    denoiser.denoise(sequence, request, lambda: False, lambda f: found.append(f.pixels))
    frames[7:] = 0  # the same run object: its noise is known already
    denoiser.denoise(sequence, request, lambda: False, lambda f: found.append(f.pixels))
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize(("white", "kind"), [(4095.0, np.uint16), (65535.0, np.uint16)])
def test_every_grey_scale_gives_the_same_picture(
    denoiser: Denoiser, low_dose: SimulatedRun, white: float, kind: type
) -> None:
    frames = low_dose.frames[:6]
    narrow = denoised(denoiser, frames, 255.0, (3,))[3]
    scaled = np.rint(frames * (white / 255.0)).astype(kind)
    wide = denoised(denoiser, scaled, white, (3,))[3]
    # In 8 bits the network rounds by chance, which differs by 0.03 of the noise (4.5 grey values).
    assert np.abs(wide * (255.0 / white) - narrow).mean() < 0.2


def test_a_clean_run_comes_back_as_it_is_and_the_denoiser_says_so(denoiser: Denoiser) -> None:
    run = simulate_run(22, Scenario.FLUOROSCOPY, 6, 256, noise_sd=0.001, bits=8, recursion=0.0)
    out = denoised(denoiser, run.frames, run.white, noise_removed=False)
    for index, pixels in out.items():
        np.testing.assert_array_equal(pixels, run.frames[index])


@pytest.mark.parametrize("shape", [(5, 250, 187), (1, 96, 120), (2, 64, 64)])
def test_odd_sizes_and_short_runs(denoiser: Denoiser, shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(10)
    frames = np.clip(100 + 10 * rng.standard_normal(shape), 0, 255).astype(np.uint8)
    out = denoised(denoiser, frames, 255.0)
    assert all(np.isfinite(pixels).all() for pixels in out.values())


def test_stop_is_honoured_between_frames(denoiser: Denoiser, low_dose: SimulatedRun) -> None:
    given: list[int] = []
    denoiser.denoise(
        sequence_of(low_dose.frames, low_dose.white),
        DenoiseRequest(tuple(range(12))),
        lambda: len(given) >= 2,
        lambda frame: given.append(frame.frame),
    )
    assert given == [0, 1]


def test_stop_at_once_reads_and_gives_nothing(denoiser: Denoiser, low_dose: SimulatedRun) -> None:
    read: list[int] = []

    def reading(index: int) -> np.ndarray:
        read.append(index)
        return low_dose.frames[index]

    sequence = FrameSequence(reading, 12, 320, 320, low_dose.white)
    denoiser.denoise(sequence, DenoiseRequest((0,)), lambda: True, lambda _: pytest.fail("given"))
    assert not read


def test_large_frames_are_tiled_without_a_seam(
    denoiser: Denoiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = simulate_run(23, Scenario.LOW_DOSE, 4, 512, noise_sd=0.04, bits=10)
    whole = denoised(denoiser, run.frames, run.white, (1,))[1]
    monkeypatch.setattr("inference.denoising.denoiser.WHOLE_PX", 256)
    monkeypatch.setattr("inference.denoising.denoiser.TILE_PX", 160)
    tiled = denoised(denoiser, run.frames, run.white, (1,))[1]
    assert np.abs(whole - tiled).max() < 0.02 * np.std(run.frames - run.clean)


def test_the_cpu_path_does_not_import_torch() -> None:
    code = (
        "import sys; from inference.denoising.denoiser import load_denoiser; load_denoiser('cpu');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("causal", [False, True])
def test_neighbours_are_laid_over_the_frame_while_the_table_moves(causal: bool) -> None:
    rng = np.random.default_rng(8)
    scene = cv2.GaussianBlur(rng.normal(size=(260, 300)).astype(np.float32), (0, 0), 4.0)
    scene = 120.0 + 40.0 * scene / scene.std()
    panned = np.stack([scene[10 + 3 * f :, 80 - 4 * f :][:160, :192] for f in range(12)])
    noisy = np.clip(np.rint(panned + rng.normal(0.0, 3.0, panned.shape)), 0, 255).astype(np.uint8)
    run = _Run(sequence_of(noisy, 255.0), lambda: False)
    frame = run.stabilised(6)
    found = run.neighbours(6, causal, lambda: False)
    assert sorted(n.lag for n in found) == sorted([*range(1, 7)] if causal else [*range(1, 6)] * 2)
    for neighbour in found:
        moved, (down, across) = align(neighbour.frame, neighbour.dx, neighbour.dy)
        assert (abs(neighbour.dx), abs(neighbour.dy)) == (4 * neighbour.lag, 3 * neighbour.lag)
        left = (moved - frame)[down, across][10:-10, 10:-10].std()
        unmoved = (neighbour.frame - frame)[10:-10, 10:-10].std()
        assert left < 2.0 < unmoved  # two frames of noise of 1 differ by 1.4
