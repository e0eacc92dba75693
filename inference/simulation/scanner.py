"""Draw a scanner: dose, tone, exposure control and what it paints around the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.simulation.anatomy import Anatomy
from inference.simulation.render import Scanner
from inference.simulation.run import Scenario

FloatArray = NDArray[np.float32]


def make_scanner(
    rng: np.random.Generator,
    scenario: Scenario,
    frame_count: int,
    size: int,
    matrix: int,
    crop: NDArray[np.floating],
    anatomy: Anatomy,
    *,
    bits: int | None,
    noise_sd: float | None,
    recursion: float | None,
    linear: bool | None,
    plain: bool,
) -> tuple[Scanner, FloatArray]:
    """Draw the scanner, and what its exposure control and tone compression take off the layers."""
    unit = matrix / 512
    if bits is None:
        bits = 8 if rng.random() < 0.75 else int(rng.choice((10, 12, 14)))
    if linear is None:
        linear = bool(rng.random() < (0.2 if bits == 8 else 0.6))
    if noise_sd is None:
        low, high = {
            Scenario.FLUOROSCOPY: (0.02, 0.06),
            Scenario.DEVICE_OCCLUSION: (0.015, 0.05),
            Scenario.LOW_DOSE: (0.05, 0.13),
        }.get(scenario, (0.008, 0.03))
        noise_sd = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if recursion is None:
        recursion = float(rng.choice((0.0, rng.uniform(0.05, 0.4))))

    whole = anatomy.back + anatomy.chest + anatomy.heart
    coarse = cv2.resize(whole, (32, 32), interpolation=cv2.INTER_AREA)
    middle = float(np.median(coarse))
    offset = np.full(whole.shape, middle, np.float32)
    if linear:
        curve, level = rng.uniform(0.85, 1.5), rng.uniform(0.32, 0.5)
        gain = curve * level
    else:
        curve, level = rng.uniform(0.1, 0.9), rng.uniform(0.40, 0.50)
        gain = rng.uniform(0.26, 0.44)
        soft = cv2.GaussianBlur(coarse, (0, 0), 3) - middle
        target = rng.uniform(0.03, 0.10) / gain
        keep = min(1.0, target / (float(soft.std()) + 1e-6))
        offset += (1 - keep) * cv2.resize(soft, whole.shape[::-1], interpolation=cv2.INTER_CUBIC)

    exposure = np.zeros(frame_count)
    if not plain:
        exposure += 0.02 * rng.uniform() * np.sin(np.arange(frame_count) / rng.uniform(4, 15))
        if rng.random() < 0.2:  # exposure control settles
            exposure -= rng.uniform(-0.25, 0.35) * np.exp(
                -np.arange(frame_count) / rng.uniform(1, 4)
            )
        if rng.random() < 0.15:  # a step
            exposure[rng.integers(frame_count) :] += rng.normal(0, 0.08)
    opening, burnt_in = _make_edges(rng, size, matrix, crop, plain)
    return Scanner(
        white=float(2**bits - 1),
        blur_px=rng.uniform(0.55, 1.2) * max(unit, 0.6),
        gain=gain,
        level=level,
        curve=curve,
        linear=linear,
        edge=rng.uniform(0.0, 0.9) if not linear or bits == 8 else 0.0,
        edge_px=rng.uniform(1.8, 3.5) * max(unit, 0.6),
        photons=noise_sd**-2,
        recursion=recursion,
        opening=opening,
        border=rng.uniform(0.14, 0.24) if not linear else rng.uniform(0.0, 0.05),
        burnt_in=burnt_in,
        exposure=exposure.astype(np.float32),
    ), offset


def _make_edges(
    rng: np.random.Generator,
    size: int,
    matrix: int,
    crop: NDArray[np.floating],
    plain: bool,
) -> tuple[FloatArray, NDArray[np.bool_] | None]:
    """Collimator opening (0 to 1) and painted-black corners, in the crop's pixels."""
    x = (np.arange(size) + crop[0]) / matrix
    y = (np.arange(size) + crop[1]) / matrix
    if plain:
        return np.ones((size, size), np.float32), None
    sides = np.where(rng.random(4) < 0.6, rng.uniform(0.0, 0.03, 4), -0.05)
    if rng.random() < 0.3:
        sides[rng.integers(4)] = rng.uniform(0.03, 0.15)
    soft = rng.uniform(0.004, 0.012)

    def edge(distance: NDArray[np.floating]) -> NDArray[np.floating]:
        return 1 / (1 + np.exp(-np.clip(distance / soft, -30, 30)))

    across = edge(x - sides[0]) * edge(1 - sides[1] - x)
    down = edge(y - sides[2]) * edge(1 - sides[3] - y)
    opening = (down[:, None] * across[None, :]).astype(np.float32)
    burnt_in = None
    if rng.random() < 0.12:
        radius = rng.uniform(0.52, 0.66)
        distance = np.hypot(x[None, :] - 0.5, y[:, None] - 0.5)
        burnt_in = (distance > radius) | (np.abs(y[:, None] - 0.5) > rng.uniform(0.46, 0.52))
    return opening, burnt_in
