"""The list of runs to choose from; files and folders can be dropped on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPoint,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QBrush,
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFont,
    QFontMetrics,
    QImage,
    QKeyEvent,
    QPainter,
    QPen,
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

from widgets.elided_label import ElidedLabel
from widgets.key_keeping import EDITING_KEYS, keep_keys
from widgets.panels.run_model import Index, LabelState, RowRole, RunModel, RunRow
from widgets.theme import DARK, PICTURE_SURROUND, Theme

MARGIN = 6
THUMBNAIL_LINES = 3
LEAST_CHARACTERS = 18
"""Width of the list beside the thumbnails that it never goes below."""
CHOOSING_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
IN_PROGRESS_MARK = "◐"
REVIEWED_MARK = "✓"


class RunList(QWidget):
    """Studies, series and runs with pictures, filtered by what is typed above them.

    Signals
    -------
    run_activated(str) : the key of a run that was clicked, or chosen with Return.
    paths_dropped(list) : files and folders (str) that were dropped.
    keys_released() : typing a filter is over; the keys belong to the picture again.
    """

    run_activated = Signal(str)
    paths_dropped = Signal(list)
    keys_released = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = RunModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self._model)
        self._proxy.setFilterRole(RowRole.SEARCH)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._proxy.setRecursiveFilteringEnabled(True)
        self._filter = QLineEdit()
        self._filter.setPlaceholderText(tr("Filter runs"))
        self._filter.setAccessibleName(tr("Filter runs"))
        # only a click (or `focus_filter`) brings the keys here, never a window that opens
        self._filter.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._filter.installEventFilter(self)
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
        self._view.setAccessibleName(tr("Runs"))
        self._view.setDragEnabled(True)
        self._view.clicked.connect(self._activate)
        self._view.chosen.connect(self._activate)
        keep_keys(self._view, CHOOSING_KEYS)
        self._proxy.rowsInserted.connect(self._expand)
        self._hint = QLabel(tr("Drop files or a folder here, or open one with the File menu."))
        self._hint.setWordWrap(True)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setProperty("role", "muted")
        self._status = ElidedLabel()
        self._status.setProperty("role", "muted")
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

    def minimumSizeHint(self) -> QSize:
        """Return a width in which a run can be told from another."""
        size = super().minimumSizeHint()
        width = self.fontMetrics().averageCharWidth() * LEAST_CHARACTERS
        return QSize(width + THUMBNAIL_LINES * self.fontMetrics().height(), size.height())

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

    def set_row_progress(self, key: str, done: int, asked: int) -> None:
        """Show how many frames of a run are tracked; with all of them done that goes."""
        self._model.set_row_progress(key, done, asked)

    def set_status(self, text: str) -> None:
        """Say below the list what goes on, such as "Scanning, 12 runs"; "" says nothing."""
        self._status.setText(text)

    def set_current(self, key: str | None) -> None:
        """Mark the run that is on the screen, also where its row comes later."""
        self._delegate.current = key
        if key is not None:
            index = self._proxy.mapFromSource(self._model.index_of(key))
            self._view.setCurrentIndex(index)
            self._view.scrollTo(index)
        self._view.viewport().update()

    def set_seen(self, keys: Iterable[str]) -> None:
        """Mark the runs that are seen beside the one that is worked on."""
        self._delegate.seen = frozenset(keys)
        self._view.viewport().update()

    def set_opening(self, key: str | None) -> None:
        """Mark the run that is being opened, more lightly; the one on the screen stays marked."""
        self._delegate.opening = key
        self._view.viewport().update()

    def focus_filter(self) -> None:
        """Let the user type a filter."""
        self._filter.setFocus()
        self._filter.selectAll()

    def run_keys(self) -> list[str]:
        """Return the keys of all runs in the order shown, filtered or not."""
        return self._model.keys()

    def _show_hint(self) -> None:
        empty = self._model.rowCount() == 0
        self._hint.setVisible(empty)
        self._view.setVisible(not empty)

    def _filter_rows(self, text: str) -> None:
        self._proxy.setFilterFixedString(text.strip())
        self._view.expandAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Give the keys back: Escape empties the filter, Return keeps it, Down goes to the runs."""
        if (
            watched is not self._filter
            or event.type() is not QEvent.Type.KeyPress
            or not isinstance(event, QKeyEvent)
        ):
            return super().eventFilter(watched, event)
        match event.key():
            case Qt.Key.Key_Escape:
                self._filter.clear()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                pass
            case Qt.Key.Key_Down:
                self._view.choose_first_run()
                self._view.setFocus()
                return True
            case _:
                return super().eventFilter(watched, event)
        self._filter.clearFocus()
        self.keys_released.emit()
        return True

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

    def choose_first_run(self) -> None:
        """Move to the first run that is shown."""
        index = self.model().index(0, 0)
        while index.isValid() and index.data(RowRole.RUN) is None:
            index = self.indexBelow(index)
        if index.isValid():
            self.setCurrentIndex(index)


class _RunDelegate(QStyledItemDelegate):
    """Draws a run as a picture beside three lines, a heading as one quiet line.

    Attributes
    ----------
    current, opening : str or None
        Keys of the run that is on the screen, and of the one that is being opened.
    seen : frozenset of str
        Keys of the runs that are on the screen beside it.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = DARK
        self.current: str | None = None
        self.opening: str | None = None
        self.seen: frozenset[str] = frozenset()

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
        self._paint_ground(painter, option, run)
        side = area.height() - 2 * MARGIN
        picture = QRect(area.left() + MARGIN, area.top() + MARGIN, side, side)
        painter.fillRect(picture, QColor(PICTURE_SURROUND))
        if run.thumbnail is not None:
            _draw_picture(painter, picture, run.thumbnail)
        height = option.fontMetrics.height()
        left = picture.right() + 1 + MARGIN + 2
        line = QRect(left, picture.top(), area.right() - MARGIN - left, height)
        mark, color = self._mark(run)
        painter.setPen(QColor(color))
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, mark)
        quiet = self._quiet_lines(run, painter.fontMetrics(), line.width())
        taken = painter.fontMetrics().horizontalAdvance(f"{mark} ") if mark else 0
        title_lines = THUMBNAIL_LINES - min(len(quiet), THUMBNAIL_LINES - 1)
        title = _wrapped(run.title, painter.fontMetrics(), line.width() - taken, title_lines)
        painter.setPen(QColor(theme.disabled if run.error else theme.text))
        for row, text in enumerate(title):
            _draw_line(painter, line.translated(0, row * height), text)
        painter.setPen(QColor(theme.disabled if run.error else theme.muted))
        for row, text in enumerate(quiet, start=len(title)):
            _draw_line(painter, line.translated(0, row * height), text)
        if run.tracking is not None:
            done, asked = run.tracking
            painter.fillRect(QRect(left, area.bottom() - 3, line.width(), 2), QColor(theme.border))
            width = line.width() * done // asked
            painter.fillRect(QRect(left, area.bottom() - 3, width, 2), QColor(theme.accent))

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem, run: RunRow) -> None:
        theme, area = self._theme, option.rect
        bar = QRect(area.left(), area.top(), 3, area.height())
        if run.key == self.current:
            painter.fillRect(area, QColor(theme.selection))
            painter.fillRect(bar, QColor(theme.accent))
        elif run.key == self.opening:
            painter.fillRect(area, QColor(theme.hover))
            painter.fillRect(bar, QBrush(QColor(theme.accent), Qt.BrushStyle.Dense4Pattern))
        elif option.state & QStyle.StateFlag.State_MouseOver and not run.error:
            painter.fillRect(area, QColor(theme.hover))
        if run.key in self.seen:
            painter.fillRect(bar, QColor(theme.accent))
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(theme.accent), 1, Qt.PenStyle.DotLine))
            painter.drawRect(area.adjusted(0, 0, -1, -1))

    def _mark(self, run: RunRow) -> tuple[str, str]:
        """Return what stands at the right of the title, and its colour."""
        theme = self._theme
        if run.label_state is LabelState.REVIEWED:
            return REVIEWED_MARK, theme.success
        if run.label_state is LabelState.NONE:
            return "", theme.muted
        return IN_PROGRESS_MARK, theme.warning

    def _quiet_lines(self, run: RunRow, metrics: QFontMetrics, width: int) -> list[str]:
        """Return what is written below the title: at most two lines."""
        if run.error:
            return _wrapped(run.error, metrics, width, THUMBNAIL_LINES - 1)
        facts = ", ".join(text for text in (run.facts, run.date) if text)
        if metrics.horizontalAdvance(facts) > width:
            facts = run.facts
        if run.key == self.opening and run.key != self.current:
            facts = tr("opening…")
        elif run.tracking is not None:
            facts = run.label_text
        return [text for text in (run.angles, facts) if text]


def _wrapped(text: str, metrics: QFontMetrics, width: int, most: int) -> list[str]:
    """Break a text into lines; what is too long loses its middle, not the number at its end."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if metrics.horizontalAdvance(longer) <= width or not lines[-1] or len(lines) == most:
            lines[-1] = longer
        else:
            lines.append(word)
    return [metrics.elidedText(line, Qt.TextElideMode.ElideMiddle, width) for line in lines]


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
