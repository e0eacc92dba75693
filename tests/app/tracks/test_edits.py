from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from app.tracks.edits import (
    Edit,
    EditError,
    PointChange,
    add_track,
    change_track,
    confirm,
    delete_points,
    interpolate_span,
    new_track,
    place_point,
    put_tracked,
    remove_track,
    set_state,
)
from app.tracks.labels import Labels
from app.tracks.track import PointSource, PointState, Track, TrackKind, TrackPoint, emptied_frame


@pytest.fixture
def labels() -> Labels:
    """One track, clicked on frames 10, 20 and 30, tracked from 11 to 19."""
    labels = Labels(40)
    labels.apply(add_track(new_track(())))
    for frame, x, y in ((10, 100.0, 50.0), (20, 120.0, 70.0), (30, 110.0, 40.0)):
        labels.apply(place_point(only(labels), frame, x, y))
    answers = [answer(f, 99.0 + f, 40.0 + f, confidence=0.4 + f / 100) for f in range(11, 20)]
    labels.apply(put_tracked(only(labels), answers))
    return labels


def only(labels: Labels) -> Track:
    (track,) = labels.tracks
    return track


def answer(frame, x, y, state="visible", confidence=0.9):
    return SimpleNamespace(frame=frame, x=x, y=y, state=state, confidence=confidence)


def test_an_edit_changes_nothing_until_it_is_applied(labels):
    before = only(labels)
    edit = place_point(before, 5, 1, 2)
    assert only(labels) is before
    labels.apply(edit)
    assert only(labels).points[5] == TrackPoint(5, 1.0, 2.0)
    assert before.points.get(5) is None


def test_a_click_is_held_and_has_no_confidence(labels):
    labels.apply(place_point(only(labels), 15, 3.5, 4.5))
    point = only(labels).points[15]
    assert point.held
    assert point.confidence is None


def test_the_network_never_moves_a_held_point(labels):
    edit = put_tracked(only(labels), [answer(f, 0.0, 0.0) for f in range(40)])
    assert {10, 20, 30}.isdisjoint(c.frame for c in edit.changes if isinstance(c, PointChange))
    labels.apply(edit)
    assert (only(labels).points[20].x, only(labels).points[20].y) == (120.0, 70.0)
    assert only(labels).points[19].x == 0.0


def test_the_networks_absent_has_no_position_and_confidence_stays_in_range(labels):
    labels.apply(put_tracked(only(labels), [answer(5, 3.0, 4.0, "absent", 1.2)]))
    assert only(labels).points[5] == TrackPoint(
        5, None, None, PointState.ABSENT, PointSource.TRACKED, 1.0
    )


def test_delete_on_one_frame_empties_it_and_leaves_the_others(labels):
    before = dict(only(labels).points)
    labels.apply(delete_points(only(labels), 15))
    assert only(labels).points == before | {15: emptied_frame(15)}
    assert 15 not in [point.frame for point in only(labels).marked_points]


def test_the_network_fills_an_emptied_frame_only_where_a_person_asked(labels):
    labels.apply(delete_points(only(labels), 15))
    assert put_tracked(only(labels), [answer(15, 1.0, 2.0)]).changes == ()
    labels.apply(put_tracked(only(labels), [answer(15, 1.0, 2.0)], forced=True))
    assert only(labels).points[15].x == 1.0


def test_delete_where_there_is_nothing_changes_nothing(labels):
    assert delete_points(only(labels), 35, 38).changes == ()
    labels.apply(delete_points(only(labels), 15))
    assert delete_points(only(labels), 15).changes == ()


def test_a_state_alone_keeps_place_source_and_confidence(labels):
    tracked = only(labels).points[15]
    labels.apply(set_state(only(labels), 15, None, PointState.OCCLUDED))
    assert only(labels).points[15] == replace(tracked, state=PointState.OCCLUDED, confirmed=True)
    labels.apply(set_state(only(labels), 15, None, PointState.ABSENT))
    absent = only(labels).points[15]
    assert (absent.x, absent.y, absent.state) == (None, None, PointState.ABSENT)
    assert absent.held


def test_occluded_span_over_empty_frames_lies_between_the_neighbours(labels):
    labels.apply(set_state(only(labels), 28, 22, PointState.OCCLUDED))
    span = [only(labels).points[f] for f in range(22, 29)]
    assert [p.frame for p in span] == list(range(22, 29))
    assert {(p.source, p.confirmed) for p in span} == {(PointSource.INTERPOLATED, True)}
    assert span[3].x == pytest.approx(115.0)
    assert span[3].y == pytest.approx(55.0)


def test_occluded_needs_a_position_somewhere():
    with pytest.raises(EditError, match="at least one frame"):
        set_state(new_track(()), 3, None, PointState.OCCLUDED)


def test_visible_again_where_no_position_was_known_lies_between_the_neighbours(labels):
    labels.apply(set_state(only(labels), 12, None, PointState.ABSENT))
    labels.apply(set_state(only(labels), 12, 13, PointState.VISIBLE))
    assert only(labels).points[12].source is PointSource.INTERPOLATED
    assert only(labels).points[12].x == pytest.approx(111.0)
    assert only(labels).points[13].source is PointSource.TRACKED
    assert only(labels).points[12].held
    assert only(labels).points[13].held


def test_a_confirmed_point_keeps_source_place_and_confidence_and_is_held(labels):
    tracked = only(labels).points[15]
    assert not tracked.held
    labels.apply(confirm(only(labels), 15))
    assert only(labels).points[15] == replace(tracked, confirmed=True)
    with pytest.raises(EditError):
        confirm(only(labels), 39)
    assert put_tracked(only(labels), [answer(15, 0.0, 0.0)]).changes == ()


def test_confirmed_is_never_doubtful():
    point = TrackPoint(3, 1.0, 2.0, source=PointSource.TRACKED, confidence=0.1)
    assert point.doubtful
    assert not replace(point, confirmed=True).doubtful


def test_what_is_as_it_was_is_no_change(labels):
    track = only(labels)
    point = track.points[10]
    assert place_point(track, 10, point.x, point.y).changes == ()
    assert confirm(track, 10).changes == ()
    assert set_state(track, 10, None, PointState.VISIBLE).changes == ()
    assert labels.apply(confirm(track, 10)) is None


def test_what_tracking_moves_by_more_than_a_pixel_is_marked(labels):
    here = {frame: only(labels).points[frame] for frame in (11, 12, 13)}
    answers = [
        answer(11, here[11].x + 0.9, here[11].y),
        answer(12, here[12].x + 1.1, here[12].y),
        answer(13, here[13].x, here[13].y, "occluded"),
        answer(35, 5.0, 5.0),
    ]
    labels.apply(put_tracked(only(labels), answers))
    assert labels.moved_frames(only(labels).id) == (12, 13)
    labels.apply(confirm(only(labels), 12))
    labels.see(only(labels).id, 13)
    assert labels.moved_frames(only(labels).id) == ()


def test_what_is_marked_stays_so_until_it_is_seen(labels):
    here = only(labels).points[12]
    for step in (5.0, 5.5):
        labels.apply(put_tracked(only(labels), [answer(12, here.x + step, here.y)]))
    assert labels.moved_frames(only(labels).id) == (12,)


def test_answers_name_the_weights_of_the_track(labels):
    labels.apply(put_tracked(only(labels), [answer(35, 5.0, 5.0)], weights="tiny 6"))
    assert only(labels).weights == "tiny 6"
    labels.undo()
    assert only(labels).weights == ""


@pytest.mark.parametrize(
    ("name", "clean"),
    [("left\udcff tip", "left tip"), ("a\0b\nc", "a b c"), ("x" * 5000, "x" * 200)],
)
def test_names_are_mended_on_the_way_in(labels, name, clean):
    assert new_track(labels.tracks, name).name == clean
    labels.apply(change_track(only(labels), name=name))
    assert only(labels).name == clean


def test_a_name_of_nothing_is_refused(labels):
    with pytest.raises(EditError):
        change_track(only(labels), name="\udc80 \0")


def test_linear_interpolation_between_clicks(labels):
    labels.apply(interpolate_span(only(labels), 0, 39))
    points = only(labels).points
    assert set(points) == set(range(10, 31))
    assert (points[15].x, points[15].y) == (110.0, 60.0)
    assert points[15].source is PointSource.INTERPOLATED
    assert points[20].source is PointSource.CLICKED


def test_cubic_interpolation_follows_a_parabola_and_holds_the_clicks():
    track = new_track(())
    labels = Labels(40)
    labels.apply(add_track(track))
    for frame in (0, 8, 20, 30, 39):
        labels.apply(place_point(only(labels), frame, 2.0 * frame, 0.1 * frame**2))
    labels.apply(interpolate_span(only(labels), 0, 39, "cubic"))
    point = only(labels).points[14]
    assert point.x == pytest.approx(28.0)
    assert point.y == pytest.approx(0.1 * 14**2)  # inner tangents are exact for a parabola


def test_interpolated_between_occluded_neighbours_is_occluded(labels):
    labels.apply(set_state(only(labels), 20, None, PointState.OCCLUDED))
    labels.apply(set_state(only(labels), 30, None, PointState.OCCLUDED))
    labels.apply(interpolate_span(only(labels), 15, 25))
    assert only(labels).points[15].state is PointState.VISIBLE
    assert only(labels).points[25].state is PointState.OCCLUDED


def test_interpolation_needs_two_sides(labels):
    with pytest.raises(EditError, match="before and after"):
        interpolate_span(only(labels), 31, 39)


def test_clear_span_clears_exactly_the_span(labels):
    labels.apply(delete_points(only(labels), 10, 14))
    assert [point.frame for point in only(labels).marked_points] == [15, 16, 17, 18, 19, 20, 30]


def test_remove_and_undo_bring_back_the_track_in_its_place(labels):
    labels.apply(add_track(new_track(labels.tracks, kind=TrackKind.BALLOON_MARKER)))
    before = labels.tracks
    labels.apply(remove_track(before[0]))
    assert labels.tracks == before[1:]
    labels.undo()
    assert labels.tracks == before


def test_new_tracks_get_free_names_and_other_colours(labels):
    first = only(labels)
    second = new_track(labels.tracks)
    assert second.name == "catheter tip 2"
    assert second.color != first.color


def test_rename_kind_and_colour(labels):
    labels.apply(change_track(only(labels), name="left"))
    labels.apply(change_track(only(labels), kind=TrackKind.OTHER))
    labels.apply(change_track(only(labels), color="#000000"))
    track = only(labels)
    assert (track.name, track.kind, track.color) == ("left", TrackKind.OTHER, "#000000")
    assert len(track.points) == 12


def test_an_edit_inverts_exactly(labels):
    edit = interpolate_span(only(labels), 0, 39)
    assert edit.inverted().inverted() == edit
    before = labels.tracks
    labels.apply(edit)
    labels.apply(edit.inverted())
    assert labels.tracks == before


def test_an_edit_of_the_same_point_twice_is_refused(labels):
    changes = place_point(only(labels), 5, 1, 2).changes
    with pytest.raises(ValueError, match="once"):
        Edit("twice", changes + changes)


def test_positions_must_be_finite(labels):
    with pytest.raises(ValueError, match="finite"):
        place_point(only(labels), 5, float("nan"), 2)
