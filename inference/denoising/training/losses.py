"""The named parts of the two training steps. All frames are stabilised: the noise is 1."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from inference.denoising.networks import Msr2auNet
from inference.frames import FloatFrame

RECURSION_WEIGHT = 0.2
MATRIX_SIZE_PX = 7
PLAIN_LINES = 0.4
"""Line-like structure below this many noise deviations counts as none."""


def feature_matching(network: Msr2auNet, output: Tensor, target: Tensor) -> Tensor:
    """L1 between the centre branches' features of the output and of the frame it stands for."""
    branches = network.branches[len(network.branches) // 2]
    level = target.mean(dim=(2, 3), keepdim=True)
    with torch.no_grad():
        wanted = branches((target - level) / 8.0)
    return functional.l1_loss(branches((output - level) / 8.0), wanted)


def recursive_mean(frames: list[FloatFrame]) -> FloatFrame:
    """Recursive filter over motion-compensated neighbours, from both ends towards the centre.

    ``y0 = x0``, ``y_i = w x_i + (1 - w) y_(i-1)`` with w = 0.2, where each ``y_(i-1)`` is warped
    onto the next frame by dense flow (DIS); the pass from the past and the one from the future
    are averaged by how well their warped means agree with the centre frame.
    """
    centre = len(frames) // 2
    ends = (frames[: centre + 1], frames[: centre - 1 : -1])
    means, weights = [], []
    for chain in ends:
        mean = chain[0]
        for nearer in chain[1:]:
            warped = _warp(mean, nearer)
            mean = RECURSION_WEIGHT * nearer + (1.0 - RECURSION_WEIGHT) * warped
        error = cv2.blur((mean - frames[centre]) ** 2, (MATRIX_SIZE_PX, MATRIX_SIZE_PX))
        means.append(mean)
        weights.append(1.0 / (error + 0.1))
    total = weights[0] + weights[1]
    return (means[0] * weights[0] + means[1] * weights[1]) / total


def _warp(source: FloatFrame, target: FloatFrame) -> FloatFrame:
    """Warp ``source`` onto ``target`` along the optical flow between their smoothed pictures."""
    smooth = [cv2.GaussianBlur(f, (0, 0), 1.5) for f in (target, source)]
    low = min(float(s.min()) for s in smooth)
    high = max(float(s.max()) for s in smooth)
    first, second = (((s - low) * (255.0 / max(high - low, 1e-6))).astype(np.uint8) for s in smooth)
    still = np.zeros((*source.shape, 2), np.float32)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(first, second, still)
    rows, columns = source.shape
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    return cv2.remap(
        source, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


def _local_variance(x: Tensor) -> Tensor:
    padding = MATRIX_SIZE_PX // 2
    mean = functional.avg_pool2d(x, MATRIX_SIZE_PX, 1, padding, count_include_pad=False)
    square = functional.avg_pool2d(x * x, MATRIX_SIZE_PX, 1, padding, count_include_pad=False)
    return torch.clamp(square - mean * mean, min=0.0)


def cross_fusion_matrix(output: Tensor, recursive: Tensor, centre: Tensor) -> Tensor:
    """Where to trust the recursion (1) and where motion forbids it (towards 0), (N, 1, H, W).

    From 7x7 variances: where the centre frame minus the recursion varies more than the centre
    minus the output does, the recursion misses or smears something, and the more so the less
    structure the output itself has there.
    """
    with torch.no_grad():
        missed = _local_variance(centre - recursive)
        left = _local_variance(centre - output)
        structure = _local_variance(output)
        excess = torch.clamp(missed - left, min=0.0)
        return (0.1 + left) / (0.1 + left + excess) * (1.0 + structure) / (1.0 + structure + excess)


def surroundings(device: Tensor) -> Tensor:
    """Return 1 on devices and within 12 pixels of them, (N, 1, H, W).

    The emphasis has to cover the ground beside a device as well: weighed on the device alone,
    the network would gain by drawing devices where there is none.
    """
    return functional.max_pool2d(device, 25, 1, 12)


def _lines(x: Tensor) -> Tensor:
    """Structures as wide as wires: what a 3x3 mean shows beyond a 9x9 one."""
    near = functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return near - functional.avg_pool2d(x, 9, 1, 4, count_include_pad=False)


def invention_loss(output: Tensor, target: Tensor) -> Tensor:
    """Punish line-like structure where the target has none.

    Only there: punished on real lines as well, what comes out too strong by chance would make all
    of them thinner.
    """
    wanted = _lines(target).abs()
    excess = functional.relu(_lines(output).abs() - wanted) * (wanted < PLAIN_LINES)
    return (excess * excess).mean()


def profile_loss(output: Tensor, target: Tensor, profile: Tensor) -> Tensor:
    """Punish what is wrong alike all along a device: its depth, its width, its place.

    Errors are averaged over the pixels that share a number (same distance from the centre line,
    see `drawing.DrawnDevices`), which leaves the bias, and the bias is squared. The noise of a
    target that is itself noisy averages out of the gradient.
    """
    numbers = int(profile.max()) + 1
    offset = torch.arange(len(profile), device=profile.device)[:, None, None, None] * numbers
    index = (profile + offset).flatten()
    on_devices = (profile > 0).flatten()
    error = (output - target).flatten()[on_devices]
    index = index[on_devices]
    sums = error.new_zeros(len(profile) * numbers).index_add(0, index, error)
    counts = torch.bincount(index, minlength=len(sums))
    return (sums * sums / counts.clamp(min=1)).sum() / output.numel()


def thinning_loss(output: Tensor, target: Tensor, exact: Tensor) -> Tensor:
    """Punish structure that is missing everywhere alike: the error's part along the structure.

    A mean squared error alone shrinks what it is unsure of, which thins devices. In each square
    of 16 pixels, the error is projected on the target's own structure. Only for targets that are
    not noisy themselves (``exact``, (N, 1, 1, 1), 1 or 0).
    """
    structure = target - functional.avg_pool2d(target, 15, 1, 7, count_include_pad=False)
    along = functional.avg_pool2d((target - output) * structure, 16, 8)
    energy = functional.avg_pool2d(structure * structure, 16, 8)
    return (exact * along * along / (energy + 0.3)).mean()


def recursion_loss(output: Tensor, recursive: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 to the recursive mean."""
    return ((output - recursive).abs() * weight).mean()


def high_bands(x: Tensor) -> Tensor:
    """Three high bands of the stationary Haar wavelet, one level: (N, 3, H - 1, W - 1)."""
    a, b = x[..., :-1, :-1], x[..., :-1, 1:]
    c, d = x[..., 1:, :-1], x[..., 1:, 1:]
    return torch.cat([a - b + c - d, a + b - c - d, a - b - c + d], 1) * 0.5


def wavelet_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """L1 between the weighted high bands."""
    difference = (high_bands(output) - high_bands(target)).abs()
    return (difference * weight[..., :-1, :-1]).mean()


def fourier_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """L1 between the weighted pictures' spectra above a quarter of the sampling frequency."""
    spectrum = torch.fft.rfft2((output - target) * weight, norm="ortho")
    rows = torch.fft.fftfreq(output.shape[-2], device=output.device).abs()[:, None]
    columns = torch.fft.rfftfreq(output.shape[-1], device=output.device)[None, :]
    high = torch.sqrt(rows**2 + columns**2) > 0.25
    return (spectrum.abs() * high).mean()
