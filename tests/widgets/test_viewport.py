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
    view = Viewport.fitted(100, 50, PANE)
    assert view.zoom == pytest.approx(5.01)
    assert view.to_screen(PANE, 49.5, 24.5).x() == pytest.approx(PANE.center().x(), abs=0.5)


def test_pixels_that_are_higher_than_wide_are_drawn_so() -> None:
    view = Viewport.fitted(100, 50, PANE, aspect=2.0)
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
