"""A self-supervised video denoiser after UDVD, trained on the very frames it denoises.

Sheth et al., "Unsupervised Deep Video Denoising", ICCV 2021: five frames in, a blind spot at the
pixel predicted, so the noisy frame itself is the target. The blind spot comes from four half-plane
networks that share their weights (Laine et al., NeurIPS 2019). Smaller than the published one (one
stage instead of two, dilated convolutions instead of a U-Net) and trained for a minute, as a CPU
allows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inference.denoising.noise import NoiseModel
from inference.training.precision import mixed_precision

REACH = 2
WIDTH = 16
DILATIONS = (1, 1, 2, 4, 2)
PATCH_PX = 64
BATCH = 8
STEPS = 300
LEARNING_RATE = 2e-3
SCALE = 8.0
"""Stabilised grey values are divided by this."""


class HalfPlane(nn.Module):
    """Convolutions whose output at a pixel depends on the rows above it alone."""

    def __init__(self) -> None:
        super().__init__()
        widths = (2 * REACH + 1, *(WIDTH,) * len(DILATIONS))
        self.layers = nn.ModuleList(
            nn.Conv2d(i, o, 3, dilation=d)
            for i, o, d in zip(widths[:-1], widths[1:], DILATIONS, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 5, H, W) to (N, WIDTH, H, W)."""
        for layer, d in zip(self.layers, DILATIONS, strict=True):
            y = functional.leaky_relu(layer(functional.pad(x, (d, d, 2 * d, 0))), 0.1)
            x = y + x if y.shape == x.shape else y
        return functional.pad(x, (0, 0, 1, 0))[..., :-1, :]


class BlindSpotNet(nn.Module):
    """Predict the middle of five frames at each pixel from all pixels but this one."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = HalfPlane()
        self.join = nn.Sequential(
            nn.Conv2d(4 * WIDTH, 2 * WIDTH, 1), nn.LeakyReLU(0.1), nn.Conv2d(2 * WIDTH, 1, 1)
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Map (N, 5, n, n) to (N, 1, n, n)."""
        turned = [
            torch.rot90(self.branch(torch.rot90(frames, k, (2, 3))), -k, (2, 3)) for k in range(4)
        ]
        output: Tensor = self.join(torch.cat(turned, 1))
        return output


def blind_spot(
    frames: NDArray[np.generic], noise: NoiseModel, wanted: Sequence[int]
) -> NDArray[np.float32]:
    """Train on all frames of the run, then denoise the wanted ones."""
    stack = np.stack([noise.stabilise(frame) for frame in frames])
    level = float(stack.mean())
    scaled = torch.from_numpy((stack - level) / SCALE)
    # Frames before the first and after the last repeat it inwards.
    count = len(scaled)
    windows = [
        [abs(k) if k < count else 2 * count - 2 - k for k in range(c - REACH, c + REACH + 1)]
        for c in range(count)
    ]
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = BlindSpotNet()
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    rows, columns = scaled.shape[1:]
    for _ in range(STEPS):
        patches = []
        for _ in range(BATCH):
            y, x = rng.integers(0, rows - PATCH_PX + 1), rng.integers(0, columns - PATCH_PX + 1)
            chosen = windows[int(rng.integers(count))]
            patches.append(scaled[chosen, y : y + PATCH_PX, x : x + PATCH_PX])
        batch = torch.stack(patches)
        with mixed_precision("cpu"):
            loss = functional.mse_loss(network(batch).float(), batch[:, REACH : REACH + 1])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.inference_mode():
        done = [network(scaled[windows[k]][None])[0, 0].numpy() for k in wanted]
    return np.stack([noise.restore(image * SCALE + level) for image in done])
