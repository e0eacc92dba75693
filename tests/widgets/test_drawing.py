"""Figures drawn by dragging and by clicks."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF

from widgets.picture.drawing import Drawing
from widgets.picture.mark_overlay import MarkOverlay, MarkShape, distance_to, figure

A, B, C = (1.0, 1.0), (9.0, 1.0), (9.0, 7.0)


def click(drawing, point):
    drawing.press(point)
    return drawing.release(point, dragged=False)


def test_one_drag_draws_a_line():
    drawing = Drawing(MarkShape.LINE, 3, A)
    drawing.press(A)
    assert drawing.release(B, dragged=True)
    assert drawing.placed == [A, B]


def test_two_clicks_draw_it_too():
    drawing = Drawing(MarkShape.LINE, 3, A)
    assert not click(drawing, A)
    drawing.tip = (5.0, 5.0)
    assert drawing.points == (A, (5.0, 5.0))
    assert click(drawing, B)
    assert drawing.placed == [A, B]


def test_an_angle_takes_a_drag_and_a_click_or_three_clicks():
    dragged = Drawing(MarkShape.ANGLE, 0, A)
    dragged.press(A)
    assert not dragged.release(B, dragged=True)
    assert click(dragged, C)
    clicked = Drawing(MarkShape.ANGLE, 0, A)
    assert [click(clicked, point) for point in (A, B, C)] == [False, False, True]
    assert clicked.placed == dragged.placed == [A, B, C]


def test_words_take_one_click():
    drawing = Drawing(MarkShape.TEXT, 0, A)
    assert click(drawing, A)


def test_a_polyline_goes_on_until_it_is_ended():
    drawing = Drawing(MarkShape.POLYLINE, 0, A)
    assert [click(drawing, point) for point in (A, B, C, C)] == [False] * 4
    assert drawing.end()
    assert drawing.placed == [A, B, C]
    assert not Drawing(MarkShape.POLYLINE, 0, A).end()
    assert not Drawing(MarkShape.LINE, 0, A, [A, B, C]).end()


@pytest.mark.parametrize(
    ("shape", "points", "near"),
    [
        (MarkShape.LINE, (A, B), (5.0, 1.0)),
        (MarkShape.ANGLE, (A, B, C), (9.0, 4.0)),
        (MarkShape.RECTANGLE, (A, C), (1.0, 4.0)),
        (MarkShape.ELLIPSE, (A, C), (5.0, 7.0)),
        (MarkShape.TEXT, (A,), A),
    ],
)
def test_a_mark_is_taken_by_its_lines(shape, points, near):
    mark = MarkOverlay("m", shape, points)
    screen = QPointF
    assert distance_to(mark, screen, QPointF(*near)) < 0.2
    assert distance_to(mark, screen, QPointF(near[0], near[1] + 30.0)) > 20.0
    assert not figure(mark, screen).isEmpty() or shape is MarkShape.TEXT
