"""From a stored frame to the 8-bit picture: modality, mask subtraction, denoise blend, window.

The order is that of the DICOM grayscale pipeline (PS3.4 N.2). Everything up to the 8-bit picture
is one table look-up, because the window is applied here and not by the drawing library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from gettext import gettext as tr
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.display.edges import enhance_edges
from app.display.grey import auto_window, steps
from app.display.look_up import WindowLookUp
from app.display.peak import ContrastPeak
from app.display.settings import DisplaySettings, Peak
from app.display.shutter import shutter_opening
from app.display.subtraction import MaskSubtractor, window_of_changes
from app.runs.run import Lut, Run, RunError, VoiFunction, Window
from inference.frames import FrameSequence, ShouldStop
from inference.subtraction import Registration, RegistrationStoppedError, opacification

Stored = NDArray[Any]
Greys = NDArray[np.uint8]
Floats = NDArray[np.float32]

DIFFERENCE_GAIN = 4.0
"""How much the difference view enlarges what denoising took away."""

_SAMPLED_FRAMES = 8
_SPECK_PX = 5
"""What is smaller (noise, a frayed rim of the shutter) has no say in the window of subtraction."""
_RIM = 24
"""Neither has this fraction of the picture at each side, which a mask that was moved lacks."""


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
        self._look_up = WindowLookUp(self.to_modality, self._low, self._high, grey.inverted)
        self._subtraction_window = lru_cache(maxsize=4)(self._find_subtraction_window)
        self._subtractor = MaskSubtractor(run, self._read, self.to_modality, self.default_window())
        self._open_shutter: Greys | None = None
        self._registered_windows: dict[tuple[object, ...], Window] = {}
        self._peak: tuple[tuple[object, ...], ContrastPeak] | None = None  # and what it is of

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
            mask = settings.mask_frames, settings.mask_shift_px
            registered = self._registered_windows.get((*mask, settings.registration))
            return registered or self._subtraction_window(*mask)
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
            Or (rows, columns, 3), red, green and blue, where colours tell the time to peak.

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
            picture = self._look_up.of_values(values, voi, settings.inverted)
        else:
            picture = self._look_up.of_stored(stored, voi, settings.inverted, denoised, strength)
        picture = enhance_edges(picture, settings.edges)
        peak = self.peak(settings)
        if peak is not None and settings.peak is Peak.TIME:
            picture = peak.coloured(picture)
        if (shown := self._shown(stored)) is not None:
            picture[~shown] = 0
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
        peak = self.peak(settings)
        if peak is not None:
            return peak.values
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
        plain = replace(settings, peak=Peak.OFF)
        times_ms = self._run.frame_times_ms
        unchanged = np.float32(self.default_window().center)

        def subtracted() -> Iterator[tuple[float, Floats]]:
            for frame in range(count):
                if should_stop():
                    raise RegistrationStoppedError
                if settings.registration is not Registration.OFF:
                    self.register(settings, frame, should_stop)
                change = self.values(self._read(frame), plain, frame) - unchanged
                yield float(times_ms[frame]), change
                progress(frame, (frame + 1) / count)

        found = opacification(subtracted(), contrast_is_dark=not self._run.grey.inverted)
        self._peak = (
            _shown_by(settings),
            ContrastPeak(found.peak + unchanged, found.time_to_peak_ms),
        )

    def peak(self, settings: DisplaySettings) -> ContrastPeak | None:
        """Return what contrast did, subtracted as the settings say.

        None where frames are to be shown, or it was not found yet.
        """
        wanted = settings.subtracted and settings.peak is not Peak.OFF
        if not wanted or self._peak is None or self._peak[0] != _shown_by(settings):
            return None
        return self._peak[1]

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

    def narrow_window(self, settings: DisplaySettings) -> None:
        """Fit the own window of subtracted frames to what is left once masks are registered.

        Call it (off the GUI thread) when they are; the first one stays, so that the picture does
        not flicker while further masks are registered.
        """
        key = settings.mask_frames, settings.mask_shift_px, settings.registration
        count = self._run.frame_count
        frames = [frame for frame in range(count) if self.is_registered(settings, frame)]
        if frames and key not in self._registered_windows:
            plain = replace(settings, peak=Peak.OFF, landmarks=0.0)
            left = self._fitted_window(plain, frames)
            before = self._subtraction_window(settings.mask_frames, settings.mask_shift_px)
            self._registered_windows[key] = min(left, before, key=lambda window: window.width)

    def _find_subtraction_window(
        self, mask_frames: tuple[int, ...], mask_shift_px: tuple[float, float]
    ) -> Window:
        settings = DisplaySettings(
            subtracted=True, mask_frames=mask_frames, mask_shift_px=mask_shift_px
        )
        return self._fitted_window(settings, range(self._run.frame_count))

    def _fitted_window(self, settings: DisplaySettings, frames: Sequence[int]) -> Window:
        """Return the window that shows what differs from the mask, over all ``frames``."""
        plain = self.default_window()
        rim = min(self._run.rows, self._run.columns) // _RIM
        inside = np.s_[rim : self._run.rows - rim, rim : self._run.columns - rim]

        def changes() -> Iterator[Floats]:
            chosen = np.linspace(0, len(frames) - 1, min(len(frames), _SAMPLED_FRAMES))
            for index in np.unique(chosen.astype(int)):
                frame = frames[index]
                try:
                    stored = self._read(frame)
                except RunError:
                    continue  # it says so when it is shown
                values = self.values(stored, settings, frame) - np.float32(plain.center)
                values = cv2.medianBlur(values, _SPECK_PX)
                shown = self._shown(stored)
                if shown is not None and shown[inside].any():
                    yield values[inside][shown[inside]]
                else:
                    yield values[inside]

        return window_of_changes(changes(), plain)

    def _shuttered(self, picture: Greys) -> Greys:
        shutter = self._run.shutter
        if shutter is None:
            return picture
        if self._open_shutter is None or self._open_shutter.shape != picture.shape[:2]:
            self._open_shutter = shutter_opening(shutter, picture.shape[0], picture.shape[1])
        return np.asarray(cv2.bitwise_and(picture, picture, mask=self._open_shutter), np.uint8)


def _shown_by(settings: DisplaySettings) -> tuple[object, ...]:
    """Return what the values of a subtracted run depend on."""
    mask = settings.mask_frames, settings.mask_shift_px
    return (*mask, settings.registration, settings.landmarks)


def _blend(stored: Stored, denoised: Floats, strength: float) -> Floats:
    return np.asarray(stored + np.float32(strength) * (denoised - stored), np.float32)
