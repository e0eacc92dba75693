"""The two modes, always in sight: review, where clicks change nothing, and label."""

from __future__ import annotations

from gettext import gettext as tr

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget


class ModeSwitch(QWidget):
    """Two buttons of which one is down.

    Signals
    -------
    picked(bool) : True where the user wants to label.
    """

    picked = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._review, self._label = QToolButton(), QToolButton()
        self._review.setText(tr("Review"))
        self._label.setText(tr("Label"))
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(0)
        for button, side in ((self._review, "left"), (self._label, "right")):
            button.setCheckable(True)
            button.setProperty("role", "mode")
            button.setProperty("side", side)
            group.addButton(button)
            row.addWidget(button)
        self._review.setChecked(True)
        self._review.clicked.connect(lambda: self.picked.emit(False))
        self._label.clicked.connect(lambda: self.picked.emit(True))

    def set_labelling(self, labelling: bool) -> None:
        """Show which mode is on."""
        (self._label if labelling else self._review).setChecked(True)

    def set_shortcut(self, key: str) -> None:
        """Say which key changes the mode."""
        review = tr("Clicks change nothing; a drag does what the chosen tool does ({key})")
        label = tr("A click places the tip of the chosen track ({key})")
        self._review.setToolTip(review.format(key=key))
        self._label.setToolTip(label.format(key=key))
