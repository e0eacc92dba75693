"""Which denoiser computes: the shipped one, or one adapted to a scanner; and adapting another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as tr

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets.elided_label import ElidedLabel
from widgets.icons import icon
from widgets.key_keeping import SLIDING_KEYS, keep_keys
from widgets.theme import DARK, Theme

LEAST_CHARACTERS = 12
BAR_STEPS = 1000


@dataclass(frozen=True, slots=True)
class DenoiserRow:
    """One adapted denoiser; ``details`` tells in a line or two where it comes from."""

    name: str
    details: str = ""


class DenoiserChoice(QWidget):
    """A choice; in its place the progress while one is adapted, and then what came of it.

    Signals
    -------
    denoiser_picked(str) : name of an adapted one, "" for the shipped one.
    adapt_requested() : adapt a new one to the open run.
    cancel_requested() : stop adapting.
    delete_requested(str) : delete this adapted one.
    result_taken(bool) : keep and use what came of adapting, or not.
    """

    denoiser_picked = Signal(str)
    adapt_requested = Signal()
    cancel_requested = Signal()
    delete_requested = Signal(str)
    result_taken = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._box = QComboBox()
        self._box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._box.setAccessibleName(tr("Denoiser"))
        self._box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._box.setMinimumContentsLength(LEAST_CHARACTERS)
        self._box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        keep_keys(self._box, SLIDING_KEYS)
        self._box.activated.connect(self._pick)
        self._adapt = QToolButton()
        self._adapt.setText(tr("Adapt"))
        self._adapt.setProperty("role", "action")
        self._adapt.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._adapt.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._adapt.setAccessibleName(tr("Adapt to this scanner"))
        self._adapt.setToolTip(
            tr(
                "Adapt the denoiser to the scanner of this run:\n"
                "some minutes, during which you can work on"
            )
        )
        self._adapt.clicked.connect(self.adapt_requested)
        self._delete = self._plain_button(tr("Delete this adapted denoiser"))
        self._delete.clicked.connect(lambda: self.delete_requested.emit(self._box.currentData()))
        self._choice = QWidget()
        choice = QHBoxLayout(self._choice)
        choice.setContentsMargins(0, 0, 0, 0)
        choice.setSpacing(2)
        choice.addWidget(self._box, 1)
        choice.addWidget(self._adapt)
        choice.addWidget(self._delete)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._parts = (self._choice, self._make_running(), self._make_result())
        for part in self._parts:
            layout.addWidget(part)
        self.set_theme(DARK)
        self.set_denoisers(())
        self.show_choice()

    def _make_running(self) -> QWidget:
        self._running_text = ElidedLabel()
        self._running_text.setProperty("role", "muted")
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(8)
        self._progress.setAccessibleName(tr("Adapting the denoiser"))
        self._cancel = self._plain_button(tr("Stop adapting"))
        self._cancel.clicked.connect(self.cancel_requested)
        self._running = QWidget()
        row = QHBoxLayout(self._running)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._running_text, 1)
        row.addWidget(self._progress, 1)
        row.addWidget(self._cancel)
        return self._running

    def _make_result(self) -> QWidget:
        self._result_text = QLabel()
        self._result_text.setWordWrap(True)
        self._keep = QPushButton(tr("Keep and use"))
        self._discard = QPushButton(tr("Discard"))
        for button, kept in ((self._keep, True), (self._discard, False)):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _, kept=kept: self.result_taken.emit(kept))
        self._result = QWidget()
        row = QHBoxLayout()
        row.addWidget(self._keep, 1)
        row.addWidget(self._discard, 1)
        column = QVBoxLayout(self._result)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._result_text)
        column.addLayout(row)
        return self._result

    def _plain_button(self, meaning: str) -> QToolButton:
        button = QToolButton()
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setToolTip(meaning)
        button.setAccessibleName(meaning)
        return button

    def _pick(self, _: int) -> None:
        self._show_picked()
        self.denoiser_picked.emit(self._box.currentData())

    def _show_picked(self) -> None:
        self._delete.setVisible(bool(self._box.currentData()))
        self._box.setToolTip(self._box.currentData(Qt.ItemDataRole.ToolTipRole))

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._adapt.setIcon(icon("tune-variant", theme))
        self._delete.setIcon(icon("delete-outline", theme))
        self._cancel.setIcon(icon("close", theme))

    def set_denoisers(self, rows: Sequence[DenoiserRow], picked: str = "") -> None:
        """Offer these beside the shipped one, and show which is picked, without telling it back."""
        self._box.clear()
        for row in (DenoiserRow("", tr("Made for all scanners, comes with the program")), *rows):
            self._box.addItem(row.name or tr("Shipped denoiser"), row.name)
            self._box.setItemData(self._box.count() - 1, row.details, Qt.ItemDataRole.ToolTipRole)
        self._box.setCurrentIndex(max(self._box.findData(picked), 0))
        self._show_picked()

    def set_adaptable(self, adaptable: bool) -> None:
        """Offer to adapt, or not: without a run there is nothing to adapt to."""
        self._adapt.setEnabled(adaptable)

    def show_choice(self) -> None:
        """Let the user choose; nothing is being adapted."""
        self._show_part(self._choice)

    def show_progress(self, share: float, text: str, details: str = "") -> None:
        """Show how far adapting has come (0..1), and in ``text`` how long it will take."""
        self._progress.setMaximum(BAR_STEPS if share > 0 else 0)
        self._progress.setValue(round(share * BAR_STEPS))
        self._running_text.setText(text)
        self._running.setToolTip(details)
        self._show_part(self._running)

    def show_result(self, text: str, *, better: bool) -> None:
        """Ask what to do with what came of adapting; the better choice is the highlighted one."""
        self._result_text.setText(text)
        self._keep.setText(tr("Keep and use") if better else tr("Use it anyway"))
        self._keep.setDefault(better)
        self._discard.setDefault(not better)
        self._fit_text()
        self._show_part(self._result)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wrap the result anew."""
        super().resizeEvent(event)
        self._fit_text()

    def _fit_text(self) -> None:
        # A dock asks for its least height only, which for wrapped text is that of too few lines.
        height = self._result_text.heightForWidth(self.width())
        self._result_text.setMinimumHeight(max(height, 0))  # without a text it is -1

    def _show_part(self, shown: QWidget) -> None:
        for part in self._parts:
            part.setVisible(part is shown)

    def minimumSizeHint(self) -> QSize:
        """Leave the width of the panel to the others in it."""
        return QSize(0, super().minimumSizeHint().height())
