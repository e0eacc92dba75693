"""The key images of the run: small pictures that bring it back as it was."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from widgets.command_grid import CommandGrid
from widgets.key_keeping import SLIDING_KEYS, keep_keys
from widgets.picture.picture_marks import image_of
from widgets.theme import DARK, Theme
from widgets.translation import marked

ID_ROLE = Qt.ItemDataRole.UserRole
SIDE = 96
BUTTONS: tuple[tuple[str, str, str, str], ...] = (
    (
        "keep_image",
        marked("Keep the picture as it stands"),
        "bookmark-plus-outline",
        marked("Keep"),
    ),
    (
        "remove_image",
        marked("Keep the chosen image no longer"),
        "bookmark-remove-outline",
        marked("Remove"),
    ),
    (
        "write_on_image",
        marked("Write words below the chosen image"),
        "pencil-outline",
        marked("Write"),
    ),
    (
        "make_report",
        marked("Save a report with all key images and measures (PDF)"),
        "file-document-outline",
        marked("Report"),
    ),
)
"""Two in a row: command, meaning, icon, short text."""


@dataclass(frozen=True, slots=True)
class KeyImage:
    """One key image as it is listed."""

    image_id: str
    caption: str


class KeyImageStrip(QWidget):
    """Shows key images and offers what can be done with them.

    Signals
    -------
    command_requested(str) : name of a command.
    image_picked(str) : a click on an image.
    """

    command_requested = Signal(str)
    image_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: dict[str, QListWidgetItem] = {}
        self._list = QListWidget()
        self._list.setViewMode(QListView.ViewMode.IconMode)
        self._list.setFlow(QListView.Flow.LeftToRight)
        self._list.setResizeMode(QListView.ResizeMode.Adjust)
        self._list.setMovement(QListView.Movement.Static)
        self._list.setIconSize(QSize(SIDE, SIDE))
        self._list.setWordWrap(True)
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._list.setAccessibleName(tr("Key images"))
        self._list.itemClicked.connect(self._pick)
        self._list.itemActivated.connect(self._pick)
        keep_keys(self._list, SLIDING_KEYS)
        self._hint = QLabel(tr("Nothing is kept yet: B keeps\nthe picture as it stands."))
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setProperty("role", "muted")
        self._grid = CommandGrid(BUTTONS, spacing=2)
        self._grid.command_requested.connect(self.command_requested)
        shown = QWidget()
        self._shown = QStackedLayout(shown)
        self._shown.addWidget(self._hint)
        self._shown.addWidget(self._list)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 6)
        column.setSpacing(4)
        column.addWidget(shown, 1)
        column.addWidget(self._grid)
        self.set_theme(DARK)

    @property
    def chosen(self) -> str:
        """The chosen image, or ""."""
        items = self._list.selectedItems()
        return str(items[0].data(ID_ROLE)) if items else ""

    def set_images(self, images: Sequence[KeyImage]) -> None:
        """List these images; pictures that are known stay."""
        chosen = self.chosen
        icons = {image_id: item.icon() for image_id, item in self._items.items()}
        self._list.clear()
        self._items = {}
        for image in images:
            item = QListWidgetItem(icons.get(image.image_id, _blank()), image.caption)
            item.setData(ID_ROLE, image.image_id)
            item.setToolTip(image.caption)
            self._list.addItem(item)
            self._items[image.image_id] = item
            item.setSelected(image.image_id == chosen)
        self._shown.setCurrentWidget(self._list if images else self._hint)

    def set_picture(self, image_id: str, picture: NDArray[np.uint8]) -> None:
        """Show the picture of an image, grey, shape (H, W)."""
        item = self._items.get(image_id)
        if item is not None:
            pixels = QPixmap.fromImage(image_of(np.ascontiguousarray(picture)).copy())
            scaled = pixels.scaled(
                SIDE,
                SIDE,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            item.setIcon(QIcon(scaled))

    def set_usable(self, commands: Collection[str]) -> None:
        """Enable the buttons of these commands and disable the others."""
        self._grid.set_usable(commands)

    def set_shortcuts(self, keys: Mapping[str, str]) -> None:
        """Write the keys of the commands (command name to key) on the buttons."""
        self._grid.set_shortcuts(keys)

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._grid.set_theme(theme)

    def _pick(self, item: QListWidgetItem) -> None:
        self.image_picked.emit(str(item.data(ID_ROLE)))


def _blank() -> QIcon:
    pixels = QPixmap(SIDE, SIDE)
    pixels.fill(Qt.GlobalColor.transparent)
    return QIcon(pixels)
