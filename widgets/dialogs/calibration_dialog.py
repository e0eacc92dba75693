"""Asks how large what was measured is: a catheter's French size, a ball's diameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from gettext import gettext as tr

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

DIAMETERS_MM = (1.0, 200.0)


class CalibrationDialog(QDialog):
    """Show it with ``open()``.

    Parameters
    ----------
    found : str
        What was measured, in a sentence.
    doubts : sequence of str
        Why that may be wrong, a sentence each.
    french_sizes : sequence of int
        To choose from, none by default; empty asks for a diameter in mm.
    builds : mapping of str to str
        Kinds of catheter by key; the first is taken by default.
    ask : bool
        What was found calibrates only where the user ticks that it is to do so all the same.

    Signals
    -------
    applied(float, bool) : the size, and whether that was ticked.
    build_picked(str) : another kind: what was found is to be measured anew.
    """

    applied = Signal(float, bool)
    build_picked = Signal(str)

    def __init__(
        self,
        found: str,
        doubts: Sequence[str],
        french_sizes: Sequence[int] = (),
        builds: Mapping[str, str] | None = None,
        parent: QWidget | None = None,
        *,
        ask: bool = False,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Calibrate"))
        self._found = QLabel()
        self._found.setWordWrap(True)
        self._doubts = QLabel()
        self._doubts.setWordWrap(True)
        self._doubts.setProperty("role", "warning")
        self._all_the_same = QCheckBox(tr("Calibrate &all the same"))
        self._all_the_same.toggled.connect(lambda _: self._check())
        form = QFormLayout()
        self._french = QComboBox()
        self._build = QComboBox()
        self._diameter = QDoubleSpinBox()
        if french_sizes:
            self._french.addItem(tr("Choose its size"), 0.0)
            for size in french_sizes:
                text = tr("{french} F ({mm} mm)").format(french=size, mm=f"{size / 3:.2f}")
                self._french.addItem(text, float(size))
            for key, text in (builds or {}).items():
                self._build.addItem(text, key)
            form.addRow(tr("&French size"), self._french)
            form.addRow(tr("&Kind"), self._build)
        else:
            self._diameter.setRange(*DIAMETERS_MM)
            self._diameter.setDecimals(2)
            self._diameter.setValue(30.0)
            self._diameter.setSuffix(tr(" mm"))
            form.addRow(tr("&Diameter"), self._diameter)
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self._ok = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        self._ok.setText(tr("Calibrate"))
        self._buttons.button(QDialogButtonBox.StandardButton.Cancel).setText(tr("Cancel"))
        self._buttons.accepted.connect(self._apply)
        self._buttons.rejected.connect(self.reject)
        self._french.currentIndexChanged.connect(self._check)
        self._build.currentIndexChanged.connect(
            lambda _: self.build_picked.emit(self._build.currentData())
        )
        layout = QVBoxLayout(self)
        layout.addWidget(self._found)
        layout.addWidget(self._doubts)
        layout.addWidget(self._all_the_same)
        layout.addLayout(form)
        layout.addWidget(self._buttons)
        self.set_found(found, doubts, ask=ask)
        self.resize(26 * self.fontMetrics().height(), self.sizeHint().height())

    def set_found(self, found: str, doubts: Sequence[str], *, ask: bool = False) -> None:
        """Say what was measured, why it may be wrong, and whether that has to be agreed to."""
        self._found.setText(found)
        self._doubts.setText("\n".join(doubts))
        self._doubts.setVisible(bool(doubts))
        self._all_the_same.setVisible(ask)
        if not ask:
            self._all_the_same.setChecked(False)
        self._asks = ask
        self._check()

    def _check(self) -> None:
        """Offer to calibrate once a size is chosen, and a doubt that weighs is agreed to."""
        sized = not self._french.count() or bool(self._french.currentData())
        self._ok.setEnabled(sized and (not self._asks or self._all_the_same.isChecked()))

    def _apply(self) -> None:
        size = self._french.currentData() if self._french.count() else self._diameter.value()
        self.applied.emit(size, self._all_the_same.isChecked())
        self.accept()
