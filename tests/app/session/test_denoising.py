"""Denoised frames of one run: what is kept, what is told, what stops."""

import threading

import numpy as np
import pytest

from app.session.denoising import Denoising
from app.session.kept_frames import pack
from app.session.open_run import open_labelled
from app.session.settings import Settings
from app.session.worker import InferenceWorker
from inference.denoising.requests import DenoisedFrame

BUDGET = 1 << 30


class HalvingDenoiser:
    """Halves every frame, so that a frame on a wrong place can be told; waits at its gate."""

    device_name = "cpu"

    def __init__(self):
        self.order = []
        self.noise_removed = True
        self.gate = threading.Semaphore(0)
        self.open = True

    def denoise(self, frames, request, should_stop, on_frame):
        for frame in request.frames:
            while not self.open and not self.gate.acquire(timeout=0.01):
                if should_stop():
                    return
            if should_stop():
                return
            self.order.append(frame)
            pixels = frames.read(frame).astype(np.float32) / 2
            on_frame(DenoisedFrame(frame, pixels, self.noise_removed))


@pytest.fixture
def engine():
    return HalvingDenoiser()


@pytest.fixture
def worker(qtbot, engine):
    made = InferenceWorker(lambda device, warn: None, lambda *asked: engine)
    yield made
    engine.open = True
    made.close()


@pytest.fixture
def opened(run_file, tmp_path):
    opened = open_labelled(run_file, Settings(project_folder=str(tmp_path)))
    yield opened
    opened.close()


@pytest.fixture
def denoising(worker, opened):
    made = Denoising(worker, BUDGET)
    made.set_run(opened)
    return made


def all_ready(denoising):
    return bool(denoising.ready().all())


@pytest.mark.parametrize(
    "pixels",
    [
        np.linspace(0, 4095, 4096),
        np.linspace(-1024, 3071, 4096),
        np.linspace(0.0, 1.0, 4096),
        np.linspace(0, 65535, 4096),
        np.full(16, 12.5),
    ],
)
def test_what_is_kept_in_16_bits_loses_nothing_that_can_be_seen(pixels):
    frame = pixels.astype(np.float32).reshape(4, -1)
    kept = pack(frame)
    assert kept.levels.dtype == np.uint16
    scale = max(float(np.ptp(frame)), 1e-3)
    assert np.abs(kept.unpacked() - frame).max() <= scale / 100_000


def test_every_frame_is_kept_under_its_own_number(qtbot, denoising, opened):
    denoising.set_wanted(True)
    qtbot.waitUntil(lambda: all_ready(denoising))
    for index in range(opened.run.frame_count):
        halved = opened.sequence.read(index).astype(np.float32) / 2
        expected = opened.display.from_mono2(halved)
        np.testing.assert_allclose(denoising.frame(index), expected, atol=0.01)


def test_the_engine_says_whether_there_was_anything_to_remove(qtbot, denoising, opened, engine):
    told = []
    denoising.found_clean.connect(told.append)
    engine.noise_removed = False
    denoising.set_wanted(True)
    qtbot.waitUntil(lambda: all_ready(denoising))
    assert denoising.nothing_to_remove
    denoising.set_run(opened)
    assert not denoising.nothing_to_remove
    engine.noise_removed = True
    denoising.forget()
    qtbot.waitUntil(lambda: all_ready(denoising))
    assert not denoising.nothing_to_remove
    assert told[:2] == [True, False]


def test_off_means_off_for_later_runs_as_well(qtbot, denoising, opened, engine, worker):
    denoising.set_wanted(True)
    qtbot.waitUntil(lambda: all_ready(denoising))
    denoising.set_wanted(False)
    done = len(engine.order)
    denoising.set_run(None)
    denoising.set_run(opened)
    denoising.set_playhead(3)
    assert not denoising.wanted
    assert worker.idle
    assert len(engine.order) == done


def test_a_moving_playhead_throws_nothing_away(qtbot, denoising, opened, engine):
    engine.open = False
    denoising.set_wanted(True)
    for step in range(60):
        denoising.set_playhead(step % opened.run.frame_count)
        engine.gate.release()
    engine.open = True
    qtbot.waitUntil(lambda: all_ready(denoising))
    assert len(engine.order) == opened.run.frame_count


def test_no_more_is_kept_than_the_budget_holds(qtbot, worker, opened, engine):
    count = 8
    denoising = Denoising(worker, count * opened.run.rows * opened.run.columns * 2)
    denoising.set_run(opened)
    denoising.set_wanted(True)
    qtbot.waitUntil(lambda: denoising.ready().sum() == count)
    denoising.set_playhead(15)
    qtbot.waitUntil(lambda: bool(denoising.ready()[11:19].all()))
    assert denoising.ready().sum() == count


def test_the_share_shown_is_told(qtbot, denoising, opened, engine):
    engine.open = False
    denoising.set_wanted(True)
    engine.gate.release()
    qtbot.waitUntil(lambda: denoising.ready().sum() == 1)
    (first,) = np.flatnonzero(denoising.ready())
    for frame in (first, first + 1, first + 2, first):
        denoising.set_playhead(int(frame))
    assert denoising.share_shown == 0.5
    denoising.set_wanted(False)
    assert denoising.share_shown == 0.0


def test_another_run_shows_only_frames_of_its_own(qtbot, denoising, opened, engine, tmp_path):
    path = tmp_path / "other.npy"
    np.save(path, np.full((20, 128, 128), 40, np.uint8))
    denoising.set_wanted(True)
    qtbot.waitUntil(lambda: all_ready(denoising))
    assert denoising.frame(3).mean() != 20.0
    former, engine.open = denoising._key, False
    other = open_labelled(path, Settings(project_folder=str(tmp_path)))
    denoising.set_run(other)
    assert not denoising.ready().any()
    assert denoising.frame(3) is None
    late = DenoisedFrame(3, np.full((128, 128), 7.0, np.float32), True)
    denoising._worker.frame_denoised.emit(former, late)
    qtbot.wait(20)
    assert denoising.frame(3) is None
    engine.open = True
    qtbot.waitUntil(lambda: all_ready(denoising))
    assert denoising.frame(3).mean() == 20.0
    denoising.set_run(None)
    other.close()


def test_what_is_denoised_goes_along_to_whoever_shows_the_run_next(
    qtbot, worker, opened, denoising, engine
):
    denoising.set_wanted(True)
    qtbot.waitUntil(lambda: all_ready(denoising))
    frame = denoising.frame(7)
    engine.order.clear()
    other = Denoising(worker, BUDGET)
    other.set_wanted(True)
    kept = denoising.kept
    denoising.set_run(None)
    other.set_run(opened, kept)
    assert all_ready(other)
    np.testing.assert_array_equal(other.frame(7), frame)
    assert not engine.order
    other.set_weights("adapted")  # what others made is not taken
    assert not other.ready().any()
    third = Denoising(worker, BUDGET)
    third.set_run(opened, kept)
    assert all_ready(third)
    third.set_run(None)
    third.set_weights("adapted")
    third.set_run(opened, kept)
    assert not third.ready().any()


def test_a_smaller_budget_keeps_the_nearest_frames(qtbot, opened, denoising, engine):
    denoising.set_wanted(True)
    qtbot.waitUntil(lambda: all_ready(denoising))
    denoising.set_playhead(10)
    frame = denoising.frame(9).copy()
    denoising.set_wanted(False)
    denoising.set_budget(5 * opened.run.rows * opened.run.columns * 2)
    assert set(np.flatnonzero(denoising.ready())) == {8, 9, 10, 11, 12}
    np.testing.assert_array_equal(denoising.frame(9), frame)


def test_a_run_that_is_not_worked_on_is_denoised_after_the_one_that_is(
    qtbot, worker, opened, denoising, engine
):
    engine.open = False
    behind = Denoising(worker, BUDGET, behind=True)
    behind.set_run(opened)
    behind.set_wanted(True)
    engine.gate.release()
    qtbot.waitUntil(lambda: len(engine.order) == 1)
    denoising.set_wanted(True)
    engine.open = True
    qtbot.waitUntil(lambda: all_ready(denoising) and all_ready(behind))
    count = opened.run.frame_count
    assert len(engine.order) == 2 * count
    own = [i for i, frame in enumerate(engine.order) if frame in engine.order[:i]]
    assert own[0] <= 2  # the later job overtook the earlier one
    behind.set_run(None)
