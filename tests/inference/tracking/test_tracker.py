import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from inference.benchmarks.leaving import cut_runs
from inference.benchmarks.tracking import (
    Errors,
    Tracked,
    area_under_curve,
    corrections,
    first_click,
    interpolate,
    ours,
    simulated_runs,
    track_all,
)
from inference.frames import FrameSequence
from inference.simulation import Scenario, simulate_run
from inference.tracking.job import BATCH
from inference.tracking.paths import (
    Candidates,
    find_candidates,
    find_spot,
    held,
    joined,
    posteriors,
)
from inference.tracking.proposing import find_tip
from inference.tracking.requests import Anchor, TrackedPoint, TrackRequest
from inference.tracking.seen_frames import SeenFrames
from inference.tracking.side_by_side import TrackCall
from inference.tracking.tracker import load_tracker
from inference.tracking.training.labelled import LabelledRun, sequence_of
from inference.tracking.training.shards import STATES
from inference.tracking.views import ViewGeometry, crop, normalise, shrink


@pytest.fixture(scope="module")
def tracker():
    return load_tracker("cpu")


@pytest.fixture(scope="module")
def run():
    return simulate_run(900_003, Scenario.PANNING, 14, plain=True)


def anchor_on(run, frame):
    return Anchor(frame, float(run.tip[frame, 0]), float(run.tip[frame, 1]))


def test_the_tip_is_followed_far_better_than_by_chance(tracker, run):
    points = track_all(tracker, sequence_of(run.frames), (anchor_on(run, 0),))
    assert sorted(points) == list(range(1, 14))
    errors = [
        np.hypot(point.x - run.tip[frame, 0], point.y - run.tip[frame, 1])
        for frame, point in points.items()
        if point.x is not None and run.state[frame] == "visible"
    ]
    assert np.median(errors) < 20
    assert all(0.0 <= point.confidence <= 1.0 for point in points.values())


def test_anchors_are_never_told(tracker, run):
    anchors = (anchor_on(run, 2), anchor_on(run, 9), Anchor(13, None, None, "absent"))
    points = track_all(tracker, sequence_of(run.frames), anchors)
    assert sorted(points) == [0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12]


def test_only_the_requested_frames_are_told(tracker, run):
    told = []
    tracker.track(
        sequence_of(run.frames),
        TrackRequest((anchor_on(run, 0),), 4, 7),
        lambda: False,
        told.extend,
    )
    assert {point.frame for point in told} == {4, 5, 6, 7}


def test_frames_near_the_playhead_come_first(tracker, run):
    batches = []
    tracker.track(
        sequence_of(run.frames),
        TrackRequest((anchor_on(run, 0), anchor_on(run, 13)), 0, 13, start_frame=12),
        lambda: False,
        batches.append,
    )
    assert 12 in {point.frame for point in batches[0]}


def test_two_threads_say_what_one_says_and_never_read_at_once():
    hidden = simulate_run(17, Scenario.CONTRAST_OCCLUSION, 40)
    anchors = tuple(anchor_on(hidden, frame) for frame in (0, 20, 39))
    reading = threading.Lock()

    def read(index):
        assert reading.acquire(blocking=False)
        time.sleep(0.001)
        reading.release()
        return hidden.frames[index]

    said = []
    for threads in (1, 2):
        points = {}
        load_tracker("cpu", threads=threads).track(
            FrameSequence(read, 40, *hidden.frames.shape[1:]),
            TrackRequest(anchors, 0, 39),
            lambda: False,
            lambda told, points=points: points.update({p.frame: p for p in told}),
        )
        said.append(points)
    one, two = said
    assert one.keys() == two.keys()
    away = [np.hypot(one[f].x - two[f].x, one[f].y - two[f].y) for f in one if one[f].x is not None]
    assert np.median(away) < 0.1


def test_tips_side_by_side_are_placed_as_one_after_the_other_is():
    three = simulate_run(900_096, Scenario.CONTRAST_OCCLUSION, 30)
    tracker = load_tracker("cpu", threads=2)
    starts = [Anchor(0, *map(float, device.tip[0])) for device in three.devices]
    alone = [track_all(tracker, sequence_of(three.frames), (start,)) for start in starts]
    together: list[dict[int, TrackedPoint]] = [{} for _ in starts]
    ended = []
    teller = threading.get_ident()

    def call(index):
        def tell(points):
            assert threading.get_ident() == teller
            together[index].update({point.frame: point for point in points})

        request = TrackRequest((starts[index],), 0, 29)
        return TrackCall(request, lambda: False, tell, lambda: ended.append(index))

    calls = iter([call(index) for index in range(len(starts))])
    tracker.track_together(sequence_of(three.frames), lambda: next(calls, None))
    assert sorted(ended) == list(range(len(starts)))
    for one, other in zip(alone, together, strict=True):
        assert one.keys() == other.keys()
        both = [f for f in one if one[f].x is not None and other[f].x is not None]
        away = [np.hypot(one[f].x - other[f].x, one[f].y - other[f].y) for f in both]
        assert len(both) > 20
        assert np.median(away) < 0.1


def test_a_tip_that_is_no_longer_wanted_ends_alone(tracker, run):
    told, ended = {0: [], 1: []}, []

    def call(index, should_stop):
        request = TrackRequest((anchor_on(run, 0),), 0, 13)
        return TrackCall(request, should_stop, told[index].extend, lambda: ended.append(index))

    calls = iter([call(0, lambda: bool(told[0])), call(1, lambda: False)])
    tracker.track_together(sequence_of(run.frames), lambda: next(calls, None))
    assert sorted(ended) == [0, 1]
    assert len({point.frame for point in told[0]}) < 13
    assert {point.frame for point in told[1]} == set(range(1, 14))


def test_frames_that_two_ask_for_at_once_are_read_by_the_stem_once():
    asked = []

    def stem(inputs):
        asked.append(len(inputs["pictures"]))
        time.sleep(0.05)
        return (inputs["pictures"][:, 0].copy(),)

    frames = np.random.default_rng(9).integers(0, 200, (8, 128, 128)).astype(np.uint8)
    seen = SeenFrames(sequence_of(frames), stem, 64)
    with ThreadPoolExecutor(3) as executor:
        first, second, third = executor.map(seen.maps, ([0, 1, 2], [0, 1, 2], [2, 3]))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[0][2], third[0][0])
    assert sum(asked) == 4


def test_a_frame_is_read_by_the_stem_once_in_whatever_order_it_is_asked_for():
    asked = []

    def stem(inputs):
        pictures = inputs["pictures"]
        asked.append(len(pictures))
        return pictures[:, 0].copy(), pictures[:, 1, :4, :4].copy()

    frames = np.random.default_rng(9).integers(0, 200, (8, 128, 128)).astype(np.uint8)
    seen = SeenFrames(sequence_of(frames), stem, 64)
    whole = seen.maps([0, 1, 2, 3])
    seen.maps([4, 5])
    for numbers in ([1, 2], [3, 1], [3, 4, 5]):
        views = np.stack([seen.views(number)[0] for number in numbers])
        np.testing.assert_array_equal(seen.maps(numbers)[0], views)
    np.testing.assert_array_equal(seen.maps([2, 3])[1], whole[1][2:])
    assert asked == [4, 2]


def test_stop_ends_the_work(tracker, run):
    read = []
    frames = sequence_of(run.frames)
    watched = type(frames)(
        lambda index: read.append(index) or run.frames[index], 14, frames.rows, frames.columns
    )
    told = []
    tracker.track(
        watched,
        TrackRequest((anchor_on(run, 0),), 0, 13),
        lambda: bool(told),
        told.append,
    )
    assert len(told) == 1
    assert len(set(read)) <= BATCH + 2  # the click, a batch, and the frame after it


def test_a_run_without_a_placed_point_is_refused(tracker, run):
    request = TrackRequest((Anchor(0, None, None, "absent"),), 0, 5)
    with pytest.raises(ValueError, match="at least one point"):
        tracker.track(sequence_of(run.frames), request, lambda: False, list)


def test_a_picture_twice_as_large_gives_the_same_track(tracker, run):
    small = track_all(tracker, sequence_of(run.frames), (anchor_on(run, 0),))
    double = np.repeat(np.repeat(run.frames, 2, axis=1), 2, axis=2)
    x, y = (run.tip[0] + 0.5) * 2 - 0.5
    large = track_all(tracker, sequence_of(double), (Anchor(0, float(x), float(y)),))
    for frame, point in small.items():
        if point.x is not None:
            assert (large[frame].x + 0.5) / 2 - 0.5 == pytest.approx(point.x, abs=0.5)
            assert (large[frame].y + 0.5) / 2 - 0.5 == pytest.approx(point.y, abs=0.5)


def test_the_grey_scale_does_not_matter(tracker, run):
    small = track_all(tracker, sequence_of(run.frames[:4]), (anchor_on(run, 0),))
    raw = run.frames[:4].astype(np.int32) * 3 + 700
    large = track_all(tracker, sequence_of(raw), (anchor_on(run, 0),))
    for frame, point in small.items():
        if point.x is not None:
            assert large[frame].x == pytest.approx(point.x, abs=1.0)


def test_proposals_lie_in_the_picture_and_are_ordered(tracker, run):
    points = tracker.propose(run.frames[0][:300], float(run.white), frame=5)
    assert points
    assert all(point.frame == 5 for point in points)
    assert all(0 <= point.x < 512 and 0 <= point.y < 300 for point in points)


@pytest.mark.slow
def test_a_tip_is_proposed_unseen(tracker):
    found = 0
    for seed in range(850_000, 850_040):
        run = simulate_run(seed, Scenario.FLUOROSCOPY, 1, plain=True)
        near = [
            np.hypot(p.x - run.tip[0, 0], p.y - run.tip[0, 1]) < 20
            for p in tracker.propose(run.frames[0])[:3]
        ]
        found += any(near)
    assert found >= 20


def candidates(*places, absent=-12.0):
    points = np.array([place[:2] for place in places], np.float32)
    scores = np.log([place[2] for place in places]).astype(np.float32)
    ones = np.ones(len(places), np.float32)
    return Candidates(points, scores, absent, ones, ones, 0 * ones, 0 * ones)


def test_two_candidates_of_one_place_are_one():
    both = joined(candidates((100.0, 100.0, 0.3), (101.0, 100.0, 0.4), (30.0, 30.0, 0.2)))
    np.testing.assert_array_equal(both.points, [[101.0, 100.0], [30.0, 30.0]])
    np.testing.assert_allclose(np.exp(both.scores), [0.7, 0.2], rtol=1e-5)


def test_the_refiners_spot_is_read_between_pixels():
    rows, columns = np.mgrid[0:80, 0:80]
    heat = -((columns - 31.3) ** 2 + (rows - 52.6) ** 2) / 8
    spot = find_spot(np.append(-20.0, heat.ravel()).astype(np.float32))
    assert (spot.x, spot.y) == pytest.approx((31.3, 52.6), abs=0.1)
    assert spot.present > 0.99
    nothing = find_spot(np.append(20.0, heat.ravel()).astype(np.float32))
    assert nothing.present < 0.01
    assert nothing.mass < 0.01


def test_both_held_ends_outvote_a_stronger_peak_far_away():
    right, wrong = (100.0, 100.0, 0.3), (200.0, 40.0, 0.7)
    chain = [(0, held((98.0, 100.0)))]
    chain += [(frame, candidates(right, wrong)) for frame in range(1, 6)]
    chain += [(6, held((101.0, 99.0)))]
    assert all(chance.argmax() == 0 for chance in posteriors(chain, (256, 256))[1:-1])


def test_a_tip_lost_for_long_is_found_again():
    there, here = (30.0, 30.0, 0.05), (220.0, 200.0, 0.95)
    chain = [(0, held((30.0, 30.0)))] + [(f, candidates(there, here)) for f in range(1, 12)]
    chances = posteriors(chain, (256, 256))
    assert chances[-1].argmax() == 1
    np.testing.assert_allclose([chance.sum() for chance in chances], 1.0)


def test_an_absent_end_lets_the_tip_leave():
    chain = [(0, held((5.0, 5.0))), (1, candidates((5.0, 5.0, 0.2), absent=-1.0)), (2, held(None))]
    assert posteriors(chain, (256, 256))[2].argmax() == 0
    assert len(posteriors(chain, (256, 256))[2]) == 1


@pytest.mark.parametrize(("tip", "leaves"), [((128.0, 8.0), True), ((128.0, 128.0), False)])
def test_tips_leave_across_an_edge_and_not_from_the_middle(tip, leaves):
    decoy = (tip[0] + 9.0, tip[1], 0.5)
    chain = [(0, held(tip)), *((f, candidates(decoy, absent=np.log(0.5))) for f in range(1, 5))]
    chances = posteriors(chain, (256, 256))
    assert [bool(chance.argmax() == 1) for chance in chances[1:]] == [leaves] * 4
    back = [*chain, (5, held(tip))]
    assert [bool(c.argmax() == 1) for c in posteriors(back, (256, 256))[1:-1]] == [leaves] * 4


def test_a_peak_between_cells_is_found_between_them():
    rows, columns = np.mgrid[0:64, 0:64]
    heat = -((columns - 20.3) ** 2 + (rows - 40.6) ** 2) / 4
    found = find_candidates(np.append(-20.0, heat.ravel()).astype(np.float32), 2, (128, 128))
    np.testing.assert_allclose(found.points[0], [20.3 * 2 + 0.5, 40.6 * 2 + 0.5], atol=0.2)


def test_a_frame_that_surely_holds_no_tip_still_has_a_candidate():
    heat = np.append(500.0, np.zeros(64 * 64)).astype(np.float32)
    found = find_candidates(heat, 2, (128, 128))
    assert len(found.points) == 1
    assert posteriors([(0, found)], (128, 128))[0].argmax() == 1


@pytest.mark.parametrize("shape", [(512, 512), (1024, 1024), (300, 512), (1000, 600)])
def test_points_survive_the_way_to_the_view_and_back(shape):
    geometry = ViewGeometry(*shape, side=256)
    points = np.array([[0.0, 0.0], [shape[1] - 1.0, shape[0] - 1.0], [17.3, 40.9]])
    np.testing.assert_allclose(geometry.to_picture(geometry.to_view(points)), points, atol=1e-3)
    picture = np.zeros(shape, np.uint16)
    rows, columns = shape[0] // 2, shape[1] // 4
    picture[rows : rows + 8, columns : columns + 8] = 1000
    view = shrink(picture, 256)
    found = np.array(np.unravel_index(view.argmax(), view.shape)[::-1])
    expected = geometry.to_view(np.array([columns + 3.5, rows + 3.5]))
    assert np.abs(found - expected).max() <= 1.5


def test_a_crop_has_its_point_in_the_middle():
    view = np.zeros((256, 256), np.float32)
    view[100, 37] = 1.0
    assert crop(view, (37.0, 100.0), 48)[24, 24] == 1.0
    assert crop(view, (0.0, 0.0), 48).shape == (48, 48)


def test_normalising_forgets_exposure():
    view = np.random.default_rng(8).uniform(0, 200, (256, 256)).astype(np.float32)
    np.testing.assert_allclose(normalise(view * 7 + 300), normalise(view), atol=1e-2)
    assert np.isfinite(normalise(np.zeros((256, 256), np.float32))).all()


def test_auroc():
    assert area_under_curve([1, 2, 3, 4], [False, False, True, True]) == 1.0
    assert area_under_curve([1, 1, 1, 1], [False, True, False, True]) == 0.5


def test_corrections_count_what_an_annotator_does():
    tips = np.stack([np.array([0.0, 10, 20, 30, 20, 10, 0]), np.zeros(7)], axis=1)
    still = LabelledRun("x", np.zeros((7, 512, 512), np.uint8), tips, np.zeros(7, np.uint8))
    assert corrections(still, interpolate) == 2


def test_scores_tell_whether_a_missing_tip_is_noticed():
    states = np.array([STATES.index(s) for s in ("visible", "visible", "absent", "absent")])
    run = LabelledRun("x", np.zeros((4, 512, 512), np.uint8), np.ones((4, 2)), states)
    told = np.array([False, True, True, False])
    scores = Errors("ours")
    scores.add(run, 0, run.tips, Tracked(run.tips, np.ones(4), told))
    assert (scores.noticed, scores.denied) == ([True, False], [True])
    assert scores.visible == [0.0]


def test_cut_runs_know_which_tips_lie_outside():
    frames = np.arange(100, dtype=np.uint8) + np.zeros((10, 80, 1), np.uint8)
    tips = np.stack([np.linspace(5.0, 32.0, 10), np.full(10, 40.0)], axis=1)
    run = LabelledRun("x", frames, tips, np.zeros(10, np.uint8))
    (cut,) = cut_runs(run)
    gone, unscored = (cut.states == STATES.index(state) for state in ("absent", "unknown"))
    np.testing.assert_array_equal(gone | unscored, np.arange(10) < 4)
    np.testing.assert_array_equal(
        unscored, (cut.tips[:, 0] < 0) & (cut.tips[:, 0] > -8 * 100 / 512)
    )
    x, y = np.rint(cut.tips[5]).astype(int)
    assert cut.frames[5, y, x] == frames[5, 40, round(tips[5, 0])]
    assert (cut.tips[4:, 0] >= 0).all()


@pytest.mark.slow
def test_the_simulated_test_set_is_tracked(tracker):
    errors = []
    for run in simulated_runs(10):
        first = first_click(run)
        tips = ours(tracker, run, (Anchor(first, *map(float, run.tips[first])),)).tips
        errors += list(np.hypot(*(tips - run.tips).T)[run.states == 0])
    assert np.mean(np.array(errors) < 40) > 0.5


class TwoTips:
    """Proposes a sure tip that cannot be followed, and a less sure one that can."""

    def propose(self, pixels, white=255.0, frame=0):
        return [
            TrackedPoint(frame, 100.0, 100.0, "visible", 0.9),
            TrackedPoint(frame, 105.0, 100.0, "visible", 0.8),
            TrackedPoint(frame, 300.0, 200.0, "visible", 0.7),
        ]

    def track(self, frames, request, should_stop, on_points):
        x, confidence = request.anchors[0].x, 0.95 if request.anchors[0].x == 300.0 else 0.1
        others = (f for f in range(frames.frame_count) if f != request.anchors[0].frame)
        on_points([TrackedPoint(f, x, 200.0, "visible", confidence) for f in others])


def test_the_tip_that_can_be_followed_is_chosen():
    found = find_tip(TwoTips(), sequence_of(np.zeros((5, 512, 512), np.uint8)), 2)
    assert (found.frame, found.x, found.y) == (2, 300.0, 200.0)


def test_a_tip_that_is_seen_on_other_frames_as_well_is_chosen():
    class Often(TwoTips):
        """A bright end shows once, a tip on all frames; each tip is followed once."""

        followed = ()

        def propose(self, pixels, white=255.0, frame=0):
            once = [TrackedPoint(frame, 100.0, 200.0, "visible", 0.8)] if frame == 4 else []
            return [*once, TrackedPoint(frame, 300.0 + frame, 200.0, "visible", 0.7)]

        def track(self, frames, request, should_stop, on_points):
            x = request.anchors[0].x
            self.followed += (x,)
            on_points(
                [TrackedPoint(f, x, 200.0, "visible", 0.9) for f in range(frames.frame_count)]
            )

    tracker = Often()
    found = find_tip(tracker, sequence_of(np.zeros((9, 512, 512), np.uint8)))
    assert found.x >= 300.0
    assert tracker.followed == (100.0, 300.0)


def test_nothing_like_a_tip_is_said():
    class Blind(TwoTips):
        def propose(self, pixels, white=255.0, frame=0):
            return []

    with pytest.raises(LookupError):
        find_tip(Blind(), sequence_of(np.zeros((5, 512, 512), np.uint8)))


def test_the_tracker_tells_which_weights_it_has():
    weights = load_tracker("cpu").weights
    assert re.fullmatch(r"tracker_tiny \d+ \(sha [0-9a-f]{8}\)", weights)
    assert weights == load_tracker("cpu").weights
