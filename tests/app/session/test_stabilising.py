"""The device stands, and the frames move."""

from dataclasses import replace

import pytest

from app.session.look import look_from, view_of
from app.session.stabilising import Stabilised, shift_px, stabilised_on
from app.tracks.edits import add_track, new_track, set_state
from app.tracks.labels import Labels
from app.tracks.track import PointState, TrackPoint

PLACES = {3: (10.0, 20.0), 4: (12.5, 19.0), 8: (7.0, 26.0)}


@pytest.fixture
def labels():
    labels = Labels(12)
    track = new_track(())
    points = {frame: TrackPoint(frame, x, y) for frame, (x, y) in PLACES.items()}
    labels.apply(add_track(replace(track, points=points)))
    return labels


def test_what_is_seen_moves_as_the_device_does(labels):
    (track,) = labels.tracks
    steady = stabilised_on(track, 4)
    assert steady == Stabilised(track.id, 12.5, 19.0)
    assert shift_px(labels, steady, 4) == (0.0, 0.0)
    assert shift_px(labels, steady, 8) == (-5.5, 7.0)
    assert shift_px(labels, steady, 3) == (-2.5, 1.0)


@pytest.mark.parametrize(("frame", "like"), [(0, 3), (2, 3), (5, 4), (7, 4), (11, 8)])
def test_frames_without_a_point_keep_the_last_one(labels, frame, like):
    (track,) = labels.tracks
    steady = stabilised_on(track, 3)
    assert shift_px(labels, steady, frame) == shift_px(labels, steady, like)


def test_an_absent_point_has_no_place(labels):
    labels.apply(set_state(labels.tracks[0], 8, None, PointState.ABSENT))
    (track,) = labels.tracks
    steady = stabilised_on(track, 3)
    assert shift_px(labels, steady, 9) == shift_px(labels, steady, 4)


def test_without_a_track_or_a_point_nothing_is_followed(labels):
    assert stabilised_on(new_track(()), 0) is None
    assert shift_px(labels, None, 3) is None
    assert shift_px(labels, Stabilised("gone", 1.0, 1.0), 3) is None


def test_it_comes_back_with_the_run(make_session, run_file):
    session = make_session(run_file)
    run, opened = session.opened.run, session.opened
    session.look.change(stabilised=Stabilised("a", 3.0, 4.5))
    kept = view_of(session.look.now, run)
    assert look_from(kept, run, session.look.of_run(opened)).stabilised == Stabilised("a", 3, 4.5)
    for spoiled in (7, {"track_id": 3, "x": 1, "y": 2}, {"track_id": "a", "x": "1", "y": None}):
        look = look_from({"stabilised": spoiled}, run, session.look.of_run(opened))
        assert look.stabilised is None
