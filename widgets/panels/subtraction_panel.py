"""Subtraction at a glance: on or off, its mask, how that follows the frames, what is shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from gettext import gettext as tr

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets.icons import icon
from widgets.key_keeping import SLIDING_KEYS, keep_keys
from widgets.theme import DARK, Theme
from widgets.translation import marked

ROWS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        marked("DSA"),
        (
            ("toggle_subtraction", marked("Subtract the mask (DSA)"), marked("On")),
            ("mask_here", marked("This frame is the mask"), marked("Frame")),
            ("mask_span", marked("The marked span, averaged, is the mask"), marked("Span")),
            ("mask_reset", marked("The file's mask, not moved"), marked("File")),
        ),
    ),
    (
        marked("Follows"),
        (
            ("register_off", marked("The mask stays where it is"), marked("Off")),
            (
                "register_shift",
                marked("The mask is of the frame's phase, and shifted"),
                marked("Shift"),
            ),
            (
                "register_elastic",
                marked("The mask is of the frame's phase, and bent"),
                marked("Elastic"),
            ),
        ),
    ),
    (
        marked("Shows"),
        (
            ("peak_off", marked("Single subtracted frames"), marked("Frames")),
            ("peak_opacification", marked("Each place at its fullest contrast"), marked("Peak")),
            ("peak_time", marked("When contrast was fullest, in colours"), marked("Time")),
        ),
    ),
)
"""Label of a row; and of its buttons the command, its meaning, a short text."""
STOP = "stop_registering"
STOP_HEIGHT = 20


class SubtractionPanel(QWidget):
    """Buttons that ask for commands, the share that stays unsubtracted, and progress.

    Signals
    -------
    command_requested(str) : name of a command.
    landmarks_changed(float) : share of the unsubtracted picture that is to stay, 0 to 1.
    """

    command_requested = Signal(str)
    landmarks_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons: dict[str, QToolButton] = {}
        self._meanings: dict[str, str] = {}
        grid = QGridLayout()
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        for number, (label, buttons) in enumerate(ROWS):
            grid.addWidget(QLabel(tr(label)), number, 0)
            row = QHBoxLayout()
            row.setSpacing(2)
            for command, meaning, text in buttons:
                row.addWidget(self._make_button(command, tr(meaning), tr(text)), 1)
            grid.addLayout(row, number, 1)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, 100)
        self._slider.setPageStep(10)
        self._slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._slider.setAccessibleName(tr("Share of the unsubtracted picture in percent"))
        self._slider.setToolTip(tr("How much of the unsubtracted picture stays to be seen"))
        keep_keys(self._slider, SLIDING_KEYS)
        self._slider.valueChanged.connect(self._tell_landmarks)
        self._percent = QLabel()
        widest = self._percent.fontMetrics().horizontalAdvance(_percent_text(100))
        self._percent.setMinimumWidth(widest)
        self._percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        anatomy = QHBoxLayout()
        name = QLabel(tr("Anatomy"))
        name.setBuddy(self._slider)
        anatomy.addWidget(self._slider, 1)
        anatomy.addWidget(self._percent)
        grid.addWidget(name, len(ROWS), 0)
        grid.addLayout(anatomy, len(ROWS), 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 2)
        layout.setSpacing(2)
        layout.addLayout(grid)
        self._running = self._make_running()
        layout.addWidget(self._running)
        layout.addStretch(1)
        self.set_theme(DARK)
        self.set_landmarks(0.0)
        self.set_progress(None)

    def _make_button(self, command: str, meaning: str, text: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setProperty("role", "action")
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setAccessibleName(meaning)
        button.setToolTip(meaning)
        button.clicked.connect(lambda checked: self._request(command, checked))
        self._buttons[command], self._meanings[command] = button, meaning
        return button

    def _make_running(self) -> QWidget:
        """Return the progress with a button that stops; it keeps its room while it is hidden."""
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(8)
        self._progress.setAccessibleName(tr("Registered frames"))
        self._stop = QToolButton()
        self._stop.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._stop.setFixedHeight(STOP_HEIGHT)
        self._stop.setToolTip(tr("Stop registering"))
        self._stop.setAccessibleName(tr("Stop registering"))
        self._stop.clicked.connect(lambda: self.command_requested.emit(STOP))
        running = QWidget()
        row = QHBoxLayout(running)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._progress, 1)
        row.addWidget(self._stop)
        policy = running.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        running.setSizePolicy(policy)
        return running

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that a button stands for."""
        return tuple(self._buttons)

    def _request(self, command: str, checked: bool) -> None:
        self._buttons[command].setChecked(not checked)  # as it is, until the session says else
        self.command_requested.emit(command)

    def _tell_landmarks(self, percent: int) -> None:
        self._percent.setText(_percent_text(percent))
        self.landmarks_changed.emit(percent / 100.0)

    def set_on(self, commands: Collection[str]) -> None:
        """Show which of the commands are on."""
        for command, button in self._buttons.items():
            button.setChecked(command in commands)

    def set_landmarks(self, share: float) -> None:
        """Show the share (0..1) that stays unsubtracted, without telling it back."""
        self._slider.blockSignals(True)
        self._slider.setValue(round(share * 100))
        self._slider.blockSignals(False)
        self._percent.setText(_percent_text(self._slider.value()))

    def set_progress(self, share: float | None) -> None:
        """Show how much is computed, 0 to 1; None where nothing is being computed."""
        self._progress.setValue(round(100 * (share or 0.0)))
        self._running.setVisible(share is not None)

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._stop.setIcon(icon("close", theme))

    def set_shortcuts(self, keys: Mapping[str, str]) -> None:
        """Write the keys of the commands (command name to key) into the tooltips."""
        for command, button in self._buttons.items():
            key = keys.get(command, "")
            tip = tr("{meaning} ({key})") if key else "{meaning}"
            button.setToolTip(tip.format(meaning=self._meanings[command], key=key))

    def set_usable(self, commands: Collection[str]) -> None:
        """Enable what does these commands and disable the rest."""
        for command, button in self._buttons.items():
            button.setEnabled(command in commands)
        self._slider.setEnabled("more_landmarks" in commands)
        self._stop.setEnabled(STOP in commands)


def _percent_text(percent: int) -> str:
    return tr("{percent} %").format(percent=percent)
