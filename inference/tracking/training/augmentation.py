"""What is done to a run's frames so that few runs teach much.

The usual augmentations for X-ray runs: turned, mirrored and scaled pictures, grey curves, blur,
noise, a moving table, dark blobs and streaks over the tip (contrast, other devices) that stay for
some frames, and things that lie across the clicked tip and part from it. All frames of a sample are
changed alike, as one scanner would.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

View = NDArray[np.float32]
Point = NDArray[np.float64]


def draw_warp(
    tips: NDArray[np.floating], side: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a turn, mirroring, scale and shift of a picture that keeps ``tips`` in it, (2, 3).

    Often the first of them comes to lie by an edge, beyond which it may be gone in the next frame.
    """
    by_edge = random.random() < 0.5
    for _ in range(8):
        angle = random.uniform(-25.0, 25.0) * (1.0 if random.random() < 0.7 else 7.0)
        zoom = float(np.exp(random.normal(0.0, 0.18)))
        matrix = np.asarray(cv2.getRotationMatrix2D((side / 2, side / 2), angle, zoom), np.float64)
        if random.random() < 0.5:
            mirror = np.array([[-1.0, 0.0, side - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
            matrix = matrix @ mirror
        matrix[:, 2] += random.normal(0.0, side * 0.047, 2)
        if by_edge:
            first = matrix[:, :2] @ tips[0] + matrix[:, 2]
            axis, inwards = int(random.integers(2)), random.uniform(0.01, 0.06) * side
            wanted = inwards if first[axis] < side / 2 else side - 1 - inwards
            matrix[axis, 2] += wanted - first[axis]
        moved = tips @ matrix[:, :2].T + matrix[:, 2]
        if np.all((moved > 2.0) & (moved < side - 3.0)):
            return matrix
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


class Look:
    """How one scanner shows one run, and what else lies around the tip.

    Parameters
    ----------
    scale : float
        Pixels of the picture for each pixel of a 256 view.
    """

    def __init__(self, random: np.random.Generator, scale: float = 1.0) -> None:
        grey = np.linspace(0.0, 1.0, 256)
        curve = grey ** float(np.exp(random.normal(0.0, 0.35)))
        if random.random() < 0.3:
            bend = 1.0 / (1.0 + np.exp(-(curve - random.uniform(0.3, 0.7)) * 6.0))
            curve = 0.5 * curve + 0.5 * bend
        self._curve = (curve * 255.0).astype(np.float32)
        self._noise = random.uniform(0.0, 8.0) * scale if random.random() < 0.5 else 0.0
        self._blur = random.uniform(0.4, 1.2) * scale if random.random() < 0.2 else 0.0
        self._bystander = _Bystander(random, scale) if random.random() < 0.5 else None
        self._cover = _Cover(random, scale)

    def apply(
        self,
        view: NDArray[np.uint8],
        tip: Point,
        beside: Point,
        random: np.random.Generator,
        covered: bool,
    ) -> View:
        """Return a picture as this scanner would show it.

        Parameters
        ----------
        view : ndarray
            (rows, columns).
        tip : ndarray
            (x, y) in it.
        beside : ndarray
            (x, y) of what does not move with the tip and was there when it was clicked.
        covered : bool
            Whether something dark lies over the tip in this frame.
        """
        shown = view.astype(np.float32)
        if self._bystander is not None:
            shown = self._bystander.behind(shown, beside)
        if covered:
            shown = self._cover.over(shown, tip, random)
        shown = cv2.LUT(np.clip(shown, 0, 255).astype(np.uint8), self._curve)
        if self._blur:
            shown = cv2.GaussianBlur(shown, (0, 0), self._blur)
        if self._noise:
            shown = shown + self._noise * random.standard_normal(shown.shape, np.float32)
        return shown


class _Bystander:
    """Something dark that lies by the clicked tip, or across it, and does not move with it.

    A lead's button, the loop of a sternal wire or another tube.
    """

    def __init__(self, random: np.random.Generator, scale: float) -> None:
        kind = random.choice(("button", "loop", "tube"))
        self._radius = random.uniform(3.0, 14.0) * scale if kind == "button" else 0.0
        self._depth = float(np.exp(random.uniform(np.log(0.08), np.log(0.9))))
        line = np.zeros((1, 2))
        if kind == "loop":
            line = _loop(random)
        elif kind == "tube":
            line = _tube(random)
        # What crosses the tip is a place of its outline, whichever.
        line = line - line[int(random.integers(len(line)))]
        self._line = line * scale
        thickest = 1.6 if kind == "loop" else 5.0
        self._width = max(1, round(random.uniform(0.6, thickest) * scale))
        self._softness = random.uniform(0.4, 0.8) * scale
        self._offset = random.normal(0.0, 8.0 if kind == "button" else 5.0, 2) * scale

    def behind(self, view: View, place: Point) -> View:
        """Darken a picture by it, ``place`` being where it was drawn to lie nearly."""
        ink = np.zeros(view.shape, np.float32)
        middle = place + self._offset
        if self._radius:
            x, y = np.round(middle).astype(int).tolist()
            cv2.circle(ink, (x, y), round(self._radius), 1.0, -1)
        else:
            line = np.round((middle + self._line) * 16).astype(np.int32)
            cv2.polylines(ink, [line[:, None]], False, 1.0, self._width, cv2.LINE_AA, shift=4)
        ink = cv2.GaussianBlur(ink, (0, 0), self._softness)
        return np.asarray(view * (1.0 - self._depth * ink))


def _loop(random: np.random.Generator) -> NDArray[np.float64]:
    """Outline of a wire's loop seen from any side, (N, 2) pixels of a 256 view."""
    around = np.linspace(0.0, 2 * np.pi, 33)
    long, wide = random.uniform(6.0, 18.0), random.uniform(2.0, 12.0)
    turn = random.uniform(0.0, np.pi)
    x, y = long * np.cos(around), wide * np.sin(around)
    turned = np.stack([np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y])
    return np.asarray(turned.T)


def _tube(random: np.random.Generator) -> NDArray[np.float64]:
    """Winding centre line of a tube that crosses the picture, (N, 2) pixels of a 256 view."""
    heading = random.uniform(0.0, 2 * np.pi) + np.cumsum(random.normal(0.0, 0.12, 120))
    return np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1) * 5.0, axis=0)


class _Cover:
    """Blobs and a winding streak near the tip, as contrast or another device would be."""

    def __init__(self, random: np.random.Generator, scale: float) -> None:
        self._scale = scale
        self._blobs = [
            (random.normal(0.0, 8.0, 2), random.uniform(2.0, 9.0, 2), random.uniform(0.0, 180.0))
            for _ in range(int(random.integers(0, 3)))
        ]
        # Branches that fill elsewhere and are seen end-on look like tips.
        for _ in range(int(random.integers(0, 4))):
            away, radius = random.uniform(12.0, 80.0), random.uniform(1.5, 5.0)
            turn = random.uniform(0.0, 2 * np.pi)
            offset = away * np.array([np.cos(turn), np.sin(turn)])
            self._blobs.append((offset, np.full(2, radius), 0.0))
        start = random.normal(0.0, 2.0 if random.random() < 0.5 else 25.0, 2)
        heading = random.uniform(0.0, 2 * np.pi) + np.cumsum(random.normal(0.0, 0.25, 24))
        steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * random.uniform(2.0, 5.0)
        self._streak = start + np.cumsum(steps, axis=0) if random.random() < 0.7 else None
        self._width = int(random.integers(1, 6))
        self._softness = random.uniform(0.6, 2.5)
        self._depth = random.uniform(0.1, 0.45)

    def over(self, view: View, tip: Point, random: np.random.Generator) -> View:
        scale = self._scale
        ink = np.zeros(view.shape, np.float32)
        # It follows the tip loosely: contrast streams, other devices have motions of their own.
        middle = tip + random.normal(0.0, 1.5, 2) * scale
        for offset, axes, turn in self._blobs:
            x, y = (middle + offset * scale).tolist()
            width, height = (2 * axes * scale).tolist()
            cv2.ellipse(ink, ((x, y), (width, height), turn), 1.0, -1)
        if self._streak is not None:
            line = np.round((middle + self._streak * scale) * 16).astype(np.int32)
            width = max(1, round(self._width * scale))
            cv2.polylines(ink, [line[:, None]], False, 1.0, width, cv2.LINE_AA, shift=4)
        ink = cv2.GaussianBlur(ink, (0, 0), self._softness * scale)
        return np.asarray(view * (1.0 - self._depth * ink))


def draw_covered(
    searches: tuple[int, ...], templates: tuple[int, ...], random: np.random.Generator
) -> set[int]:
    """Draw the frames whose tip something covers: it comes or goes at some frame of the search.

    Clicks and confident frames are clearer than most.
    """
    if random.random() < 0.5:
        return set()
    turn = int(random.integers(min(searches) - 3, max(searches) + 4))
    near = range(min(searches) - 3, max(searches) + 4)
    after = random.random() < 0.5
    covered = {frame for frame in near if (frame >= turn) == after}
    covered -= set(templates)
    return covered | {frame for frame in templates if random.random() < 0.1}


def draw_table(frames: range, random: np.random.Generator) -> dict[int, Point]:
    """Draw how far the picture has moved in each frame, in pixels of a 256 view."""
    shifts = np.zeros((len(frames), 2))
    if random.random() < 0.4:
        speed = random.normal(0.0, 2.5 if random.random() < 0.6 else 8.0, 2)
        moving = random.random(len(frames)) < 0.7
        shifts = np.cumsum(speed * moving[:, None] + random.normal(0.0, 0.5, shifts.shape), axis=0)
        # The patient lies still for the rest: a table is not panned across half a picture.
        shifts = np.clip(shifts - shifts[len(frames) // 2], -60.0, 60.0)
    return dict(zip(frames, shifts, strict=True))


def draw_drift(random: np.random.Generator) -> Point:
    """Draw how far a bystander drifts from frame to frame, in pixels of a 256 view."""
    return random.normal(0.0, 1.5, 2) if random.random() < 0.5 else np.zeros(2)
