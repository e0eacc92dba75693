"""A simulated run: what a scanner would store, and the exact truth behind it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.point_state import PointState

FloatArray = NDArray[np.float32]


class Scenario(StrEnum):
    """What makes a run hard."""

    FLUOROSCOPY = "fluoroscopy"  # no contrast, low dose, often a guidewire
    CONTRAST_OCCLUSION = "contrast_occlusion"  # an injection hides the tip
    DEVICE_OCCLUSION = "device_occlusion"  # other devices cross the tip
    PANNING = "panning"  # the table moves while contrast runs
    LOW_DOSE = "low_dose"  # heavy quantum noise
    MIXED = "mixed"  # any of the others, drawn by the seed


@dataclass(frozen=True)
class DeviceTruth:
    """Where one device is in each frame.

    Attributes
    ----------
    kind : str
        Name of the shape: "JR", "JL", "pigtail", "guidewire", ...
    tip : ndarray, shape (T, 2)
        Distal end of the centre line, (x, y) in pixels; may lie outside the picture.
    state : tuple of PointState
        For each frame visible, occluded (contrast or another device covers the main catheter's
        tip, or its contrast drowns in noise, in a pacemaker's shadow or at the collimator's edge)
        or absent (outside the picture or under the collimator).
    body : tuple of ndarray, shape (N, 2)
        Centre line of each frame, proximal end first, tip last; may run out of the picture.
    radius_px : float
        Half the outer diameter.
    """

    kind: str
    tip: FloatArray
    state: tuple[PointState, ...]
    body: tuple[FloatArray, ...]
    radius_px: float

    def mask(self, height: int, width: int) -> NDArray[np.uint8]:
        """Draw the tube: uint8 (T, height, width), 1 inside."""
        masks = np.zeros((len(self.body), height, width), np.uint8)
        thickness = max(1, round(2 * self.radius_px))
        for mask, body in zip(masks, self.body, strict=True):
            points = np.round(body * 16).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(mask, [points], False, 1, thickness, cv2.LINE_8, shift=4)
        return masks


@dataclass(frozen=True)
class VesselTruth:
    """The main vessel in each frame, pixels; evenly spaced in the patient, not in the picture.

    Attributes
    ----------
    line : tuple of ndarray, shape (M, 2)
        Centre line from the ostium.
    radius_px : tuple of ndarray, shape (M,)
        Half the lumen's width.
    """

    line: tuple[FloatArray, ...]
    radius_px: tuple[FloatArray, ...]


@dataclass(frozen=True)
class SimulatedRun:
    """One run with its truth. Points are (x, y), pixel centres at integers, 0-based.

    Attributes
    ----------
    frames : ndarray, uint8 or uint16, shape (T, H, W)
        Stored pixel values with noise; dark devices on a bright ground.
    clean : ndarray, float32, shape (T, H, W)
        The same grey scale without quantum noise and rounding.
    white : float
        Largest value that the grey scale holds (255, 1023, 4095, ...).
    devices : tuple of DeviceTruth
        The main catheter first.
    vessel_mask : ndarray, uint8, shape (T, H, W)
        1 where contrast inside the vessels shows.
    vessel : VesselTruth or None
        None where no artery fills.
    heart_phase, breathing_phase : ndarray, shape (T,)
        0 to 1 from R wave to R wave, and from one end of expiration to the next.
    table_shift : ndarray, shape (T, 2)
        How far the patient has moved across the picture since frame 0, in pixels.
    contrast_mgi : ndarray, shape (T,)
        Iodine leaving the tip, mg/ml.
    linear : bool
        True where grey is proportional to the detector's signal, False where to its logarithm.
    noise_sd : float
        Median standard deviation of the noise, in grey levels of this scale.
    """

    seed: int
    scenario: Scenario
    frames: NDArray[np.uint8] | NDArray[np.uint16]
    clean: FloatArray
    white: float
    devices: tuple[DeviceTruth, ...]
    vessel_mask: NDArray[np.uint8]
    vessel: VesselTruth | None
    heart_phase: FloatArray
    breathing_phase: FloatArray
    table_shift: FloatArray
    frame_times_ms: NDArray[np.float64]
    contrast_mgi: FloatArray
    r_wave_times_ms: tuple[float, ...]
    ecg: FloatArray  # (n,), mV, from 0 ms
    ecg_hz: float
    spacing_mm: float  # in the patient's plane
    primary_angle_deg: float
    secondary_angle_deg: float
    linear: bool
    noise_sd: float

    @property
    def tip(self) -> FloatArray:
        """Tip of the main catheter, (T, 2)."""
        return self.devices[0].tip

    @property
    def state(self) -> tuple[str, ...]:
        """State of the main catheter's tip in each frame."""
        return self.devices[0].state

    @property
    def body(self) -> tuple[FloatArray, ...]:
        """Centre line of the main catheter in each frame, proximal end first."""
        return self.devices[0].body

    def device_mask(self, all_devices: bool = False) -> NDArray[np.uint8]:
        """Draw the main catheter (or every device): uint8 (T, H, W), 1 inside."""
        height, width = self.frames.shape[1:]
        mask = self.devices[0].mask(height, width)
        for device in self.devices[1:] if all_devices else ():
            mask |= device.mask(height, width)
        return mask
