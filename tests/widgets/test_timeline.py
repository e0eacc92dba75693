import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from widgets.theme import DARK, LIGHT
from widgets.timeline.frame_axis import cell_edges, frame_at
from widgets.timeline.timeline import Timeline
from widgets.timeline.track_strip import FrameState, TrackStrip, strip_pixels

FRAMES = 50


def strip(track_id="a", state=FrameState.TRACKED, confidence=0.9, frames=FRAMES):
    return TrackStrip(
        track_id,
        f"Track {track_id}",
        "#ffb000",
        np.full(frames, state, np.uint8),
        np.full(frames, confidence, np.float32),
    )


@pytest.fixture
def timeline(qtbot):
    widget = Timeline()
    qtbot.addWidget(widget)
    widget.resize(800, 200)
    widget.set_frames(np.arange(FRAMES) * 66.7)
    widget.set_tracks([strip("a"), strip("b")])
    widget.frame_requested.connect(widget.set_frame)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def at(timeline, frame, track_id=None):
    """Where the mouse goes for this frame: on a track's strip, else on the ruler."""
    y = 5 if track_id is None else timeline._strip_area(track_id).center().y()
    return QPoint(round(timeline._axis.x_of_frame(frame)), y)


def test_click_on_a_strip_goes_to_the_frame_and_picks_the_track(timeline, qtbot):
    told = []
    timeline.frame_requested.connect(told.append)
    timeline.track_picked.connect(told.append)
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=at(timeline, 31, track_id="b"))
    assert told == ["b", 31]


def test_dragging_the_playhead_asks_for_each_frame_once(timeline, qtbot):
    asked = []
    timeline.frame_requested.connect(asked.append)
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=at(timeline, 10))
    for frame in (11, 11, 12, 40):
        qtbot.mouseMove(timeline, at(timeline, frame))
    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=at(timeline, 40))
    assert asked == [10, 11, 12, 40]
    assert timeline.frame == 40


def test_dragging_outside_stays_within_the_run(timeline, qtbot):
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=at(timeline, 10))
    qtbot.mouseMove(timeline, QPoint(-500, 5))
    assert timeline.frame == 0
    qtbot.mouseMove(timeline, QPoint(5000, 5))
    assert timeline.frame == FRAMES - 1


def test_shift_drag_marks_a_span_either_way_and_leaves_the_playhead(timeline, qtbot):
    shift = Qt.KeyboardModifier.ShiftModifier
    with qtbot.waitSignal(timeline.span_selected) as got:
        qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, shift, at(timeline, 30))
        qtbot.mouseMove(timeline, at(timeline, 12))
        qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, shift, at(timeline, 12))
    assert got.args == [12, 30]
    assert timeline.span == (12, 30)
    assert timeline.frame == 0


def test_uneven_frame_times_are_spaced_by_time_or_by_number(timeline):
    timeline.set_frames(np.array([0.0, 100.0, 200.0, 1000.0]))
    gaps = np.diff([timeline._axis.x_of_frame(i) for i in range(4)])
    assert gaps[2] > 3 * gaps[0]
    timeline.set_by_time(False)
    assert np.ptp(np.diff([timeline._axis.x_of_frame(i) for i in range(4)])) < 1e-6


def test_a_single_frame_and_no_frames_can_be_drawn_and_clicked(qtbot):
    widget = Timeline()
    qtbot.addWidget(widget)
    widget.resize(300, 60)
    assert not widget.grab().isNull()
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(100, 5))
    widget.set_frames(np.zeros(1))
    assert not widget.grab().isNull()
    with qtbot.waitSignal(widget.frame_requested) as got:
        qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(100, 5))
    assert got.args == [0]


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("height", [7, 14])
def test_all_states_are_drawn_differently_without_colour_too(theme, height):
    columns = np.repeat(np.arange(FRAMES), 4)
    pictures = {s: strip_pixels(columns, strip(state=s), height, 1.0, theme) for s in FrameState}
    ground = pictures[FrameState.EMPTY][0, 0]
    inked = {s: (p != ground).tobytes() for s, p in pictures.items()}
    assert len(set(inked.values())) == len(FrameState)
    seen = {s: p[p != ground] for s, p in pictures.items()}
    colors = {s: p[0] for s, p in seen.items() if len(p)}
    own = (FrameState.TRACKED, FrameState.INTERPOLATED)
    assert len({c for s, c in colors.items() if s not in own}) == len(colors) - 2


def test_less_confidence_is_paler():
    columns = np.arange(FRAMES)
    sure, unsure = (
        strip_pixels(columns, strip(confidence=c), 8, 1.0, DARK)[4, 0] for c in (1.0, 0.2)
    )
    assert (sure >> 16) & 255 > (unsure >> 16) & 255


def test_one_edited_frame_of_two_thousand_stays_visible():
    many = strip(frames=2000)
    many.states[777] = FrameState.EDITED
    columns = np.arange(500) * 4
    picture = strip_pixels(columns, many, 8, 1.0, DARK)
    text = np.uint32(int("ff" + DARK.text[1:], 16))
    assert np.count_nonzero((picture == text).all(axis=0)) == 3


def test_updated_states_change_only_their_strip(timeline):
    before = timeline.grab().toImage()
    timeline.update_states(
        "a", np.array([3]), np.array([FrameState.EDITED], np.uint8), np.array([np.nan], np.float32)
    )
    after = timeline.grab().toImage()
    for track_id, changed in (("a", True), ("b", False)):
        area = timeline._strip_area(track_id)
        assert (before.copy(area) != after.copy(area)) is changed
    tip = timeline.describe(at(timeline, 3, track_id="a"))
    assert "Frame 4 of 50" in tip and "0.200 s" in tip and "edited" in tip
    assert "confidence" not in tip
    assert "confidence 0.90" in timeline.describe(at(timeline, 4, track_id="a"))


def test_moving_the_playhead_leaves_the_kept_picture_alone(timeline):
    timeline.grab()
    kept = timeline._picture.cacheKey()
    timeline.set_frame(20)
    timeline.grab()
    assert timeline._picture.cacheKey() == kept


def test_progress_and_r_waves_are_seen(timeline):
    pictures = [timeline.grab().toImage()]
    done = np.zeros(FRAMES, bool)
    done[:20] = True
    for change in (
        lambda: timeline.set_buffered(done),
        lambda: timeline.set_denoised(done),
        lambda: timeline.set_r_waves([500.0, 1300.0]),
        lambda: timeline.select_track("b"),
        lambda: timeline.set_theme(LIGHT),
    ):
        change()
        pictures.append(timeline.grab().toImage())
        assert pictures[-1] != pictures[-2]


def test_cells_reach_half_way_to_the_neighbours():
    edges = cell_edges(np.array([0.0, 10.0, 40.0]))
    assert edges.tolist() == [-5.0, 5.0, 25.0, 55.0]
    assert [frame_at(edges, x) for x in (-99.0, 4.9, 5.1, 30.0, 99.0)] == [0, 0, 1, 2, 2]
