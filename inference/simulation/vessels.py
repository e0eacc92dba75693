"""A branching, tapering coronary tree and the contrast that runs through it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.simulation.motion import HeartField, Injection
from inference.simulation.render import splat

FloatArray = NDArray[np.float32]
ATTENUATION_PER_MM_MGI = 0.00038  # iodine, log attenuation for each mm and mg/ml, 70-80 kV
_COUNTS = np.array([2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 27, 34, 42, 64])  # particles across
_MOST_TILT = 1.5  # radians out of the picture: some stretches are seen end-on
STEP_PX = 0.6  # between particles: fine enough for bilinear splatting to leave no weave


@dataclass(frozen=True)
class Stenosis:
    """A narrowing of the main vessel whose size is known, in place of drawn ones.

    The lumen narrows by ``share`` of its healthy diameter in the middle, as a raised cosine.
    """

    place_mm: float  # of its middle, along the vessel from its origin
    share: float  # 0 open to 1 closed
    length_mm: float

    def narrowing(self, along_mm: NDArray[np.floating]) -> NDArray[np.floating]:
        """Lumen over healthy lumen at places along the vessel."""
        away = np.clip((along_mm - self.place_mm) / self.length_mm, -0.5, 0.5)
        return 1 - self.share * np.cos(np.pi * away) ** 2


@dataclass(frozen=True)
class VesselTree:
    """Points of the centre lines at rest, ordered by how many particles lie across the lumen.

    Attributes
    ----------
    points : ndarray, shape (P, 3)
        Rest positions, pixels.
    across : ndarray, shape (P, 2)
        From the centre line to the wall, pixels.
    along : ndarray, shape (P, 2)
        How far the lumen's slab at each point, tilted out of the picture, reaches along the
        vessel, pixels: nothing where the vessel lies in the picture, its radius where it is seen
        end-on.
    volume : ndarray, shape (P,)
        Longest chord (mm) times area (pixels squared) of the slab at each point.
    delay_ms : ndarray, shape (P,)
        When contrast that left the tip arrives.
    groups : tuple of (start, stop, count)
        Rows with the same number of particles across.
    main_path : ndarray, shape (M, 3)
        Centre line of the main vessel from the ostium, pixels.
    main_across : ndarray, shape (M, 2)
        From its centre line to its wall.
    """

    points: FloatArray
    across: FloatArray
    along: FloatArray
    volume: FloatArray
    delay_ms: FloatArray
    groups: tuple[tuple[int, int, int], ...]
    main_path: FloatArray
    main_across: FloatArray
    stream_phase: float

    def main_vessel(self, motion: HeartField, frame: int) -> tuple[FloatArray, FloatArray]:
        """Centre line (M, 2) of the main vessel in a frame, and half its width (M,), pixels."""
        matrix, offset = motion.affine(frame)
        line = self.main_path @ matrix.T + offset
        way = np.gradient(line, axis=0)
        way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-6
        wall = self.main_across @ matrix[:, :2].T
        return line, np.abs(way[:, 0] * wall[:, 1] - way[:, 1] * wall[:, 0])

    def shadow(
        self, image: FloatArray, motion: HeartField, frame: int, injection: Injection
    ) -> None:
        """Add the attenuation of the filled lumen to ``image``."""
        time = float(motion.rhythm.times_ms[frame])
        density = injection.concentration(time, self.delay_ms) * ATTENUATION_PER_MM_MGI
        matrix, offset = motion.affine(frame)
        at = self.points @ matrix.T + offset
        height, width = image.shape
        shown = density > 1e-4
        shown &= np.all((at > -16) & (at < (width + 16, height + 16)), axis=1)
        if not shown.any():
            return
        walls, reach = self.across @ matrix[:, :2].T, self.along @ matrix[:, :2].T
        # Contrast streams along one side until the injection has displaced the blood.
        unmixed = 0.1 + 0.6 * float(np.exp(-max(time - injection.start_ms, 0.0) / 350))
        phase = 0.006 * (self.delay_ms - time) + self.stream_phase
        swirl = unmixed * np.exp(-self.delay_ms / 900)
        mass = (self.volume * density).astype(np.float32)
        waves = np.stack([swirl * np.cos(phase), swirl * np.sin(phase)], 1).astype(np.float32)
        x: list[FloatArray] = []
        y: list[FloatArray] = []
        weight = []
        for start, stop, count in self.groups:
            rows = start + np.flatnonzero(shown[start:stop])
            lateral = ((np.arange(count) + 0.5) / count * 2 - 1).astype(np.float32)
            streams = np.stack([np.sin(2 * lateral), np.cos(2 * lateral)])
            depth = np.sqrt(1 - lateral**2)
            share = depth / np.float32(count)
            # Steps that never fall together (the R2 sequence) fill the discs of tilted slabs.
            turn = rows[:, None] * 0.7548776662 + np.arange(count) * 0.5698402910
            spread = (2 * np.mod(turn, 1.0) - 1).astype(np.float32) * depth
            for axis, places in enumerate((x, y)):
                middle, wall, end = (part[rows, axis, None] for part in (at, walls, reach))
                places.append((middle + wall * lateral + end * spread).ravel())
            weight.append((mass[rows, None] * share * (1 + waves[rows] @ streams)).ravel())
        splat(image, np.concatenate(x), np.concatenate(y), np.concatenate(weight))


@dataclass
class _Grower:
    """Grows branches in mm; side branches wait in ``buds`` for their turn."""

    rng: np.random.Generator
    step_mm: float
    velocity: float  # mm a ms
    side: int  # -1 or 1: where the main vessel bends and most branches leave
    collar: FloatArray  # (K, 3), mm: from the ostium to the tip, along the catheter's end
    pieces: list[tuple[FloatArray, FloatArray, FloatArray, FloatArray]] = field(
        default_factory=list
    )
    buds: list[_Bud] = field(default_factory=list)

    def grow(
        self, bud: _Bud, bow: float, tortuosity: float, stenosis: Stenosis | None = None
    ) -> _Bud:
        """Grow one vessel; return the bud at its end."""
        rng = self.rng
        line, headings = self._walk(bud, bow, tortuosity)
        tip = 0.0
        if bud.delay == 0:
            line = np.concatenate([self.collar, line])
            headings = np.pad(headings, (len(self.collar), 0), mode="edge")
            tip = len(self.collar) * self.step_mm
        s = np.arange(len(line)) * self.step_mm
        share = s / s[-1]
        taper = 1 - (0.5, 0.7, 0.75, 0.75, 0.12)[bud.level] * share ** rng.uniform(0.8, 1.6)
        radii = bud.radius * taper * (1 + 0.05 * np.sin(s / rng.uniform(2, 6) + rng.uniform(0, 6)))
        if bud.level < 4:  # thread-like end
            radii *= np.sqrt(np.clip((1 - share) / 0.25, 0.04, 1))
        if bud.level <= 1 and rng.random() < 0.3:  # stenosis
            place, width = rng.uniform(0.2, 0.8) * s[-1], rng.uniform(1, 3)
            narrowed = rng.uniform(0.2, 0.6) * np.exp(-0.5 * ((s - place) / width) ** 2)
            radii *= 1 - narrowed if stenosis is None else 1
        if stenosis is not None:
            radii *= stenosis.narrowing(s - tip)
        delays = bud.delay + np.abs(s - tip) / (self.velocity * (1 - 0.15 * (bud.level % 4)))
        fill = np.ones_like(s)
        if bud.inside > 0:  # the parent's lumen is there already
            fill = np.clip((s - 0.5 * bud.inside) / (0.7 * bud.inside), 0, 1)
        elif bud.delay == 0:
            # Contrast thins out and narrows where it flows back to the aorta, not ahead of the tip.
            fill = np.clip(s / np.clip(tip, self.step_mm, 2.5), 0, 1)
            widens = np.clip(s / np.clip(tip, 1.2, 3.5), 0, 1)
            radii *= 0.4 + 0.6 * np.sqrt(1 - (1 - widens) ** 2)
        else:
            fill[0] = 0  # the end of the vessel that it continues
        piece = (line, radii.astype(np.float32), delays.astype(np.float32), fill.astype(np.float32))
        self.pieces.append(piece)
        if bud.level < 3:
            self._bud(bud.level, line, headings, radii, delays)
        return _Bud(line[-1], float(headings[-1]), float(radii[-1]), float(delays[-1]), 0, 0)

    def _walk(self, bud: _Bud, bow: float, tortuosity: float) -> tuple[FloatArray, FloatArray]:
        rng = self.rng
        count = max(8, int(bud.length / self.step_mm))
        knots = max(4, int(bud.length / (9, 7, 5, 4, 9)[bud.level]) + 3)
        wander = np.interp(
            np.linspace(0, knots - 1, count), np.arange(knots), rng.standard_normal(knots)
        )
        width = max(3, count // knots) | 1
        wander = cv2.GaussianBlur(wander.reshape(1, -1), (width, 1), 0).ravel()
        headings = bud.heading + np.linspace(0, bow, count) + tortuosity * (wander - wander[0])
        depth = rng.uniform(0.2, _MOST_TILT)
        tilt = depth * np.sin(np.linspace(0, rng.uniform(1, 5), count) + rng.uniform(0, 6))
        flat = np.cos(tilt)
        steps = np.stack([np.cos(headings) * flat, np.sin(headings) * flat, np.sin(tilt)], 1)
        line = bud.start + np.concatenate(
            [np.zeros((1, 3)), np.cumsum(steps, axis=0)[:-1] * self.step_mm]
        )
        return line.astype(np.float32), headings.astype(np.float32)

    def _bud(
        self,
        level: int,
        line: FloatArray,
        headings: FloatArray,
        radii: NDArray[np.floating],
        delays: NDArray[np.floating],
    ) -> None:
        rng = self.rng
        spacing = (9.0, 6.0, 6.0)[level]
        length = len(line) * self.step_mm
        at = rng.uniform(0.5, 1.2) * spacing
        way = self.side
        while at < length * 0.94:
            index = int(at / self.step_mm)
            way = -way if rng.random() < 0.6 else way
            radius = radii[index] * rng.uniform(0.22, 0.7)
            if radius > 0.11:
                reach = min(rng.uniform(22, 70) * radius + 5, 0.8 * (length - at) + 25)
                turn = way * rng.uniform(0.4, 1.25)
                heading = float(headings[index]) + turn
                inside = float(radii[index] / np.sin(abs(turn)))
                bud = _Bud(
                    line[index],
                    heading,
                    float(radius),
                    float(delays[index]),
                    reach,
                    level + 1,
                    inside,
                )
                self.buds.append(bud)
            at += rng.uniform(0.5, 1.6) * spacing


@dataclass(frozen=True)
class _Bud:
    start: FloatArray  # (3,), mm
    heading: float
    radius: float  # mm
    delay: float  # ms
    length: float  # mm
    level: int  # 0 main, 1 to 3 branches, 4 the left main stem
    inside: float = 0.0  # mm of its start that lie within the parent, where no blood is added

    def along(self, turn: float, radius: float, length: float, inside: float = 0.0) -> _Bud:
        """Bud of a main vessel that goes on from here at ``turn``."""
        return _Bud(self.start, self.heading + turn, radius, self.delay, length, 0, inside)


def make_tree(
    rng: np.random.Generator,
    engaged: FloatArray,
    heading: float,
    pixels_per_mm: float,
    side: int,
    stenosis: Stenosis | None = None,
) -> VesselTree:
    """Grow a tree from an ostium, around the end of the catheter and on from its tip.

    Right trees are one long bowed artery; left trees split early into two.

    Parameters
    ----------
    engaged : ndarray, shape (K, 3)
        The catheter's centre line from the ostium to the tip, pixels; K of at least 1.
    heading : float
        Direction in the picture from the tip on, radians.
    side : int
        1 where the main vessel bends clockwise on the screen, -1 otherwise.
    stenosis : Stenosis, optional
        Of the main vessel beyond its stem, which then has no other.
    """
    radius = rng.uniform(1.4, 2.3)
    way_mm = engaged / np.float32(pixels_per_mm)
    velocity = rng.uniform(0.17, 0.38)
    grower = _Grower(rng, STEP_PX / pixels_per_mm, velocity, side, collar=way_mm[:-1])
    root = _Bud(way_mm[-1], heading, radius * 1.1, 0.0, rng.uniform(6, 15), 4)
    if rng.random() < 0.5:
        end = grower.grow(root, rng.normal(0, 0.2), 0.1)
        first = end.along(0.0, end.radius, rng.uniform(80, 120))
        grower.grow(first, side * rng.uniform(-0.6, 0.6), 0.3, stenosis)
        main = 2  # pieces
        turn = side * rng.uniform(0.5, 1.1)
        inside = end.radius / abs(np.sin(turn))
        second = end.along(turn, radius * 0.85, rng.uniform(60, 100), inside)
        grower.grow(second, side * rng.uniform(0.2, 1.3), 0.35)
    else:
        trunk = root.along(0.0, radius, rng.uniform(110, 170))
        grower.grow(trunk, side * rng.uniform(1.6, 3.2), 0.25, stenosis)
        main = 1
    while grower.buds and len(grower.pieces) < 75:
        bud = grower.buds.pop(0)
        grower.grow(bud, rng.normal(0, 0.5), 0.3 + 0.15 * bud.level)
    return _assemble(rng, grower, main, pixels_per_mm)


def _assemble(
    rng: np.random.Generator, grower: _Grower, main: int, pixels_per_mm: float
) -> VesselTree:
    """Turn grown pieces (mm), the first ``main`` of them the main vessel, into a tree (pixels)."""
    points, across, along, widths, volumes, delays = [], [], [], [], [], []
    for line, radii, delay, fill in grower.pieces:
        pixels = line * np.float32(pixels_per_mm)
        tangent = np.gradient(pixels, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-6
        tilt, tangent = tangent[:, 2:], tangent[:, :2]
        tangent = tangent / (np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-6)
        half_width = radii * np.float32(pixels_per_mm)
        points.append(pixels)
        across.append(half_width[:, None] * np.stack([-tangent[:, 1], tangent[:, 0]], 1))
        along.append(half_width[:, None] * tilt * tangent)
        widths.append(2 * half_width)
        volumes.append(2 * radii * STEP_PX * 2 * half_width * fill)
        delays.append(delay)
    needed = np.maximum(np.ceil(np.concatenate(widths) / STEP_PX), 2)
    counts = _COUNTS[np.searchsorted(_COUNTS, np.minimum(needed, _COUNTS[-1]))]
    order = np.argsort(counts, kind="stable")
    edges = [0, *(np.flatnonzero(np.diff(counts[order])) + 1), len(order)]
    groups = [(int(a), int(b), int(counts[order[a]])) for a, b in itertools.pairwise(edges)]
    return VesselTree(
        points=np.concatenate(points)[order],
        across=np.concatenate(across)[order].astype(np.float32),
        along=np.concatenate(along)[order].astype(np.float32),
        volume=np.concatenate(volumes)[order].astype(np.float32),
        delay_ms=np.concatenate(delays)[order],
        groups=tuple(groups),
        main_path=np.concatenate(points[:main]).astype(np.float32),
        main_across=np.concatenate(across[:main]).astype(np.float32),
        stream_phase=float(rng.uniform(0, 6)),
    )


@dataclass(frozen=True)
class Reflux:
    """Contrast that spills into the aortic root: puffs born at the ostium, carried off."""

    birth_ms: FloatArray  # (N,), after the injection's start
    drift: FloatArray  # (N, 2), pixels a ms
    wander: FloatArray  # (N, 2), pixels at one second
    mass: FloatArray  # (N,)
    lifetime_ms: float
    softness_px: float

    def shadow(
        self, image: FloatArray, ostium: FloatArray, time_ms: float, injection: Injection
    ) -> None:
        """Add the cloud at ``time_ms``; drawn coarsely, as it is soft."""
        age = time_ms - injection.start_ms - self.birth_ms
        alive = (age > 0) & (age < 3 * self.lifetime_ms)
        if not alive.any():
            return
        age = age[alive]
        carried = 350 * (1 - np.exp(-age / 150))[:, None]
        spread = np.sqrt(age / 1000)[:, None]
        at = ostium + self.drift[alive] * carried + self.wander[alive] * spread
        mass = self.mass[alive] * np.exp(-age / self.lifetime_ms)
        height, width = image.shape
        coarse = np.zeros((height // 4 + 2, width // 4 + 2), np.float32)
        at = (at / 4).astype(np.float32)
        splat(coarse, at[:, 0], at[:, 1], mass.astype(np.float32) / 16)
        coarse = cv2.GaussianBlur(coarse, (0, 0), self.softness_px / 4)
        full = cv2.resize(coarse, (coarse.shape[1] * 4, coarse.shape[0] * 4))
        image += full[:height, :width]


def make_reflux(
    rng: np.random.Generator,
    injection: Injection,
    heading: float,
    pixels_per_mm: float,
    flush: bool = False,
) -> Reflux:
    """Draw the puffs of one injection; they leave against the vessel's first direction.

    A ``flush`` fills the ventricle or the aorta: far more contrast, ahead of the tip.
    """
    count = 900 if flush else 500
    away = heading + rng.normal(0, 0.7) + (0.0 if flush else np.pi)
    towards = np.array([np.cos(away), np.sin(away)])
    strength = injection.strength_mgi * ATTENUATION_PER_MM_MGI * pixels_per_mm**2
    if flush:  # puffs spread over a cavity ahead of the tip
        inside = rng.standard_normal((count, 2))
        inside *= np.sqrt(rng.uniform(0, 1, (count, 1))) / np.linalg.norm(inside, axis=1)[:, None]
        axes = np.stack([towards, np.array([-towards[1], towards[0]])])
        length, width = rng.uniform(18, 38), rng.uniform(12, 24)
        cavity = (inside + np.array([0.8, 0])) * np.array([length, width]) @ axes
        drift = cavity / 350
        volume, lifetime_ms = rng.uniform(4000, 12000) * strength, rng.uniform(600, 1400)
    else:
        drift = rng.uniform(0.02, 0.08) * rng.uniform(0.2, 1.3, (count, 1)) * towards
        volume, lifetime_ms = 2400 * rng.uniform(0.1, 1) ** 2 * strength, rng.uniform(250, 700)
    softness_mm = rng.uniform(2.5, 4.0) if flush else rng.uniform(1.0, 2.2)
    return Reflux(
        birth_ms=np.sort(rng.uniform(100, injection.duration_ms + 200, count)).astype(np.float32),
        drift=(drift * pixels_per_mm).astype(np.float32),
        wander=(rng.standard_normal((count, 2)) * 5 * pixels_per_mm).astype(np.float32),
        mass=np.full(count, volume / count, np.float32),
        lifetime_ms=float(lifetime_ms),
        softness_px=float(softness_mm * pixels_per_mm),
    )
