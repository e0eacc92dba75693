"""The mask of each frame: which frames of a span it is made of, and how it is moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from inference.frames import FloatFrame, ShouldStop
from inference.subtraction.elastic import Field, RegistrationStoppedError, find_field, warped
from inference.subtraction.shift import Shift, common, find_shift, moved

MOST_FRAMES = 96
"""Of a longer span so many are taken, evenly spread: more tell no other motion."""
_COMPARED_PX = 256
"""Side of the pictures by which mask frames are chosen."""
_TO_DEVIATION = 1.4826
_EMPTY = 0.8
"""Quantile of the span's values over time that holds no contrast, noise not counted either."""
_MOST_FILLED = 0.5
"""Share of the picture that contrast fills at most; beyond, it is not contrast."""
_LEAST_BENDING = 0.98
"""Share of the error that has to be left at most for bending the mask to be worth it."""


class Registration(StrEnum):
    """How the mask follows the frame.

    OFF subtracts the mean of the span as it is. SHIFT takes the mean of those frames of the span
    that look most like the frame (of the same phase of heart and breath) and moves it as a whole.
    ELASTIC also moves it from place to place.
    """

    OFF = "off"
    SHIFT = "shift"
    ELASTIC = "elastic"


@dataclass(frozen=True, slots=True, eq=False)
class FittedMask:
    """The mask of one frame.

    Attributes
    ----------
    pixels : ndarray of float32, shape (rows, columns)
        Of the frame's own mean brightness where it is registered.
    frames : tuple of int
        Of which it is the mean.
    shift_px : (x, y)
        By which their mean was moved as a whole.
    field : ndarray of float32, shape (rows, columns, 2), or None
        By which it was bent then, see `elastic.Field`; None where bending gained nothing.
    """

    pixels: FloatFrame
    frames: tuple[int, ...]
    shift_px: Shift = (0.0, 0.0)
    field: Field | None = None


class MaskFitter:
    """Fits the mask of a span to frames of its run.

    A projection adds up what lies behind each other, so that chest and spine move through each
    other and no single field takes one frame to another: a mask of the same phase is worth more
    than any warping. How many frames are averaged follows from the noise: one more frame lessens
    the mask's noise, and adds motion.

    Parameters
    ----------
    read : callable
        ``read(index)`` gives frames on the scale that is subtracted in, float32 (rows, columns).
    frames : sequence of int
        The span, at least one.
    should_stop : callable
    contrast_is_dark : bool
        Whether contrast lessens the values of frames.

    Raises
    ------
    ValueError
        If there is no frame.
    RegistrationStoppedError
    """

    def __init__(
        self,
        read: Callable[[int], FloatFrame],
        frames: Sequence[int],
        should_stop: ShouldStop = lambda: False,
        contrast_is_dark: bool = True,
    ) -> None:
        if not frames:
            raise ValueError("a mask needs a frame")
        self._read = read
        self.frames = _spread(frames, MOST_FRAMES)
        total: FloatFrame | None = None
        before: FloatFrame | None = None
        small, noise = [], []
        for index in self.frames:
            if should_stop():
                raise RegistrationStoppedError
            picture = read(index)
            total = picture.copy() if total is None else cv2.add(total, picture, dst=total)
            small.append(_reduced(picture))
            if before is not None:
                noise.append((_noise(before, picture), _noise(small[-2], small[-1])))
            before = picture
        assert total is not None
        self.mean = np.asarray(total / np.float32(len(self.frames)), np.float32)
        self._small = np.stack(small)
        self._sign = np.float32(1.0 if contrast_is_dark else -1.0)
        # Of the span, so far as contrast came within it.
        self._empty = self._sign * np.quantile(self._sign * self._small, _EMPTY, axis=0)
        self._noise, self._small_noise = min(noise, default=(0.0, 0.0))

    def fit(
        self,
        frame: FloatFrame,
        registration: Registration,
        should_stop: ShouldStop = lambda: False,
    ) -> FittedMask:
        """Return the mask of a frame.

        Raises
        ------
        RegistrationStoppedError
            If ``should_stop`` told to give up.
        """
        if registration is Registration.OFF:
            return FittedMask(self.mean, self.frames)
        at_rest = self._alike(frame, (0.0, 0.0))
        panned = find_shift(self.mean, frame)
        _, chosen, shift = min(at_rest, self._alike(frame, panned))
        if len(chosen) == len(self.frames):
            mask = self.mean
        else:
            mask = np.mean([self._read(index) for index in chosen], axis=0, dtype=np.float32)
        if should_stop():
            raise RegistrationStoppedError
        rest = find_shift(moved(mask, shift), frame)
        closer = (shift[0] + rest[0], shift[1] + rest[1])
        if closer != shift and _error(frame, moved(mask, closer), closer) < _error(
            frame, moved(mask, shift), shift
        ):
            shift = closer
        mask = moved(mask, shift)
        field: Field | None = None
        if registration is Registration.ELASTIC:
            found = find_field(mask, frame, should_stop)
            bent = warped(mask, found)
            if _error(frame, bent, shift) < _LEAST_BENDING * _error(frame, mask, shift):
                mask, field = bent, found
        inside = common(mask.shape, shift, margin=0)
        offset = np.median((frame - mask)[inside]) if mask[inside].size else 0.0
        return FittedMask(mask + np.float32(offset), chosen, shift, field)

    def _alike(self, frame: FloatFrame, shift: Shift) -> tuple[float, tuple[int, ...], Shift]:
        """Choose the frames of the span whose mean, moved, predicts ``frame`` best.

        Returns
        -------
        error : float
            Squared, what noise and motion together are expected to leave.
        frames : tuple of int
        shift : (x, y)
            As given.
        """
        small = _reduced(frame)
        scale = small.shape[1] / frame.shape[1]
        back = (-shift[0] * scale, -shift[1] * scale)
        inside = common(small.shape, back)
        target = moved(small, back)[inside]
        if not target.size:
            return np.inf, self.frames, shift
        span = self._small[(slice(None), *inside)]
        differences = [_centred(target - picture) for picture in span]
        limit = min(_limit(difference) for difference in differences)
        # What is darker than the span ever was (or brighter, where contrast is bright) may be
        # contrast: a mask frame that holds the same contrast must not win by it.
        filled = _centred(self._sign * (target - self._empty[inside])) < -limit
        clear = ~filled if filled.mean() < _MOST_FILLED else np.ones_like(filled)
        costs = [_clipped_square(difference[clear], limit) for difference in differences]
        order = np.argsort(costs, kind="stable")
        total = np.zeros_like(target)
        best, least = 1, np.inf
        for count, position in enumerate(order, start=1):
            total += span[position]
            error = _clipped_square(_centred(target - total / np.float32(count))[clear], limit)
            error += (self._noise - self._small_noise) / count
            if error < least:
                best, least = count, error
        return least, tuple(sorted(self.frames[position] for position in order[:best])), shift


def _spread(frames: Sequence[int], most: int) -> tuple[int, ...]:
    if len(frames) <= most:
        return tuple(frames)
    which = np.linspace(0, len(frames) - 1, most).round().astype(int)
    return tuple(frames[i] for i in which)


def _reduced(picture: FloatFrame) -> FloatFrame:
    factor = max(1.0, max(picture.shape) / _COMPARED_PX)
    size = (max(1, round(picture.shape[1] / factor)), max(1, round(picture.shape[0] / factor)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _centred(difference: FloatFrame) -> FloatFrame:
    return difference - np.median(difference[::2, ::2])


def _limit(difference: FloatFrame) -> float:
    """Beyond which a difference tells of contrast, and counts no more."""
    return 4.0 * _TO_DEVIATION * float(np.median(np.abs(difference[::2, ::2]))) + 1e-9


def _clipped_square(difference: FloatFrame, limit: float) -> float:
    return float(np.square(np.clip(difference, -limit, limit)).mean())


def _error(frame: FloatFrame, mask: FloatFrame, shift: Shift) -> float:
    """Return what is left of a frame where the mask is known, contrast counting little."""
    inside = common(mask.shape, shift)
    if not mask[inside].size:
        return np.inf
    difference = _centred(cv2.blur(frame - mask, (3, 3))[inside])
    return _clipped_square(difference, _limit(difference))


def _noise(picture: FloatFrame, following: FloatFrame) -> float:
    """Variance of a frame's noise, by its difference to the next one."""
    difference = _centred(following - picture)
    return (_TO_DEVIATION * float(np.median(np.abs(difference[::2, ::2])))) ** 2 / 2.0
