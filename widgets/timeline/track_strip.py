"""One track's strip under the timeline: a colour and a pattern for the state of each frame."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from widgets.picture.track_overlay import LOOK_COLORS, PointLook
from widgets.theme import Theme

CELL_WITH_GAP = 6.0
"""Frames at least this wide (device pixels) are drawn with a gap between them."""


class FrameState(IntEnum):
    """What a track knows of one frame; a pixel that covers several frames shows the highest."""

    EMPTY = 0
    TRACKED = 1
    INTERPOLATED = 2
    ABSENT = 3
    OCCLUDED = 4
    DOUBTFUL = 5
    EDITED = 6


STATE_TEXT = {
    FrameState.EMPTY: "no point",
    FrameState.TRACKED: "tracked",
    FrameState.INTERPOLATED: "interpolated",
    FrameState.ABSENT: "absent",
    FrameState.OCCLUDED: "occluded",
    FrameState.DOUBTFUL: "doubtful",
    FrameState.EDITED: "edited",
}


@dataclass(frozen=True, slots=True, eq=False)
class TrackStrip:
    """What the timeline shows of one track.

    Attributes
    ----------
    states : ndarray of uint8, shape (T,)
        A `FrameState` for each frame.
    confidence : ndarray of float32, shape (T,)
        0..1; NaN where a point carries none.
    """

    track_id: str
    name: str
    color: str
    states: NDArray[np.uint8]
    confidence: NDArray[np.float32]


def strip_pixels(
    columns: NDArray[np.intp],
    strip: TrackStrip,
    height: int,
    ratio: float,
    theme: Theme,
) -> NDArray[np.uint32]:
    """Draw one track's strip: a colour and a pattern for each state, paler where less sure.

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
    state = np.maximum.reduceat(strip.states, columns)
    sure = np.minimum.reduceat(np.nan_to_num(strip.confidence, nan=1.0), columns)
    state = _at_least_three_wide(state, columns, round(ratio))
    named = [QColor(name) for name in _state_colors(theme, strip.color)]
    colors = np.array([(c.red(), c.green(), c.blue()) for c in named], dtype=np.float32)
    ground = colors[FrameState.EMPTY]
    shade = np.where(state == FrameState.TRACKED, 0.3 + 0.7 * np.clip(sure, 0.0, 1.0), 1.0)
    column_colors = ground + (colors[state] - ground) * shade[:, None]
    inked = _patterns(height, len(columns), ratio)[state, :, np.arange(len(columns))].T
    starts_cell = np.diff(columns, prepend=columns[0]) > 0
    if len(columns) / len(strip.states) >= CELL_WITH_GAP:
        inked &= ~starts_cell[None, :]
    rgb = np.where(inked[..., None], column_colors[None], ground).astype(np.uint32)
    return np.uint32(0xFF000000) | rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]


def _state_colors(theme: Theme, own: str) -> tuple[str, ...]:
    """Return the colour of each `FrameState`, in their order."""
    occluded, doubtful = LOOK_COLORS[PointLook.OCCLUDED], LOOK_COLORS[PointLook.DOUBTFUL]
    return theme.raised, own, own, theme.muted, occluded, doubtful, theme.text


def _at_least_three_wide(
    state: NDArray[np.uint8], columns: NDArray[np.intp], ratio: int
) -> NDArray[np.uint8]:
    """Widen edited frames that are too narrow to be seen."""
    if len(columns) >= 3 * ratio * (columns[-1] + 1):
        return state
    wide = state.copy()
    for shift in range(1, ratio + 1):
        wide[:-shift] = np.maximum(wide[:-shift], _edited_only(state[shift:]))
        wide[shift:] = np.maximum(wide[shift:], _edited_only(state[:-shift]))
    return wide


def _edited_only(state: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.where(state == FrameState.EDITED, state, np.uint8(0))


def _patterns(height: int, width: int, ratio: float) -> NDArray[np.bool_]:
    """Return where each state is inked, shape (states, height, width)."""
    y, x = np.mgrid[:height, :width]
    unit = max(round(ratio), 1)
    inset = max(height // 5, unit) if height > 3 * unit else 0
    body = (y >= inset) & (y < height - inset)
    middle = np.abs(y - (height - 1) / 2.0) <= unit * 0.5
    return np.stack(
        [
            np.zeros_like(body),
            body,
            body & ((x // (2 * unit)) % 2 == 0),
            middle,
            (x + y) % (4 * unit) < 2 * unit,
            ((x // (2 * unit)) + (y // (2 * unit))) % 2 == 0,
            np.ones_like(body),
        ]
    )
