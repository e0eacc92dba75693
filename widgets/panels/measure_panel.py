"""The measures of the run, and what a pixel is long."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as tr

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from widgets.command_grid import CommandGrid
from widgets.key_keeping import SLIDING_KEYS, keep_keys
from widgets.theme import DARK, Theme
from widgets.translation import marked

ID_ROLE = Qt.ItemDataRole.UserRole
BUTTONS: tuple[tuple[str, str, str, str], ...] = (
    (
        "calibrate_catheter",
        marked("Calibrate by a catheter: draw along an empty stretch of it"),
        "ruler-square",
        marked("Calibrate"),
    ),
    (
        "calibrate_length",
        marked("Calibrate: the chosen distance has a known length"),
        "arrow-expand-horizontal",
        marked("By length"),
    ),
    (
        "measure_all_frames",
        marked("The chosen measure holds on all frames"),
        "layers-triple-outline",
        marked("All frames"),
    ),
    ("rename_measure", marked("Write on the chosen measure"), "pencil-outline", marked("Write")),
    ("copy_measures", marked("Copy all measures as a table"), "content-copy", marked("Copy")),
    ("export_measures", marked("Save all measures as CSV"), "export-variant", marked("Export")),
)
"""Two in a row: command, meaning, icon, short text."""


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure as it is listed."""

    mark_id: str
    kind: str
    frame: str
    value: str


class MeasurePanel(QWidget):
    """Lists measures and offers what can be done with them.

    Signals
    -------
    command_requested(str) : name of a command.
    measure_picked(str)
    """

    command_requested = Signal(str)
    measure_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale = QLabel()
        self._scale.setWordWrap(True)
        self._scale.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        self._items: dict[str, QTreeWidgetItem] = {}
        self._list = QTreeWidget()
        self._list.setColumnCount(3)
        self._list.setHeaderLabels([tr("Measure"), tr("Frame"), tr("Value")])
        self._list.setRootIsDecorated(False)
        self._list.setUniformRowHeights(True)
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._list.setAccessibleName(tr("Measures"))
        header = self._list.header()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        keep_keys(self._list, SLIDING_KEYS)
        self._list.itemSelectionChanged.connect(self._pick)
        self._grid = CommandGrid(BUTTONS)
        self._grid.command_requested.connect(self.command_requested)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 6)
        column.setSpacing(4)
        column.addWidget(self._scale)
        column.addWidget(self._list, 1)
        column.addWidget(self._grid)
        self.set_theme(DARK)

    def set_scale(self, text: str) -> None:
        """Say what a pixel is long, and how that is known."""
        self._scale.setText(text)

    def set_measures(self, rows: Sequence[MeasureRow], selected: str | None) -> None:
        """List these measures."""
        self._list.blockSignals(True)
        if list(self._items) != [row.mark_id for row in rows]:
            self._list.clear()
            self._items = {row.mark_id: self._new_item(row.mark_id) for row in rows}
        for row in rows:
            item = self._items[row.mark_id]
            for place, text in enumerate((row.kind, row.frame, row.value)):
                item.setText(place, text)
                item.setToolTip(place, text)
            item.setSelected(row.mark_id == selected)
        self._list.blockSignals(False)

    def _new_item(self, mark_id: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem(self._list)
        item.setData(0, ID_ROLE, mark_id)
        return item

    def set_usable(self, commands: Collection[str]) -> None:
        """Enable the buttons of these commands and disable the others."""
        self._grid.set_usable(commands)

    def set_shortcuts(self, keys: Mapping[str, str]) -> None:
        """Write the keys of the commands (command name to key) on the buttons."""
        self._grid.set_shortcuts(keys)

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._grid.set_theme(theme)

    def _pick(self) -> None:
        chosen = self._list.selectedItems()
        if chosen:
            self.measure_picked.emit(chosen[0].data(0, ID_ROLE))
