"""From a stored frame to the 8-bit picture: modality, mask subtraction, denoise blend, window.

The order is that of the DICOM grayscale pipeline (PS3.4 N.2). Everything up to the 8-bit picture
is one table look-up, because the window is applied here and not by the drawing library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from gettext import gettext as tr
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.display.edges import enhance_edges
from app.display.grey import auto_window, steps, voi_unit
from app.display.shutter import shutter_opening
from app.display.subtraction import MaskSubtractor
from app.runs.run import Lut, Run, RunError, VoiFunction, Window
from inference.frames import FrameSequence, ShouldStop
from inference.subtraction import Registration, RegistrationStoppedError, opacification

Stored = NDArray[Any]
Greys = NDArray[np.uint8]
Floats = NDArray[np.float32]

DIFFERENCE_GAIN = 4.0
"""How much the difference view enlarges what denoising took away."""

_SAMPLED_FRAMES = 8
_SPREAD_PERCENTILE = 99.5
_SPREADS = 2.5
"""Width of a subtracted run's window: how far it changes either way, and some room."""
_NARROWEST_SHARE = 0.02
"""Of the plain window's width; narrower, a run without any contrast would be noise alone."""

_CODES = 65536
_MAX_SUBSTEPS = 16


@dataclass(frozen=True, slots=True)
class DisplaySettings:
    """How a run is shown; with all defaults, as its file asks for.

    Attributes
    ----------
    voi : Window, Lut or None
        Over modality values; None takes the run's default: each frame's own window, where the
        file gives one a frame.
    mask_frames : tuple of int
        0-based frames averaged into the mask; empty takes the file's, else the first frame.
    mask_shift_px : (x, y)
        Moves the mask right and down before it is subtracted, in addition to the file's shift.
    registration : Registration
        How the mask is fitted to each frame, in place of both shifts. A frame whose mask is not
        fitted yet (`DisplayPipeline.register`) is shown with the mask as it is.
    landmarks : float
        Share of the mask that stays to be seen in the subtracted picture, 0 to 1.
    other_voi : Window, Lut or None
        What ``voi`` becomes when subtraction is turned on or off: each has its own window.
    peak : bool
        Show peak opacification: of each pixel the fullest contrast of the run, subtracted as the
        rest says. Until it is there (`DisplayPipeline.find_peak`), frames are shown.
    edges : float
        Strength of the edge enhancement, 0 to 1.
    """

    voi: Window | Lut | None = None
    inverted: bool = False
    shutter: bool = True
    subtracted: bool = False
    mask_frames: tuple[int, ...] = ()
    mask_shift_px: tuple[float, float] = (0.0, 0.0)
    registration: Registration = Registration.OFF
    landmarks: float = 0.0
    other_voi: Window | Lut | None = None
    peak: bool = False
    edges: float = 0.0


class DisplayPipeline:
    """Turns stored frames of one run into pictures; used by the view and by exports alike.

    Parameters
    ----------
    run : Run
    read : callable, optional
        Gives stored frames for the mask, for instance ``FrameCache.wait``; by default the frames
        are decoded anew.
    """

    def __init__(self, run: Run, read: Callable[[int], Stored] | None = None) -> None:
        self._run = run
        self._read = read or run.frames.read
        grey = run.grey
        if grey.signed:
            self._low = -float(1 << (grey.bits_stored - 1))
        else:
            self._low = 0.0
        self._high = self._low + float((1 << grey.bits_stored) - 1)
        self._table = lru_cache(maxsize=16)(self._make_table)
        self._value_table = lru_cache(maxsize=4)(self._make_value_table)
        self._subtraction_window = lru_cache(maxsize=4)(self._find_subtraction_window)
        self._subtractor = MaskSubtractor(run, self._read, self.to_modality, self.default_window())
        self._open_shutter: Greys | None = None
        self._peak: tuple[tuple[object, ...], Floats] = ((), np.empty((0, 0), np.float32))

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

    def mono2(self, stored: Stored) -> Floats:
        """Return stored values as the networks see them: 0..white, devices dark on bright."""
        values = stored.astype(np.float32)
        return np.asarray(self._high - values if self.dark_is_high else values - self._low)

    def from_mono2(self, values: Stored) -> Floats:
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

    def to_modality(self, stored: Stored) -> NDArray[np.float64]:
        """Apply the Modality LUT or rescale; stored values may be blends between integers."""
        grey = self._run.grey
        if grey.modality_lut is None:
            return np.asarray(stored * np.float64(grey.slope) + grey.intercept)
        values = grey.modality_lut.values
        position = stored.astype(np.float64) - grey.modality_lut.first_input
        return np.interp(position, steps(values), values)

    def default_settings(self) -> DisplaySettings:
        """Return how the file asks to be shown: plain or subtracted, by its own window or LUT."""
        return DisplaySettings(subtracted=self._run.open_subtracted)

    def default_voi(self, frame_index: int | None = None) -> Window | Lut:
        """Return what the file asks for: its first VOI LUT or window, else the nominal range.

        Where each frame has its own, that of ``frame_index``, or of the first frame.
        """
        grey = self._run.grey
        if grey.frame_vois:
            return grey.frame_vois[frame_index or 0]
        if grey.voi_luts:
            return grey.voi_luts[0]
        return grey.windows[0] if grey.windows else self.full_range()

    def default_window(self) -> Window:
        """Return the file's first window for all frames, else that of the nominal range."""
        windows = self._run.grey.windows
        return windows[0] if windows else self.full_range()

    def full_range(self) -> Window:
        """Return the window that spans the nominal range of the run."""
        low, high = self._run.nominal_range
        center, width = (low + high) / 2.0, max(high - low, 1e-6)
        return Window(center, width, VoiFunction.LINEAR_EXACT, "full range")

    def voi(self, settings: DisplaySettings, frame_index: int | None = None) -> Window | Lut:
        """Return what a frame is shown by: what was chosen, else the default for it.

        Raises
        ------
        RunError
            If the run is shown subtracted and its mask cannot be decoded.
        """
        if settings.subtracted:
            if isinstance(settings.voi, Window):
                return settings.voi
            return self._subtraction_window(settings.mask_frames, settings.mask_shift_px)
        return settings.voi or self.default_voi(frame_index)

    def auto(
        self, stored: Stored, settings: DisplaySettings, frame_index: int | None = None
    ) -> Window:
        """Return the window that fits a frame as it is shown, without what only fills it up."""
        return auto_window(self.values(stored, settings, frame_index), self._shown(stored))

    def presets(self, stored: Stored | None = None) -> list[tuple[str, Window | Lut | None]]:
        """Return (label, window) choices: the file's, auto for frame ``stored``, full range.

        None stands for the file's own window of each frame.
        """
        grey = self._run.grey
        choices: list[tuple[str, Window | Lut | None]] = []
        if grey.frame_vois:
            choices.append((tr("File windows, one a frame"), None))
        for i, window in enumerate(grey.windows):
            label = window.explanation or tr("File window {number}").format(number=i + 1)
            choices.append((label, window))
        for i, lut in enumerate(grey.voi_luts):
            label = lut.explanation or tr("File LUT {number}").format(number=i + 1)
            choices.append((label, lut))
        if stored is not None:
            choices.append((tr("Auto"), self.auto(stored, DisplaySettings())))
        choices.append((tr("Full range"), self.full_range()))
        return choices

    def render(
        self,
        stored: Stored,
        settings: DisplaySettings,
        denoised: Floats | None = None,
        strength: float = 1.0,
        frame_index: int | None = None,
    ) -> Greys:
        """Return the picture of a frame.

        Parameters
        ----------
        stored : ndarray, shape (rows, columns)
        denoised : ndarray of float32, shape (rows, columns), optional
            On the stored grey scale; blended in by ``strength`` (0..1).
        frame_index : int, optional
            Needed where each frame has its own window, or a mask that moves along (TID).

        Returns
        -------
        ndarray of uint8, shape (rows, columns)

        Raises
        ------
        RunError
            If a mask frame cannot be decoded.
        """
        voi = self.voi(settings, frame_index)
        if settings.subtracted:
            assert isinstance(voi, Window)
            blend = stored if denoised is None else _blend(stored, denoised, strength)
            values = self.values(blend, settings, frame_index)
            picture = self._windowed(values, voi, settings.inverted)
        elif stored.dtype == np.uint8 and (denoised is None or strength <= 0.0):
            picture = cv2.LUT(
                np.ascontiguousarray(stored), self._table(voi, settings.inverted, 256)
            )
        else:
            picture = self._looked_up(stored, voi, settings.inverted, denoised, strength)
        picture = enhance_edges(picture, settings.edges)
        if (shown := self._shown(stored)) is not None:
            picture = np.where(shown, picture, np.uint8(0))
        return self._shuttered(picture) if settings.shutter else picture

    def _shown(self, stored: Stored) -> NDArray[np.bool_] | None:
        """Return where a frame holds a picture and no padding; None where it is everywhere."""
        padding = self._run.grey.padding
        if padding is None:
            return None
        return np.asarray((stored < padding[0]) | (stored > padding[1]))

    def values(
        self, stored: Stored, settings: DisplaySettings, frame_index: int | None = None
    ) -> Floats:
        """Return what the window is applied to: modality values, or the subtracted picture."""
        if not settings.subtracted:
            return self.to_modality(stored).astype(np.float32)
        if settings.peak and self.has_peak(settings):
            return self._peak[1]
        mask = self._registered(settings, frame_index)
        if mask is None:
            mask = self._subtractor.mask(*self.mask(settings, frame_index))
        return self._subtractor.subtracted(stored, mask, settings.landmarks)

    def register(
        self, settings: DisplaySettings, frame_index: int, should_stop: ShouldStop
    ) -> None:
        """Fit the mask to a frame (off the GUI thread), so that `render` shows it registered.

        Raises
        ------
        RunError
            If a frame cannot be decoded.
        RegistrationStoppedError
        """
        frames, _ = self.mask(settings, frame_index)
        self._subtractor.register(frame_index, frames, settings.registration, should_stop)

    def find_peak(
        self,
        settings: DisplaySettings,
        should_stop: ShouldStop,
        progress: Callable[[int, float], None],
    ) -> None:
        """Follow contrast through the run (off the GUI thread), so that `render` shows its peak.

        Parameters
        ----------
        progress : callable
            Told each frame that is done, and the share.

        Raises
        ------
        RunError
            If a frame cannot be decoded.
        RegistrationStoppedError
        """
        count = self._run.frame_count
        plain = replace(settings, peak=False)

        def subtracted() -> Iterator[tuple[float, Floats]]:
            for frame in range(count):
                if should_stop():
                    raise RegistrationStoppedError
                if settings.registration is not Registration.OFF:
                    self.register(settings, frame, should_stop)
                yield float(frame), self.values(self._read(frame), plain, frame)
                progress(frame, (frame + 1) / count)

        found = opacification(subtracted(), contrast_is_dark=not self._run.grey.inverted)
        self._peak = (_shown_by(settings), found.peak)

    def has_peak(self, settings: DisplaySettings) -> bool:
        """Tell whether peak opacification is there, subtracted as the settings say."""
        return self._peak[0] == _shown_by(settings)

    def is_registered(self, settings: DisplaySettings, frame_index: int) -> bool:
        """Tell whether a frame would be shown with a mask that was fitted to it."""
        return self._registered(settings, frame_index) is not None

    @property
    def registered_room(self) -> int:
        """How many registered masks are kept."""
        return self._subtractor.room

    def _registered(self, settings: DisplaySettings, frame_index: int | None) -> Floats | None:
        if frame_index is None or settings.registration is Registration.OFF:
            return None
        frames, _ = self.mask(settings, frame_index)
        return self._subtractor.registered(frame_index, frames, settings.registration)

    def difference(
        self,
        stored: Stored,
        denoised: Floats,
        settings: DisplaySettings,
        frame_index: int | None = None,
    ) -> Greys:
        """Return original minus denoised, `DIFFERENCE_GAIN` times enlarged; 128 is no change."""
        voi = self.default_voi(frame_index) if settings.voi is None else settings.voi
        width = voi.width if isinstance(voi, Window) else self.default_window().width
        change = self.to_modality(stored) - self.to_modality(denoised)
        scaled = 128.0 + change * (DIFFERENCE_GAIN * 255.0 / width)
        return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)

    def prepare_mask(self, settings: DisplaySettings, frame_index: int | None = None) -> None:
        """Decode the mask now (off the GUI thread), so that `render` need not."""
        self._subtractor.mask(*self.mask(settings, frame_index))
        self.voi(replace(settings, subtracted=True), frame_index)

    def mask(
        self, settings: DisplaySettings, frame_index: int | None = None
    ) -> tuple[tuple[int, ...], tuple[float, float]]:
        """Return the frames whose mean is a frame's mask, and its (x, y) shift in pixels."""
        return self._subtractor.chosen(settings.mask_frames, settings.mask_shift_px, frame_index)

    def _find_subtraction_window(
        self, mask_frames: tuple[int, ...], mask_shift_px: tuple[float, float]
    ) -> Window:
        """Return the window that shows what differs from the mask, over the whole run.

        The window of the unsubtracted picture would leave it flat: a vessel changes a fraction
        of the grey scale.
        """
        settings = DisplaySettings(
            subtracted=True, mask_frames=mask_frames, mask_shift_px=mask_shift_px
        )
        plain = self.default_window()
        count = self._run.frame_count
        spread = 0.0
        for index in np.unique(np.linspace(0, count - 1, min(count, _SAMPLED_FRAMES)).astype(int)):
            try:
                stored = self._read(int(index))
            except RunError:
                continue  # it says so when it is shown
            shown = self._shown(stored)
            changes = np.abs(self.values(stored, settings, int(index)) - plain.center)
            changes = changes if shown is None or not shown.any() else changes[shown]
            spread = max(spread, float(np.percentile(changes, _SPREAD_PERCENTILE)))
        width = min(max(_SPREADS * spread, _NARROWEST_SHARE * plain.width), plain.width)
        return Window(plain.center, width, VoiFunction.LINEAR_EXACT, "subtraction")

    def _looked_up(
        self,
        stored: Stored,
        voi: Window | Lut,
        inverted: bool,
        denoised: Floats | None,
        strength: float,
    ) -> Greys:
        """Bring values to codes 0..65535 in one pass, then look the picture up."""
        low, scale = self._low, 1.0
        if denoised is not None:  # steps between the integers, so that no banding shows
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
    ) -> Greys:
        """Return the grey of each code; code c stands for the stored value low + c / scale."""
        codes = np.arange(code_count, dtype=np.float64)
        return self._to_grey(self.to_modality(low + codes / scale), voi, inverted)

    def _to_grey(self, modality: NDArray[np.float64], voi: Window | Lut, inverted: bool) -> Greys:
        unit = voi_unit(modality, voi)
        if inverted != self._run.grey.inverted:
            unit = 1.0 - unit
        return np.asarray(np.rint(np.clip(unit, 0.0, 1.0) * 255.0), np.uint8)

    def _windowed(self, values: Floats, window: Window, inverted: bool) -> Greys:
        """Apply a window to any values, by way of codes that are finer than it."""
        low, span = window.center - 2.0 * window.width, 4.0 * window.width
        codes = (values - np.float32(low)) * np.float32((_CODES - 1) / span)
        np.clip(codes, 0, _CODES - 1, out=codes)
        table = self._value_table(window, inverted)
        return cv2.LUT(codes.astype(np.uint16), table)

    def _make_value_table(self, window: Window, inverted: bool) -> Greys:
        low, span = window.center - 2.0 * window.width, 4.0 * window.width
        codes = np.arange(_CODES, dtype=np.float64)
        return self._to_grey(low + codes * (span / (_CODES - 1)), window, inverted)

    def _shuttered(self, picture: Greys) -> Greys:
        shutter = self._run.shutter
        if shutter is None:
            return picture
        if self._open_shutter is None or self._open_shutter.shape != picture.shape:
            self._open_shutter = shutter_opening(shutter, picture.shape[0], picture.shape[1])
        return np.asarray(cv2.bitwise_and(picture, self._open_shutter), np.uint8)


def _shown_by(settings: DisplaySettings) -> tuple[object, ...]:
    """Return what the values of a subtracted run depend on."""
    mask = settings.mask_frames, settings.mask_shift_px
    return (*mask, settings.registration, settings.landmarks)


def _blend(stored: Stored, denoised: Floats, strength: float) -> Floats:
    return np.asarray(stored + np.float32(strength) * (denoised - stored), np.float32)
