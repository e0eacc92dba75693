"""The heart's phase from pictures alone: drawn hearts, simulated runs, and a real heart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.heart.from_pictures import phase_from_pictures
from inference.simulation import Scenario, simulate_run
from inference.simulation.motion import contraction

STEP_MS = 66.0


def drawn(count: int, period_ms: float = 850.0, beating: float = 6.0, slow: float = 0.0):
    """Frames of a dark disc that contracts over a spine, and the phase of each."""
    rng = np.random.default_rng(0)
    times = STEP_MS * np.arange(count)
    phase = np.mod(times / period_ms + 0.3, 1.0)
    still = 150 + 10 * cv2.GaussianBlur(rng.standard_normal((96, 96)), (0, 0), 2)
    frames = []
    for frame in range(count):
        picture = still.copy()
        shift = slow * np.sin(2 * np.pi * times[frame] / 4000.0)
        reach = 28.0 - beating * float(contraction(phase[frame]))
        centre = (16 * 48, int(16 * (50 + shift)))
        cv2.circle(picture, centre, int(16 * reach), 100.0, -1, cv2.LINE_AA, shift=4)
        frames.append((picture + rng.normal(0, 3, picture.shape)).astype(np.float32))
    return frames, times, phase


def apart(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.abs((found - true + 0.5) % 1.0 - 0.5)


@pytest.mark.parametrize("slow", [0.0, 6.0])  # breathing does not rule
def test_a_beating_heart_is_found_with_its_end_diastole(slow):
    frames, times, phase = drawn(60, slow=slow)
    heart = phase_from_pictures(frames.__getitem__, times)
    assert heart is not None and not heart.from_ecg
    assert heart.period_ms == pytest.approx(850.0, rel=0.05)
    assert np.median(apart(heart.phase, phase)) < 0.1
    assert all(apart(phase[[frame]], 0.0) < 0.15 for frame in heart.frames_at())
    assert 0.7 <= heart.confidence <= 1.0


def test_times_need_not_be_even():
    frames, times, phase = drawn(60)
    kept = np.delete(np.arange(60), [7, 8, 21, 40])
    heart = phase_from_pictures(lambda i: frames[kept[i]], times[kept])
    assert heart is not None and np.median(apart(heart.phase, phase[kept])) < 0.1


@pytest.mark.parametrize("slow", [0.0, 6.0])
def test_where_no_heart_beats_none_is_told(slow):
    frames, times, _ = drawn(60, beating=0.0, slow=slow)
    assert phase_from_pictures(frames.__getitem__, times) is None


def test_even_pictures_tell_nothing():
    assert (
        phase_from_pictures(lambda i: np.full((5, 7), 3, np.uint8), STEP_MS * np.arange(40)) is None
    )


def test_less_than_two_beats_tell_nothing():
    frames, times, _ = drawn(22, period_ms=1000.0)
    assert phase_from_pictures(frames.__getitem__, times) is None


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_few_frames_tell_nothing(count):
    frames, times, _ = drawn(5)
    assert phase_from_pictures(frames.__getitem__, times[:count]) is None
    assert phase_from_pictures(frames.__getitem__, np.zeros(20)) is None  # nor do frames untimed


def test_it_stops_when_told_to():
    frames, times, _ = drawn(40)
    read = []
    assert phase_from_pictures(lambda i: read.append(i) or frames[i], times, lambda: True) is None
    assert not read


def test_a_simulated_run_is_phased():
    run = simulate_run(1016, Scenario.FLUOROSCOPY, 60, 128, frames_per_second=15.0)
    heart = phase_from_pictures(run.frames.__getitem__, run.frame_times_ms)
    assert heart is not None
    beat = float(np.median(np.diff(run.r_wave_times_ms)))
    assert heart.period_ms == pytest.approx(beat, rel=0.05)
    assert np.median(apart(heart.phase, run.heart_phase)) < 0.1


def test_a_real_heart_begins_its_beat_where_its_ecg_does(shared_data: Path):
    """Cine MR, triggered by the R wave: 25 phases from it on, played four times."""
    with np.load(shared_data / "heart" / "arrays" / "patient1_wholeheart.npz") as arrays:
        planes = arrays["sax"]
    true = np.tile(np.arange(25) / 25.0, 4)
    for plane in range(planes.shape[2]):
        heart = phase_from_pictures(
            lambda i, plane=plane: planes[:, :, plane, i % 25], 36.0 * np.arange(100)
        )
        assert heart is not None and heart.period_ms == pytest.approx(900.0, rel=0.05)
        assert np.median(apart(heart.phase, true)) < 0.1
