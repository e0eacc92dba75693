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
        clouds += octave * np.float32((6 / cells) ** 0.75)
    clouds = (clouds - clouds.mean()) / clouds.std()
    strands = np.zeros((_BANK_SIZE, _BANK_SIZE), np.float32)
    for width, count, softness in ((6, 120, 4.5), (4, 420, 3.0), (2, 900, 1.6)):
        drawn = np.zeros((_BANK_SIZE, _BANK_SIZE), np.uint8)
        for _ in range(count):
            heading = rng.uniform(0, 2 * np.pi)
            turns = np.cumsum(0.25 * rng.standard_normal(16)) + heading
            steps = rng.uniform(3, 8) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
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
    """One layer, drawn in mm from the middle of the canvas.

    Shapes of like softness are inked together and blurred once, when ``finish`` adds them up.
    """

    _SOFTNESS_MM = (0.12, 0.4, 1.0, 2.2, 5.0, 10.0)

    def __init__(self, size: int, pixels_per_mm: float) -> None:
        self.size = size
        self.scale = pixels_per_mm
        self.attenuation = np.zeros((size, size), np.float32)
        self._stencil = np.zeros((size, size), np.uint8)
        self._inks: dict[float, FloatArray] = {}

    def line(
        self, points_mm: NDArray[np.floating], width_mm: float, level: float, soft_mm: float
    ) -> None:
        """Add a line of attenuation ``level`` with soft edges."""
        points, box = self._place(points_mm, width_mm)
        width = max(1, round(width_mm * self.scale))
        cv2.polylines(self._stencil, [points], False, 255, width, cv2.LINE_AA, shift=4)
        self._ink(box, level * min(1.0, width_mm * self.scale), soft_mm)

    def area(self, points_mm: NDArray[np.floating], level: float, soft_mm: float) -> None:
        """Add a filled polygon with soft edges."""
        points, box = self._place(points_mm, 0)
        cv2.fillPoly(self._stencil, [points], 255, cv2.LINE_AA, shift=4)
        self._ink(box, level, soft_mm)

    def finish(self) -> FloatArray:
        """Blur the inks and return the layer."""
        for soft_mm, ink in self._inks.items():
            sigma = soft_mm * self.scale
            if sigma > 4:  # a soft edge needs no full resolution
                small = max(8, round(self.size / sigma * 3))
                ink = cv2.resize(ink, (small, small), interpolation=cv2.INTER_AREA)
                ink = cv2.GaussianBlur(ink, (0, 0), 3.0)
                ink = cv2.resize(ink, (self.size, self.size), interpolation=cv2.INTER_CUBIC)
            else:
                ink = cv2.GaussianBlur(ink, (0, 0), max(sigma, 0.4))
            self.attenuation += ink
        self._inks.clear()
        return self.attenuation

    def _place(
        self, points_mm: NDArray[np.floating], width_mm: float
    ) -> tuple[NDArray[np.int32], tuple[slice, slice]]:
        """Fixed-point pixels (4 bits), and the box that the drawing may touch."""
        points = np.asarray(points_mm, float) * self.scale + self.size / 2
        reach = width_mm * self.scale / 2 + 2
        low = np.clip(np.floor(points.min(0) - reach), 0, self.size).astype(int)
        high = np.clip(np.ceil(points.max(0) + reach) + 1, 0, self.size).astype(int)
        fixed = np.clip(np.round(points * 16), -1e6, 1e6).astype(np.int32).reshape(-1, 1, 2)
        return fixed, (slice(low[1], high[1]), slice(low[0], high[0]))

    def _ink(self, box: tuple[slice, slice], level: float, soft_mm: float) -> None:
        soft = min(self._SOFTNESS_MM, key=lambda known: abs(np.log(known / max(soft_mm, 0.01))))
        if soft not in self._inks:
            self._inks[soft] = np.zeros((self.size, self.size), np.float32)
        stencil = self._stencil[box]
        self._inks[soft][box] += stencil * np.float32(level / 255)
        stencil[:] = 0


def _spine(rng: np.random.Generator, canvas: _Canvas, x_mm: float, tilt: float) -> None:
    """Vertebral bodies with end plates, discs, pedicles and spinous processes."""
    half = canvas.size / canvas.scale / 2 + 30
    height, width = rng.uniform(22, 30), rng.uniform(26, 40)
    level = rng.uniform(0.15, 0.45)
    detail = rng.uniform(0.15, 0.6) * level
    soft = rng.choice((0.4, 1.0, 2.2))
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])

    def place(points: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.array([x_mm, 0]) + points @ turn

    rows = np.arange(-1.5 * half, 1.5 * half, height / 8)
    waists = rng.uniform(0.0, 0.04) * np.cos(2 * np.pi * rows / height)  # waisted bodies
    edges = []
    for _ in range(2):
        uneven = np.interp(rows, rows[::4], 0.03 * rng.standard_normal(len(rows[::4])))
        edges.append(width * (0.56 + waists + uneven))
    sides = np.concatenate([np.stack([-edges[0], rows], 1), np.stack([edges[1], rows], 1)[::-1]])
    canvas.area(place(sides), level, soft)
    if rng.random() < 0.5:  # soft tissue beside the spine fades out on one side
        canvas.area(place(sides) + np.array([rng.normal(0, 12), 0]), 0.5 * level, 5.0)
    start, plates = -half - rng.uniform(0, height), rng.uniform(0.05, 0.7)
    for top in np.arange(start, half, height):
        bottom = top + height * 0.84
        rows = np.linspace(top, bottom, 5)
        waist = width * 0.5 * np.array([1.05, 0.94, 0.9, 0.94, 1.05])
        body = np.concatenate([np.stack([-waist, rows], 1), np.stack([waist, rows], 1)[::-1]])
        canvas.area(place(body), detail * rng.uniform(0.3, 0.6), 1.0)
        across = np.linspace(-1, 1, 9)
        for row in (top, bottom):
            bow = row + rng.uniform(-1.2, 1.2) * across**2
            plate = np.stack([across * waist[0], bow], 1)
            width_mm, strength = rng.uniform(0.7, 1.6), detail * plates * rng.uniform(0.3, 1)
            canvas.line(place(plate), width_mm, strength, 0.4)
        angles = np.linspace(0, 2 * np.pi, 20)
        for side in (-1, 1):
            centre = np.array([side * width * 0.3, top + height * 0.3]) + rng.normal(0, 0.7, 2)
            ring = centre + np.stack([2.6 * np.cos(angles), 4.2 * np.sin(angles)], 1)
            canvas.line(place(ring), 1.0, detail * plates * rng.uniform(0.2, 0.9), 0.4)
        spinous = np.array([[0.0, top + height * 0.3], [0.5, top + height * 0.62]])
        canvas.line(place(spinous), 4.0, detail * 0.3, 1.0)


def _ribs(rng: np.random.Generator, canvas: _Canvas, x_mm: float) -> None:
    """Bands with faint cortical edges, fanning out from the spine on both sides."""
    half = canvas.size / canvas.scale / 2 + 20
    gap, level = rng.uniform(24, 36), rng.uniform(0.01, 0.06)
    for side in (-1, 1):
        slope, bow = rng.uniform(0.1, 0.8), rng.uniform(0.001, 0.006)
        for row in np.arange(-half - 60, half + 60, gap):
            u = np.linspace(0, 2 * half, 30)
            here = slope + rng.normal(0, 0.05)
            path = np.stack([x_mm + side * (15 + u), row + here * u + bow * u**2], 1)
            width = rng.uniform(7, 12)
            strength = level * rng.uniform(0.4, 1.2)
            canvas.line(path, width, strength, rng.choice((1.0, 2.2)))
            for border in (-0.5, 0.5):
                edge = path + np.array([0, border * width])
                canvas.line(edge, 0.9, strength * rng.uniform(0, 0.7), 0.4)


def _chest_wall(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Side of the chest seen along its surface: long curves side by side, denser outwards."""
    half = canvas.size / canvas.scale / 2
    turn = rng.uniform(0, 2 * np.pi)
    outwards = np.array([np.cos(turn), np.sin(turn)])
    along = np.array([-outwards[1], outwards[0]])
    u = np.linspace(-1.6, 1.6, 30) * half
    bow = rng.uniform(0.0005, 0.004)
    distance = rng.uniform(0.2, 0.8) * half
    for _ in range(rng.integers(4, 10)):
        bend = distance - bow * u**2 + rng.uniform(-0.08, 0.08) * u
        path = u[:, None] * along + bend[:, None] * outwards
        canvas.line(path, rng.uniform(1.5, 9), rng.uniform(0.02, 0.08), rng.choice((0.4, 1.0, 2.2)))
        if rng.random() < 0.5:
            beyond = np.concatenate([path, path[::-1] + 4 * half * outwards])
            canvas.area(beyond, rng.uniform(0.01, 0.07), rng.choice((0.4, 1.0, 2.2)))
        distance += rng.uniform(2, 14)


def _sternal_wire(rng: np.random.Generator, canvas: _Canvas, centre: NDArray[np.floating]) -> None:
    """One loop of wire, seen nearly from its edge or face on, with its twisted ends."""
    angles = np.linspace(0.2, 2 * np.pi - 0.2, 24)
    tall, wide = rng.uniform(5, 8), rng.uniform(1.0, 5.5)
    bent = 1 + 0.12 * np.sin(2 * angles + rng.uniform(0, 6))
    ring = np.stack([tall * np.cos(angles) * bent, wide * np.sin(angles)], 1)
    twist_at = np.arange(0, 4.5, 0.4)
    twist = np.stack([tall + twist_at, 0.4 * np.sin(4 * twist_at)], 1)
    turn = rng.uniform(0, 2 * np.pi)
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    level = rng.uniform(0.3, 0.7)
    canvas.line(centre + ring @ turned, 0.6, level, 0.12)
    canvas.line(centre + twist @ turned, 0.8, level, 0.12)


def _hardware(rng: np.random.Generator, canvas: _Canvas) -> None:
    """Things on and in the chest wall: sternal wires, clips, ECG leads, a pacemaker."""
    half = canvas.size / canvas.scale / 2
    if rng.random() < 0.12:  # sternal wires
        column = rng.uniform(-0.8, 0.8) * half
        for row in np.arange(-half, half, rng.uniform(24, 36)):
            _sternal_wire(rng, canvas, np.array([column, row]) + rng.normal(0, 2.5, 2))
    if rng.random() < 0.12:  # surgical clips
        for _ in range(rng.integers(2, 8)):
            turn = rng.uniform(0, np.pi)
            arm = rng.uniform(1.2, 2.2) * np.array([np.cos(turn), np.sin(turn)])
            place = rng.uniform(-half, half, 2)
            for bow in (-0.3, 0.3):
                middle = place + bow * np.array([-arm[1], arm[0]])
                canvas.line(np.stack([place - arm, middle, place + arm]), 0.35, 0.6, 0.12)
    for _ in range(rng.integers(0, 3) if rng.random() < 0.45 else 0):  # ECG lead with its snap
        place = rng.uniform(-half, half, 2)
        turns = np.cumsum(0.06 * rng.standard_normal(40)) + rng.uniform(0, 2 * np.pi)
        wire = place + np.cumsum(6 * np.stack([np.cos(turns), np.sin(turns)], 1), axis=0)
        canvas.line(wire, 0.9, rng.uniform(0.05, 0.2), 0.2)
        angles = np.linspace(0, 2 * np.pi, 20)
        disc = place + rng.uniform(1.8, 3.5) * np.stack([np.cos(angles), np.sin(angles)], 1)
        canvas.area(disc, rng.uniform(0.2, 0.8), 0.2)
        if rng.random() < 0.4:  # coiled electrode
            beside = rng.uniform(-8, 8, 2)
            step = rng.uniform(0.8, 1.4) * beside[::-1] / (np.linalg.norm(beside) + 1e-3)
            oval = place + beside + (disc - place) * np.array([0.5, 1.0])
            for turn in range(rng.integers(4, 8)):
                canvas.line(oval + turn * step, 0.4, 0.25, 0.12)
    if rng.random() < 0.06:  # pacemaker can
        place = np.array([rng.choice([-1, 1]) * half * 0.8, -half * 0.75])
        angles = np.linspace(0, 2 * np.pi, 40)
        round_x, round_y = np.cos(angles), np.sin(angles)
        can = place + np.stack([22 * np.sign(round_x) * np.abs(round_x) ** 0.6,
                                19 * np.sign(round_y) * np.abs(round_y) ** 0.6], 1)  # fmt: skip
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
    canvas_size = size + 2 * margin
    heart, heart_centre = _heart(rng, canvas_size, pixels_per_mm)
    return Anatomy(
        back=_back(rng, canvas_size, pixels_per_mm),
        chest=_chest(rng, canvas_size, pixels_per_mm),
        heart=heart,
        heart_centre=heart_centre,
        margin=margin,
    )


def _back(rng: np.random.Generator, size: int, pixels_per_mm: float) -> FloatArray:
    """Soft tissue, spine, ribs, and what lies on the skin."""
    canvas = _Canvas(size, pixels_per_mm)
    half = size / pixels_per_mm / 2
    grid = np.linspace(-1, 1, size, dtype=np.float32)
    slope = rng.normal(0, 0.12, 2).astype(np.float32)
    canvas.attenuation += slope[0] * grid[None, :] + slope[1] * grid[:, None]
    clouds = _cut(rng, _texture_bank()[0], size, pixels_per_mm / 2.2)
    canvas.attenuation += np.float32(rng.uniform(0.03, 0.09)) * clouds
    spine_x = rng.uniform(-1.3, 1.3) * half
    if rng.random() < 0.75:
        _spine(rng, canvas, spine_x, rng.normal(0, 0.07))
    if rng.random() < 0.75:
        _ribs(rng, canvas, spine_x)
    if rng.random() < 0.4:
        _chest_wall(rng, canvas)
    if rng.random() < 0.2:  # arm, table edge or pad: one straight border
        turn = rng.uniform(0, 2 * np.pi)
        normal = np.array([np.cos(turn), np.sin(turn)])
        side = 400 * np.array([-normal[1], normal[0]])
        corner, far = normal * rng.uniform(0.5, 0.9) * half, 400 * normal
        edge = np.stack([corner - side, corner + side, corner + side + far, corner - side + far])
        canvas.area(edge, rng.uniform(0.1, 0.35), rng.uniform(0.3, 2.0))
    _hardware(rng, canvas)
    return canvas.finish()


def _chest(rng: np.random.Generator, size: int, pixels_per_mm: float) -> FloatArray:
    """Lung markings and the dome of the diaphragm."""
    canvas = _Canvas(size, pixels_per_mm)
    half = size / pixels_per_mm / 2
    clouds, strands = _texture_bank()
    markings = _cut(rng, strands, size, pixels_per_mm / 2.7)
    canvas.attenuation += np.float32(rng.uniform(0.008, 0.034)) * markings
    patches = _cut(rng, clouds, size, pixels_per_mm / 4.5)
    canvas.attenuation += np.float32(rng.uniform(0.025, 0.07)) * patches
    if rng.random() < 0.75:
        angles = np.linspace(0, 2 * np.pi, 80)
        width, height = rng.uniform(0.8, 1.8) * half, rng.uniform(0.7, 1.2) * half
        centre = np.array([rng.uniform(-0.9, 0.9) * half, rng.uniform(0.15, 0.9) * half + height])
        dome = centre + np.stack([width * np.cos(angles), height * np.sin(angles)], 1)
        canvas.area(dome, rng.uniform(0.15, 0.5), rng.choice((0.4, 1.0)))
        canvas.area(dome + np.array([0, 25]), rng.uniform(0.0, 0.15), 10)
    return canvas.finish()


def _heart(
    rng: np.random.Generator, size: int, pixels_per_mm: float
) -> tuple[FloatArray, tuple[float, float]]:
    """Shadow of the heart, and its centre in canvas pixels."""
    canvas = _Canvas(size, pixels_per_mm)
    middle = rng.uniform(-0.6, 0.6, 2) * size / pixels_per_mm / 2
    angles = np.linspace(0, 2 * np.pi, 60)
    wobble = 1 + 0.07 * np.cos(2 * angles + rng.uniform(0, 6))
    wobble += 0.06 * np.cos(3 * angles + rng.uniform(0, 6))
    turn = rng.uniform(0, np.pi)
    axes = np.stack([rng.uniform(50, 85) * np.cos(angles), rng.uniform(38, 60) * np.sin(angles)], 1)
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    outline = middle + axes * wobble[:, None] @ turned
    level, soft = rng.uniform(0.05, 0.32), float(rng.choice((1.0, 2.2, 5.0, 10.0)))
    canvas.area(outline, 0.5 * level, soft)
    canvas.area(middle + 0.85 * (outline - middle), 0.5 * level, 10.0)
    markings = _cut(rng, _texture_bank()[1], size, pixels_per_mm / 2.2)
    canvas.attenuation += np.float32(rng.uniform(0.0, 0.02)) * markings
    centre = middle * pixels_per_mm + size / 2
    return canvas.finish(), (float(centre[0]), float(centre[1]))
