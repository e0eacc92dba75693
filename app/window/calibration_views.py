"""Asks for the size of what was measured, and whether another run's calibration is taken over."""

from __future__ import annotations

from gettext import gettext as tr

from PySide6.QtCore import QObject, QPoint
from PySide6.QtWidgets import QWidget

from app.session.calibrating import Offer, Reading
from app.session.session import Session
from app.session.tools import Tool
from widgets.dialogs.calibration_dialog import CalibrationDialog
from widgets.panels.notice_bar import Notice, NoticeBar
from widgets.picture.cine_view import CineView

COVERAGE = 1.96
BESIDE = (12, 90)
"""Where the dialog stands on the picture: at its side, so that what was found can be judged."""


class CalibrationViews(QObject):
    """Shows what the session measured and offers."""

    def __init__(
        self, parent: QWidget, session: Session, notices: NoticeBar, view: CineView
    ) -> None:
        super().__init__(parent)
        self._view = view
        self._parent = parent
        self._session = session
        self._notices = notices
        self._dialog: CalibrationDialog | None = None
        self._reading: Reading | None = None
        session.calibrating.read.connect(self._show)
        session.calibrating.offered.connect(self._offer)
        session.run_changed.connect(lambda _: self.close())

    def close(self) -> None:
        """Ask no more."""
        if self._dialog is not None:
            self._dialog.reject()

    def _offer(self, offer: Offer) -> None:
        text = tr("{what} Take that over?").format(what=offer.text)
        self._notices.show_notice(Notice(text, action=tr("Take over"), command="take_calibration"))

    def _show(self, reading: Reading) -> None:
        self._reading = reading
        self._view.show_found(reading.frame, reading.edges)
        if self._dialog is not None:
            self._dialog.set_found(_found(reading), reading.doubts, ask=reading.filled)
            return
        from inference.measuring.calibration import FRENCH_SIZES

        builds = {  # of inference.measuring.catheter.Build
            "unknown": tr("not known"),
            "diagnostic": tr("diagnostic"),
            "guiding": tr("guiding"),
        }
        self._dialog = CalibrationDialog(
            _found(reading),
            reading.doubts,
            FRENCH_SIZES if reading.catheter is not None else (),
            builds,
            self._parent,
            ask=reading.filled,
        )
        self._dialog.applied.connect(self._take)
        self._dialog.build_picked.connect(self._measure_again)
        self._dialog.finished.connect(self._forget)
        self._dialog.open()
        self._dialog.move(self._view.mapToGlobal(QPoint(*BESIDE)))

    def _measure_again(self, build: str) -> None:
        reading = self._reading
        if reading is not None:
            self._session.calibrating.measure_catheter(reading.frame, reading.points, build)

    def _take(self, size: float, all_the_same: bool) -> None:
        if self._reading is not None:
            self._session.calibrating.take(self._reading, size, all_the_same=all_the_same)
            self._session.tools.take(Tool.WINDOW)

    def _forget(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
        self._dialog = self._reading = None
        self._view.show_found(0, ())


def _found(reading: Reading) -> str:
    found, ball = reading.catheter, reading.ball
    if found is not None:
        told = tr("The catheter is {width} ± {spread} px wide (95%), on {count} profiles.")
        return told.format(
            width=f"{found.width_px:.2f}",
            spread=f"{COVERAGE * found.uncertainty_px:.2f}",
            count=found.profile_count,
        )
    assert ball is not None
    told = tr("The ball is {width} ± {spread} px wide (95%).")
    return told.format(
        width=f"{ball.diameter_px:.1f}", spread=f"{COVERAGE * ball.uncertainty_px:.1f}"
    )
