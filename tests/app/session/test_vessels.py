"""Vessels are measured on a thread, corrected by hand, undone and kept like every measure."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.measure.vessels import pins_of, profile_of
from app.runs.run import Run
from app.session.background import Background
from app.session.measuring import Measuring
from app.session.vessels import Vessels
from app.tracks.labels import Labels
from app.tracks.marks import MarkKind
from tests.inference.measuring.pictures import vessel, vessel_middle

ENDS = tuple(tuple(place) for place in vessel_middle([15.0, 145.0]).tolist())
WAIT_MS = 60000


def stenosed(x):
    return 9.0 - 5.0 * np.exp(-0.5 * ((x - 80.0) / 9.0) ** 2)


def picture():
    shadow = vessel(stenosed)
    return 150 - 8.0 * shadow + np.random.default_rng(4).normal(0, 1, shadow.shape)


class Opened(SimpleNamespace):
    __hash__ = object.__hash__


def make_opened(pixels, **fields):
    run = Run(Path("run.dcm"), None, 2, *pixels.shape, np.arange(2.0), **fields)
    labels = Labels(2)
    return Opened(run=run, labels=labels, sequence=SimpleNamespace(read=lambda index: pixels))


class Bench:
    """Vessels with what they work on, without a window."""

    def __init__(self):
        self.background = Background()
        self.playback = SimpleNamespace(frame=1, pause=lambda: None, seek=lambda frame: None)
        signal = SimpleNamespace(connect=lambda slot: None)
        self.labelling = SimpleNamespace(labels_changed=signal, apply=None, refused=signal)
        self.measuring = Measuring(self.labelling, self.playback)
        self.vessels = Vessels(self.labelling, self.background, self.measuring)
        self.told = []
        self.vessels.refused.connect(self.told.append)

    def open(self, opened):
        self.labelling.apply = opened.labels.apply
        self.measuring.set_run(opened)
        self.vessels.set_run(opened)
        return opened


@pytest.fixture
def bench(qtbot):
    made = Bench()
    yield made
    made.vessels.set_run(None)
    made.background.close()


@pytest.fixture
def drawn(bench, qtbot):
    """An opened run with one vessel."""
    opened = bench.open(make_opened(picture()))
    with qtbot.waitSignal(bench.vessels.measured, timeout=WAIT_MS):
        bench.vessels.draw(1, ENDS)
    return opened


def the_mark(opened):
    (mark,) = opened.labels.marks
    return mark


def test_two_points_along_a_vessel_make_a_measure(bench, drawn):
    mark = the_mark(drawn)
    assert (mark.kind, mark.frame, mark.points) == (MarkKind.VESSEL, 1, ENDS)
    profile = profile_of(mark.values)
    assert profile.diameter_px[profile.narrowest] == pytest.approx(4.0, abs=0.5)
    assert profile.centre[profile.narrowest, 0] == pytest.approx(80.0, abs=4.0)
    assert profile.stenosis == pytest.approx(1 - 4 / 9, abs=0.07)
    assert bench.measuring.selected == mark
    assert bench.vessels.chosen[0] == mark
    drawn.labels.undo()
    assert not drawn.labels.marks


def test_a_dragged_edge_goes_there_and_undo_brings_it_back(bench, drawn, qtbot):
    before = the_mark(drawn)
    profile = profile_of(before.values)
    row = len(profile.arc_px) // 4
    away = profile.left[row] - profile.centre[row]
    place = tuple((profile.left[row] + 2.0 * away / np.hypot(*away)).tolist())
    with qtbot.waitSignal(bench.vessels.measured, timeout=WAIT_MS):
        bench.vessels.pull(before.id, "left", place)
    after = profile_of(the_mark(drawn).values)
    assert np.hypot(*(after.left - place).T).min() < 0.8
    assert np.hypot(*(profile.left - place).T).min() > 1.5
    assert pins_of(the_mark(drawn).values) == (("left", *place),)
    again = (place[0] + 1.0, place[1] - 1.0)  # so near that it takes the former one's place
    with qtbot.waitSignal(bench.vessels.measured, timeout=WAIT_MS):
        bench.vessels.pull(before.id, "left", again)
    assert pins_of(the_mark(drawn).values) == (("left", *again),)
    drawn.labels.undo()
    drawn.labels.undo()
    assert the_mark(drawn) == before


def test_a_dragged_centre_line_and_a_dragged_point_lead_the_way(bench, drawn, qtbot):
    mark = the_mark(drawn)
    middle = tuple(vessel_middle([60.0])[0].tolist())
    with qtbot.waitSignal(bench.vessels.measured, timeout=WAIT_MS):
        bench.vessels.pull(mark.id, "centre", middle)
    assert the_mark(drawn).points == (ENDS[0], middle, ENDS[1])
    other = tuple(vessel_middle([40.0])[0].tolist())
    with qtbot.waitSignal(bench.vessels.measured, timeout=WAIT_MS):
        bench.vessels.pull(mark.id, "centre", other)
    assert the_mark(drawn).points == (ENDS[0], other, middle, ENDS[1])
    end = tuple(vessel_middle([120.0])[0].tolist())
    with qtbot.waitSignal(bench.vessels.measured, timeout=WAIT_MS):
        bench.vessels.move(mark.id, (ENDS[0], end))
    assert profile_of(the_mark(drawn).values).arc_px[-1] == pytest.approx(110.0, rel=0.07)


def test_gestures_that_are_faster_than_measuring_add_up(bench, drawn, qtbot):
    mark = the_mark(drawn)
    gate = threading.Event()
    pixels = drawn.sequence.read(1)
    drawn.sequence.read = lambda index: gate.wait(60) and pixels
    with qtbot.waitSignal(bench.vessels.measured, timeout=WAIT_MS):
        for _ in range(3):
            bench.vessels.nudge(mark.id, 1, 0)
        bench.vessels.pull(mark.id, "right", (40.0, 95.0))
        gate.set()
    assert the_mark(drawn).points == tuple((x + 3.0, y) for x, y in ENDS)
    assert len(pins_of(the_mark(drawn).values)) == 1
    drawn.labels.undo()
    assert the_mark(drawn) == mark  # one step: only the last was measured


def test_what_was_taken_back_meanwhile_stays_so(bench, drawn, qtbot):
    mark = the_mark(drawn)
    gate = threading.Event()
    pixels = drawn.sequence.read(1)
    drawn.sequence.read = lambda index: gate.wait(60) and pixels
    bench.vessels.nudge(mark.id, 1, 0)
    drawn.labels.undo()
    gate.set()
    qtbot.waitUntil(lambda: not bench.vessels._tasks, timeout=WAIT_MS)
    assert not drawn.labels.marks


def test_another_run_gets_nothing_of_it(bench, qtbot):
    gate = threading.Event()
    pixels = picture()
    first = bench.open(make_opened(pixels))
    first.sequence.read = lambda index: gate.wait(60) and pixels
    bench.vessels.draw(1, ENDS)
    second = bench.open(make_opened(pixels))
    gate.set()
    with qtbot.waitSignal(bench.vessels.measured, timeout=WAIT_MS):
        bench.vessels.draw(0, ENDS)
    assert not first.labels.marks
    assert the_mark(second).frame == 0


def test_pixels_that_are_not_square_give_the_same_diameters(bench, qtbot):
    high = picture().reshape(80, 2, 160).mean(axis=1)
    opened = bench.open(make_opened(high, pixel_aspect_ratio=2.0))
    with qtbot.waitSignal(bench.vessels.measured, timeout=WAIT_MS):
        bench.vessels.draw(1, tuple((x, (y - 0.5) / 2) for x, y in ENDS))
    profile = profile_of(the_mark(opened).values)
    assert profile.diameter_px[profile.narrowest] == pytest.approx(4.0, abs=0.9)
    assert np.median(profile.reference_px) == pytest.approx(9.0, abs=0.6)


def test_a_short_stretch_is_refused(bench):
    opened = bench.open(make_opened(picture()))
    bench.vessels.draw(1, (ENDS[0], (ENDS[0][0] + 4.0, ENDS[0][1])))
    assert "too short" in bench.told[0] and not opened.labels.marks


@pytest.mark.parametrize("pixels", [np.zeros((160, 160), np.uint8), np.full((64, 64), 7.0)])
def test_an_even_picture_is_answered_somehow(bench, qtbot, pixels):
    bench.open(make_opened(pixels))
    side = pixels.shape[0] - 1.0
    bench.vessels.draw(1, ((0.0, 0.0), (0.0, 0.0), (side, side), (side, 0.0), (side, 0.0)))
    qtbot.waitUntil(lambda: not bench.vessels._tasks, timeout=WAIT_MS)


def test_a_frame_that_cannot_be_read_is_told(bench, qtbot):
    opened = bench.open(make_opened(picture()))

    def read(index):
        from app.runs.run import RunError

        raise RunError("Frame 2 is damaged.")

    opened.sequence.read = read
    with qtbot.waitSignal(bench.vessels.refused, timeout=WAIT_MS):
        bench.vessels.draw(1, ENDS)
    assert bench.told == ["Frame 2 is damaged."]


def test_other_measures_are_no_vessels(bench):
    opened = bench.open(make_opened(picture()))
    bench.measuring.draw(MarkKind.DISTANCE, 1, ENDS)
    mark = the_mark(opened)
    bench.vessels.move(mark.id, ((1.0, 1.0), (50.0, 50.0)))
    bench.vessels.pull("nobody", "left", (1.0, 1.0))
    assert the_mark(opened) == mark and bench.vessels.chosen is None
