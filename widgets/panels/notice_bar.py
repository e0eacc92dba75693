"""A strip that says one plain sentence without stopping anybody."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from widgets.icons import icon
from widgets.theme import DARK, Theme

INFO_SHOWN_MS = 6000
FLOAT_WIDTH = 620
FLOAT_MARGIN = 12
FLOAT_RAISED = 62
"""Height above the host's lower edge: the text in its corners stays free."""


class Severity(IntEnum):
    """How much a notice matters; the gravest waiting notice is shown first."""

    INFO = 0
    WARNING = 1
    ERROR = 2


ICONS = {
    Severity.INFO: "information-outline",
    Severity.WARNING: "alert-outline",
    Severity.ERROR: "alert-circle-outline",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the user, and perhaps one thing to do about it.

    ``action`` is the text of a button, "" for none; ``command`` tells the receiver of
    `NoticeBar.action_requested` what was meant.
    """

    text: str
    severity: Severity = Severity.INFO
    action: str = ""
    command: str = ""


class NoticeBar(QFrame):
    """Shows notices one at a time; hidden while there is none.

    Only infos go by themselves; warnings and errors wait to be dismissed.

    Signals
    -------
    action_requested(object) : the `Notice` whose button was pressed.
    """

    action_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._waiting: list[Notice] = []
        self._theme = DARK
        self._icon = QLabel()
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._more = QLabel()
        self._more.setProperty("role", "muted")
        self._action = QPushButton()
        self._action.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._action.clicked.connect(self._act)
        self._close = QToolButton()
        self._close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._close.setToolTip("Dismiss")
        self._close.setAccessibleName("Dismiss this message")
        self._close.clicked.connect(self.dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 3, 6, 3)
        layout.setSpacing(10)
        layout.addWidget(self._icon)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._more)
        layout.addWidget(self._action)
        layout.addWidget(self._close)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(INFO_SHOWN_MS)
        self._timer.timeout.connect(self.dismiss)
        self.setObjectName("noticeBar")
        self.setAccessibleName("Message")
        self.hide()

    def float_over(self, host: QWidget) -> None:
        """Lie over the lower edge of ``host``: coming and going, it moves nothing else."""
        self.setParent(host)
        host.installEventFilter(self)
        self._show_first()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the place when the host changes its size."""
        if watched is self.parent() and event.type() is QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        host = self.parentWidget()
        layout = self.layout()
        if host is None or layout is None or not self.isVisibleTo(host):
            return
        width = min(host.width() - 2 * FLOAT_MARGIN, FLOAT_WIDTH)
        height = max(layout.totalHeightForWidth(width), self.minimumSizeHint().height())
        left = (host.width() - width) // 2
        self.setGeometry(left, host.height() - height - FLOAT_RAISED, width, height)
        self.raise_()

    @property
    def notice(self) -> Notice | None:
        """The notice that is shown."""
        return self._waiting[0] if self._waiting else None

    def show_notice(self, notice: Notice) -> None:
        """Show a notice, or keep it until the graver and older ones are gone."""
        if notice in self._waiting:
            return
        shown = self.notice
        self._waiting.append(notice)
        self._waiting.sort(key=lambda waiting: -waiting.severity)
        if self.notice is not shown:
            self._show_first()
        else:
            self._count()

    def dismiss(self) -> None:
        """Take the shown notice away; the next one follows."""
        del self._waiting[:1]
        self._show_first()

    def clear(self) -> None:
        """Take all notices away."""
        self._waiting.clear()
        self._show_first()

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self._theme = theme
        self._close.setIcon(icon("close", theme))
        if self._waiting:
            self._color(self._waiting[0].severity)

    def _act(self) -> None:
        notice = self.notice
        self.dismiss()
        self.action_requested.emit(notice)

    def _show_first(self) -> None:
        self._timer.stop()
        notice = self.notice
        self.setVisible(notice is not None)
        if notice is None:
            return
        self._text.setText(notice.text)
        self._action.setText(notice.action)
        self._action.setVisible(bool(notice.action))
        self._count()
        self._color(notice.severity)
        self.setAccessibleDescription(notice.text)
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))
        if notice.severity is Severity.INFO:
            self._timer.start()
        self._place()

    def _count(self) -> None:
        more = len(self._waiting) - 1
        self._more.setText(f"{more} more" if more else "")

    def _color(self, severity: Severity) -> None:
        theme = self._theme
        colors = {
            Severity.INFO: theme.accent,
            Severity.WARNING: theme.warning,
            Severity.ERROR: theme.error,
        }
        height = self.fontMetrics().height()
        self._icon.setPixmap(icon(ICONS[severity], theme, colors[severity]).pixmap(height, height))
        self.setStyleSheet(
            f"#noticeBar {{ background: {theme.raised};"
            f" border: 1px solid {theme.border}; border-radius: 4px;"
            f" border-left: 3px solid {colors[severity]}; }}"
        )
