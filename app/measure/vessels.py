"""A vessel's diameters as the values of a mark, which a labels file can hold, and back."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as tr
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.measure.scale import Scale

if TYPE_CHECKING:
    from inference.measuring.vessel import Vessel

MOST_PLACES = 240
"""Along a vessel that are kept."""
Pin = tuple[str, float, float]
"""Side ("left" or "right") and place (x, y) to which somebody dragged an edge."""
FloatArray = NDArray[np.float64]
PROFILE_COLUMNS = (
    "position", "diameter", "uncertainty", "reference", "unit", "lesion", "narrowest",
    "centre_x", "centre_y", "left_x", "left_y", "right_x", "right_y", "source", "note",
)  # fmt: skip


def not_validated() -> str:
    """Say what must stand beside all that is told of a vessel."""
    return tr("not a validated medical measurement")


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Diameters along a vessel; lengths in columns of the picture.

    Attributes
    ----------
    centre, left, right : ndarray, shape (N, 2)
        Centre line and edges, (x, y).
    arc_px, diameter_px, sd_px, reference_px : ndarray, shape (N,)
        Length along the vessel, diameter with its standard uncertainty, and the diameter that the
        healthy vessel would have.
    begin, narrowest, end : int
        Places of the lesion.
    """

    centre: FloatArray
    left: FloatArray
    right: FloatArray
    arc_px: FloatArray
    diameter_px: FloatArray
    sd_px: FloatArray
    reference_px: FloatArray
    begin: int
    narrowest: int
    end: int

    @property
    def stenosis(self) -> float:
        """Diameter stenosis as a share, at least 0."""
        share = 1.0 - self.diameter_px[self.narrowest] / self.reference_px[self.narrowest]
        return max(0.0, float(share))

    @property
    def lesion_px(self) -> float:
        """Length of the lesion."""
        return float(self.arc_px[self.end] - self.arc_px[self.begin])

    def place_near(self, x: float, y: float) -> int | None:
        """Return the place of the vessel at a point of the picture; None beside the vessel."""
        away = np.hypot(*(self.centre - (x, y)).T)
        place = int(away.argmin())
        width = np.hypot(*(self.right[place] - self.left[place]))
        return place if away[place] <= width else None


def values_of(vessel: Vessel, pins: Sequence[Pin]) -> dict[str, Any]:
    """Return what is kept of a measured vessel, as JSON holds it."""
    lesion, count = vessel.lesion, len(vessel.arc_px)
    even = np.linspace(0, count - 1, min(count, MOST_PLACES)).round().astype(int)
    kept = np.unique([*even, lesion.begin, lesion.index, lesion.end])

    def plain(values: NDArray[np.floating]) -> list[Any]:
        return list(np.round(values[kept], 3).tolist())

    return {
        "centre": plain(vessel.centre),
        "edges": [plain(vessel.left), plain(vessel.right)],
        "arc_px": plain(vessel.arc_px),
        "diameter_px": plain(vessel.diameter_px),
        "sd_px": plain(vessel.uncertainty_px),
        "reference_px": plain(lesion.reference),
        "lesion": np.searchsorted(kept, [lesion.begin, lesion.index, lesion.end]).tolist(),
        "pins": [list(pin) for pin in pins],
    }


def profile_of(values: Mapping[str, Any]) -> Profile | None:
    """Return the profile that the values of a mark make; None where they cannot be believed."""
    try:
        left, right = (np.array(edge, float) for edge in values["edges"])
        lines = (np.array(values["centre"], float), left, right)
        names = ("arc_px", "diameter_px", "sd_px", "reference_px")
        arc, diameter, sd, reference = (np.array(values[name], float) for name in names)
        begin, narrowest, end = values["lesion"]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    count = len(arc) if arc.ndim == 1 else 0
    believed = (
        count >= 2
        and all(line.shape == (count, 2) for line in lines)
        and all(row.shape == (count,) for row in (diameter, sd, reference))
        and all(np.isfinite(part).all() for part in (*lines, arc, diameter, sd, reference))
        and (np.diff(arc) > 0).all()
        and (diameter >= 0).all()
        and (sd >= 0).all()
        and (reference > 0).all()
        and all(type(place) is int for place in (begin, narrowest, end))
        and 0 <= begin <= narrowest <= end < count
    )
    if not believed:
        return None
    return Profile(*lines, arc, diameter, sd, reference, begin, narrowest, end)


def pins_of(values: Mapping[str, Any]) -> tuple[Pin, ...]:
    """Return the places to which edges were dragged."""
    pins = values.get("pins")
    return tuple(_pin(pin) for pin in pins if _is_pin(pin)) if isinstance(pins, list) else ()


def profile_csv(profile: Profile, scale: Scale) -> str:
    """Return a profile as CSV (RFC 4180): a line a place, each with its unit and source.

    ``uncertainty`` is a standard one, of the diameter alone. Places are pixels of the picture.
    """
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow(PROFILE_COLUMNS)
    size = scale.column_size
    for place in range(len(profile.arc_px)):
        lengths = (profile.arc_px, profile.diameter_px, profile.sd_px, profile.reference_px)
        points = (profile.centre, profile.left, profile.right)
        writer.writerow(
            (
                *(f"{row[place] * size:.4g}" for row in lengths),
                scale.unit,
                int(profile.begin <= place <= profile.end),
                int(place == profile.narrowest),
                *(f"{value:.2f}" for line in points for value in line[place]),
                scale.source,
                not_validated(),
            )
        )
    return told.getvalue()


def _is_pin(pin: object) -> bool:
    return (
        isinstance(pin, list)
        and len(pin) == 3
        and pin[0] in ("left", "right")
        and all(isinstance(part, (int, float)) and np.isfinite(part) for part in pin[1:])
    )


def _pin(pin: Sequence[Any]) -> Pin:
    side, x, y = pin
    return side, float(x), float(y)
