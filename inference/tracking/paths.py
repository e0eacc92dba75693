"""From heatmaps to a path: candidate peaks of each frame, joined by how far a tip moves.

The candidates of all frames form a chain; forward-backward sums give each candidate's probability
given every frame at once, so that a wrong peak is outvoted by the frames on both sides, and the
anchors at both ends of a stretch hold it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CANDIDATES = 6
"""Peaks kept for each frame."""
LEAST_SHARE = 1e-5
"""Share of the best peak's mass that another one has to have."""
MOTION = 12.0
"""View pixels (24 picture pixels at 512) that a tip moves in a frame without surprise."""
REACH = 4
"""Cells around a peak that belong to it."""
NEAR = 1.5
"""Cells around a point that count as near it, about 5 picture pixels at 512."""
SPOT_REACH, SPOT_NEAR = 6, 5.0
"""Pixels around the refiner's peak that are averaged, and that count as right."""
SAME = 2.0
"""View pixels within which two candidates are one."""
ABSENT_CHANGE = 6.0
"""Most that leaving or entering the picture costs, in nats: where its edge is out of reach."""
ABSENT_SAYS = 1.0
"""Nats that speak for "not in the picture" besides: the refiner speaks for candidates alone."""
OUTWARDS = 0.25
"""Share of a tip's ways that lead across an edge beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What one frame allows.

    Attributes
    ----------
    points : ndarray
        (n, 2) view (x, y), best first.
    scores : ndarray
        (n,) natural logarithm of each candidate's share of the heatmap.
    absent : float
        Natural logarithm of the share of "not in the picture".
    sharpness : ndarray
        (n,) share of each peak's mass that lies within ``NEAR`` of its point.
    mass : ndarray
        (n,) the refiner's probability of being right, 0.5 before it was asked.
    moved : ndarray
        (n,) view pixels that the refiner has moved each point, or would have.
    alike : ndarray
        (n,) how like the shafts of anchored frames the picture is, 0 where that was not asked.
    """

    points: NDArray[np.float32]
    scores: NDArray[np.float32]
    absent: float
    sharpness: NDArray[np.float32]
    mass: NDArray[np.float32]
    moved: NDArray[np.float32]
    alike: NDArray[np.float32]


def find_candidates(heat: NDArray[np.float32], cell: int, shape: tuple[int, int]) -> Candidates:
    """Find the peaks of one frame's heatmap.

    Parameters
    ----------
    heat : ndarray
        (1 + h * w,) logits, the first for "not in the picture".
    cell : int
        Side of a cell in view pixels.
    shape : (int, int)
        Rows and columns of the view that the picture covers.
    """
    columns = round((len(heat) - 1) ** 0.5)
    share = np.exp(heat - heat.max())
    share /= share.sum()
    grid = share[1:].reshape(columns, columns).copy()
    # The tip is inside the picture or absent: what lies in the padding is neither.
    grid[-(-shape[0] // cell) :] = 0.0
    grid[:, -(-shape[1] // cell) :] = 0.0
    side = 2 * REACH + 1
    mass = cv2.boxFilter(grid, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    peaks = np.where(grid >= cv2.dilate(grid, np.ones((side, side), np.uint8)), mass, 0.0).ravel()
    # Where the tip is surely absent no cell has any share left; the path still wants a candidate.
    found = np.flatnonzero(peaks) if peaks.any() else np.arange(1)
    best = found[np.argsort(peaks[found])[::-1][:CANDIDATES]]
    best = best[peaks[best] >= LEAST_SHARE * peaks[best[0]]]
    points, sharpness = _refine(grid, *np.divmod(best, columns))
    limit = np.array([shape[1] - 1, shape[0] - 1], np.float32)
    points = np.clip(points * cell + (cell - 1) / 2, 0.0, limit)
    scores = np.log(np.maximum(peaks[best], 1e-9)).astype(np.float32)
    absent = float(np.log(max(float(share[0]), 1e-9)))
    half, still = np.full(len(best), 0.5, np.float32), np.zeros(len(best), np.float32)
    return Candidates(points, scores, absent, sharpness, half, still, still.copy())


def _refine(
    grid: NDArray[np.float32], rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centroids (n, 2) of the 7x7 cells around peaks, and how much of them is near it (n,)."""
    beside = np.arange(-3, 4)
    padded = cv2.copyMakeBorder(grid, 3, 3, 3, 3, cv2.BORDER_CONSTANT)
    near = padded[
        (rows[:, None] + beside + 3)[:, :, None], (columns[:, None] + beside + 3)[:, None]
    ]
    total = near.sum(axis=(1, 2))
    near = near / np.maximum(total, 1e-30)[:, None, None]
    x, y = near.sum(axis=1) @ beside, near.sum(axis=2) @ beside
    off = (beside - x[:, None])[:, None] ** 2 + (beside - y[:, None])[:, :, None] ** 2
    sharpness = np.where(off <= NEAR**2, near, 0.0).sum(axis=(1, 2))
    points = np.stack([columns + x, rows + y], axis=-1)
    return points.astype(np.float32), sharpness.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Spot:
    """What the refiner says of one part of a frame.

    Attributes
    ----------
    x, y : float
        Where the tip is, in pixels of the part.
    mass : float
        Probability of being within ``SPOT_NEAR`` pixels of it.
    present : float
        Probability of the tip being in this part at all.
    """

    x: float
    y: float
    mass: float
    present: float


def find_spot(heat: NDArray[np.float32]) -> Spot:
    """Read the refiner's heatmap of one part, (1 + side * side,) logits of one softmax."""
    share = np.exp(heat - heat.max())
    share /= share.sum()
    side = round((len(heat) - 1) ** 0.5)
    grid = share[1:].reshape(side, side)
    width = 2 * SPOT_REACH + 1
    near = cv2.boxFilter(grid, -1, (width, width), normalize=False, borderType=cv2.BORDER_CONSTANT)
    row, column = divmod(int(near.argmax()), side)
    top, left = max(0, row - SPOT_REACH), max(0, column - SPOT_REACH)
    part = grid[top : row + SPOT_REACH + 1, left : column + SPOT_REACH + 1]
    rows, columns = np.indices(part.shape)
    total = max(float(part.sum()), 1e-12)
    x, y = float((part * columns).sum()) / total, float((part * rows).sum()) / total
    right = (columns - x) ** 2 + (rows - y) ** 2 <= SPOT_NEAR**2
    return Spot(left + x, top + y, float(part[right].sum()), float(1.0 - share[0]))


def joined(candidates: Candidates) -> Candidates:
    """Put candidates together that are one and the same place, the better ones' places kept."""
    order = np.argsort(candidates.scores)[::-1]
    kept: list[int] = []
    scores = candidates.scores.astype(np.float64)
    for index in order:
        away = np.hypot(*(candidates.points[kept] - candidates.points[index]).T)
        if len(kept) and away.min() < SAME:
            twin = kept[int(away.argmin())]
            scores[twin] = np.logaddexp(scores[twin], scores[index])
        else:
            kept.append(int(index))
    return Candidates(
        candidates.points[kept],
        scores[kept].astype(np.float32),
        candidates.absent,
        candidates.sharpness[kept],
        candidates.mass[kept],
        candidates.moved[kept],
        candidates.alike[kept],
    )


def held(point: tuple[float, float] | None) -> Candidates:
    """Candidates of an anchored frame: the point itself, or only "absent"."""
    if point is None:
        none = np.zeros(0, np.float32)
        return Candidates(np.zeros((0, 2), np.float32), none, 0.0, none, none, none, none)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    return Candidates(np.array([point], np.float32), zero, -40.0, one, one, zero, zero)


def posteriors(
    chain: list[tuple[int, Candidates]], shape: tuple[int, int]
) -> list[NDArray[np.float64]]:
    """Return each candidate's probability given all frames of the chain.

    Parameters
    ----------
    chain : list of (int, Candidates)
        In the order of frames; frames may be missing in between.
    shape : (int, int)
        Rows and columns of the view that the picture covers.

    Returns
    -------
    list of ndarray
        One (n + 1,) array a frame, the last entry for "absent"; each sums to 1.
    """
    most = max(len(candidates.points) for _, candidates in chain)
    points = np.zeros((len(chain), most, 2))
    local = np.zeros((len(chain), most + 1))
    for slot, (_, candidates) in enumerate(chain):
        count = len(candidates.points)
        said = np.append(candidates.scores, candidates.absent + ABSENT_SAYS).astype(np.float64)
        shares = np.exp(said - said.max())
        points[slot, :count] = candidates.points
        local[slot, :count], local[slot, -1] = shares[:-1], shares[-1]
    links = _transitions(points, np.diff([number for number, _ in chain]), shape)
    forward, backward = local.copy(), np.ones_like(local)
    for slot, link in enumerate(links, 1):
        forward[slot] *= forward[slot - 1] @ link
        forward[slot] /= forward[slot].sum()
    for slot in range(len(links) - 1, -1, -1):
        backward[slot] = links[slot] @ (local[slot + 1] * backward[slot + 1])
        backward[slot] /= backward[slot].sum()
    both = forward * backward
    both /= both.sum(axis=1, keepdims=True)
    return [
        np.append(chances[: len(candidates.points)], chances[-1])
        for chances, (_, candidates) in zip(both, chain, strict=True)
    ]


def _transitions(
    points: NDArray[np.float64], gaps: NDArray[np.integer], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """How likely each step between frames is; heavy tails forgive a jump.

    A tip leaves and enters across an edge, by steps of the same kind.

    Parameters
    ----------
    points : ndarray
        (t, n, 2) candidates of each frame.
    gaps : ndarray
        (t - 1,) frames from each to the next.
    shape : (int, int)
        As for `posteriors`.

    Returns
    -------
    ndarray
        (t - 1, n + 1, n + 1), the last row and column for "absent".
    """
    # The heart carries the tip to and fro, so that distance does not grow with time for long.
    reach = MOTION * np.minimum(gaps, 4) ** 0.5

    def likely(squared: NDArray[np.float64]) -> NDArray[np.float64]:
        wide = reach.reshape(-1, *[1] * (squared.ndim - 1))
        return np.asarray(1.0 / (1.0 + squared / (2.0 * wide**2)) ** 2)

    count = points.shape[1]
    inside = np.minimum(points, [shape[1] - 1, shape[0] - 1] - points).min(-1)
    crossed = [
        np.maximum(OUTWARDS * likely(part**2), np.exp(-ABSENT_CHANGE))
        for part in (inside[:-1], inside[1:])
    ]
    links = np.ones((len(gaps), count + 1, count + 1))
    links[:, :-1, :-1] = likely(((points[1:, None] - points[:-1, :, None]) ** 2).sum(-1))
    links[:, :-1, -1], links[:, -1, :-1] = crossed
    return links
