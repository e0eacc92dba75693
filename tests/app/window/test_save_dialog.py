"""No file is replaced that was not named."""

import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.window.save_dialog import ask_where


@pytest.fixture
def asked(qtbot, tmp_path):
    """A save dialog on the screen, and what came of it."""
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.show()
    came = []
    kinds = {"Picture": ".png", "Table": ".csv"}
    ask_where(
        parent,
        "Save",
        tmp_path / "offered.png",
        kinds,
        lambda path, kind: came.append((path.name, kind)),
        lambda: came.append(None),
    )
    dialog = parent.findChild(QFileDialog)
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    return parent, dialog, came


def choose(dialog, tmp_path, name):
    dialog.selectFile(str(tmp_path / name))
    dialog.fileSelected.emit(str(tmp_path / name))


def test_a_name_with_its_suffix_is_taken_as_it_is(asked, tmp_path):
    _, dialog, came = asked
    choose(dialog, tmp_path, "mine.PNG")
    assert came == [("mine.PNG", "Picture")]
    dialog.close()


@pytest.mark.parametrize("name", ["mine", "mine.v2"])
def test_a_missing_suffix_is_added(asked, tmp_path, name):
    _, dialog, came = asked
    choose(dialog, tmp_path, name)
    assert came == [(f"{name}.png", "Picture")]
    dialog.close()


@pytest.mark.parametrize(
    ("answer", "expected"), [("Replace", [("mine.csv", "Table")]), ("Cancel", [None])]
)
def test_a_file_that_only_the_suffix_hits_is_asked_about(asked, tmp_path, answer, expected):
    parent, dialog, came = asked
    (tmp_path / "mine.csv").write_text("old")
    dialog.selectNameFilter("Table (*.csv)")
    choose(dialog, tmp_path, "mine")
    assert came == []
    question = parent.findChild(QMessageBox)
    assert "mine.csv" in question.text()
    next(b for b in question.buttons() if b.text() == answer).click()
    assert came[:1] == expected
    dialog.close()


def test_giving_up_is_told(asked):
    _, dialog, came = asked
    dialog.reject()
    assert came == [None]
