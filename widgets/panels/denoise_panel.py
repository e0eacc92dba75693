"""How the denoised picture is shown, how strongly, and how far denoising has come."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from gettext import gettext as tr

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSlider,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets.icons import icon
from widgets.key_keeping import SLIDING_KEYS, keep_keys
from widgets.panels.denoiser_choice import DenoiserChoice
from widgets.picture.compare import ViewMode
from widgets.theme import DARK, Theme
from widgets.translation import marked

MODES = {
    ViewMode.ORIGINAL: (marked("Off"), marked("Original"), "image-outline", "show_original"),
    ViewMode.DENOISED: (marked("On"), marked("Denoised"), "creation", "show_denoised"),
    ViewMode.SIDE_BY_SIDE: (
        marked("Side"),
        marked("Original and denoised side by side"),
        "view-split-vertical",
        "show_side_by_side",
    ),
    ViewMode.WIPE: (
        marked("Wipe"),
        marked("Wipe that follows the mouse"),
        "compare",
        "show_wipe",
    ),
    ViewMode.DIFFERENCE: (
        marked("Diff."),
        marked("What denoising took away"),
        "plus-minus",
        "show_difference",
    ),
}
"""Short text, meaning, icon, and the command whose key stands in the tooltip."""


NOTE_LINES = 2


class DenoisePanel(QWidget):
    """Mode, strength, progress and device of denoising, and which denoiser computes.

    Attributes
    ----------
    denoiser : DenoiserChoice

    Signals
    -------
    mode_picked(object) : a `ViewMode`.
    strength_changed(float) : 0..1.
    cancel_requested() : stop computing; what is done stays.
    """

    mode_picked = Signal(object)
    strength_changed = Signal(float)
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons: dict[ViewMode, QToolButton] = {}
        self._group = QButtonGroup(self)
        modes = QHBoxLayout()
        modes.setSpacing(2)
        for mode, (text, meaning, _, _) in MODES.items():
            button = QToolButton()
            button.setText(tr(text))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setAccessibleName(tr(meaning))
            self._group.addButton(button)
            self._buttons[mode] = button
            modes.addWidget(button, 1)
        self._group.buttonClicked.connect(self._pick)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, 100)
        self._slider.setPageStep(10)
        self._slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._slider.setAccessibleName(tr("Denoising strength in percent"))
        self._slider.setToolTip(tr("How much of the noise is taken away"))
        keep_keys(self._slider, SLIDING_KEYS)
        self._slider.valueChanged.connect(self._tell_strength)
        self._percent = QLabel()
        self._percent.setMinimumWidth(
            self._percent.fontMetrics().horizontalAdvance(_percent_text(100))
        )
        self._percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        strength = QHBoxLayout()
        label = QLabel(tr("Strength"))
        label.setBuddy(self._slider)
        strength.addWidget(label)
        strength.addWidget(self._slider, 1)
        strength.addWidget(self._percent)
        self._device = ""
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._note.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._note.setFixedHeight(NOTE_LINES * self._note.fontMetrics().lineSpacing() + 2)
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(8)
        self._progress.setAccessibleName(tr("Denoised frames"))
        self._cancel = QToolButton()
        self._cancel.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._cancel.setToolTip(tr("Stop denoising"))
        self._cancel.setAccessibleName(tr("Stop denoising"))
        self._cancel.clicked.connect(self.cancel_requested)
        self._running = QWidget()
        running = QHBoxLayout(self._running)
        running.setContentsMargins(0, 0, 0, 0)
        running.addWidget(self._progress, 1)
        running.addWidget(self._cancel)
        self.denoiser = DenoiserChoice()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        layout.setSpacing(4)
        layout.addLayout(modes)
        layout.addLayout(strength)
        layout.addWidget(self.denoiser)
        # one below the other they would take room that small screens do not have
        self._foot = QStackedLayout()
        self._foot.addWidget(self._note)
        self._foot.addWidget(self._running)
        layout.addLayout(self._foot)
        layout.addStretch(1)
        self.set_theme(DARK)
        self.set_shortcuts({})
        self.set_mode(ViewMode.ORIGINAL)
        self.set_strength(1.0)
        self.set_progress(0, 0)

    def _pick(self, picked: QAbstractButton) -> None:
        self.mode_picked.emit(next(m for m, button in self._buttons.items() if button is picked))

    def _tell_strength(self, percent: int) -> None:
        self._percent.setText(_percent_text(percent))
        self.strength_changed.emit(percent / 100.0)

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        for mode, button in self._buttons.items():
            button.setIcon(icon(MODES[mode][2], theme))
        self._cancel.setIcon(icon("close", theme))
        self.denoiser.set_theme(theme)

    def set_shortcuts(self, keys: Mapping[str, str]) -> None:
        """Write the keys of the commands (command name to key) into the tooltips."""
        for mode, button in self._buttons.items():
            _, meaning, _, command = MODES[mode]
            key = keys.get(command, "")
            tip = tr("{meaning} ({key})") if key else "{meaning}"
            button.setToolTip(tip.format(meaning=tr(meaning), key=key))

    def set_mode(self, mode: ViewMode) -> None:
        """Show which mode is on."""
        self._buttons[mode].setChecked(True)

    def set_strength(self, strength: float) -> None:
        """Show the strength (0..1) without telling it back."""
        self._slider.blockSignals(True)
        self._slider.setValue(round(strength * 100))
        self._slider.blockSignals(False)
        self._percent.setText(_percent_text(self._slider.value()))

    def set_progress(self, done: int, total: int) -> None:
        """Show how many frames are denoised; with all of them done the bar goes."""
        self._progress.setMaximum(max(total, 1))
        self._progress.setValue(done)
        tip = tr("{done} of {total} frames denoised")
        self._progress.setToolTip(tip.format(done=done, total=total))
        self._foot.setCurrentWidget(self._running if done < total else self._note)

    def set_device(self, device: str) -> None:
        """Show what computes, such as "CPU, ONNX Runtime"."""
        self._device = device
        self._show_note("")

    def set_note(self, text: str) -> None:
        """Say in a sentence what must be known of this run; "" shows what computes."""
        self._show_note(text)

    def set_usable(self, commands: Collection[str]) -> None:
        """Enable what does these commands and disable the rest."""
        for mode, button in self._buttons.items():
            button.setEnabled(MODES[mode][3] in commands)
        self._slider.setEnabled("show_denoised" in commands)
        self._cancel.setEnabled("cancel_denoising" in commands)

    def _show_note(self, text: str) -> None:
        self._note.setText(text or self._device)
        self._note.setProperty("role", "warning" if text else "muted")
        self._note.style().polish(self._note)  # the style sheet looks at the role


def _percent_text(percent: int) -> str:
    return tr("{percent} %").format(percent=percent)
