"""How many millimetres a pixel is, with the uncertainty of that, from what is known in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.measuring.catheter import CatheterWidth
from inference.measuring.sphere import Circle

FRENCH_SIZES = (4, 5, 6, 7, 8)
MM_PER_FRENCH = 1.0 / 3.0
TOLERANCE_MM = 0.05 / 3**0.5
"""Standard uncertainty of a catheter's outer diameter: anywhere within 0.05 mm of its French size."""
CLICK_PX = 1.0
"""Standard uncertainty of a clicked end along a length, pixels at 512."""
HEART_ABOVE_TABLE_MM = 130.0
"""Middle of an adult's heart over the table's top, lying on the back."""
HEART_SD_MM = 25.0
"""Standard uncertainty of that: sizes of patients, parts of the heart, mattress."""
DEPTH_SD_MM = 40.0
"""Standard uncertainty of the depth of what is measured where no table height tells it."""


@dataclass(frozen=True)
class Scale:
    """Size of a pixel in the plane of what is measured.

    Attributes
    ----------
    mm_per_px : float
    uncertainty : float
        Standard uncertainty, mm/px.
    """

    mm_per_px: float
    uncertainty: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mm_per_px) and self.mm_per_px > 0):
            raise ValueError("A pixel has a size above 0 mm.")
        if not (np.isfinite(self.uncertainty) and self.uncertainty >= 0):
            raise ValueError("An uncertainty is 0 or more.")

    def length(self, length_px: float, uncertainty_px: float = 0.0) -> tuple[float, float]:
        """Millimetres of a length in pixels, and their standard uncertainty."""
        by_scale = length_px * self.uncertainty
        return length_px * self.mm_per_px, float(
            np.hypot(by_scale, uncertainty_px * self.mm_per_px)
        )


def of_known_length(
    length_mm: float, length_px: float, uncertainty_px: float, tolerance_mm: float = 0.0
) -> Scale:
    """Scale by something of ``length_mm``; both uncertainties are standard ones.

    Raises
    ------
    ValueError
        Where a length is not above 0.
    """
    if not (length_mm > 0 and length_px > 0):
        raise ValueError("A known length is above 0.")
    mm_per_px = length_mm / length_px
    relative = float(np.hypot(uncertainty_px / length_px, tolerance_mm / length_mm))
    return Scale(mm_per_px, mm_per_px * relative)


def by_catheter(width: CatheterWidth, french: float) -> Scale:
    """Scale by a catheter's outer width; the maker's tolerance is counted in."""
    outer_mm = french * MM_PER_FRENCH
    return of_known_length(outer_mm, width.width_px, width.uncertainty_px, TOLERANCE_MM)


def by_length(
    ends: NDArray[np.floating], length_mm: float, unit: float = 1.0, tolerance_mm: float = 0.0
) -> Scale:
    """Scale by two clicked points (2, 2) that lie ``length_mm`` apart in the picture's plane.

    ``unit`` is the size in pixels of a pixel of a 512 matrix.
    """
    start, end = np.asarray(ends, np.float64)
    uncertainty_px = CLICK_PX * unit * 2**0.5
    return of_known_length(
        length_mm, float(np.linalg.norm(end - start)), uncertainty_px, tolerance_mm
    )


def by_sphere(circle: Circle, diameter_mm: float, tolerance_mm: float = 0.0) -> Scale:
    """Scale by a ball of known diameter."""
    return of_known_length(
        diameter_mm, circle.diameter_px, circle.uncertainty_px, tolerance_mm
    )


def by_geometry(
    detector_spacing_mm: float,
    source_to_detector_mm: float,
    source_to_isocentre_mm: float,
    table_height_mm: float | None = None,
    angles_deg: tuple[float, float] = (0.0, 0.0),
) -> Scale:
    """Scale of the heart by the C-arm's distances (magnification by similar triangles).

    Without a table height the heart is taken to lie at the isocentre. With it, it lies
    ``HEART_ABOVE_TABLE_MM`` above the table's top, as far as the beam is upright.

    Parameters
    ----------
    detector_spacing_mm : float
        Imager Pixel Spacing.
    source_to_detector_mm, source_to_isocentre_mm : float
        Distance Source to Detector (0018,1110) and Distance Source to Patient (0018,1111) or
        Isocenter (0018,9402).
    table_height_mm : float, optional
        Table Height (0018,1130): the table's top below the isocentre.
    angles_deg : (float, float)
        Positioner angles; the tube is below the table at (0, 0).

    Raises
    ------
    ValueError
        Where the heart would not lie between source and detector.
    """
    from_source = source_to_isocentre_mm
    depth_sd = DEPTH_SD_MM
    if table_height_mm is not None:
        primary, secondary = np.deg2rad(angles_deg)
        upright = float(np.cos(primary) * np.cos(secondary))
        from_source += upright * (HEART_ABOVE_TABLE_MM - table_height_mm)
        # Across the table the heart may lie anywhere near the isocentre.
        depth_sd = float(np.hypot(upright * HEART_SD_MM, (1 - abs(upright)) * DEPTH_SD_MM))
    if not (detector_spacing_mm > 0 and 0 < from_source < source_to_detector_mm):
        raise ValueError("The heart lies between source and detector.")
    mm_per_px = detector_spacing_mm * from_source / source_to_detector_mm
    return Scale(mm_per_px, mm_per_px * depth_sd / from_source)
