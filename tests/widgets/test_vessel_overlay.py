"""A vessel over the picture: taken by its lines, seen by its lesion."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QFont, QImage, QPainter

from widgets.picture.drawing import Drawing
from widgets.picture.mark_overlay import MarkOverlay, MarkShape, figure, paint_marks
from widgets.picture.vessel_overlay import LESION_COLOR, VesselOverlay, VesselPart, paint_pointer

COLUMNS = range(10, 91)
CENTRE, LEFT, RIGHT = (tuple((float(x), y) for x in COLUMNS) for y in (50.0, 40.0, 60.0))
VESSEL = VesselOverlay(CENTRE, LEFT, RIGHT, 30, 40, 50)
A, B, C = (1.0, 1.0), (9.0, 1.0), (9.0, 7.0)


@pytest.fixture
def canvas(qtbot):
    image = QImage(100, 100, QImage.Format.Format_RGB32)
    image.fill(QColor("#808080"))
    return image


def painted(image, paint):
    painter = QPainter(image)
    paint(painter)
    painter.end()
    return lambda x, y: image.pixelColor(x, y).name()


@pytest.mark.parametrize(
    ("at", "part"),
    [
        ((30.0, 42.0), VesselPart.LEFT),
        ((30.0, 57.0), VesselPart.RIGHT),
        ((30.0, 51.0), VesselPart.CENTRE),
        ((30.0, 45.5), None),
        ((50.0, 80.0), None),
    ],
)
def test_the_nearest_line_is_taken(at, part):
    assert VESSEL.part_near(QPointF, QPointF(*at), 4.0) is part


def test_the_lesion_has_a_colour_of_its_own_and_the_narrowest_place_a_line_across(canvas):
    mark = MarkOverlay("v", MarkShape.VESSEL, (CENTRE[0], CENTRE[-1]), vessel=VESSEL)

    def paint(painter):
        paint_marks(painter, [mark], QPointF, QRectF(0, 0, 100, 100), (), 1.0, QFont())

    at = painted(canvas, paint)
    assert at(45, 40) == at(55, 60) == LESION_COLOR
    assert at(20, 40) != LESION_COLOR
    assert at(50, 45) == at(50, 55) == LESION_COLOR
    assert at(30, 45) == at(30, 55) == "#808080"


def test_a_line_points_across(canvas):
    at = painted(canvas, lambda painter: paint_pointer(painter, VESSEL.across(20), QPointF, 1.0))
    assert at(30, 50) == "#ffffff" and at(34, 50) == "#808080"


def test_edges_take_the_place_of_the_line_through_the_points():
    mark = MarkOverlay("v", MarkShape.VESSEL, (A, B, C), vessel=VESSEL)
    assert figure(mark, QPointF).boundingRect() == QRectF(10, 40, 80, 20)
    while_drawn = MarkOverlay("", MarkShape.VESSEL, (A, B, C))
    assert figure(while_drawn, QPointF).boundingRect() == QRectF(1, 1, 8, 6)


def test_two_handles_are_enough_where_they_are_dragged():
    dragged = Drawing(MarkShape.VESSEL, 0, A)
    dragged.press(A)
    assert dragged.release(B, dragged=True)
    clicked = Drawing(MarkShape.VESSEL, 0, A)
    for point in (A, B, C):
        clicked.press(point)
        assert not clicked.release(point, dragged=False)
    assert clicked.end() and clicked.placed == [A, B, C]
    line = Drawing(MarkShape.POLYLINE, 0, A)
    line.press(A)
    assert not line.release(B, dragged=True)
