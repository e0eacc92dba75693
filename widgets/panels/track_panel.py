"""The tracks of the run and what can be done with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as tr

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLayout,
    QProgressBar,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from widgets.command_button import CommandButton
from widgets.icons import icon
from widgets.key_keeping import EDITING_KEYS, keep_keys
from widgets.panels.room import keep_room
from widgets.theme import DARK, Theme
from widgets.translation import marked

EYE, NAME, COUNTS = range(3)
ID_ROLE = Qt.ItemDataRole.UserRole
ROW_LINES = 1.7
COLOR_ROLE = Qt.ItemDataRole.UserRole + 1
LIST_ROWS = 3
"""Rows that the list is high, however many there are: nothing below it moves."""

ACTIONS: tuple[tuple[tuple[str, str, str, str], ...], ...] = (
    (
        (
            "track_both",
            marked("Track both ways from here"),
            "arrow-left-right",
            marked("Track both ways"),
        ),
    ),
    (
        ("track_backward", marked("Track backward from here"), "arrow-left", marked("Backward")),
        ("track_forward", marked("Track forward from here"), "arrow-right", marked("Forward")),
    ),
    (
        (
            "next_doubtful",
            marked("Go to the next doubtful frame"),
            "help-rhombus-outline",
            marked("Next doubt"),
        ),
        ("accept_point", marked("The point is right on this frame"), "check", marked("Is right")),
    ),
    (
        (
            "mark_occluded",
            marked("The point is occluded on this frame"),
            "circle-half-full",
            marked("Occluded"),
        ),
        (
            "mark_absent",
            marked("The point is absent on this frame"),
            "circle-off-outline",
            marked("Absent"),
        ),
    ),
    (
        (
            "mark_visible",
            marked("The point is visible on this frame"),
            "circle-outline",
            marked("Visible"),
        ),
        ("delete_point", marked("Delete the point on this frame only"), "eraser", marked("Delete")),
    ),
    (
        (
            "interpolate_span",
            marked("Interpolate the marked span"),
            "vector-line",
            marked("Interpolate"),
        ),
        ("clear_span", marked("Clear the marked span"), "eraser-variant", marked("Clear")),
    ),
)
"""Rows of buttons: command, meaning, icon, short text."""


@dataclass(frozen=True, slots=True)
class TrackRow:
    """One track in the list; ``edited`` and ``doubtful`` count frames."""

    track_id: str
    name: str
    kind: str
    color: str
    edited: int = 0
    doubtful: int = 0
    visible: bool = True


class TrackPanel(QWidget):
    """The list of tracks, their kind, and buttons for tracking and correcting.

    Parameters
    ----------
    kinds : mapping of str to str
        Kinds of point to choose from, and how they are called.

    Signals
    -------
    command_requested(str) : new_track, delete_track, cancel_tracking, or one of `ACTIONS`.
    track_picked(str) : this track was clicked.
    renamed(str, str) : track and its new name, never empty.
    kind_picked(str, str) : track and its new kind.
    visibility_changed(str, bool) : show or hide this track.
    """

    command_requested = Signal(str)
    track_picked = Signal(str)
    renamed = Signal(str, str)
    kind_picked = Signal(str, str)
    visibility_changed = Signal(str, bool)

    def __init__(self, kinds: Mapping[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = DARK
        self._rows: dict[str, TrackRow] = {}
        self._items: dict[str, QTreeWidgetItem] = {}
        self._buttons: dict[str, CommandButton] = {}
        self._list = self._make_list()
        self._kind = QComboBox()
        for kind, text in kinds.items():
            self._kind.addItem(text, kind)
        self._kind.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._kind.setAccessibleName(tr("Kind of point"))
        self._kind.setToolTip(tr("What the selected track follows"))
        self._kind.activated.connect(self._pick_kind)
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(8)
        self._progress.setAccessibleName(tr("Tracked frames"))
        self._progress_text = QLabel()
        self._progress_text.setProperty("role", "muted")
        self._running = QWidget()
        running = QHBoxLayout(self._running)
        running.setContentsMargins(0, 0, 0, 0)
        running.addWidget(self._progress, 1)
        running.addWidget(self._progress_text)
        running.addWidget(self._button("cancel_tracking", tr("Stop tracking"), "close"))
        keep_room(self._running)
        self._running.hide()
        head = QHBoxLayout()
        head.setSpacing(2)
        head.addWidget(self._kind, 1)
        head.addWidget(self._button("new_track", tr("New track"), "plus", tr("New")))
        head.addWidget(self._button("delete_track", tr("Delete this track"), "delete-outline"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        layout.setSpacing(4)
        self._hint = QLabel(
            tr("In Label (R), click the tip on the\npicture: it is tracked both ways.")
        )
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setProperty("role", "muted")
        for shown in (self._hint, self._list):
            shown.setFixedHeight(round(LIST_ROWS * ROW_LINES * self.fontMetrics().height()) + 4)
            layout.addWidget(shown)
        layout.addLayout(head)
        layout.addLayout(self._make_actions())
        layout.addWidget(self._running)
        # No taller than what it holds: on a small screen the other panels need the room.
        layout.setSizeConstraint(QLayout.SizeConstraint.SetMinAndMaxSize)
        self.set_theme(DARK)
        self.set_shortcuts({})
        self.set_tracks(())

    def _make_list(self) -> QTreeWidget:
        tracks = QTreeWidget()
        tracks.setColumnCount(3)
        tracks.setHeaderHidden(True)
        tracks.setRootIsDecorated(False)
        tracks.setAllColumnsShowFocus(True)
        tracks.setItemDelegate(_NameDelegate(tracks))
        tracks.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        tracks.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        tracks.setAccessibleName(tr("Tracks"))
        header = tracks.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(12)
        header.setSectionResizeMode(EYE, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(COUNTS, QHeaderView.ResizeMode.ResizeToContents)
        line = self.fontMetrics().height()
        tracks.setIconSize(QSize(line, line))
        tracks.itemClicked.connect(self._click)
        tracks.currentItemChanged.connect(self._pick)
        tracks.itemChanged.connect(self._rename)
        return tracks

    def _make_actions(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(2)
        for row, actions in enumerate(ACTIONS):
            for column, (command, meaning, icon_name, text) in enumerate(actions):
                button = self._button(command, tr(meaning), icon_name, tr(text))
                grid.addWidget(button, row, column, 1, 2 // len(actions))
        return grid

    def _button(self, command: str, meaning: str, icon_name: str, text: str = "") -> CommandButton:
        button = CommandButton(command, meaning, icon_name, text)
        button.clicked.connect(self._request)
        self._buttons[command] = button
        return button

    # What is shown ------------------------------------------------------------------------

    @property
    def selected(self) -> str | None:
        """The selected track."""
        return self._id_of(self._list.currentItem())

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._theme = theme
        for button in self._buttons.values():
            button.set_theme(theme)
        self.set_tracks(tuple(self._rows.values()))

    def set_shortcuts(self, keys: Mapping[str, str]) -> None:
        """Write the keys of the commands (command name to key) on the buttons."""
        for command, button in self._buttons.items():
            button.set_key(keys.get(command, ""))

    def set_usable(self, commands: Collection[str]) -> None:
        """Enable the buttons of these commands and disable the others."""
        for command, button in self._buttons.items():
            button.setEnabled(command in commands)

    def set_tracks(self, rows: Sequence[TrackRow]) -> None:
        """Show these tracks; the selection stays where its track does."""
        selected = self.selected
        self._list.blockSignals(True)
        if [row.track_id for row in rows] != list(self._items):
            self._list.clear()
            self._items = {row.track_id: self._new_item(row.track_id) for row in rows}
        self._rows = {row.track_id: row for row in rows}
        for track_id, row in self._rows.items():
            self._fill(self._items[track_id], row)
        self._list.blockSignals(False)
        self._list.setVisible(bool(rows))
        self._hint.setVisible(not rows)
        self.select_track(selected)

    def select_track(self, track_id: str | None) -> None:
        """Select a track without telling it back."""
        self._list.blockSignals(True)
        item = self._items.get(track_id) if track_id is not None else None
        if item is None:
            self._list.clearSelection()
            self._list.setCurrentIndex(QModelIndex())
        elif item is not self._list.currentItem():
            self._list.setCurrentItem(item, NAME)
        self._list.blockSignals(False)
        self._show_kind()

    def set_progress(self, done: int, total: int) -> None:
        """Show how many frames are tracked; with all of them done the bar goes."""
        self._progress.setMaximum(max(total, 1))
        self._progress.setValue(done)
        text = tr("{done} of {total}")
        self._progress_text.setText(text.format(done=done, total=total))
        widest = text.format(done=total, total=total)
        width = self._progress_text.fontMetrics().horizontalAdvance(widest)
        self._progress_text.setMinimumWidth(width)
        self._running.setVisible(done < total)

    def _new_item(self, track_id: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem(self._list)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        item.setData(NAME, ID_ROLE, track_id)
        return item

    def _fill(self, item: QTreeWidgetItem, row: TrackRow) -> None:
        theme = self._theme
        eye = "eye-outline" if row.visible else "eye-off-outline"
        item.setIcon(EYE, icon(eye, theme, "" if row.visible else theme.disabled))
        shown, hidden = tr("Click to hide this track"), tr("Click to show this track")
        item.setToolTip(EYE, shown if row.visible else hidden)
        item.setText(NAME, row.name)
        if item.data(NAME, COLOR_ROLE) != row.color:
            # Qt takes every icon for a change, and would reset a name that is being typed.
            item.setData(NAME, COLOR_ROLE, row.color)
            item.setIcon(NAME, _swatch(row.color, self.fontMetrics().height()))
        kind = self._kind.itemText(self._kind.findData(row.kind)) or row.kind
        tip = tr("{name}, {kind}. Double-click to rename.")
        item.setToolTip(NAME, tip.format(name=row.name, kind=kind))
        counts = (("✎", row.edited), ("?", row.doubtful))
        item.setText(COUNTS, "  ".join(f"{mark} {count}" for mark, count in counts if count))
        item.setForeground(COUNTS, QColor(theme.error if row.doubtful else theme.muted))
        tip = tr("{edited} edited, {doubtful} doubtful frames")
        item.setToolTip(COUNTS, tip.format(edited=row.edited, doubtful=row.doubtful))

    def _show_kind(self) -> None:
        row = self._rows.get(self.selected or "")
        self._kind.setEnabled(row is not None)
        self._kind.setCurrentIndex(self._kind.findData(row.kind) if row else -1)

    def _id_of(self, item: QTreeWidgetItem | None) -> str | None:
        return None if item is None else str(item.data(NAME, ID_ROLE))

    # What the user does -------------------------------------------------------------------

    def _request(self) -> None:
        button = self.sender()
        assert isinstance(button, CommandButton)
        self.command_requested.emit(button.command)

    def _click(self, item: QTreeWidgetItem, column: int) -> None:
        row = self._rows[self._id_of(item) or ""]
        if column == EYE:
            self.visibility_changed.emit(row.track_id, not row.visible)

    def _pick(self, item: QTreeWidgetItem | None) -> None:
        track_id = self._id_of(item)
        self._show_kind()
        if track_id is not None:
            self.track_picked.emit(track_id)

    def _pick_kind(self, index: int) -> None:
        if self.selected is not None:
            self.kind_picked.emit(self.selected, self._kind.itemData(index))

    def _rename(self, item: QTreeWidgetItem, column: int) -> None:
        row = self._rows[self._id_of(item) or ""]
        name = item.text(NAME).strip()
        if column != NAME or name == row.name:
            return
        if name:
            self.renamed.emit(row.track_id, name)
        self.set_tracks(tuple(self._rows.values()))


class _NameDelegate(QStyledItemDelegate):
    """Lets only the name be edited, and the editor keep the keys that end editing."""

    def createEditor(  # type: ignore[override]
        self,
        parent: QWidget,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> QWidget | None:
        if index.column() != NAME:
            return None
        editor = super().createEditor(parent, option, index)
        keep_keys(editor, EDITING_KEYS)
        return editor


def _swatch(color: str, side: int) -> QIcon:
    swatch = QPixmap(side, side)
    swatch.fill(QColor(color))
    unchanged = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        unchanged.addPixmap(swatch, mode)
    return unchanged
