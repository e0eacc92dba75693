"""The cache decodes what the player needs next, in bounded memory, and survives bad frames."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from app.runs.frames import FrameCache
from app.runs.run import GreyScale, Run, RunError

ROWS, COLUMNS = 8, 16
FRAME_BYTES = ROWS * COLUMNS


class Source:
    """Frame k is full of k; remembers the order of reading; some frames are broken."""

    def __init__(self, broken=(), gate=None):
        self.order = []
        self.broken = broken
        self.gate = gate
        self.decoding_now = 0

    def read(self, index):
        if self.gate is not None:
            assert self.gate.wait(10)
        self.order.append(index)
        if index in self.broken:
            raise RunError(f"Frame {index + 1} is broken.")
        return np.full((ROWS, COLUMNS), index % 256, np.uint8)

    def close(self):
        pass


def make_run(tmp_path, source, count=100):
    return Run(tmp_path, source, count, ROWS, COLUMNS, np.arange(count) * 40.0)


@pytest.fixture
def make_cache(tmp_path):
    caches = []

    def make(source, count=100, frames=1000, workers=1, bits=8):
        run = make_run(tmp_path, source, count)
        if bits > 8:
            run = Run(
                tmp_path,
                source,
                count,
                ROWS,
                COLUMNS,
                np.arange(count) * 40.0,
                grey=GreyScale(bits_stored=bits),
            )
        caches.append(FrameCache(run, frames * FRAME_BYTES, workers))
        return caches[-1]

    yield make
    for cache in caches:
        cache.close()


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def test_all_frames_are_decoded_from_the_first_on(make_cache):
    source = Source()
    cache = make_cache(source)
    until(lambda: cache.decoded_count == 100)
    assert source.order == list(range(100))
    assert cache.get(42).max() == 42
    assert not cache.get(42).flags.writeable


def test_playhead_first_then_ahead_then_round_the_loop(make_cache):
    gate = threading.Event()
    source = Source(gate=gate)
    cache = make_cache(source, workers=1)
    until(lambda: bool(cache._decoding))
    cache.set_playhead(60)
    gate.set()
    until(lambda: cache.decoded_count == 100)
    assert source.order[0] == 0  # was under way
    assert source.order[1:] == [*range(60, 100), *range(1, 60)]


def test_backward_playing_decodes_backward(make_cache):
    gate = threading.Event()
    source = Source(gate=gate)
    cache = make_cache(source)
    until(lambda: bool(cache._decoding))
    cache.set_playhead(5, -1)
    gate.set()
    until(lambda: cache.decoded_count == 100)
    assert source.order[1:8] == [5, 4, 3, 2, 1, 99, 98]


def test_memory_is_bounded_and_the_workers_rest(make_cache):
    source = Source()
    cache = make_cache(source, frames=20)
    until(lambda: cache.decoded_count == 20)
    time.sleep(0.05)
    assert len(source.order) == 20
    assert cache.used_bytes == 20 * FRAME_BYTES
    kept = {i for i in range(100) if cache.get(i) is not None}
    assert kept == {*range(15), *range(95, 100)}  # ahead, and behind around the loop


def test_frames_far_from_the_playhead_give_way(make_cache):
    source = Source()
    cache = make_cache(source, frames=20)
    until(lambda: cache.decoded_count == 20)
    for playhead in range(1, 60):
        cache.set_playhead(playhead)
        assert cache.used_bytes <= 20 * FRAME_BYTES
    until(lambda: all(cache.get(i) is not None for i in range(54, 74)))
    time.sleep(0.02)
    assert cache.used_bytes <= 20 * FRAME_BYTES
    assert cache.get(0) is None
    assert len(source.order) <= len(set(source.order)) + 2  # nothing is decoded again and again


def test_wide_frames_count_as_such(make_cache):
    class Wide(Source):
        def read(self, index):
            return super().read(index).astype(np.float32)

    cache = make_cache(Wide(), frames=20)
    until(lambda: cache.decoded_count == 5)
    time.sleep(0.05)
    assert cache.used_bytes <= 20 * FRAME_BYTES


def test_broken_frames_are_remembered_and_stop_nothing(make_cache):
    cache = make_cache(Source(broken={3, 50}))
    until(lambda: cache.decoded_count == 98)
    assert "Frame 4" in str(cache.error(3))
    assert cache.get(3) is None
    assert cache.error(4) is None
    with pytest.raises(RunError, match="Frame 4"):
        cache.wait(3)


def test_wait_decodes_where_nobody_else_does(make_cache):
    source = Source()
    cache = make_cache(source, frames=4, workers=0)
    assert cache.wait(70).max() == 70
    assert cache.wait(1).max() == 1
    assert cache.get(1) is not None
    assert cache.get(70) is None  # far from the playhead: given, not kept


def test_waiting_for_a_frame_under_way_does_not_decode_it_twice(make_cache):
    gate = threading.Event()
    source = Source(gate=gate)
    cache = make_cache(source, count=1)
    until(lambda: bool(cache._decoding))
    found = []
    waiter = threading.Thread(target=lambda: found.append(cache.wait(0)))
    waiter.start()
    gate.set()
    waiter.join()
    assert found[0].max() == 0
    assert source.order == [0]


def test_each_frame_is_announced_to_all_who_watch_broken_ones_too(make_cache):
    gate = threading.Event()
    cache = make_cache(Source(gate=gate, broken={2}), count=10, workers=2)
    told, others, gone = [], [], []
    cache.watch("one", told.append)
    cache.watch("other", others.append)
    cache.watch("third", gone.append)
    cache.leave("third")
    gate.set()
    until(lambda: len(told) == len(others) == 10)
    assert sorted(told) == sorted(others) == list(range(10))
    assert not gone


def test_frames_around_each_viewers_playhead_are_kept(make_cache):
    cache = make_cache(Source(), frames=20)
    cache.set_playhead(10, viewer="one")
    cache.set_playhead(60, viewer="other")
    until(lambda: cache.resting)
    kept = set(np.flatnonzero(cache.ready()))
    assert kept == {8, 9, *range(10, 18), 58, 59, *range(60, 68)}
    assert cache.used_bytes <= 20 * FRAME_BYTES
    cache.leave("other")
    until(lambda: cache.resting)
    assert set(np.flatnonzero(cache.ready())) == {*range(5, 25)}
    cache.leave("one")  # nobody looks: what is there stays
    assert set(np.flatnonzero(cache.ready())) == {*range(5, 25)}


def test_each_viewer_gets_its_frame_where_there_is_room_for_one(make_cache):
    cache = make_cache(Source(), frames=1)
    for number, viewer in enumerate(("one", "two", "three")):
        cache.set_playhead(10 * number, viewer=viewer)
    until(lambda: cache.resting)
    assert set(np.flatnonzero(cache.ready())) == {0, 10, 20}


def test_a_smaller_budget_lets_frames_go_at_once_and_a_larger_one_fills(make_cache):
    cache = make_cache(Source(), frames=100)
    until(lambda: cache.decoded_count == 100)
    cache.set_budget(40 * FRAME_BYTES)
    assert cache.used_bytes == 40 * FRAME_BYTES
    cache.set_budget(60 * FRAME_BYTES)
    until(lambda: cache.decoded_count == 60)


def test_closing_while_decoding(make_cache):
    gate = threading.Event()
    cache = make_cache(Source(gate=gate), workers=2)
    until(lambda: len(cache._decoding) == 2)
    names = {t.name for t in threading.enumerate()}
    assert {"frame-decoder-1", "frame-decoder-2"} <= names
    gate.set()
    cache.close()
    assert not any(t.name.startswith("frame-decoder") for t in threading.enumerate())
    with pytest.raises(RunError, match="closed"):
        cache.wait(0)


def test_many_workers_and_moves_give_the_right_frames(make_cache):
    cache = make_cache(Source(), frames=30, workers=4)
    rng = np.random.default_rng(0)
    for index in rng.integers(0, 100, 300):
        cache.set_playhead(int(index), int(rng.choice([-1, 1])))
        assert cache.wait(int(index)).max() == index
    assert cache.used_bytes <= 30 * FRAME_BYTES
