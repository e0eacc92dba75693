"""Geometry of a DICOM run: positioner angles, shutters, and spacing with its provenance."""

from __future__ import annotations

from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from app.runs.dicom_values import (
    first_group,
    frame_groups,
    items,
    note_impossible,
    number,
    numbers,
    sensible,
    text,
    words,
)
from app.runs.run import (
    BeamGeometry,
    MaskSubtraction,
    Shutter,
    Spacing,
    SpacingSource,
    pixel_aspect,
)

Angles = NDArray[np.float64]

LARGEST_MAGNIFICATION = 5.0
"""The object lies between focus and detector; a larger factor is a typing error."""

LARGEST_ANGLE_DEG = 360.0
LARGEST_SPACING_MM = 10.0
SMALLEST_SPACING_MM = 1e-3
LARGEST_PLACE_PX = 1e5
"""Detectors have up to 8192 pixels a side; what lies much further out is a mistake."""


def read_angles(
    dataset: Dataset, frame_count: int, notes: list[str]
) -> tuple[Angles | None, Angles | None]:
    """Return primary and secondary angles (degrees) of each frame (PS3.3 C.8.7.5, C.8.19.6).

    One increment is the change from frame to frame; a vector holds offsets from the first angle.
    """
    return (
        _angles(dataset, "Primary", frame_count, notes),
        _angles(dataset, "Secondary", frame_count, notes),
    )


def _angles(dataset: Dataset, name: str, count: int, notes: list[str]) -> Angles | None:
    angles = _told_angles(dataset, name, count)
    if angles is None:
        return None
    beyond = np.abs(angles) > LARGEST_ANGLE_DEG
    if beyond.any():
        note_impossible(notes, tr("positioner angle"), float(angles[beyond][0]))
        return None
    return angles


def _told_angles(dataset: Dataset, name: str, count: int) -> Angles | None:
    first = number(dataset, f"Positioner{name}Angle")
    if first is not None:
        increments = np.array(numbers(dataset, f"Positioner{name}AngleIncrement"))
        angles = np.full(count, first)
        with np.errstate(over="ignore"):
            if increments.size == 1:
                return angles + np.arange(count) * increments[0]
            if increments.size >= count:
                return angles + increments[:count]
        return angles
    groups = frame_groups(dataset, "PositionerPositionSequence", count)
    found = [None if g is None else number(g, f"Positioner{name}Angle") for g in groups]
    if all(angle is None for angle in found):
        keyword = f"PositionerIsocenter{name}Angle"
        groups = frame_groups(dataset, "IsocenterReferenceSystemSequence", count)
        found = [None if g is None else number(g, keyword) for g in groups]
    known = [i for i, angle in enumerate(found) if angle is not None]
    if not known:
        return None
    values = np.array([np.nan if angle is None else angle for angle in found])
    return np.interp(np.arange(count), known, values[known])


_SHUTTER_PLACES = (
    "ShutterLeftVerticalEdge",
    "ShutterUpperHorizontalEdge",
    "ShutterRightVerticalEdge",
    "ShutterLowerHorizontalEdge",
    "CenterOfCircularShutter",
    "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter",
)


def read_shutter(dataset: Dataset, notes: list[str]) -> Shutter | None:
    """Return the display shutter (PS3.3 C.7.6.11, C.8.7.3, C.8.19.3), 0-based, or None."""
    source = first_group(dataset, "FrameDisplayShutterSequence") or dataset
    for keyword in _SHUTTER_PLACES:
        for place in numbers(source, keyword):
            if abs(place) > LARGEST_PLACE_PX:
                note_impossible(notes, tr("shutter place"), place)
                return None
    shapes = set(words(source, "ShutterShape"))
    rectangle = circle = None
    polygon: tuple[tuple[float, float], ...] = ()
    edges = [number(source, keyword) for keyword in _SHUTTER_PLACES[:4]]
    if "RECTANGULAR" in shapes and all(edge is not None for edge in edges):
        left, top, right, bottom = (float(edge) - 1.0 for edge in edges if edge is not None)
        if right > left and bottom > top:
            rectangle = (left, top, right, bottom)
    center = numbers(source, "CenterOfCircularShutter")
    radius = number(source, "RadiusOfCircularShutter")
    if "CIRCULAR" in shapes and len(center) == 2 and radius:
        circle = (center[1] - 1.0, center[0] - 1.0, radius)
    corners = numbers(source, "VerticesOfThePolygonalShutter")
    if "POLYGONAL" in shapes and len(corners) >= 6:
        pairs = zip(corners[0::2], corners[1::2], strict=False)
        polygon = tuple((column - 1.0, row - 1.0) for row, column in pairs)
    if rectangle is None and circle is None and not polygon:
        return None
    return Shutter(rectangle, circle, polygon)


def read_spacing(dataset: Dataset, notes: list[str]) -> Spacing | None:
    """Return the most trustworthy pixel spacing, and how it was come by, or None.

    Imager Pixel Spacing is that of the detector: larger than in the patient by the magnification.
    """
    calibration = first_group(dataset, "ProjectionPixelCalibrationSequence")
    if calibration is not None:
        spacing = _spacing(calibration, "ObjectPixelSpacingInCenterOfBeam", notes)
        if spacing:
            return Spacing(*spacing, SpacingSource.CALIBRATED)
    properties = first_group(dataset, "FramePixelDataPropertiesSequence") or dataset
    imager = _spacing(properties, "ImagerPixelSpacing", notes) or _spacing(
        dataset, "ImagerPixelSpacing", notes
    )
    pixel = _spacing(dataset, "PixelSpacing", notes)
    if pixel is None and (measures := first_group(dataset, "PixelMeasuresSequence")) is not None:
        pixel = _spacing(measures, "PixelSpacing", notes)
    if pixel:
        if text(dataset, "PixelSpacingCalibrationType") in ("GEOMETRY", "FIDUCIAL"):
            return Spacing(*pixel, SpacingSource.CALIBRATED)
        if imager is None:
            return Spacing(*pixel, SpacingSource.FILE)
        if not np.allclose(pixel, imager, rtol=1e-3):
            return Spacing(*pixel, SpacingSource.CALIBRATED)
    if imager is None:
        return None
    geometry = first_group(dataset, "XRayGeometrySequence") or dataset
    magnification = number(dataset, "EstimatedRadiographicMagnificationFactor")
    if _magnifies(magnification):
        return _at_object(imager, magnification, SpacingSource.MAGNIFICATION)
    detector = number(geometry, "DistanceSourceToDetector")
    patient = number(geometry, "DistanceSourceToPatient") or number(
        geometry, "DistanceSourceToIsocenter"
    )
    ratio = detector / patient if detector and patient and abs(patient) >= 1.0 else None
    if _magnifies(ratio):
        return _at_object(imager, ratio, SpacingSource.SOD_SID)
    return Spacing(*imager, SpacingSource.DETECTOR)


def read_beam(dataset: Dataset) -> BeamGeometry:
    """Return where tube, table and detector stood."""
    geometry = first_group(dataset, "XRayGeometrySequence") or dataset
    properties = first_group(dataset, "FramePixelDataPropertiesSequence") or dataset
    imager = _spacing(properties, "ImagerPixelSpacing", []) or _spacing(
        dataset, "ImagerPixelSpacing", []
    )
    isocenter = number(geometry, "DistanceSourceToPatient") or number(
        geometry, "DistanceSourceToIsocenter"
    )
    field = numbers(dataset, "FieldOfViewDimensions")
    return BeamGeometry(
        detector_spacing_mm=imager,
        source_to_detector_mm=_distance(number(geometry, "DistanceSourceToDetector")),
        source_to_isocenter_mm=_distance(isocenter),
        table_height_mm=number(dataset, "TableHeight"),
        field_of_view_mm=_distance(
            number(dataset, "IntensifierSize") or (field[0] if field else None)
        ),
    )


def _distance(value: float | None) -> float | None:
    """Return a distance as it can be in a cath lab; None for others."""
    return value if value is not None and 10.0 <= value <= 5000.0 else None


def read_pixel_aspect_ratio(dataset: Dataset, spacing: Spacing | None) -> float:
    """Return the height of a pixel over its width, from the spacing where there is one.

    Pixel Aspect Ratio (0028,0034) gives the vertical size first (PS3.3 C.7.6.3.1.7).
    """
    if spacing is not None:
        return pixel_aspect(spacing.row_mm, spacing.column_mm)
    sizes = numbers(dataset, "PixelAspectRatio")
    return pixel_aspect(*sizes) if len(sizes) == 2 else 1.0


def _spacing(dataset: Dataset, keyword: str, notes: list[str]) -> tuple[float, float] | None:
    values = numbers(dataset, keyword)
    if len(values) != 2 or min(values) <= 0:
        return None
    for value in values:
        if not SMALLEST_SPACING_MM <= value <= LARGEST_SPACING_MM:
            note_impossible(notes, tr("pixel spacing in mm"), value)
            return None
    return values[0], values[1]


def _magnifies(factor: float | None) -> bool:
    """Tell a measured magnification from a placeholder: 1 says that nobody measured."""
    return factor is not None and 1.0 < factor <= LARGEST_MAGNIFICATION


def _at_object(
    imager: tuple[float, float], magnification: float | None, source: SpacingSource
) -> Spacing:
    assert magnification is not None
    return Spacing(imager[0] / magnification, imager[1] / magnification, source)


def read_masks(dataset: Dataset, frame_count: int, notes: list[str]) -> tuple[MaskSubtraction, ...]:
    """Return the Mask Subtraction Sequence (PS3.3 C.7.6.10) with 0-based frames."""
    found = []
    for item in items(dataset, "MaskSubtractionSequence"):
        ranges = [int(v) - 1 for v in numbers(item, "ApplicableFrameRange")]
        frames = [int(v) - 1 for v in numbers(item, "MaskFrameNumbers")]
        shift = numbers(item, "MaskSubPixelShift")
        if len(shift) != 2 or max(map(abs, shift)) > LARGEST_PLACE_PX:
            if shift:
                note_impossible(notes, tr("mask shift"), max(shift, key=abs))
            shift = [0.0, 0.0]
        offset = sensible(
            item, "TIDOffset", -frame_count, frame_count, tr("offset of the mask"), notes
        )
        found.append(
            MaskSubtraction(
                operation=text(item, "MaskOperation"),
                applicable_frames=tuple(zip(ranges[0::2], ranges[1::2], strict=False)),
                mask_frames=tuple(f for f in frames if 0 <= f < frame_count),
                tid_offset=1 if offset is None else int(offset),
                shift_px=(shift[1], shift[0]),
            )
        )
    return tuple(found)
