"""The help page of keyboard shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as tr

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)


@dataclass(frozen=True, slots=True)
class ShortcutRow:
    """One line of the page; ``keys`` as the platform writes them."""

    group: str
    action: str
    keys: str


class ShortcutsPage(QDialog):
    """All shortcuts by group, with a search over action, group and key."""

    def __init__(self, rows: Sequence[ShortcutRow], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Keyboard shortcuts"))
        self._items: list[tuple[ShortcutRow, QTreeWidgetItem]] = []
        self._groups: dict[str, QTreeWidgetItem] = {}
        self._search = QLineEdit()
        self._search.setPlaceholderText(tr("Search actions and keys"))
        self._search.setAccessibleName(tr("Search shortcuts"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._filter)
        self._tree = QTreeWidget()
        self._tree.setColumnCount(2)
        self._tree.setHeaderLabels([tr("Action"), tr("Keys")])
        self._tree.setRootIsDecorated(False)
        self._tree.setItemsExpandable(False)
        self._tree.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
        self._tree.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._tree.setAccessibleName(tr("Shortcuts"))
        header = self._tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setText(tr("Close"))
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self._search)
        layout.addWidget(self._tree, 1)
        layout.addWidget(buttons)
        self._fill(rows)
        line = self.fontMetrics().height()
        self.resize(34 * line, 40 * line)

    def _fill(self, rows: Sequence[ShortcutRow]) -> None:
        for row in rows:
            if row.group not in self._groups:
                self._groups[row.group] = self._add_group(row.group)
            item = QTreeWidgetItem(self._groups[row.group], [row.action, row.keys])
            self._items.append((row, item))

    def _add_group(self, name: str) -> QTreeWidgetItem:
        group = QTreeWidgetItem(self._tree, [name])
        font = group.font(0)
        font.setBold(True)
        group.setFont(0, font)
        group.setFirstColumnSpanned(True)
        group.setExpanded(True)
        return group

    def _filter(self, text: str) -> None:
        words = text.casefold().split()
        for row, item in self._items:
            line = f"{row.group} {row.action} {row.keys}".casefold()
            item.setHidden(not all(word in line for word in words))
        kept = {row.group for row, item in self._items if not item.isHidden()}
        for name, group in self._groups.items():
            group.setHidden(name not in kept)

    def visible_actions(self) -> list[str]:
        """Return the actions that the search leaves, from top to bottom."""
        return [row.action for row, item in self._items if not item.isHidden()]
