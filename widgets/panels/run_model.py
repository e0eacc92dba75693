"""The rows of the run list: studies, their series, their runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum, auto
from gettext import gettext as tr
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractItemModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
RUN_KEY = "application/x-fluorotrace-run"
"""Kind of the data of a run that is dragged: its key. No file, so that nobody moves the run."""


class LabelState(Enum):
    """How far a run is labelled."""

    NONE = auto()
    IN_PROGRESS = auto()
    REVIEWED = auto()


@dataclass(frozen=True, slots=True, eq=False)
class RunRow:
    """One run in the list.

    Attributes
    ----------
    key : str
        Identifies the run; comes back with `RunList.run_activated`.
    study, series : str
        Headings the run stands under. A run without a study stands under a heading that says so,
        one without a series right below its study.
    study_id : str
        Runs of one study stand together, those of others apart though they have the same heading;
        "" where nothing but the heading tells studies apart.
    angles : str
        Such as "LAO 32° CRAN 2°".
    frames : int or None
        None where the file does not tell before it is read to its end.
    thumbnail : ndarray of uint8, shape (h, w), or None
        Small grey picture.
    tracking : (int, int) or None
        Frames that are tracked and that were asked for, while the tracker works on the run.
    error : str
        One sentence why the run cannot be opened, or "".
    """

    key: str
    title: str
    study: str = ""
    series: str = ""
    study_id: str = ""
    angles: str = ""
    frames: int | None = 0
    duration_ms: float = 0.0
    date: str = ""
    thumbnail: NDArray[np.uint8] | None = None
    label_state: LabelState = LabelState.NONE
    tracking: tuple[int, int] | None = None
    error: str = ""

    @property
    def study_heading(self) -> str:
        """What the run stands under, also where its study has no name."""
        if self.study.isdecimal():
            return tr("Study {number}").format(number=self.study)
        if self.study or not self.study_id:
            return self.study or tr("Without a study")
        return tr("Study of {date}").format(date=self.date) if self.date else tr("Unnamed study")

    @property
    def series_heading(self) -> str:
        """What the run stands under below its study."""
        number = self.series.isdecimal()
        return tr("Series {number}").format(number=self.series) if number else self.series

    @property
    def facts(self) -> str:
        """Frames and duration in words; a still has no duration, and pictures have none known."""
        if self.frames is not None and self.frames <= 1:
            return tr("still") if self.frames else ""
        frames = tr("{count} frames").format(count="?" if self.frames is None else self.frames)
        if not self.duration_ms:
            return frames
        return tr("{frames}, {seconds:.1f} s").format(
            frames=frames, seconds=self.duration_ms / 1000.0
        )

    @property
    def label_text(self) -> str:
        """How far the run is labelled, in words."""
        if self.tracking is not None:
            done, asked = self.tracking
            return tr("tracking… {done} of {asked} frames").format(done=done, asked=asked)
        if self.label_state is LabelState.REVIEWED:
            return tr("reviewed")
        if self.label_state is LabelState.NONE:
            return tr("no labels")
        return tr("labels in progress")


class RowRole(IntEnum):
    """What the model tells beyond the standard roles."""

    RUN = Qt.ItemDataRole.UserRole
    SEARCH = Qt.ItemDataRole.UserRole + 1


@dataclass(eq=False)
class _Node:
    """A heading or a run; ``group`` tells headings of the same words apart."""

    heading: str = ""
    group: str = ""
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
        parent = self._heading(self._root, row.study_heading, row.study_id)
        if row.series:
            parent = self._heading(parent, row.series_heading, "")
        self._runs[row.key] = self._append(parent, _Node(run=row, parent=parent))

    def set_thumbnail(self, key: str, thumbnail: NDArray[np.uint8]) -> None:
        """Give a run its picture."""
        self._change(key, thumbnail=thumbnail)

    def set_label_state(self, key: str, state: LabelState) -> None:
        """Show how far a run is labelled."""
        self._change(key, label_state=state)

    def set_row_progress(self, key: str, done: int, asked: int) -> None:
        """Show how far the tracker has come with a run; with all frames done it is over."""
        self._change(key, tracking=(done, asked) if done < asked else None)

    def keys(self) -> list[str]:
        """Return the keys of all runs in the order in which they stand."""
        return _run_keys(self._root)

    def index_of(self, key: str) -> QModelIndex:
        """Return where a run stands; invalid where it is not in the list."""
        node = self._runs.get(key)
        return QModelIndex() if node is None else self._index_of(node)

    def _change(self, key: str, **changes: Any) -> None:
        node = self._runs.get(key)
        if node is None or node.run is None:
            return
        if any(getattr(node.run, name) is not value for name, value in changes.items()):
            self.put_row(replace(node.run, **changes))

    def _heading(self, parent: _Node, heading: str, group: str) -> _Node:
        """Return the heading for these words, or for this group, and make it where it is new."""
        wanted = (group, "" if group else heading)
        for child in parent.children:
            if child.run is None and (child.group, "" if child.group else child.heading) == wanted:
                return child
        return self._append(parent, _Node(heading=heading, group=group, parent=parent))

    def _append(self, parent: _Node, node: _Node) -> _Node:
        """Add a child: a run before all headings, so that it stands under its own."""
        place = len(parent.children)
        if node.run is not None:
            headings = (i for i, child in enumerate(parent.children) if child.run is None)
            place = next(headings, place)
        self.beginInsertRows(self._index_of(parent), place, place)
        parent.children.insert(place, node)
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
        good = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return good | Qt.ItemFlag.ItemIsDragEnabled

    def mimeTypes(self) -> list[str]:
        """Return the kind of what can be dragged."""
        return [RUN_KEY]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Return the run that is dragged."""
        data = QMimeData()
        run = self._node(indexes[0]).run
        if run is not None:
            data.setData(RUN_KEY, run.key.encode("utf-8", "surrogateescape"))
        return data

    def supportedDragActions(self) -> Qt.DropAction:
        """Return that a run may be shown elsewhere, but never moved out of the list."""
        return Qt.DropAction.CopyAction

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text, tooltip, run or search text of a row."""
        node = self._node(index)
        run = node.run
        if role == RowRole.RUN:
            return run
        if run is None:
            texts = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
            return node.heading if role in texts else None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return run.title
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            parts = (run.title, run.angles, run.facts, run.date, run.label_text)
            return run.error or "\n".join(part for part in parts if part)
        if role == RowRole.SEARCH:
            return " ".join((run.study, run.series, run.title, run.angles, run.date, run.key))
        return None


def _run_keys(node: _Node) -> list[str]:
    if node.run is not None:
        return [node.run.key]
    return [key for child in node.children for key in _run_keys(child)]
