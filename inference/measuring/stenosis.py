"""The narrowest place of a diameter profile, against what the diameter would be without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from inference.measuring.profiles import FloatArray

_ENDS_SHARE = 0.05  # of the vessel at each end, where its narrowest place is not looked for
_HEALTHY_FROM = 0.92  # of the reference: from here on a lumen counts as healthy
_BELOW = 1.5  # deviations below the line from which a place is left out of it
_ROUNDS = 12
_MOST_SLOPES_OF = 1000  # places


@dataclass(frozen=True, eq=False)
class Lesion:
    """The narrowest place of a vessel. Lengths in the unit of the profile.

    Attributes
    ----------
    index : int
        Of the narrowest place along the profile.
    begin, end : int
        First and last place that is narrower than the healthy vessel.
    minimal : float
        Minimal lumen diameter.
    reference : ndarray, shape (N,)
        Diameter of the healthy vessel along the profile.
    length : float
    """

    index: int
    begin: int
    end: int
    minimal: float
    reference: FloatArray
    length: float

    @property
    def reference_diameter(self) -> float:
        """Healthy diameter at the narrowest place."""
        return float(self.reference[self.index])

    @property
    def stenosis(self) -> float:
        """Diameter stenosis as a share: 1 less minimal over reference diameter, at least 0."""
        return max(0.0, 1.0 - self.minimal / self.reference_diameter)


def find_lesion(
    arc: NDArray[np.floating],
    diameter: NDArray[np.floating],
    healthy: tuple[tuple[int, int], tuple[int, int]] | None = None,
) -> Lesion:
    """Find the narrowest place of a diameter profile.

    Parameters
    ----------
    arc, diameter : ndarray, shape (N,)
        Length along the vessel, and the diameter there.
    healthy : ((first, last), (first, last)), optional
        Stretches that the user calls healthy: the reference line goes through their medians.
        Otherwise a straight line, first through all places by medians of slopes (Theil-Sen), is
        fitted again and again to those that do not lie far below it: vessels taper evenly, lesions
        narrow them.
    """
    arc, diameter = np.asarray(arc, np.float64), np.asarray(diameter, np.float64)
    line = _through(arc, diameter, healthy) if healthy else _robust_line(arc, diameter)
    reference = np.maximum(np.polyval(line, arc), 1e-6 + 0.2 * float(np.median(diameter)))
    edge = int(_ENDS_SHARE * len(arc))
    inner = slice(edge, max(len(arc) - edge, edge + 1))
    index = edge + int((diameter / reference)[inner].argmin())
    narrow = diameter < _HEALTHY_FROM * reference
    begin = end = index
    while begin > 0 and narrow[begin - 1]:
        begin -= 1
    while end < len(arc) - 1 and narrow[end + 1]:
        end += 1
    return Lesion(
        index, begin, end, float(diameter[index]), reference, float(arc[end] - arc[begin])
    )


def _through(
    arc: FloatArray, diameter: FloatArray, healthy: tuple[tuple[int, int], tuple[int, int]]
) -> FloatArray:
    spans = [slice(min(span), max(span) + 1) for span in healthy]
    places = [float(arc[span].mean()) for span in spans]
    widths = [float(np.median(diameter[span])) for span in spans]
    if places[0] == places[1]:
        return np.array([0.0, (widths[0] + widths[1]) / 2])
    return np.asarray(np.polyfit(places, widths, 1))


def _robust_line(arc: FloatArray, diameter: FloatArray) -> FloatArray:
    """Slope and height of the line through the profile without its narrow places."""
    every = max(1, len(arc) // _MOST_SLOPES_OF)  # all pairs of very many would fill the memory
    line = np.array(theilslopes(diameter[::every], arc[::every])[:2])
    kept = np.ones(len(arc), bool)
    for _ in range(_ROUNDS):
        rest = diameter - np.polyval(line, arc)
        deviation = 1.4826 * float(np.median(np.abs(rest[kept]))) + 1e-9
        kept = (rest > -_BELOW * deviation) & (rest < 2 * _BELOW * deviation)
        if kept.sum() < max(4, len(arc) // 5):
            break
        line = np.polyfit(arc[kept], diameter[kept], 1)
    return np.asarray(line)
