"""What the mouse does on the picture: the mode, and the tool in the hand."""

from __future__ import annotations

from enum import StrEnum

from PySide6.QtCore import QObject, Signal


class Mode(StrEnum):
    """Whether a click may place a point."""

    REVIEW = "review"
    LABEL = "label"


class Tool(StrEnum):
    """What a drag with the left button does in review; measures have the names of their marks."""

    WINDOW = "window"
    PAN = "pan"
    ZOOM = "zoom"
    DISTANCE = "distance"
    POLYLINE = "polyline"
    ANGLE = "angle"
    RECTANGLE = "rectangle"
    ELLIPSE = "ellipse"
    TEXT = "text"
    ARROW = "arrow"
    CATHETER = "catheter"
    SPHERE = "sphere"
    VESSEL = "vessel"


class Tools(QObject):
    """Holds mode and tool; the program begins in review, where no click writes anything.

    Signals
    -------
    changed() : mode or tool is another.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.mode = Mode.REVIEW
        self.tool = Tool.WINDOW

    @property
    def labelling(self) -> bool:
        """True where a click places a point."""
        return self.mode is Mode.LABEL

    def toggle_mode(self) -> None:
        """Go from review to labelling, and back."""
        self.set_mode(Mode.REVIEW if self.labelling else Mode.LABEL)

    def set_mode(self, mode: Mode) -> None:
        """Review or label."""
        self._set(mode, Tool.WINDOW if mode is Mode.LABEL else self.tool)

    def take(self, tool: Tool) -> None:
        """Take a tool into the hand, in review; a tool taken twice is laid down again."""
        put_down = self.tool is tool and not self.labelling
        self._set(Mode.REVIEW, Tool.WINDOW if put_down else tool)

    def _set(self, mode: Mode, tool: Tool) -> None:
        if (mode, tool) != (self.mode, self.tool):
            self.mode, self.tool = mode, tool
            self.changed.emit()
