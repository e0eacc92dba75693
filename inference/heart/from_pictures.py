"""The phase of the heart estimated from the pictures alone.

Pictures are reduced, slow changes (breathing, table, contrast that stays) taken out, and the
components that repeat themselves after one beat kept, as in gating by pictures (Lehmann et al.,
Med. Phys. 2006); the phase is that of their analytic signal (Gabor 1946). Where the beat begins
follows from how fast the picture moves: fast as the ventricles contract and as they fill, slowly
before the next beat (the curves of Wiggers, Am. J. Physiol. 1921), whatever the projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from inference.frames import FloatFrame, ShouldStop
from inference.heart.phase import HeartPhase

Floats = NDArray[np.float64]

LEAST_CONFIDENCE = 0.7
"""Correlation of the pictures one beat apart from which they tell a heart."""
LEAST_BEATS = 2.0
_FASTEST_HZ, _SLOWEST_HZ = 3.0, 0.7
_SIDE_PX = 64
_SLOW_S = 0.45
"""Deviation of the Gaussian whose mean is taken for what changes slowly."""
_COMPONENTS = 8
_LEAST_FRAMES = 8
_NEARLY_AS_GOOD = 0.85
"""Two beats on, pictures are as alike as one beat on: the shorter one of such lags is the beat."""
_BANDWIDTH = 0.45
"""Of the band about the beat's frequency, as a share of it: rhythm may vary by so much."""
_UNEVEN = 0.2
"""Share by which beats of a run may differ in length."""
_BURSTS = ((0.16, 0.08, 1.0), (0.49, 0.07, 1.0), (0.89, 0.04, 0.4))
"""When the heart moves: (phase, width, speed) of contraction, filling and the atria's kick."""
_LEAST_PATTERN = 0.35
"""Correlation of the motion over the beat with these bursts, below which it is no heart."""
_OFFSETS = np.arange(0.0, 1.0, 0.01)


@dataclass(frozen=True)
class _Beat:
    lag: float  # frames, with a fraction
    likeness: float  # correlation of the best component one beat apart
    shares: Floats  # (components,): how well each repeats itself, 0 to 1


def phase_from_pictures(
    read: Callable[[int], FloatFrame],
    times_ms: Floats,
    should_stop: ShouldStop = lambda: False,
) -> HeartPhase | None:
    """Estimate each frame's phase; None where no heart shows, or fewer than two beats of it.

    Parameters
    ----------
    read : callable
        ``read(index)`` gives a frame, (rows, columns) of any real type; each is read once.
    times_ms : ndarray, shape (T,)
        Increasing.
    should_stop : callable
        True gives up: None.

    Returns
    -------
    HeartPhase or None
        Its ``confidence`` is the correlation of the pictures one beat apart.
    """
    times_ms = np.asarray(times_ms, np.float64)
    count = len(times_ms)
    if count < _LEAST_FRAMES or not (np.diff(times_ms) > 0).all():
        return None
    small = []
    for index in range(count):
        if should_stop():
            return None
        size = (_SIDE_PX, _SIDE_PX)
        frame = cv2.resize(read(index).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        small.append(frame.ravel() - np.median(frame))
    even_ms = np.linspace(times_ms[0], times_ms[-1], count)
    step_s = float(even_ms[1] - even_ms[0]) / 1000.0
    motion = _components(_evenly(np.stack(small), times_ms, even_ms), step_s)
    beat = _repeating(motion, step_s)
    if beat is None or beat.likeness < LEAST_CONFIDENCE:
        return None
    motion = motion * np.sqrt(beat.shares)
    turns = _turns(motion, beat.lag)
    if turns[-1] - turns[0] < LEAST_BEATS:
        return None
    offset, pattern = _beginning(motion, turns)
    if pattern < _LEAST_PATTERN:
        return None
    turns = np.maximum.accumulate(turns + offset)
    starts = np.arange(np.ceil(turns[0]), np.floor(turns[-1]) + 1)
    starts_ms = np.interp(starts, turns, even_ms)
    slope = np.polyfit(even_ms, turns, 1)[0]
    phase = np.mod(np.interp(times_ms, even_ms, turns), 1.0)
    return HeartPhase(phase, tuple(starts_ms.tolist()), 1.0 / slope, False, beat.likeness)


def _evenly(pictures: FloatFrame, times_ms: Floats, even_ms: Floats) -> Floats:
    """Interpolate pictures (T, pixels) to times that are evenly spaced."""
    after = np.clip(np.searchsorted(times_ms, even_ms), 1, len(times_ms) - 1)
    share = (even_ms - times_ms[after - 1]) / (times_ms[after] - times_ms[after - 1])
    share = np.clip(share, 0.0, 1.0)[:, None]
    return np.asarray(pictures[after - 1] * (1.0 - share) + pictures[after] * share)


def _components(pictures: Floats, step_s: float) -> Floats:
    """Return the strongest components (T, k) of what changes fast, no pixel or frame ruling."""
    fast = pictures - gaussian_filter1d(pictures, _SLOW_S / step_s, axis=0, mode="nearest")
    spread = 1.4826 * np.median(np.abs(fast), axis=0)
    fast = np.clip(fast, -3.0 * spread, 3.0 * spread)
    fast /= np.sqrt(spread + np.median(spread)) + 1e-9
    fast -= fast.mean(axis=0)
    energies, vectors = np.linalg.eigh(fast @ fast.T)
    strongest = np.argsort(energies)[::-1][: min(_COMPONENTS, len(fast) - 1)]
    return np.asarray(vectors[:, strongest] * np.sqrt(np.maximum(energies[strongest], 0.0)))


def _repeating(motion: Floats, step_s: float) -> _Beat | None:
    """Find the lag after which a component repeats itself best."""
    last = min(int(1.0 / (_SLOWEST_HZ * step_s)) + 1, len(motion) // 2 + 1)
    first = max(2, int(np.ceil(1.0 / (_FASTEST_HZ * step_s))))
    alike = np.array([_alike(motion, lag) for lag in range(last + 1)])  # (lags, components)
    peaks = [
        (float(alike[lag, k]), k, lag)
        for lag in range(first, last)
        for k in range(motion.shape[1])
        if alike[lag, k] >= max(alike[lag - 1, k], alike[lag + 1, k])
    ]
    if not peaks:
        return None
    best, component, _ = max(peaks)
    if best <= 0:
        return None
    good = [p for p in peaks if p[1] == component and p[0] > _NEARLY_AS_GOOD * best]
    likeness, _, lag = min(good, key=lambda peak: peak[2])
    before, here, after = alike[lag - 1 : lag + 2, component]
    bend = before - 2.0 * here + after
    fraction = 0.5 * (before - after) / bend if bend < 0 else 0.0
    # Beats differ in length, so that a component may repeat itself best a little sooner or later.
    about = alike[max(1, round(lag * (1 - _UNEVEN))) : round(lag * (1 + _UNEVEN)) + 1].max(axis=0)
    return _Beat(lag + float(fraction), likeness, np.where(about > 0.5 * likeness, about, 0.0))


def _alike(motion: Floats, lag: int) -> Floats:
    """Correlate each component with itself ``lag`` frames on."""
    earlier, later = motion[: len(motion) - lag], motion[lag:]
    scale = np.sqrt(np.square(earlier).sum(axis=0) * np.square(later).sum(axis=0))
    return np.asarray((earlier * later).sum(axis=0) / np.maximum(scale, 1e-12))


def _turns(motion: Floats, lag: float) -> Floats:
    """Return beats since some beginning, (T,): the angle of the analytic signal about one beat."""
    count = len(motion)
    mirrored = np.concatenate([motion[::-1], motion, motion[::-1]])
    frequency = np.fft.fftfreq(len(mirrored)) * lag  # in beats
    band = np.exp(-0.5 * np.square((frequency - 1.0) / _BANDWIDTH)) * (frequency > 0)
    analytic = np.fft.ifft(np.fft.fft(mirrored, axis=0) * band[:, None], axis=0)
    left, _, _ = np.linalg.svd(analytic[count : 2 * count], full_matrices=False)
    angle = np.unwrap(np.angle(left[:, 0]))
    return np.asarray(angle / (2.0 * np.pi))


def _beginning(motion: Floats, turns: Floats) -> tuple[float, float]:
    """Return what to add to ``turns`` so that beats begin at whole ones, and how well that fits."""
    speed = np.linalg.norm(np.diff(motion, axis=0), axis=1)
    speed = np.minimum(speed, np.quantile(speed, 0.9))
    if np.ptp(speed) == 0:
        return 0.0, 0.0
    middle = 0.5 * (turns[1:] + turns[:-1])
    fits = [np.corrcoef(_usual_speed(middle + offset), speed)[0, 1] for offset in _OFFSETS]
    best = int(np.argmax(fits))
    return float(_OFFSETS[best]), float(fits[best])


def _usual_speed(phase: Floats) -> Floats:
    speed = np.zeros_like(phase)
    for at, width, height in _BURSTS:
        away = (phase - at + 0.5) % 1.0 - 0.5
        speed += height * np.exp(-0.5 * np.square(away / width))
    return speed
