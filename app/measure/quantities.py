"""What a measure says: lengths, angles, areas and greys, each with its unit and uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray

from app.measure.scale import Scale
from app.measure.vessels import profile_of
from app.tracks.marks import Mark, MarkKind, Point

PLACEMENT_SD_PX = 0.5
"""Standard uncertainty of where a person puts a handle, along each axis."""
COVERAGE = 1.96
"""Of 95% of the values, in standard uncertainties."""
STEP_PX = 0.01

Greys = Callable[[slice, slice], NDArray[np.floating]]
"""Gives the modality values of a part (rows, columns) of a frame, as far as the frame reaches."""
Shape = Callable[[NDArray[np.float64]], float]
"""From handles (n, 2) in the unit of the scale to a value."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One value of a measure.

    Attributes
    ----------
    name : str
        What it is, for the user.
    sd : float or None
        Standard uncertainty; None where it is not known.
    digits : int
        Behind the point, where the uncertainty does not say how many.
    """

    name: str
    value: float
    unit: str
    sd: float | None = None
    digits: int = 1

    @property
    def text(self) -> str:
        """The value with its unit, and with what covers 95% where that is known.

        >>> Quantity("Length", 12.43, "mm", 0.14).text
        '12.4 ± 0.3 mm'
        """
        gap = "" if self.unit in ("°", "%", "") else " "
        if self.sd is None:
            return f"{self.value:.{self.digits}f}{gap}{self.unit}"
        spread = COVERAGE * self.sd
        digits = self.digits if spread >= 0.1 else 2
        return f"{self.value:.{digits}f} ± {spread:.{digits}f}{gap}{self.unit}"


def quantities(mark: Mark, scale: Scale, greys: Greys | None = None) -> tuple[Quantity, ...]:
    """Return the values of a measure.

    Parameters
    ----------
    greys : callable, optional
        For regions; without it a region has its area alone.
    """
    points = mark.points
    match mark.kind:
        case MarkKind.DISTANCE | MarkKind.POLYLINE:
            return (_length(tr("Length"), path_length, points, scale),)
        case MarkKind.ANGLE:
            return (_angle(points, scale),)
        case MarkKind.RECTANGLE | MarkKind.ELLIPSE:
            full = 1.0 if mark.kind is MarkKind.RECTANGLE else math.pi / 4.0
            area = _area(points, scale, full)
            return (*_grey_levels(mark, greys), area)
        case MarkKind.VESSEL:
            return _vessel(mark, scale)
        case _:
            return ()


def path_length(handles: NDArray[np.float64]) -> float:
    """Return the length of a line through handles (n, 2)."""
    return float(np.hypot(*np.diff(handles, axis=0).T).sum())


def greys_inside(mark: Mark, greys: Greys) -> NDArray[np.floating]:
    """Return the greys of the pixels whose centre lies within a rectangle or an ellipse."""
    (x0, y0), (x1, y1) = mark.points
    left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    rows = slice(max(math.ceil(top), 0), max(math.floor(bottom) + 1, 0))
    columns = slice(max(math.ceil(left), 0), max(math.floor(right) + 1, 0))
    part = greys(rows, columns)  # of the picture: a figure can be far larger
    if mark.kind is MarkKind.RECTANGLE:
        return part.ravel()
    down = rows.start + np.arange(part.shape[0])[:, None]
    across = columns.start + np.arange(part.shape[1])[None, :]
    wide, high = max((right - left) / 2, 1e-9), max((bottom - top) / 2, 1e-9)
    away = ((across - (x0 + x1) / 2) / wide) ** 2 + ((down - (y0 + y1) / 2) / high) ** 2
    return part[away <= 1.0]


def _length(name: str, shape: Shape, points: Sequence[Point], scale: Scale) -> Quantity:
    value, placed = _with_placement(shape, points, scale)
    return Quantity(name, value, scale.unit, _joined(placed, value, scale, 1))


def _area(points: Sequence[Point], scale: Scale, full: float) -> Quantity:
    def area(handles: NDArray[np.float64]) -> float:
        wide, high = np.abs(handles[1] - handles[0])
        return float(full * wide * high)

    value, placed = _with_placement(area, points, scale)
    return Quantity(tr("Area"), value, f"{scale.unit}²", _joined(placed, value, scale, 2))


def _angle(points: Sequence[Point], scale: Scale) -> Quantity:
    """Return the angle at the second of three points; the size of a pixel has no part in it."""

    def angle(handles: NDArray[np.float64]) -> float:
        first, second = handles[0] - handles[1], handles[2] - handles[1]
        cross = first[0] * second[1] - first[1] * second[0]
        return math.degrees(math.atan2(abs(cross), float(first @ second)))

    value, placed = _with_placement(angle, points, scale)
    return Quantity(tr("Angle"), value, "°", placed)


def _with_placement(shape: Shape, points: Sequence[Point], scale: Scale) -> tuple[float, float]:
    """Return a value, and its uncertainty from where the handles were put (GUM 5.1.2)."""
    size = np.array([scale.column_size, scale.row_size])
    handles = np.array(points, float) * size
    variance = 0.0
    for index in np.ndindex(handles.shape):
        step = STEP_PX * size[index[1]]
        there, back = handles.copy(), handles.copy()
        there[index] += step
        back[index] -= step
        slope = (shape(there) - shape(back)) / (2 * step)
        variance += (slope * PLACEMENT_SD_PX * size[index[1]]) ** 2
    return shape(handles), math.sqrt(variance)


def _vessel(mark: Mark, scale: Scale) -> tuple[Quantity, ...]:
    """Return minimal lumen diameter, reference, stenosis and length of the lesion."""
    profile = profile_of(mark.values)
    if profile is None:
        return ()
    size, unit, at = scale.column_size, scale.unit, profile.narrowest
    minimal = float(profile.diameter_px[at]) * size
    minimal_sd = _joined(float(profile.sd_px[at]) * size, minimal, scale, 1)
    return (
        Quantity(tr("MLD"), minimal, unit, minimal_sd, digits=2),
        Quantity(tr("Reference"), float(profile.reference_px[at]) * size, unit, digits=2),
        Quantity(tr("DS"), 100.0 * profile.stenosis, "%", digits=0),
        Quantity(tr("Lesion"), profile.lesion_px * size, unit),
    )


def _joined(placed: float, value: float, scale: Scale, power: int) -> float | None:
    """Add the uncertainty of the scale; what nobody knows stays unknown."""
    if scale.relative_sd is None:
        return None
    return math.hypot(placed, power * scale.relative_sd * value)


def _grey_levels(mark: Mark, greys: Greys | None) -> tuple[Quantity, ...]:
    if greys is None:
        return ()
    values = greys_inside(mark, greys)
    if not values.size:
        return ()
    return (
        Quantity(tr("Mean"), float(values.mean()), ""),
        Quantity(tr("SD"), float(values.std()), ""),
    )
