"""The patient without devices: attenuation layers that move apart from each other.

Everything is drawn once a run, in natural-log attenuation, on a canvas larger than the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
_BANK_SIZE = 1024


@cache
def _texture_bank() -> tuple[FloatArray, FloatArray]:
    """Two fixed fields that every run cuts its textures from: clouds and vascular strands."""
    rng = np.random.default_rng(20240501)
    clouds = np.zeros((_BANK_SIZE, _BANK_SIZE), np.float32)
    for cells in (6, 12, 24, 48, 96, 192):
        grid = rng.standard_normal((cells, cells), dtype=np.float32)
        octave = cv2.resize(grid, (_BANK_SIZE, _BANK_SIZE), interpolation=cv2.INTER_CUBIC)
        clouds += octave * np.float32((6 / cells) ** 0.85)
    clouds = (clouds - clouds.mean()) / clouds.std()
    strands = np.zeros((_BANK_SIZE, _BANK_SIZE), np.float32)
    for width, count, softness in ((5, 90, 2.2), (3, 260, 1.4), (2, 420, 1.0)):
        drawn = np.zeros((_BANK_SIZE, _BANK_SIZE), np.uint8)
        for _ in range(count):
            heading = rng.uniform(0, 2 * np.pi)
            turns = np.cumsum(0.16 * rng.standard_normal(24)) + heading
            steps = rng.uniform(4, 12) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
            path = rng.uniform(0, _BANK_SIZE, 2) + np.cumsum(steps, axis=0)
            points = np.round(path * 16).astype(np.int32).reshape(-1, 1, 2)
            level = int(rng.uniform(60, 255))
            cv2.polylines(drawn, [points], False, level, width, cv2.LINE_AA, shift=4)
        soft = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), softness)
        strands += soft * np.float32(width / 5 / 255)
    return clouds, strands / strands.std()


def _cut(rng: np.random.Generator, field: FloatArray, size: int, zoom: float) -> FloatArray:
    """Take a random square of ``field``, flipped at random, enlarged ``zoom`` times to ``size``."""
    side = int(np.clip(size / zoom, 16, _BANK_SIZE))
    left, top = rng.integers(0, _BANK_SIZE - side + 1, 2)
    piece = field[top : top + side, left : left + side]
    if rng.random() < 0.5:
        piece = piece.T
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    piece = np.ascontiguousarray(piece)
    return cv2.resize(piece, (size, size), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Anatomy:
    """Attenuation layers on a canvas that exceeds the picture by ``margin`` on each side.

    ``back`` moves with the table alone, ``chest`` with the breath as well, ``heart`` with the
    heartbeat too (as an affine map around ``heart_centre``, in canvas pixels).
    """

    back: FloatArray
    chest: FloatArray
    heart: FloatArray
    heart_centre: tuple[float, float]
    margin: int


class _Canvas:
    """Coordinates in mm from the middle of the canvas, drawn at full resolution."""

    def __init__(self, size: int, pixels_per_mm: float) -> None:
        self.size = size
        self.scale = pixels_per_mm
        self.attenuation = np.zeros((size, size), np.float32)

    def pixels(self, points_mm: NDArray[np.floating]) -> NDArray[np.int32]:
        points = np.asarray(points_mm, float) * self.scale + self.size / 2
        return np.clip(np.round(points * 16), -1e6, 1e6).astype(np.int32).reshape(-1, 1, 2)

    def line(
        self, points_mm: NDArray[np.floating], width_mm: float, level: float, soft_mm: float = 0.2
    ) -> None:
        """Add a soft line of attenuation ``level``."""
        self._add(lambda image: cv2.polylines(
            image, [self.pixels(points_mm)], False, 255,
            max(1, round(width_mm * self.scale)), cv2.LINE_AA, shift=4,
        ), level, soft_mm)  # fmt: skip

    def area(self, points_mm: NDArray[np.floating], level: float, soft_mm: float) -> None:
        """Add a filled polygon with a soft edge."""
        self._add(lambda image: cv2.fillPoly(
            image, [self.pixels(points_mm)], 255, cv2.LINE_AA, shift=4
        ), level, soft_mm)  # fmt: skip

    def _add(self, draw, level: float, soft_mm: float) -> None:
        image = np.zeros((self.size, self.size), np.uint8)
        draw(image)
        sigma = soft_mm * self.scale
        if sigma > 4:  # a soft edge needs no full resolution
            small = max(8, round(self.size / sigma * 3))
            image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
            soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 3.0)
            soft = cv2.resize(soft, (self.size, self.size), interpolation=cv2.INTER_CUBIC)
        else:
            soft = cv2.GaussianBlur(image, (0, 0), max(sigma, 0.4)).astype(np.float32)
        cv2.scaleAdd(soft, level / 255, self.attenuation, self.attenuation)


def _spine(rng: np.random.Generator, canvas: _Canvas, x_mm: float, tilt: float) -> None:
    """Vertebral bodies with end plates, discs, pedicles and transverse processes."""
    half = canvas.size / canvas.scale / 2 + 30
    height, width = rng.uniform(22, 30), rng.uniform(26, 40)
    level = rng.uniform(0.12, 0.42)
    detail = rng.uniform(0.35, 1.0) * level
    across = np.array([np.cos(tilt), np.sin(tilt)])
    along = np.array([-np.sin(tilt), np.cos(tilt)])
    tissue = np.array([[-width * 0.62, -half * 1.5], [width * 0.62, -half * 1.5],
                       [width * 0.62, half * 1.5], [-width * 0.62, half * 1.5]])  # fmt: skip
    place = lambda points: np.array([x_mm, 0]) + points @ np.stack([across, along])  # noqa: E731
    canvas.area(place(tissue), level, 2.5)
    start = -half - rng.uniform(0, height)
    for index in range(int(2 * half / height) + 2):
        top = start + index * height
        bottom = top + height * 0.82
        waist = width * 0.5 * np.array([1.05, 0.94, 0.9, 0.94, 1.05])
        rows = np.linspace(top, bottom, 5)
        body = np.concatenate([np.stack([-waist, rows], 1), np.stack([waist, rows], 1)[::-1]])
        canvas.area(place(body), detail * 0.55, 0.5)
        for row in (top, bottom):
            plate = np.stack([np.linspace(-waist[0], waist[0], 9),
                              row + 0.9 * np.linspace(-1, 1, 9) ** 2 * rng.choice([-1, 1])], 1)  # fmt: skip
            canvas.line(place(plate), 0.9, detail * 0.35, 0.35)
        for side in (-1, 1):
            angles = np.linspace(0, 2 * np.pi, 20)
            ring = np.stack([side * width * 0.3 + 2.6 * np.cos(angles),
                             top + height * 0.3 + 4.2 * np.sin(angles)], 1)  # fmt: skip
            canvas.line(place(ring), 1.0, detail * 0.4, 0.4)
        spinous = np.array([[0.0, top + height * 0.3], [0.5, top + height * 0.62]])
        canvas.line(place(spinous), 4.0, detail * 0.3, 0.8)


def _ribs(rng: np.random.Generator, canvas: _Canvas, x_mm: float) -> None:
    half = canvas.size / canvas.scale / 2 + 20
    gap, level = rng.uniform(22, 32), rng.uniform(0.02, 0.09)
    for side in (-1, 1):
        slope = rng.uniform(0.15, 0.75)
        bow = rng.uniform(0.001, 0.005)
        for row in np.arange(-half - 60, half + 60, gap):
            u = np.linspace(0, 2 * half, 30)
            path = np.stack([x_mm + side * (15 + u), row + slope * u + bow * u**2], 1)
            width = rng.uniform(8, 12)
            canvas.line(path, width, level, 0.8)
            for edge in (-0.5, 0.5):
                canvas.line(path + np.array([0, edge * width]), 0.8, level * 0.6, 0.4)


def _hardware(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Things on and in the chest wall: sternal wires, clips, ECG leads, a pacemaker."""
    half = canvas.size / canvas.scale / 2
    if rng.random() < 0.15:  # sternal wires
        x = rng.uniform(-0.4, 0.4) * half
        for row in np.arange(-half, half, rng.uniform(18, 28)):
            centre = np.array([x + rng.normal(0, 2), row + rng.normal(0, 2)])
            angles = np.linspace(0.3, 2 * np.pi - 0.1, 24) + rng.uniform(0, 6)
            ring = centre + np.stack([rng.uniform(4, 8) * np.cos(angles),
                                      rng.uniform(5, 8) * np.sin(angles)], 1)  # fmt: skip
            canvas.line(ring, 0.7, rng.uniform(0.5, 0.9), 0.12)
            twist = centre + np.array([[0, 6], [1.0, 8], [0.2, 10], [1.2, 12]])
            canvas.line(twist, 1.1, 0.8, 0.15)
    if rng.random() < 0.12:  # surgical clips
        for _ in range(rng.integers(2, 8)):
            place = rng.uniform(-half, half, 2)
            turn = rng.uniform(0, np.pi)
            arm = rng.uniform(1.5, 3) * np.array([np.cos(turn), np.sin(turn)])
            canvas.line(np.stack([place - arm, place + arm]), 0.8, 0.9, 0.1)
    for _ in range(rng.integers(0, 3) if rng.random() < 0.45 else 0):  # ECG lead with its snap
        place = rng.uniform(-half, half, 2)
        turns = np.cumsum(0.06 * rng.standard_normal(40)) + rng.uniform(0, 2 * np.pi)
        wire = place + np.cumsum(6 * np.stack([np.cos(turns), np.sin(turns)], 1), axis=0)
        canvas.line(wire, 0.9, rng.uniform(0.05, 0.2), 0.2)
        angles = np.linspace(0, 2 * np.pi, 20)
        disc = place + rng.uniform(1.8, 3.5) * np.stack([np.cos(angles), np.sin(angles)], 1)
        canvas.area(disc, rng.uniform(0.2, 0.8), 0.2)
        if rng.random() < 0.4:  # coiled electrode
            step = rng.uniform(0.8, 1.4)
            for turn in range(rng.integers(4, 8)):
                canvas.line(disc + np.array([turn * step, 6]), 0.4, 0.25, 0.15)
    if rng.random() < 0.06:  # pacemaker can
        place = np.array([rng.choice([-1, 1]) * half * 0.8, -half * 0.75])
        angles = np.linspace(0, 2 * np.pi, 40)
        can = place + np.stack([22 * np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** 0.6,
                                19 * np.sign(np.sin(angles)) * np.abs(np.sin(angles)) ** 0.6], 1)  # fmt: skip
        canvas.area(can, 1.2, 0.3)


def make_anatomy(rng: np.random.Generator, size: int, margin: int, pixels_per_mm: float) -> Anatomy:
    """Draw the layers of one patient.

    Parameters
    ----------
    rng : Generator
    size, margin : int
        Side of the picture and the canvas's surplus on each side, pixels.
    pixels_per_mm : float
        In the patient's plane.
    """
    clouds, strands = _texture_bank()
    canvas_size = size + 2 * margin
    half = canvas_size / pixels_per_mm / 2
    zoom = pixels_per_mm / 3.5

    back = _Canvas(canvas_size, pixels_per_mm)
    grid = np.linspace(-1, 1, canvas_size, dtype=np.float32)
    slope = rng.normal(0, 0.12, 2)
    back.attenuation += np.float32(slope[0]) * grid[None, :] + np.float32(slope[1]) * grid[:, None]
    back.attenuation += np.float32(rng.uniform(0.04, 0.12)) * _cut(
        rng, clouds, canvas_size, 1.6 * zoom
    )
    spine_x = rng.uniform(-1.3, 1.3) * half
    if rng.random() < 0.75:
        _spine(rng, back, spine_x, rng.normal(0, 0.07))
    if rng.random() < 0.85:
        _ribs(rng, back, spine_x)
    if rng.random() < 0.2:  # arm, table edge or pad: one straight soft border
        turn = rng.uniform(0, 2 * np.pi)
        normal = np.array([np.cos(turn), np.sin(turn)])
        side = np.array([-normal[1], normal[0]])
        corner = normal * rng.uniform(0.5, 0.9) * half
        edge = np.stack([corner - side * 400, corner + side * 400,
                         corner + side * 400 + normal * 400, corner - side * 400 + normal * 400])  # fmt: skip
        back.area(edge, rng.uniform(0.1, 0.35), rng.uniform(0.3, 2.0))
    _hardware(rng, back)

    chest = _Canvas(canvas_size, pixels_per_mm)
    chest.attenuation += np.float32(rng.uniform(0.01, 0.035)) * _cut(
        rng, strands, canvas_size, 1.3 * zoom
    )
    chest.attenuation += np.float32(rng.uniform(0.02, 0.05)) * _cut(
        rng, clouds, canvas_size, 0.8 * zoom
    )
    if rng.random() < 0.75:  # dome of the diaphragm
        angles = np.linspace(0, 2 * np.pi, 80)
        width = rng.uniform(0.8, 1.8) * half
        height = rng.uniform(0.7, 1.2) * half
        centre = np.array([rng.uniform(-0.9, 0.9) * half, rng.uniform(0.15, 0.9) * half + height])
        dome = centre + np.stack([width * np.cos(angles), height * np.sin(angles)], 1)
        chest.area(dome, rng.uniform(0.12, 0.4), rng.uniform(0.4, 1.2))
        chest.area(dome + np.array([0, 25]), rng.uniform(0.0, 0.15), 10)

    heart = _Canvas(canvas_size, pixels_per_mm)
    middle = rng.uniform(-0.3, 0.3, 2) * half
    angles = np.linspace(0, 2 * np.pi, 60)
    wobble = (
        1
        + 0.06 * np.cos(2 * angles + rng.uniform(0, 6))
        + 0.04 * np.cos(3 * angles + rng.uniform(0, 6))
    )
    turn = rng.uniform(0, np.pi)
    shape = np.stack(
        [rng.uniform(45, 65) * np.cos(angles), rng.uniform(35, 48) * np.sin(angles)], 1
    )
    shape = (
        shape
        * wobble[:, None]
        @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    )
    heart.area(middle + shape, rng.uniform(0.08, 0.3), rng.uniform(0.8, 4.0))
    heart.attenuation += np.float32(rng.uniform(0.0, 0.02)) * _cut(
        rng, strands, canvas_size, 1.6 * zoom
    )
    heart_centre = middle * pixels_per_mm + canvas_size / 2
    return Anatomy(
        back=back.attenuation,
        chest=chest.attenuation,
        heart=heart.attenuation,
        heart_centre=(float(heart_centre[0]), float(heart_centre[1])),
        margin=margin,
    )
