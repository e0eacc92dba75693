"""Denoised frames in 16 bits, as many as there is room for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = 65535


@dataclass(frozen=True, slots=True, eq=False)
class PackedFrame:
    """A frame in 16 bits: ``low + step * levels``.

    The steps divide the frame's own range, so that none is wider than a grey level of a 16-bit
    picture, or than a sixteenth of one of 12 bits. What is shown has 256 greys, and the display
    itself looks them up by 65,536 codes: nothing of it can be seen, at half the memory.
    """

    levels: NDArray[np.uint16]
    low: float
    step: float

    def unpacked(self) -> NDArray[np.float32]:
        """Return the frame."""
        values = self.levels.astype(np.float32)
        values *= np.float32(self.step)
        values += np.float32(self.low)
        return values


def pack(pixels: NDArray[np.float32]) -> PackedFrame:
    """Bring a frame to 16 bits."""
    low, high = float(pixels.min()), float(pixels.max())
    step = (high - low) / LEVELS or 1.0
    levels = pixels - np.float32(low)
    levels /= np.float32(step)
    np.rint(levels, out=levels)
    np.clip(levels, 0, LEVELS, out=levels)
    return PackedFrame(levels.astype(np.uint16), low, step)


class KeptFrames:
    """Room for some frames of one size.

    It is one block, which the system gives page by page as it fills: frames that stay, allocated
    one by one between those that come and go, would leave holes as large as themselves.

    Parameters
    ----------
    room : int
        How many frames it holds.
    weights : str
        What denoised them, as a `DenoiseJob` names it.

    Attributes
    ----------
    nothing_to_remove : bool
        The latest frame came back as it was: its noise is too weak to be seen.
    """

    def __init__(self, room: int, rows: int, columns: int, weights: str = "") -> None:
        self.room = room
        self.weights = weights
        self.nothing_to_remove = False
        self._block = np.empty((room, rows, columns), np.uint16)
        self._free = list(range(room))[::-1]
        self._packed: dict[int, PackedFrame] = {}
        self._slots: dict[int, int] = {}

    def __contains__(self, index: int) -> bool:
        return index in self._packed

    def __len__(self) -> int:
        return len(self._packed)

    def indices(self) -> list[int]:
        """Return which frames are here."""
        return list(self._packed)

    def put(self, index: int, frame: PackedFrame) -> None:
        """Keep a frame, in the place of an older one of the same number."""
        if index not in self._slots:
            self._slots[index] = self._free.pop()
        levels = self._block[self._slots[index]]
        levels[:] = frame.levels
        self._packed[index] = PackedFrame(levels, frame.low, frame.step)

    def drop(self, index: int) -> None:
        """Make room."""
        self._free.append(self._slots.pop(index))
        del self._packed[index]

    def get(self, index: int) -> NDArray[np.float32]:
        """Return a frame that is here."""
        return self._packed[index].unpacked()

    def resized(self, room: int, playhead: int) -> KeptFrames:
        """Return room for another number of frames, with those here that are nearest.

        It is this one where the number is the same.
        """
        if room == self.room:
            return self
        _, rows, columns = self._block.shape
        other = KeptFrames(room, rows, columns, self.weights)
        other.nothing_to_remove = self.nothing_to_remove
        nearest = sorted(self._packed, key=lambda index: abs(index - playhead))
        for index in nearest[:room]:
            other.put(index, self._packed[index])
        return other
