"""How the denoised picture is shown, how strongly, and how far denoising has come."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets.icons import icon
from widgets.key_keeping import SLIDING_KEYS, keep_keys
from widgets.panels.denoiser_choice import DenoiserChoice
from widgets.picture.compare import ViewMode
from widgets.theme import DARK, Theme

MODES = {
    ViewMode.ORIGINAL: ("Off", "Original", "image-outline", "show_original"),
    ViewMode.DENOISED: ("On", "Denoised", "creation", "show_denoised"),
    ViewMode.SIDE_BY_SIDE: (
        "Side",
        "Original and denoised side by side",
        "view-split-vertical",
        "show_side_by_side",
    ),
    ViewMode.WIPE: ("Wipe", "Wipe that follows the mouse", "compare", "show_wipe"),
    ViewMode.DIFFERENCE: ("Diff.", "What denoising took away", "plus-minus", "show_difference"),
}
"""Short text, meaning, icon, and the command whose key stands in the tooltip."""


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
            button.setText(text)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setAccessibleName(meaning)
            self._group.addButton(button)
            self._buttons[mode] = button
            modes.addWidget(button, 1)
        self._group.buttonClicked.connect(self._pick)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, 100)
        self._slider.setPageStep(10)
        self._slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._slider.setAccessibleName("Denoising strength in percent")
        self._slider.setToolTip("How much of the noise is taken away")
        keep_keys(self._slider, SLIDING_KEYS)
        self._slider.valueChanged.connect(self._tell_strength)
        self._percent = QLabel()
        self._percent.setMinimumWidth(self._percent.fontMetrics().horizontalAdvance("100 %"))
        self._percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        strength = QHBoxLayout()
        label = QLabel("Strength")
        label.setBuddy(self._slider)
        strength.addWidget(label)
        strength.addWidget(self._slider, 1)
        strength.addWidget(self._percent)
        self._device = QLabel()
        self._device.setProperty("role", "muted")
        self._device.setAccessibleName("Computing device")
        self._reason = QLabel()
        self._reason.setWordWrap(True)
        self._reason.setProperty("role", "warning")
        self._reason.hide()
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(8)
        self._progress.setAccessibleName("Denoised frames")
        self._cancel = QToolButton()
        self._cancel.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._cancel.setToolTip("Stop denoising")
        self._cancel.setAccessibleName("Stop denoising")
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
        layout.addWidget(self._running)
        layout.addWidget(self._reason)
        layout.addWidget(self._device)
        layout.addStretch(1)
        self.set_theme(DARK)
        self.set_shortcuts({})
        self.set_mode(ViewMode.ORIGINAL)
        self.set_strength(1.0)
        self.set_progress(0, 0)

    def _pick(self, picked: QAbstractButton) -> None:
        self.mode_picked.emit(next(m for m, button in self._buttons.items() if button is picked))

    def _tell_strength(self, percent: int) -> None:
        self._percent.setText(f"{percent} %")
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
            button.setToolTip(f"{meaning} ({key})" if key else meaning)

    def set_mode(self, mode: ViewMode) -> None:
        """Show which mode is on."""
        self._buttons[mode].setChecked(True)

    def set_strength(self, strength: float) -> None:
        """Show the strength (0..1) without telling it back."""
        self._slider.blockSignals(True)
        self._slider.setValue(round(strength * 100))
        self._slider.blockSignals(False)
        self._percent.setText(f"{self._slider.value()} %")

    def set_progress(self, done: int, total: int) -> None:
        """Show how many frames are denoised; with all of them done the bar goes."""
        self._progress.setMaximum(max(total, 1))
        self._progress.setValue(done)
        self._progress.setToolTip(f"{done} of {total} frames denoised")
        self._running.setVisible(done < total)

    def set_device(self, device: str) -> None:
        """Show what computes, such as "CPU, ONNX Runtime"."""
        self._device.setText(device)

    def set_available(self, available: bool, reason: str = "") -> None:
        """Let the user choose, or say in a sentence why not."""
        for button in self._buttons.values():
            button.setEnabled(available)
        self._slider.setEnabled(available)
        self._reason.setText(reason)
        self._reason.setVisible(bool(reason))
