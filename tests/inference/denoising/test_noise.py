"""A run's noise: level at each grey value, correlation in time and space, the transform."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.denoising.noise import estimate_noise
from inference.simulation import Scenario, simulate_run


def noisy_run(
    rng: np.random.Generator,
    white: float,
    slope: float,
    offset: float,
    recursion: float,
    blur: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """A ramp with a moving bar under Poisson-Gaussian noise; also the true deviations (H, W)."""
    rows, columns, count = 192, 256, 10
    ramp = np.broadcast_to(np.linspace(0.15, 0.85, columns) * white, (rows, columns))
    deviation = np.sqrt(slope * ramp * white + offset * white**2)
    frames, last = [], None
    for k in range(count):
        grain = rng.standard_normal((rows, columns))
        if blur:
            kernel = np.outer([0.3, 1.0, 0.3], [0.3, 1.0, 0.3])
            grain = cv2.filter2D(grain, -1, kernel / np.sqrt((kernel**2).sum()))
        last = grain if last is None else recursion * last + np.sqrt(1 - recursion**2) * grain
        scene = ramp.copy()
        scene[40:60, 10 + 9 * k : 40 + 9 * k] -= 0.1 * white
        frames.append(np.clip(np.rint(scene + deviation * last), 0, white))
    kind = np.uint8 if white < 256 else np.uint16
    return np.array(frames, kind), deviation


@pytest.mark.parametrize("white", [255.0, 4095.0, 65535.0])
@pytest.mark.parametrize(("slope", "offset"), [(2e-4, 2e-4), (1e-3, 5e-4), (4e-3, 1e-3)])
def test_noise_is_found_within_a_tenth_at_every_grey_level(
    white: float, slope: float, offset: float
) -> None:
    frames, deviation = noisy_run(np.random.default_rng(3), white, slope, offset, 0.0, False)
    noise = estimate_noise(frames.__getitem__, len(frames), white)
    for share in (0.25, 0.4, 0.55, 0.7):
        column = int((share - 0.15) / 0.7 * 255)
        found = np.interp(share * white, noise.levels, noise.deviations)
        assert found == pytest.approx(deviation[0, column], rel=0.1)
    assert noise.temporal_correlation < 0.06
    assert abs(noise.neighbour_correlation) < 0.06


@pytest.mark.parametrize("recursion", [0.2, 0.45])
def test_recursive_scanner_filter_and_detector_blur_are_found(recursion: float) -> None:
    frames, deviation = noisy_run(np.random.default_rng(4), 1023.0, 1e-3, 5e-4, recursion, True)
    noise = estimate_noise(frames.__getitem__, len(frames), 1023.0)
    assert noise.temporal_correlation == pytest.approx(recursion, abs=0.06)
    assert noise.neighbour_correlation == pytest.approx(0.6 / 1.18, abs=0.06)
    found = np.interp(0.5 * 1023.0, noise.levels, noise.deviations)
    assert found == pytest.approx(deviation[0, 128], rel=0.1)


@pytest.mark.parametrize("scenario", [Scenario.LOW_DOSE, Scenario.PANNING])
def test_motion_and_panning_are_not_taken_for_noise(scenario: Scenario) -> None:
    run = simulate_run(12, scenario, 10, 384, noise_sd=0.05, bits=10)
    noise = estimate_noise(run.frames.__getitem__, len(run.frames), run.white)
    true = np.median((run.frames - run.clean).std(axis=(1, 2)))
    assert noise.typical_deviation == pytest.approx(true, rel=0.1)


def test_transform_gives_unit_noise_and_comes_back_without_bias() -> None:
    rng = np.random.default_rng(5)
    frames, deviation = noisy_run(rng, 4095.0, 4e-3, 1e-3, 0.0, False)
    noise = estimate_noise(frames.__getitem__, len(frames), 4095.0)
    for share in (0.3, 0.5, 0.7):
        column = int((share - 0.15) / 0.7 * 255)
        level, sd = share * 4095.0, deviation[0, column]
        samples = np.clip(np.rint(level + sd * rng.standard_normal(200_000)), 0, 4095)
        stabilised = noise.stabilise(samples)
        assert stabilised.std() == pytest.approx(1.0, rel=0.1)
        mean = noise.restore(np.array([stabilised.mean()], np.float32))[0]
        assert mean == pytest.approx(level, abs=0.05 * sd)


def test_a_clean_run_is_called_clean_and_a_noisy_one_is_not() -> None:
    rng = np.random.default_rng(6)
    clean, _ = noisy_run(rng, 255.0, 1e-9, 4e-6, 0.0, False)
    noisy, _ = noisy_run(rng, 255.0, 1e-3, 5e-4, 0.0, False)
    assert estimate_noise(clean.__getitem__, len(clean), 255.0).is_clean
    assert not estimate_noise(noisy.__getitem__, len(noisy), 255.0).is_clean


@pytest.mark.parametrize("black", [0, 32_768])
def test_how_many_bits_are_stored_does_not_matter(black: int) -> None:
    frames, deviation = noisy_run(np.random.default_rng(8), 3000.0, 1e-3, 5e-4, 0.0, False)
    frames = frames.astype(np.uint16) + np.uint16(black)
    noise = estimate_noise(frames.__getitem__, len(frames), 65_535.0)
    assert not noise.is_clean
    for column in (60, 128, 200):
        level = float(frames[:, 100:, column].mean())
        found = np.interp(level, noise.levels, noise.deviations)
        assert found == pytest.approx(deviation[0, column], rel=0.12)


@pytest.mark.parametrize("strength", [0.6, 1.0, 1.7, 4.0])
def test_a_frame_noisier_than_the_run_is_found(strength: float) -> None:
    rng = np.random.default_rng(9)
    scene = np.broadcast_to(np.linspace(60.0, 190.0, 256), (192, 256))
    deviations = np.array([strength, *([1.0] * 11)]) * 5.0
    frames = scene + deviations[:, None, None] * rng.standard_normal((12, 192, 256))
    frames = np.clip(np.rint(frames), 0, 255).astype(np.uint8)
    noise = estimate_noise(frames.__getitem__, 12, 255.0)
    found = [noise.strength_of(noise.stabilise(frame)) for frame in frames]
    assert found[0] == pytest.approx(strength, rel=0.06)
    assert found[1:] == [1.0] * 11


def test_one_frame_alone_is_enough_for_an_estimate() -> None:
    frames, deviation = noisy_run(np.random.default_rng(7), 1023.0, 1e-3, 5e-4, 0.0, False)
    noise = estimate_noise(frames.__getitem__, 1, 1023.0)
    found = np.interp(0.5 * 1023.0, noise.levels, noise.deviations)
    assert found == pytest.approx(deviation[0, 128], rel=0.15)
