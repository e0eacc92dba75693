"""How a run is shown: what is chosen of its grey scale and its subtraction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.runs.run import Lut, Window
from inference.subtraction import Registration


class Peak(StrEnum):
    """What is shown of contrast over the whole run in place of single subtracted frames.

    OPACIFICATION is each pixel at its fullest contrast, TIME when that was, in colours.
    """

    OFF = "off"
    OPACIFICATION = "opacification"
    TIME = "time"


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
    peak : Peak
        Show contrast over the run, subtracted as the rest says. Until it is there
        (`DisplayPipeline.find_peak`), frames are shown.
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
    peak: Peak = Peak.OFF
    edges: float = 0.0
