"""Shows which denoiser is used and how adapting goes on, and asks what only a person can say."""

from __future__ import annotations

from gettext import gettext as tr

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMessageBox

from app.session.adapting import Adapting
from app.session.denoisers import AdaptedDenoiser
from widgets.panels.denoiser_choice import DenoiserChoice, DenoiserRow


class DenoiserViews(QObject):
    """Joins the choice of denoisers in the panel with `Adapting`."""

    def __init__(self, choice: DenoiserChoice, adapting: Adapting) -> None:
        super().__init__(choice)
        self._choice = choice
        self._adapting = adapting
        choice.denoiser_picked.connect(adapting.use)
        choice.adapt_requested.connect(adapting.adapt)
        choice.cancel_requested.connect(adapting.cancel)
        choice.delete_requested.connect(self.ask_to_delete)
        choice.result_taken.connect(adapting.take_result)
        adapting.choice_changed.connect(self._show_choice)
        adapting.adaptable_changed.connect(choice.set_adaptable)
        adapting.progressed.connect(self._show_progress)
        adapting.made_changed.connect(self._show_result)
        choice.set_adaptable(adapting.adaptable)
        adapting.use_last()

    def ask_to_delete(self, name: str) -> None:
        """Delete an adapted denoiser once the user has said so."""
        question = QMessageBox(self._choice.window())
        question.setWindowTitle(tr("Delete denoiser"))
        text = tr("Delete the denoiser {name}? It cannot be brought back.")
        question.setText(text.format(name=name))
        delete = question.addButton(tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        cancel = question.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        question.setDefaultButton(cancel)
        delete.clicked.connect(lambda: self._adapting.delete(name))
        question.finished.connect(question.deleteLater)
        question.open()

    def _show_choice(self, denoisers: list[AdaptedDenoiser], used: str) -> None:
        rows = [DenoiserRow(d.name, f"{d.origin}\n{d.scores}") for d in denoisers]
        self._choice.set_denoisers(rows, used)

    def _show_progress(self, share: float, text: str, run_name: str) -> None:
        learns = tr("The denoiser learns from {name}").format(name=run_name)
        self._choice.show_progress(share, text, learns)

    def _show_result(self, made: AdaptedDenoiser | None) -> None:
        if made is None:
            self._choice.show_choice()
        else:
            self._choice.show_result(made.scores, better=made.error_after < made.error_before)
