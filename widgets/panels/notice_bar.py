"""A strip that says one plain sentence without stopping anybody."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from gettext import gettext as tr

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from widgets.icons import icon
from widgets.theme import DARK, Theme

INFO_SHOWN_MS = 6000
FLOAT_WIDTH = 620
FLOAT_MARGIN = 12
BUTTON_MARGIN = 4
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

    It lies over the lower edge of its host, moves nothing when it comes and goes, and lets clicks
    through to what is below, except on its buttons. Only infos go by themselves; warnings and
    errors wait to be dismissed.

    Parameters
    ----------
    host : QWidget

    Signals
    -------
    action_requested(object) : the `Notice` whose button was pressed.
    """

    action_requested = Signal(object)

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self._waiting: list[Notice] = []
        self._theme = DARK
        self._icon = QLabel()
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._more = QLabel()
        self._more.setProperty("role", "muted")
        self._action = QPushButton()
        self._action.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._action.clicked.connect(self._act)
        self._close = QToolButton()
        self._close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._close.setToolTip(tr("Dismiss"))
        self._close.setAccessibleName(tr("Dismiss this message"))
        self._close.clicked.connect(self.dismiss)
        # beside the bar, not in it: what is transparent for the mouse is so with all its children
        self._buttons = QWidget(host)
        buttons = QHBoxLayout(self._buttons)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.addWidget(self._action)
        buttons.addWidget(self._close)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        layout = QHBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(self._icon)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._more)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(INFO_SHOWN_MS)
        self._timer.timeout.connect(self.dismiss)
        self.setObjectName("noticeBar")
        self.setAccessibleName(tr("Message"))
        host.installEventFilter(self)
        self._show_first()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the place when the host changes its size."""
        if watched is self._host and event.type() is QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        layout = self.layout()
        if layout is None or self.notice is None:
            return
        buttons = self._buttons.sizeHint()
        layout.setContentsMargins(12, 3, buttons.width() + 2 * BUTTON_MARGIN, 3)
        width = min(self._host.width() - 2 * FLOAT_MARGIN, FLOAT_WIDTH)
        height = max(layout.totalHeightForWidth(width), buttons.height() + 2 * BUTTON_MARGIN)
        left = (self._host.width() - width) // 2
        self.setGeometry(left, self._host.height() - height - FLOAT_RAISED, width, height)
        corner = self.geometry().topRight() - QPoint(buttons.width() + BUTTON_MARGIN, 0)
        middle = QPoint(0, (height - buttons.height()) // 2)
        self._buttons.setGeometry(QRect(corner + middle, buttons))
        self.raise_()
        self._buttons.raise_()

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

    def withdraw(self, text: str) -> None:
        """Take a notice away that holds no longer."""
        kept = [notice for notice in self._waiting if notice.text != text]
        if len(kept) < len(self._waiting):
            self._waiting[:] = kept
            self._show_first()

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
        self._buttons.setVisible(notice is not None)
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
        self._more.setText(tr("{count} more").format(count=more) if more else "")

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
