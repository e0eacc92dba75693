"""The one mapping between image pixels and the screen."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, QRectF

from widgets.picture.viewport import LARGEST_ZOOM, SMALLEST_ZOOM, Viewport

PANE = QRectF(40, 10, 501, 333)


@pytest.mark.parametrize("aspect", [1.0, 1.2])
@pytest.mark.parametrize("zoom", [0.3, 1.0, 2.7, 40.0])
def test_there_and_back(zoom, aspect) -> None:
    view = Viewport(zoom, 77.3, 41.9, aspect=aspect)
    assert view.to_image(PANE, view.to_screen(PANE, 12.25, 99.5)) == pytest.approx((12.25, 99.5))
    assert view.transform(PANE).map(QPointF(12.25, 99.5)) == view.to_screen(PANE, 12.25, 99.5)


@pytest.mark.parametrize("ratio", [1.0, 1.25, 1.5, 2.0])
def test_at_one_to_one_image_pixels_are_device_pixels(ratio) -> None:
    corner = Viewport(1 / ratio, 77.3, 41.9, ratio).to_screen(PANE, -0.5, -0.5) * ratio
    assert corner.x() == pytest.approx(round(corner.x()))
    assert corner.y() == pytest.approx(round(corner.y()))


def test_fitted_picture_fills_the_pane_in_one_direction_and_stands_in_its_middle() -> None:
    view = Viewport().fitted(100, 50, PANE)
    assert view.zoom == pytest.approx(5.01)
    assert view.to_screen(PANE, 49.5, 24.5).x() == pytest.approx(PANE.center().x(), abs=0.5)


def test_pixels_that_are_higher_than_wide_are_drawn_so() -> None:
    view = Viewport(aspect=2.0).fitted(100, 50, PANE)
    assert view.zoom == pytest.approx(3.33)
    top, bottom = (view.to_screen(PANE, 49.5, y) for y in (-0.5, 49.5))
    assert bottom.y() - top.y() == pytest.approx(333)
    moved = view.moved(0.0, 66.6, 100, 50)
    assert moved.center_y == pytest.approx(view.center_y - 10)


@pytest.mark.parametrize("aspect", [1.0, 1.2])
def test_zoom_keeps_the_point_under_the_mouse_also_after_many_steps(aspect) -> None:
    view, mouse = Viewport(1.0, 100, 100, aspect=aspect), QPointF(123, 77)
    start = view.to_image(PANE, mouse)
    for step in (*range(1, 30), *range(30, -1, -1)):
        view = view.zoomed(PANE, mouse, 1.1**step)
    assert view.to_image(PANE, mouse) == pytest.approx(start, abs=1e-6)


def test_zoom_has_bounds() -> None:
    assert Viewport().zoomed(PANE, QPointF(), 1e9).zoom == LARGEST_ZOOM
    assert Viewport().zoomed(PANE, QPointF(), 1e-9).zoom == SMALLEST_ZOOM


def test_picture_cannot_be_pushed_off_the_screen() -> None:
    view = Viewport(2.0, 50, 50).moved(1e6, -1e6, 100, 80)
    assert (view.center_x, view.center_y) == (0, 79)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_picture_is_seen_as_it_should_and_comes_back(turns, mirrored):
    view = Viewport(2.0, 20.0, 10.0, aspect=1.5, turns=turns, mirrored=mirrored)
    at = view.to_screen(PANE, 25.0, 12.0)
    assert view.to_image(PANE, at) == pytest.approx((25.0, 12.0))
    away = view.to_screen(PANE, 25.0, 10.0) - view.to_screen(PANE, 20.0, 10.0)
    right = [(10, 0), (0, 10), (-10, 0), (0, -10)][turns]
    seen = (away.x(), away.y())
    assert seen == pytest.approx(tuple(-d for d in right) if mirrored else right)
    down = view.to_screen(PANE, 20.0, 12.0) - view.to_screen(PANE, 20.0, 10.0)
    assert (down.x(), down.y()) == pytest.approx([(0, 6), (-6, 0), (0, -6), (6, 0)][turns])


@pytest.mark.parametrize("turns", range(4))
def test_a_turned_picture_zooms_about_the_mouse_follows_the_hand_and_fits(turns):
    view, mouse = Viewport(1.0, 100, 100, turns=turns, mirrored=True), QPointF(123, 77)
    there = view.to_image(PANE, mouse)
    assert view.zoomed(PANE, mouse, 3.0).to_image(PANE, mouse) == pytest.approx(there, abs=0.5)
    moved = view.moved(7.0, -3.0, 400, 400)
    assert moved.to_image(PANE, mouse + QPointF(7.0, -3.0)) == pytest.approx(there)
    fitted = Viewport(turns=turns).fitted(100, 50, PANE)
    corners = fitted.transform(PANE).mapRect(QRectF(-0.5, -0.5, 100, 50))
    assert PANE.adjusted(-1, -1, 1, 1).contains(corners)
    assert min(PANE.width() - corners.width(), PANE.height() - corners.height()) < 1.0
