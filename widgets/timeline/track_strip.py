"""One track's strip under the timeline: a colour and a pattern for the look of each frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from widgets.point_look import LOOK_COLORS, FrameLooks, PointLook
from widgets.theme import Theme

CELL_WITH_GAP = 6.0
"""Frames at least this wide (device pixels) are drawn with a gap between them."""
PALEST = 0.3
"""How much of its colour a tracked frame keeps at no confidence."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackStrip:
    """What the timeline shows of one track; ``frames`` has an entry for each frame of the run."""

    track_id: str
    name: str
    color: str
    frames: FrameLooks


def strip_pixels(
    columns: NDArray[np.intp],
    strip: TrackStrip,
    height: int,
    ratio: float,
    theme: Theme,
) -> NDArray[np.uint32]:
    """Draw one track's strip: a colour and a pattern for each look, paler where less sure.

    Along the upper edge a line marks frames that were moved, along the lower edge dashes mark
    stale ones; an emptied frame is a hollow box.

    Parameters
    ----------
    columns : ndarray, shape (W,)
        First frame under each pixel column.
    height : int
        Device pixels.
    ratio : float
        Device pixels a logical pixel: the patterns keep their size on a fine screen.

    Returns
    -------
    ndarray of uint32, shape (height, W)
        0xffRRGGBB.
    """
    frames, unit = strip.frames, max(round(ratio), 1)
    looks = _widened(np.maximum.reduceat(frames.looks, columns), columns, unit)
    sure = np.minimum.reduceat(np.nan_to_num(frames.confidence, nan=1.0), columns)
    colors = np.array([_rgb(name) for name in _look_colors(theme, strip.color)])
    ground = colors[PointLook.EMPTY]
    kept = PALEST + (1.0 - PALEST) * np.clip(sure, 0.0, 1.0)
    shade = np.where(looks == PointLook.TRACKED, kept, 1.0)
    column_colors = ground + (colors[looks] - ground) * shade[:, None]
    inked = _patterns(height, len(columns), unit)[looks, :, np.arange(len(columns))].T
    rgb = np.where(inked[..., None], column_colors[None], ground)

    edge = max(height // 7, unit)
    upper, lower = np.zeros((2, height, 1), bool)
    upper[:edge] = lower[-edge:] = True
    x = np.arange(len(columns))
    emptied = np.logical_or.reduceat(frames.emptied, columns) & (looks == PointLook.EMPTY)
    rgb[(upper | lower) & emptied] = _rgb(theme.muted)
    moved = np.logical_or.reduceat(frames.moved, columns)
    rgb[upper & moved] = _rgb(theme.accent)
    stale = np.logical_or.reduceat(frames.stale, columns)
    rgb[lower & stale] = ground
    rgb[lower & (stale & ((x // (2 * unit)) % 2 == 0))] = _rgb(theme.warning)

    if len(columns) / len(frames.looks) >= CELL_WITH_GAP:
        rgb[:, np.diff(columns, prepend=columns[0]) > 0] = ground
    whole = rgb.astype(np.uint32)
    return np.uint32(0xFF000000) | whole[..., 0] << 16 | whole[..., 1] << 8 | whole[..., 2]


def _rgb(name: str) -> tuple[float, float, float]:
    color = QColor(name)
    return float(color.red()), float(color.green()), float(color.blue())


def _look_colors(theme: Theme, own: str) -> tuple[str, ...]:
    """Return the colour of each `PointLook`, in their order."""
    colors = {
        PointLook.EMPTY: theme.raised,
        PointLook.ABSENT: theme.muted,
        PointLook.OCCLUDED: LOOK_COLORS[PointLook.OCCLUDED],
        PointLook.DOUBTFUL: LOOK_COLORS[PointLook.DOUBTFUL],
        PointLook.CLICKED: theme.text,
    }
    return tuple(colors.get(look, own) for look in PointLook)


def _widened(looks: NDArray[np.uint8], columns: NDArray[np.intp], unit: int) -> NDArray[np.uint8]:
    """Widen frames placed by hand to three pixels where they are too narrow to be seen."""
    if len(columns) >= 3 * unit * (columns[-1] + 1):
        return looks
    clicked = np.where(looks == PointLook.CLICKED, looks, np.uint8(0))
    wide = looks.copy()
    for shift in range(1, unit + 1):
        wide[:-shift] = np.maximum(wide[:-shift], clicked[shift:])
        wide[shift:] = np.maximum(wide[shift:], clicked[:-shift])
    return wide


def _patterns(height: int, width: int, unit: int) -> NDArray[np.bool_]:
    """Return where each look is inked, shape (looks, height, width)."""
    y, x = np.mgrid[:height, :width]
    inset = max(height // 5, unit) if height > 3 * unit else 0
    body = (y >= inset) & (y < height - inset)
    middle = np.abs(y - (height - 1) / 2.0) <= unit * 0.5
    inked = {
        PointLook.EMPTY: np.zeros_like(body),
        PointLook.TRACKED: body,
        PointLook.INTERPOLATED: body & ((x // (2 * unit)) % 2 == 0),
        PointLook.ABSENT: middle,
        PointLook.OCCLUDED: (x + y) % (4 * unit) < 2 * unit,
        PointLook.DOUBTFUL: ((x // (2 * unit)) + (y // (2 * unit))) % 2 == 0,
        PointLook.CONFIRMED: ~middle,
        PointLook.CLICKED: np.ones_like(body),
    }
    return np.stack([inked[look] for look in PointLook])
