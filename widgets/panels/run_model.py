"""The rows of the run list: studies, their series, their runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()


class LabelState(StrEnum):
    """How far a run is labelled."""

    NONE = "no labels"
    IN_PROGRESS = "labels in progress"
    REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True, eq=False)
class RunRow:
    """One run in the list.

    Attributes
    ----------
    key : str
        Identifies the run; comes back with `RunList.run_activated`.
    study, series : str
        Headings the run stands under; "" leaves that level out. Runs with equal headings stand
        together.
    angles : str
        Such as "LAO 32° CRAN 2°".
    thumbnail : ndarray of uint8, shape (h, w), or None
        Small grey picture.
    error : str
        One sentence why the run cannot be opened, or "".
    """

    key: str
    title: str
    study: str = ""
    series: str = ""
    angles: str = ""
    frames: int | None = 0
    duration_ms: float = 0.0
    date: str = ""
    thumbnail: NDArray[np.uint8] | None = None
    label_state: LabelState = LabelState.NONE
    error: str = ""

    @property
    def facts(self) -> str:
        """Frames and duration in words; a still has no duration, and pictures have none known."""
        if self.frames is None:
            return "? frames"
        if self.frames <= 1:
            return "still" if self.frames else ""
        lasts = f", {self.duration_ms / 1000.0:.1f} s" if self.duration_ms else ""
        return f"{self.frames} frames{lasts}"


class RowRole(IntEnum):
    """What the model tells beyond the standard roles."""

    RUN = Qt.ItemDataRole.UserRole
    SEARCH = Qt.ItemDataRole.UserRole + 1


@dataclass(eq=False)
class _Node:
    """A heading or a run."""

    heading: str = ""
    run: RunRow | None = None
    parent: _Node | None = None
    children: list[_Node] = field(default_factory=list)


class RunModel(QAbstractItemModel):
    """Runs below their series and studies, in the order in which they were found."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._root = _Node()
        self._runs: dict[str, _Node] = {}

    def clear(self) -> None:
        """Empty the list."""
        self.beginResetModel()
        self._root = _Node()
        self._runs = {}
        self.endResetModel()

    def put_row(self, row: RunRow) -> None:
        """Add a run, or replace the one of the same key where it stands."""
        node = self._runs.get(row.key)
        if node is not None:
            node.run = row
            index = self._index_of(node)
            self.dataChanged.emit(index, index)
            return
        parent = self._root
        for heading in filter(None, (row.study, row.series)):
            parent = _child_heading(parent, heading) or self._append(
                parent, _Node(heading=heading, parent=parent)
            )
        self._runs[row.key] = self._append(parent, _Node(run=row, parent=parent))

    def set_thumbnail(self, key: str, thumbnail: NDArray[np.uint8]) -> None:
        """Give a run its picture."""
        self._change(key, thumbnail=thumbnail)

    def set_label_state(self, key: str, state: LabelState) -> None:
        """Show how far a run is labelled."""
        self._change(key, label_state=state)

    def keys(self) -> list[str]:
        """Return the keys of all runs in the order in which they stand."""
        return _run_keys(self._root)

    def index_of(self, key: str) -> QModelIndex:
        """Return where a run stands; invalid where it is not in the list."""
        node = self._runs.get(key)
        return QModelIndex() if node is None else self._index_of(node)

    def _change(self, key: str, **changes: Any) -> None:
        node = self._runs.get(key)
        if node is not None and node.run is not None:
            self.put_row(replace(node.run, **changes))

    def _append(self, parent: _Node, node: _Node) -> _Node:
        place = len(parent.children)
        self.beginInsertRows(self._index_of(parent), place, place)
        parent.children.append(node)
        self.endInsertRows()
        return node

    def _index_of(self, node: _Node) -> QModelIndex:
        if node.parent is None:
            return QModelIndex()
        return self.createIndex(node.parent.children.index(node), 0, node)

    def _node(self, index: Index) -> _Node:
        if not index.isValid():
            return self._root
        node = index.internalPointer()
        assert isinstance(node, _Node)
        return node

    # What Qt asks for ---------------------------------------------------------------------

    def index(self, row: int, column: int, parent: Index = ROOT) -> QModelIndex:
        """Return the index of a child."""
        children = self._node(parent).children
        if column != 0 or not 0 <= row < len(children):
            return QModelIndex()
        return self.createIndex(row, 0, children[row])

    def parent(self, index: Index) -> QModelIndex:  # type: ignore[override]
        """Return the index of the heading above."""
        above = self._node(index).parent
        return QModelIndex() if above is None else self._index_of(above)

    def rowCount(self, parent: Index = ROOT) -> int:
        """Return the number of rows below ``parent``."""
        return len(self._node(parent).children)

    def columnCount(self, parent: Index = ROOT) -> int:
        """Return 1."""
        return 1

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Headings and broken runs answer, but only good runs can be selected."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        run = self._node(index).run
        if run is None or run.error:
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text, tooltip, run or search text of a row."""
        node = self._node(index)
        run = node.run
        if role == RowRole.RUN:
            return run
        if run is None:
            return node.heading if role == Qt.ItemDataRole.DisplayRole else None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return run.title
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            parts = (run.title, run.angles, run.facts, run.date, run.label_state.value)
            return run.error or "\n".join(part for part in parts if part)
        if role == RowRole.SEARCH:
            return " ".join((run.study, run.series, run.title, run.angles, run.date, run.key))
        return None


def _child_heading(parent: _Node, heading: str) -> _Node | None:
    return next((c for c in parent.children if c.run is None and c.heading == heading), None)


def _run_keys(node: _Node) -> list[str]:
    if node.run is not None:
        return [node.run.key]
    return [key for child in node.children for key in _run_keys(child)]
