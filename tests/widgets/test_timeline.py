import re
from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QByteArray, QPoint, Qt
from PySide6.QtGui import QImage, QTextDocument

from widgets.point_look import FrameLooks, PointLook
from widgets.theme import DARK, LIGHT
from widgets.timeline.frame_axis import FrameAxis, cell_edges, frame_at
from widgets.timeline.legend import legend_html
from widgets.timeline.timeline import Timeline
from widgets.timeline.track_strip import TrackStrip, strip_pixels

FRAMES = 50


def strip(track_id="a", look=PointLook.TRACKED, confidence=0.9, frames=FRAMES, mark=""):
    shown = FrameLooks.empty(frames)
    shown.looks[:], shown.confidence[:] = look, confidence
    if mark:
        getattr(shown, mark)[:] = True
    return TrackStrip(track_id, f"Track {track_id}", "#ffb000", shown)


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


def test_uneven_frame_times_are_spaced_by_time():
    times_ms = np.array([0.0, 100.0, 200.0, 1000.0])
    axis = FrameAxis(times_ms, 10.0, 500.0)
    gaps = np.diff([axis.x_of_frame(i) for i in range(4)])
    assert gaps[2] == pytest.approx(8 * gaps[0])
    assert [axis.frame_at(axis.x_of_frame(i)) for i in range(4)] == [0, 1, 2, 3]
    assert axis.x_of_times(times_ms).tolist() == [axis.x_of_frame(i) for i in range(4)]
    assert axis.x_of_time(600.0) == pytest.approx(np.mean([axis.x_of_frame(i) for i in (2, 3)]))


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
def test_all_looks_and_marks_are_drawn_differently_without_colour_too(theme, height):
    columns = np.repeat(np.arange(FRAMES), 4)
    looks = {look: strip(look=look) for look in PointLook}
    looks["emptied"] = strip(look=PointLook.EMPTY, confidence=np.nan, mark="emptied")
    pictures = {k: strip_pixels(columns, s, height, 1.0, theme) for k, s in looks.items()}
    ground = pictures[PointLook.EMPTY][0, 0]
    inked = {k: (p != ground).tobytes() for k, p in pictures.items()}
    assert len(set(inked.values())) == len(looks)
    seen = {k: p[p != ground] for k, p in pictures.items()}
    colors = {k: p[0] for k, p in seen.items() if len(p)}
    shared = (PointLook.TRACKED, PointLook.INTERPOLATED, PointLook.CONFIRMED, "emptied")
    assert len({c for k, c in colors.items() if k not in shared}) == len(colors) - len(shared)
    for look in PointLook:
        plain = pictures[look]
        for mark in ("moved", "stale"):
            marked = strip_pixels(columns, strip(look=look, mark=mark), height, 1.0, theme)
            assert (marked != plain).any()
            assert (marked[2:-2] == plain[2:-2]).all()  # the look stays readable below the mark


def test_less_confidence_is_paler():
    columns = np.arange(FRAMES)
    sure, unsure = (
        strip_pixels(columns, strip(confidence=c), 8, 1.0, DARK)[4, 0] for c in (1.0, 0.2)
    )
    assert (sure >> 16) & 255 > (unsure >> 16) & 255


def test_one_clicked_frame_of_two_thousand_stays_visible():
    many = strip(frames=2000)
    many.frames.looks[777] = PointLook.CLICKED
    columns = np.arange(500) * 4
    picture = strip_pixels(columns, many, 8, 1.0, DARK)
    text = np.uint32(int("ff" + DARK.text[1:], 16))
    assert np.count_nonzero((picture == text).all(axis=0)) == 3


def test_updated_frames_change_only_their_strip(timeline):
    before = timeline.grab().toImage()
    looks = FrameLooks.empty(1)
    looks.looks[:], looks.stale[:] = PointLook.CLICKED, True
    timeline.update_frames("a", np.array([3]), looks)
    after = timeline.grab().toImage()
    for track_id, changed in (("a", True), ("b", False)):
        area = timeline._strip_area(track_id)
        assert (before.copy(area) != after.copy(area)) is changed
    tip = timeline.describe(at(timeline, 3, track_id="a"))
    assert tip.splitlines() == [
        "Frame 4 of 50, 0.200 s",
        "Track a: placed by hand, tracking pending",
    ]
    assert "tracked, confidence 0.90" in timeline.describe(at(timeline, 4, track_id="a"))


def test_what_the_timeline_was_given_is_not_changed_by_updates(timeline):
    mine = strip("a")
    timeline.set_tracks([mine])
    timeline.update_frames("a", np.array([3]), FrameLooks.empty(1))
    assert mine.frames.looks[3] == PointLook.TRACKED


def test_the_height_stays_whatever_the_tracks(timeline):
    height = timeline.sizeHint().height()
    assert timeline.minimumSizeHint().height() == height
    for count in (0, 1, 3, 4, 5, 9, 20):
        timeline.set_tracks([strip(f"t{i}") for i in range(count)])
        for selected in (None, "t0"):
            timeline.select_track(selected)
            areas = [timeline._strip_area(f"t{i}") for i in range(count)]
            assert all(area.bottom() < height for area in areas)
            assert all(a.bottom() < b.top() for a, b in pairwise(areas))
            assert all(area.height() >= (7 if count <= 4 else 1) for area in areas)
    assert timeline.sizeHint().height() == height


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_the_legend_shows_a_sample_of_each_look_and_mark(qtbot, theme):
    document = QTextDocument()
    document.setHtml(legend_html(theme, "#ffb000"))
    text = document.toPlainText()
    for words in ("placed by hand", "confirmed", "doubtful", "moved by tracking", "deleted"):
        assert words in text
    samples = set(re.findall(r'src="(.+?)"', legend_html(theme, "#ffb000")))
    assert len(samples) == len(PointLook) - 1 + 3
    for sample in samples:
        data = QByteArray.fromBase64(sample.split(",")[1].encode())
        assert QImage.fromData(data).size().width() == 30


# The span


@pytest.mark.parametrize("span", [(20, 20), (5, 30), (0, 0), (49, 49)])
def test_a_span_is_named_and_its_cross_asks_to_drop_it(timeline, qtbot, span):
    plain = timeline.grab().toImage()
    timeline.set_span(span)
    mark = timeline._span_mark()
    marked = timeline.grab().toImage()
    for part in (mark.label, mark.first_grip, mark.last_grip):
        area = part.toRect() & timeline.rect()
        assert area.width() >= 5
        assert marked.copy(area) != plain.copy(area)
    assert timeline.rect().contains(mark.label.toAlignedRect())
    asked = []
    timeline.frame_requested.connect(asked.append)
    with qtbot.waitSignal(timeline.span_dropped):
        qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=mark.close.center().toPoint())
    assert asked == []
    timeline.set_span(None)
    assert timeline.grab().toImage() == plain


def test_the_label_names_the_frames_from_one_and_has_room_for_it(timeline):
    timeline.set_span((4, 4))
    assert timeline._span_mark().text == "frame 5"
    timeline.set_span((9, 11))
    mark = timeline._span_mark()
    assert mark.text == "frames 10–12"
    words = timeline.fontMetrics().horizontalAdvance(mark.text)
    assert words <= mark.close.left() - mark.label.left()


def test_dragging_a_grip_moves_that_end_and_the_other_one_stays(timeline, qtbot):
    timeline.set_span((10, 20))
    timeline.span_selected.connect(lambda *span: timeline.set_span(span))
    grip = timeline._span_mark().last_grip.center().toPoint()
    with qtbot.waitSignal(timeline.span_selected) as got:
        qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=grip)
        qtbot.mouseMove(timeline, at(timeline, 33))
        qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=at(timeline, 33))
    assert got.args == [10, 33]
    grip = timeline._span_mark().first_grip.center().toPoint()
    with qtbot.waitSignal(timeline.span_selected) as got:
        qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=grip)
        qtbot.mouseMove(timeline, at(timeline, 2))
        qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=at(timeline, 2))
    assert got.args == [2, 33]


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
