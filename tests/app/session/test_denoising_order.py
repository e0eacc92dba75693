"""The order of denoising, with a simulated film and a simulated denoiser."""

import heapq

import numpy as np
import pytest

from app.session.denoising_order import DenoisingOrder

COUNT = 300
LOADED_S = 1.0
"""When the network is there, since the film began."""


class Film:
    """A run that is played in a loop while a denoiser of two threads works."""

    def __init__(self, frame_s, rate_hz=30.0, count=COUNT, way=1, stutter=0.0):
        self.now_s = 0.0
        self.frame_s, self.rate_hz, self.count, self.way = frame_s, rate_hz, count, way
        self.random = np.random.default_rng(1)
        self.stutter = stutter
        self.order = DenoisingOrder(count, 0, lambda: self.now_s)
        self.wanted = set(range(count))
        self.done, self.chosen = set(), []
        self.passes = []  # for each loop the frames that were shown denoised
        self.computed_in = []  # for each loop how many frames were computed

    def play(self, loops):
        events = [(shown / self.rate_hz, 0, shown) for shown in range(loops * self.count)]
        heapq.heapify(events)
        self.order.start()
        for thread in (0.0, 0.5):
            heapq.heappush(events, (LOADED_S + thread * self.frame_s, 1, None))
        while any(kind == 0 for _, kind, _ in events):
            self.now_s, kind, what = heapq.heappop(events)
            if kind == 0:
                frame = (self.way * what) % self.count
                if what % self.count == 0:
                    self.passes.append([])
                    self.computed_in.append(0)
                self.order.set_playhead(frame)
                if frame in self.done:
                    self.passes[-1].append(what % self.count)
                continue
            if what is not None:
                self.order.note_done(what)
                self.done.add(what)
                self.computed_in[-1] += 1
            open_frames = self.wanted - set(self.chosen)
            if open_frames:
                frame = self.order.choose(open_frames)
                self.chosen.append(frame)
                slow = 1.0 + self.stutter * self.random.uniform(-1, 1)
                heapq.heappush(events, (self.now_s + 2 * self.frame_s * slow, 1, frame))


def longest_gap_s(film, loop=0):
    shown = film.passes[loop]
    return max(np.diff([*shown, film.count])) / film.rate_hz


@pytest.mark.parametrize("stutter", [0.0, 0.4])
@pytest.mark.parametrize("frame_s", [0.02, 0.06, 0.14, 0.3])
@pytest.mark.parametrize("way", [1, -1])
def test_what_is_computed_while_a_film_runs_is_seen_and_comes_evenly(frame_s, stutter, way):
    film = Film(frame_s, way=way, stutter=stutter)
    film.play(1)
    allowed = min(film.computed_in[0], COUNT - LOADED_S * film.rate_hz)
    assert len(film.passes[0]) >= 0.8 * allowed
    assert longest_gap_s(film) <= 1.0


@pytest.mark.parametrize("frame_s", [0.03, 0.14])
def test_each_pass_adds_to_the_one_before_and_nothing_is_computed_twice(frame_s):
    film = Film(frame_s)
    film.play(6)
    shares = [len(shown) / COUNT for shown in film.passes]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(film.chosen) == len(set(film.chosen)) == COUNT


def test_a_standing_playhead_has_its_surroundings_denoised_first():
    order = DenoisingOrder(40, 10, lambda: 0.0)
    order.start()
    wanted = set(range(40))
    chosen = []
    for _ in range(5):
        chosen.append(order.choose(wanted))
        wanted.discard(chosen[-1])
    assert chosen[:2] == [10, 11]
    assert set(chosen) == {9, 10, 11, 12, 13}


def test_a_jump_is_no_film():
    film = Film(0.14)
    film.play(1)
    film.order.set_playhead(150)
    assert film.order.choose(set(range(COUNT))) == 150


def test_a_film_that_stops_has_its_surroundings_denoised_first():
    film = Film(0.14)
    film.play(1)
    film.now_s += 1.0
    assert film.order.choose(set(range(COUNT))) == COUNT - 1
