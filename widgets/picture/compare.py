"""Which picture is shown in which part of the view: original, denoised, enhanced, two of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF

from widgets.picture.color_scale import ColorScale

PANE_GAP = 4.0


class ViewMode(StrEnum):
    """What is seen: one picture of the frame, or how two are compared."""

    ORIGINAL = "original"
    DENOISED = "denoised"
    SIDE_BY_SIDE = "side by side"
    WIPE = "wipe"
    DIFFERENCE = "difference"
    ENHANCED = "enhanced"  # beside the frame


BESIDE_EACH_OTHER = (ViewMode.SIDE_BY_SIDE, ViewMode.ENHANCED)
"""Modes of two panes."""


class PictureKind(StrEnum):
    """One of the pictures of a frame; the enhanced one is of all frames."""

    ORIGINAL = "original"
    DENOISED = "denoised"
    DIFFERENCE = "difference"
    ENHANCED = "enhanced"


@dataclass(frozen=True, slots=True, eq=False)
class FramePictures:
    """A frame as it is drawn: pictures of one size, not changed afterwards.

    They are grey (H, W), or red, green and blue (H, W, 3). All but ``original`` are None until they
    are computed. ``scale`` says what the colours mean, where they mean something.
    """

    original: NDArray[np.uint8]
    denoised: NDArray[np.uint8] | None = None
    difference: NDArray[np.uint8] | None = None
    enhanced: NDArray[np.uint8] | None = None
    scale: ColorScale | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.original.shape[:2]
        return rows, columns

    def of(self, kind: PictureKind) -> NDArray[np.uint8] | None:
        """Return the picture of this kind, None where it is not there yet."""
        match kind:
            case PictureKind.DENOISED:
                return self.denoised
            case PictureKind.DIFFERENCE:
                return self.difference
            case PictureKind.ENHANCED:
                return self.enhanced
            case _:
                return self.original


@dataclass(frozen=True, slots=True)
class PictureNames:
    """What is written on each picture, "" for nothing.

    ``original`` names what is not denoised, such as "Subtracted"; ``waiting`` is written where it
    stands in for another.
    """

    original: str = field(default_factory=lambda: tr("Original"))
    denoised: str = field(default_factory=lambda: tr("Denoised"))
    difference: str = field(default_factory=lambda: tr("Difference"))
    enhanced: str = field(default_factory=lambda: tr("Enhanced"))
    waiting: str = field(default_factory=lambda: tr("Denoising…"))

    def of(self, kind: PictureKind) -> str:
        """Return the name of this kind of picture."""
        match kind:
            case PictureKind.DENOISED:
                return self.denoised
            case PictureKind.DIFFERENCE:
                return self.difference
            case PictureKind.ENHANCED:
                return self.enhanced
            case _:
                return self.original


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the screen and the picture that shows through it.

    Attributes
    ----------
    kind : PictureKind
    region : QRectF
        What is drawn.
    pane : QRectF
        What the picture is laid out in: of a wipe's two regions, both together.
    """

    kind: PictureKind
    region: QRectF
    pane: QRectF


def tiles(mode: ViewMode, area: QRectF, divider: float) -> tuple[Tile, ...]:
    """Lay out a mode from left to right.

    Parameters
    ----------
    mode : ViewMode
    area : QRectF
        The whole view.
    divider : float
        Where a wipe divides the width, 0..1.
    """
    left, top, width, height = area.x(), area.y(), area.width(), area.height()
    match mode:
        case ViewMode.SIDE_BY_SIDE | ViewMode.ENHANCED:
            half = float(int((width - PANE_GAP) / 2))
            first = QRectF(left, top, half, height)
            second = QRectF(left + width - half, top, half, height)
            beside = PictureKind.DENOISED
            if mode is ViewMode.ENHANCED:
                beside = PictureKind.ENHANCED
            return Tile(PictureKind.ORIGINAL, first, first), Tile(beside, second, second)
        case ViewMode.WIPE:
            split = float(round(divider * width))
            return (
                Tile(PictureKind.ORIGINAL, QRectF(left, top, split, height), area),
                Tile(PictureKind.DENOISED, QRectF(left + split, top, width - split, height), area),
            )
        case _:
            return (Tile(PictureKind(mode.value), area, area),)
