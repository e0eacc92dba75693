import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QModelIndex, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QAbstractItemModelTester

from widgets.panels.run_list import RunList
from widgets.panels.run_model import LabelState, RunModel, RunRow


def row(key, **changes):
    facts = {"title": f"Run {key}", "study": "Study A", "series": "Series 1", "frames": 60}
    return RunRow(key, **{**facts, **changes})


@pytest.fixture
def runs(qtbot):
    widget = RunList()
    qtbot.addWidget(widget)
    widget.resize(260, 600)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def shown_titles(runs):
    """All rows that can be seen, headings included, from top to bottom."""
    view, titles = runs._view, []
    index = view.model().index(0, 0)
    while index.isValid():
        titles.append(index.data())
        index = view.indexBelow(index)
    return titles


def click(runs, qtbot, key):
    index = runs._proxy.mapFromSource(runs._model.index_of(key))
    qtbot.mouseClick(
        runs._view.viewport(),
        Qt.MouseButton.LeftButton,
        pos=runs._view.visualRect(index).center(),
    )


def test_rows_that_come_during_a_scan_stand_below_their_headings(runs):
    for new in (
        row("1"),
        row("2", series="Series 2"),
        row("3"),
        row("4", study="Study B", series=""),
        row("5", study="", series=""),
    ):
        runs.put_row(new)
    assert shown_titles(runs) == [
        *("Study A", "Series 1", "Run 1", "Run 3", "Series 2", "Run 2"),
        *("Study B", "Run 4", "Without a study", "Run 5"),
    ]
    assert runs.run_keys() == ["1", "3", "2", "4", "5"]


def test_the_model_obeys_qt(qtbot):
    model = RunModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Warning)
    for key in "123":
        model.put_row(row(key, series=f"Series {key}"))
    model.put_row(row("2", title="Better"))
    assert model.index_of("2").data() == "Better"
    assert model.rowCount(QModelIndex()) == 1
    model.clear()
    assert not model.index_of("2").isValid()
    tester.deleteLater()


def test_clicking_a_run_activates_it_and_a_broken_one_says_why(runs, qtbot):
    runs.set_rows([row("good"), row("bad", error="This file is cut off: get it again.")])
    with qtbot.waitSignal(runs.run_activated) as got:
        click(runs, qtbot, "good")
    assert got.args == ["good"]
    with qtbot.assertNotEmitted(runs.run_activated, wait=50):
        click(runs, qtbot, "bad")
    tip = runs._model.index_of("bad").data(Qt.ItemDataRole.ToolTipRole)
    assert tip == "This file is cut off: get it again."


def test_a_double_click_opens_the_run_once(runs, qtbot):
    runs.set_rows([row("1")])
    told = []
    runs.run_activated.connect(told.append)
    click(runs, qtbot, "1")
    index = runs._proxy.mapFromSource(runs._model.index_of("1"))
    place = runs._view.visualRect(index).center()
    qtbot.mouseDClick(runs._view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert told == ["1"]


def test_return_in_the_list_activates_the_current_run(runs, qtbot):
    runs.set_rows([row("1"), row("2")])
    runs.set_current("2")
    with qtbot.waitSignal(runs.run_activated) as got:
        qtbot.keyClick(runs._view, Qt.Key.Key_Return)
    assert got.args == ["2"]


def test_the_filter_keeps_matching_runs_and_their_headings(runs, qtbot):
    runs.set_rows(
        [
            row("1", title="LCA"),
            row("2", title="RCA", angles="LAO 32° CRAN 2°"),
            row("3", title="Other", study="Study B"),
        ]
    )
    qtbot.keyClicks(runs._filter, "lao 32")
    assert shown_titles(runs) == ["Study A", "Series 1", "RCA"]
    runs._filter.clear()
    qtbot.keyClicks(runs._filter, "study b")
    assert shown_titles(runs) == ["Study B", "Series 1", "Other"]
    runs.put_row(row("4", title="New"))
    assert "New" not in shown_titles(runs)
    runs._filter.clear()
    assert "New" in shown_titles(runs)


def test_thumbnail_and_label_state_change_the_row_in_place(runs):
    runs.set_rows([row("1")])
    pictures = [runs.grab().toImage()]
    runs.set_thumbnail("1", np.tile(np.arange(0, 240, 5, np.uint8), (31, 1)))
    pictures.append(runs.grab().toImage())
    runs.set_label_state("1", LabelState.REVIEWED)
    pictures.append(runs.grab().toImage())
    assert pictures[0] != pictures[1] != pictures[2]
    assert runs.run_keys() == ["1"]
    runs.set_label_state("gone", LabelState.REVIEWED)


def test_dropped_files_and_folders_are_told(runs, qtbot, tmp_path):
    data = QMimeData()
    data.setUrls(
        [
            QUrl.fromLocalFile(str(tmp_path / "a.dcm")),
            QUrl("https://example.org/b"),
            QUrl.fromLocalFile(str(tmp_path)),
        ]
    )
    where = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton)
    enter = QDragEnterEvent(QPoint(20, 20), *where, Qt.KeyboardModifier.NoModifier)
    drop = QDropEvent(QPointF(20, 20), *where, Qt.KeyboardModifier.NoModifier)
    before = runs.grab().toImage()
    runs.dragEnterEvent(enter)
    assert enter.isAccepted()
    assert runs.grab().toImage() != before
    with qtbot.waitSignal(runs.paths_dropped) as got:
        runs.dropEvent(drop)
    assert got.args == [[str(tmp_path / "a.dcm"), str(tmp_path)]]
    assert runs.grab().toImage() == before


def test_headings_that_are_bare_numbers_say_what_they_number(runs):
    runs.put_row(row("a", study="5", series="01"))
    assert shown_titles(runs)[:2] == ["Study 5", "Series 01"]
    runs.put_row(row("b", study="LCA 5", series="5 f/s"))
    assert shown_titles(runs)[-3:-1] == ["LCA 5", "5 f/s"]
