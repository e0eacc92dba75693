"""Labels that cannot be saved are never given up without a person's word."""

import errno

import pytest
from PySide6.QtWidgets import QMessageBox

from app.tracks import records
from app.window import unsaved


@pytest.fixture
def full_disk(monkeypatch):
    """A disk on which nothing can be written to labels files, until it is set to False."""
    write = records.write
    full = {"disk": True}

    def refuse(*args):
        if full["disk"]:
            raise OSError(errno.ENOSPC, "no space left")
        write(*args)

    monkeypatch.setattr(records, "write", refuse)
    return full


@pytest.fixture
def labelled(qtbot, make_window, run_file, full_disk):
    window = make_window(run_file)
    window.session.labelling.place(60.0, 50.0)
    qtbot.waitUntil(lambda: not window.session.worker.tracking)
    return window


def question(window):
    """The one question about labels on the screen, or None."""
    found = [q for q in window.findChildren(QMessageBox) if q.isVisible()]
    assert len(found) <= 1
    return found[0] if found else None


def answer(qtbot, window, text):
    qtbot.waitUntil(lambda: question(window) is not None, timeout=20000)
    (button,) = [b for b in question(window).buttons() if b.text() == text]
    button.click()


def test_the_window_stays_until_the_disk_takes_the_labels(
    qtbot, labelled, full_disk, make_window, run_file
):
    labelled.close()
    assert labelled.isVisible()
    qtbot.waitUntil(lambda: question(labelled) is not None, timeout=20000)
    assert "not saved" in question(labelled).text()
    full_disk["disk"] = False
    answer(qtbot, labelled, "Try again")
    qtbot.waitUntil(lambda: not labelled.isVisible(), timeout=20000)
    assert len(make_window(run_file).session.opened.labels.tracks) == 1


def test_labels_that_are_given_up_let_the_window_close(qtbot, labelled):
    labelled.close()
    answer(qtbot, labelled, "Discard the changes")
    qtbot.waitUntil(lambda: not labelled.isVisible())


def test_labels_are_saved_elsewhere_when_the_run_is_changed(
    qtbot, labelled, other_run_file, run_file, tmp_path, monkeypatch
):
    path = tmp_path / "rescued.fluorotrace.sqlite"
    monkeypatch.setattr(unsaved, "ask_file", lambda *_: (path, "labels"))
    labelled.session.library.open_run(other_run_file)
    qtbot.waitUntil(lambda: labelled.session.opened.run.path == other_run_file)
    answer(qtbot, labelled, "Save elsewhere…")
    qtbot.waitUntil(lambda: labelled.session.leaving.done, timeout=20000)
    assert path.exists()
    assert labelled.isVisible()


def test_a_run_whose_labels_wait_is_given_back_as_it_is(
    qtbot, labelled, other_run_file, run_file, full_disk
):
    labels = labelled.session.opened.labels
    labelled.session.library.open_run(other_run_file)
    answer(qtbot, labelled, "Later")
    labelled.session.library.open_run(run_file)
    qtbot.waitUntil(lambda: labelled.session.opened.run.path == run_file)
    assert labelled.session.opened.labels is labels
    full_disk["disk"] = False
