"""Training samples from noisy runs alone.

A base run is any recorded run. Where its own noise is weak, its dose is lowered in
simulation and the recorded frame is the target. Where it is noisy, each frame is recorrupted
(Pang et al., CVPR 2021): with noise z drawn like the run's own, ``y + a z`` is the input and
``y - z / a`` the target; their noises are independent, so the target teaches what lies under the
noise though it is noisy itself. Devices are drawn into the runs, moving their own way, for they
are what must survive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.denoising.fusion import Gates, Neighbour
from inference.denoising.noise import CORRELATION_REACH_PX, NoiseModel, estimate_noise
from inference.denoising.training.drawing import DRAWN_SHARES, draw_devices, profile_numbers
from inference.frames import FloatFrame
from inference.simulation import DeviceTruth

WINDOW_RADIUS = 6
"""Frames on either side of the centre that a sample can hold."""
RECORRUPTION = 0.6
UNTOLD_CORRELATION = 0.1
DEVICE_SHARE = 0.75
"""Share of the samples that devices are drawn into."""
OWN_DEVICE_STRIDE = 4
"""Of the points along a simulated device, some 2 px apart, every fourth will do."""
OWN_DEVICE_MARGIN_PX = 16.0
LOWERED_DEVIATIONS = (0.006, 0.08)
"""Noise of runs whose dose is lowered, shares of the grey scale."""
LEAST_LOWERING = 2.5
"""A run's dose is lowered so far that its own noise is weak beside what is added."""
NOISY_DEVIATION = 0.01
"""From this share of the grey scale on, a run's noise is too strong to stand as a target."""


@dataclass(frozen=True, slots=True, eq=False)
class BaseRun:
    """One recorded run to learn from; ``noise`` is None where it is weak.

    ``own_deviation`` is the deviation of its own noise as a share of the grey scale; ``device``
    the main catheter of a simulated run.
    """

    frames: NDArray[np.generic]  # (T, H, W)
    white: float
    noise: NoiseModel | None
    own_deviation: float = 0.0
    device: DeviceTruth | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One patch; stabilised, so that the noise of ``frame`` has a deviation of about 1."""

    frame: FloatFrame  # (n, n)
    mean: FloatFrame  # (n, n)
    variance: FloatFrame  # (n / 2, n / 2)
    correlation: float
    target: FloatFrame  # (n, n)
    device: FloatFrame  # (n, n), 1 on devices whose place is known
    profile: NDArray[np.int64]  # (n, n), see `drawing.DrawnDevices`
    window: FloatFrame  # (5, n, n): frames t-2..t+2, aligned by whole pixels
    exact: bool  # whether the target is (nearly) free of noise


def read_run(path: Path) -> NDArray[np.generic]:
    """Read a run for training: a folder of images, a ``.npy`` array (T, H, W) or a DICOM file.

    Raises
    ------
    ValueError
        If the path holds no run of at least five grey frames.
    """
    if path.is_dir():
        images = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in sorted(path.iterdir())]
        grey = [i if i.ndim == 2 else i[..., 0] for i in images if i is not None]
        shape = grey[0].shape if grey else (0, 0)
        frames = np.array([g for g in grey if g.shape == shape])
    elif path.suffix == ".npy":
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    else:
        import pydicom

        dataset = pydicom.dcmread(path)
        frames = dataset.pixel_array
        if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
            frames = (1 << int(dataset.BitsStored)) - 1 - frames
    if frames.ndim != 3 or len(frames) < 5:
        raise ValueError(f"{path} holds no run of five or more grey frames.")
    return frames


def load_base(frames: NDArray[np.generic], white: float | None = None) -> BaseRun:
    """Measure a run's noise and keep it as a base to learn from."""
    # The first frames of a run can be black, or darker while the exposure settles.
    means = np.array([float(frame[::8, ::8].mean()) for frame in frames])
    settled = np.abs(means - np.median(means)) < 0.2 * np.median(means)
    frames = np.asarray(frames[int(np.argmax(settled)) :])
    if white is None:
        bits = max(8, int(np.ceil(np.log2(float(frames.max()) + 1.0))))
        white = float((1 << bits) - 1)
    noise = estimate_noise(lambda index: frames[index], len(frames), white)
    own_deviation = noise.typical_deviation / white
    noisy = own_deviation >= NOISY_DEVIATION
    return BaseRun(frames, white, noise if noisy else None, own_deviation)


def halved(run: BaseRun) -> BaseRun:
    """Return a clean run at half size: finer detail than compressed frames hold at full size."""
    half = [cv2.resize(f, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for f in run.frames]
    # Four pixels become one.
    return BaseRun(np.stack(half), run.white, None, 0.5 * run.own_deviation)


def _correlated(
    rng: np.random.Generator, count: int, size: int, kernel: NDArray[np.float64]
) -> FloatFrame:
    """Draw unit Gaussian noise (count, size, size) with the autocorrelation of a small kernel."""
    pad = len(kernel) // 2
    white = rng.standard_normal((count, size + 2 * pad, size + 2 * pad), dtype=np.float32)
    norm = kernel / np.sqrt(np.sum(kernel**2))
    filtered = [cv2.filter2D(w, cv2.CV_32F, norm) for w in white]
    return np.stack([f[pad : pad + size, pad : pad + size] for f in filtered])


def _kernel_of(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a symmetric kernel whose autocorrelation comes closest to the one given."""
    size = 16
    r = len(correlation) // 2
    padded = np.zeros((size, size))
    for dy in range(-r, r + 1):
        for dx in range(-r, r + 1):
            padded[dy % size, dx % size] = correlation[r + dy, r + dx]
    amplitude = np.sqrt(np.maximum(np.fft.fft2(padded).real, 0.0))
    kernel = np.fft.fftshift(np.fft.ifft2(amplitude).real)
    return kernel[size // 2 - r : size // 2 + r + 1, size // 2 - r : size // 2 + r + 1]


def autocorrelation(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocorrelation, shape (2r + 1, 2r + 1), of white noise filtered by ``kernel``."""
    r = CORRELATION_REACH_PX
    size = len(kernel) + 2 * r
    padded = np.zeros((2 * size, 2 * size))
    padded[: len(kernel), : len(kernel)] = kernel
    full = np.fft.fftshift(np.fft.ifft2(np.abs(np.fft.fft2(padded)) ** 2).real)
    window = full[size - r : size + r + 1, size - r : size + r + 1]
    return window / window[r, r]


def _random_kernel(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a detector's blur: touching pixels correlate by 0 to about 0.7."""
    side = float(rng.choice([0.0, rng.uniform(0.05, 0.55)], p=[0.2, 0.8]))
    line = np.array([side, 1.0, side])
    return np.outer(line, line)


def _cut(
    rng: np.random.Generator, run: BaseRun, count: int, size: int
) -> tuple[FloatFrame, NDArray[np.int64], tuple[int, NDArray[np.int64]]]:
    """Cut ``count`` frames with panning windows.

    Also their positions (x, y), whole pixels, and of the middle one the frame and the corner.
    """
    total, rows, columns = run.frames.shape
    stride = 1
    first = int(rng.integers(0, max(total - count * stride, 0) + 1))
    order = np.clip(first + np.arange(count) * stride, 0, total - 1)
    if run.noise is None and rng.random() < 0.2:
        order[:] = order[0]  # a scene at rest; noisy frames may not repeat: they share noise
    if rng.random() < 0.5:
        order = order[::-1]
    pan = np.zeros((count, 2), np.int64)
    if rng.random() < 0.6:
        velocity = rng.normal(0.0, rng.choice([1.0, 4.0, 8.0]), 2)
        pan = np.round(
            velocity * np.arange(count)[:, None] + rng.normal(0, 0.5, (count, 2))
        ).astype(np.int64)
        pan -= pan[count // 2]
    low, high = pan.min(0), pan.max(0)
    span_x, span_y = columns - size - (high - low)[0], rows - size - (high - low)[1]
    if span_x < 1 or span_y < 1:
        pan[:] = 0
        low = np.zeros(2, np.int64)
        span_x, span_y = columns - size, rows - size
    corner = np.array([rng.integers(0, span_x + 1), rng.integers(0, span_y + 1)]) - low
    cuts = []
    for k in range(count):
        x, y = corner + pan[k]
        cuts.append(np.asarray(run.frames[order[k], y : y + size, x : x + size], np.float32))
    # A window that moves right shows the scene moved left.
    middle = count // 2
    return np.stack(cuts), -pan, (int(order[middle]), corner + pan[middle])


def _own_device(
    run: BaseRun, frame: int, corner: NDArray[np.int64], size: int
) -> tuple[FloatFrame, NDArray[np.int64]]:
    """Return where a patch shows the run's own device, and its profile numbers."""
    assert run.device is not None
    # Frames may have been left out at the beginning.
    body = run.device.body[frame - len(run.frames)][::OWN_DEVICE_STRIDE] - corner
    near = np.all((body > -OWN_DEVICE_MARGIN_PX) & (body < size + OWN_DEVICE_MARGIN_PX), axis=1)
    presence = np.zeros((size, size), np.uint8)
    if near.sum() < 2:
        return presence.astype(np.float32), presence.astype(np.int64)
    thickness = 2.0 * run.device.radius_px
    points = np.round(body * 16).astype(np.int32)
    cv2.polylines(presence, [points], False, 1, max(1, round(thickness)), cv2.LINE_8, 4)
    first, last = np.flatnonzero(near)[[0, -1]]
    numbers = profile_numbers(body[first : last + 1], size, thickness, len(DRAWN_SHARES))
    return presence.astype(np.float32), numbers


def draw_sample(rng: np.random.Generator, bases: Sequence[BaseRun], size: int) -> Sample:
    """Draw one sample.

    Parameters
    ----------
    rng : numpy Generator
    bases : sequence of BaseRun
        At least ``size`` pixels wide and high each.
    size : int
        Side of the patch, a multiple of 16.

    Returns
    -------
    Sample
    """
    run = bases[int(rng.integers(len(bases)))]
    radius = WINDOW_RADIUS
    if run.noise is not None:
        radius = min(radius, (len(run.frames) - 1) // 2)
    count = 2 * radius + 1
    scene, position, (shown, corner) = _cut(rng, run, count, size)
    temporal = float(rng.choice([0.0, rng.uniform(0.1, 0.6)], p=[0.65, 0.35]))
    if run.noise is None:
        kernel = _random_kernel(rng)
        spatial = autocorrelation(kernel)
        contrast = rng.uniform(0.6, 1.5)
        least, most = LOWERED_DEVIATIONS
        least = max(least, LEAST_LOWERING * run.own_deviation)
        deviation = run.white * float(np.exp(rng.uniform(np.log(least), np.log(most))))
        scene = scene * np.float32(contrast / deviation)
    else:
        spatial = run.noise.spatial_correlation
        kernel = _kernel_of(spatial)
        temporal = run.noise.temporal_correlation
        scene = np.stack([run.noise.stabilise(s) for s in scene])
    presence = np.zeros_like(scene)
    profile = np.zeros((size, size), np.int64)
    if run.device is not None:
        presence[radius], profile = _own_device(run, shown, corner, size)
    if rng.random() < DEVICE_SHARE:
        drawn = draw_devices(rng, count, size)
        presence = np.maximum(presence, drawn.presence)
        profile = np.where(drawn.profile > 0, drawn.profile, profile)
        scene = scene - drawn.attenuation
    noise = _correlated(rng, count, size, kernel)
    for k in range(1, count):
        noise[k] = temporal * noise[k - 1] + np.float32((1 - temporal**2) ** 0.5) * noise[k]
    if run.noise is None:
        # The run's noise is known only as well as it can be measured.
        noisy = scene + noise * np.float32(rng.uniform(0.92, 1.08))
        target = scene[radius]
    else:
        whole = np.float32((1.0 + RECORRUPTION**2) ** 0.5)
        noisy = (scene + np.float32(RECORRUPTION) * noise) / whole
        target = (scene[radius] - noise[radius] / np.float32(RECORRUPTION)) / whole

    reach_back = int(rng.integers(0, radius + 1))
    reach_on = int(rng.choice([0, reach_back]))
    gates = Gates(temporal, spatial)
    neighbours = []
    for k in range(radius - reach_back, radius + reach_on + 1):
        # A neighbour whose noise is like the frame's own would show the noise of the target.
        tells = run.noise is not None and temporal ** abs(k - radius) > UNTOLD_CORRELATION
        if k == radius or tells:
            continue
        dx, dy = position[radius] - position[k]
        neighbours.append(Neighbour(noisy[k], int(dx), int(dy), abs(k - radius)))
    fused = gates.fuse(noisy[radius], neighbours)
    window = []
    for k in range(radius - 2, radius + 3):
        dx, dy = position[radius] - position[k]
        window.append(np.roll(noisy[k], (int(dy), int(dx)), (0, 1)))
    centre = CORRELATION_REACH_PX
    touching = 0.5 * (spatial[centre, centre + 1] + spatial[centre + 1, centre])
    turn = int(rng.integers(4))
    flip = bool(rng.integers(2))

    def turned(image: NDArray[Any]) -> NDArray[Any]:
        image = np.rot90(image, turn, axes=(-2, -1))
        return np.ascontiguousarray(image[..., ::-1] if flip else image)

    return Sample(
        turned(noisy[radius]),
        turned(fused.mean),
        turned(fused.variance),
        float(touching),
        turned(target),
        turned(presence[radius]),
        turned(profile),
        turned(np.stack(window)),
        run.noise is None,
    )
