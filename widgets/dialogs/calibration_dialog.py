"""Asks how large what was measured is: a catheter's French size, a ball's diameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from gettext import gettext as tr

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
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

    Signals
    -------
    applied(float, str) : the size, and the kind of catheter ("" of a ball).
    build_picked(str) : another kind: what was found is to be measured anew.
    """

    applied = Signal(float, str)
    build_picked = Signal(str)

    def __init__(
        self,
        found: str,
        doubts: Sequence[str],
        french_sizes: Sequence[int] = (),
        builds: Mapping[str, str] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Calibrate"))
        self._found = QLabel()
        self._found.setWordWrap(True)
        self._doubts = QLabel()
        self._doubts.setWordWrap(True)
        self._doubts.setProperty("role", "warning")
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
        layout.addLayout(form)
        layout.addWidget(self._buttons)
        self.set_found(found, doubts)
        self._check()
        self.resize(26 * self.fontMetrics().height(), self.sizeHint().height())

    def set_found(self, found: str, doubts: Sequence[str]) -> None:
        """Say what was measured, and why it may be wrong."""
        self._found.setText(found)
        self._doubts.setText("\n".join(doubts))
        self._doubts.setVisible(bool(doubts))

    def _check(self) -> None:
        """Offer to calibrate once a size is chosen: none is taken for granted."""
        self._ok.setEnabled(not self._french.count() or bool(self._french.currentData()))

    def _apply(self) -> None:
        if self._french.count():
            self.applied.emit(self._french.currentData(), self._build.currentData() or "")
        else:
            self.applied.emit(self._diameter.value(), "")
        self.accept()
