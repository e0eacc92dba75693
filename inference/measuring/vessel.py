"""A vessel's edges, diameters and narrowest place along its centre line.

Edges are first those of the steepest grey values along the normals, joined by dynamic programming.
Blur makes such edges of small lumens too wide, so the shadow of a round lumen, blurred as by the
detector, is then fitted to each profile, all of them together by dynamic programming once more
(``lumen.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from inference.measuring.lumen import COARSE, FINE, Side, round_lumen
from inference.measuring.profiles import (
    FloatArray,
    across,
    arc_length,
    cheapest_path,
    evenly,
    filled,
    normals,
    smoothed,
    unit_of,
)
from inference.measuring.square_frame import SquareFrame
from inference.measuring.stenosis import Lesion, find_lesion
from inference.measuring.vesselness import check_clicks, polarity, way_along

MOST_SIDE_PX = 1536
"""Larger pictures are measured at half their size or less."""
LONGEST_SIDES = 3
"""A way along more than so many sides of the picture is refused, for the memory that it takes."""
_MOST_RADIUS_PX = 12.0  # pixels at 512
_STEP_PX = 0.5  # between samples of a profile
_FAR = 0.08  # dearer for each pixel at 512 that an edge is farther out, of a full edge
_EDGE_BEND = 0.2  # of a full edge, for a step of half a pixel from row to row
_MODEL_PX = 0.4  # standard uncertainty of roundness, branches and what is taken for the ground
_HOLD_PX = 4.0  # along the vessel within which an edge follows one that was dragged, at 512


@dataclass(frozen=True)
class Pin:
    """A place (x, y) that one of the edges goes through, because somebody dragged it there."""

    side: Side
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class Vessel:
    """A vessel between two clicks. Lengths in columns of the frame, arrays from the first click on.

    Attributes
    ----------
    centre, left, right : ndarray, shape (N, 2)
        Middle of the lumen and its edges, (x, y).
    arc_px : ndarray, shape (N,)
        Length along the centre line.
    diameter_px, uncertainty_px : ndarray, shape (N,)
        And its standard uncertainty: of the noise, of how dense the contrast is, and of what the
        model of a round lumen over an even ground leaves out where no branch leaves. 1.96 of it
        cover the truth at 90 to 95% of simulated stenoses. Not in it: a way along another vessel,
        a lumen that is not round, foreshortening, and what was dragged by hand.
    lesion : Lesion
        The narrowest place and the reference line.
    """

    centre: FloatArray
    left: FloatArray
    right: FloatArray
    arc_px: FloatArray
    diameter_px: FloatArray
    uncertainty_px: FloatArray
    lesion: Lesion


def measure_vessel(
    frame: NDArray[np.generic],
    clicks: NDArray[np.floating],
    pins: Sequence[Pin] = (),
    *,
    linear: bool = False,
    aspect: float = 1.0,
) -> Vessel:
    """Find a vessel between clicks and measure it.

    Parameters
    ----------
    frame : ndarray, shape (H, W)
        Stored values of any real dtype; the contrast dark or bright.
    clicks : ndarray, shape (K, 2)
        (x, y) in the order of the way; K of at least 2. More than two correct the centre line.
    pins : sequence of Pin
        Corrections of the edges.
    linear : bool
        The values are proportional to the detector's signal (Pixel Intensity Relationship LIN);
        their logarithm is measured then.
    aspect : float
        Height of a pixel over its width.

    Raises
    ------
    ValueError
        Where the clicks mark no way within the picture, or too long a one.
    """
    square = SquareFrame(frame, aspect, linear=linear, most_side=MOST_SIDE_PX)
    picture, clicks = square.pixels, square.there(clicks)
    check_clicks(picture.shape, clicks)
    unit = unit_of(picture.shape)
    sign = polarity(picture, clicks, unit)
    _check_length(arc_length(clicks), picture.shape)
    line = way_along(picture, clicks, sign)
    _check_length(arc_length(line), picture.shape)
    picture = picture * np.float32(sign)
    for smooth in (6.0, 4.0):  # what is steepest moves the middle, and that the normals
        left, right = _steepest(picture, line, unit)
        middle = gaussian_filter1d((left + right) / 2, smooth * unit, mode="nearest")
        line = evenly(line + middle[:, None] * normals(line))
    left, right = _steepest(picture, line, unit)
    widest = float(np.percentile(right - left, 80)) / 2
    places = square.there([(pin.x, pin.y) for pin in pins]) if pins else np.zeros((0, 2))
    held = [(pin.side, place) for pin, place in zip(pins, places, strict=True)]
    rough = round_lumen(picture, line, widest, _on_line(line, held, unit), unit, COARSE)
    line = evenly(smoothed(line + rough.away[:, None] * normals(line), 2.0 * unit))
    pinned = _on_line(line, held, unit)
    lumen = round_lumen(picture, line, widest, pinned, unit, FINE)
    across_line = normals(line)
    left, right = lumen.away - lumen.radius, lumen.away + lumen.radius
    for side, row, place in pinned:
        edge = left if side is Side.LEFT else right
        near = np.exp(-0.5 * ((np.arange(len(line)) - row) / (_HOLD_PX * unit / 2)) ** 2)
        edge += near * (place - edge[row])
    to_columns = square.columns_per_px
    arc_px = np.arange(len(line)) * float(np.linalg.norm(line[1] - line[0])) * to_columns
    diameter_px = np.maximum(right - left, 0.0) * to_columns
    return Vessel(
        centre=square.back(line + ((left + right) / 2)[:, None] * across_line),
        left=square.back(line + left[:, None] * across_line),
        right=square.back(line + right[:, None] * across_line),
        arc_px=arc_px,
        diameter_px=diameter_px,
        uncertainty_px=np.hypot(2.0 * lumen.radius_sd, _MODEL_PX * unit) * to_columns,
        lesion=find_lesion(arc_px, diameter_px),
    )


def _check_length(arc_px: FloatArray, shape: tuple[int, ...]) -> None:
    if arc_px[-1] > LONGEST_SIDES * max(shape):
        raise ValueError("The way is too long.")


def _on_line(
    line: FloatArray, pins: Sequence[tuple[Side, FloatArray]], unit: float
) -> list[tuple[Side, int, float]]:
    """Side, nearest point of the line and offset along its normal, of each pin.

    Pins that lie elsewhere, because the way was moved since, hold nothing.
    """
    found = []
    for side, place in pins:
        away = place - line
        row = int((away**2).sum(axis=1).argmin())
        if np.linalg.norm(away[row]) <= 2 * _MOST_RADIUS_PX * unit:
            found.append((side, row, float(away[row] @ normals(line)[row])))
    return found


def _steepest(
    picture: NDArray[np.float32], line: FloatArray, unit: float
) -> tuple[FloatArray, FloatArray]:
    """Offsets (N,) of the steepest edges left and right of a line, of a bright vessel."""
    reach = float(np.ceil(_MOST_RADIUS_PX * unit))
    offsets = np.arange(-reach, reach + _STEP_PX / 2, _STEP_PX)
    strip = filled(across(picture, line, offsets))
    slope = gaussian_filter(strip, (1.0 * unit, unit / _STEP_PX), order=(0, 1), mode="nearest")
    # Beyond some steepness an edge is an edge: that of a bone must not win for its contrast, and of
    # two the nearer one is the vessel's.
    slope = np.tanh(slope / (2.0 * float(np.abs(slope).mean()) + 1e-9))
    far = _FAR * np.abs(offsets) / unit
    middle = len(offsets) // 2
    left = cheapest_path((far - slope)[:, : middle + 1], bend=_EDGE_BEND)
    right = cheapest_path((far + slope)[:, middle:], bend=_EDGE_BEND)
    return offsets[left], offsets[middle + right]
