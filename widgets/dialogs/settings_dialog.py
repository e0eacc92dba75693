"""The settings, as a form over a plain value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as tr

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

FRAME_MEMORY_MB = (200, 16000)
TRAIL_FRAMES = (0, 200)
FRAME_RATE_HZ = (0.5, 120.0)


@dataclass(frozen=True, slots=True)
class SettingsValues:
    """What the form shows and gives back.

    Attributes
    ----------
    theme : str
        "dark" or "light".
    device : str
        Key of one of the devices offered.
    frame_memory_mb : int
        Bound of the memory for decoded frames.
    project_folder : str
        Folder of the label files; "" keeps them beside each run.
    trail_frames : int
        Frames of past and future trail.
    assumed_frame_rate_hz : float
        For runs that carry no times.
    show_patient : bool
        Patient data is on the screen when the program starts.
    autoplay, next_at_end : bool
        A run plays as soon as it is open; the next one is opened once it has been played.
    step_after_click : bool
        A click that places a point goes to the next frame.
    """

    theme: str
    device: str
    frame_memory_mb: int
    project_folder: str
    trail_frames: int
    assumed_frame_rate_hz: float
    show_patient: bool
    autoplay: bool
    next_at_end: bool
    step_after_click: bool


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """A device that can compute: ``key`` for the program, ``text`` for people."""

    key: str
    text: str


class SettingsDialog(QDialog):
    """Show it with ``open()``.

    Parameters
    ----------
    values : SettingsValues
    devices : sequence of DeviceChoice
        What this machine offers, "auto" among them.

    Signals
    -------
    applied(object) : the new `SettingsValues`, on OK.
    """

    applied = Signal(object)

    def __init__(
        self,
        values: SettingsValues,
        devices: Sequence[DeviceChoice],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Settings"))
        self._theme = QComboBox()
        self._theme.addItem(tr("Dark"), "dark")
        self._theme.addItem(tr("Light"), "light")
        self._device = QComboBox()
        for device in devices:
            self._device.addItem(device.text, device.key)
        self._memory = QSpinBox()
        self._memory.setRange(*FRAME_MEMORY_MB)
        self._memory.setSingleStep(100)
        self._memory.setSuffix(tr(" MB"))
        self._place = QComboBox()
        self._place.addItem(tr("Beside each run"), False)
        self._place.addItem(tr("In one project folder"), True)
        self._folder = QLineEdit()
        self._folder.setPlaceholderText(tr("Choose a folder"))
        self._folder.setAccessibleName(tr("Project folder"))
        self._browse = QPushButton(tr("Browse…"))
        self._browse.clicked.connect(self._choose_folder)
        self._trail = QSpinBox()
        self._trail.setRange(*TRAIL_FRAMES)
        self._trail.setSuffix(tr(" frames"))
        self._rate = QDoubleSpinBox()
        self._rate.setRange(*FRAME_RATE_HZ)
        self._rate.setDecimals(1)
        self._rate.setSuffix(tr(" frames/s"))
        self._patient = QCheckBox(tr("Show patient data at start"))
        self._autoplay = QCheckBox(tr("Play a run as soon as it is open"))
        self._next = QCheckBox(tr("Open the next run once it was played (“once”)"))
        self._step = QCheckBox(tr("Go to the next frame after a click that labels"))
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setText(tr("OK"))
        self._buttons.button(QDialogButtonBox.StandardButton.Cancel).setText(tr("Cancel"))
        self._buttons.accepted.connect(self._apply)
        self._buttons.rejected.connect(self.reject)
        self._lay_out()
        self._place.currentIndexChanged.connect(self._check)
        self._folder.textChanged.connect(self._check)
        self._show(values)

    def _lay_out(self) -> None:
        folder = QHBoxLayout()
        folder.addWidget(self._folder, 1)
        folder.addWidget(self._browse)
        form = QGridLayout()
        form.setColumnStretch(1, 1)
        fields = {
            tr("&Theme"): self._theme,
            tr("&Compute with"): self._device,
            tr("&Memory for frames"): self._memory,
            tr("&Labels are kept"): self._place,
            tr("Tr&ail"): self._trail,
            tr("&Runs without times"): self._rate,
        }
        for text, field in fields.items():
            label = QLabel(text)
            label.setBuddy(field)
            row = form.rowCount()
            form.addWidget(label, row, 0)
            form.addWidget(field, row, 1)
            if field is self._place:
                form.addLayout(folder, row + 1, 1)
        for box in (self._patient, self._autoplay, self._next, self._step):
            form.addWidget(box, form.rowCount(), 1)
        note = QLabel(tr("Memory and frame rate take effect when the next run is opened."))
        note.setProperty("role", "muted")
        note.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(note)
        layout.addWidget(self._buttons)
        self.resize(32 * self.fontMetrics().height(), self.sizeHint().height())

    def _show(self, values: SettingsValues) -> None:
        self._theme.setCurrentIndex(max(self._theme.findData(values.theme), 0))
        self._device.setCurrentIndex(max(self._device.findData(values.device), 0))
        self._memory.setValue(values.frame_memory_mb)
        self._place.setCurrentIndex(self._place.findData(bool(values.project_folder)))
        self._folder.setText(values.project_folder)
        self._trail.setValue(values.trail_frames)
        self._rate.setValue(values.assumed_frame_rate_hz)
        self._patient.setChecked(values.show_patient)
        self._autoplay.setChecked(values.autoplay)
        self._next.setChecked(values.next_at_end)
        self._step.setChecked(values.step_after_click)
        self._check()

    def values(self) -> SettingsValues:
        """Return what the form holds."""
        return SettingsValues(
            theme=self._theme.currentData(),
            device=self._device.currentData(),
            frame_memory_mb=self._memory.value(),
            project_folder=self._folder.text().strip() if self._place.currentData() else "",
            trail_frames=self._trail.value(),
            assumed_frame_rate_hz=self._rate.value(),
            show_patient=self._patient.isChecked(),
            autoplay=self._autoplay.isChecked(),
            next_at_end=self._next.isChecked(),
            step_after_click=self._step.isChecked(),
        )

    def _check(self) -> None:
        """Offer OK once a project folder is named, where one is wanted."""
        in_folder = bool(self._place.currentData())
        self._folder.setEnabled(in_folder)
        self._browse.setEnabled(in_folder)
        complete = not in_folder or bool(self._folder.text().strip())
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(complete)

    def _choose_folder(self) -> None:
        chooser = QFileDialog(self, tr("Project folder for labels"), self._folder.text())
        chooser.setFileMode(QFileDialog.FileMode.Directory)
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.fileSelected.connect(self._folder.setText)
        chooser.open()

    def _apply(self) -> None:
        self.applied.emit(self.values())
        self.accept()
