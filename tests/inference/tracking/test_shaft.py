"""A hidden tip is found by the shaft that still shows."""

import cv2
import numpy as np
import pytest

from inference.tracking.shaft import REACH, Shaft, likeness
from inference.tracking.views import normalise

BEND = np.array([[120.0, 130.0], [128.0, 112.0], [146.0, 100.0], [150.0, 70.0], [148.0, 20.0]])
"""A catheter's centre line in the view, tip first."""


def draw(line, hidden=False, seed=0):
    picture = np.full((256, 256), 140.0, np.float32)
    tube = np.zeros_like(picture)
    points = np.round(line * 16).astype(np.int32)[:, None]
    cv2.polylines(tube, [points], False, 1.0, 4, cv2.LINE_AA, shift=4)
    picture -= 40.0 * tube
    if hidden:
        x, y = line[0].tolist()
        cv2.line(picture, (round(x) - 30, round(y) + 25), (round(x) + 6, round(y) - 8), 60.0, 12)
    picture += np.random.default_rng(seed).normal(0.0, 4.0, picture.shape).astype(np.float32)
    body = cv2.resize(tube, (64, 64), interpolation=cv2.INTER_AREA)
    return normalise(picture), body


def moved(line, shift, turn_deg):
    matrix = cv2.getRotationMatrix2D((120.0, 130.0), turn_deg, 1.0)
    return line @ matrix[:, :2].T + matrix[:, 2] + shift


@pytest.mark.parametrize(("shift", "turn_deg"), [((0, 0), 0), ((9, -6), 0), ((-12, 8), 5)])
def test_a_hidden_tip_is_found_by_the_shaft(shift, turn_deg):
    view, body = draw(BEND)
    line = moved(BEND, np.array(shift), turn_deg)
    later, _ = draw(line, hidden=True, seed=1)
    like = likeness([Shaft(view, body, BEND[0])], later, BEND[0])
    row, column = np.unravel_index(like.argmax(), like.shape)
    assert np.hypot(column - line[0, 0], row - line[0, 1]) < 2.5
    assert like.max() > 0.5


def test_only_the_surroundings_are_searched():
    view, body = draw(BEND)
    like = likeness([Shaft(view, body, BEND[0])], view, np.array([60.0, 200.0]))
    rows, columns = np.nonzero(like)
    assert np.all(np.abs(columns - 60) <= REACH + 1) and np.all(np.abs(rows - 200) <= REACH + 1)


def test_without_a_tube_around_the_tip_nothing_is_said():
    view, body = draw(BEND)
    like = likeness([Shaft(view, np.zeros_like(body), BEND[0])], view, BEND[0])
    assert not like.any()


def test_several_shafts_count_alike():
    view, body = draw(BEND)
    seen, nothing = (Shaft(view, part, BEND[0]) for part in (body, np.zeros_like(body)))
    one, two = (likeness(shafts, view, BEND[0]) for shafts in ([seen], [seen, nothing]))
    np.testing.assert_allclose(two, one / 2, atol=1e-5)
    assert one.max() == pytest.approx(1.0, abs=0.15)
