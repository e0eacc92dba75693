from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from app.tracks.edits import (
    EditError,
    add_track,
    delete_points,
    new_track,
    place_point,
    put_tracked,
    remove_track,
)
from app.tracks.history import Pending
from app.tracks.labels import Labels

from .conftest import FRAMES, network_answers, random_gesture


@pytest.fixture
def labels() -> Labels:
    labels = Labels(FRAMES)
    labels.apply(add_track(new_track(())))
    return labels


def tip(labels: Labels):
    return labels.tracks[0]


def tracked(labels, frames, confidence=0.9):
    answers = network_answers(random.Random(1), frames)
    for answer in answers:
        answer.confidence = confidence
    return put_tracked(tip(labels), answers).changes


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=strategies.integers(0, 2**32))
def test_undo_to_the_start_and_redo_to_the_end_are_exact(seed):
    rng = random.Random(seed)
    labels = Labels(FRAMES)
    for _ in range(60):
        random_gesture(rng, labels)
    end, depth = labels.tracks, 0
    seen = [labels.tracks]
    while labels.can_undo:
        labels.undo()
        seen.append(labels.tracks)
        depth += 1
    assert labels.tracks == ()
    for expected in reversed(seen[:depth]):
        labels.redo()
        assert labels.tracks == expected
    assert labels.tracks == end


@pytest.mark.parametrize("seed", range(10))
def test_the_look_ups_agree_with_the_points(seed):
    rng = random.Random(seed)
    labels = Labels(FRAMES)
    for _ in range(40):
        random_gesture(rng, labels)
    for track in labels.tracks:
        held = sorted(f for f, p in track.points.items() if p.held and not p.emptied)
        doubtful = tuple(sorted(f for f, p in track.points.items() if p.doubtful))
        assert labels.doubtful_frames(track.id) == doubtful
        for frame in range(FRAMES):
            before, after = labels.held_neighbours(track.id, frame)
            assert before == max((f for f in held if f < frame), default=None)
            assert after == min((f for f in held if f > frame), default=None)
            anchors = labels.held_points(track.id, frame, frame + 7)
            assert [p.frame for p in anchors] == [f for f in held if frame <= f <= frame + 7]


def test_what_the_network_answers_is_undone_with_the_click_that_asked(labels):
    before = labels.tracks
    step = labels.apply(place_point(tip(labels), 5, 1, 2))
    assert labels.extend(step, tracked(labels, range(0, 5))) == 5
    assert labels.extend(step, tracked(labels, range(6, 12))) == 6
    after = labels.tracks
    assert labels.undo_label.startswith("Place")
    labels.undo()
    assert labels.tracks == before
    labels.redo()
    assert labels.tracks == after


def test_late_answers_to_an_undone_click_are_refused(labels):
    step = labels.apply(place_point(tip(labels), 5, 1, 2))
    late = tracked(labels, range(6, 12))
    labels.undo()
    before = labels.tracks
    assert labels.extend(step, late) == 0
    assert labels.tracks == before
    assert labels.can_redo


def test_answers_after_a_later_gesture_keep_both_undoable(labels):
    step = labels.apply(place_point(tip(labels), 5, 1, 2))
    labels.extend(step, tracked(labels, range(6, 12)))
    labels.apply(delete_points(tip(labels), 8, 9))
    cleared = labels.tracks
    assert labels.extend(step, tracked(labels, range(6, 15), 0.6)) == 7  # not 8 and 9
    assert labels.point(tip(labels).id, 8).emptied
    labels.undo()
    assert not labels.point(tip(labels).id, 8).emptied
    labels.undo()
    assert not tip(labels).points
    labels.redo()
    labels.redo()
    assert [f for f in tip(labels).points if f not in cleared[0].points] == [12, 13, 14]


def test_answers_never_move_a_click_even_a_later_one(labels):
    step = labels.await_step("Track both ways")
    stale = tracked(labels, range(0, 10))
    labels.apply(place_point(tip(labels), 5, 1, 2))
    labels.extend(step, [c for c in stale if c.frame != 5])
    assert labels.point(tip(labels).id, 5).x == 1
    assert (
        labels.extend(step, [c.inverted() for c in place_point(tip(labels), 5, 3, 4).changes]) == 0
    )


def test_answers_for_a_deleted_track_are_refused(labels):
    step = labels.apply(place_point(tip(labels), 5, 1, 2))
    late = tracked(labels, range(6, 12))
    labels.apply(remove_track(tip(labels)))
    assert labels.extend(step, late) == 0
    labels.undo()
    assert labels.extend(step, late) == 0  # redo deletes the track as it was
    labels.redo()
    assert labels.tracks == ()


def test_a_new_gesture_forgets_what_was_undone(labels):
    labels.apply(place_point(tip(labels), 5, 1, 2))
    labels.undo()
    labels.apply(place_point(tip(labels), 6, 1, 2))
    assert not labels.can_redo
    assert labels.redo() is None


def test_a_stale_edit_is_refused_in_a_sentence(labels):
    stale = place_point(tip(labels), 5, 1, 2)
    labels.apply(place_point(tip(labels), 5, 8, 8))
    with pytest.raises(EditError, match="changed since"):
        labels.apply(stale)
    labels.apply(remove_track(tip(labels)))
    with pytest.raises(EditError, match="deleted"):
        labels.apply(stale)
    assert labels.undo_label.startswith("Delete track")


def test_undo_with_nothing_to_undo():
    labels = Labels(FRAMES)
    assert labels.undo() is None
    assert not labels.can_undo


def test_doubtful_frames_in_order_and_worst_first(labels):
    answers = network_answers(random.Random(0), range(0, 10))
    for answer, confidence in zip(
        answers, (0.9, 0.4, 0.9, 0.1, 0.3, 0.9, 0.9, 0.9, 0.2, 0.9), strict=True
    ):
        answer.confidence = confidence
    labels.apply(put_tracked(tip(labels), answers))
    ask = labels.next_doubtful
    name = tip(labels).id
    assert labels.doubtful_frames(name) == (1, 3, 4, 8)
    assert [ask(name, f) for f in (0, 1, 3, 4, 8, 39)] == [1, 3, 4, 8, 1, 1]
    assert [ask(name, f, backward=True) for f in (0, 1, 3, 39)] == [8, 8, 1, 8]
    assert [ask(name, f, "worst") for f in (0, 3, 8, 4, 1)] == [3, 8, 4, 1, 3]
    assert ask(name, 8, "worst", backward=True) == 3
    labels.apply(place_point(tip(labels), 3, 1, 1))
    assert ask(name, 0, "worst") == 8
    labels.apply(delete_points(tip(labels), 0, 39))
    assert ask(name, 0) is None


def test_the_stretch_to_track_again_ends_at_the_neighbouring_corrections(labels):
    name = tip(labels).id
    assert labels.stretch(name, 5) == (0, FRAMES - 1)
    for frame in (3, 9, 20):
        labels.apply(place_point(tip(labels), frame, 1, 1))
    assert labels.stretch(name, 9) == (3, 20)
    assert labels.stretch(name, 12) == (9, 20)
    assert labels.stretch(name, 25) == (20, FRAMES - 1)


def test_listeners_hear_what_changed(labels):
    heard = []
    stop = labels.subscribe(heard.append)
    labels.apply(place_point(tip(labels), 5, 1, 2))
    labels.apply(delete_points(tip(labels), 5))
    name = tip(labels).id
    labels.apply(remove_track(tip(labels)))
    stop()
    labels.undo()
    assert [dict(change.frames) for change in heard] == [{name: {5}}, {name: {5}}, {name: {5}}]
    assert [change.tracks_changed for change in heard] == [False, False, True]


def test_a_reserved_step_enters_the_history_with_its_first_answer(labels):
    depth = labels.undo_label
    step = labels.await_step("Track again")
    assert labels.undo_label == depth
    labels.apply(place_point(tip(labels), 20, 1, 2))
    labels.extend(step, tracked(labels, range(0, 5)))
    assert labels.undo_label.startswith("Place")
    labels.undo()
    assert labels.undo_label == "Track again"
    labels.undo()
    assert labels.undo_label == depth


def test_an_undo_gives_a_reserved_step_up(labels):
    step = labels.await_step("Track again")
    labels.set_pending(tip(labels).id, Pending(tip(labels).id, 0, 9, step))
    labels.apply(place_point(tip(labels), 20, 1, 2))
    labels.undo()
    assert labels.extend(step, tracked(labels, range(0, 5))) == 0
    assert dict(labels.pending) == {}


def test_no_later_step_takes_the_number_of_an_undone_one(labels):
    first = labels.apply(place_point(tip(labels), 5, 1, 2))
    labels.undo()
    second = labels.apply(place_point(tip(labels), 6, 1, 2))
    assert second != first
    assert labels.extend(first, tracked(labels, range(7, 9))) == 0


def test_asked_frames_are_stale_until_they_are_answered(labels):
    name = tip(labels).id
    step = labels.apply(place_point(tip(labels), 5, 1, 2))
    labels.set_pending(name, Pending(name, 3, 8, step))
    stale = [frame for frame in range(FRAMES) if labels.stale(name, frame)]
    assert stale == [3, 4, 6, 7, 8]
    labels.extend(step, tracked(labels, range(6, 8)))
    assert [frame for frame in range(FRAMES) if labels.stale(name, frame)] == [3, 4, 8]
    labels.set_pending(name, None)
    assert not any(labels.stale(name, frame) for frame in range(FRAMES))


def test_emptied_frames_bound_nothing_and_are_no_anchors(labels):
    name = tip(labels).id
    labels.apply(place_point(tip(labels), 5, 1, 2))
    labels.apply(place_point(tip(labels), 15, 1, 2))
    labels.apply(delete_points(tip(labels), 15))
    assert labels.stretch(name, 5) == (0, FRAMES - 1)
    assert [point.frame for point in labels.held_points(name, 0, FRAMES - 1)] == [5]


def test_seen_frames_are_told_and_no_step(labels):
    name = tip(labels).id
    labels.apply(put_tracked(tip(labels), network_answers(random.Random(3), range(10))))
    labels.apply(put_tracked(tip(labels), network_answers(random.Random(4), range(10))))
    moved = labels.moved_frames(name)
    assert len(moved) > 1
    assert labels.next_to_see(name, moved[0]) == moved[1]
    heard, before = [], labels.undo_label
    labels.subscribe(heard.append)
    labels.see(name, moved[0])
    labels.see(name, moved[0])
    assert [dict(change.frames) for change in heard] == [{name: {moved[0]}}]
    assert labels.moved_frames(name) == moved[1:]
    assert labels.undo_label == before


def test_two_small_moves_of_one_step_are_one_large_move(labels):
    def answered(x):
        here = SimpleNamespace(frame=8, x=x, y=5.0, state="visible", confidence=0.9)
        return put_tracked(tip(labels), [here]).changes

    name = tip(labels).id
    labels.extend(labels.await_step("Track"), answered(10.0))
    step = labels.await_step("Track again")
    labels.extend(step, answered(10.7))
    assert labels.moved_frames(name) == ()
    labels.extend(step, answered(11.4))
    assert labels.moved_frames(name) == (8,)
    labels.extend(step, answered(10.1))  # and back again
    assert labels.moved_frames(name) == ()
