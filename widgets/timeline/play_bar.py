"""The buttons and read-outs that play the cine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from gettext import gettext as tr

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from widgets.command_button import CommandButton
from widgets.elided_label import ElidedLabel
from widgets.theme import Theme
from widgets.translation import marked

REPEATS = {
    "loop": ("repeat", marked("Plays in a loop")),
    "bounce": ("swap-horizontal", marked("Plays forth and back")),
    "once": ("arrow-collapse-right", marked("Plays once and stops")),
}
"""Icon and meaning of what happens at the end of the run."""


BUTTONS = (
    ("first_frame", marked("First frame"), "skip-backward"),
    ("step_back", marked("Previous frame"), "step-backward"),
    ("toggle_play", marked("Play"), "play"),
    ("step_forward", marked("Next frame"), "step-forward"),
    ("last_frame", marked("Last frame"), "skip-forward"),
    ("cycle_repeat", REPEATS["loop"][1], REPEATS["loop"][0]),
)
"""Command, meaning and icon."""


class PlayBar(QWidget):
    """Play, step, repeat, speed, and where the playhead is.

    Parameters
    ----------
    speeds : sequence of float
        Playing speeds to choose from, 1 = true time.

    Signals
    -------
    command_requested(str) : first_frame, step_back, toggle_play, step_forward, last_frame or
        cycle_repeat.
    speed_picked(float) : one of the speeds.
    """

    command_requested = Signal(str)
    speed_picked = Signal(float)

    def __init__(self, speeds: Sequence[float], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._frame_count = 0
        self._buttons = {
            name: CommandButton(name, tr(description), icon_name)
            for name, description, icon_name in BUTTONS
        }
        self._speed = QComboBox()
        self._speed.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._speed.setAccessibleName(tr("Speed"))
        for speed in speeds:
            self._speed.addItem(f"{speed:g}×", speed)
        self._speed.activated.connect(lambda i: self.speed_picked.emit(self._speed.itemData(i)))
        self._position = QLabel()
        self._position.setAccessibleName(tr("Frame and time"))
        self._note = ElidedLabel()
        self._note.setAccessibleName(tr("Frames that are played"))
        self._rate = ElidedLabel()
        self._rate.setAccessibleName(tr("Shown frames a second"))
        self._rate.setProperty("role", "muted")
        self._rate.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 0, 6, 0)
        layout.setSpacing(1)
        for button in self._buttons.values():
            button.clicked.connect(self._request)
            layout.addWidget(button)
        layout.addWidget(self._speed)
        layout.addSpacing(10)
        layout.addWidget(self._position)
        layout.addSpacing(10)
        layout.addWidget(self._note, 1)
        layout.addWidget(self._rate, 1)
        self.set_shortcuts({})
        self.set_speed(1.0)
        self.set_frame_count(0)

    def _request(self) -> None:
        button = self.sender()
        assert isinstance(button, CommandButton)
        self.command_requested.emit(button.command)

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        for button in self._buttons.values():
            button.set_theme(theme)

    def set_shortcuts(self, keys: Mapping[str, str]) -> None:
        """Write the keys of the commands (command name to key) into the tooltips."""
        for name, button in self._buttons.items():
            button.set_key(keys.get(name, ""))
        slower, faster = keys.get("slower", ""), keys.get("faster", "")
        tip = tr("Speed ({slower} {faster})") if slower and faster else tr("Speed")
        self._speed.setToolTip(tip.format(slower=slower, faster=faster))

    def set_usable(self, commands: Collection[str]) -> None:
        """Enable the buttons of these commands and disable the others."""
        for name, button in self._buttons.items():
            button.setEnabled(name in commands)

    def set_frame_count(self, count: int) -> None:
        """Show a run of ``count`` frames, 0 for none."""
        self._frame_count = count
        self._position.setText("" if count else tr("No run"))
        widest = _position_text(count, count, 18888.888)
        self._position.setFixedWidth(_widest(self._position, widest))
        self.set_shown_rate(None)

    def set_position(self, index: int, time_ms: float) -> None:
        """Show the playhead at frame ``index`` (from 0), ``time_ms`` after the first frame."""
        self._position.setText(_position_text(index + 1, self._frame_count, time_ms / 1000.0))

    def set_playing(self, playing: bool) -> None:
        """Turn the play button into a pause button, or back."""
        button = self._buttons["toggle_play"]
        button.set_icon_name("pause" if playing else "play")
        button.set_description(tr("Pause") if playing else tr("Play"))

    def set_repeat(self, repeat: str) -> None:
        """Show what happens at the end of the run: a key of `REPEATS`."""
        icon_name, meaning = REPEATS[repeat]
        self._buttons["cycle_repeat"].set_icon_name(icon_name)
        self._buttons["cycle_repeat"].set_description(tr(meaning))

    def set_speed(self, speed: float) -> None:
        """Show the speed, 1 = true time."""
        self._speed.setCurrentIndex(self._speed.findText(f"{speed:g}×"))

    def set_note(self, text: str) -> None:
        """Say which frames are played, where not all of them are."""
        self._note.setText(text)

    def set_shown_rate(
        self,
        rate_hz: float | None,
        run_rate_hz: float | None = None,
        denoised_share: float | None = None,
    ) -> None:
        """Show how many frames a second reach the screen, and the run's own rate.

        ``denoised_share`` (0 to 1) says how many of them are denoised, where not all are yet.
        """
        text = _rate_text(rate_hz, run_rate_hz)
        if denoised_share is not None:
            share = tr("{percent:.0f}% denoised").format(percent=100.0 * denoised_share)
            text = f"{text} · {share}"
        self._rate.setText(text)


def _position_text(number: int, count: int, time_s: float) -> str:
    text = tr("Frame {number} / {count}   {seconds:.3f} s")
    return text.format(number=number, count=count, seconds=time_s)


def _rate_text(rate_hz: float | None, run_rate_hz: float | None) -> str:
    parts = (
        (rate_hz, tr("{rate:.1f} fps shown")),
        (run_rate_hz, tr("run {rate:.3g} fps")),
    )
    return " · ".join(text.format(rate=rate) for rate, text in parts if rate is not None)


def _widest(label: QLabel, text: str) -> int:
    """Return the width of a text whatever its digits, so that nothing beside it moves."""
    digits = "".join("8" if character.isdigit() else character for character in text)
    return label.fontMetrics().horizontalAdvance(digits) + 2
