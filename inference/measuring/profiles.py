"""Curves laid through a picture, grey values across them, and what a blurred tube looks like."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

FloatArray = NDArray[np.floating]


def unit_of(shape: tuple[int, ...]) -> float:
    """Size in pixels of what is one pixel of a 512 matrix, for a picture of (rows, columns).

    At least 1: smaller pictures are taken for parts of such a matrix.
    """
    return max(max(shape[:2]) / 512.0, 1.0)


def evenly(points: NDArray[np.floating], step_px: float = 1.0) -> FloatArray:
    """Points (N, 2) of a polyline again, about ``step_px`` apart; its two ends stay.

    Raises
    ------
    ValueError
        Where the polyline has no length.
    """
    points = np.asarray(points, np.float64)
    arc = arc_length(points)
    if len(points) < 2 or not np.isfinite(arc[-1]) or arc[-1] <= 0:
        raise ValueError("A curve needs two points that lie apart.")
    even = np.linspace(0.0, arc[-1], max(2, round(arc[-1] / step_px) + 1))
    return np.stack([np.interp(even, arc, points[:, axis]) for axis in (0, 1)], axis=1)


def arc_length(line: NDArray[np.floating]) -> FloatArray:
    """Length along a polyline (N, 2) from its first point to each, pixels, shape (N,)."""
    steps = np.linalg.norm(np.diff(np.asarray(line, np.float64), axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def smoothed(line: NDArray[np.floating], sigma: float) -> FloatArray:
    """Smooth an even polyline (N, 2) by a Gaussian of ``sigma`` points; its ends hardly move."""
    line = np.asarray(line, np.float64)
    reach = min(int(4 * sigma) + 1, len(line) - 1)
    # Mirrored through the ends, so that these stay and keep their direction.
    before = 2 * line[0] - line[reach:0:-1]
    after = 2 * line[-1] - line[-2 : -2 - reach : -1]
    whole = gaussian_filter1d(np.concatenate([before, line, after]), sigma, axis=0)
    return np.asarray(whole[reach : reach + len(line)])


def normals(line: NDArray[np.floating]) -> FloatArray:
    """Give the unit normals (N, 2) of a polyline (N, 2): its way (x, y) turned to (-y, x)."""
    way = np.gradient(np.asarray(line, np.float64), axis=0)
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    return np.stack([-way[:, 1], way[:, 0]], axis=1)


def across(
    frame: NDArray[np.floating], line: NDArray[np.floating], offsets: NDArray[np.floating]
) -> FloatArray:
    """Grey values across a curve, interpolated by cubics.

    Parameters
    ----------
    frame : ndarray, float32, shape (H, W)
    line : ndarray, shape (N, 2)
    offsets : ndarray, shape (M,)
        Along the normals, pixels.

    Returns
    -------
    ndarray, shape (N, M)
        NaN outside the picture.
    """
    at = line[:, None, :] + offsets[None, :, None] * normals(line)[:, None, :]
    x, y = at[..., 0].astype(np.float32), at[..., 1].astype(np.float32)
    values = cv2.remap(frame, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    rows, columns = frame.shape
    outside = (x < 0) | (x > columns - 1) | (y < 0) | (y > rows - 1)
    return np.where(outside, np.nan, values.astype(np.float64))


def filled(strip: FloatArray) -> FloatArray:
    """Profiles (N, M) whose values outside the picture (NaN) become the row's median."""
    known = np.isfinite(strip)
    if known.all():
        return strip
    rows = [
        np.median(row[use]) if use.any() else 0.0 for row, use in zip(strip, known, strict=True)
    ]
    return np.where(known, strip, np.array(rows)[:, None])


def cheapest_path(
    cost: NDArray[np.floating], most_step: int = 1, bend: float = 0.0
) -> NDArray[np.intp]:
    """Cheapest way through a map from its first row to its last (dynamic programming).

    Parameters
    ----------
    cost : ndarray, shape (N, M)
        Infinite where no way leads.
    most_step : int
        Columns that the way may move by from row to row.
    bend : float
        Cost of a move, times its square.

    Returns
    -------
    ndarray, shape (N,)
        The way's column in each row.
    """
    rows, columns = cost.shape
    moves = np.arange(-most_step, most_step + 1)
    reached = np.asarray(cost[0], np.float64)
    came = np.zeros((rows, columns), np.intp)
    padded = np.full(columns + 2 * most_step, np.inf)
    dear = bend * moves[:, None] ** 2
    near = sliding_window_view(padded, columns)
    for row in range(1, rows):
        padded[most_step : most_step + columns] = reached
        options = near + dear
        best = options.argmin(axis=0)
        came[row] = np.arange(columns) + moves[best]
        reached = options[best, np.arange(columns)] + cost[row]
    path = np.empty(rows, np.intp)
    path[-1] = int(reached.argmin())
    for row in range(rows - 1, 0, -1):
        path[row - 1] = came[row, path[row]]
    return path


class BlurredDisc:
    """Chords through discs, as a line detector with a Gaussian blur sees them.

    The shadow of a solid cylinder is the chord ``2 sqrt(r^2 - u^2)`` times its attenuation; a
    tube's is that of its outer cylinder less that of its lumen. Exact means over fine bins
    (their antiderivative is known) keep the model smooth in its radius; the blur is multiplied in
    the Fourier domain.

    Parameters
    ----------
    reach_px : float
        Chords are wanted within this distance of the axis.
    """

    BIN_PX = 0.25

    def __init__(self, reach_px: float) -> None:
        half = int(np.ceil(2.0 * reach_px / self.BIN_PX)) + 8
        count = cv2.getOptimalDFTSize(2 * half)
        self._edges = (np.arange(count + 1) - count // 2 - 0.5) * self.BIN_PX
        self._places = (np.arange(count) - count // 2) * self.BIN_PX
        self._waves = 2 * np.pi * np.fft.rfftfreq(count, self.BIN_PX)

    def chords(
        self, radii: NDArray[np.floating], transfer: NDArray[np.floating], offsets: FloatArray
    ) -> FloatArray:
        """Blurred chords (K, M) of discs of ``radii`` (K,) at ``offsets`` (M,) from the axis.

        ``transfer`` is what ``gaussian`` gives, or sums of it.
        """
        r = np.maximum(np.asarray(radii, np.float64)[:, None], 1e-3)
        u = np.clip(self._edges[None], -r, r)
        primitive = u * np.sqrt(np.maximum(r * r - u * u, 0.0)) + r * r * np.arcsin(u / r)
        sharp = np.diff(primitive, axis=1) / self.BIN_PX
        blurred = np.fft.irfft(np.fft.rfft(sharp, axis=1) * transfer, sharp.shape[1], axis=1)
        return np.stack([np.interp(offsets, self._places, chord) for chord in blurred])

    def gaussian(self, sigma_px: float) -> FloatArray:
        """Fourier transform of a Gaussian blur."""
        return np.asarray(np.exp(-0.5 * (sigma_px * self._waves) ** 2))
