"""Frames moved so that one point, or two, lie still."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.frames import FloatFrame

Points = NDArray[np.floating]


def stabilised(frame: FloatFrame, point: Points, anchor: Points) -> FloatFrame:
    """Shift a frame so that ``point`` (x, y) comes to lie at ``anchor`` (x, y).

    What comes in repeats the edge.
    """
    shift = np.asarray(anchor, np.float64) - np.asarray(point, np.float64)
    return _moved(frame, np.column_stack([np.eye(2), shift]))


def steadied(
    frame: FloatFrame, pair: Points, rest: Points, follow_length: bool = False
) -> FloatFrame:
    """Turn and shift a frame so that a pair of markers comes to lie at ``rest``.

    The middles of both meet, and their directions; both pairs are (2, 2), (x, y) each. With
    ``follow_length`` the frame is also scaled so that the markers themselves meet: right where the
    device comes nearer, wrong where it tilts, which shortens it in one direction only.

    Raises
    ------
    ValueError
        If the points of a pair are one.
    """
    pair, rest = np.asarray(pair, np.float64), np.asarray(rest, np.float64)
    now, then = complex(*(pair[1] - pair[0])), complex(*(rest[1] - rest[0]))
    if now == 0 or then == 0:
        raise ValueError("the two markers are one point")
    turn = then / now
    if not follow_length:
        turn /= abs(turn)
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    shift = rest.mean(axis=0) - matrix @ pair.mean(axis=0)
    return _moved(frame, np.column_stack([matrix, shift]))


def resting_pair(first: Points, second: Points) -> NDArray[np.float64]:
    """Return where two tracked markers lie in the median, (2, 2).

    Parameters
    ----------
    first, second : ndarray, shape (T, 2)
        NaN where a marker is not seen; frames that show both count.

    Raises
    ------
    ValueError
        If no frame shows both.
    """
    pairs = np.stack([first, second], axis=1).astype(np.float64)  # (T, 2, 2)
    pairs = pairs[np.isfinite(pairs).all(axis=(1, 2))]
    if not len(pairs):
        raise ValueError("no frame shows both markers")
    middle = np.median(pairs.mean(axis=1), axis=0)
    arms = pairs[:, 1] - pairs[:, 0]
    arm = np.median(arms, axis=0)
    length = float(np.median(np.linalg.norm(arms, axis=1)))
    arm *= length / max(float(np.linalg.norm(arm)), 1e-9)
    return np.stack([middle - arm / 2.0, middle + arm / 2.0])


def _moved(frame: FloatFrame, move: NDArray[np.float64]) -> FloatFrame:
    size = (frame.shape[1], frame.shape[0])
    return cv2.warpAffine(frame, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
