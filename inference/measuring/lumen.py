"""The lumen of a vessel along a line: the blurred shadow of a round lumen, fitted to all profiles.

A lumen that is narrower than the blur is known by how dark it is, since the contrast in it is as
dense as beside it (densitometry within the edge detection; Sonka et al., IEEE Trans. Med. Imaging
14, 151, 1995, and Wong et al., ibid. 2002, on small lumens).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

from inference.measuring.profiles import BlurredDisc, FloatArray, across, filled

_LEAST_RADIUS_PX = 0.4  # pixels at 512
_STEP_PX = 0.5  # between samples of a profile
_BLUR_PX = 0.95  # of focal spot and detector, at 512
_BLUR_SPREAD = 0.2  # of its logarithm
_GRAIN = 4.0  # samples that the noise's grain makes one of
_DENSITY_SPREAD = 0.12  # of the contrast's density from place to place
_DENSITY_PX = 60.0  # along the vessel over which the density is the same, at 512
_ODD_ABOVE = 3.0  # times the noise: what differs so much is no part of the vessel's shadow
_RADIUS_STEPS = (-4, -2, -1, 0, 1, 2, 4)  # from row to row, of the radii tried
_FORBIDDEN = 1e12  # cost of what a pin forbids
_BEND = 20.0  # cost of a step of the radius' logarithm from row to row, times its square


class Side(StrEnum):
    """Of a vessel, looking along it on the screen."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True)
class Search:
    """How a round lumen is looked for. Pixels at 512."""

    away_px: float  # that its middle may lie from the line
    step_px: float  # between such places, in the picture's own pixels
    radii: int  # tried
    blurs_px: tuple[float, ...]  # tried


COARSE = Search(3.0, 0.5, 40, (_BLUR_PX,))
FINE = Search(1.0, 0.25, 72, (0.6, 0.75, _BLUR_PX, 1.2, 1.5))


@dataclass(frozen=True, eq=False)
class Lumen:
    """A round lumen along a line, pixels, arrays (N,).

    Attributes
    ----------
    away : ndarray
        Offset of its middle from the line, along the normals.
    radius, radius_sd : ndarray
        And its standard uncertainty.
    """

    away: FloatArray
    radius: FloatArray
    radius_sd: FloatArray


def round_lumen(
    picture: NDArray[np.float32],
    line: FloatArray,
    widest: float,
    pins: Sequence[tuple[Side, int, float]],
    unit: float,
    search: Search,
) -> Lumen:
    """Find the round lumen that fits all profiles across a line best.

    Parameters
    ----------
    picture : ndarray, float32, shape (H, W)
        The vessel bright.
    line : ndarray, shape (N, 2)
    widest : float
        Radius that most of the vessel does not exceed, pixels.
    pins : sequence of (Side, int, float)
        Edges that are known: the point of the line, and the offset there.
    unit : float
        Size in pixels of a pixel of a 512 matrix.
    """
    most = max(1.8 * widest, 3 * unit)
    radii = np.geomspace(_LEAST_RADIUS_PX * unit, most, search.radii)
    away_steps = int(np.ceil(search.away_px * unit / search.step_px))
    moves = np.arange(-away_steps, away_steps + 1) * search.step_px
    reach = np.ceil(1.8 * widest + 3.0 * unit)
    offsets = np.arange(-reach, reach + _STEP_PX / 2, _STEP_PX)
    strip = gaussian_filter1d(filled(across(picture, line, offsets)), 0.7 * unit, axis=0)
    basis = np.stack([np.ones_like(offsets), offsets], axis=1)
    basis /= np.linalg.norm(basis, axis=0)

    def fit_with(blur: float) -> _Fit:
        return _Fit(strip, _shadows(offsets, radii, moves, blur * unit), basis, len(moves))

    fit = fit_with(search.blurs_px[0])
    if len(search.blurs_px) > 1:
        tried = [fit.summary, *(fit_with(blur).summary for blur in search.blurs_px[1:])]
        least_noise = min(noise for noise, _ in tried)
        cost = [
            rest / (2 * _GRAIN * least_noise**2) + _blur_prior(blur)
            for (_, rest), blur in zip(tried, search.blurs_px, strict=True)
        ]
        fit = fit_with(search.blurs_px[int(np.argmin(cost))])
        noise = least_noise
    else:
        noise = fit.noise
    density = fit.density(radii, _DENSITY_PX * unit)
    shape = len(line), len(radii), len(moves)
    for last in (False, True):
        costs = fit.costs(noise, density).reshape(shape)
        for side, row, place in pins:
            edge = moves[None, :] + (radii[:, None] if side is Side.RIGHT else -radii[:, None])
            wrong = np.abs(edge - place)
            costs[row] = np.where(wrong <= max(0.3, float(wrong.min())), costs[row], np.inf)
        radius_at, move_at = _smooth_way(costs, _BEND * float(np.log(radii[1] / radii[0])) ** 2)
        if not last:
            fit.weigh(radius_at * len(moves) + move_at, density, noise)
    rows = np.arange(len(line))
    ln_radius, ln_sd = _between(costs[rows, :, move_at], radius_at, np.log(radii))
    away, _ = _between(costs[rows, radius_at, :], move_at, moves)
    radius = np.exp(gaussian_filter1d(ln_radius, 0.8 * unit))
    return Lumen(gaussian_filter1d(away, 2.0 * unit), radius, radius * ln_sd)


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

    def __init__(
        self, strip: FloatArray, shadows: FloatArray, ground: FloatArray, move_count: int
    ) -> None:
        self._strip, self._shadows, self._ground = strip, shadows, ground
        self._rows = np.arange(len(strip))
        self._compare(strip - strip @ ground @ ground.T, shadows - shadows @ ground @ ground.T)
        free = np.maximum(self._product, 0.0)
        self._rest = self._square - free**2 / self._energy
        self._best = self._rest.argmin(axis=1)
        self._least = self._between_places(len(shadows) // move_count, move_count)
        noise = float(np.sqrt(np.median(self._least) / strip.shape[1]))
        self.noise = max(noise, 1e-6 * float(np.abs(strip).max()), 1e-9)

    def _between_places(self, radius_count: int, move_count: int) -> FloatArray:
        """Least squared rests (N,), as they would be between the radii and places tried."""
        rest = self._rest.reshape(-1, radius_count, move_count)
        radius_at, move_at = np.divmod(self._best, move_count)
        least = rest[self._rows, radius_at, move_at]
        gain = np.zeros_like(least)
        for count, at, row in (
            (radius_count, radius_at, rest[self._rows, :, move_at]),
            (move_count, move_at, rest[self._rows, radius_at, :]),
        ):
            inner = np.clip(at, 1, count - 2)
            before, after = row[self._rows, inner - 1], row[self._rows, inner + 1]
            curve = np.maximum(before - 2 * least + after, 1e-12)
            gain += np.where(inner == at, (before - after) ** 2 / (8 * curve), 0.0)
        return np.asarray(np.maximum(least - gain, 0.05 * least))

    def _compare(
        self, strip: FloatArray, shadows: FloatArray, weights: FloatArray | None = None
    ) -> None:
        weighed = strip if weights is None else weights * strip
        self._square = (weighed * strip).sum(axis=1)[:, None]
        self._product = weighed @ shadows.T
        squares = (shadows**2).T
        energy = squares.sum(axis=0)[None] if weights is None else weights @ squares
        self._energy = np.broadcast_to(np.maximum(energy, 1e-12), self._product.shape)

    def weigh(self, chosen: NDArray[np.intp], density: FloatArray, noise: float) -> None:
        """Let what the chosen shadows do not explain, such as branches, count for less."""
        shadow = self._shadows[chosen] * density[:, None]
        weights = np.ones_like(self._strip)
        for _ in range(3):
            # The ground's weighted least squares, all rows at once.
            wanted = np.einsum("nm,mk->nk", weights * (self._strip - shadow), self._ground)
            normal = np.einsum("nm,mk,ml->nkl", weights, self._ground, self._ground)
            found = np.linalg.solve(normal + 1e-9 * np.eye(2), wanted[..., None])[..., 0]
            ground = found @ self._ground.T
            rest = self._strip - ground - shadow
            weights = 1.0 / (1.0 + (rest / (_ODD_ABOVE * noise)) ** 2) ** 2
        self._compare(self._strip - ground, self._shadows, weights)

    @property
    def summary(self) -> tuple[float, float]:
        """Noise, and squared rest of the best shadows."""
        limit = 4.0 * float(np.median(self._least))  # branches and crossings do not count fully
        return self.noise, float(np.minimum(self._least, limit).sum())

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


def _smooth_way(costs: FloatArray, bend: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Radius and place (N,) of the cheapest way through costs (N, R, K) by small steps.

    ``bend`` is the cost of a step from one radius to the next, times its square.
    """
    rows, radius_count, move_count = costs.shape
    costs = np.minimum(costs, _FORBIDDEN)  # where pins contradict each other a way is still found
    steps = [(a, b) for a in _RADIUS_STEPS for b in (-1, 0, 1)]
    most = max(_RADIUS_STEPS)
    reached = costs[0].copy()
    came = np.zeros((rows, radius_count, move_count), np.uint8)
    padded = np.full((radius_count + 2 * most, move_count + 2), np.inf)
    inside = padded[most : most + radius_count, 1 : 1 + move_count]
    options = np.empty((len(steps), radius_count, move_count))
    for row in range(1, rows):
        inside[:] = reached
        for option, (a, b) in zip(options, steps, strict=True):
            moved = padded[most + a : most + a + radius_count, 1 + b : 1 + b + move_count]
            np.add(moved, bend * a * a + 0.5 * b * b, out=option)
        came[row] = options.argmin(axis=0)
        reached = options.min(axis=0) + costs[row]
    radius_at, move_at = np.empty(rows, np.intp), np.empty(rows, np.intp)
    radius_at[-1], move_at[-1] = np.unravel_index(int(reached.argmin()), reached.shape)
    for row in range(rows - 1, 0, -1):
        a, b = steps[came[row, radius_at[row], move_at[row]]]
        radius_at[row - 1], move_at[row - 1] = radius_at[row] + a, move_at[row] + b
    return radius_at, move_at


def _between(
    costs: FloatArray, index: NDArray[np.intp], places: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Places (N,) of the costs' minima by parabolas about the chosen indices.

    The costs being half chi squared, the parabolas' widths are standard uncertainties.
    """
    inner = np.clip(index, 1, len(places) - 2)
    rows = np.arange(len(costs))
    near = np.stack([costs[rows, inner + k] for k in (-1, 0, 1)])
    usable = np.isfinite(near).all(axis=0) & (inner == index)  # a pin forbids places
    before, at, after = np.where(usable, near, 0.0)
    curve = before - 2 * at + after
    usable &= curve > 1e-9
    part = np.zeros(len(costs))
    part[usable] = np.clip(0.5 * (before - after)[usable] / curve[usable], -0.5, 0.5)
    step = float(places[1] - places[0])
    spread = np.full(len(costs), step)
    spread[usable] = step / np.sqrt(curve[usable])
    return np.asarray(places[index] + part * step), spread
