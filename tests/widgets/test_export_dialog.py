"""The one question before a picture or a movie goes out."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QCheckBox, QComboBox, QDialogButtonBox

from widgets.dialogs.export_dialog import (
    SPEEDS,
    ExportChoices,
    ExportDialog,
    ExportOffer,
    MovieFormat,
    PictureSize,
)

PLAIN = ExportChoices()
EVERYTHING = ExportOffer(frame_count=60, span=(4, 19), ecg=True, wipe=True)
NOTHING = ExportOffer(frame_count=60, span=None, ecg=False, wipe=False)
PICTURE = ExportOffer(frame_count=1, span=None, ecg=True, wipe=False)
CHOSEN = ExportChoices(
    movie_format=MovieFormat.GIF,
    size=PictureSize.FULL_HD,
    span_only=True,
    speed=0.25,
    marks=False,
    corners=True,
    ecg=True,
    moving_wipe=True,
)


@pytest.fixture
def ask(qtbot):
    def build(choices=PLAIN, offer=EVERYTHING):
        dialog = ExportDialog(choices, offer)
        qtbot.addWidget(dialog)
        dialog.open()
        return dialog

    return build


@pytest.mark.parametrize("choices", [ExportChoices(), CHOSEN])
@pytest.mark.parametrize("offer", [EVERYTHING, NOTHING, PICTURE])
def test_choices_come_back_as_they_went_in_also_those_that_cannot_be_made_now(ask, choices, offer):
    assert ask(choices, offer).choices() == choices


def test_patient_data_is_off_however_it_was_the_last_time(ask):
    dialog = ask(replace(CHOSEN, patient=True))
    assert not dialog._patient.isChecked()
    assert not dialog.choices().patient


def test_each_choice_is_told(ask, qtbot):
    dialog = ask()
    told = []
    dialog.changed.connect(told.append)
    for box in (dialog._marks, dialog._ecg, dialog._wipe, dialog._patient):
        box.click()
    for combo, index in ((dialog._format, 2), (dialog._size, 2), (dialog._span, 1)):
        combo.setCurrentIndex(index)
    dialog._speed.setCurrentIndex(0)
    assert told[-1] == replace(CHOSEN, patient=True)
    assert len(told) == 8
    assert dialog.choices() == told[-1]


def test_speeds_go_from_a_quarter_to_four_times(ask):
    assert (min(SPEEDS), max(SPEEDS)) == (0.25, 4.0)
    for index, speed in enumerate(SPEEDS):
        dialog = ask()
        dialog._speed.setCurrentIndex(index)
        assert dialog.choices().speed == speed


def test_without_texts_nothing_can_tell_the_patient(ask):
    dialog = ask()
    dialog._patient.click()
    dialog._corners.click()
    assert not dialog._patient.isEnabled()
    assert not dialog.choices().patient
    dialog._corners.click()
    assert dialog.choices().patient


def test_only_what_there_is_can_be_chosen(ask):
    dialog = ask(CHOSEN, NOTHING)
    for field in (dialog._ecg, dialog._wipe, dialog._span):
        assert not field.isEnabled()
    assert not dialog._ecg.isChecked()
    assert not dialog._wipe.isChecked()
    assert dialog._speed.isEnabled()
    dialog._format.setCurrentIndex(list(MovieFormat).index(MovieFormat.PICTURES))
    assert not dialog._speed.isEnabled()


def test_a_picture_asks_nothing_about_movies(ask):
    dialog = ask(ExportChoices(), PICTURE)
    assert dialog.windowTitle() == "Save picture"
    for field in (dialog._format, dialog._span, dialog._speed, dialog._wipe):
        assert not field.isVisible()
    assert dialog._size.isVisible()
    assert dialog._ecg.isVisible()


def test_frames_count_from_one_on_the_screen(ask):
    dialog = ask()
    assert dialog._span.itemText(0).endswith("1 to 60")
    assert dialog._span.itemText(1).endswith("5 to 20")


@pytest.mark.parametrize("where", [QCheckBox, QComboBox, QDialogButtonBox])
def test_return_saves_and_escape_leaves_wherever_the_keys_go(ask, qtbot, where):
    for key, expected in (
        (Qt.Key.Key_Return, ExportDialog.DialogCode.Accepted),
        (Qt.Key.Key_Escape, ExportDialog.DialogCode.Rejected),
    ):
        dialog = ask()
        ended = []
        dialog.finished.connect(ended.append)
        field = dialog.findChildren(where)[0]
        field.setFocus()
        qtbot.keyClick(field, key)
        assert ended == [expected]


def test_the_preview_is_shown_with_its_size(ask):
    dialog = ask()
    image = QImage(dialog.preview_size, QImage.Format.Format_RGB32)
    image.fill(QColor(200, 100, 50))
    dialog.show_preview(image, QSize(1920, 1080))
    assert "1920 × 1080" in dialog._pixels.text()
    shown = dialog._preview.grab().toImage()
    assert shown.pixelColor(shown.rect().center()).getRgb()[:3] == (200, 100, 50)
