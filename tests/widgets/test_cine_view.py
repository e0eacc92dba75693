"""The picture area as its user meets it: where clicks land, what drags do, what the wipe shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, Qt
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from widgets.picture.cine_view import CineView
from widgets.picture.compare import FramePictures, PictureNames, ViewMode
from widgets.picture.corner_text import Corner, MessageKind
from widgets.picture.picture_tile import halved
from widgets.picture.track_overlay import OverlayPoint, TrackOverlay
from widgets.point_look import PointLook

LEFT = Qt.MouseButton.LeftButton
MIDDLE = Qt.MouseButton.MiddleButton
RIGHT = Qt.MouseButton.RightButton
NONE = Qt.MouseButton.NoButton


@pytest.fixture
def view(qtbot) -> Iterator[CineView]:
    view = CineView()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.show()
    qtbot.waitExposed(view)
    flat = np.full((200, 240), 90, np.uint8)
    view.set_frame(FramePictures(flat, flat + 100, flat - 60), 7)
    return view


def send(view, kind, position, button, buttons, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    globally = QPointF(view.viewport().mapToGlobal(position))
    event = QMouseEvent(kind, position, globally, button, buttons, modifiers)
    QApplication.sendEvent(view.viewport(), event)


def press(view, position, button=LEFT) -> None:
    send(view, QEvent.Type.MouseButtonPress, position, button, button)


def move(view, position, buttons=NONE) -> None:
    send(view, QEvent.Type.MouseMove, position, NONE, buttons)


def release(view, position, button=LEFT) -> None:
    send(view, QEvent.Type.MouseButtonRelease, position, button, NONE)


def click(view, position) -> None:
    press(view, position)
    release(view, position)


def drag(view, start, stop, button=LEFT) -> None:
    press(view, start, button)
    for part in (0.2, 0.5, 1.0):
        move(view, start + (stop - start) * part, button)
    release(view, stop, button)


def wheel(view, position, notches, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    event = QWheelEvent(
        position,
        QPointF(view.viewport().mapToGlobal(position)),
        QPoint(),
        QPoint(0, round(120 * notches)),
        NONE,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.viewport(), event)


def key(view, kind, code) -> QKeyEvent:
    event = QKeyEvent(kind, code, Qt.KeyboardModifier.NoModifier)
    event.ignore()
    QApplication.sendEvent(view, event)
    return event


def recorded(signal) -> list[tuple]:
    calls: list[tuple] = []
    signal.connect(lambda *values: calls.append(values))
    return calls


def grey(image: QImage, x: float, y: float) -> int:
    return image.pixelColor(round(x), round(y)).red()


def track(track_id="a", x=100.0, y=80.0, selected=True, look=PointLook.TRACKED) -> TrackOverlay:
    return TrackOverlay(track_id, f"Tip {track_id}", "#ffb000", selected, OverlayPoint(x, y, look))


# Clicks


@pytest.mark.parametrize("mode", list(ViewMode))
def test_click_means_the_image_point_under_it_however_zoomed_and_panned(view, mode) -> None:
    clicks = recorded(view.point_clicked)
    view.set_mode(mode)
    for notches, pan in ((0, QPointF()), (4, QPointF(31, -17)), (7, QPointF(-90, 55))):
        wheel(view, QPointF(211, 190), notches, Qt.KeyboardModifier.ControlModifier)
        drag(view, QPointF(150, 150), QPointF(150, 150) + pan, MIDDLE)
        x, y = view.image_point(QPointF(160, 170))
        x, y = x + 0.37, y - 0.21
        click(view, view.mouse_position(x, y))
        assert clicks[-1][1:3] == pytest.approx((x, y), abs=0.01)
    assert len(clicks) == 3


def test_click_on_a_screen_pixel_at_one_to_one_means_the_middle_of_an_image_pixel(view) -> None:
    view.one_to_one()
    assert view.zoom_percent == pytest.approx(100)
    x, y = view.image_point(QPointF(300, 200))
    assert (x % 1, y % 1) == (0, 0)
    picture = np.zeros((200, 240), np.uint8)
    picture[int(y), int(x)] = 255
    view.set_frame(FramePictures(picture), 7)
    view.one_to_one()
    assert grey(view.grab_picture(), 300, 200) == 255


def test_click_beside_the_picture_places_nothing(view) -> None:
    clicks = recorded(view.point_clicked)
    click(view, view.mouse_position(-3, 50))
    assert clicks == []


def test_locked_view_shows_that_it_is_and_tells_of_clicks_that_it_blocks(view) -> None:
    view.set_tracks((track(), track("b", 150, 80, selected=False)))
    clicks, blocked = recorded(view.point_clicked), recorded(view.blocked_click)
    dropped, picks = recorded(view.point_dropped), recorded(view.track_picked)
    plain, exported = view.grab().toImage(), view.grab_picture()
    view.set_locked("The labels are locked")
    assert view.grab().toImage() != plain
    assert view.grab_picture() == exported  # the lock is the window's, not the picture's
    click(view, view.mouse_position(50, 50))
    assert len(blocked) == 1
    grip, before = view.mouse_position(100, 80), view.image_point(QPointF())
    drag(view, grip, grip + QPointF(30, 0))
    assert len(blocked) == 2
    assert view.image_point(QPointF()) == before
    click(view, view.mouse_position(150, 80))
    assert (clicks, dropped, picks, len(blocked)) == ([], [], [("b",)], 2)
    move(view, view.mouse_position(50, 50))
    assert view.viewport().cursor().shape() is Qt.CursorShape.ForbiddenCursor
    view.set_locked("")
    click(view, view.mouse_position(50, 50))
    assert (len(clicks), len(blocked)) == (1, 2)
    move(view, view.mouse_position(50, 50))
    assert view.viewport().cursor().shape() is Qt.CursorShape.CrossCursor


def test_locking_gives_a_dragged_point_back(view) -> None:
    view.set_tracks((track(),))
    dropped, cancelled = recorded(view.point_dropped), recorded(view.point_drag_cancelled)
    grip = view.mouse_position(100, 80)
    press(view, grip)
    move(view, grip + QPointF(20, 0), LEFT)
    view.set_locked("locked")
    release(view, grip + QPointF(30, 0))
    assert (dropped, cancelled) == ([], [("a", 7)])


def test_quick_clicks_are_clicks_and_full_screen_is_left_to_the_surround(view) -> None:
    clicks, toggles = recorded(view.point_clicked), recorded(view.full_screen_toggled)
    on_picture = view.mouse_position(50, 50)
    send(view, QEvent.Type.MouseButtonDblClick, on_picture, LEFT, LEFT)
    release(view, on_picture)
    assert (len(clicks), len(toggles)) == (1, 0)
    send(view, QEvent.Type.MouseButtonDblClick, view.mouse_position(-10, 50), LEFT, LEFT)
    assert (len(clicks), len(toggles)) == (1, 1)


# Zoom and pan


def test_ctrl_wheel_keeps_the_point_under_the_mouse(view) -> None:
    position = view.mouse_position(70, 120)
    before = view.zoom_percent
    zooms = recorded(view.zoom_changed)
    wheel(view, position, 5, Qt.KeyboardModifier.ControlModifier)
    assert view.zoom_percent == pytest.approx(before * 1.2**5)
    assert zooms[-1][0] == pytest.approx(view.zoom_percent)
    assert view.image_point(position) == pytest.approx((70, 120), abs=1 / (view.zoom_percent / 100))


def test_fitted_picture_stays_fitted_and_a_zoomed_one_keeps_its_middle(view) -> None:
    view.resize(900, 700)
    assert view.zoom_percent == pytest.approx(100 * 700 / 200)
    view.zoom_to(1000)
    middle = view.image_point(QPointF(450, 350))
    view.resize(500, 500)
    assert view.zoom_percent == pytest.approx(1000)
    assert view.image_point(QPointF(250, 250)) == pytest.approx(middle, abs=0.2)


def test_pixels_that_are_not_square_are_drawn_in_their_proportions(view) -> None:
    view.set_pixel_aspect(1.2)
    assert view.zoom_percent == pytest.approx(100 * 480 / (200 * 1.2))
    corner, far = view.mouse_position(0, 0), view.mouse_position(100, 100)
    assert (far - corner).y() == pytest.approx(1.2 * (far - corner).x())
    assert view.image_point(far) == pytest.approx((100, 100), abs=0.01)


def test_dragging_beside_the_points_pans(view) -> None:
    clicks = recorded(view.point_clicked)
    start = view.mouse_position(100, 100)
    drag(view, start, start + QPointF(40, 30))
    assert view.image_point(start + QPointF(40, 30)) == pytest.approx((100, 100), abs=0.5)
    assert clicks == []


def test_wheel_steps_one_frame_a_notch_and_saves_up_small_turns(view) -> None:
    steps = recorded(view.wheel_stepped)
    wheel(view, QPointF(100, 100), -1)
    wheel(view, QPointF(100, 100), 2)
    for _ in range(4):
        wheel(view, QPointF(100, 100), -0.25)
    assert [step for (step,) in steps] == [1, -2, 1]


def test_right_drag_changes_the_window_and_nothing_else(view) -> None:
    moves, ends = recorded(view.window_dragged), recorded(view.window_drag_finished)
    before = view.image_point(QPointF(100, 100))
    drag(view, QPointF(100, 100), QPointF(140, 80), RIGHT)
    assert np.sum(moves, axis=0) == pytest.approx((40, -20))
    assert len(ends) == 1
    assert view.image_point(QPointF(100, 100)) == before


def test_zoom_and_place_outlast_a_frame_that_cannot_be_shown(view) -> None:
    view.zoom_to(700)
    before = view.image_point(QPointF(100, 100))
    view.clear_frame()
    view.set_frame(FramePictures(np.zeros((200, 240), np.uint8)), 7)
    assert view.image_point(QPointF(100, 100)) == before
    view.set_frame(FramePictures(np.zeros((512, 512), np.uint8)), 7)
    assert view.zoom_percent == pytest.approx(100 * 480 / 512)


# Points


def test_frames_do_not_change_under_a_held_point(view) -> None:
    view.set_tracks((track(),))
    steps = recorded(view.wheel_stepped)
    grip = view.mouse_position(100, 80)
    press(view, grip)
    wheel(view, grip, 1)
    release(view, grip)
    assert steps == []


def test_dragging_the_selected_point_moves_it_by_the_way_of_the_mouse(view) -> None:
    view.set_tracks((track(),))
    begun, dropped = recorded(view.point_drag_started), recorded(view.point_dropped)
    clicks = recorded(view.point_clicked)
    grip = view.mouse_position(100, 80) + QPointF(4, -3)
    zoom = view.zoom_percent / 100
    drag(view, grip, grip + QPointF(25, 11))
    assert begun == [("a", 7)]
    assert dropped == [("a", 7, pytest.approx(100 + 25 / zoom), pytest.approx(80 + 11 / zoom))]
    assert clicks == []


def test_what_the_mouse_does_belongs_to_the_frame_on_which_it_began(view) -> None:
    flat = np.full((200, 240), 90, np.uint8)
    clicks, picks = recorded(view.point_clicked), recorded(view.track_picked)
    dropped = recorded(view.point_dropped)
    place = view.mouse_position(50, 50)
    press(view, place)
    view.set_frame(FramePictures(flat), 8)
    view.set_tracks((track("b", 50, 50, selected=False),))  # what lies there now was not clicked
    release(view, place)
    assert [entry[:3] for entry in clicks] == [(7, pytest.approx(50), pytest.approx(50))]
    assert picks == []

    view.set_tracks((track(),))
    grip = view.mouse_position(100, 80)
    press(view, grip)
    move(view, grip + QPointF(20, 0), LEFT)
    view.set_frame(FramePictures(flat), 9)  # an arrow key in the middle of the drag
    view.set_tracks((track(x=60, y=40),))
    move(view, grip + QPointF(40, 0), LEFT)
    during = view.grab().toImage()
    zoom = view.zoom_percent / 100
    release(view, grip + QPointF(40, 0))
    assert dropped == [("a", 8, pytest.approx(100 + 40 / zoom), pytest.approx(80))]
    move(view, QPointF(-50, -50))
    assert during == view.grab().toImage()  # the point of frame 9 stood where it is


def test_a_view_that_is_emptied_gives_back_what_is_held(view) -> None:
    view.set_tracks((track(),))
    dropped, cancelled = recorded(view.point_dropped), recorded(view.point_drag_cancelled)
    clicks, windows = recorded(view.point_clicked), recorded(view.window_drag_finished)
    grip = view.mouse_position(100, 80)
    press(view, grip)
    move(view, grip + QPointF(20, 0), LEFT)
    view.clear_frame()
    view.set_frame(FramePictures(np.full((200, 240), 90, np.uint8)), 3)
    release(view, grip)
    press(view, grip, RIGHT)
    view.clear_frame()
    assert (dropped, clicks, cancelled, windows) == ([], [], [("a", 7)], [()])


def test_dragged_point_stays_on_the_picture(view) -> None:
    view.set_tracks((track(),))
    dropped = recorded(view.point_dropped)
    grip = view.mouse_position(100, 80)
    drag(view, grip, grip - QPointF(2000, 2000))
    assert dropped == [("a", 7, 0.0, 0.0)]


def test_escape_gives_the_dragged_point_back_before_any_shortcut_sees_it(view) -> None:
    view.set_tracks((track(),))
    dropped, cancelled = recorded(view.point_dropped), recorded(view.point_drag_cancelled)
    grip = view.mouse_position(100, 80)
    assert not key(view, QEvent.Type.ShortcutOverride, Qt.Key.Key_Escape).isAccepted()
    press(view, grip)
    move(view, grip + QPointF(20, 0), LEFT)
    assert key(view, QEvent.Type.ShortcutOverride, Qt.Key.Key_Escape).isAccepted()
    key(view, QEvent.Type.KeyPress, Qt.Key.Key_Escape)
    release(view, grip + QPointF(30, 0))
    assert (dropped, cancelled) == ([], [("a", 7)])


def test_click_near_the_selected_point_corrects_it_and_on_another_one_picks_that(view) -> None:
    view.set_tracks((track(), track("b", 150, 80, selected=False)))
    clicks, picks = recorded(view.point_clicked), recorded(view.track_picked)
    click(view, view.mouse_position(102, 81))
    click(view, view.mouse_position(150.5, 80))
    assert [entry[:3] for entry in clicks] == [(7, pytest.approx(102), pytest.approx(81))]
    assert picks == [("b",)]


def test_hidden_tracks_are_not_in_the_way(view) -> None:
    view.set_tracks((track(selected=False),))
    view.set_overlay_visible(False)
    clicks, picks = recorded(view.point_clicked), recorded(view.track_picked)
    click(view, view.mouse_position(100, 80))
    assert (len(clicks), picks) == (1, [])


def test_absent_point_without_a_place_stands_where_the_track_was_last(view) -> None:
    plain = view.grab_picture()
    view.set_tracks(
        (
            TrackOverlay(
                "a",
                "Tip",
                selected=True,
                point=OverlayPoint(np.nan, np.nan, PointLook.ABSENT),
                past=np.array([[40.0, 50.0], [60.0, 70.0], [np.nan, np.nan]]),
            ),
        )
    )
    at = view.mouse_position(60, 70).toPoint()
    around = (at.x() - 12, at.y() - 12, 24, 24)
    assert view.grab_picture().copy(*around) != plain.copy(*around)


# What is seen


def test_wipe_shows_original_left_and_denoised_right_of_the_mouse(view) -> None:
    view.set_mode(ViewMode.WIPE)
    move(view, QPointF(200, 240))
    image = view.grab_picture()
    assert grey(image, 150, 240) == 90
    assert grey(image, 250, 240) == 190
    view.set_wipe_locked(True)
    move(view, QPointF(400, 240))
    assert grey(view.grab_picture(), 250, 240) == 190
    drag(view, QPointF(201, 240), QPointF(400, 240))
    assert grey(view.grab_picture(), 250, 240) == 90


@pytest.mark.parametrize(
    ("mode", "value"),
    [(ViewMode.ORIGINAL, 90), (ViewMode.DENOISED, 190), (ViewMode.DIFFERENCE, 30)],
)
def test_single_modes_show_their_picture(view, mode, value) -> None:
    view.set_mode(mode)
    assert grey(view.grab_picture(), 320, 240) == value


def test_side_by_side_shows_the_same_place_in_both_panes(view) -> None:
    ramp = np.tile(np.arange(240, dtype=np.uint8), (200, 1))
    view.set_frame(FramePictures(ramp, ramp), 7)
    view.set_mode(ViewMode.SIDE_BY_SIDE)
    wheel(view, QPointF(100, 200), 8, Qt.KeyboardModifier.ControlModifier)
    drag(view, QPointF(150, 300), QPointF(180, 310), MIDDLE)
    view.set_names(PictureNames("", "", "", ""))
    image = view.grab_picture()
    width = (640 - 4) // 2
    left = [grey(image, x, 240) for x in range(20, width - 20)]
    right = [grey(image, x + width + 4, 240) for x in range(20, width - 20)]
    assert left == right
    assert len(set(left)) > 20


def test_where_denoised_is_not_there_yet_the_original_shows_and_the_chip_says_so(view) -> None:
    view.set_mode(ViewMode.DENOISED)
    there = view.grab_picture()
    view.set_frame(FramePictures(np.full((200, 240), 90, np.uint8)), 7)
    waiting = view.grab_picture()
    assert grey(waiting, 320, 240) == 90
    chip = (200, 0, 240, 50)
    view.set_names(PictureNames(waiting="Denoised"))
    named = view.grab_picture()
    assert waiting.copy(*chip) != named.copy(*chip)
    assert there.copy(*chip) != waiting.copy(*chip)


def test_every_kind_of_point_looks_different_and_leaves_the_tip_free(view) -> None:
    plain = view.grab_picture()
    at = view.mouse_position(100, 80).toPoint()
    seen = []
    looks = [OverlayPoint(100, 80, look) for look in PointLook if look is not PointLook.EMPTY]
    looks += [
        OverlayPoint(100, 80, PointLook.TRACKED, moved=True),
        OverlayPoint(100, 80, PointLook.TRACKED, stale=True),
        OverlayPoint(100, 80, PointLook.EMPTY, emptied=True),
    ]
    for look in looks:
        view.set_tracks((replace(track(), point=look),))
        image = view.grab_picture()
        seen.append(image.copy(at.x() - 24, at.y() - 24, 48, 48))
        tip = (at.x() - 3, at.y() - 3, 7, 7)
        assert image.copy(*tip) == plain.copy(*tip), look
    assert all(a != b for i, a in enumerate(seen) for b in seen[:i])
    # by shape alone, too
    shapes = [image.convertToFormat(QImage.Format.Format_Grayscale8) for image in seen]
    assert all(a != b for i, a in enumerate(shapes) for b in shapes[:i])


def test_markers_have_one_size_at_every_zoom(view) -> None:
    def marked() -> int:
        view.set_tracks(())
        plain = np.array(view.grab_picture().constBits())
        view.set_tracks((track(x=120, y=100),))
        return int((np.array(view.grab_picture().constBits()) != plain).sum())

    view.zoom_to(300)
    small = marked()
    view.zoom_to(900)
    assert marked() == pytest.approx(small, rel=0.1)


def test_corner_text_shows_in_its_corner_and_hides(view) -> None:
    view.zoom_to(100)
    plain = view.grab_picture()
    view.set_corner(Corner.BOTTOM_RIGHT, ("W 196 C 128", "Zoom 100%"))
    written = view.grab_picture()
    corner, elsewhere = (440, 380, 200, 100), (0, 0, 300, 300)
    assert written.copy(*corner) != plain.copy(*corner)
    assert written.copy(*elsewhere) == plain.copy(*elsewhere)
    view.set_corners_visible(False)
    assert view.grab_picture() == plain


def test_message_stands_in_an_empty_view_and_goes(view) -> None:
    view.clear_frame()
    empty = view.grab_picture()
    view.set_message("This run cannot be read", "Copy it again.", MessageKind.ERROR)
    assert view.grab_picture() != empty
    view.set_message("")
    assert view.grab_picture() == empty


def test_loupe_shows_while_l_is_held_and_is_not_exported(view) -> None:
    rng = np.random.default_rng(3)
    view.set_frame(FramePictures(rng.integers(0, 255, (200, 240), dtype=np.uint8)), 7)
    move(view, QPointF(320, 240))
    before, exported = view.grab().toImage(), view.grab_picture()
    key(view, QEvent.Type.KeyPress, Qt.Key.Key_L)
    assert view.grab().toImage() != before
    assert view.grab_picture() == exported
    key(view, QEvent.Type.KeyRelease, Qt.Key.Key_L)
    assert view.grab().toImage() == before


def test_grab_works_on_a_view_never_shown_and_at_another_size(qtbot) -> None:
    view = CineView()
    qtbot.addWidget(view)
    view.resize(300, 300)
    view.set_frame(FramePictures(np.full((100, 100), 77, np.uint8)), 7)
    view.set_tracks((track(x=50, y=50),))
    plain = view.grab_picture()
    assert plain.size() == QSize(300, 300)
    assert grey(plain, 30, 200) == 77
    large = view.grab_picture(QSize(800, 600))
    assert large.size() == QSize(800, 600)
    assert grey(large, 150, 400) == 77  # 600 x 600 in the middle, surround beside it
    assert grey(large, 50, 400) < 10


def test_much_reduced_pictures_are_averaged_so_that_thin_wires_stay(view) -> None:
    wire = np.full((2048, 2048), 200, np.uint8)
    wire[:, 1000::7] = 40
    view.set_frame(FramePictures(wire), 7)
    view.set_names(PictureNames(""))
    view.fit()
    line = [grey(view.grab_picture(), x, 240) for x in range(120, 520)]
    mean = 200 - 160 / 7 * (1048 / 2048)
    assert np.mean(line) == pytest.approx(mean, abs=3)


def test_halving_averages_four_pixels_and_leaves_out_an_odd_last_one() -> None:
    picture = np.array([[0, 4, 9], [8, 8, 9], [1, 1, 9]], np.uint8)
    assert halved(picture).tolist() == [[5]]


def test_an_invitation_is_taken_up_by_a_click_and_a_double_click_does_nothing_else(view, qtbot):
    place = QPointF(320.0, 240.0)
    taken, full_screen = [], []
    view.invitation_clicked.connect(lambda: taken.append(True))
    view.full_screen_toggled.connect(lambda: full_screen.append(True))
    click(view, place)
    assert not taken  # a picture is shown
    view.clear_frame()
    view.set_message("This frame cannot be shown", "", MessageKind.ERROR)
    click(view, place)
    assert not taken
    view.set_message("Drop a run here")
    release(view, place)  # of a press elsewhere, as in a dialog that has closed
    assert not taken
    click(view, place)
    assert len(taken) == 1
    press(view, place, RIGHT)
    release(view, place, RIGHT)
    send(view, QEvent.Type.MouseButtonDblClick, place, LEFT, LEFT)
    assert len(taken) == 1
    assert not full_screen
