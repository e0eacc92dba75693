"""Keeps the marks on the picture and in the panel true to the labels, and hands gestures on."""

from __future__ import annotations

from gettext import gettext as tr

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QInputDialog, QWidget

from app.measure.scale import scale_text
from app.measure.table import LENGTHS, frame_text, kind_text
from app.session.session import Session
from app.session.tools import Tool
from app.tracks.marks import Mark, MarkKind, Point
from app.window.asking import still_open
from app.window.overlays import SHAPES
from widgets.panels.measure_panel import MeasurePanel, MeasureRow
from widgets.panels.mode_switch import ModeSwitch
from widgets.picture.cine_view import CineView
from widgets.picture.mark_overlay import MarkShape
from widgets.picture.marked_view import Hand
from widgets.translation import marked

HANDS = {Tool.WINDOW: Hand.WINDOW, Tool.PAN: Hand.PAN, Tool.ZOOM: Hand.ZOOM}
"""What the left button does with a tool; with all others it draws."""
CALIBRATORS = {Tool.CATHETER: MarkShape.POLYLINE, Tool.SPHERE: MarkShape.ELLIPSE}
"""What is drawn to be measured and calibrated by."""
HINTS = {
    Tool.POLYLINE: marked("Click along the line; a double click or Return ends it."),
    Tool.ANGLE: marked("Click one end, the corner, the other end."),
    Tool.CATHETER: marked(
        "Click along the middle of an empty stretch of the catheter; a double click or Return "
        "ends it."
    ),
    Tool.SPHERE: marked("Drag an ellipse along the rim of the ball."),
    Tool.VESSEL: marked("Click along the vessel; a double click or Return ends it."),
}
"""What to do with a tool that is not simply dragged."""


class MarkViews(QObject):
    """Shows measures wherever they are shown, and tells the session what the hand does.

    Parameters
    ----------
    parent : QWidget
        Of the dialog that asks for words.
    """

    def __init__(
        self,
        parent: QWidget,
        session: Session,
        view: CineView,
        panel: MeasurePanel,
        switch: ModeSwitch,
    ) -> None:
        super().__init__(parent)
        self._parent = parent
        self._session = session
        self._view = view
        self._panel = panel
        self._switch = switch
        measuring = session.measuring
        measuring.changed.connect(self.draw)
        session.tools.changed.connect(self._take_tool)
        switch.picked.connect(
            lambda label: session.tools.toggle_mode() if label != session.tools.labelling else None
        )
        panel.measure_picked.connect(measuring.select)
        view.drawing_started.connect(session.playback.pause)
        view.mark_drawn.connect(self._draw_mark)
        view.mark_picked.connect(lambda mark: measuring.select(mark or None))
        view.mark_dropped.connect(self._drop)
        view.mark_opened.connect(self.write)
        self._take_tool()

    def draw(self) -> None:
        """Show all marks anew."""
        session, measuring = self._session, self._session.measuring
        opened, scale = session.opened, measuring.scale
        if opened is None or scale is None:
            self._panel.set_scale("")
            self._panel.set_measures((), None)
            return
        self._panel.set_scale(scale_text(opened.run, scale))
        selected = measuring.selected
        self._panel.set_measures(
            [self._row(mark) for mark in measuring.marks],
            None if selected is None else selected.id,
        )

    def write(self, mark_id: str = "") -> None:
        """Ask for the words on a mark, the chosen one by default."""
        measuring = self._session.measuring
        opened = self._session.opened
        chosen = measuring.selected
        mark_id = mark_id or ("" if chosen is None else chosen.id)
        mark = None if opened is None else opened.labels.mark(mark_id)
        if opened is not None and mark is not None and self._session.labelling.may_edit():
            text = self._ask_words(kind_text(mark.kind), mark.text)
            if text is not None and still_open(self._session, opened):
                measuring.write(mark.id, text)

    def calibrate_by_length(self) -> None:
        """Ask how long the chosen distance is."""
        opened, mark = self._session.opened, self._session.measuring.selected
        if opened is None or mark is None or mark.kind not in LENGTHS:
            self._session.said.emit(tr("Draw or choose a distance whose length is known."))
            return
        if not self._session.labelling.may_edit():
            return
        length_mm, agreed = QInputDialog.getDouble(
            self._parent, tr("Calibrate"), tr("Length in mm"), 10.0, 0.1, 1000.0, 2
        )
        if agreed and still_open(self._session, opened):
            self._session.calibrating.by_length(mark, length_mm)

    # inside

    def _row(self, mark: Mark) -> MeasureRow:
        measured = self._session.measuring.measured(mark)
        value = ", ".join(filter(None, (mark.text.replace("\n", " "), measured.value_text)))
        return MeasureRow(mark.id, kind_text(mark.kind), frame_text(mark), value)

    def _take_tool(self) -> None:
        tools = self._session.tools
        if self._session.opened is not None and tools.tool in HINTS and not tools.labelling:
            self._session.said.emit(tr(HINTS[tools.tool]))
        self._switch.set_labelling(tools.labelling)
        if tools.labelling:
            self._session.measuring.select(None)
            self._view.set_hand(Hand.LABEL)
        elif tools.tool in HANDS:
            self._view.set_hand(HANDS[tools.tool])
        elif tools.tool in CALIBRATORS:
            self._view.set_hand(Hand.DRAW, CALIBRATORS[tools.tool])
        else:
            self._view.set_hand(Hand.DRAW, SHAPES[MarkKind(tools.tool.value)])

    def _draw_mark(self, shape: MarkShape, frame: int, points: tuple[Point, ...]) -> None:
        tool = self._session.tools.tool
        if not self._session.labelling.may_edit():
            return
        if tool is Tool.CATHETER:
            self._session.calibrating.measure_catheter(frame, points)
            return
        if tool is Tool.SPHERE:
            self._session.calibrating.measure_sphere(frame, points)
            return
        if tool is Tool.VESSEL:
            self._session.vessels.draw(frame, points)
            return
        kind = next(kind for kind, drawn in SHAPES.items() if drawn is shape)
        text, opened = "", self._session.opened
        if opened is not None and kind is MarkKind.TEXT:
            text = self._ask_words(tr("Text"), "") or ""
            if not text.strip() or not still_open(self._session, opened):
                return
        self._session.measuring.draw(kind, frame, points, text)

    def _drop(self, mark_id: str, points: tuple[Point, ...]) -> None:
        """Move a mark; a vessel is measured anew."""
        opened = self._session.opened
        mark = None if opened is None else opened.labels.mark(mark_id)
        if mark is not None and mark.kind is MarkKind.VESSEL:
            self._session.vessels.move(mark_id, points)
        else:
            self._session.measuring.move(mark_id, points)

    def _ask_words(self, title: str, text: str) -> str | None:
        """Ask for words; None where the user would rather not."""
        words, agreed = QInputDialog.getMultiLineText(self._parent, title, tr("Words"), text)
        return words if agreed else None
