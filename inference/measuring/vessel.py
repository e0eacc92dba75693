"""A vessel's edges, diameters and narrowest place along its centre line.

Edges are first those of the steepest grey values along the normals, joined by dynamic programming.
Blur makes such edges of small lumens too wide, so the shadow of a round lumen, blurred as by the
detector, is then fitted to each profile, all of them together by dynamic programming once more. A
lumen that is narrower than the blur is known by how dark it is, since the contrast in it is as
dense as beside it (densitometry within the edge detection; Sonka et al., IEEE Trans. Med. Imaging
14, 151, 1995, and Wong et al., ibid. 2002, on small lumens).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, median_filter

from inference.measuring.profiles import (
    BlurredDisc,
    FloatArray,
    across,
    cheapest_path,
    evenly,
    normals,
    smoothed,
    unit_of,
)
from inference.measuring.stenosis import Lesion, find_lesion
from inference.measuring.vesselness import polarity, way_along

_MOST_RADIUS_PX = 12.0  # pixels at 512
_LEAST_RADIUS_PX = 0.4
_STEP_PX = 0.5  # between samples of a profile
_BLUR_PX = 0.95  # of focal spot and detector, at 512
_BLUR_SPREAD = 0.2  # of its logarithm
_GRAIN = 4.0  # samples that the noise's grain makes one of
_DENSITY_SPREAD = 0.25  # of the contrast's density from place to place
_DENSITY_PX = 60.0  # along the vessel over which the density is the same, at 512
_FAR = 0.08  # dearer for each pixel at 512 that an edge is farther out, of a full edge
_EDGE_BEND = 0.2  # of a full edge, for a step of half a pixel from row to row
_ODD_ABOVE = 3.0  # times the noise: what differs so much is no part of the vessel's shadow
_ROUNDS = 2
_HOLD_PX = 4.0  # along the vessel within which an edge follows one that was dragged, at 512


@dataclass(frozen=True)
class _Search:
    """How a round lumen is looked for. Pixels at 512."""

    away_px: float  # that its middle may lie from the line
    step_px: float  # between such places, in the picture's own pixels
    radii: int  # tried
    blurs_px: tuple[float, ...]  # tried


_COARSE = _Search(3.0, 0.5, 40, (_BLUR_PX,))
_FINE = _Search(1.0, 0.25, 72, (0.6, 0.75, _BLUR_PX, 1.2, 1.5))


class Side(StrEnum):
    """Of a vessel, looking along it on the screen."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True)
class Pin:
    """A place (x, y) that one of the edges goes through, because somebody dragged it there."""

    side: Side
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class Vessel:
    """A vessel between two clicks. Lengths in pixels, arrays from the first click on.

    Attributes
    ----------
    centre, left, right : ndarray, shape (N, 2)
        Middle of the lumen and its edges, (x, y).
    arc_px : ndarray, shape (N,)
        Length along the centre line.
    diameter_px : ndarray, shape (N,)
    lesion : Lesion
        The narrowest place and the reference line.
    """

    centre: FloatArray
    left: FloatArray
    right: FloatArray
    arc_px: FloatArray
    diameter_px: FloatArray
    lesion: Lesion


def measure_vessel(
    frame: NDArray[np.generic],
    clicks: NDArray[np.floating],
    pins: Sequence[Pin] = (),
    *,
    linear: bool = False,
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

    Raises
    ------
    ValueError
        Where the clicks mark no way within the picture.
    """
    picture = np.ascontiguousarray(frame, np.float32)
    if linear:
        picture = np.log(np.maximum(picture, 1.0))
    clicks = np.asarray(clicks, np.float64)
    unit = unit_of(picture.shape)
    sign = polarity(picture, clicks, unit)
    line = way_along(picture, clicks, sign)
    picture = picture * np.float32(sign)
    for smooth in (6.0, 4.0):  # what is steepest moves the middle, and that the normals
        left, right = _steepest(picture, line, unit)
        middle = gaussian_filter1d((left + right) / 2, smooth * unit, mode="nearest")
        line = evenly(line + middle[:, None] * normals(line))
    left, right = _steepest(picture, line, unit)
    widest = float(np.percentile(right - left, 80)) / 2
    away, _ = _round_lumen(picture, line, widest, _on_line(line, pins), unit, _COARSE)
    line = evenly(smoothed(line + away[:, None] * normals(line), 2.0 * unit))
    away, radius = _round_lumen(picture, line, widest, _on_line(line, pins), unit, _FINE)
    across_line = normals(line)
    left, right = away - radius, away + radius
    for side, row, place in _on_line(line, pins):
        edge = left if side is Side.LEFT else right
        near = np.exp(-0.5 * ((np.arange(len(line)) - row) / (_HOLD_PX * unit / 2)) ** 2)
        edge += near * (place - edge[row])
    arc_px = np.arange(len(line)) * float(np.linalg.norm(line[1] - line[0]))
    diameter_px = np.maximum(right - left, 0.0)
    return Vessel(
        centre=line + ((left + right) / 2)[:, None] * across_line,
        left=line + left[:, None] * across_line,
        right=line + right[:, None] * across_line,
        arc_px=arc_px,
        diameter_px=diameter_px,
        lesion=find_lesion(arc_px, diameter_px),
    )


def _on_line(line: FloatArray, pins: Sequence[Pin]) -> list[tuple[Side, int, float]]:
    """Side, nearest point of the line and offset along its normal, of each pin."""
    found = []
    for pin in pins:
        away = np.array([pin.x, pin.y]) - line
        row = int((away**2).sum(axis=1).argmin())
        found.append((pin.side, row, float(away[row] @ normals(line)[row])))
    return found


def _steepest(
    picture: NDArray[np.float32], line: FloatArray, unit: float
) -> tuple[FloatArray, FloatArray]:
    """Offsets (N,) of the steepest edges left and right of a line, of a bright vessel."""
    reach = float(np.ceil(_MOST_RADIUS_PX * unit))
    offsets = np.arange(-reach, reach + _STEP_PX / 2, _STEP_PX)
    strip = _filled(across(picture, line, offsets))
    slope = gaussian_filter(
        strip, (1.0 * unit, unit / _STEP_PX), order=(0, 1), mode="nearest"
    )
    # Beyond some steepness an edge is an edge: that of a bone must not win for its contrast, and of
    # two the nearer one is the vessel's.
    slope = np.tanh(slope / (2.0 * float(np.abs(slope).mean()) + 1e-9))
    far = _FAR * np.abs(offsets) / unit
    middle = len(offsets) // 2
    left = cheapest_path((far - slope)[:, : middle + 1], bend=_EDGE_BEND)
    right = cheapest_path((far + slope)[:, middle:], bend=_EDGE_BEND)
    return offsets[left], offsets[middle + right]


def _filled(strip: FloatArray) -> FloatArray:
    """Values outside the picture become the row's median."""
    known = np.isfinite(strip)
    if known.all():
        return strip
    rows = [np.median(row[use]) if use.any() else 0.0 for row, use in zip(strip, known, strict=True)]
    return np.where(known, strip, np.array(rows)[:, None])


def _round_lumen(
    picture: NDArray[np.float32],
    line: FloatArray,
    widest: float,
    pins: list[tuple[Side, int, float]],
    unit: float,
    search: _Search,
) -> tuple[FloatArray, FloatArray]:
    """Offset of the lumen's middle and its radius (N,) that fit all profiles best."""
    most = max(1.8 * widest, 3 * unit)
    radii = np.geomspace(_LEAST_RADIUS_PX * unit, most, search.radii)
    away_steps = int(np.ceil(search.away_px * unit / search.step_px))
    moves = np.arange(-away_steps, away_steps + 1) * search.step_px
    reach = np.ceil(1.8 * widest + 3.0 * unit)
    offsets = np.arange(-reach, reach + _STEP_PX / 2, _STEP_PX)
    strip = gaussian_filter1d(_filled(across(picture, line, offsets)), 0.7 * unit, axis=0)
    basis = np.stack([np.ones_like(offsets), offsets], axis=1)
    basis /= np.linalg.norm(basis, axis=0)
    fits = [
        _Fit(strip, _shadows(offsets, radii, moves, blur * unit), basis) for blur in search.blurs_px
    ]
    noise = min(fit.noise for fit in fits)
    cost = [
        fit.misfit(noise) + _blur_prior(blur)
        for fit, blur in zip(fits, search.blurs_px, strict=True)
    ]
    fit = fits[int(np.argmin(cost))]
    density = fit.density(radii, _DENSITY_PX * unit)
    shape = len(line), len(radii), len(moves)
    for _ in range(_ROUNDS):
        costs = fit.costs(noise, density).reshape(shape)
        for side, row, place in pins:
            edge = moves[None, :] + (radii[:, None] if side is Side.RIGHT else -radii[:, None])
            wrong = np.abs(edge - place)
            costs[row] = np.where(wrong <= max(0.3, float(wrong.min())), costs[row], np.inf)
        radius_at, move_at = _smooth_way(costs)
        fit.weigh(radius_at * len(moves) + move_at, density, noise)
    rows = np.arange(len(line))
    radius = _between(costs[rows, :, move_at], radius_at, np.log(radii))
    away = _between(costs[rows, radius_at, :], move_at, moves)
    return gaussian_filter1d(away, 2.0 * unit), np.exp(gaussian_filter1d(radius, 0.8 * unit))


def _blur_prior(blur: float) -> float:
    return 0.5 * float(np.log(blur / _BLUR_PX) / _BLUR_SPREAD) ** 2


def _shadows(
    offsets: FloatArray, radii: FloatArray, moves: FloatArray, blur_px: float
) -> FloatArray:
    """Shadows (R * K, M) of lumens of all radii at all places."""
    disc = BlurredDisc(float(offsets[-1] + moves[-1]))
    step = float(moves[1] - moves[0])
    wide = np.arange(offsets[0] + moves[0], offsets[-1] + moves[-1] + step / 2, step)
    chords = disc.chords(radii, disc.gaussian(blur_px), wide)
    count, stride = len(offsets), round(_STEP_PX / step)
    starts = np.rint((moves[-1] - moves) / step).astype(int)
    shadows = np.stack(
        [chords[:, start : start + count * stride : stride] for start in starts], axis=1
    )
    return np.asarray(shadows[..., :count].reshape(-1, count))


class _Fit:
    """How well shadows (S, M) of density 1 over a ground explain profiles (N, M)."""

    def __init__(self, strip: FloatArray, shadows: FloatArray, ground: FloatArray) -> None:
        self._strip, self._shadows, self._ground = strip, shadows, ground
        self._rows = np.arange(len(strip))
        self._compare(strip - strip @ ground @ ground.T, shadows - shadows @ ground @ ground.T)
        free = np.maximum(self._product, 0.0)
        self._rest = self._square - free**2 / self._energy
        self._best = self._rest.argmin(axis=1)
        least = self._rest[self._rows, self._best] / strip.shape[1]
        self.noise = max(float(np.sqrt(np.median(least))), 1e-6 * float(np.abs(strip).max()), 1e-9)

    def _compare(
        self, strip: FloatArray, shadows: FloatArray, weights: FloatArray | None = None
    ) -> None:
        w = np.ones_like(strip) if weights is None else weights
        self._square = (w * strip**2).sum(axis=1)[:, None]
        self._product = (w * strip) @ shadows.T
        self._energy = np.maximum(w @ (shadows**2).T, 1e-12)

    def weigh(self, chosen: NDArray[np.intp], density: FloatArray, noise: float) -> None:
        """Let what the chosen shadows do not explain, such as branches, count for less."""
        shadow = self._shadows[chosen] * density[:, None]
        weights = np.ones_like(self._strip)
        for _ in range(3):
            ground = np.empty_like(self._strip)
            for row in self._rows:
                root = np.sqrt(weights[row])[:, None]
                wanted = (self._strip[row] - shadow[row])[:, None] * root
                found, *_ = np.linalg.lstsq(self._ground * root, wanted, rcond=None)
                ground[row] = (self._ground @ found)[:, 0]
            rest = self._strip - ground - shadow
            weights = 1.0 / (1.0 + (rest / (_ODD_ABOVE * noise)) ** 2) ** 2
        self._compare(self._strip - ground, self._shadows, weights)

    def misfit(self, noise: float) -> float:
        """Half the squared rest of the best shadows over the noise."""
        best = self._rest[self._rows, self._best]
        limit = 4.0 * float(np.median(best))  # branches and crossings do not count fully
        return float(np.minimum(best, limit).sum()) / (2 * _GRAIN * noise**2)

    def density(self, radii: FloatArray, along_px: float) -> FloatArray:
        """Density of the contrast (N,): smooth, and that of the wide parts for the narrow ones."""
        found = self._product[self._rows, self._best] / self._energy[self._rows, self._best]
        radius = radii[self._best // (self._energy.shape[1] // len(radii))]
        weight = radius**3 * (found > 0)
        size = 2 * int(along_px / 2) + 1
        limit = median_filter(found, size=min(size, 2 * (len(found) // 2) + 1), mode="nearest")
        weight = weight * (found < 2.0 * np.maximum(limit, 1e-12))
        total = gaussian_filter1d(weight, along_px / 2, mode="nearest") + 1e-12
        return np.asarray(gaussian_filter1d(weight * found, along_px / 2, mode="nearest") / total)

    def costs(self, noise: float, density: FloatArray) -> FloatArray:
        """Half chi squared (N, S) where the density is about as given."""
        precision = 1.0 / (_GRAIN * noise**2)
        expected = np.maximum(density, 1e-9)[:, None]
        prior = 1.0 / (_DENSITY_SPREAD * expected) ** 2
        best = (precision * self._product + prior * expected) / (precision * self._energy + prior)
        rest = self._square - 2 * best * self._product + best**2 * self._energy
        chi = precision * rest + prior * (best - expected) ** 2
        chi -= chi.min(axis=1, keepdims=True)
        return np.asarray(0.5 * chi)


def _smooth_way(costs: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Radius and place (N,) of the cheapest way through costs (N, R, K) by small steps."""
    rows, radius_count, move_count = costs.shape
    steps = [(a, b) for a in (-2, -1, 0, 1, 2) for b in (-1, 0, 1)]
    reached = costs[0].copy()
    came = np.zeros((rows, radius_count, move_count), np.uint8)
    for row in range(1, rows):
        padded = np.pad(reached, ((2, 2), (1, 1)), constant_values=np.inf)
        options = np.stack(
            [
                padded[2 + a : 2 + a + radius_count, 1 + b : 1 + b + move_count]
                + 0.2 * a * a
                + 0.5 * b * b
                for a, b in steps
            ]
        )
        came[row] = options.argmin(axis=0)
        reached = options.min(axis=0) + costs[row]
    radius_at, move_at = np.empty(rows, np.intp), np.empty(rows, np.intp)
    radius_at[-1], move_at[-1] = np.unravel_index(int(reached.argmin()), reached.shape)
    for row in range(rows - 1, 0, -1):
        a, b = steps[came[row, radius_at[row], move_at[row]]]
        radius_at[row - 1], move_at[row - 1] = radius_at[row] + a, move_at[row] + b
    return radius_at, move_at


def _between(costs: FloatArray, index: NDArray[np.intp], places: FloatArray) -> FloatArray:
    """Places (N,) of the costs' minima by parabolas about the chosen indices."""
    inner = np.clip(index, 1, len(places) - 2)
    rows = np.arange(len(costs))
    before, at, after = (costs[rows, inner + k] for k in (-1, 0, 1))
    curve = before - 2 * at + after
    usable = np.isfinite(curve) & (curve > 1e-9) & (inner == index)
    part = np.zeros(len(costs))
    part[usable] = np.clip(0.5 * (before - after)[usable] / curve[usable], -0.5, 0.5)
    return np.asarray(places[index] + part * (places[1] - places[0]))
