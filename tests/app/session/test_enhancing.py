"""A device is enhanced between two tracks of a run, and its markers are proposed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.session.enhanced import chosen_markers, enhance, marker_way
from app.session.look import look_from, view_of
from app.tracks.edits import add_track, new_track, place_point
from app.tracks.track import PointSource, TrackKind, TrackPoint
from inference.frames import FrameSequence

COUNT, SIDE = 30, 96
NOISE = 12.0


def middle(frame):
    """Where the device is: it goes round, by less than a pixel a frame at times."""
    turn = 2 * np.pi * frame / 11
    return np.array([48 + 9 * np.cos(turn), 46 + 7 * np.sin(turn)])


def markers(frame):
    return middle(frame) + np.array([[-12.0, -3.0], [12.0, 3.0]])


def draw(frame, rng, noise=NOISE):
    y, x = np.mgrid[:SIDE, :SIDE]
    picture = np.full((SIDE, SIDE), 150.0)
    for mx, my in markers(frame):
        picture -= 90 * np.exp(-((x - mx) ** 2 + (y - my) ** 2) / (2 * 1.8**2))
    picture += rng.normal(0, noise, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture
def stent_file(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "stent.npy", np.stack([draw(i, rng) for i in range(COUNT)]))
    return tmp_path / "stent.npy"


@pytest.fixture
def session(make_session, stent_file):
    return make_session(stent_file)


def add_markers(session, frames=range(COUNT), kind=TrackKind.BALLOON_MARKER):
    """Two tracks that are where the markers are."""
    tracks = list(session.opened.labels.tracks)
    for which in range(2):
        track = new_track(tracks, name=f"marker {which}", kind=kind)
        points = {
            f: TrackPoint(f, *markers(f)[which].tolist(), source=PointSource.TRACKED, confidence=1)
            for f in frames
        }
        tracks.append(replace(track, points=points))
        session.labelling.apply(add_track(tracks[-1]))
    return tracks[-2:]


def settle(qtbot, session):
    qtbot.waitUntil(lambda: session.enhancing.share is None, timeout=20000)


def test_noise_is_averaged_away_while_the_markers_stay_sharp(qtbot, session):
    add_markers(session)
    session.enhancing.enhance()
    assert session.look.now.enhanced
    settle(qtbot, session)
    enhanced = session.opened.enhanced
    assert enhanced.frames == COUNT and not enhanced.stale
    seen = enhanced.pixels
    assert seen[70:, :].std() < NOISE / 3
    for x, y in np.rint(np.median([markers(f) for f in range(COUNT)], axis=0)).astype(int):
        assert seen[y - 1 : y + 2, x - 1 : x + 2].min() < 150 - 65


def test_the_marked_span_alone_is_averaged(qtbot, session):
    add_markers(session)
    session.labelling.set_span(3, 9)
    session.enhancing.enhance()
    settle(qtbot, session)
    assert session.opened.enhanced.frames == 7
    assert session.opened.enhanced.way.span == (3, 9)
    seen = session.opened.enhanced.pixels
    for x, y in np.rint(np.median([markers(f) for f in range(3, 10)], axis=0)).astype(int):
        assert seen[y - 1 : y + 2, x - 1 : x + 2].min() < 150 - 65


def test_frames_without_both_markers_are_left_out(qtbot, session):
    first, _ = add_markers(session, frames=range(10))
    session.labelling.apply(place_point(first, 20, 5.0, 5.0))
    session.enhancing.enhance()
    settle(qtbot, session)
    assert session.opened.enhanced.frames == 10


def test_unsure_frames_count_less(session):
    tracks = add_markers(session)
    labels = session.opened.labels
    way = marker_way(labels, (tracks[0].id, tracks[1].id), (0, COUNT - 1))
    spoiled = FrameSequence(
        lambda i: np.full((SIDE, SIDE), 255.0 if i > 14 else 100.0, np.float32), COUNT, SIDE, SIDE
    )
    unsure = replace(way, confidence=np.where(np.arange(COUNT) > 14, 0.0, 1.0))
    pixels = enhance(spoiled, unsure, lambda: False, lambda _: None).pixels
    np.testing.assert_allclose(pixels, 100.0, atol=1e-3)


def test_it_is_out_of_date_once_a_marker_or_the_span_is_another(qtbot, session):
    first, _ = add_markers(session)
    session.enhancing.enhance()
    settle(qtbot, session)
    told = []
    session.enhancing.changed.connect(lambda: told.append(session.opened.enhanced.stale))
    session.labelling.change_track(first.id, name="proximal")
    assert told == []
    session.labelling.set_span(2, 20)
    session.labelling.drop_span()
    assert told == [True, False]
    session.labelling.apply(place_point(first, 4, 30.0, 30.0))
    assert session.opened.enhanced.stale
    session.labelling.undo()
    assert not session.opened.enhanced.stale
    session.labelling.remove_track(first.id)
    assert session.opened.enhanced.stale


def test_asked_again_it_is_of_now(qtbot, session):
    add_markers(session)
    session.enhancing.enhance()
    settle(qtbot, session)
    session.labelling.set_span(0, 4)
    assert session.opened.enhanced.stale
    session.enhancing.enhance()
    settle(qtbot, session)
    assert session.opened.enhanced.frames == 5 and not session.opened.enhanced.stale


@pytest.mark.parametrize("count", [0, 1])
def test_what_is_missing_is_said(session, count):
    told = []
    session.said.connect(told.append)
    if count:
        session.labelling.place(10.0, 10.0)
        session.labelling.cancel_tracking()
    session.enhancing.enhance()
    assert len(told) == 1 and "Two tracks are needed" in told[0]
    assert session.opened.enhanced is None and not session.look.now.enhanced


def test_markers_that_are_never_seen_together_are_said(qtbot, session):
    add_markers(session, frames=range(0))
    told = []
    session.failed.connect(told.append)
    session.enhancing.enhance()
    qtbot.waitUntil(lambda: bool(told))
    assert told == ["No frame of the span has both markers: track them first."]
    assert session.enhancing.share is None


def test_two_tracks_of_one_marker_are_said(session):
    tracks = add_markers(session)
    way = marker_way(session.opened.labels, (tracks[0].id, tracks[0].id), (0, 3))
    with pytest.raises(Exception, match="lie on one marker"):
        enhance(session.opened.sequence, way, lambda: False, lambda _: None)


def test_stopped_it_stays_as_it_was(qtbot, session):
    add_markers(session)
    session.enhancing.enhance()
    session.enhancing.stop()
    assert session.enhancing.share is None
    qtbot.wait(50)
    assert session.opened.enhanced is None


def test_balloon_markers_come_before_other_tracks(session):
    others = add_markers(session, kind=TrackKind.OTHER)
    tracks = session.opened.labels.tracks
    assert chosen_markers(tracks, None) == (others[0].id, others[1].id)
    pair = add_markers(session)
    tracks = session.opened.labels.tracks
    assert chosen_markers(tracks, others[0]) == (pair[0].id, pair[1].id)
    more = add_markers(session)
    tracks = session.opened.labels.tracks
    assert chosen_markers(tracks, pair[1]) == (pair[1].id, more[0].id)
    assert chosen_markers(tracks, more[1]) == (more[1].id, pair[0].id)


def test_it_stays_while_the_run_is_open_and_is_no_longer_shown_when_switched_off(qtbot, session):
    add_markers(session)
    session.enhancing.toggle()  # makes it
    settle(qtbot, session)
    opened = session.opened
    assert session.enhancing.shown
    session.enhancing.toggle()
    assert not session.enhancing.shown and opened.enhanced is not None
    session.set_places(2)
    session.activate(1)
    assert session.opened is None and opened.enhanced is not None
    session.activate(0)
    session.enhancing.toggle()
    assert session.enhancing.shown and session.enhancing.share is None


def test_a_proposed_pair_is_two_tracks_that_are_tracked_and_undone_together(
    qtbot, session, engines
):
    engines[0].gate.clear()
    session.playback.seek(6)
    session.enhancing.propose()
    qtbot.waitUntil(lambda: len(session.opened.labels.tracks) == 2)
    tracks = session.opened.labels.tracks
    assert {track.kind for track in tracks} == {TrackKind.BALLOON_MARKER}
    assert [track.name for track in tracks] == ["marker", "marker 2"]
    found = np.array([[track.points[6].x, track.points[6].y] for track in tracks])
    found = found[np.argsort(found[:, 0])]
    assert np.abs(found - markers(6)).max() < 1.0
    assert set(session.opened.labels.pending) == {track.id for track in tracks}
    engines[0].gate.set()
    qtbot.waitUntil(lambda: not session.opened.labels.pending, timeout=20000)
    assert all(len(track.points) == COUNT for track in session.opened.labels.tracks)
    session.labelling.undo()
    assert not session.opened.labels.tracks


def test_asked_again_another_pair_is_proposed(qtbot, make_session, tmp_path):
    y, x = np.mgrid[:SIDE, :SIDE]
    dots = sum(
        np.exp(-((x - at) ** 2 + (y - down) ** 2) / 6)
        for at, down in ((30, 30), (60, 34), (42, 62))
    )
    np.save(tmp_path / "dots.npy", np.repeat((150 - 90 * dots).astype(np.uint8)[None], 6, axis=0))
    session = make_session(tmp_path / "dots.npy")
    told, places = [], []
    session.enhancing.said.connect(told.append)
    for asked in (1, 2, 3, 4, 5, 6):
        session.enhancing.propose()
        qtbot.waitUntil(lambda asked=asked: len(told) == asked)
        pair = session.opened.labels.tracks[-2:]
        places.append({(round(t.points[0].x), round(t.points[0].y)) for t in pair})
        session.labelling.undo()
    assert [text.split(";")[0] for text in told] == [f"Pair {n} of 5" for n in (1, 2, 3, 4, 5, 1)]
    assert places[0] == places[5]
    assert len({frozenset(pair) for pair in places}) == 5
    session.playback.seek(3)  # where it begins anew
    session.enhancing.propose()
    qtbot.waitUntil(lambda: len(told) == 7)
    assert told[-1].startswith("Pair 1 of 5")


def test_where_no_pair_shows_it_is_said(qtbot, make_session, tmp_path):
    np.save(tmp_path / "flat.npy", np.full((4, 64, 64), 90, np.uint8))
    session = make_session(tmp_path / "flat.npy")
    told = []
    session.said.connect(told.append)
    session.enhancing.propose()
    qtbot.waitUntil(lambda: bool(told))
    assert told == ["No pair of markers stands out here; click both in Label (R)."]


def test_labels_that_are_locked_get_no_markers(qtbot, session):
    session.labelling.toggle_lock()
    told = []
    session.said.connect(told.append)
    session.enhancing.propose()
    qtbot.waitUntil(lambda: bool(told))
    assert told == ["The labels are locked; press K to unlock them."]
    assert not session.opened.labels.tracks


def test_a_run_left_meanwhile_gets_no_markers_and_no_picture(qtbot, session):
    add_markers(session)
    opened = session.opened
    session.set_places(2)
    session.enhancing.propose()
    session.enhancing.enhance()
    session.activate(1)
    qtbot.wait(100)
    assert len(opened.labels.tracks) == 2 and opened.enhanced is None


def test_it_comes_back_with_a_key_image(session):
    session.look.change(enhanced=True)
    run, now = session.opened.run, session.look.now
    assert look_from(view_of(now, run), run, session.look.of_run(session.opened)).enhanced


def test_a_frame_is_as_sure_as_the_less_sure_of_its_markers(session):
    first, second = add_markers(session, frames=())
    labels = session.opened.labels
    for track, sure in ((first, (0.9, 0.4, None)), (second, (0.6, 0.8, None))):
        points = {
            f: TrackPoint(f, 5.0, 6.0, source=PointSource.TRACKED, confidence=c)
            for f, c in enumerate(sure)
        }
        session.labelling.remove_track(track.id)
        session.labelling.apply(add_track(replace(track, points=points)))
    way = marker_way(labels, (first.id, second.id), (0, 3))
    np.testing.assert_array_equal(way.confidence, [0.6, 0.4, 1.0, 1.0])
    assert np.isnan(way.pairs[3]).all() and np.isfinite(way.pairs[:3]).all()
