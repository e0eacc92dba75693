"""Pictures side by side: one that is worked on, and others that are seen."""

from __future__ import annotations

from gettext import gettext as tr

from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFont,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from widgets.panels.run_model import RUN_KEY
from widgets.picture.picture_view import PictureView
from widgets.theme import DARK, Theme

GAP = 3
FRAME = 2
HEADER_PADDING = 4
WHEEL_NOTCH = 120
COLUMNS = {1: 1, 2: 2, 4: 2}
"""Places in a row, by how many there are."""


class PlaceGrid(QWidget):
    """Lays the picture that is worked on and those that are only seen out in a grid.

    The one picture that is worked on stands in the active place, so that whoever draws on it or
    listens to it need not know of places. The first press on another place does nothing but ask
    for that place.

    Parameters
    ----------
    worked_on : PictureView

    Attributes
    ----------
    worked_on : PictureView

    Signals
    -------
    place_wanted(int) : the user turned to this place.
    maximise_wanted(int) : a double click on the line above a place.
    wheel_stepped(int, int) : place, and frames to step, +1 a notch towards the user.
    run_dropped(int, str) : place, and the key of a run of the `RunList`.
    paths_dropped(int, list) : place, and files and folders (str).
    """

    place_wanted = Signal(int)
    maximise_wanted = Signal(int)
    wheel_stepped = Signal(int, int)
    run_dropped = Signal(int, str)
    paths_dropped = Signal(int, list)

    def __init__(self, worked_on: PictureView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.worked_on = worked_on
        worked_on.setParent(self)
        self._views: dict[int, PictureView] = {}
        self._count, self._active, self._maximised = 1, 0, False
        self._titles: dict[int, tuple[str, str]] = {}
        self._target: int | None = None  # the place under what is dragged
        self._wheel_rest = 0
        self._theme = DARK
        self.setAcceptDrops(True)

    def view(self, index: int) -> PictureView:
        """Return the view that shows the picture of a place while it is not worked on."""
        if index not in self._views:
            view = self._views[index] = PictureView(self)
            view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            view.viewport().installEventFilter(self)
            view.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
            view.lower()  # a notice lies above all pictures
            view.hide()
        return self._views[index]

    def set_places(self, count: int, active: int, *, maximised: bool = False) -> None:
        """Show so many places, or the active one alone."""
        self._count, self._active, self._maximised = count, active, maximised
        self._lay_out()

    def set_title(self, index: int, name: str, note: str = "") -> None:
        """Write a run's name, and how it follows, above its place."""
        if self._titles.get(index) != (name, note):
            self._titles[index] = name, note
            self.update()

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._theme = theme
        self.update()

    def minimumSizeHint(self) -> QSize:
        """Return the room that the picture which is worked on needs."""
        return self.worked_on.minimumSizeHint().expandedTo(self.worked_on.minimumSize())

    # where things are

    @property
    def _several(self) -> bool:
        return self._count > 1 and not self._maximised

    def _cell(self, index: int) -> QRect:
        """Return the whole of a place, with its line and its frame."""
        if not self._several:
            return self.rect()
        columns = COLUMNS[self._count]
        rows = self._count // columns
        row, column = divmod(index, columns)

        def stretch(whole: int, parts: int, part: int) -> tuple[int, int]:
            first = (whole + GAP) * part // parts
            return first, (whole + GAP) * (part + 1) // parts - GAP - first

        left, width = stretch(self.width(), columns, column)
        top, height = stretch(self.height(), rows, row)
        return QRect(left, top, width, height)

    def _header(self, index: int) -> QRect:
        cell = self._cell(index).adjusted(FRAME, FRAME, -FRAME, 0)
        height = self.fontMetrics().height() + 2 * HEADER_PADDING
        return QRect(cell.topLeft(), QSize(cell.width(), height))

    def _picture(self, index: int) -> QRect:
        cell = self._cell(index)
        if not self._several:
            return cell
        return QRect(
            QPoint(cell.left() + FRAME, self._header(index).bottom() + 1),
            cell.bottomRight() - QPoint(FRAME, FRAME),
        )

    def _shown(self) -> range:
        return range(self._count) if self._several else range(self._active, self._active + 1)

    def _place_at(self, position: QPoint) -> int:
        found = (index for index in self._shown() if self._cell(index).contains(position))
        return next(found, self._active)

    def _lay_out(self) -> None:
        for index in self._shown():
            view = self.worked_on if index == self._active else self.view(index)
            view.setGeometry(self._picture(index))
            view.show()
        for index, view in self._views.items():
            if index == self._active or index not in self._shown():
                view.hide()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay out anew."""
        super().resizeEvent(event)
        self._lay_out()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw names and frames; the active place is plain by its colour."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.window))
        if not self._several:
            return
        for index in self._shown():
            active = index == self._active
            self._paint_header(painter, index, active=active)
            if active or index == self._target:
                color = self._theme.accent if active else self._theme.accent_hover
                style = Qt.PenStyle.DotLine if index == self._target else Qt.PenStyle.SolidLine
                painter.setPen(QPen(QColor(color), FRAME, style))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                half = FRAME / 2
                painter.drawRect(QRectF(self._cell(index)).adjusted(half, half, -half, -half))

    def _paint_header(self, painter: QPainter, index: int, *, active: bool) -> None:
        theme, area = self._theme, self._header(index)
        painter.fillRect(area, QColor(theme.selection if active else theme.raised))
        name, note = self._titles.get(index, ("", ""))
        line = area.adjusted(2 * HEADER_PADDING, 0, -2 * HEADER_PADDING, 0)
        font = QFont(self.font())
        painter.setFont(font)
        note = painter.fontMetrics().elidedText(
            note, Qt.TextElideMode.ElideRight, line.width() // 2
        )
        painter.setPen(QColor(theme.muted))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | middle, note)
        room = line.width() - painter.fontMetrics().horizontalAdvance(note) - 2 * HEADER_PADDING
        font.setBold(active)
        painter.setFont(font)
        painter.setPen(QColor(theme.text if active else theme.muted))
        elided = painter.fontMetrics().elidedText(
            name or tr("No run"), Qt.TextElideMode.ElideMiddle, room
        )
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | middle, elided)

    # mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Turn to the place whose line was pressed."""
        self.place_wanted.emit(self._place_at(event.position().toPoint()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Give the whole room to the place whose line was clicked twice."""
        self.maximise_wanted.emit(self._place_at(event.position().toPoint()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take what the mouse does to a picture that is only seen: the place is wanted."""
        index = next((i for i, v in self._views.items() if v.viewport() is watched), None)
        if index is None:
            return super().eventFilter(watched, event)
        match event.type():
            case QEvent.Type.MouseButtonPress | QEvent.Type.MouseButtonDblClick:
                self.place_wanted.emit(index)
            case QEvent.Type.MouseButtonRelease:
                pass
            case QEvent.Type.Wheel if isinstance(event, QWheelEvent):
                self._wheel(index, event)
            case QEvent.Type.NativeGesture if isinstance(event, QNativeGestureEvent):
                self.place_wanted.emit(index)
            case _:
                return super().eventFilter(watched, event)
        event.accept()
        return True

    def _wheel(self, index: int, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.place_wanted.emit(index)  # it is zoomed from there
            return
        self._wheel_rest -= event.angleDelta().y()
        steps = int(self._wheel_rest / WHEEL_NOTCH)
        if steps:
            self._wheel_rest -= steps * WHEEL_NOTCH
            self.wheel_stepped.emit(index, steps)

    # drag and drop

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Welcome a run of the list, files and folders."""
        if _run_key(event.mimeData()) or _paths(event.mimeData()):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Show into which place it would go."""
        event.acceptProposedAction()
        self._aim(self._place_at(event.position().toPoint()))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Take the welcome back."""
        self._aim(None)

    def dropEvent(self, event: QDropEvent) -> None:
        """Tell what was dropped, and into which place."""
        event.acceptProposedAction()
        self._aim(None)
        index, data = self._place_at(event.position().toPoint()), event.mimeData()
        if key := _run_key(data):
            self.run_dropped.emit(index, key)
        elif paths := _paths(data):
            self.paths_dropped.emit(index, paths)

    def _aim(self, index: int | None) -> None:
        if index != self._target:
            self._target = index
            self.update()


def _run_key(data: QMimeData) -> str:
    return bytes(data.data(RUN_KEY).data()).decode("utf-8", "surrogateescape")


def _paths(data: QMimeData) -> list[str]:
    return [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
