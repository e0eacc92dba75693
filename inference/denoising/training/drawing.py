"""Devices drawn into training patches, and the lines along which their profile is averaged."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.frames import FloatFrame

Points = NDArray[np.floating]

KINDS = {"wire": 0.45, "tube": 0.3, "marker": 0.12, "strut": 0.13}
KNOTS = 24
STRUT_PIECES = 5
DRAWN_SHARES = (0.5, 0.3, 0.2)
"""How often one, two or three devices are drawn."""
PROFILE_STEP_PX = 0.5
PROFILE_MARGIN_PX = 4.0
"""How far beside a device the ground still belongs to its profile."""
PIECE_PX = 128.0
"""Errors are averaged along a device over this length: the longer, the less noise is in them."""
_PIECES = 4
_STEPS = 40


@dataclass(frozen=True, slots=True, eq=False)
class DrawnDevices:
    """Devices moving over a window of frames.

    Attributes
    ----------
    attenuation : ndarray, shape (count, size, size)
        In noise deviations, to subtract.
    presence : ndarray, shape (count, size, size)
        1 on devices, 0 elsewhere.
    profile : ndarray of int, shape (size, size)
        In the middle frame: pixels at the same distance from a device's centre line, on the same
        side and along the same stretch of it, share a number; 0 away from devices.
    """

    attenuation: FloatFrame
    presence: FloatFrame
    profile: NDArray[np.int64]


def draw_devices(rng: np.random.Generator, count: int, size: int) -> DrawnDevices:
    """Draw one to three devices over ``count`` frames of ``size`` pixels a side."""
    attenuation = np.zeros((count, size, size), np.float32)
    presence = np.zeros_like(attenuation)
    profile = np.zeros((size, size), np.int64)
    steps = np.arange(count)[:, None]
    for device in range(1 + int(rng.choice(len(DRAWN_SHARES), p=DRAWN_SHARES))):
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        contrast = float(np.exp(rng.uniform(np.log(1.5), np.log(14.0))))
        speed = rng.normal(0.0, 1.0, 2) * rng.choice([0.0, 0.4, 1.2, 4.0, 8.0])
        beat = rng.normal(0.0, 1.0, 2) * np.exp(rng.uniform(np.log(0.2), np.log(8.0)))
        phase = rng.uniform(0, 2 * np.pi)
        period = rng.uniform(6.0, 30.0)
        move = speed[None] * (steps - count // 2) + beat[None] * np.sin(
            2 * np.pi * steps / period + phase
        )
        start = rng.uniform(0, size, 2)
        length = 10.0 if kind in ("marker", "strut") else rng.uniform(0.4, 1.4) * size
        angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.12, KNOTS))
        line = np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1) * length / KNOTS, 0)
        line -= line[KNOTS // 2]
        thickness = {"wire": int(rng.integers(1, 3)), "marker": 3, "strut": 1}.get(
            kind, int(rng.integers(4, 9))
        )
        softness = rng.uniform(0.45, 1.0)
        bend = rng.normal(0.0, 0.004, 2)
        for k in range(count):
            points = line * (1.0 + bend * (k - count // 2)) + start + move[k]
            pieces = [points[:4] if kind == "marker" else points]
            if kind == "strut":
                pieces = [points + np.array([6.0 * s, 3.0 * (s % 2)]) for s in range(STRUT_PIECES)]
            drawn = _profile_of(pieces, size, thickness, softness, hollow=kind == "tube")
            attenuation[k] += contrast * drawn
            presence[k] = np.maximum(presence[k], np.minimum(1.0, 2.0 * drawn))
            if k == count // 2 and kind in ("wire", "tube"):
                numbers = profile_numbers(points, size, thickness, device)
                profile = np.where(numbers > 0, numbers, profile)
    return DrawnDevices(attenuation, presence, profile)


def _profile_of(
    pieces: list[Points], size: int, thickness: int, softness: float, hollow: bool
) -> FloatFrame:
    """Draw one device with a height of about 1; a hollow one is lighter inside."""
    canvas = np.zeros((size, size), np.uint8)
    for piece in pieces:
        whole = np.round(piece * 16).astype(np.int32)
        cv2.polylines(canvas, [whole], False, 255, thickness, cv2.LINE_AA, 4)
    drawn = cv2.GaussianBlur(canvas.astype(np.float32) / 255.0, (0, 0), softness)
    if hollow:
        inner = cv2.erode(canvas, np.ones((3, 3), np.uint8)).astype(np.float32) / 255.0
        drawn -= 0.5 * cv2.GaussianBlur(inner, (0, 0), softness)
    return np.asarray(drawn, np.float32)


def profile_numbers(points: Points, size: int, thickness: float, device: int) -> NDArray[np.int64]:
    """Give pixels numbers by their stretch along a line and their signed distance from it.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        The line, (x, y).
    size : int
        Side of the patch.
    thickness : float
        Of the device, pixels.
    device : int
        Number of the device in the patch; no two share numbers.
    """
    reach = thickness / 2.0 + PROFILE_MARGIN_PX
    y, x = np.mgrid[:size, :size].astype(np.float32)
    nearest = np.full((size, size), reach, np.float32)
    numbers = np.zeros((size, size), np.int64)
    steps = np.diff(points, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    before = np.concatenate(([0.0], np.cumsum(lengths)))
    for (px, py), (sx, sy), length, passed in zip(points, steps, lengths, before, strict=False):
        low_x, high_x = sorted((px, px + sx))
        low_y, high_y = sorted((py, py + sy))
        part = np.s_[
            max(0, int(low_y - reach)) : max(0, int(high_y + reach) + 2),
            max(0, int(low_x - reach)) : max(0, int(high_x + reach) + 2),
        ]
        dx, dy = x[part] - px, y[part] - py
        along = (dx * sx + dy * sy) / length
        across = (dy * sx - dx * sy) / length
        # A joint is covered from both sides; beyond the ends nothing is a profile any more.
        closer = (along > -0.5) & (along < length + 0.5) & (np.abs(across) < nearest[part])
        stretch = np.minimum((passed + along.clip(0.0)) / PIECE_PX, _PIECES - 1).astype(np.int64)
        step = ((across + reach) / PROFILE_STEP_PX).astype(np.int64).clip(0, _STEPS - 1)
        found = 1 + (device * _PIECES + stretch) * _STEPS + step
        numbers[part] = np.where(closer, found, numbers[part])
        nearest[part] = np.where(closer, np.abs(across), nearest[part])
    return numbers
