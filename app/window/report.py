"""The report of a run: key images, measures, scale, and what was done to the pictures, as PDF."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from gettext import gettext as tr
from html import escape
from pathlib import Path

from PySide6.QtCore import QMarginsF, QObject, QSize, QSizeF, QTimer, QUrl
from PySide6.QtGui import QImage, QPageLayout, QPageSize, QPdfWriter, QTextDocument
from PySide6.QtPrintSupport import QPrinter

from app.errors import UserError, sentence
from app.measure.scale import scale_of, scale_text
from app.measure.table import KIND_TEXTS, frame_text, kind_text
from app.outputs import check_output, whole_file
from app.runs import words
from app.session.key_images import caption, key_images, look_of, view_size
from app.session.look import Comparison, Look
from app.session.measuring import measured
from app.session.open_run import OpenRun
from app.session.session import Session
from app.tracks.marks import Mark
from app.window.hidden_picture import HiddenPicture
from widgets.translation import marked

PICTURE_WIDTH = 1400
"""Pixels of a picture in the report: sharp on paper, a few hundred kilobytes each."""
RESOLUTION_DPI = 150
MARGIN_MM = 15.0
PICTURE_SHARE = 0.68
"""Of the width of the page: two pictures of a square run stand on one."""
FEW_MEASURES = 8
WAIT_MS = 20
PATIENCE = 500
"""Times a picture is asked for that is still being decoded or denoised."""
STYLE = """
body { font-family: sans-serif; font-size: 9pt; color: #111; }
h1 { font-size: 15pt; } h2 { font-size: 11pt; margin-top: 14pt; }
td, th { padding-right: 12px; padding-bottom: 3px; text-align: left; } .muted { color: #555; }
"""


class ReportMaker(QObject):
    """Draws the key images one after the other, then writes the report; the window goes on.

    Parameters
    ----------
    path : Path
        The PDF; nothing is written where there is a ``printer``.
    patient : bool
        Whether patient data may be in it.
    printer : QPrinter, optional
        Prints it in place of writing it.
    done : callable
        Called with True once the report is written, False where it is not.
    """

    def __init__(
        self,
        session: Session,
        opened: OpenRun,
        path: Path,
        done: Callable[[bool], None],
        *,
        patient: bool,
        printer: QPrinter | None = None,
    ) -> None:
        super().__init__()
        self._session, self._opened, self._path = session, opened, path
        self._patient, self._done, self._printer = patient, done, printer
        self._look = replace(session.look.now, patient=patient)
        self._left = list(key_images(opened))
        self._pictures: list[tuple[Mark, QImage, Look]] = []
        self._hidden: HiddenPicture | None = None
        self._asked = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._go_on)

    def start(self) -> None:
        """Begin."""
        self._timer.start(0)

    def stop(self) -> None:
        """Give up."""
        if self._timer.isActive():
            self._timer.stop()
            self._end(False)

    def _go_on(self) -> None:
        if self._session.denoising_of(self._opened) is None:  # the run was closed
            self._end(False)
        elif self._left:
            self._draw(self._left[0])
            self._timer.start(WAIT_MS)
        else:
            self._write()

    def _draw(self, image: Mark) -> None:
        size = view_size(image) or (1024, 1024)
        look = look_of(image, self._opened, self._look, size)
        if self._hidden is None:
            self._hidden = HiddenPicture(self._session, self._opened, look, QSize(*size))
        self._asked += 1
        assert image.frame is not None
        if self._hidden.show(image.frame) or self._asked > PATIENCE:
            height = round(PICTURE_WIDTH * size[1] / size[0])
            self._pictures.append((image, self._hidden.grab(QSize(PICTURE_WIDTH, height)), look))
            self._hidden.close()
            self._hidden, self._asked = None, 0
            del self._left[0]

    def _write(self) -> None:
        document = QTextDocument()
        document.setDefaultStyleSheet(STYLE)
        for number, (_, picture, _) in enumerate(self._pictures):
            kind = int(QTextDocument.ResourceType.ImageResource.value)
            document.addResource(kind, QUrl(f"picture{number}"), picture)
        if self._printer is not None:
            self._print(document, self._printer)
            self._end(True)
            return
        try:
            check_output(self._path, self._session.files)
            with whole_file(self._path) as draft:
                writer = QPdfWriter(str(draft))
                writer.setResolution(RESOLUTION_DPI)
                writer.setTitle(tr("Report"))
                writer.setCreator("Fluorotrace")
                writer.setPageLayout(page_layout())
                self._print(document, writer)
                del writer
                if not draft.exists() or not draft.stat().st_size:
                    raise OSError(errno.EIO, "not saved", str(self._path))
        except (UserError, OSError) as error:
            self._session.failed.emit(sentence(error))
            self._end(False)
        else:
            self._session.said.emit(tr("The report is in {path}.").format(path=self._path))
            self._end(True)

    def _print(self, document: QTextDocument, pages: QPdfWriter | QPrinter) -> None:
        area = pages.pageLayout().paintRectPoints()
        document.setPageSize(QSizeF(area.size()))
        document.setHtml(self._html(round(PICTURE_SHARE * area.width())))
        document.print_(pages)

    def _end(self, written: bool) -> None:
        if self._hidden is not None:
            self._hidden.close()
            self._hidden = None
        self._done(written)

    def _html(self, width_pt: int) -> str:
        parts = [
            f"<h1>{escape(tr('Report of an X-ray run'))}</h1>",
            _facts(self._opened, self._patient),
        ]
        parts += [_measures(self._opened)]
        first = int(len(_measures_of(self._opened)) <= FEW_MEASURES)  # there is room below them
        for number, (image, picture, look) in enumerate(self._pictures):
            height = round(width_pt * picture.height() / picture.width())
            style = "page-break-before: always" if number % 2 == first else ""
            parts.append(
                f'<h2 style="{style}">{escape(caption(image))}</h2>'
                f'<p><img src="picture{number}" width="{width_pt}" height="{height}"></p>'
                f'<p class="muted">{escape(shown_as(look))}</p>'
            )
        parts.append(f'<p class="muted">{escape(tr(DISCLAIMER))}</p>')
        return "".join(parts)


DISCLAIMER = marked(
    "Made with Fluorotrace, a tool for review and labelling; it is no medical device."
)


def page_layout() -> QPageLayout:
    """Return an A4 page with margins."""
    margins = QMarginsF(MARGIN_MM, MARGIN_MM, MARGIN_MM, MARGIN_MM)
    return QPageLayout(
        QPageSize(QPageSize.PageSizeId.A4),
        QPageLayout.Orientation.Portrait,
        margins,
        QPageLayout.Unit.Millimeter,
    )


def shown_as(look: Look) -> str:
    """Say what was done to a picture beyond its window."""
    notes = []
    if look.grey.inverted:
        notes.append(tr("inverted"))
    if look.grey.subtracted:
        notes.append(tr("mask subtracted"))
    if look.comparison is not Comparison.ORIGINAL:
        percent = round(100 * look.strength)
        notes.append(tr("denoised by {percent}%").format(percent=percent))
    if look.grey.edges:
        notes.append(
            tr("edges sharpened by {percent}%").format(percent=round(100 * look.grey.edges))
        )
    if look.turns or look.mirrored:
        notes.append(tr("turned or mirrored"))
    return ", ".join(notes) if notes else tr("as stored")


def _facts(opened: OpenRun, patient: bool) -> str:
    run = opened.run
    facts: list[tuple[str, str]] = []
    if patient:
        facts += [(tr("Patient"), " · ".join(words.patient_lines(run)))]
        facts += [(tr("File"), run.path.name)]
    facts += [
        (tr("Study"), " · ".join(words.study_lines(run, described=patient))),
        (tr("Projection"), words.angles_on(run, 0)),
        (tr("Frames"), " · ".join((str(run.frame_count), *words.timing_lines(run, 0)[2:]))),
        (tr("Scale"), scale_text(run, scale_of(run, opened.labels.marks))),
    ]
    rows = (
        f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in facts if text
    )
    return f'<table cellspacing="0" cellpadding="3">{"".join(rows)}</table>'


def _measures_of(opened: OpenRun) -> list[Mark]:
    return [mark for mark in opened.labels.marks if mark.kind in KIND_TEXTS]


def _measures(opened: OpenRun) -> str:
    found = _measures_of(opened)
    if not found:
        return ""
    rows = []
    for mark in found:
        told = measured(opened, mark, mark.frame or 0)
        cells = (kind_text(mark.kind), frame_text(mark), told.value_text, told.source, mark.text)
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    names = (tr("Measure"), tr("Frame"), tr("Value"), tr("Source"), tr("Words"))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    title = escape(tr("Measures"))
    table = f"<tr>{head}</tr>{''.join(rows)}"
    return f'<h2>{title}</h2><table cellspacing="0" cellpadding="3">{table}</table>'
