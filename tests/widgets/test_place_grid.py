"""The grid of pictures says what the user wants of which place, and keeps places apart."""

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from widgets.panels.run_model import RUN_KEY
from widgets.picture.cine_view import CineView
from widgets.picture.place_grid import PlaceGrid
from widgets.theme import THEMES

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def grid(qtbot):
    made = PlaceGrid(CineView())
    qtbot.addWidget(made)
    made.resize(803, 605)
    made.show()
    return made


def recorded(signal):
    told = []
    signal.connect(lambda *values: told.append(values))
    return told


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (4, 2, 2)])
def test_places_fill_the_grid_and_do_not_overlap(grid, count, columns, rows):
    grid.set_places(count, 0)
    cells = [grid._cell(index) for index in range(count)]
    assert not any(a.intersects(b) for a in cells for b in cells if a is not b)
    assert {cell.left() for cell in cells} == {0, (803 + 3) // 2} if columns == 2 else {0}
    assert cells[-1].bottomRight() == grid.rect().bottomRight()
    assert len({cell.top() for cell in cells}) == rows
    for index in range(1, count):
        assert cells[index].contains(grid.view(index).geometry())
    assert cells[0].contains(grid.worked_on.geometry())


def test_the_picture_that_is_worked_on_stands_in_the_active_place(grid):
    grid.set_places(4, 2)
    assert grid._cell(2).contains(grid.worked_on.geometry())
    assert [grid.view(i).isVisible() for i in range(4)] == [True, True, False, True]
    grid.set_places(4, 2, maximised=True)
    assert grid.worked_on.geometry() == grid.rect()
    assert not any(grid.view(i).isVisible() for i in range(4))


def test_lines_and_other_pictures_ask_for_their_place(qtbot, grid):
    wanted, largest = recorded(grid.place_wanted), recorded(grid.maximise_wanted)
    grid.set_places(4, 0)
    qtbot.mouseClick(grid, LEFT, pos=grid._header(3).center())
    qtbot.mouseClick(grid.view(1).viewport(), LEFT, pos=QPoint(20, 20))
    qtbot.mouseClick(grid.view(2).viewport(), Qt.MouseButton.RightButton, pos=QPoint(20, 20))
    assert wanted == [(3,), (1,), (2,)]
    qtbot.mouseDClick(grid, LEFT, pos=grid._header(1).center())
    assert largest == [(1,)]


def test_half_notches_of_the_wheel_add_up(grid):
    stepped = recorded(grid.wheel_stepped)
    grid.set_places(2, 0)
    for notch in (-60, -60, 120, -30):
        event = QWheelEvent(
            QPointF(9, 9),
            QPointF(9, 9),
            QPoint(),
            QPoint(0, notch),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(grid.view(1).viewport(), event)
    assert stepped == [(1, 1), (1, -1)]


def over(kind, position, data):
    return kind(position, Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)


def test_only_runs_and_files_are_welcome_and_their_place_is_shown(grid):
    grid.set_places(2, 0)
    run, file, text, page = (QMimeData() for _ in range(4))
    run.setData(RUN_KEY, b"/x/run.dcm")
    file.setUrls([QUrl.fromLocalFile("/x/run.dcm")])
    text.setText("run.dcm")
    page.setUrls([QUrl("https://example.org/run.dcm")])
    for data, welcome in ((run, True), (file, True), (text, False), (page, False)):
        event = over(QDragEnterEvent, QPoint(9, 9), data)
        event.ignore()
        grid.dragEnterEvent(event)
        assert event.isAccepted() == welcome
    grid.dragMoveEvent(over(QDragMoveEvent, grid._cell(1).center(), run))
    assert grid._target == 1
    grid.dragLeaveEvent(None)
    assert grid._target is None


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_active_place_is_plain_by_its_frame(grid, theme):
    grid.set_theme(THEMES[theme])
    grid.set_title(
        0, "a run with a name that is far too long for the room that there is", "in time"
    )
    grid.set_places(2, 1)
    picture = grid.grab().toImage()
    accent = picture.pixelColor(grid._cell(1).left(), grid._cell(1).center().y()).name()
    other = picture.pixelColor(grid._cell(0).left(), grid._cell(0).center().y()).name()
    assert accent == THEMES[theme].accent
    assert other != accent
