"""Other denoisers, run on the same frames: classical, and free of any weights of ours."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.denoising.noise import NoiseModel

Frames = NDArray[np.generic]
Stack = NDArray[np.float32]
Denoise = Callable[[Frames, NoiseModel, Sequence[int]], Stack]
"""``denoise(frames, noise, wanted)`` gives the wanted frames, float32 on the frames' grey scale."""

RECURSION = 0.2
NVCA_REACH = 2
NVCA_DEVIATIONS = 2.0


def as_they_are(frames: Frames, noise: NoiseModel, wanted: Sequence[int]) -> Stack:
    """Give the noisy frames back."""
    return frames[list(wanted)].astype(np.float32)


def recursive_filter(frames: Frames, noise: NoiseModel, wanted: Sequence[int]) -> Stack:
    """Filter recursively with motion detection, as scanners do it: past frames, no compensation.

    Where the 5x5 mean of the difference to the recursion exceeds the noise, the new frame is let
    in whole.
    """
    out = frames.astype(np.float32)
    for k in range(1, len(out)):
        deviation = np.interp(out[k - 1], noise.levels, noise.deviations).astype(np.float32)
        difference = out[k] - out[k - 1]
        moved = np.abs(cv2.blur(difference, (5, 5))) / (deviation * 0.5)
        weight = RECURSION + (1.0 - RECURSION) / (1.0 + np.exp(-4.0 * (moved - 1.5)))
        out[k] = out[k - 1] + weight.astype(np.float32) * difference
    return out[list(wanted)]


def noise_variance_calibrated(frames: Frames, noise: NoiseModel, wanted: Sequence[int]) -> Stack:
    """Average 5x5x5 neighbours within two deviations of the noise (NVCA, BioMed Eng OnLine 2019).

    The pixel itself decides who belongs to it by its 3x3 mean.
    """
    stack = frames.astype(np.float32)
    r = NVCA_REACH
    smooth = np.stack([cv2.blur(f, (3, 3)) for f in stack])
    padded = np.pad(stack, ((0, 0), (r, r), (r, r)), mode="reflect")
    out = []
    rows, columns = stack.shape[1:]
    for k in wanted:
        limit = NVCA_DEVIATIONS * np.interp(smooth[k], noise.levels, noise.deviations)
        total, count = np.zeros((rows, columns)), np.zeros((rows, columns))
        for j in range(max(0, k - r), min(len(stack), k + r + 1)):
            for dy in range(2 * r + 1):
                for dx in range(2 * r + 1):
                    other = padded[j, dy : dy + rows, dx : dx + columns]
                    near = np.abs(other - smooth[k]) < limit
                    total += other * near
                    count += near
        out.append(np.where(count > 0, total / np.maximum(count, 1), stack[k]))
    return np.stack(out).astype(np.float32)


def non_local_means(frames: Frames, noise: NoiseModel, wanted: Sequence[int]) -> Stack:
    """Run OpenCV's fastNlMeansDenoisingMulti over five frames (fewer at the ends)."""
    scale = 255.0 / noise.white
    bytes_ = list(np.clip(np.rint(frames.astype(np.float32) * scale), 0, 255).astype(np.uint8))
    strength = 1.1 * noise.typical_deviation * scale
    out = []
    for k in wanted:
        reach = min(2, k, len(bytes_) - 1 - k)
        done = cv2.fastNlMeansDenoisingMulti(bytes_, k, 2 * reach + 1, None, strength, 7, 21)
        out.append(done.astype(np.float32) / scale)
    return np.stack(out)


def block_matching(frames: Frames, noise: NoiseModel, wanted: Sequence[int]) -> Stack:
    """Run BM3D on each stabilised frame, told the noise's spectrum.

    The package ``bm3d`` is free for research only; it is used where it is installed and is no
    part of Fluorotrace.
    """
    if not hasattr(np, "trapz"):  # bm4d 4.2.5, on which it builds, knows NumPy 1 only
        setattr(np, "trapz", np.trapezoid)  # noqa: B010
    bm3d = importlib.import_module("bm3d")

    size = frames.shape[1:]
    padded = np.zeros(size)
    r = len(noise.spatial_correlation) // 2
    for dy in range(-r, r + 1):
        for dx in range(-r, r + 1):
            padded[dy, dx] = noise.spatial_correlation[r + dy, r + dx]
    spectrum = np.maximum(np.fft.fft2(padded).real, 1e-3) * size[0] * size[1]
    out = []
    for frame in frames[list(wanted)]:
        stabilised = noise.stabilise(frame).astype(np.float64)
        low, span = float(stabilised.min()), float(np.ptp(stabilised))
        done = bm3d.bm3d((stabilised - low) / span, spectrum / span**2)
        out.append(noise.restore((done * span + low).astype(np.float32)))
    return np.stack(out)


def trained_on_the_same_frames(frames: Frames, noise: NoiseModel, wanted: Sequence[int]) -> Stack:
    """Train a small blind-spot video network on these frames (see `blind_spot`)."""
    from inference.benchmarks.blind_spot import blind_spot

    return blind_spot(frames, noise, wanted)


def available_peers(slow: bool = True) -> dict[str, Denoise]:
    """Return the peers that can run here; ``slow`` adds those that take seconds or minutes."""
    peers: dict[str, Denoise] = {
        "noisy": as_they_are,
        "recursive filter": recursive_filter,
        "NVCA": noise_variance_calibrated,
    }
    if slow:
        peers["OpenCV NLM, 5 frames"] = non_local_means
        peers["UDVD-like"] = trained_on_the_same_frames
        if importlib.util.find_spec("bm3d"):
            peers["BM3D"] = block_matching
    return peers
