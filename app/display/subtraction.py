"""Mask subtraction (DSA): which mask a frame has, where it lies, and in which space it acts."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.runs.run import MaskSubtraction, Run, VoiFunction, Window
from inference.frames import ShouldStop
from inference.subtraction import MaskFitter, Registration

REGISTERED_BYTES = 256 << 20
"""For the masks that were fitted to frames of one run."""
_Fit = tuple[int, tuple[int, ...], Registration]
"""Frame, mask frames, way."""
SUBTRACTION_SPAN_LOG = 2.0
"""Log ratio of contrast to mask that fills the window of a linear run."""
_SPREAD_PERCENTILE = 99.5
_SPREADS = 2.5
"""Width of a subtracted run's window: how far it changes either way, and some room."""
_NARROWEST_SHARE = 0.02
"""Of the plain window's width; narrower, a run without any contrast would be noise alone."""


class MaskSubtractor:
    """Subtracts masks from the frames of one run.

    Parameters
    ----------
    run : Run
    read : callable
        Gives stored frames, for the mask.
    to_modality : callable
        Applies the run's Modality LUT or rescale to stored values.
    window : Window
        No difference to the mask lies at its centre, and differences of logarithms are scaled to
        its width, so a window means much the same with and without subtraction.

    Attributes
    ----------
    room : int
        How many registered masks are kept.
    """

    def __init__(
        self,
        run: Run,
        read: Callable[[int], NDArray[Any]],
        to_modality: Callable[[NDArray[Any]], NDArray[np.float64]],
        window: Window,
    ) -> None:
        self._run = run
        self._read = read
        self._to_modality = to_modality
        self._window = window
        grey = run.grey
        self._low = -float(1 << (grey.bits_stored - 1)) if grey.signed else 0.0
        self._high = self._low + float((1 << grey.bits_stored) - 1)
        self._space_table = lru_cache(maxsize=1)(self._make_space_table)
        self._mean_mask = lru_cache(maxsize=4)(self._make_mean_mask)
        self.mask = lru_cache(maxsize=4)(self._make_mask)
        self.room = max(1, REGISTERED_BYTES // (4 * run.rows * run.columns))
        self._fitter: tuple[tuple[int, ...], MaskFitter] | None = None
        self._registered: OrderedDict[_Fit, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def subtracted(
        self, stored: NDArray[Any], mask: NDArray[np.float32], landmarks: float = 0.0
    ) -> NDArray[np.float32]:
        """Return a frame without its mask, shape (rows, columns).

        ``landmarks`` is the share of the mask, 0 to 1, that stays to be seen (but its brightness).
        """
        difference = self.space(stored) - mask
        difference += np.float32(self._window.center)
        if landmarks > 0.0:
            difference += np.float32(landmarks) * (mask - mask.mean())
        return difference

    def register(
        self,
        frame: int,
        frames: tuple[int, ...],
        registration: Registration,
        should_stop: ShouldStop,
    ) -> None:
        """Fit the mask to a frame and keep it; works on any thread.

        Raises
        ------
        RunError
            If a frame cannot be decoded.
        RegistrationStoppedError
        """
        key = (frame, frames, registration)
        if self.registered(*key) is not None:
            return
        made_for, fitter = self._fitter or ((), None)
        if fitter is None or made_for != frames:
            fitter = MaskFitter(
                lambda index: self.space(self._read(index)),
                frames,
                should_stop,
                contrast_is_dark=not self._run.grey.inverted,
            )
            self._fitter = (frames, fitter)
        fit = fitter.fit(self.space(self._read(frame)), registration, should_stop)
        with self._lock:
            self._registered[key] = fit.pixels
            while len(self._registered) > self.room:
                self._registered.popitem(last=False)

    def registered(
        self, frame: int, frames: tuple[int, ...], registration: Registration
    ) -> NDArray[np.float32] | None:
        """Return the mask that was fitted to a frame, None where it is not there."""
        with self._lock:
            key = (frame, frames, registration)
            mask = self._registered.get(key)
            if mask is not None:
                self._registered.move_to_end(key)
            return mask

    def space(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """LIN runs subtract after the logarithm, LOG and DISP as stored (PS3.3 C.7.6.10)."""
        if stored.dtype.kind in "ui":
            index = stored if self._low == 0.0 else stored.astype(np.int32) - int(self._low)
            return self._space_table()[index]
        return self._into_space(self._to_modality(stored))

    def _make_space_table(self) -> NDArray[np.float32]:
        stored = np.arange(self._low, self._high + 1.0)
        return self._into_space(self._to_modality(stored))

    def _into_space(self, modality: NDArray[np.float64]) -> NDArray[np.float32]:
        if self._run.pixel_intensity_relationship == "LIN":
            scale = self._window.width / SUBTRACTION_SPAN_LOG
            modality = np.log(np.maximum(modality, 1.0)) * scale
        return modality.astype(np.float32)

    def chosen(
        self,
        frames: tuple[int, ...],
        shift: tuple[float, float],
        frame_index: int | None = None,
    ) -> tuple[tuple[int, ...], tuple[float, float]]:
        """Return the frames whose mean is a frame's mask, and its (x, y) shift in pixels.

        Parameters
        ----------
        frames : tuple of int
            What the user chose; empty takes the file's mask, else the first frame.
        shift : (x, y)
            How far the user moved the mask, in addition to the file's shift.
        """
        item = self._item(frame_index)
        if item is not None:
            shift = (shift[0] + item.shift_px[0], shift[1] + item.shift_px[1])
            if not frames and item.operation in ("TID", "REV_TID") and frame_index is not None:
                step = item.tid_offset if item.operation == "TID" else -item.tid_offset
                last = self._run.frame_count - 1
                frames = (min(max(frame_index - step, 0), last),)
            frames = frames or item.mask_frames
        return frames or (0,), shift

    def _item(self, frame_index: int | None) -> MaskSubtraction | None:
        for item in self._run.mask_subtraction:
            if item.operation == "NONE":
                continue
            ranges = item.applicable_frames
            if not ranges or frame_index is None:
                return item
            if any(first <= frame_index <= last for first, last in ranges):
                return item
        return None

    def _make_mean_mask(self, frames: tuple[int, ...]) -> NDArray[np.float32]:
        total = sum(self.space(self._read(i)) for i in frames)
        return np.asarray(total, np.float32) / np.float32(len(frames))

    def _make_mask(
        self, frames: tuple[int, ...], shift_px: tuple[float, float]
    ) -> NDArray[np.float32]:
        mask = self._mean_mask(frames)
        if shift_px == (0.0, 0.0):
            return mask
        move = np.array([[1.0, 0.0, shift_px[0]], [0.0, 1.0, shift_px[1]]])
        size = (mask.shape[1], mask.shape[0])
        border = cv2.BORDER_REPLICATE
        return cv2.warpAffine(mask, move, size, flags=cv2.INTER_LINEAR, borderMode=border)


def window_of_changes(changes: Iterable[NDArray[np.float32]], plain: Window) -> Window:
    """Return the window that shows what differs from the mask.

    The window of the unsubtracted picture would leave it flat: a vessel changes a fraction of the
    grey scale.

    Parameters
    ----------
    changes : iterable of ndarray of float32
        Of some frames, 0 where they are as their mask.
    plain : Window
        Of the unsubtracted picture; the result has its centre and is no wider.
    """
    spread = max((float(np.percentile(np.abs(c), _SPREAD_PERCENTILE)) for c in changes), default=0)
    width = min(max(_SPREADS * spread, _NARROWEST_SHARE * plain.width), plain.width)
    return Window(plain.center, width, VoiFunction.LINEAR_EXACT, "subtraction")
