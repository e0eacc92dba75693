"""Matching: what pretraining teaches the stem, whose features are there to be correlated.

What convolutions learn from guessing pixels is worse to correlate than what chance draws. So they
learn, without labels, what they are used for: the same place is to be found again in a second
picture of the same frame, turned, scaled, lit otherwise, with other noise, and seen through what
lies over it (dense contrastive learning, arXiv 2011.09157; transformed copies of a picture as
training for trackers, arXiv 2106.10900).
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from inference.tracking.correlation import correlate, unit
from inference.tracking.network import KERNELS, Stem
from inference.tracking.training.augmentation import Look
from inference.tracking.training.shards import Shard
from inference.tracking.views import normalise

PLACES = 8
"""Places of a picture that are looked for."""
STRIDES = ((4, KERNELS), (8, (5,)))
"""Steps of the stem's maps in view pixels, and the sides of the parts that are correlated."""
TEMPERATURE = 0.05
"""By which mean cosines are divided before the softmax."""
NEAR = 0.7
"""Standard deviation of the place that is right, in steps of a map."""
SMOOTH = 2.5
"""Standard deviation in view pixels of the blur that leaves edges and takes noise away."""
MARGIN = 12
"""View pixels from a picture's edge within which nothing is looked for."""


def draw_pair(
    shard: Shard, other: Shard, random: np.random.Generator, side: int, view: int
) -> dict[str, NDArray[np.generic]]:
    """Cut two pictures of one frame that differ in all but the patient.

    Parameters
    ----------
    shard, other : Shard
        The run, and one of which a frame is laid over the second picture.
    side, view : int
        Sides of the pictures and of the views that they are cut from.

    Returns
    -------
    dict
        ``first`` and ``second`` (TIMES, side, side), normalised; ``cells`` (PLACES, 2), (x, y) of
        places in the first one in steps of 8 pixels; ``matrix`` (2, 3), which takes the first one's
        pixels to the second one's.
    """
    frame = int(random.integers(len(shard)))
    times = [frame, max(frame - 1, 0), min(frame + 1, len(shard) - 1)]
    whole = [shard.frame(time, view).astype(np.float32) for time in times]
    middle = random.uniform(side * 0.4, view - side * 0.4, 2)
    corner = middle - side / 2
    to_first = np.array([[1.0, 0.0, -corner[0]], [0.0, 1.0, -corner[1]]])
    turn, zoom = random.normal(0.0, 8.0), float(np.exp(random.normal(0.0, 0.08)))
    to_second = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), turn, zoom)
    to_second[:, 2] += random.normal(0.0, side * 0.12, 2) - corner
    first = _show(whole, to_first, side, random)
    if random.random() < 0.6:
        over = other.frame(int(random.integers(len(other))), view).astype(np.float32) + 20.0
        over = np.ascontiguousarray(np.flip(over, int(random.integers(2))))
        shade = (over / over.mean()) ** random.uniform(0.1, 0.4)
        whole = [np.clip(picture * shade, 0.0, 255.0) for picture in whole]
    second = _show(whole, to_second, side, random)

    # Where nothing is, nothing can be found again.
    smooth = cv2.GaussianBlur(first[0], (0, 0), SMOOTH)
    edges = cv2.Sobel(smooth, -1, 1, 0) ** 2 + cv2.Sobel(smooth, -1, 0, 1) ** 2
    energy = cv2.resize(edges, (side // 8, side // 8), interpolation=cv2.INTER_AREA)
    inside = np.zeros_like(energy)
    inside[2:-2, 2:-2] = energy[2:-2, 2:-2] + 1e-3
    chosen = random.choice(inside.size, PLACES, replace=False, p=inside.ravel() / inside.sum())
    square = np.vstack([to_first, [0.0, 0.0, 1.0]])
    return {
        "first": first,
        "second": second,
        "cells": np.stack([chosen % (side // 8), chosen // (side // 8)], axis=1),
        "matrix": (to_second @ np.linalg.inv(square)).astype(np.float32),
    }


def _show(
    whole: list[NDArray[np.float32]],
    matrix: NDArray[np.floating],
    side: int,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    look, blur = Look(random), random.uniform(0.6, 1.2)
    grain, nowhere = random.uniform(2.0, 9.0), np.full(2, -400.0)
    shown = []
    for picture in whole:
        # The frame's own noise is the same in both pictures, and must not be what is found again.
        part = cv2.GaussianBlur(picture, (0, 0), blur)
        part = cv2.warpAffine(part, matrix, (side, side), borderMode=cv2.BORDER_REFLECT)
        part += grain * random.standard_normal(part.shape, np.float32)
        part = np.clip(part, 0.0, 255.0).astype(np.uint8)
        shown.append(normalise(look.apply(part, nowhere, nowhere, random, covered=False)))
    return np.stack(shown)


def matching_loss(stem: Stem, pairs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of where each place is found, and the share found within a step.

    Parameters
    ----------
    pairs : dict
        Batches of what `draw_pair` returns.
    """
    first, second = stem.maps(pairs["first"]), stem.maps(pairs["second"])
    side = pairs["first"].shape[-1]
    losses, found = [], []
    for (stride, sides), here, there in zip(STRIDES, first, second, strict=True):
        cells = pairs["cells"] * (8 // stride)
        right = _moved(cells * stride + (stride - 1) / 2, pairs["matrix"])
        inside = ((right > MARGIN) & (right < side - 1 - MARGIN)).all(-1).float()
        target = _gaussians((right - (stride - 1) / 2) / stride, side // stride)
        for size in sides:
            pattern = _patches(unit(here), cells, size)
            alike = correlate(pattern, unit(there)[:, None], size)[:, 0].flatten(2)
            entropy = -(target * (alike / TEMPERATURE).log_softmax(-1)).sum(-1)
            losses.append((entropy * inside).sum() / inside.sum().clamp(min=1.0))
            hit = target.gather(-1, alike.argmax(-1, keepdim=True))[..., 0] > 0.05
            found.append((hit.float() * inside).sum() / inside.sum().clamp(min=1.0))
    return torch.stack(losses).mean(), torch.stack(found).mean()


def _moved(points: Tensor, matrix: Tensor) -> Tensor:
    """Take (B, P, 2) points through (B, 2, 3) matrices."""
    return points.to(matrix.dtype) @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]


def _gaussians(cells: Tensor, count: int) -> Tensor:
    """Shares (B, P, count * count) of a map's cells in places (B, P, 2)."""
    grid = torch.arange(count, device=cells.device)
    x, y = (torch.exp(-0.5 * ((grid - cells[..., i, None]) / NEAR) ** 2) for i in (0, 1))
    shares = (y[..., :, None] * x[..., None, :]).flatten(-2)
    return shares / shares.sum(-1, keepdim=True).clamp(min=1e-6)


def _patches(features: Tensor, cells: Tensor, size: int) -> Tensor:
    """Cut (B, P, c, size, size) parts of (B, c, h, w) features around cells (B, P, 2)."""
    batch, channels, _, columns = features.shape
    parts = F.unfold(features, size, padding=size // 2)
    index = (cells[..., 1] * columns + cells[..., 0])[:, None].expand(-1, parts.shape[1], -1)
    chosen = parts.gather(2, index).transpose(1, 2)
    return chosen.reshape(batch, -1, channels, size, size)
