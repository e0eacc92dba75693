"""A figure while it is drawn: by dragging, by clicks, or both."""

from __future__ import annotations

from dataclasses import dataclass, field

from widgets.picture.mark_overlay import MarkShape

Point = tuple[float, float]
HANDLES = {
    MarkShape.LINE: 2,
    MarkShape.ARROW: 2,
    MarkShape.RECTANGLE: 2,
    MarkShape.ELLIPSE: 2,
    MarkShape.ANGLE: 3,
    MarkShape.TEXT: 1,
}
"""How many handles complete a figure; those without a number go on until they are ended."""


@dataclass(slots=True)
class Drawing:
    """Handles placed so far, and the one that follows the mouse.

    Attributes
    ----------
    frame : int
        The frame on which it began, and to which it belongs.
    placed : list of (x, y)
    tip : (x, y)
        Where the mouse is.
    """

    shape: MarkShape
    frame: int
    tip: Point
    placed: list[Point] = field(default_factory=list)

    def press(self, point: Point) -> None:
        """Take note of a pressed button: the first press places the first handle."""
        if not self.placed:
            self.placed.append(point)
        self.tip = point

    def release(self, point: Point, *, dragged: bool) -> bool:
        """Place a handle where the button is let go; return True where the figure is complete.

        A click without a drag leaves the first handle alone: the next click places the second. Of
        a vessel two handles are enough where they were dragged.
        """
        self.tip = point
        first = len(self.placed) == 1 and self.placed[0] == point
        if dragged or not first:
            self.placed.append(point)
        return self.complete or (dragged and self.shape is MarkShape.VESSEL)

    @property
    def complete(self) -> bool:
        """True where all handles are placed."""
        return len(self.placed) == HANDLES.get(self.shape)

    def end(self) -> bool:
        """End a figure that goes on; return True where it is one."""
        while len(self.placed) > 1 and self.placed[-1] == self.placed[-2]:
            self.placed.pop()
        return self.shape not in HANDLES and len(self.placed) > 1

    @property
    def points(self) -> tuple[Point, ...]:
        """The handles as they are drawn, the mouse's last."""
        last = () if self.placed and self.placed[-1] == self.tip else (self.tip,)
        return (*self.placed, *last)
