"""What moves a run: heart, breathing, table and the injection, as functions of time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ECG_HZ = 500.0


class Motion(StrEnum):
    """What moves the picture."""

    TABLE = "table"
    BREATHING = "breathing"
    HEART = "heart"


@dataclass(frozen=True)
class Rhythm:
    """Times and phases of one run; every array has one row a frame."""

    times_ms: NDArray[np.float64]
    heart_phase: FloatArray
    contraction: FloatArray  # (T, 2): 0 relaxed to 1 contracted; the second lags the first
    breathing_phase: FloatArray
    breath: FloatArray  # (T,): -1 to 1
    table_shift: FloatArray  # (T, 2), pixels
    r_wave_times_ms: tuple[float, ...]
    ecg: FloatArray

    def only(self, motions: Collection[Motion]) -> Rhythm:
        """Return the rhythm with all else at rest; its phases and ECG go on."""
        return replace(
            self,
            contraction=self.contraction * (Motion.HEART in motions),
            breath=self.breath * (Motion.BREATHING in motions),
            table_shift=self.table_shift * (Motion.TABLE in motions),
        )


def contraction(phase: NDArray[np.floating]) -> NDArray[np.floating]:
    """Shape of one beat: systole to 0.32, relaxed by 0.62, atrial kick near 0.9."""
    phase = np.mod(phase, 1.0)
    rise = np.clip(phase / 0.32, 0, 1)
    fall = np.clip((phase - 0.36) / 0.26, 0, 1)
    beat = (0.5 - 0.5 * np.cos(np.pi * rise)) * (0.5 + 0.5 * np.cos(np.pi * fall))
    return beat - 0.16 * np.exp(-0.5 * ((phase - 0.88) / 0.05) ** 2)


def electrocardiogram(r_waves_ms: NDArray[np.floating], duration_ms: float) -> FloatArray:
    """Draw an ECG (mV, ``ECG_HZ``) as a sum of Gaussian P, Q, R, S and T waves a beat."""
    times = np.arange(0.0, duration_ms, 1000.0 / ECG_HZ)
    signal = np.zeros_like(times)
    waves = ((-170, 24, 0.13), (-26, 8, -0.12), (0, 10, 1.05), (27, 9, -0.24), (265, 48, 0.28))
    for r_wave in r_waves_ms:
        for offset, width, height in waves:
            signal += height * np.exp(-0.5 * ((times - r_wave - offset) / width) ** 2)
    return signal.astype(np.float32)


def make_rhythm(
    rng: np.random.Generator,
    frame_count: int,
    frames_per_second: float,
    table_path_px: float,
    breathing: bool,
) -> Rhythm:
    """Draw heart rate, breathing and the table's path."""
    times = np.arange(frame_count, dtype=np.float64) * (1000.0 / frames_per_second)
    duration = frame_count * 1000.0 / frames_per_second
    interval = 60000.0 / rng.uniform(52, 98)
    beat_count = int(duration / interval) + 5
    beats = interval * (1 + 0.04 * rng.standard_normal(beat_count))
    r_waves = np.cumsum(beats) - interval * rng.uniform(1.0, 2.0)
    which = np.searchsorted(r_waves, times, side="right") - 1
    before = np.where(which >= 0, r_waves[np.maximum(which, 0)], r_waves[0] - interval)
    phase = np.asarray((times - before) / (r_waves[which + 1] - before))
    both = np.stack([contraction(phase), contraction(phase - rng.uniform(0.06, 0.16))], axis=1)

    period = rng.uniform(3000, 5500)
    breathing_phase = np.mod(times / period + rng.uniform(), 1.0)
    depth = 1.0 if breathing else rng.uniform(0, 0.15)
    breath = -np.cos(2 * np.pi * breathing_phase) * depth

    shift = np.zeros((frame_count, 2))
    if table_path_px > 0:
        start = rng.uniform(0.1, 0.5) * duration
        length = rng.uniform(0.2, 0.5) * duration
        progress = np.clip((times - start) / length, 0, 1)
        progress = progress**2 * (3 - 2 * progress)
        direction = rng.uniform(0, 2 * np.pi)
        shift = progress[:, None] * table_path_px * np.array([np.cos(direction), np.sin(direction)])
    shown = r_waves[(r_waves >= 0) & (r_waves < duration)]
    return Rhythm(
        times_ms=times,
        heart_phase=phase.astype(np.float32),
        contraction=both.astype(np.float32),
        breathing_phase=breathing_phase.astype(np.float32),
        breath=breath.astype(np.float32),
        table_shift=shift.astype(np.float32),
        r_wave_times_ms=tuple(float(r) for r in shown),
        ecg=electrocardiogram(r_waves, duration),
    )


@dataclass(frozen=True)
class HeartField:
    """Motion of the heart: affine in 3D position, driven by two contraction curves.

    A point at rest ``p`` (x, y, z) lies at ``p + sum_k c_k (d_k + M_k (p - centre))``.
    """

    centre: FloatArray  # (3,)
    shifts: FloatArray  # (2, 2)
    gradients: FloatArray  # (2, 2, 3)
    breath_shift: FloatArray  # (2,), pixels at full inspiration
    rhythm: Rhythm

    def affine(self, frame: int) -> tuple[FloatArray, FloatArray]:
        """Matrix (2, 3) and offset (2,) that take 3D rest positions to this frame's (x, y)."""
        weights = self.rhythm.contraction[frame]
        gradient = np.tensordot(weights, self.gradients, axes=1)
        matrix = gradient.copy()
        matrix[0, 0] += 1
        matrix[1, 1] += 1
        offset = weights @ self.shifts - gradient @ self.centre
        offset = offset + self.breath_shift * self.rhythm.breath[frame]
        offset = offset + self.rhythm.table_shift[frame]
        return matrix.astype(np.float32), offset.astype(np.float32)

    def displacement(self, point: FloatArray, frame: int) -> FloatArray:
        """Displacement (2,) of one rest position (3,), table and breathing included."""
        matrix, offset = self.affine(frame)
        return matrix @ point + offset - point[:2]


def make_heart_field(
    rng: np.random.Generator, rhythm: Rhythm, centre: FloatArray, unit: float
) -> HeartField:
    """Draw directions and sizes; ``unit`` is the size of a pixel of a 512 matrix."""
    angle = rng.uniform(0.15, 1.3) * np.pi  # mostly downwards, as the base descends in systole
    first = rng.uniform(12, 48) * unit * np.array([np.cos(angle), np.sin(angle)])
    angle += rng.choice([-1, 1]) * rng.uniform(0.3, 0.7) * np.pi
    second = rng.uniform(4, 26) * unit * np.array([np.cos(angle), np.sin(angle)])
    gradients = 0.05 * rng.standard_normal((2, 2, 3))
    gradients[0, 0, 0] -= rng.uniform(0.03, 0.12)
    gradients[0, 1, 1] -= rng.uniform(0.03, 0.12)
    return HeartField(
        centre=centre.astype(np.float32),
        shifts=np.stack([first, second]).astype(np.float32),
        gradients=gradients.astype(np.float32),
        breath_shift=np.array([rng.normal(0, 3), rng.uniform(5, 24)], np.float32)
        * np.float32(unit),
        rhythm=rhythm,
    )


@dataclass(frozen=True)
class Injection:
    """Iodine at the tip over time; none where ``duration_ms`` is 0."""

    start_ms: float
    duration_ms: float
    strength_mgi: float  # plateau, mg iodine / ml
    washout_ms: float

    def concentration(
        self, times_ms: NDArray[np.floating] | float, delay_ms: NDArray[np.floating] | float = 0.0
    ) -> NDArray[np.floating]:
        """Iodine (mg/ml) at points that contrast reaches ``delay_ms`` after the tip."""
        since = np.asarray(times_ms) - self.start_ms - delay_ms
        if self.duration_ms <= 0:
            return np.zeros_like(since)
        width = 45.0 + 0.10 * np.asarray(delay_ms)
        rise = 1 / (1 + np.exp(-np.clip((since - 2 * width) / width, -30, 30)))
        late = np.maximum(since - self.duration_ms, 0)
        return self.strength_mgi * rise * np.exp(-late / (self.washout_ms + 0.5 * width))
