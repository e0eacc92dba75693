"""A branching, tapering coronary tree and the contrast that runs through it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.simulation.motion import HeartField, Injection
from inference.simulation.render import splat

FloatArray = NDArray[np.float32]
ATTENUATION_PER_MM_MGI = 0.00038  # iodine, log attenuation for each mm and mg/ml, 70-80 kV


@dataclass(frozen=True)
class VesselTree:
    """Particles of the tree's lumen at rest, each on a known point of the centre lines.

    Attributes
    ----------
    particles : ndarray, shape (N, 3)
        Rest positions, pixels.
    mass : ndarray, shape (N,)
        Volume over pixels per mm: times attenuation per mm it is attenuation times area.
    delay_ms : ndarray, shape (N,)
        When contrast that left the tip arrives.
    streak : ndarray, shape (N,)
        Position across the lumen, -1 to 1: contrast streams before it mixes.
    main_path : ndarray, shape (M, 3)
        Centre line of the main vessel from the ostium, pixels.
    """

    particles: FloatArray
    mass: FloatArray
    delay_ms: FloatArray
    streak: FloatArray
    main_path: FloatArray
    stream_phase: float

    def shadow(
        self,
        image: FloatArray,
        field: HeartField,
        frame: int,
        injection: Injection,
    ) -> None:
        """Add the attenuation of the filled lumen to ``image``."""
        time = float(field.rhythm.times_ms[frame])
        longest = float(self.delay_ms.max())
        grid = np.linspace(0, longest, 256)
        filled = injection.concentration(time, grid) * ATTENUATION_PER_MM_MGI
        if filled.max() < 1e-4:
            return
        density = np.interp(self.delay_ms, grid, filled).astype(np.float32)
        # Contrast streams along one side until the injection has displaced the blood.
        unmixed = 0.1 + 0.6 * np.exp(-max(time - injection.start_ms, 0.0) / 350)
        swirl = np.sin(2 * self.streak + 0.006 * (self.delay_ms - time) + self.stream_phase)
        density *= 1 + np.float32(unmixed) * swirl * np.exp(-self.delay_ms / 900)
        matrix, offset = field.affine(frame)
        shown = density > 1e-4
        at = self.particles[shown] @ matrix.T + offset
        splat(image, at[:, 0], at[:, 1], (density * self.mass)[shown])


def _walk(
    rng: np.random.Generator,
    start: FloatArray,
    heading: float,
    length: float,
    bow: float,
    tortuosity: float,
    step: float,
) -> FloatArray:
    """Smooth wandering centre line (N, 3) from ``start``."""
    count = max(8, int(length / step))
    knots = max(4, int(length / (28 * step)) + 3)
    wander = np.interp(
        np.linspace(0, knots - 1, count), np.arange(knots), rng.standard_normal(knots)
    )
    width = max(3, count // knots) | 1
    wander = cv2.GaussianBlur(wander.reshape(1, -1), (width, 1), 0).ravel()
    heading_at = heading + np.linspace(0, bow, count) + tortuosity * (wander - wander[0])
    depth = rng.uniform(0.2, 1.05)
    tilt = depth * np.sin(np.linspace(0, rng.uniform(1, 5), count) + rng.uniform(0, 6))
    steps = step * np.stack(
        [np.cos(heading_at) * np.cos(tilt), np.sin(heading_at) * np.cos(tilt), np.sin(tilt)], 1
    )
    return (start + np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)[:-1]])).astype(
        np.float32
    )


def make_tree(
    rng: np.random.Generator,
    ostium: FloatArray,
    heading: float,
    pixels_per_mm: float,
) -> VesselTree:
    """Grow a tree from ``ostium`` (3,), first running along ``heading`` (radians, picture plane).

    Right trees are one long bowed artery with late branches; left trees split early into two.
    """
    step_mm = 0.55 / pixels_per_mm
    left = rng.random() < 0.5
    velocity = rng.uniform(110, 260) / 1000  # mm a ms
    radius0 = rng.uniform(1.5, 2.4)
    # (start, heading, radius, delay, length, level)
    side = rng.choice([-1, 1])
    todo: list[tuple[FloatArray, float, float, float, float, int]] = []
    pieces: list[tuple[FloatArray, FloatArray, FloatArray]] = []

    def grow(start, angle, radius, delay, length, bow, tortuosity, level) -> FloatArray:  # noqa: ANN001
        line = _walk(rng, start, angle, length, bow, tortuosity, step_mm)
        s = np.arange(len(line)) * step_mm
        taper = 1 - (0.5 if level == 0 else 0.72) * (s / s[-1]) ** rng.uniform(0.8, 1.6)
        radii = radius * taper * (1 + 0.06 * np.sin(s / rng.uniform(3, 8) + rng.uniform(0, 6)))
        if level <= 1 and rng.random() < 0.3:  # stenosis
            radii *= 1 - rng.uniform(0.2, 0.6) * np.exp(
                -0.5 * ((s - rng.uniform(0.2, 0.8) * s[-1]) / rng.uniform(1, 3)) ** 2
            )
        delays = delay + s / (velocity * (1 - 0.16 * level))
        pieces.append((line * 1.0, radii.astype(np.float32), delays.astype(np.float32)))
        heading_end = np.arctan2(*(line[1:, 1::-1] - line[:-1, 1::-1]).T)
        if level < 3:
            spacing = (16.0, 9.0, 7.0)[level]
            at = rng.uniform(0.5, 1.2) * spacing
            way = side
            while at < s[-1] * 0.92:
                index = int(at / step_mm)
                way = -way if rng.random() < 0.6 else way
                turn = way * rng.uniform(0.45, 1.25)
                child = radii[index] * rng.uniform(0.32, 0.72)
                if child > 0.16:
                    reach = min(rng.uniform(14, 34) * child, 0.8 * (s[-1] - at) + 22)
                    todo.append((line[index], heading_end[min(index, len(heading_end) - 1)] + turn,
                                 child, float(delays[index]), reach, level + 1))  # fmt: skip
                at += rng.uniform(0.5, 1.6) * spacing
        return line

    scaled_start = ostium / pixels_per_mm
    if left:
        stem = grow(
            scaled_start,
            heading,
            radius0 * 1.1,
            0.0,
            rng.uniform(6, 15),
            rng.normal(0, 0.2),
            0.1,
            3,
        )
        angle = float(np.arctan2(*(stem[-1, 1::-1] - stem[-4, 1::-1])))
        delay = float(pieces[0][2][-1])
        main = grow(stem[-1], angle - side * rng.uniform(0.15, 0.6), radius0, delay,
                    rng.uniform(80, 120), side * rng.uniform(-0.2, 0.9), 0.35, 0)  # fmt: skip
        grow(stem[-1], angle + side * rng.uniform(0.4, 1.1), radius0 * 0.85, delay,
             rng.uniform(60, 100), side * rng.uniform(0.2, 1.3), 0.4, 0)  # fmt: skip
        main = np.concatenate([stem, main])
    else:
        main = grow(scaled_start, heading, radius0, 0.0, rng.uniform(110, 170),
                    side * rng.uniform(1.6, 3.2), 0.3, 0)  # fmt: skip
    while todo and len(pieces) < 46:
        start, angle, radius, delay, length, level = todo.pop(0)
        grow(start, angle, radius, delay, length, rng.normal(0, 0.5), 0.35 + 0.15 * level, level)

    points, masses, delays_all, streaks = [], [], [], []
    for line, radii, delays in pieces:
        pixels = line * pixels_per_mm
        tangent = np.gradient(pixels[:, :2], axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-6
        widest = float(radii.max()) * pixels_per_mm
        count = max(2, int(np.ceil(2 * widest / 0.75)))
        lateral = ((np.arange(count) + 0.5) / count * 2 - 1).astype(np.float32)
        offset = radii[:, None] * pixels_per_mm * lateral
        x = pixels[:, 0:1] - offset * tangent[:, 1:2]
        y = pixels[:, 1:2] + offset * tangent[:, 0:1]
        chord_mm = 2 * radii[:, None] * np.sqrt(1 - lateral**2)
        area = 0.55 * (2 * radii * pixels_per_mm / count)[:, None]
        points.append(
            np.stack([x, y, np.broadcast_to(pixels[:, 2:3], x.shape)], axis=-1).reshape(-1, 3)
        )
        masses.append((chord_mm * area).ravel())
        delays_all.append(np.repeat(delays, count))
        streaks.append(np.tile(lateral, len(line)))
    return VesselTree(
        particles=np.concatenate(points).astype(np.float32),
        mass=np.concatenate(masses).astype(np.float32),
        delay_ms=np.concatenate(delays_all).astype(np.float32),
        streak=np.concatenate(streaks).astype(np.float32),
        main_path=(main * pixels_per_mm).astype(np.float32),
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
        spread = np.sqrt(age / 1000)[:, None]
        at = (
            ostium + self.drift[alive] * np.minimum(age, 350)[:, None] + self.wander[alive] * spread
        )
        mass = self.mass[alive] * np.exp(-age / self.lifetime_ms)
        height, width = image.shape
        coarse = np.zeros((height // 4 + 2, width // 4 + 2), np.float32)
        at = (at / 4).astype(np.float32)
        splat(coarse, at[:, 0], at[:, 1], mass.astype(np.float32) / 16)
        coarse = cv2.GaussianBlur(coarse, (0, 0), self.softness_px / 4)
        full = cv2.resize(coarse, (coarse.shape[1] * 4, coarse.shape[0] * 4))
        image += full[:height, :width]


def make_reflux(
    rng: np.random.Generator, injection: Injection, heading: float, pixels_per_mm: float
) -> Reflux:
    """Draw the puffs of one injection; they leave against the vessel's first direction."""
    count = 500
    away = heading + np.pi + rng.normal(0, 0.7)
    speed = rng.uniform(0.02, 0.08) * pixels_per_mm
    drift = speed * rng.uniform(0.2, 1.3, (count, 1)) * np.array([np.cos(away), np.sin(away)])
    amount = rng.uniform(0.1, 1.0) ** 2 * injection.strength_mgi * ATTENUATION_PER_MM_MGI
    volume = amount * 2400.0 * pixels_per_mm**2  # attenuation times area, over all puffs
    return Reflux(
        birth_ms=np.sort(rng.uniform(100, injection.duration_ms + 200, count)).astype(np.float32),
        drift=drift.astype(np.float32),
        wander=(rng.standard_normal((count, 2)) * 5 * pixels_per_mm).astype(np.float32),
        mass=np.full(count, volume / count, np.float32),
        lifetime_ms=float(rng.uniform(250, 700)),
        softness_px=float(rng.uniform(1.0, 2.2) * pixels_per_mm),
    )
