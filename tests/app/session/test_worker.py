import threading
import time

import numpy as np
import pytest

from app.session.worker import DenoiseJob, InferenceWorker, TrackJob
from inference.frames import FrameSequence
from inference.tracking.requests import Anchor, PointState, TrackedPoint, TrackRequest

FRAMES = FrameSequence(lambda index: np.full((8, 8), index, np.uint8), 40, 8, 8)


@pytest.fixture
def worker(qtbot, engines):
    made = InferenceWorker(lambda device, warn: engines[0], lambda *asked: engines[1])
    yield made
    engines[0].gate.set()
    made.close()


def request(last=9):
    return TrackRequest((Anchor(0, 1.0, 2.0),), 0, last)


def test_points_stream_in_with_their_tag(qtbot, worker):
    got = []
    worker.points_tracked.connect(
        lambda key, tag, points: got.extend((key, tag, p) for p in points)
    )
    with qtbot.waitSignal(worker.tracking_finished) as finished:
        worker.track(TrackJob("a", FRAMES, request(), tag=7))
    assert [p.frame for _, _, p in got] == list(range(10))
    assert {(key, tag) for key, tag, _ in got} == {("a", 7)}
    assert finished.args == ["a", 7, False]


def test_cancel_within_200_ms(qtbot, worker, engines):
    engines[0].gate.clear()
    worker.track(TrackJob("a", FRAMES, request()))
    qtbot.waitUntil(lambda: len(engines[0].asked) == 1)
    asked = time.monotonic()
    with qtbot.waitSignal(worker.tracking_finished, timeout=1000) as finished:
        worker.cancel_tracking("a")
    assert finished.args[2] is True
    assert time.monotonic() - asked < 1.0


def test_newest_request_replaces_the_running_one(qtbot, worker, engines):
    engines[0].gate.clear()
    worker.track(TrackJob("a", FRAMES, request(), tag=1))
    qtbot.waitUntil(lambda: len(engines[0].asked) == 1)
    ended = []
    worker.tracking_finished.connect(lambda key, tag, cancelled: ended.append((tag, cancelled)))
    worker.track(TrackJob("a", FRAMES, request(last=3), tag=2))
    qtbot.waitUntil(lambda: len(engines[0].asked) == 2)
    engines[0].gate.set()
    qtbot.waitUntil(lambda: len(ended) == 2)
    assert ended == [(1, True), (2, False)]


def test_a_tip_that_comes_later_joins_those_that_are_tracked(qtbot, worker, engines):
    takers = []
    joining = threading.Event()

    def track_together(frames, take):
        takers.append(take)
        first = take()
        assert joining.wait(5)
        second = take()
        assert take() is None
        for call in (second, first):
            call.on_points([])
            call.on_end()

    engines[0].track_together = track_together
    ended = []
    worker.tracking_finished.connect(lambda key, tag, cancelled: ended.append((key, cancelled)))
    worker.track(TrackJob("a", FRAMES, request()))
    qtbot.waitUntil(lambda: len(takers) == 1)
    worker.track(TrackJob("b", FRAMES, request()))
    joining.set()
    qtbot.waitUntil(lambda: len(ended) == 2)
    assert ended == [("b", False), ("a", False)]
    assert len(takers) == 1
    assert worker.idle


def test_every_tip_of_a_run_that_fails_is_told(qtbot, worker, engines):
    def track_together(frames, take):
        take()
        raise RuntimeError("no frames")

    engines[0].track_together = track_together
    failed, ended = [], []
    worker.failed.connect(lambda key, why: failed.append(key))
    worker.tracking_finished.connect(lambda key, *_: ended.append(key))
    with worker._wake:
        for key in "abc":
            worker.track(TrackJob(key, FRAMES, request()))
    qtbot.waitUntil(lambda: len(ended) == 3)
    assert sorted(failed) == sorted(ended) == ["a", "b", "c"]
    assert worker.idle


def test_a_tip_that_fails_is_told_and_ended_and_the_others_go_on(qtbot, worker, engines):
    def track_together(frames, take):
        first, second = take(), take()
        first.fail(ValueError("no place"))
        second.on_points([TrackedPoint(1, 1.0, 2.0, PointState.VISIBLE, 0.9)])
        second.on_end()

    engines[0].track_together = track_together
    told = []
    worker.failed.connect(lambda key, why: told.append(("failed", key)))
    worker.points_tracked.connect(lambda key, *_: told.append(("points", key)))
    worker.tracking_finished.connect(
        lambda key, tag, cancelled: told.append(("finished", key, cancelled))
    )
    with worker._wake:
        for key in "ab":
            worker.track(TrackJob(key, FRAMES, request()))
    qtbot.waitUntil(lambda: len(told) == 4)
    assert told == [
        ("failed", "a"),
        ("finished", "a", False),
        ("points", "b"),
        ("finished", "b", False),
    ]
    assert not worker.tracking


def test_the_trackers_weights_are_known_with_its_first_points(qtbot, worker, engines):
    known = []
    worker.points_tracked.connect(lambda *_: known.append(worker.tracker_weights))
    assert worker.tracker_weights == ""
    with qtbot.waitSignal(worker.tracking_finished):
        worker.track(TrackJob("a", FRAMES, request()))
    assert set(known) == {engines[0].weights}


def test_runs_that_are_no_longer_shown_are_tracked_to_their_end(qtbot, worker, engines):
    engines[0].gate.clear()
    other = FrameSequence(FRAMES.read, 40, 8, 8)
    ended = []
    worker.tracking_finished.connect(lambda key, tag, cancelled: ended.append((key, cancelled)))
    worker.track(TrackJob("run1 tip", FRAMES, request()))
    worker.denoise(DenoiseJob("run1", FRAMES, {1, 2}))
    worker.track(TrackJob("run2 tip", other, request()))
    worker.cancel_denoising("run1")
    worker.denoise(DenoiseJob("run2", other, {1, 2}))
    with qtbot.waitSignal(worker.denoising_finished):
        engines[0].gate.set()
    assert ended == [("run1 tip", False), ("run2 tip", False)]


def test_frames_near_the_playhead_come_first(qtbot, worker, engines):
    with qtbot.waitSignal(worker.denoising_finished):
        worker.denoise(DenoiseJob("d", FRAMES, set(range(20)), playhead=10))
    assert set(engines[1].order[:4]) <= {8, 9, 10, 11, 12}
    assert sorted(engines[1].order) == list(range(20))


def test_moved_playhead_changes_the_order(qtbot, worker, engines):
    moved = threading.Event()

    def move():
        if not moved.is_set():
            worker.set_playhead("d", 35)
            moved.set()

    engines[1].before_frame = move
    with qtbot.waitSignal(worker.denoising_finished):
        worker.denoise(DenoiseJob("d", FRAMES, set(range(40)), playhead=0))
    assert set(engines[1].order[1:5]) == {34, 35, 36, 37}


def test_tracking_goes_before_denoising(qtbot, worker, engines):
    tracked_after = []

    def ask_for_tracking():
        if len(engines[1].order) == 2:
            worker.track(TrackJob("a", FRAMES, request()))

    engines[1].before_frame = ask_for_tracking
    worker.tracking_finished.connect(lambda *_: tracked_after.append(len(engines[1].order)))
    with qtbot.waitSignal(worker.denoising_finished):
        worker.denoise(DenoiseJob("d", FRAMES, set(range(40))))
    assert len(engines[0].asked) == 1
    assert len(engines[1].order) == 40


def test_failure_is_one_sentence_and_the_thread_lives_on(qtbot, worker, engines):
    def fail():
        raise RuntimeError("first line\nsecond line")

    engines[1].before_frame = fail
    with qtbot.waitSignal(worker.failed) as failed:
        worker.denoise(DenoiseJob("d", FRAMES, {1}))
    assert "\n" not in failed.args[1]
    assert "first line" not in failed.args[1]  # Python's words are for the log
    engines[1].before_frame = lambda: None
    with qtbot.waitSignal(worker.denoising_finished):
        worker.denoise(DenoiseJob("d", FRAMES, {1}))


def test_networks_are_loaded_once_a_device(qtbot, engines):
    loaded = []

    def load(device, warn):
        loaded.append(device)
        return engines[0]

    worker = InferenceWorker(load, load)
    for device in ("auto", "auto", "cpu"):
        worker.set_device(device)
        with qtbot.waitSignal(worker.tracking_finished):
            worker.track(TrackJob("a", FRAMES, request()))
    worker.close()
    assert loaded == ["auto", "cpu"]


def test_denoisers_are_changed_with_the_job_that_asks_for_another(qtbot, engines):
    loaded = []

    def load(device, warn, weights):
        loaded.append(weights)
        return engines[1]

    worker = InferenceWorker(lambda device, warn: engines[0], load)
    for number, weights in enumerate(("", "", "/adapted", "")):
        with qtbot.waitSignal(worker.denoising_finished):
            worker.denoise(DenoiseJob(f"d{number}", FRAMES, {1}, weights=weights))
    worker.close()
    assert loaded == ["", "/adapted", ""]


def test_closing_stops_running_work(qtbot, engines):
    engines[0].gate.clear()
    worker = InferenceWorker(lambda device, warn: engines[0], lambda *asked: engines[1])
    worker.track(TrackJob("a", FRAMES, request()))
    qtbot.waitUntil(lambda: len(engines[0].asked) == 1)
    worker.close()
    assert not worker._thread.is_alive()


def test_move_to_the_cpu_is_told(qtbot, engines):
    told, devices = [], []

    def load(device, warn, weights=""):
        engines[1].device_name = "cuda"

        def run_out():
            warn("The GPU is short of memory: going on with the CPU.")
            engines[1].device_name = "cpu"
            engines[1].before_frame = lambda: None

        engines[1].before_frame = run_out
        return engines[1]

    worker = InferenceWorker(load, load)
    worker.notice.connect(told.append)
    worker.device_changed.connect(devices.append)
    with qtbot.waitSignal(worker.denoising_finished):
        worker.denoise(DenoiseJob("d", FRAMES, {1}))
    worker.close()
    assert devices == ["cuda", "cpu"]
    assert told == ["The GPU is short of memory: going on with the CPU."]


def test_new_wishes_do_not_throw_away_what_is_being_computed(qtbot, worker, engines):
    got = []
    worker.frame_denoised.connect(lambda key, frame: got.append(frame.frame))
    wished = []

    def wish_again():
        if len(wished) < 5:
            first = 10 * (len(wished) + 1)
            wished.append(first)
            worker.denoise(DenoiseJob("d", FRAMES, set(range(first, first + 8)), first))

    engines[1].before_frame = wish_again
    with qtbot.waitSignal(worker.denoising_finished):
        worker.denoise(DenoiseJob("d", FRAMES, {0, 1, 2, 3}))
    qtbot.waitUntil(lambda: len(got) >= 9)
    assert 0 in got
    assert set(range(50, 58)) <= set(got)
