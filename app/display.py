"""From a stored frame to the 8-bit picture: modality, mask subtraction, denoise blend, window.

The order is that of the DICOM grayscale pipeline (PS3.4 N.2). Everything up to the 8-bit picture
is one table look-up, because the window is applied here and not by the drawing library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.runs.run import Lut, MaskSubtraction, Run, Shutter, VoiFunction, Window
from inference.frames import FrameSequence

Frame = NDArray[Any]
Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

DIFFERENCE_GAIN = 4.0
"""How much the difference view enlarges what denoising took away."""

SUBTRACTION_SPAN_LOG = 2.0
"""Log ratio of contrast to mask that fills the window of a linear run."""

_CODES = 65536
_AUTO_PERCENTILES = (0.5, 99.5)
_MAX_SUBSTEPS = 16


@dataclass(frozen=True, slots=True)
class DisplaySettings:
    """How a run is shown; with all defaults, as its file asks for.

    Attributes
    ----------
    voi : Window, Lut or None
        Over modality values; None takes the run's default.
    mask_frames : tuple of int
        0-based frames averaged into the mask; empty takes the file's, else the first frame.
    mask_shift_px : (x, y)
        Moves the mask right and down before it is subtracted, in addition to the file's shift.
    """

    voi: Window | Lut | None = None
    inverted: bool = False
    shutter: bool = True
    subtracted: bool = False
    mask_frames: tuple[int, ...] = ()
    mask_shift_px: tuple[float, float] = (0.0, 0.0)


def auto_window(values: Frame) -> Window:
    """Return the window that spans all but the outermost 0.5 % of values at either end."""
    step = max(1, int(np.sqrt(values.size / 65536)))
    low, high = np.percentile(values[::step, ::step], _AUTO_PERCENTILES)
    width = max(float(high - low), 1e-6)
    return Window(float(low + high) / 2.0, width, VoiFunction.LINEAR_EXACT, "auto")


class DisplayPipeline:
    """Turns stored frames of one run into pictures; used by the view and by exports alike.

    Parameters
    ----------
    run : Run
    read : callable, optional
        Gives stored frames for the mask, for instance ``FrameCache.wait``; by default the frames
        are decoded anew.
    """

    def __init__(self, run: Run, read: Callable[[int], Frame] | None = None) -> None:
        self._run = run
        self._read = read or run.frames.read
        grey = run.grey
        if grey.signed:
            self._low = -float(1 << (grey.bits_stored - 1))
        else:
            self._low = 0.0
        self._high = self._low + float((1 << grey.bits_stored) - 1)
        self._table = lru_cache(maxsize=16)(self._make_table)
        self._mean_mask = lru_cache(maxsize=4)(self._make_mean_mask)
        self._mask = lru_cache(maxsize=4)(self._make_mask)
        self._value_table = lru_cache(maxsize=4)(self._make_value_table)
        self._space_table = lru_cache(maxsize=1)(self._make_space_table)
        self._open_shutter: Picture | None = None

    @property
    def white(self) -> float:
        """The largest value that `mono2` can give."""
        return self._high - self._low

    @property
    def dark_is_high(self) -> bool:
        """True where high stored values are shown dark (MONOCHROME1, or a falling Modality LUT)."""
        grey = self._run.grey
        falling = grey.slope < 0
        if grey.modality_lut is not None:
            values = grey.modality_lut.values
            falling = bool(values[-1] < values[0])
        return grey.inverted != falling

    def mono2(self, stored: Frame) -> Floats:
        """Return stored values as the networks see them: 0..white, devices dark on bright."""
        values = stored.astype(np.float32)
        return np.asarray(self._high - values if self.dark_is_high else values - self._low)

    def from_mono2(self, values: Frame) -> Floats:
        """Undo `mono2`: back to the stored grey scale."""
        floats = values.astype(np.float32)
        return np.asarray(self._high - floats if self.dark_is_high else floats + self._low)

    def sequence(self) -> FrameSequence:
        """Return the run as the networks see it: frames decoded when asked for, by `mono2`."""
        run = self._run
        return FrameSequence(
            read=lambda index: self.mono2(self._read(index)),
            frame_count=run.frame_count,
            rows=run.rows,
            columns=run.columns,
            white=self.white,
        )

    def to_modality(self, stored: Frame) -> NDArray[np.float64]:
        """Apply the Modality LUT or rescale; stored values may be blends between integers."""
        grey = self._run.grey
        if grey.modality_lut is None:
            return np.asarray(stored * np.float64(grey.slope) + grey.intercept)
        values = grey.modality_lut.values
        position = stored.astype(np.float64) - grey.modality_lut.first_input
        return np.interp(position, _steps(values), values)

    def default_settings(self) -> DisplaySettings:
        """Return how the file asks to be shown: plain or subtracted, by its own window or LUT."""
        return DisplaySettings(subtracted=self._run.open_subtracted)

    def default_voi(self) -> Window | Lut:
        """Return what the file asks for: its first VOI LUT or window, else the nominal range."""
        grey = self._run.grey
        if grey.voi_luts:
            return grey.voi_luts[0]
        return self.default_window()

    def default_window(self) -> Window:
        """Return the file's first window, else the one that spans the nominal range."""
        windows = self._run.grey.windows
        return windows[0] if windows else self.full_range()

    def full_range(self) -> Window:
        """Return the window that spans the nominal range of the run."""
        low, high = self._run.nominal_range
        center, width = (low + high) / 2.0, max(high - low, 1e-6)
        return Window(center, width, VoiFunction.LINEAR_EXACT, "full range")

    def presets(self, stored: Frame | None = None) -> list[tuple[str, Window | Lut]]:
        """Return (label, window) choices: the file's, auto for frame ``stored``, full range."""
        grey = self._run.grey
        choices: list[tuple[str, Window | Lut]] = []
        for i, window in enumerate(grey.windows):
            choices.append((window.explanation or f"File window {i + 1}", window))
        for i, lut in enumerate(grey.voi_luts):
            choices.append((lut.explanation or f"File LUT {i + 1}", lut))
        if stored is not None:
            choices.append(("Auto", auto_window(self.to_modality(stored))))
        choices.append(("Full range", self.full_range()))
        return choices

    def render(
        self,
        stored: Frame,
        settings: DisplaySettings,
        denoised: Floats | None = None,
        strength: float = 1.0,
        frame_index: int | None = None,
    ) -> Picture:
        """Return the picture of a frame.

        Parameters
        ----------
        stored : ndarray, shape (rows, columns)
        denoised : ndarray of float32, shape (rows, columns), optional
            On the stored grey scale; blended in by ``strength`` (0..1).
        frame_index : int, optional
            Needed for subtraction by a mask that moves along (TID).

        Returns
        -------
        ndarray of uint8, shape (rows, columns)

        Raises
        ------
        RunError
            If a mask frame cannot be decoded.
        """
        voi = self._voi(settings)
        if settings.subtracted:
            blend = stored if denoised is None else _blend(stored, denoised, strength)
            values = self.values(blend, settings, frame_index)
            window = voi if isinstance(voi, Window) else self.default_window()
            picture = self._windowed(values, window, settings.inverted)
        elif stored.dtype == np.uint8 and (denoised is None or strength <= 0.0):
            picture = cv2.LUT(
                np.ascontiguousarray(stored), self._table(voi, settings.inverted, 256)
            )
        else:
            picture = self._looked_up(stored, voi, settings.inverted, denoised, strength)
        return self._shuttered(picture) if settings.shutter else picture

    def values(
        self, stored: Frame, settings: DisplaySettings, frame_index: int | None = None
    ) -> Floats:
        """Return what the window is applied to: modality values, or the subtracted picture.

        No difference to the mask lies at the centre of the default window, and differences of
        logarithms are scaled to its width, so a window means much the same for both.
        """
        if not settings.subtracted:
            return self.to_modality(stored).astype(np.float32)
        mask = self._mask(*self.mask(settings, frame_index))
        difference = self._subtraction_space(stored)
        difference = difference - mask
        difference += np.float32(self.default_window().center)
        return difference

    def difference(self, stored: Frame, denoised: Floats, settings: DisplaySettings) -> Picture:
        """Return original minus denoised, `DIFFERENCE_GAIN` times enlarged; 128 is no change."""
        voi = self._voi(settings)
        width = voi.width if isinstance(voi, Window) else self.default_window().width
        change = self.to_modality(stored) - self.to_modality(denoised)
        scaled = 128.0 + change * (DIFFERENCE_GAIN * 255.0 / width)
        return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)

    def prepare_mask(self, settings: DisplaySettings, frame_index: int | None = None) -> None:
        """Decode the mask now (off the GUI thread), so that `render` need not."""
        self._mask(*self.mask(settings, frame_index))

    def _voi(self, settings: DisplaySettings) -> Window | Lut:
        return settings.voi or self.default_voi()

    def _looked_up(
        self,
        stored: Frame,
        voi: Window | Lut,
        inverted: bool,
        denoised: Floats | None,
        strength: float,
    ) -> Picture:
        """Bring values to codes 0..65535 in one pass, then look the picture up."""
        low, scale = self._low, 1.0
        if stored.dtype.kind == "f":
            low, high = self._run.nominal_range
            scale = (_CODES - 1) / (high - low)
        elif denoised is not None:  # steps between the integers, so that no banding shows
            scale = float(min(_MAX_SUBSTEPS, _CODES // (int(self.white) + 1)))
        table = self._table(voi, inverted, _CODES, scale, low)
        if denoised is not None and strength > 0.0:
            codes = cv2.addWeighted(
                stored,
                (1.0 - strength) * scale,
                np.ascontiguousarray(denoised, np.float32),
                strength * scale,
                -low * scale,
                dtype=cv2.CV_16U,
            )
        elif stored.dtype == np.uint16 and scale == 1.0:
            codes = stored
        else:
            codes = np.clip((stored.astype(np.float32) - low) * scale, 0, _CODES - 1)
            codes = codes.astype(np.uint16)
        return cv2.LUT(np.ascontiguousarray(codes), table)

    def _make_table(
        self,
        voi: Window | Lut,
        inverted: bool,
        code_count: int,
        scale: float = 1.0,
        low: float = 0.0,
    ) -> Picture:
        """Return the grey of each code; code c stands for the stored value low + c / scale."""
        codes = np.arange(code_count, dtype=np.float64)
        return self._to_grey(self.to_modality(low + codes / scale), voi, inverted)

    def _to_grey(self, modality: NDArray[np.float64], voi: Window | Lut, inverted: bool) -> Picture:
        unit = _voi_unit(modality, voi)
        if inverted != self._run.grey.inverted:
            unit = 1.0 - unit
        return np.asarray(np.rint(np.clip(unit, 0.0, 1.0) * 255.0), np.uint8)

    def _windowed(self, values: Floats, window: Window, inverted: bool) -> Picture:
        """Apply a window to any values, by way of codes that are finer than it."""
        low, span = window.center - 2.0 * window.width, 4.0 * window.width
        codes = (values - np.float32(low)) * np.float32((_CODES - 1) / span)
        np.clip(codes, 0, _CODES - 1, out=codes)
        table = self._value_table(window, inverted)
        return cv2.LUT(codes.astype(np.uint16), table)

    def _make_value_table(self, window: Window, inverted: bool) -> Picture:
        low, span = window.center - 2.0 * window.width, 4.0 * window.width
        codes = np.arange(_CODES, dtype=np.float64)
        return self._to_grey(low + codes * (span / (_CODES - 1)), window, inverted)

    def _subtraction_space(self, stored: Frame) -> Floats:
        """LIN runs subtract after the logarithm, LOG and DISP as stored (PS3.3 C.7.6.10)."""
        if stored.dtype.kind in "ui":
            index = stored if self._low == 0.0 else stored.astype(np.int32) - int(self._low)
            return self._space_table()[index]
        return self._into_space(self.to_modality(stored))

    def _make_space_table(self) -> Floats:
        stored = np.arange(self._low, self._high + 1.0)
        return self._into_space(self.to_modality(stored))

    def _into_space(self, modality: NDArray[np.float64]) -> Floats:
        if self._run.pixel_intensity_relationship == "LIN":
            scale = self.default_window().width / SUBTRACTION_SPAN_LOG
            modality = np.log(np.maximum(modality, 1.0)) * scale
        return modality.astype(np.float32)

    def mask(
        self, settings: DisplaySettings, frame_index: int | None = None
    ) -> tuple[tuple[int, ...], tuple[float, float]]:
        """Return the frames whose mean is a frame's mask, and its (x, y) shift in pixels."""
        item = self._mask_item(frame_index)
        shift = settings.mask_shift_px
        frames = settings.mask_frames
        if item is not None:
            shift = (shift[0] + item.shift_px[0], shift[1] + item.shift_px[1])
            if not frames and item.operation in ("TID", "REV_TID") and frame_index is not None:
                step = item.tid_offset if item.operation == "TID" else -item.tid_offset
                last = self._run.frame_count - 1
                frames = (min(max(frame_index - step, 0), last),)
            frames = frames or item.mask_frames
        return frames or (0,), shift

    def _mask_item(self, frame_index: int | None) -> MaskSubtraction | None:
        for item in self._run.mask_subtraction:
            if item.operation == "NONE":
                continue
            ranges = item.applicable_frames
            if not ranges or frame_index is None:
                return item
            if any(first <= frame_index <= last for first, last in ranges):
                return item
        return None

    def _make_mean_mask(self, frames: tuple[int, ...]) -> Floats:
        total = sum(self._subtraction_space(self._read(i)) for i in frames)
        return np.asarray(total, np.float32) / np.float32(len(frames))

    def _make_mask(self, frames: tuple[int, ...], shift_px: tuple[float, float]) -> Floats:
        mask = self._mean_mask(frames)
        if shift_px == (0.0, 0.0):
            return mask
        move = np.array([[1.0, 0.0, shift_px[0]], [0.0, 1.0, shift_px[1]]])
        size = (mask.shape[1], mask.shape[0])
        border = cv2.BORDER_REPLICATE
        return cv2.warpAffine(mask, move, size, flags=cv2.INTER_LINEAR, borderMode=border)

    def _shuttered(self, picture: Picture) -> Picture:
        shutter = self._run.shutter
        if shutter is None:
            return picture
        if self._open_shutter is None or self._open_shutter.shape != picture.shape:
            self._open_shutter = shutter_opening(shutter, picture.shape[0], picture.shape[1])
        return np.asarray(cv2.bitwise_and(picture, self._open_shutter), np.uint8)


def shutter_opening(shutter: Shutter, rows: int, columns: int) -> Picture:
    """Return 255 where the shutter is open and 0 where it covers, shape (rows, columns)."""
    y, x = np.ogrid[:rows, :columns]
    opening = np.ones((rows, columns), bool)
    if shutter.rectangle is not None:
        left, top, right, bottom = shutter.rectangle
        opening &= (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    if shutter.circle is not None:
        center_x, center_y, radius = shutter.circle
        opening &= (x - center_x) ** 2 + (y - center_y) ** 2 <= radius**2
    mask = np.where(opening, 255, 0).astype(np.uint8)
    if shutter.polygon:
        inside = np.zeros_like(mask)
        corners = np.rint(np.array(shutter.polygon)).astype(np.int32)
        cv2.fillPoly(inside, [corners], 255)
        mask &= inside
    return mask


def _blend(stored: Frame, denoised: Floats, strength: float) -> Floats:
    return np.asarray(stored + np.float32(strength) * (denoised - stored), np.float32)


def _steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arange(len(values), dtype=np.float64)


def _voi_unit(values: NDArray[np.float64], voi: Window | Lut) -> NDArray[np.float64]:
    """Apply a window (PS3.3 C.11.2.1.2, C.11.2.1.3) or a VOI LUT of values 0..1."""
    if isinstance(voi, Lut):
        return np.interp(values - voi.first_input, _steps(voi.values), voi.values)
    if voi.function is VoiFunction.SIGMOID:
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(-4.0 * (values - voi.center) / voi.width))
    if voi.function is VoiFunction.LINEAR and voi.width > 1.0:
        return (values - (voi.center - 0.5)) / (voi.width - 1.0) + 0.5
    if voi.function is VoiFunction.LINEAR and voi.width == 1.0:
        return (values > voi.center - 0.5).astype(np.float64)
    # LINEAR is not defined below a width of 1, where files mean LINEAR_EXACT.
    return (values - voi.center) / voi.width + 0.5
