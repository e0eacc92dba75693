"""Where files are looked for, and where and as what they are saved."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox

from app.session.settings import Settings
from app.window.asking import ask_file, folder_to_look_in
from app.window.commander import shortcut_rows

JSON, CSV, COCO = (
    "Fluorotrace tracks (*.json)",
    "Table (*.csv)",
    "COCO keypoints (*.json)",
)
FORMATS = {
    "json": ("Fluorotrace tracks", ".json"),
    "csv": ("Table", ".csv"),
    "coco": ("COCO keypoints", ".json"),
}


@pytest.fixture
def answer(monkeypatch):
    """Return a function that makes the file dialog answer."""

    def set_answer(path, chosen):
        monkeypatch.setattr(
            QFileDialog, "getSaveFileName", staticmethod(lambda *_: (str(path), chosen))
        )

    return set_answer


@pytest.mark.parametrize(
    ("typed", "chosen", "path", "name"),
    [
        ("a.json", JSON, "a.json", "json"),
        ("a.json", COCO, "a.json", "coco"),
        ("a.csv", JSON, "a.csv", "csv"),
        ("A.CSV", COCO, "A.CSV", "csv"),
        ("a", CSV, "a.csv", "csv"),
        ("0002.tracks", JSON, "0002.tracks.json", "json"),
        ("run 1.2", COCO, "run 1.2.json", "coco"),
        ("a", "", "a.json", "json"),
    ],
)
def test_the_ending_that_was_typed_decides(qapp, answer, tmp_path, typed, chosen, path, name):
    answer(tmp_path / typed, chosen)
    assert ask_file(None, "Export", tmp_path, FORMATS) == (tmp_path / path, name)


def test_no_answer_is_none(qapp, answer, tmp_path):
    answer("", JSON)
    assert ask_file(None, "Export", tmp_path, FORMATS) is None


@pytest.mark.parametrize("button", ["Yes", "No"])
def test_a_file_that_the_dialog_did_not_name_is_not_replaced_unasked(
    qapp, answer, tmp_path, monkeypatch, button
):
    (tmp_path / "film.mp4").write_bytes(b"mine")
    asked = []

    def question(_parent, _title, text):
        asked.append(text)
        return QMessageBox.StandardButton[button]

    monkeypatch.setattr(QMessageBox, "question", staticmethod(question))
    answer(tmp_path / "film", "MP4 (*.mp4)")
    got = ask_file(None, "Save", tmp_path, {"mp4": ("MP4", ".mp4")})
    assert asked == ["film.mp4 exists already. Replace it?"]
    assert got == ((tmp_path / "film.mp4", "mp4") if button == "Yes" else None)


def test_a_table_is_written_as_a_table(qtbot, make_window, run_file, answer, tmp_path):
    window = make_window(run_file)
    window.session.labelling.place(60.0, 50.0)
    answer(tmp_path / "labels.csv", JSON)
    window.commander.do("export_labels")
    qtbot.waitUntil((tmp_path / "labels.csv").exists)
    assert "frame" in (tmp_path / "labels.csv").read_text("utf-8").splitlines()[0].split(",")


@pytest.mark.parametrize(
    ("command", "typed", "saved"),
    [("export_picture", "look.1", "look.1.png"), ("export_movie", "film", "film.mp4")],
)
def test_pictures_and_movies_get_their_ending(
    qtbot, make_window, run_file, answer, tmp_path, command, typed, saved
):
    window = make_window(run_file)
    answer(tmp_path / typed, "")
    window.commander.do(command)
    window.hands.exporting.dialog.accept()
    qtbot.waitUntil((tmp_path / saved).exists, timeout=20000)
    assert not Path(tmp_path / typed).exists()


def test_labels_keep_their_ending_of_two_parts(qapp, answer, tmp_path):
    formats = {"labels": ("Labels", ".fluorotrace.sqlite")}
    for typed in ("rescued", "rescued.fluorotrace.sqlite"):
        answer(tmp_path / typed, "")
        got = ask_file(None, "Save", tmp_path, formats)
        assert got == (tmp_path / "rescued.fluorotrace.sqlite", "labels")


def test_dialogs_that_open_files_begin_where_the_user_is(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert folder_to_look_in(Settings()) == str(tmp_path)
    assert folder_to_look_in(Settings(last_folder=str(tmp_path / "gone"))) == str(tmp_path)
    (tmp_path / "runs").mkdir()
    assert folder_to_look_in(Settings(last_folder=str(tmp_path / "runs"))) == str(tmp_path / "runs")


def test_a_click_on_the_empty_window_asks_for_a_run(qtbot, make_window, run_file, monkeypatch):
    monkeypatch.setattr(
        QFileDialog, "getOpenFileNames", staticmethod(lambda *_: ([str(run_file)], ""))
    )
    window = make_window()
    qtbot.mouseClick(window.view.viewport(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.opened is not None)
    assert window.session.opened.run.path == run_file


def test_the_help_page_tells_what_the_mouse_does_and_the_loupe():
    rows = {row.action: row for row in shortcut_rows()}
    assert rows["Loupe while it is held"].keys == "L"
    assert {row.group for row in rows.values()} >= {"Mouse", "Measure", "Track"}
