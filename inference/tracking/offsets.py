"""What the corrections of hidden tips tell of other frames.

Where contrast hides a tip, people and the tracker place it a few pixels apart, and they do so alike
in one frame after the other, and whenever the heart brings the tip to the same place again. How far
corrected tips are from what the tracker says by itself is carried to the run's other hidden frames
by a Gaussian process over time and place (Rasmussen and Williams, Gaussian Processes for Machine
Learning, 2006, section 2.2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALWAYS, FOR_A_WHILE, HERE = 1.0, 1.5, 1.5
"""Standard deviations, in view pixels, of what lasts, of what fades in time, and with distance."""
FRAMES, DISTANCE = 5.0, 6.0
"""Frames, and view pixels, over which an offset fades."""
SCATTER = 3.0
"""Standard deviation, in view pixels, of what holds for one frame alone."""
LARGEST = 12.0
"""View pixels from which a correction mends a mistake, and tells nothing of other frames."""


class Offsets:
    """How far hidden tips are from what the tracker says.

    Parameters
    ----------
    frames : ndarray
        (n,) corrected frames.
    said : ndarray
        (n, 2) view (x, y) where the tracker puts the tips by itself.
    corrected : ndarray
        (n, 2) where people put them.
    """

    def __init__(
        self,
        frames: NDArray[np.integer],
        said: NDArray[np.floating],
        corrected: NDArray[np.floating],
    ) -> None:
        off = np.asarray(corrected, np.float64) - said
        kept = np.hypot(*off.T) <= LARGEST
        self._frames, self._said = frames[kept], said[kept]
        spread = _alike(self._frames, self._said, self._frames, self._said)
        self._weights = np.linalg.solve(spread + SCATTER**2 * np.eye(len(spread)), off[kept])

    def at(self, frames: NDArray[np.integer], said: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return what to add to what the tracker says of hidden tips, (m, 2) view pixels."""
        return np.asarray(_alike(frames, said, self._frames, self._said) @ self._weights)


def _alike(
    frames: NDArray[np.integer],
    said: NDArray[np.floating],
    other_frames: NDArray[np.integer],
    other_said: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Covariance of the offsets of two sets of frames, (n, m)."""
    apart = np.abs(frames[:, None] - other_frames[None]) / FRAMES
    away = np.hypot(*(said[:, None] - other_said[None]).transpose(2, 0, 1)) / DISTANCE
    return np.asarray(
        ALWAYS**2 + FOR_A_WHILE**2 * np.exp(-apart) + HERE**2 * np.exp(-0.5 * away**2)
    )
