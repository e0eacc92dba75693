"""Runs of frames that come without times or a grey scale: pictures, TIFF, volumes, arrays.

The grey scale is that of all frames together. Integers of up to 16 bits are kept as they are.
Floating and wider numbers are spread over 16 bits, because denoiser, pictures and look-up tables
work on a scale of grey levels; slope and intercept lead back to the file's own numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from gettext import gettext as tr
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.runs.run import FrameSource, GreyScale, Run, RunError, Spacing, pixel_aspect
from app.runs.timing import ASSUMED_RATE_HZ, assumed_times

logger = logging.getLogger(__name__)

SCANNED_PIXELS = 1 << 27
"""Pixels that are looked at while opening (about 1 s); of a longer run, frames all over it."""

_CODES_HIGH = 65535.0
_LARGEST = float(np.finfo(np.float32).max)
_DEPTHS = (8, 10, 12, 14, 16)


class SpreadFrames:
    """Frames of any real numbers, spread over 0..65535 as float32 (a `FrameSource`)."""

    def __init__(self, source: FrameSource, grey: GreyScale) -> None:
        self._source = source
        self._grey = grey

    def read(self, index: int) -> NDArray[np.generic]:
        """Return a frame; what is no number is black, infinities lie at the ends."""
        values = self._source.read(index).astype(np.float64)
        codes = (values - self._grey.intercept) / self._grey.slope
        codes[np.isnan(values)] = 0.0
        codes[values > _LARGEST] = _CODES_HIGH
        codes[values < -_LARGEST] = 0.0
        return codes.astype(np.float32)

    def close(self) -> None:
        """Release the source."""
        self._source.close()


class NarrowFrames:
    """Frames of wide integers whose values all fit 16 bits (a `FrameSource`)."""

    def __init__(self, source: FrameSource, dtype: np.dtype[np.generic]) -> None:
        self._source = source
        self._dtype = dtype

    def read(self, index: int) -> NDArray[np.generic]:
        """Return a frame in 16 bits."""
        return self._source.read(index).astype(self._dtype)

    def close(self) -> None:
        """Release the source."""
        self._source.close()


@dataclass(frozen=True, slots=True)
class Extent:
    """What was found in the frames.

    Attributes
    ----------
    dtype : numpy.dtype
        Holds the values of all frames that were looked at.
    whole : bool
        True where every frame was looked at.
    """

    shape: tuple[int, int]
    dtype: np.dtype[np.generic]
    low: float
    high: float
    whole: bool


def undescribed_run(
    path: Path,
    frames: FrameSource,
    frame_count: int,
    *,
    bits: int | None = None,
    spacing: Spacing | None = None,
    notes: Sequence[str] = (),
) -> Run:
    """Make a run of frames that come without times or a grey scale.

    Parameters
    ----------
    frames : FrameSource
        Gives any real numbers.
    bits : int, optional
        Bits of a pixel, where all frames declare at most as many.

    Raises
    ------
    RunError
        If no frame can be read.
    """
    extent = _extent(frames, frame_count, first_tells=bits == 8)
    grey = _grey_scale(extent, bits)
    if grey.from_floats:
        frames = SpreadFrames(frames, grey)
    elif extent.dtype.itemsize > 2:
        frames = NarrowFrames(frames, np.dtype(np.int16 if grey.signed else np.uint16))
    high = extent.high if extent.high > extent.low else extent.low + 1.0
    if bits is not None and bits < 8:  # stored in bytes all the same
        high = float((1 << bits) - 1)
    run = Run(
        path=path,
        frames=frames,
        frame_count=frame_count,
        rows=extent.shape[0],
        columns=extent.shape[1],
        frame_times_ms=assumed_times(frame_count),
        grey=grey,
        nominal_range=(extent.low, high),
        spacing=spacing,
        pixel_aspect_ratio=pixel_aspect(spacing.row_mm, spacing.column_mm) if spacing else 1.0,
        notes=tuple(notes),
    )
    if frame_count == 1:
        return run
    assumed = tr("These pictures have no times; {rate} frames/s are assumed.").format(
        rate=f"{ASSUMED_RATE_HZ:g}"
    )
    return replace(run, notes=(*run.notes, assumed))


def _extent(frames: FrameSource, frame_count: int, *, first_tells: bool) -> Extent:
    """Look at the frames: at the first that can be read, and at all or some of the others."""
    failure: RunError | None = None
    first = None
    for index in range(frame_count):
        try:
            first = frames.read(index)
            break
        except RunError as error:
            failure = failure or error
    if first is None:
        raise failure or RunError(tr("There are no frames; choose another file."))
    shape = (first.shape[0], first.shape[1])
    if first_tells and first.dtype == np.uint8:
        return Extent(shape, first.dtype, 0.0, 255.0, whole=True)
    most = max(1, SCANNED_PIXELS // first.size)
    whole = frame_count <= most
    chosen = range(frame_count) if whole else np.linspace(0, frame_count - 1, most).astype(int)
    dtype, lows, highs = first.dtype, [], []
    for index in chosen:
        try:
            frame = frames.read(int(index))
        except RunError:
            continue  # told when it is shown
        dtype = np.promote_types(dtype, frame.dtype)
        usable = frame
        if frame.dtype.kind == "f":
            usable = frame[abs(frame.astype(np.float64)) <= _LARGEST]  # NaN is not, either
        if usable.size:
            lows.append(float(usable.min()))
            highs.append(float(usable.max()))
    if dtype == np.uint8:
        return Extent(shape, dtype, 0.0, 255.0, whole)
    return Extent(shape, dtype, min(lows, default=0.0), max(highs, default=1.0), whole)


def _grey_scale(extent: Extent, bits: int | None) -> GreyScale:
    dtype = extent.dtype
    signed = extent.low < 0 if dtype.itemsize > 2 else dtype.kind == "i"
    largest = max(extent.high, -extent.low - 1.0, 1.0) if signed else extent.high
    fitting = next((d for d in _DEPTHS if largest < 1 << (d - signed)), None)
    if dtype.kind in "iu" and dtype.itemsize <= 2:
        full = max(bits or 0, 8 * dtype.itemsize if bits is None else 8)
        return GreyScale(min(fitting or full, full) if extent.whole else full, signed)
    if dtype.kind in "iu" and extent.whole and fitting is not None:
        return GreyScale(fitting, signed)
    span = extent.high - extent.low
    return GreyScale(
        bits_stored=16,
        slope=span / _CODES_HIGH if span > 0 else 1.0,
        intercept=extent.low,
        from_floats=True,
    )
