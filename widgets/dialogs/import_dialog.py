"""What an import of labels would do, before it is done: facts, refusals, and questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as tr
from textwrap import fill

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

FIRST_NUMBERS = (-1_000_000, 1_000_000)
QUESTION_WIDTH = 64
"""Characters in a line of a question: boxes to tick do not wrap their text."""


@dataclass(frozen=True, slots=True)
class ImportFact:
    """One line of the comparison: what is compared, in the file and in the open run."""

    what: str
    file: str
    run: str


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What the dialog shows.

    Attributes
    ----------
    changes, refused : tuple of str
        Sentences on what would be done, and on what is left out.
    questions : tuple of str
        Doubts; each has to be ticked before anything is imported.
    parts : tuple of str
        The runs in the file to choose from; empty where there is no choice.
    first_number : int or None
        What counts as the number of the first frame, where the user should say it.
    asks_conflict : bool
        Points differ from those that are there: the user says whose stay.
    possible : bool
        There is something to import.
    """

    facts: tuple[ImportFact, ...]
    changes: tuple[str, ...]
    refused: tuple[str, ...]
    questions: tuple[str, ...]
    parts: tuple[str, ...]
    first_number: int | None
    asks_conflict: bool
    possible: bool


@dataclass(frozen=True, slots=True)
class ConflictChoice:
    """A way to treat points that differ: ``key`` for the program, ``text`` for people."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class ImportAnswers:
    """What the user chose: the key of a `ConflictChoice`, a part or "", and a number or None."""

    conflict: str
    part: str
    first_number: int | None


class ImportDialog(QDialog):
    """Show it with ``open()``; ``accepted`` says that all questions are answered with yes.

    Signals
    -------
    changed(object) : the new `ImportAnswers`; answer with `show_summary`.
    """

    changed = Signal(object)

    def __init__(
        self,
        summary: ImportSummary,
        conflict_choices: Sequence[ConflictChoice],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Import labels"))
        self._facts = QGridLayout()
        self._facts.setColumnStretch(1, 1)
        self._facts.setColumnStretch(2, 1)
        self._part = QComboBox()
        self._part.setAccessibleName(tr("Run in the file"))
        self._part.activated.connect(self._tell)
        self._first = QSpinBox()
        self._first.setRange(*FIRST_NUMBERS)
        self._first.valueChanged.connect(self._tell)
        self._first_said = False
        self._conflict = QComboBox()
        for choice in conflict_choices:
            self._conflict.addItem(choice.text, choice.key)
        self._conflict.activated.connect(self._tell)
        self._part_row = _row(tr("&Run in the file"), self._part)
        self._first_row = _row(tr("Number of the &first frame"), self._first)
        self._conflict_row = _row(tr("Where points &differ"), self._conflict)
        self._sentences = QVBoxLayout()
        self._ticks: list[QCheckBox] = []
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self._import = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        self._import.setText(tr("Import"))
        self._buttons.button(QDialogButtonBox.StandardButton.Cancel).setText(tr("Cancel"))
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._lay_out()
        self.show_summary(summary)

    def _lay_out(self) -> None:
        content = QWidget()
        inside = QVBoxLayout(content)
        inside.addLayout(self._facts)
        for row in (self._part_row, self._first_row, self._conflict_row):
            inside.addWidget(row)
        inside.addLayout(self._sentences)
        inside.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(content)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll, 1)
        layout.addWidget(self._buttons)
        line = self.fontMetrics().height()
        self.resize(38 * line, 32 * line)

    def show_summary(self, summary: ImportSummary) -> None:
        """Show what would be done now; questions that were ticked stay ticked."""
        answered = {tick.text() for tick in self._ticks if tick.isChecked()}
        _clear(self._facts)
        heading = ImportFact("", tr("In the file"), tr("Open run"))
        for row, fact in enumerate((heading, *summary.facts)):
            for column, text in enumerate((fact.what, fact.file, fact.run)):
                label = _sentence(text)
                if row == 0 or column == 0:
                    label.setProperty("role", "muted")
                self._facts.addWidget(label, row, column)
        self._show_choices(summary)
        _clear(self._sentences)
        for text in (*summary.changes, *summary.refused):
            self._sentences.addWidget(_sentence(text))
        self._ticks = []
        if summary.questions:
            asked = tr("Please check, and tick what is right all the same:")
            self._sentences.addWidget(_sentence(asked))
        for question in summary.questions:
            tick = QCheckBox(fill(question, QUESTION_WIDTH).replace("&", "&&"))
            tick.setChecked(tick.text() in answered)
            tick.toggled.connect(self._check)
            self._sentences.addWidget(tick)
            self._ticks.append(tick)
        self._possible = summary.possible
        self._check()

    def _show_choices(self, summary: ImportSummary) -> None:
        self._part_row.setVisible(bool(summary.parts))
        self._first_row.setVisible(summary.first_number is not None)
        self._conflict_row.setVisible(summary.asks_conflict)
        if self._part.count() != len(summary.parts) + 1:
            self._part.clear()
            self._part.addItem(tr("As its name tells"), "")
            for part in summary.parts:
                self._part.addItem(part, part)
        if summary.first_number is not None and summary.first_number != self._first.value():
            self._first.blockSignals(True)
            self._first.setValue(summary.first_number)
            self._first.blockSignals(False)

    def answers(self) -> ImportAnswers:
        """Return what is chosen now."""
        return ImportAnswers(
            conflict=self._conflict.currentData(),
            part=self._part.currentData() or "",
            first_number=self._first.value() if self._first_said else None,
        )

    def _tell(self) -> None:
        self._first_said |= self.sender() is self._first
        self.changed.emit(self.answers())

    def _check(self) -> None:
        """Offer the import once there is something to import and every question is ticked."""
        ticked = all(tick.isChecked() for tick in self._ticks)
        self._import.setEnabled(self._possible and ticked)


def _sentence(text: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)  # names in files are no mark-up
    label.setWordWrap(True)
    return label


def _row(text: str, field: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    label = QLabel(text)
    label.setBuddy(field)
    layout.addWidget(label)
    layout.addWidget(field, 1)
    return row


def _clear(layout: QGridLayout | QVBoxLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.deleteLater()
            widget.hide()
