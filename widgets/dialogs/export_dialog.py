"""How a picture or a movie goes out, asked once before it is saved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from gettext import gettext as tr

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from widgets.theme import PICTURE_SURROUND
from widgets.translation import marked

SPEEDS = (0.25, 0.5, 1.0, 1.5, 2.0, 4.0)
PREVIEW_LINES = 22
"""Width of the preview, in lines of text."""


class MovieFormat(StrEnum):
    """What a movie is written as."""

    MP4 = "mp4"
    WEBP = "webp"
    GIF = "gif"
    PICTURES = "pictures"


class PictureSize(StrEnum):
    """How large the picture is that goes out."""

    SCREEN = "screen"
    RUN = "run"
    FULL_HD = "full hd"


FORMATS = {
    MovieFormat.MP4: marked("Movie (MP4)"),
    MovieFormat.WEBP: marked("Animated WebP"),
    MovieFormat.GIF: marked("Animated GIF"),
    MovieFormat.PICTURES: marked("Folder of pictures (PNG)"),
}
SIZES = {
    PictureSize.SCREEN: marked("As on the screen"),
    PictureSize.RUN: marked("The run's own"),
    PictureSize.FULL_HD: marked("Full HD"),
}


@dataclass(frozen=True, slots=True)
class ExportChoices:
    """How a picture or a movie goes out; what is not there, or not a movie's, is left out.

    Attributes
    ----------
    patient : bool
        Name, number and birth date may be on it, and descriptions that are typed by hand.
    movie_format : MovieFormat
    size : PictureSize
    span_only : bool
        The marked span in place of the whole run.
    speed : float
        1 is true time.
    marks, corners : bool
        Tracks and measures, and the text in the corners, are on it.
    ecg : bool
        The ECG runs below.
    moving_wipe : bool
        The wipe moves across once, from the original to the denoised.
    """

    patient: bool = False
    movie_format: MovieFormat = MovieFormat.MP4
    size: PictureSize = PictureSize.SCREEN
    span_only: bool = False
    speed: float = 1.0
    marks: bool = True
    corners: bool = True
    ecg: bool = False
    moving_wipe: bool = False


@dataclass(frozen=True, slots=True)
class ExportOffer:
    """What there is to choose from.

    Attributes
    ----------
    frame_count : int
        Of a movie; 1 for a picture.
    span : (int, int) or None
        First and last frame that are marked, from 0.
    ecg, wipe : bool
        The run has an ECG; original and denoised are divided by a wipe.
    """

    frame_count: int
    span: tuple[int, int] | None
    ecg: bool
    wipe: bool

    @property
    def movie(self) -> bool:
        """True where several frames go out."""
        return self.frame_count > 1


class ExportDialog(QDialog):
    """Show it with ``open()``; ``accepted`` says that it shall be saved as `choices` tells.

    Whether patient data may be on it is asked anew each time.

    Parameters
    ----------
    choices : ExportChoices
        What was chosen the last time.
    offer : ExportOffer

    Signals
    -------
    changed(object) : the `ExportChoices` now; answer with `show_preview`.
    """

    changed = Signal(object)

    def __init__(
        self, choices: ExportChoices, offer: ExportOffer, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Save movie") if offer.movie else tr("Save picture"))
        self._before = choices
        self._offer = offer
        self._patient = QCheckBox(tr("&Patient data may be on it"))
        self._format = QComboBox()
        for key, text in FORMATS.items():
            self._format.addItem(tr(text), key.value)
        self._size = QComboBox()
        for size, text in SIZES.items():
            self._size.addItem(tr(text), size.value)
        self._span = QComboBox()
        whole = tr("The whole run, frames {first} to {last}")
        self._span.addItem(whole.format(first=1, last=offer.frame_count), False)
        if offer.span is not None:
            first, last = offer.span
            marked_span = tr("The marked span, frames {first} to {last}")
            self._span.addItem(marked_span.format(first=first + 1, last=last + 1), True)
        self._speed = QComboBox()
        for speed in SPEEDS:
            text = tr("True time") if speed == 1.0 else tr("{speed:g}×").format(speed=speed)
            self._speed.addItem(text, speed)
        self._marks = QCheckBox(tr("&Tracks and measures"))
        self._corners = QCheckBox(tr("&Texts in the corners"))
        self._ecg = QCheckBox(tr("&ECG below"))
        self._wipe = QCheckBox(tr("The &wipe moves across once"))
        self._preview = QLabel()
        self._pixels = QLabel()
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        self._buttons.button(QDialogButtonBox.StandardButton.Save).setText(tr("Save…"))
        self._buttons.button(QDialogButtonBox.StandardButton.Cancel).setText(tr("Cancel"))
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._lay_out()
        self._show(choices)
        for box in (self._patient, self._marks, self._corners, self._ecg, self._wipe):
            box.toggled.connect(self._tell)
        for combo in (self._format, self._size, self._span, self._speed):
            combo.currentIndexChanged.connect(self._tell)

    def _lay_out(self) -> None:
        form = QGridLayout()
        form.setColumnStretch(1, 1)
        fields = {
            tr("&Format"): self._format,
            tr("&Size"): self._size,
            tr("Fra&mes"): self._span,
            tr("Spee&d"): self._speed,
        }
        for text, field in fields.items():
            label = QLabel(text)
            label.setBuddy(field)
            row = form.rowCount()
            form.addWidget(label, row, 0)
            form.addWidget(field, row, 1)
            if not self._offer.movie and field is not self._size:
                label.hide()
                field.hide()
        for box in (self._marks, self._corners, self._ecg, self._wipe):
            form.addWidget(box, form.rowCount(), 1)
        self._wipe.setVisible(self._offer.movie)
        asked = QLabel(
            tr(
                "Name, ID, birth date and sex, and the descriptions of study and series, which"
                " are typed by hand. Words that you wrote yourself go out with the measures, and"
                " what is burned into the X-ray picture stays on it."
            )
        )
        asked.setProperty("role", "muted")
        asked.setWordWrap(True)
        choices = QVBoxLayout()
        choices.addWidget(self._patient)
        choices.addWidget(asked)
        choices.addSpacing(self.fontMetrics().height() // 2)
        choices.addLayout(form)
        choices.addStretch(1)
        line = self.fontMetrics().height()
        self._preview.setFixedSize(PREVIEW_LINES * line, PREVIEW_LINES * line * 3 // 4)
        self._preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._preview.setFrameShape(QFrame.Shape.NoFrame)
        self._preview.setStyleSheet(f"background: {PICTURE_SURROUND}")
        self._preview.setAccessibleName(tr("Preview"))
        self._pixels.setProperty("role", "muted")
        self._pixels.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        seen = QVBoxLayout()
        seen.addWidget(self._preview)
        seen.addWidget(self._pixels)
        seen.addStretch(1)
        halves = QHBoxLayout()
        halves.setSpacing(line)
        halves.addLayout(choices, 1)
        halves.addLayout(seen)
        layout = QVBoxLayout(self)
        layout.addLayout(halves, 1)
        layout.addWidget(self._buttons)

    def _show(self, choices: ExportChoices) -> None:
        offer = self._offer
        self._format.setCurrentIndex(self._format.findData(choices.movie_format.value))
        self._size.setCurrentIndex(self._size.findData(choices.size.value))
        self._span.setCurrentIndex(max(0, self._span.findData(choices.span_only)))
        self._speed.setCurrentIndex(self._speed.findData(choices.speed))
        self._marks.setChecked(choices.marks)
        self._corners.setChecked(choices.corners)
        self._ecg.setChecked(choices.ecg and offer.ecg)
        self._wipe.setChecked(choices.moving_wipe and offer.wipe)
        self._check()

    def choices(self) -> ExportChoices:
        """Return what is chosen now; what cannot be chosen here is as it was before."""
        before, offer = self._before, self._offer
        return replace(
            before,
            patient=self._patient.isChecked() and self._corners.isChecked(),
            movie_format=MovieFormat(self._format.currentData()),
            size=PictureSize(self._size.currentData()),
            span_only=before.span_only if offer.span is None else self._span.currentData(),
            speed=self._speed.currentData(),
            marks=self._marks.isChecked(),
            corners=self._corners.isChecked(),
            ecg=self._ecg.isChecked() if offer.ecg else before.ecg,
            moving_wipe=self._wipe.isChecked() if offer.wipe else before.moving_wipe,
        )

    @property
    def preview_size(self) -> QSize:
        """How large a preview may be, in pixels of the screen."""
        return self._preview.size() * self.devicePixelRatioF()

    def show_preview(self, image: QImage, size: QSize) -> None:
        """Show what would be saved.

        Parameters
        ----------
        image : QImage
            Reduced to `preview_size`.
        size : QSize
            Of what would be saved, in pixels.
        """
        shown = QPixmap.fromImage(image)
        shown.setDevicePixelRatio(self.devicePixelRatioF())
        self._preview.setPixmap(shown)
        pixels = tr("{width} × {height} pixels")
        self._pixels.setText(pixels.format(width=size.width(), height=size.height()))

    def _check(self) -> None:
        """Let be chosen what there is."""
        self._patient.setEnabled(self._corners.isChecked())
        self._ecg.setEnabled(self._offer.ecg)
        self._wipe.setEnabled(self._offer.wipe)
        self._span.setEnabled(self._offer.span is not None)
        self._speed.setEnabled(self._format.currentData() != MovieFormat.PICTURES)

    def _tell(self) -> None:
        self._check()
        self.changed.emit(self.choices())
