"""A picture that moves with a device, one in colours, and an enhanced one beside the frame."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QImage

from widgets.picture.cine_view import CineView
from widgets.picture.color_scale import ColorScale
from widgets.picture.compare import FramePictures, PictureNames, ViewMode
from widgets.picture.marked_view import Hand
from widgets.picture.picture_marks import image_of
from widgets.picture.picture_tile import halved
from widgets.picture.track_overlay import OverlayPoint, TrackOverlay
from widgets.point_look import PointLook

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def view(qtbot):
    view = CineView()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.show()
    qtbot.waitExposed(view)
    view.set_frame(FramePictures(np.full((200, 240), 90, np.uint8)), 0)
    return view


def dot(x, y):
    picture = np.zeros((200, 240), np.uint8)
    picture[y, x] = 255
    return picture


def brightest(image: QImage, left=0, right=None):
    packed = image.convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(packed.constBits(), np.uint8).reshape(packed.height(), -1)
    seen = rows[:, left : right or packed.width()].astype(float)
    seen[seen < 40] = 0
    y, x = np.nonzero(seen == seen.max())
    return x.mean() + left, y.mean()


# following a device


@pytest.mark.parametrize(("turns", "mirrored"), [(0, False), (1, False), (3, True)])
def test_the_device_stands_where_it_was_to_a_fraction_of_a_pixel(view, turns, mirrored):
    view.set_orientation(turns, mirrored)
    view.set_shift((0.0, 0.0))
    before = view.mouse_position(100.0, 80.0)
    view.set_shift((7.3, -4.6))
    after = view.mouse_position(107.3, 75.4)
    assert (after.x(), after.y()) == pytest.approx((before.x(), before.y()), abs=1e-6)


def test_what_is_drawn_follows_and_so_does_the_mouse(view, qtbot):
    view.set_corners_visible(False)
    view.set_names(PictureNames(original=""))
    view.set_frame(FramePictures(dot(100, 80)), 0)
    view.set_shift((0.0, 0.0))
    before = brightest(view.grab_picture())
    view.set_frame(FramePictures(dot(111, 74)), 1)
    assert brightest(view.grab_picture()) != pytest.approx(before, abs=5)
    view.set_shift((11.0, -6.0))
    assert brightest(view.grab_picture()) == pytest.approx(before, abs=1.5)
    clicks = []
    view.set_hand(Hand.LABEL)
    view.point_clicked.connect(lambda frame, x, y, _: clicks.append((frame, x, y)))
    qtbot.mouseClick(view.viewport(), LEFT, pos=QPointF(*before).toPoint())
    assert clicks[0] == pytest.approx((1, 111, 74), abs=0.6)


def test_the_place_stays_and_zooming_and_panning_keep_what_is_under_the_mouse(view):
    view.zoom_to(300)
    place = view.place
    told = []
    view.place_changed.connect(lambda: told.append(view.place))
    view.set_shift((5.5, 3.0))
    assert view.place == place and told == []
    there = view.image_point(QPointF(200, 150))
    view._mouse = QPointF(200, 150) + view._half_pixel()
    view.zoom_in()
    assert view.image_point(QPointF(200, 150)) == pytest.approx(there, abs=1e-6)
    view.set_shift(None)
    assert view.image_point(QPointF(200, 150)) == pytest.approx(
        (there[0] - 5.5, there[1] - 3), abs=1
    )


def test_a_fitted_picture_stays_fitted(view):
    view.set_shift((5.0, 5.0))
    view.resize(500, 500)
    assert view.place is None
    view.set_shift(None)
    assert view.mouse_position(119.5, 99.5).x() == pytest.approx(249.5, abs=1)


# the enhanced picture


def test_the_enhanced_picture_stands_beside_the_frame_and_does_not_move(view):
    view.set_names(PictureNames(original="", enhanced=""))
    view.set_corners_visible(False)
    view.set_mode(ViewMode.ENHANCED)
    view.set_frame(FramePictures(dot(60, 50), enhanced=dot(60, 50)), 0)
    left = brightest(view.grab_picture(), right=318)
    right = brightest(view.grab_picture(), left=322)
    assert right[0] - left[0] == pytest.approx(322, abs=2)
    view.set_shift((20.0, 0.0))
    assert brightest(view.grab_picture(), left=322) == right
    assert brightest(view.grab_picture(), right=318)[0] < left[0] - 10


def test_nothing_is_placed_or_picked_on_the_enhanced_picture(view, qtbot):
    view.set_mode(ViewMode.ENHANCED)
    track = TrackOverlay("b", "Tip", "#ffb000", False, OverlayPoint(120, 100, PointLook.TRACKED))
    view.set_tracks((track,))
    view.set_hand(Hand.LABEL)
    got = []
    view.point_clicked.connect(lambda *_: got.append("point"))
    view.track_picked.connect(lambda *_: got.append("track"))
    at = view.mouse_position(120, 100)
    qtbot.mouseClick(view.viewport(), LEFT, pos=(at + QPointF(322, 0)).toPoint())
    assert got == []
    qtbot.mouseClick(view.viewport(), LEFT, pos=at.toPoint())
    qtbot.mouseClick(view.viewport(), LEFT, pos=(at - QPointF(60, 60)).toPoint())
    assert got == ["track", "point"]


def test_until_it_is_there_the_frame_stands_in(view):
    view.set_names(PictureNames(original="", enhanced="Enhanced", waiting="Enhancing 40%"))
    view.set_corners_visible(False)
    view.set_mode(ViewMode.ENHANCED)
    view.set_frame(FramePictures(dot(60, 50)), 0)
    left, right = (brightest(view.grab_picture(), *part) for part in ((0, 318), (322, 640)))
    assert right[0] - left[0] == pytest.approx(322, abs=2)


# colours


def test_a_coloured_picture_is_drawn_in_its_colours_however_reduced(view):
    picture = np.zeros((200, 240, 3), np.uint8)
    picture[:, :120] = (200, 30, 60)
    picture[:, 120:] = (10, 180, 90)
    view.set_names(PictureNames(original=""))
    view.set_frame(FramePictures(picture), 0)
    for percent in (100, 30):
        view.zoom_to(percent)
        seen = view.grab_picture()
        color = seen.pixelColor(*(round(v) for v in view.mouse_position(60, 100).toTuple()))
        assert (color.red(), color.green(), color.blue()) == pytest.approx((200, 30, 60), abs=3)
        color = seen.pixelColor(*(round(v) for v in view.mouse_position(200, 100).toTuple()))
        assert (color.red(), color.green(), color.blue()) == pytest.approx((10, 180, 90), abs=3)
    view.set_frame(FramePictures(np.full((200, 240), 77, np.uint8)), 1)  # and grey again
    color = view.grab_picture().pixelColor(320, 240)
    assert (color.red(), color.green(), color.blue()) == (77, 77, 77)


def test_halving_keeps_colours_apart():
    picture = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    half = halved(picture)
    assert half.shape == (2, 2, 3)
    for channel in range(3):
        np.testing.assert_array_equal(half[..., channel], halved(picture[..., channel].copy()))


def test_the_loupe_shows_colours(view, qtbot):
    picture = np.full((200, 240, 3), (200, 30, 60), np.uint8)
    view.set_frame(FramePictures(picture), 0)
    image = image_of(picture)
    assert image.pixelColor(5, 5).getRgb()[:3] == (200, 30, 60)
    view.set_loupe(True)
    qtbot.mouseMove(view.viewport(), QPointF(320, 240).toPoint())
    view.grab()


def test_the_scale_stands_at_the_right_with_the_highest_value_on_top(view):
    colors = np.zeros((256, 3), np.uint8)
    colors[:, 0], colors[:, 2] = np.arange(256), 255 - np.arange(256)
    black = np.zeros((200, 240, 3), np.uint8)
    view.set_names(PictureNames(original=""))
    view.set_frame(FramePictures(black), 0)
    without = view.grab_picture()
    view.set_frame(FramePictures(black, scale=ColorScale(colors, 0.4, 2.0, "s")), 0)
    image = view.grab_picture()
    assert image != without
    column = 640 - 10 - 6
    seen = [image.pixelColor(column, y) for y in range(480)]
    bar = [y for y, color in enumerate(seen) if color.red() + color.blue() > 200]
    assert len(bar) > 100 and abs(np.mean(bar) - 240) < 5
    assert seen[bar[4]].red() > 200 and seen[bar[-4]].blue() > 200
