"""Labels of a file into the open run: shown first, then asked, then taken over."""

from __future__ import annotations

from gettext import gettext as tr
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

from app.session.open_run import OpenRun
from app.session.session import Session
from app.tracks.formats import LabelFile, read_labels
from app.tracks.importing import ImportChoices, ImportPreview, OnConflict, preview_import
from app.tracks.pictures import MatchedBy
from app.window.asking import folder_to_look_in, still_open, warn_of_other_run
from widgets.dialogs.import_dialog import (
    ConflictChoice,
    ImportAnswers,
    ImportDialog,
    ImportFact,
    ImportSummary,
)

LABEL_PATTERNS = "*.json *.csv *.tsv *.txt"


class Importing:
    """Asks for a label file and what to do with it; `load_labels` begins with the file.

    Attributes
    ----------
    dialog : ImportDialog or None
        The preview that is on the screen.
    """

    def __init__(self, parent: QWidget, session: Session) -> None:
        self._parent = parent
        self._session = session
        self.dialog: ImportDialog | None = None
        session.run_left.connect(self._give_up)

    def import_labels(self) -> None:
        """Ask for a label file and show what is in it."""
        opened = self._session.opened
        if opened is None:
            self._session.said.emit(tr("Open the run first, then import its labels."))
            return
        name, _ = QFileDialog.getOpenFileName(
            self._parent,
            tr("Import labels"),
            folder_to_look_in(self._session.settings.now),
            f"{tr('Label files')} ({LABEL_PATTERNS});;{tr('All files')} (*)",
        )
        if name and still_open(self._session, opened):
            self.load_labels(Path(name))

    def load_labels(self, path: Path) -> None:
        """Show what is in a label file; it is taken over once the user says so."""
        asked_for = self._session.opened

        def look(file: LabelFile) -> None:
            if asked_for is None or self._session.opened is not asked_for:
                warn_of_other_run(self._session)
            else:
                self._show(file, asked_for)

        self._session.background.start(lambda _: read_labels(path), look, self._session.failed.emit)

    def _show(self, file: LabelFile, opened: OpenRun) -> None:
        if self.dialog is not None:
            self.dialog.reject()

        def preview(answers: ImportAnswers | None = None) -> ImportPreview:
            choices = _choices(answers) if answers is not None else ImportChoices()
            return preview_import(file, opened.run, opened.labels.tracks, choices)

        def show(answers: ImportAnswers) -> None:
            dialog.show_summary(_summary(preview(answers), opened))

        def take() -> None:
            self.dialog = None
            self._take(preview(dialog.answers()))

        dialog = ImportDialog(_summary(preview(), opened), _conflict_choices(), self._parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.changed.connect(
            lambda answers: dialog.show_summary(_summary(preview(answers), opened))
        )
        dialog.accepted.connect(take)
        dialog.rejected.connect(self._forget)
        self.dialog = dialog
        dialog.open()

    def _take(self, preview: ImportPreview) -> None:
        if self._session.labelling.apply(preview.edit) is None:
            return
        names = ", ".join((*preview.new_tracks, *preview.merged_tracks))
        said = tr("{count} points imported ({names}).")
        self._session.said.emit(said.format(count=preview.points, names=names))

    def _give_up(self, _: OpenRun) -> None:
        """Close the preview: the run for which it was made is no longer open."""
        if self.dialog is not None:
            self.dialog.reject()
            warn_of_other_run(self._session)

    def _forget(self) -> None:
        self.dialog = None


def _choices(answers: ImportAnswers) -> ImportChoices:
    return ImportChoices(OnConflict(answers.conflict), answers.part, answers.first_number)


def _conflict_choices() -> tuple[ConflictChoice, ...]:
    return (
        ConflictChoice(OnConflict.KEEP.value, tr("Keep mine")),
        ConflictChoice(OnConflict.REPLACE.value, tr("Take the file's")),
        ConflictChoice(OnConflict.NEW_TRACKS.value, tr("Add as new tracks")),
    )


def _summary(preview: ImportPreview, opened: OpenRun) -> ImportSummary:
    """Put a preview into words."""
    run = opened.run
    not_said = tr("not said")
    sizes = ", ".join(f"{c} x {r}" for c, r in sorted(preview.file_sizes))
    frames = not_said if preview.file_frames is None else str(preview.file_frames)
    facts = (
        ImportFact(tr("Run"), preview.file_run or not_said, run.path.absolute().name),
        ImportFact(tr("Size"), sizes or not_said, f"{run.columns} x {run.rows}"),
        ImportFact(tr("Frames"), frames, str(run.frame_count)),
        ImportFact(
            tr("Frames with labels"),
            str(preview.labelled_frames),
            tr("{count} of them").format(count=preview.overlap),
        ),
        ImportFact(tr("Frames are known by"), _known_by(preview.matched_by), ""),
    )
    changes = [tr("Points that would be set: {count}.").format(count=preview.points)]
    if preview.new_tracks:
        names = ", ".join(preview.new_tracks)
        changes.append(tr("New tracks: {names}.").format(names=names))
    if preview.merged_tracks:
        names = ", ".join(preview.merged_tracks)
        changes.append(tr("Tracks that get points: {names}.").format(names=names))
    if preview.conflicts:
        differ = tr("Points of the file that differ from yours: {count}.")
        changes.append(differ.format(count=preview.conflicts))
    if not preview.edit.changes:
        changes = [tr("Nothing would change.")]
    return ImportSummary(
        facts=facts,
        changes=tuple(changes),
        refused=preview.refused,
        questions=preview.questions,
        parts=preview.parts,
        first_number=preview.first_number,
        asks_conflict=preview.conflicts > 0,
        possible=bool(preview.edit.changes),
    )


def _known_by(by: MatchedBy) -> str:
    if by is MatchedBy.RUN:
        return tr("this very run")
    if by is MatchedBy.NAMES:
        return tr("the names of the pictures")
    if by is MatchedBy.NUMBERS:
        return tr("the numbers of the pictures")
    if by is MatchedBy.FRAMES:
        return tr("the frame numbers in the file")
    return tr("nothing")
