"""Labels out, the picture as PNG, and the movie of what is on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from gettext import gettext as tr
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from app.errors import UserError, sentence
from app.measure.scale import spacing_of
from app.measure.table import csv_text
from app.measure.vessels import profile_csv
from app.outputs import check_output, whole_file
from app.session.look import Comparison
from app.session.movie_writer import MovieWriter
from app.session.open_run import OpenRun
from app.session.session import Session
from app.tracks.formats import FORMATS as LABEL_FORMATS
from app.tracks.formats import label_file
from app.window.asking import ask_file, still_open, warn_of_other_run
from app.window.export_preview import ExportPreview
from app.window.exported_picture import ExportedPicture
from app.window.recorder import Recorder
from widgets.dialogs.export_dialog import (
    FORMATS,
    ExportChoices,
    ExportDialog,
    ExportOffer,
    MovieFormat,
)
from widgets.picture.cine_view import CineView

PLAIN = ExportChoices()
SUFFIXES = {
    MovieFormat.MP4: ".mp4",
    MovieFormat.WEBP: ".webp",
    MovieFormat.GIF: ".gif",
    MovieFormat.PICTURES: "",
}


class Exporting:
    """Asks how and where to, and does it; each ``save_...`` also runs without asking.

    Attributes
    ----------
    dialog : ExportDialog or None
        That asks how, while it is on the screen.
    """

    def __init__(self, parent: QWidget, session: Session, view: CineView) -> None:
        self._parent = parent
        self._session = session
        self._view = view
        self._recorders: set[Recorder] = set()
        self._choices: ExportChoices | None = None  # of the last time
        self.dialog: ExportDialog | None = None
        session.run_left.connect(self._give_up)

    def export_labels(self) -> None:
        """Ask for a file and write the labels."""
        opened = self._session.opened
        if opened is None or not opened.labels.tracks:
            self._session.said.emit(
                tr("There are no labels yet: in Label (R), click the catheter tip on the picture.")
            )
            return
        formats = {name: (tr(fmt.title), fmt.suffix) for name, fmt in LABEL_FORMATS.items()}
        asked = self._ask(tr("Export labels"), opened, ".tracks.json", formats)
        if asked is not None:
            self.save_labels(*asked)

    def save_labels(self, path: Path, format_name: str) -> None:
        """Write the labels in one of `LABEL_FORMATS`."""
        opened = self._session.opened
        assert opened is not None
        fmt = LABEL_FORMATS[format_name]
        spacing = spacing_of(opened.run, opened.labels.marks)
        labels = label_file(opened.run, opened.labels.tracks, spacing)
        kept = self._session.files

        def write(_: object) -> None:
            check_output(path, kept)
            fmt.write(path, labels)

        self._session.background.start(
            write,
            lambda _: self._session.said.emit(tr("The labels are in {path}.").format(path=path)),
            self._session.failed.emit,
        )

    def copy_measures(self) -> None:
        """Put all measures on the clipboard, as CSV."""
        QGuiApplication.clipboard().setText(self._measures())
        self._session.said.emit(tr("The measures are on the clipboard."))

    def export_measures(self) -> None:
        """Ask for a file and write all measures as CSV."""
        opened = self._session.opened
        if opened is None:
            return
        end, formats = "-measures.csv", {"csv": ("CSV", ".csv")}
        asked = self._ask(tr("Export measures"), opened, end, formats)
        if asked is not None:
            self.save_measures(asked[0])

    def save_measures(self, path: Path) -> None:
        """Write all measures as CSV."""
        self._save_text(path, self._measures(), tr("The measures are in {path}."))

    def export_profile(self) -> None:
        """Ask for a file and write the diameters along the chosen vessel as CSV."""
        opened = self._session.opened
        if opened is None or self._session.vessels.chosen is None:
            return
        end, formats = "-vessel.csv", {"csv": ("CSV", ".csv")}
        asked = self._ask(tr("Export the diameters along the vessel"), opened, end, formats)
        if asked is not None:
            self.save_profile(asked[0])

    def save_profile(self, path: Path) -> None:
        """Write the diameters along the chosen vessel as CSV."""
        chosen, scale = self._session.vessels.chosen, self._session.measuring.scale
        if chosen is not None and scale is not None:
            text = profile_csv(chosen[1], scale)
            self._save_text(path, text, tr("The diameters are in {path}."))

    def _save_text(self, path: Path, text: str, done: str) -> None:
        try:
            check_output(path, self._session.files)
            with whole_file(path) as draft:
                draft.write_text(text, "utf-8", newline="")
        except (UserError, OSError) as error:
            self._session.failed.emit(sentence(error))
        else:
            self._session.said.emit(done.format(path=path))

    def _measures(self) -> str:
        measuring = self._session.measuring
        return csv_text(measuring.measured(mark) for mark in measuring.marks)

    def export_picture(self) -> None:
        """Ask how and where to, and save the picture."""
        opened = self._session.opened
        if opened is None:
            self._session.said.emit(tr("Open a run first."))
        else:
            self._ask_how(opened, movie=False)

    def export_movie(self) -> None:
        """Ask how and where to, and record a movie."""
        opened = self._session.opened
        if opened is None or opened.run.frame_count < 2:
            self._session.said.emit(tr("Open a run with several frames first."))
        else:
            self._ask_how(opened, movie=True)

    def save_picture(self, path: Path, choices: ExportChoices = PLAIN) -> Recorder | None:
        """Save the frame under the playhead as PNG; denoising is waited for."""
        frame = self._session.playback.frame
        saved = tr("The picture is in {path}.").format(path=path)
        return self._record(path, of_picture(choices), range(frame, frame + 1), saved)

    def save_movie(self, path: Path, choices: ExportChoices = PLAIN) -> Recorder | None:
        """Record the run; the ending of the path decides the format, as `MovieWriter` says."""
        opened = self._session.opened
        assert opened is not None
        saved = tr("The movie is in {path}.").format(path=path)
        return self._record(path, choices, self._frames(opened, choices), saved)

    def _record(
        self, path: Path, choices: ExportChoices, frames: range, saved: str
    ) -> Recorder | None:
        opened = self._session.opened
        assert opened is not None
        picture = self._exported(opened, choices)
        try:
            check_output(path, self._session.files)
            times_ms = opened.run.frame_times_ms[frames.start : frames.stop] / choices.speed
            size = (picture.size.width(), picture.size.height())
            writer = MovieWriter(path, times_ms, size, first_number=frames.start + 1)
        except (UserError, OSError) as error:
            picture.close()
            self._session.failed.emit(sentence(error))
            return None
        recorder = Recorder(self._parent, self._session, picture, frames, writer, path, saved)
        self._recorders.add(recorder)
        recorder.ended.connect(lambda: self._recorders.discard(recorder))
        recorder.start()
        return recorder

    def _exported(self, opened: OpenRun, choices: ExportChoices) -> ExportedPicture:
        frames = self._frames(opened, choices)
        return ExportedPicture(self._session, opened, self._view, choices, frames)

    def _frames(self, opened: OpenRun, choices: ExportChoices) -> range:
        """Return the frames of a movie."""
        span = self._session.labelling.span
        if span is None or not choices.span_only:
            return range(opened.run.frame_count)
        return range(span[0], span[1] + 1)

    def _ask_how(self, opened: OpenRun, *, movie: bool) -> None:
        """Show the dialog; what was chosen the last time is offered again."""
        look = self._session.look.now
        choices = self._choices or ExportChoices(marks=look.tracks, corners=look.corners)
        offer = ExportOffer(
            frame_count=opened.run.frame_count if movie else 1,
            span=self._session.labelling.span if movie else None,
            ecg=opened.run.ecg is not None,
            wipe=movie and look.comparison is Comparison.WIPE,
        )
        dialog = ExportDialog(choices, offer, self._parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        preview = ExportPreview(
            dialog,
            lambda choices: self._exported(opened, choices if movie else of_picture(choices)),
            self._session.playback.frame,
        )

        def finish(result: int) -> None:
            preview.close()
            self.dialog = None
            if result == ExportDialog.DialogCode.Accepted:
                self._choices = dialog.choices()
                self._ask_where(opened, dialog.choices(), movie=movie)

        dialog.finished.connect(finish)
        self.dialog = dialog
        dialog.open()
        preview.show(dialog.choices())

    def _ask_where(self, opened: OpenRun, choices: ExportChoices, *, movie: bool) -> None:
        """Ask for a file, and save; the name that is offered tells no more than the run's own."""
        if movie:
            name = choices.movie_format
            suffix = SUFFIXES[name]
            formats = {str(name): (tr(FORMATS[name]), suffix)}
            asked = self._ask(tr("Save movie"), opened, f"-movie{suffix}", formats)
        else:
            ending = f"-frame{self._session.playback.frame + 1}.png"
            asked = self._ask(tr("Save picture"), opened, ending, {"png": ("PNG", ".png")})
        if asked is None:
            return
        if movie:
            self.save_movie(asked[0], choices)
        else:
            self.save_picture(asked[0], choices)

    def _ask(
        self, title: str, opened: OpenRun, end: str, formats: Mapping[str, tuple[str, str]]
    ) -> tuple[Path, str] | None:
        """Ask where to save; a name beside the run, its own with ``end``, is offered."""
        path = opened.run.path
        asked = ask_file(self._parent, title, path.with_name(f"{path.stem}{end}"), formats)
        return None if asked is None or not still_open(self._session, opened) else asked

    def _give_up(self, _: OpenRun) -> None:
        """Close the dialog: the run for which it was opened is no longer worked on."""
        if self.dialog is not None:
            self.dialog.reject()
            warn_of_other_run(self._session)

    def close(self) -> None:
        """Give up what is being recorded."""
        for recorder in tuple(self._recorders):
            recorder.stop()


def of_picture(choices: ExportChoices) -> ExportChoices:
    """Return the choices without those of a movie."""
    return replace(choices, span_only=False, moving_wipe=False)
