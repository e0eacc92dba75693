"""The list of runs to choose from; files and folders can be dropped on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QModelIndex, QPoint, QRect, QSize, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFont,
    QImage,
    QKeyEvent,
    QPainter,
)
from PySide6.QtWidgets import (
    QLabel,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from widgets.key_keeping import EDITING_KEYS, keep_keys
from widgets.panels.run_model import Index, LabelState, RowRole, RunModel, RunRow
from widgets.theme import DARK, PICTURE_SURROUND, Theme

MARGIN = 6
THUMBNAIL_LINES = 3
CHOOSING_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
STATE_MARKS = {LabelState.NONE: "", LabelState.IN_PROGRESS: "◐", LabelState.REVIEWED: "✓"}


class RunList(QWidget):
    """Studies, series and runs with pictures, filtered by what is typed above them.

    Signals
    -------
    run_activated(str) : the key of a run that was clicked, or chosen with Return.
    paths_dropped(list) : files and folders (str) that were dropped.
    """

    run_activated = Signal(str)
    paths_dropped = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = RunModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self._model)
        self._proxy.setFilterRole(RowRole.SEARCH)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._proxy.setRecursiveFilteringEnabled(True)
        self._filter = QLineEdit()
        self._filter.setPlaceholderText("Filter runs")
        self._filter.setAccessibleName("Filter runs")
        self._filter.setClearButtonEnabled(True)
        self._filter.textChanged.connect(self._filter_rows)
        keep_keys(self._filter, EDITING_KEYS)
        self._delegate = _RunDelegate(self)
        self._view = _RunView()
        self._view.setModel(self._proxy)
        self._view.setItemDelegate(self._delegate)
        self._view.setHeaderHidden(True)
        self._view.setRootIsDecorated(False)
        self._view.setIndentation(8)
        self._view.setUniformRowHeights(False)
        self._view.setExpandsOnDoubleClick(False)
        self._view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._view.setVerticalScrollMode(QTreeView.ScrollMode.ScrollPerPixel)
        self._view.setAccessibleName("Runs")
        self._view.clicked.connect(self._activate)
        self._view.chosen.connect(self._activate)
        keep_keys(self._view, CHOOSING_KEYS)
        self._proxy.rowsInserted.connect(self._expand)
        self._hint = QLabel("Drop files or a folder here, or open one with the File menu.")
        self._hint.setWordWrap(True)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setProperty("role", "muted")
        self._status = QLabel()
        self._status.setProperty("role", "muted")
        self._status.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self._filter)
        layout.addWidget(self._hint, 1)
        layout.addWidget(self._view, 1)
        layout.addWidget(self._status)
        self.setAcceptDrops(True)
        self.setObjectName("runList")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = DARK
        self._show_hint()

    # What is shown ------------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._theme = theme
        self._delegate.set_theme(theme)
        self._view.viewport().update()

    def set_rows(self, rows: Sequence[RunRow]) -> None:
        """Show these runs and no others."""
        self._model.clear()
        for row in rows:
            self._model.put_row(row)
        self._show_hint()

    def put_row(self, row: RunRow) -> None:
        """Add a run while a scan goes on, or replace the one of the same key."""
        self._model.put_row(row)
        self._show_hint()

    def set_thumbnail(self, key: str, thumbnail: NDArray[np.uint8]) -> None:
        """Give a run its picture, grey (h, w)."""
        self._model.set_thumbnail(key, thumbnail)

    def set_label_state(self, key: str, state: LabelState) -> None:
        """Show how far a run is labelled."""
        self._model.set_label_state(key, state)

    def set_status(self, text: str) -> None:
        """Say below the list what goes on, such as "Scanning, 12 runs"; "" says nothing."""
        self._status.setText(text)
        self._status.setVisible(bool(text))

    def set_current(self, key: str) -> None:
        """Mark the run that is open."""
        index = self._proxy.mapFromSource(self._model.index_of(key))
        self._view.setCurrentIndex(index)
        self._view.scrollTo(index)

    def keys(self) -> list[str]:
        """Return the keys of all runs in the order shown, filtered or not."""
        return self._model.keys()

    def _show_hint(self) -> None:
        empty = self._model.rowCount() == 0
        self._hint.setVisible(empty)
        self._view.setVisible(not empty)

    def _filter_rows(self, text: str) -> None:
        self._proxy.setFilterFixedString(text.strip())
        self._view.expandAll()

    def _expand(self, parent: QModelIndex, first: int, last: int) -> None:
        self._view.expand(parent)
        for row in range(first, last + 1):
            self._view.expand(self._proxy.index(row, 0, parent))

    def _activate(self, index: QModelIndex) -> None:
        run = index.data(RowRole.RUN)
        if run is None:
            self._view.setExpanded(index, not self._view.isExpanded(index))
        elif not run.error:
            self.run_activated.emit(run.key)

    # Drag and drop ------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Welcome files and folders."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self.setStyleSheet(f"#runList {{ border: 2px solid {self._theme.accent}; }}")

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Take the welcome back."""
        self.setStyleSheet("")

    def dropEvent(self, event: QDropEvent) -> None:
        """Tell what was dropped."""
        self.setStyleSheet("")
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.paths_dropped.emit(paths)


class _RunView(QTreeView):
    """Tells what is chosen by key; Qt's ``activated`` would tell a double click as well."""

    chosen = Signal(QModelIndex)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in CHOOSING_KEYS:
            self.chosen.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)


class _RunDelegate(QStyledItemDelegate):
    """Draws a run as a picture beside three lines, a heading as one quiet line."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = DARK

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        lines = 1 if index.data(RowRole.RUN) is None else THUMBNAIL_LINES
        return QSize(120, lines * option.fontMetrics.height() + 2 * MARGIN)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        run = index.data(RowRole.RUN)
        painter.save()
        if run is None:
            self._paint_heading(painter, option, index)
        else:
            self._paint_run(painter, option, run)
        painter.restore()

    def _paint_heading(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        study = not index.parent().isValid()
        font = QFont(option.font)
        font.setBold(study)
        painter.setFont(font)
        painter.setPen(QColor(self._theme.text if study else self._theme.muted))
        area = option.rect.adjusted(2, 0, -MARGIN, 0)
        _draw_line(painter, area, index.data())

    def _paint_run(self, painter: QPainter, option: QStyleOptionViewItem, run: RunRow) -> None:
        theme = self._theme
        area = option.rect
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, QColor(theme.selection))
            painter.fillRect(QRect(area.left(), area.top(), 3, area.height()), QColor(theme.accent))
        elif option.state & QStyle.StateFlag.State_MouseOver and not run.error:
            painter.fillRect(area, QColor(theme.hover))
        side = area.height() - 2 * MARGIN
        picture = QRect(area.left() + MARGIN, area.top() + MARGIN, side, side)
        painter.fillRect(picture, QColor(PICTURE_SURROUND))
        if run.thumbnail is not None:
            _draw_picture(painter, picture, run.thumbnail)
        height = option.fontMetrics.height()
        left = picture.right() + 1 + MARGIN + 2
        line = QRect(left, picture.top(), area.right() - MARGIN - left, height)
        mark = STATE_MARKS[run.label_state]
        if mark:
            reviewed = run.label_state is LabelState.REVIEWED
            painter.setPen(QColor(theme.success if reviewed else theme.warning))
            painter.drawText(line, Qt.AlignmentFlag.AlignRight, mark)
        painter.setPen(QColor(theme.disabled if run.error else theme.text))
        _draw_line(painter, line.adjusted(0, 0, -height if mark else 0, 0), run.title)
        painter.setPen(QColor(theme.disabled if run.error else theme.muted))
        quiet = [run.error] if run.error else [run.angles, run.facts, run.date]
        quiet = [text for text in quiet if text]
        if len(quiet) == THUMBNAIL_LINES:
            facts_and_date = f"{run.facts}, {run.date}"
            fits = painter.fontMetrics().horizontalAdvance(facts_and_date) <= line.width()
            quiet = [run.angles, facts_and_date if fits else run.facts]
        for row, text in enumerate(quiet, start=1):
            _draw_line(painter, line.translated(0, row * height), text)


def _draw_line(painter: QPainter, area: QRect, text: str) -> None:
    elided = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, elided)


def _draw_picture(painter: QPainter, area: QRect, grey: NDArray[np.uint8]) -> None:
    rows, columns = grey.shape
    packed = np.ascontiguousarray(grey)
    image = QImage(packed.data, columns, rows, columns, QImage.Format.Format_Grayscale8)
    target = QRect(
        QPoint(0, 0), image.size().scaled(area.size(), Qt.AspectRatioMode.KeepAspectRatio)
    )
    target.moveCenter(area.center())
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(target, image)
