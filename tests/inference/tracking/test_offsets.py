"""Corrections of hidden tips are carried to other hidden frames."""

import numpy as np
import pytest

from inference.benchmarks.tracking import track_all
from inference.simulation import Scenario, simulate_run
from inference.tracking.offsets import LARGEST, Offsets
from inference.tracking.requests import Anchor
from inference.tracking.tracker import load_tracker
from inference.tracking.training.labelled import sequence_of

SAID = np.array([[100.0, 100.0], [110.0, 95.0], [104.0, 108.0]])


def test_what_all_corrections_say_holds_for_the_whole_run():
    offsets = Offsets(np.array([3, 10, 30]), SAID, SAID + np.array([4.0, -2.0]))
    dx, dy = offsets.at(np.array([20]), np.array([[106.0, 101.0]]))[0]
    assert 1.0 < dx <= 4.0
    assert -2.0 <= dy < -0.5


def test_one_correction_counts_most_nearby():
    offsets = Offsets(np.array([10]), SAID[:1], SAID[:1] + np.array([3.0, 0.0]))
    near, later, elsewhere = offsets.at(
        np.array([11, 60, 60]), np.array([SAID[0], SAID[0], SAID[0] + 30.0])
    )[:, 0]
    assert 3.0 > near > later > elsewhere > 0.0


def test_a_mended_mistake_tells_nothing_of_other_frames():
    far = SAID[:1] + np.array([LARGEST + 1.0, 0.0])
    offsets = Offsets(np.array([10]), SAID[:1], far)
    assert np.all(offsets.at(np.array([11]), SAID[:1]) == 0.0)


@pytest.fixture(scope="module")
def hidden_run():
    """Return a run in which contrast plainly hides the tip from the seventh frame on."""
    run = simulate_run(700_030, Scenario.CONTRAST_OCCLUSION, frame_count=16)
    assert run.state == ("visible",) * 6 + ("occluded",) * 10
    return run


def test_a_corrected_hidden_tip_moves_its_neighbours_and_not_those_that_show(hidden_run):
    tracker = load_tracker("cpu", threads=1)
    frames = sequence_of(hidden_run.frames)
    click = Anchor(0, *map(float, hidden_run.tip[0]))
    alone = track_all(tracker, frames, (click,))
    hidden = [f for f, point in alone.items() if point.state == "occluded"]
    shown = [f for f, point in alone.items() if point.state == "visible"]
    assert len(hidden) >= 4 and len(shown) >= 2
    corrected = hidden[len(hidden) // 2]
    off = np.array([5.0, 4.0])
    point = alone[corrected]
    anchor = Anchor(corrected, point.x + off[0], point.y + off[1], "occluded")
    again = track_all(tracker, frames, (click, anchor))

    def moved(chosen):
        return [
            np.array([again[f].x - alone[f].x, again[f].y - alone[f].y]) @ off / np.hypot(*off)
            for f in chosen
            if f in again and again[f].x is not None and again[f].state == alone[f].state
        ]

    near = np.median(moved([f for f in hidden if abs(f - corrected) <= 3]))
    assert near > 1.5
    assert abs(np.median(moved(shown))) < near / 2
