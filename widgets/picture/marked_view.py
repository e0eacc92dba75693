"""The picture with marks that are drawn, taken and dragged."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from math import hypot

from PySide6.QtCore import QPointF, Signal
from PySide6.QtWidgets import QWidget

from widgets.picture.drawing import Drawing
from widgets.picture.mark_overlay import MarkOverlay, MarkShape, distance_to
from widgets.picture.picture_view import PictureView
from widgets.picture.vessel_overlay import VesselPart

Grip = int | VesselPart | None
"""What of a mark is held: one of its handles, a part of a vessel, or the whole mark."""
Outlines = tuple[tuple[tuple[float, float], ...], ...]
"""Lines through points (x, y)."""
HANDLE_REACH = 9.0
LINE_REACH = 6.0


class Hand(Enum):
    """What the left button does on the picture."""

    LABEL = auto()
    WINDOW = auto()
    PAN = auto()
    ZOOM = auto()
    DRAW = auto()


class MarkedView(PictureView):
    """Draws marks and what becomes of them under the mouse; it decides nothing.

    Signals
    -------
    drawing_started() : the first handle of a figure is placed.
    mark_drawn(MarkShape, int, object) : a figure is complete: its frame and points (x, y).
    mark_picked(str) : a click on a mark, "" on none.
    mark_dropped(str, object) : a mark was dragged; its points (x, y).
    vessel_pulled(str, VesselPart, object) : a part of a vessel was dragged to a place (x, y).
    mark_opened(str) : a double click on a mark.
    """

    drawing_started = Signal()
    mark_drawn = Signal(MarkShape, int, object)
    mark_picked = Signal(str)
    mark_dropped = Signal(str, object)
    vessel_pulled = Signal(str, VesselPart, object)
    mark_opened = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hand = Hand.LABEL
        self._shape_drawn = MarkShape.LINE
        self._drawing: Drawing | None = None
        self._found: tuple[int, MarkOverlay] | None = None  # its frame, and what to look at there
        self._mark_held: MarkOverlay | None = None
        self._grip: Grip = None
        self._held_from = (0.0, 0.0)

    @property
    def hand(self) -> Hand:
        """What the left button does."""
        return self._hand

    def set_hand(self, hand: Hand, shape: MarkShape = MarkShape.LINE) -> None:
        """Let the left button do something else; ``shape`` is what a drawing hand draws."""
        if (hand, shape) != (self._hand, self._shape_drawn):
            self._hand, self._shape_drawn = hand, shape
            self.cancel_drawing()

    def show_found(self, frame: int, outlines: Outlines) -> None:
        """Show lines that were found on a frame, until other ones are; none takes them away."""
        found = MarkOverlay("", MarkShape.FOUND, outlines[0][:1] if outlines else (), (), True)
        self._found = (frame, replace(found, outlines=outlines)) if outlines else None
        self.viewport().update()

    @property
    def drawing(self) -> bool:
        """True while a figure is begun and not complete."""
        return self._drawing is not None

    def cancel_drawing(self) -> None:
        """Give up the figure that is being drawn."""
        self._drawing = None
        self.viewport().update()

    def end_drawing(self) -> None:
        """Complete a polyline or a vessel with the handles that it has."""
        drawing = self._drawing
        if drawing is not None and drawing.end():
            self._complete(drawing)

    # for the mouse

    def _mark_near(self, position: QPointF) -> tuple[MarkOverlay, Grip] | None:
        """Return the mark under the mouse, and what of it; the chosen one first."""
        if not self._overlay_visible or self._hand is Hand.LABEL:
            return None
        tile = self._tile_at(position)

        def screen(x: float, y: float) -> QPointF:
            return self._view_in(tile).to_screen(tile.pane, x, y)

        for mark in sorted(self._marks, key=lambda mark: not mark.selected):
            if mark.shape is MarkShape.FOUND:
                continue
            for index, (x, y) in enumerate(mark.points):
                away = screen(x, y) - position
                if hypot(away.x(), away.y()) <= HANDLE_REACH * self._unit():
                    return mark, index
            if mark.vessel is not None:
                part = mark.vessel.part_near(screen, position, LINE_REACH * self._unit())
                if part is not None:
                    return mark, part
            elif distance_to(mark, screen, position) <= LINE_REACH * self._unit():
                return mark, None
        return None

    def _press_drawing(self, position: QPointF) -> None:
        point = self._point_at(position)
        if self._drawing is None or self._drawing.frame != self._frame:
            self._drawing = Drawing(self._shape_drawn, self._frame, point)
            self.drawing_started.emit()
        self._drawing.press(point)

    def _release_drawing(self, position: QPointF, *, dragged: bool) -> None:
        drawing = self._drawing
        if drawing is not None and drawing.release(self._point_at(position), dragged=dragged):
            self._complete(drawing)

    def _follow_drawing(self, position: QPointF) -> None:
        if self._drawing is not None:
            self._drawing.tip = self._point_at(position)

    def _complete(self, drawing: Drawing) -> None:
        self._drawing = None
        self.viewport().update()
        self.mark_drawn.emit(drawing.shape, drawing.frame, tuple(drawing.placed))

    def _hold_mark(self, held: tuple[MarkOverlay, Grip], position: QPointF) -> None:
        self._mark_held, self._grip = held
        self._held_from = self._point_at(position)

    def _dragged_mark(self, position: QPointF) -> MarkOverlay:
        """Return the held mark as it is at the mouse; no handle leaves the picture."""
        mark = self._mark_held
        assert mark is not None
        x, y = self._point_at(position)
        if isinstance(self._grip, VesselPart):  # it is found anew when it is dropped
            return replace(mark, points=(*mark.points, (x, y)), selected=True)
        dx, dy = x - self._held_from[0], y - self._held_from[1]
        points = list(mark.points)
        if self._grip is not None:
            old = points[self._grip]
            points[self._grip] = self._within(old[0] + dx, old[1] + dy)
        elif self._pictures is not None:
            rows, columns = self._pictures.shape
            across, down = ([p[axis] for p in points] for axis in (0, 1))
            dx = min(max(dx, -min(across)), columns - 1.0 - max(across))
            dy = min(max(dy, -min(down)), rows - 1.0 - max(down))
            points = [(x + dx, y + dy) for x, y in points]
        return replace(mark, points=tuple(points), outlines=())

    def _tell_dropped(self, moved: MarkOverlay) -> None:
        """Tell where a mark was dragged to."""
        if isinstance(self._grip, VesselPart):
            self.vessel_pulled.emit(moved.mark_id, self._grip, moved.points[-1])
        else:
            self.mark_dropped.emit(moved.mark_id, moved.points)

    def _point_at(self, position: QPointF) -> tuple[float, float]:
        return self._within(*self._to_image(position))

    def _marks_now(self) -> tuple[MarkOverlay, ...]:
        """Return the marks, a held one at the mouse, and the figure that is being drawn."""
        marks = self._marks
        if self._mark_held is not None and self._mouse is not None:
            held = self._dragged_mark(self._mouse)
            marks = tuple(held if mark.mark_id == held.mark_id else mark for mark in marks)
        if self._found is not None and self._found[0] == self._frame and not self._for_export:
            marks = (*marks, self._found[1])
        drawing = self._drawing
        if drawing is not None and drawing.frame == self._frame and not self._for_export:
            drawn = MarkOverlay("", drawing.shape, drawing.points, (), True)
            marks = (*marks, drawn)
        return marks
