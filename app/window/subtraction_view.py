"""Shows how the open run is subtracted, and asks for what the panel's buttons stand for."""

from __future__ import annotations

from PySide6.QtCore import QObject

from app.session.session import Session
from app.window.commander import Commander
from widgets.panels.subtraction_panel import SubtractionPanel


class SubtractionView(QObject):
    """Joins the panel with `Subtraction`."""

    def __init__(self, panel: SubtractionPanel, session: Session, commander: Commander) -> None:
        super().__init__(panel)
        self._panel = panel
        self._session = session
        self._commander = commander
        panel.command_requested.connect(commander.do)
        panel.landmarks_changed.connect(session.subtraction.set_landmarks)
        session.look.changed.connect(self._show)
        session.run_changed.connect(self._show)
        session.subtraction.registering_changed.connect(self._show_progress)
        self._show()

    def _show(self, *_: object) -> None:
        panel, actions = self._panel, self._commander.actions
        panel.set_on({name for name in panel.commands if actions[name].isChecked()})
        panel.set_landmarks(self._session.look.now.grey.landmarks)

    def _show_progress(self) -> None:
        self._panel.set_progress(self._session.subtraction.share)
