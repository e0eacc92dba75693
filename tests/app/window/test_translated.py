"""Every word that the window shows goes through gettext."""

import gettext
import re

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QDialog, QTreeWidget, QWidget

from app.session.look import Comparison

OURS = re.compile(r"Fluorotrace|[\d.,:/×\s%+–-]*|numpy|study|run\.dcm")
NOT_SHOWN = {"Export", "Export..."}
"""A menu of pyqtgraph's that no plot of ours opens."""
WORD = re.compile(r"[A-Za-z]{2,}")


class Marked(gettext.NullTranslations):
    """A language in which every sentence stands in brackets."""

    def gettext(self, message):
        return f"«{message}»"

    def ngettext(self, one, many, count):
        return f"«{one if count == 1 else many}»"


@pytest.fixture
def marked(monkeypatch):
    monkeypatch.setattr(gettext, "translation", lambda *_, **__: Marked())


def words_of(thing):
    """Return (where, text) of all that a person can read of a widget or action."""
    told = []
    for name in ("windowTitle", "toolTip", "accessibleName", "text", "placeholderText", "title"):
        read = getattr(thing, name, None)
        if callable(read):
            told.append((f"{type(thing).__name__}.{name}", read()))
    if isinstance(thing, QComboBox):
        told += [("item", thing.itemText(i)) for i in range(thing.count())]
    if isinstance(thing, QTreeWidget):
        header = thing.headerItem()
        told += [("column", header.text(i)) for i in range(thing.columnCount()) if header.text(i)]
    return told


def untranslated(window):
    found = set()
    for kind in (QWidget, QAction):
        for thing in window.findChildren(kind):
            if thing.objectName().startswith(("qt_", "Scroll")):
                continue  # Qt's own parts have Qt's own translations
            for where, text in words_of(thing):
                outside = re.sub(r"«[^»]*»", "", text or "")
                if (
                    text not in NOT_SHOWN
                    and WORD.search(re.sub(r"\(.*?\)", "", outside))
                    and not OURS.fullmatch(text)
                ):
                    found.add((where, text))
    return found


def test_the_window_is_translated(qtbot, marked, make_window, run_file, engines):
    window = make_window(run_file)
    window.session.labelling.place(60.0, 50.0)
    qtbot.waitUntil(lambda: not window.session.worker.tracking)
    window.session.look.change(comparison=Comparison.WIPE)
    window.session.playback.play()
    qtbot.wait(300)
    window.session.playback.pause()
    assert untranslated(window) == set()


@pytest.mark.parametrize("name", ["show_shortcuts", "show_about", "open_settings"])
def test_the_dialogs_are_translated(marked, make_window, name):
    window = make_window()
    window.commander.do(name)
    (dialog,) = window.hands.dialogs.open
    assert isinstance(dialog, QDialog)
    assert untranslated(dialog) == set()
    dialog.reject()


def test_what_is_said_is_translated(marked, make_window, run_file):
    window = make_window(run_file)
    said = []
    for signal in (window.session.said, window.session.warned, window.session.failed):
        signal.connect(said.append)
    labelling = window.session.labelling
    labelling.undo()
    labelling.redo()
    labelling.track_again()
    labelling.clear_span()
    labelling.toggle_lock()
    labelling.place(5.0, 5.0)
    labelling.toggle_lock()
    labelling.add_track()
    labelling.track_again()
    labelling.go_to_doubtful()
    labelling.confirm()
    window.session.adapting.use("gone")
    assert len(said) >= 8
    assert [text for text in said if not text.startswith("«")] == []
