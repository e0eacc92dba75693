"""The outer width of an empty catheter, to a fraction of a pixel.

A catheter's shadow is that of a hollow cylinder, blurred by focal spot and detector and often
sharpened by the scanner. Half-way rules on its edges therefore read it too wide or too narrow by
several percent; here cylinder, blur and sharpening are fitted together (model-based measurement
as in Fleagle et al., IEEE Trans. Med. Imaging 8, 1989, and Sonka et al., ibid. 14, 151, 1995) to
the mean of all profiles across the stretch, laid over one another along its refined centre line.

Wall, blur and width trade against one another: at four pixels a millimetre they cannot be told
apart by the profile alone, however little noise it has. What is known of catheters and scanners
therefore enters as priors, and the uncertainty is that of the posterior: noise (from the spread of
the parts of the stretch) and priors together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, gaussian_filter1d, shift
from scipy.optimize import least_squares

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
from inference.measuring.square_frame import SquareFrame

LEAST_PROFILES = 20
FILLED_ABOVE = 0.3
"""Attenuation of the lumen over that of the wall from which it is taken to be filled."""
FAINT_BELOW = 8.0
"""Contrast to noise of the mean profile below which nothing is measured."""
UNSTEADY_ABOVE = 0.04
"""Relative uncertainty of the width from which the edges count as unsteady."""

_CLICK_PX = 8.0  # how far from the middle clicks may lie, pixels at 512
_RADII_PX = (1.2, 1.6, 2.1, 2.7, 3.4, 4.2, 5.2, 6.4, 8.0, 10.0)  # tried first, at 512
_STIFF_PX = 6.0  # along which a catheter hardly bends, at 512
_ROW_PX = 3.0  # along the line, between steps of one pixel to the side, at 512
_STANDS_OUT = 2.0  # times what lies around: less is none
_STEP_PX = 0.5  # between samples of a profile
_PARTS = 10  # of the stretch, whose spread tells the noise of the mean profile
_STARTS = (0.75, 1.0, 1.35)  # times the first guess of the radius
_GRAIN = 1.2  # root of the samples that the noise's grain makes one of
_MODEL_NOISE = 0.003  # of the contrast: roundness, taper, braid
_EXPECTED = np.array([np.log(0.95), 0.4, np.log(2.8), 0.03])  # see _TubeFit
_SPREAD = np.array([0.17, 0.3, 0.3, 0.04])
_ANY_LUMEN = 10.0  # spread of a lumen that may hold anything


class Build(StrEnum):
    """How thick a catheter's wall is: what makers' tables say of inner and outer diameters."""

    GUIDING = "guiding"
    DIAGNOSTIC = "diagnostic"
    UNKNOWN = "unknown"

    @property
    def inner_share(self) -> tuple[float, float]:
        """Inner over outer diameter, and its standard deviation."""
        if self is Build.GUIDING:  # 6 F: 0.070 inch of 0.082
            return 0.86, 0.025
        if self is Build.DIAGNOSTIC:  # 5 F: 0.046 inch of 0.065
            return 0.72, 0.04
        return 0.79, 0.08


class Doubt(StrEnum):
    """Why a width may be wrong."""

    FILLED = "filled"  # contrast in the lumen: the walls hardly show
    FEW_PROFILES = "few profiles"
    UNSTEADY = "unsteady"  # the parts of the stretch disagree


@dataclass(frozen=True, eq=False)
class CatheterWidth:
    """A catheter's outer width and where it was measured.

    Attributes
    ----------
    width_px : float
        Outer diameter, in columns of the frame.
    uncertainty_px : float
        Standard uncertainty of the width.
    centre, left, right : ndarray, shape (N, 2)
        Centre line and outer edges, (x, y) in pixels.
    profile_count : int
        Profiles that the width was fitted to.
    darker : bool
        The catheter is darker than what is around it.
    lumen_share : float
        Attenuation of the lumen over that of the wall: near 0 when empty.
    doubts : frozenset of Doubt
    """

    width_px: float
    uncertainty_px: float
    centre: FloatArray
    left: FloatArray
    right: FloatArray
    profile_count: int
    darker: bool
    lumen_share: float
    doubts: frozenset[Doubt]


def measure_catheter(
    frame: NDArray[np.generic],
    clicks: NDArray[np.floating],
    build: Build = Build.UNKNOWN,
    *,
    linear: bool = False,
    aspect: float = 1.0,
) -> CatheterWidth:
    """Measure the outer width of a catheter along a stretch.

    Parameters
    ----------
    frame : ndarray, shape (H, W)
        Stored values of any real dtype; devices dark or bright.
    clicks : ndarray, shape (K, 2)
        (x, y) along the stretch, within some pixels of the catheter's middle; K of at least 2.
    build : Build
        What is known of its wall; halves the uncertainty.
    linear : bool
        The values are proportional to the detector's signal (Pixel Intensity Relationship LIN);
        their logarithm is measured then.
    aspect : float
        Height of a pixel over its width.

    Raises
    ------
    ValueError
        Where the clicks mark no line.
    LookupError
        Where no tube is found along it.
    """
    square = SquareFrame(frame, aspect, linear=linear)
    picture = square.pixels
    unit = unit_of(picture.shape)
    rough = smoothed(evenly(square.there(clicks)), _STIFF_PX * unit)
    line, radius_px, sign = _find(picture, rough, unit, build.inner_share[0])
    reach = np.ceil(2.0 * radius_px + 3.0 * unit)
    offsets = np.arange(-reach, reach + _STEP_PX / 2, _STEP_PX)
    line, profiles = _centred(picture * np.float32(sign), line, offsets, radius_px, unit)
    used = _undisturbed(profiles, offsets, radius_px)
    line, profiles = line[used], profiles[used]
    if len(profiles) < 4:
        raise LookupError("No catheter stands out along the line.")
    fit = _TubeFit(offsets, profiles, unit, build)
    tube = fit.best([factor * radius_px for factor in _STARTS], _SPREAD[3])
    if tube.contrast < FAINT_BELOW * fit.noise:
        raise LookupError("No catheter stands out along the line.")
    filling = fit.best([tube.radius_px], _ANY_LUMEN)
    sides = normals(line) * tube.radius_px
    return CatheterWidth(
        width_px=2 * tube.radius_px * square.columns_per_px,
        uncertainty_px=2 * tube.radius_sd_px * square.columns_per_px,
        centre=square.back(line),
        left=square.back(line - sides),
        right=square.back(line + sides),
        profile_count=len(profiles),
        darker=sign < 0,
        lumen_share=filling.lumen_share,
        doubts=_doubts(len(profiles), tube.radius_sd_px / tube.radius_px, filling.lumen_share),
    )


def _doubts(profile_count: int, relative: float, lumen_share: float) -> frozenset[Doubt]:
    found = {
        Doubt.FILLED: lumen_share > FILLED_ABOVE,
        Doubt.FEW_PROFILES: profile_count < LEAST_PROFILES,
        Doubt.UNSTEADY: relative > UNSTEADY_ABOVE,
    }
    return frozenset(doubt for doubt, is_so in found.items() if is_so)


def _find(
    picture: NDArray[np.float32], rough: FloatArray, unit: float, inner: float
) -> tuple[FloatArray, float, int]:
    """Centre line, first guess of the radius, and -1 where the tube is darker, else 1.

    Tubes of several radii are looked for by matched filters across the rough line. The radius
    and polarity whose best way along the line stands out most from the filter's answers elsewhere
    are taken, in grey values beyond what is there by chance: what lies around answers to wide
    filters more than to narrow ones, and a lumen looks like a thin bright tube.
    """
    away = _CLICK_PX * unit
    half = int(np.ceil(away + 3 * _RADII_PX[-1] * unit))
    offsets = np.arange(-half, half + 1.0)
    strip = across(picture, rough, offsets)
    known = np.isfinite(strip)
    if known.mean() < 0.5:
        raise LookupError("The line is too near the edge of the picture.")
    strip = np.where(known, strip, np.median(strip[known]))
    strip = gaussian_filter1d(strip, _STIFF_PX * unit, axis=0, mode="nearest")
    rows = np.arange(0, len(rough), max(1, round(_ROW_PX * unit)))
    columns = np.flatnonzero(np.abs(offsets) <= away)
    off_click = (offsets[columns] / away) ** 2
    best: tuple[float, NDArray[np.intp], float, int] | None = None
    for radius in (r * unit for r in _RADII_PX):
        answers = correlate1d(strip[rows], _filter(radius, unit, inner), axis=1, mode="nearest")
        middle = np.median(answers, axis=1, keepdims=True)
        spread = float(np.median(np.abs(answers - middle))) * 1.4826 + 1e-9
        for sign in (-1, 1):
            found = sign * (answers - middle)[:, columns] / spread
            path = cheapest_path(off_click - found, bend=1.0)
            along = float(found[np.arange(len(path)), path].mean())
            score = (along - _STANDS_OUT) * spread
            if best is None or score > best[0]:
                best = score, path, radius, sign
    assert best is not None
    score, path, radius, sign = best
    if not score > 0:
        raise LookupError("No catheter stands out along the line.")
    moves = np.interp(np.arange(len(rough)), rows, offsets[columns[path]])
    moves = gaussian_filter1d(moves, _STIFF_PX * unit, mode="nearest")
    return evenly(rough + moves[:, None] * normals(rough)), radius, sign


def _filter(radius: float, unit: float, inner: float) -> FloatArray:
    """Shadow of a tube that is bright, less a quadratic ground, of unit length."""
    half = int(np.ceil(1.6 * radius + 2 * unit))
    offsets = np.arange(-half, half + 1.0)
    disc = BlurredDisc(half)
    outer, lumen = disc.chords(np.array([1, inner]) * radius, disc.gaussian(unit), offsets)
    ground = np.stack([np.ones_like(offsets), offsets, offsets**2], axis=1)
    weights, *_ = np.linalg.lstsq(ground, outer - lumen, rcond=None)
    shadow = outer - lumen - ground @ weights
    return np.asarray(shadow / np.linalg.norm(shadow))


def _centred(
    picture: NDArray[np.float32],
    line: FloatArray,
    offsets: FloatArray,
    radius_px: float,
    unit: float,
) -> tuple[FloatArray, FloatArray]:
    """Move the line into the tube's middle; return it with the profiles across it (N, M).

    Each profile, averaged with its neighbours, is compared with the mean profile and its mirror
    image, shifted.
    """
    most = max(1.0, 0.5 * radius_px)
    for reach in (most, most / 2, most / 4):
        line, profiles = _profiles(picture, line, offsets)
        flat = _level(profiles, offsets, radius_px)
        mean = flat.mean(axis=0)
        mean = (mean + mean[::-1]) / 2
        moves = np.linspace(-reach, reach, 17)
        shifted = np.stack([shift(mean, move / _STEP_PX, mode="nearest") for move in moves])
        flat = gaussian_filter1d(flat, _STIFF_PX * unit / 2, axis=0, mode="nearest")
        found = _lowest(((flat[:, None, :] - shifted[None]) ** 2).sum(axis=2), moves)
        found = gaussian_filter1d(found, _STIFF_PX * unit, mode="nearest")
        line = line + found[:, None] * normals(line)
    line, profiles = _profiles(picture, line, offsets)
    return line, _level(profiles, offsets, radius_px)


def _profiles(
    picture: NDArray[np.float32], line: FloatArray, offsets: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Profiles that lie within the picture, and their part of the line."""
    profiles = across(picture, line, offsets)
    inside = np.isfinite(profiles).all(axis=1)
    if inside.sum() < 4:
        raise LookupError("The line is too near the edge of the picture.")
    return line[inside], profiles[inside]


def _lowest(error: FloatArray, places: FloatArray) -> FloatArray:
    """Place of each row's lowest error, by a parabola through it and its neighbours."""
    index = np.clip(error.argmin(axis=1), 1, len(places) - 2)
    row = np.arange(len(error))
    before, at, after = (error[row, index + k] for k in (-1, 0, 1))
    curve = np.maximum(before - 2 * at + after, 1e-12)
    part = np.clip(0.5 * (before - after) / curve, -1, 1)
    return np.asarray(places[index] + part * (places[1] - places[0]))


def _level(profiles: FloatArray, offsets: FloatArray, radius_px: float) -> FloatArray:
    """Take the line through both sides off each profile."""
    sides = np.abs(offsets) > 1.3 * radius_px + 1.0
    basis = np.stack([np.ones_like(offsets), offsets], axis=1)
    ground, *_ = np.linalg.lstsq(basis[sides], profiles[:, sides].T, rcond=None)
    return np.asarray(profiles - (basis @ ground).T)


def _undisturbed(profiles: FloatArray, offsets: FloatArray, radius_px: float) -> NDArray[np.bool_]:
    """Profiles like the others: crossing ribs, wires and branches are left out."""
    near = np.abs(offsets) < 1.6 * radius_px + 1.0
    smooth = gaussian_filter1d(profiles, 3.0, axis=0)
    error = np.sqrt(((smooth - np.median(smooth, axis=0))[:, near] ** 2).mean(axis=1))
    return np.asarray(error < 2.5 * np.median(error) + 1e-9)


@dataclass(frozen=True)
class _Tube:
    """What a fit found."""

    radius_px: float
    radius_sd_px: float
    lumen_share: float
    contrast: float  # deepest shadow, grey values


class _TubeFit:
    """Fits a blurred, sharpened tube to the mean of profiles (N, M).

    Parameters of the tube: outer radius (px), ln of the blur's sigma (px), sharpening, ln of its
    reach over the blur, attenuation of the lumen over that of the wall, inner over outer radius.
    What enters linearly (the wall's attenuation, a rest of shift, a quadratic ground) is solved
    for each time (variable projection, Golub & Pereyra, SIAM J. Numer. Anal. 10, 413, 1973).
    """

    _LOWEST = (0.4, np.log(0.2), 0.0, np.log(1.2), -0.5, 0.2)
    _HIGHEST = (np.inf, np.log(8.0), 2.5, np.log(8.0), 5.0, 0.97)

    def __init__(
        self, offsets: FloatArray, profiles: FloatArray, unit: float, build: Build
    ) -> None:
        self._offsets = offsets
        self._profile = profiles.mean(axis=0)
        parts = np.array_split(profiles, max(2, min(_PARTS, len(profiles) // 4)))
        means = np.array([part.mean(axis=0) for part in parts])
        by_chance = float(np.sqrt(means.var(axis=0, ddof=1).mean() / len(parts)))
        by_model = _MODEL_NOISE * float(np.ptp(self._profile))
        self.noise = _GRAIN * max(float(np.hypot(by_chance, by_model)), 1e-9)
        self._disc = BlurredDisc(float(offsets[-1]))
        inner, inner_sd = build.inner_share
        self._expected = np.append(_EXPECTED, inner) + np.array([np.log(unit), 0, 0, 0, 0])
        self._spread = np.append(_SPREAD, inner_sd)
        scaled = offsets / offsets[-1]
        self._ground = np.stack([np.ones_like(scaled), scaled, scaled**2], axis=1)

    def best(self, radii_px: Sequence[float], lumen_spread: float) -> _Tube:
        """Fit from each of some radii; the lumen may differ by a spread from an empty one."""
        spread = self._spread.copy()
        spread[3] = lumen_spread
        fits = []
        for radius_px in radii_px:
            start = np.concatenate([[radius_px], self._expected])
            fits.append(
                least_squares(
                    self._residuals,
                    start,
                    bounds=(self._LOWEST, self._HIGHEST),
                    x_scale=(1.0, 0.3, 0.3, 0.3, 0.1, 0.1),
                    args=(spread,),
                )
            )
        best = min(fits, key=lambda found: float(found.cost))
        covariance = np.linalg.pinv(best.jac.T @ best.jac)
        basis, weights = self._solved(best.x)
        return _Tube(
            radius_px=float(best.x[0]),
            radius_sd_px=float(np.sqrt(covariance[0, 0])),
            lumen_share=float(best.x[4]),
            contrast=float(np.ptp(basis[:, 0] * weights[0])),
        )

    def _residuals(self, tube: FloatArray, spread: FloatArray) -> FloatArray:
        basis, weights = self._solved(tube)
        prior = (tube[1:] - self._expected) / spread
        return np.concatenate([(self._profile - basis @ weights) / self.noise, prior])

    def _solved(self, tube: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Basis (M, 5) of the linear part and its weights (wall, shift, ground)."""
        radius, ln_sigma, sharpening, ln_reach, lumen_share, inner = tube
        sigma = np.exp(ln_sigma)
        wide = sigma * np.sqrt(1 + np.exp(2 * ln_reach))
        transfer = (1 + sharpening) * self._disc.gaussian(sigma)
        transfer -= sharpening * self._disc.gaussian(wide)
        radii = np.array([radius, inner * radius])
        outer, lumen = self._disc.chords(radii, transfer, self._offsets)
        shadow = outer - (1 - lumen_share) * lumen
        slope = np.gradient(shadow, self._offsets)
        basis = np.column_stack([shadow, slope, self._ground])
        weights, *_ = np.linalg.lstsq(basis, self._profile, rcond=None)
        return basis, weights
