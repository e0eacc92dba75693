"""Devices that lie still: points, pairs of markers, and their average."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.enhancement import Enhancer, propose_pairs, resting_pair, stabilised, steadied

SIZE = 160
REST = np.array([[55.0, 80.0], [105.0, 84.0]])


def drawn(pair: np.ndarray, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Markers with a zigzag of struts between, that move with them, on an even ground."""
    rng = np.random.default_rng(seed)
    picture = np.full((SIZE, SIZE), 150.0, np.float32)
    arm = pair[1] - pair[0]
    across = np.array([-arm[1], arm[0]]) / np.hypot(*arm)
    share = np.linspace(0.1, 0.9, 17)
    zigzag = (
        pair[0] + share[:, None] * arm + 6 * across * np.where(np.arange(17) % 2, 1, -1)[:, None]
    )
    line = np.round(zigzag * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(picture, [line], False, 120.0, 1, cv2.LINE_AA, shift=4)
    row, column = np.indices(picture.shape, np.float32)
    for x, y in pair:
        away = np.square(column - np.float32(x)) + np.square(row - np.float32(y))
        picture -= 90 * np.exp(-away / (2 * 2.0**2))
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8)
    return (picture + rng.normal(0, noise, picture.shape)).astype(np.float32)


def posed(turn_deg: float, shift: tuple[float, float]) -> np.ndarray:
    turn = np.deg2rad(turn_deg)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = REST.mean(axis=0)
    return (REST - middle) @ matrix.T + middle + np.array(shift)


def beating(count: int) -> list[np.ndarray]:
    phase = 2 * np.pi * np.arange(count) / 9
    return [posed(8 * np.sin(p), (9 * np.cos(p), 7.3 * np.sin(p))) for p in phase]


def test_a_point_is_brought_to_its_anchor():
    point, anchor = np.array([60.25, 70.5]), np.array([80.0, 81.0])
    arm = np.array([[0.0, 0.0], [50.0, 0.0]])
    frame, expected = drawn(point + arm), drawn(anchor + arm)
    moved = stabilised(frame, point, anchor)
    assert np.abs(moved - expected).max() < 0.1 * np.abs(frame - expected).max()


def test_a_turned_pair_is_brought_to_rest():
    pair = posed(17.0, (6.4, -8.1))
    before = np.abs(drawn(pair) - drawn(REST)).max()
    assert np.abs(steadied(drawn(pair), pair, REST) - drawn(REST)).max() < 0.2 * before


def test_length_is_followed_on_demand_alone():
    longer = REST.mean(axis=0) + 1.2 * (REST - REST.mean(axis=0))
    frame = drawn(longer)
    followed = steadied(frame, longer, REST, follow_length=True)
    kept = steadied(frame, longer, REST)
    for moved, pair in ((followed, REST), (kept, longer)):
        for x, y in np.rint(pair).astype(int):
            assert moved[y, x] < 85


def test_a_pair_that_is_one_point_is_refused():
    one = np.array([[5.0, 5.0], [5.0, 5.0]])
    with pytest.raises(ValueError, match="one point"):
        steadied(np.zeros((20, 20), np.float32), one, REST)


def test_rest_is_the_median_of_the_frames_that_show_both():
    first = np.array([[10.0, 10.0], [12.0, 10.0], [np.nan, np.nan], [14.0, 10.0], [11.0, 9.0]])
    second = first + np.array([30.0, 0.0])
    second[4] = np.nan
    np.testing.assert_allclose(resting_pair(first, second), [[12, 10], [42, 10]])
    with pytest.raises(ValueError, match="no frame"):
        resting_pair(np.full((3, 2), np.nan), second[:3])


def test_the_average_has_less_noise_and_keeps_the_struts():
    enhancer = Enhancer(REST)
    for seed, pair in enumerate(beating(30)):
        enhancer.add(drawn(pair, 12.0, seed), pair)
    left = (enhancer.picture - drawn(REST))[20:-20, 20:-20]
    assert enhancer.frames == 30
    assert left.std() < 12.0 / 4
    around = np.s_[70:95, 60:100]
    alike = np.corrcoef(enhancer.picture[around].ravel(), drawn(REST)[around].ravel())[0, 1]
    assert alike > 0.9


def test_a_wrong_pair_counts_little():
    enhancer = Enhancer(REST)
    good = [enhancer.add(drawn(pair, 4.0, seed), pair) for seed, pair in enumerate(beating(12))]
    misplaced = enhancer.add(drawn(posed(0, (30, 25)), 4.0, 99), posed(0, (0, 0)))
    stretched = REST + np.array([[0.0, 0.0], [15.0, 0.0]])
    assert misplaced < 0.3 * np.median(good)
    assert enhancer.add(drawn(stretched, 4.0, 98), stretched) < 0.1 * np.median(good)
    assert enhancer.add(drawn(REST, 4.0, 97), REST, confidence=0.25) < 0.3


@pytest.mark.parametrize(
    ("pair", "confidence"),
    [
        (np.full((2, 2), np.nan), 1.0),
        (np.zeros((2, 2)), 1.0),
        (REST, 0.0),
        (REST, float("nan")),
    ],
)
def test_a_frame_without_both_markers_is_left_out(pair, confidence):
    enhancer = Enhancer(REST)
    assert enhancer.add(drawn(REST), pair, confidence) == 0.0
    assert enhancer.frames == 0
    with pytest.raises(ValueError, match="no frame"):
        _ = enhancer.picture


def test_what_passes_by_leaves_no_trace():
    enhancer = Enhancer(REST)
    for seed in range(12):
        frame = drawn(REST, 3.0, seed)
        if seed == 8:
            cv2.line(frame, (20, 20), (140, 140), 0.0, 5)
        enhancer.add(frame, REST)
    assert abs(enhancer.picture[30, 30] - 150) < 6


def test_the_markers_are_proposed_first():
    frames = []
    for seed, pair in enumerate(beating(9)[::2]):
        part = drawn(pair, 0.0)
        frame = cv2.copyMakeBorder(part, 0, 320, 0, 320, cv2.BORDER_CONSTANT, value=150.0)
        cv2.line(frame, (0, 150), (479, 120), 90.0, 2, cv2.LINE_AA)  # a wire is no blob
        wander = (20 + 25 * seed, 30)
        cv2.circle(frame, wander, 3, 60.0, -1, cv2.LINE_AA)  # nor does this one keep its distance
        frame += np.random.default_rng(seed).normal(0, 4, frame.shape).astype(np.float32)
        frames.append(frame)
    proposed = propose_pairs(frames)
    true = beating(9)[0]
    nearest = min(
        np.abs(points - true).max() for points in (proposed[0].points, proposed[0].points[::-1])
    )
    assert nearest < 1.5


@pytest.mark.parametrize("shape", [(8, 8), (40, 64)])
def test_even_pictures_hold_no_pair(shape):
    assert propose_pairs([np.full(shape, 9.0, np.float32)] * 3) == ()
    assert propose_pairs([]) == ()
