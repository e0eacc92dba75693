"""One immutable run: its frames (decoded lazily), times, geometry, grey scale and signals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.errors import UserError


class RunError(UserError):
    """A run that cannot be read."""


class FrameSource(Protocol):
    """Decodes single frames; safe to call from several threads at once."""

    def read(self, index: int) -> NDArray[np.generic]:
        """Return frame ``index`` (0-based) as stored pixel values, shape (rows, columns).

        Raises
        ------
        RunError
            If this frame cannot be decoded.
        """
        ...

    def close(self) -> None:
        """Release files; reading afterwards raises RunError."""
        ...


class TimingSource(StrEnum):
    """Where the frame times come from."""

    FRAME_TIME_VECTOR = "frame time vector"
    FRAME_TIME = "frame time"
    CINE_RATE = "cine rate"
    RECOMMENDED_RATE = "recommended display rate"
    PER_FRAME = "per-frame acquisition times"
    VIDEO = "video time stamps"
    ASSUMED = "an assumed frame rate"


class SpacingSource(StrEnum):
    """How honest a millimetre is (DICOM C.8.7.5, Imager Pixel Spacing; C.7.6.3, Pixel Spacing)."""

    DETECTOR = "at detector"
    MAGNIFICATION = "corrected by magnification factor"
    SOD_SID = "corrected by SOD/SID"
    CALIBRATED = "calibrated"
    FILE = "from file"


class VoiFunction(StrEnum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distance between pixel centres in mm, down a column (row_mm) and along a row (column_mm)."""

    row_mm: float
    column_mm: float
    source: SpacingSource

    @property
    def holds_in_patient(self) -> bool:
        """False where the spacing is that of the detector: no millimetre may be shown from it."""
        return self.source is not SpacingSource.DETECTOR


@dataclass(frozen=True, slots=True)
class BeamGeometry:
    """Where tube, table and detector stood (PS3.3 C.8.7.4, C.8.7.5); None where nobody wrote it.

    Attributes
    ----------
    detector_spacing_mm : (row_mm, column_mm) or None
        Imager Pixel Spacing: at the detector.
    source_to_detector_mm, source_to_isocenter_mm : float or None
    table_height_mm : float or None
        The table's top below the isocentre.
    field_of_view_mm : float or None
        Intensifier Size, or the first of Field of View Dimensions.
    """

    detector_spacing_mm: tuple[float, float] | None = None
    source_to_detector_mm: float | None = None
    source_to_isocenter_mm: float | None = None
    table_height_mm: float | None = None
    field_of_view_mm: float | None = None


LARGEST_PIXEL_ASPECT = 8.0
"""Pixels longer than this are a mistake in the file."""


def pixel_aspect(height: float, width: float) -> float:
    """Return a pixel's height over its width; 1 where they differ by rounding, or cannot be."""
    ratio = height / width if height > 0 and width > 0 else 1.0
    possible = 1.0 / LARGEST_PIXEL_ASPECT <= ratio <= LARGEST_PIXEL_ASPECT
    return ratio if possible and abs(ratio - 1.0) > 2e-3 else 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """A window in modality values (after Modality LUT); ``width`` may be below 1."""

    center: float
    width: float
    function: VoiFunction = VoiFunction.LINEAR
    explanation: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Lut:
    """A Modality or VOI LUT (PS3.3 C.11.1, C.11.2): ``values[clip(x - first_input)]``."""

    first_input: int
    values: NDArray[np.float64]
    explanation: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class GreyScale:
    """From stored value to the picture (PS3.4 N.2).

    Modality value = ``modality_lut[stored]`` or ``stored * slope + intercept``.

    Attributes
    ----------
    windows, voi_luts : tuple
        What the file offers for all frames; empty where each frame has its own.
    frame_vois : tuple
        The window or VOI LUT of each frame, where they differ from frame to frame; else empty.
    padding : (low, high) or None
        Stored values, ends included, that fill the frame where there is no picture.
    from_floats : bool
        The file holds floating (or very wide) numbers: they are the modality values, and the
        stored ones are these spread over 16 bits.
    """

    bits_stored: int = 8
    signed: bool = False
    inverted: bool = False  # MONOCHROME1: low values are bright
    slope: float = 1.0
    intercept: float = 0.0
    modality_lut: Lut | None = None
    windows: tuple[Window, ...] = ()
    voi_luts: tuple[Lut, ...] = ()
    frame_vois: tuple[Window | Lut, ...] = ()
    padding: tuple[int, int] | None = None
    from_floats: bool = False

    @property
    def described(self) -> bool:
        """True where the file says how it is to be shown."""
        return bool(self.windows or self.voi_luts or self.frame_vois)

    def file_values(self, stored: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return stored values on the scale of the numbers that the file holds."""
        if not self.from_floats:
            return stored
        return (stored.astype(np.float64) * self.slope + self.intercept).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Shutter:
    """Display shutter (PS3.3 C.7.6.11); all given shapes apply together. Pixels, 0-based."""

    rectangle: tuple[float, float, float, float] | None = None  # left, top, right, bottom: kept
    circle: tuple[float, float, float] | None = None  # x, y, radius
    polygon: tuple[tuple[float, float], ...] = ()  # (x, y) vertices


@dataclass(frozen=True, slots=True, eq=False)
class Ecg:
    """One ECG lead in the time of the run (0 ms = first frame)."""

    samples: NDArray[np.float32]  # (n,), mV where ``unit`` is "mV"
    sampling_hz: float
    start_ms: float = 0.0
    unit: str = ""
    label: str = "ECG"
    r_wave_times_ms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class MaskSubtraction:
    """One item of the Mask Subtraction Sequence (PS3.3 C.7.6.10); frames are 0-based here."""

    operation: str  # AVG_SUB, TID, REV_TID or NONE
    applicable_frames: tuple[tuple[int, int], ...] = ()  # inclusive ranges; empty = all frames
    mask_frames: tuple[int, ...] = ()
    tid_offset: int = 1
    shift_px: tuple[float, float] = (0.0, 0.0)  # (x, y)


@dataclass(frozen=True, slots=True)
class Patient:
    """Identity shown top left, hidden with one key; never logged or exported with labels."""

    name: str = ""
    id: str = ""
    birth_date: date | None = None
    sex: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One X-ray run. Nothing here changes after opening.

    Attributes
    ----------
    path : Path
        The file, or the folder of frames, that was opened. Never written to.
    frames : FrameSource
        Decodes stored pixel values on demand.
    frame_files : tuple of str
        Names of the pictures that hold one frame each; empty where one file holds all.
    frame_times_ms : ndarray, shape (frame_count,)
        Time of each frame, from 0, strictly increasing.
    pixel_aspect_ratio : float
        Height of a pixel over its width, as of Pixel Aspect Ratio (0028,0034).
    primary_angles_deg, secondary_angles_deg : ndarray, shape (frame_count,), or None
        Positioner angles a frame: LAO positive, RAO negative; cranial positive, caudal negative.
    nominal_range : (low, high)
        Modality values that the picture spans where the file gives no window.
    open_subtracted : bool
        Recommended Viewing Mode is SUB.
    pixel_intensity_relationship : str
        LIN, LOG, DISP or "" (PS3.3 C.8.7.1): tells in which space a mask is subtracted.
    """

    path: Path
    frames: FrameSource
    frame_count: int
    rows: int
    columns: int
    frame_times_ms: NDArray[np.float64]
    frame_files: tuple[str, ...] = ()
    timing_source: TimingSource = TimingSource.ASSUMED
    grey: GreyScale = field(default_factory=GreyScale)
    nominal_range: tuple[float, float] = (0.0, 255.0)
    spacing: Spacing | None = None
    beam: BeamGeometry = field(default_factory=BeamGeometry)
    pixel_aspect_ratio: float = 1.0
    primary_angles_deg: NDArray[np.float64] | None = None
    secondary_angles_deg: NDArray[np.float64] | None = None
    shutter: Shutter | None = None
    ecg: Ecg | None = None
    mask_subtraction: tuple[MaskSubtraction, ...] = ()
    open_subtracted: bool = False
    pixel_intensity_relationship: str = ""
    representative_frame: int | None = None
    patient: Patient = field(default_factory=Patient)
    sop_instance_uid: str | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    modality: str = ""
    manufacturer: str = ""
    scanner_model: str = ""
    study_date: date | None = None
    study_description: str = ""
    series_description: str = ""
    acquisition_time: str = ""
    frame_of_interest: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()  # plain sentences: what was assumed or repaired while reading

    @property
    def duration_ms(self) -> float:
        """Time from the first frame to the end of the last one's interval."""
        times = self.frame_times_ms
        if len(times) < 2:
            return 0.0
        return float(times[-1] + np.median(np.diff(times)))
