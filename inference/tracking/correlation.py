"""How alike a template and each place of a frame are: correlations of their features."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

FLOOR = 1e-6
"""Least squared length of features. The ONNX export drops sums with anything below 1e-8."""


def unit(features: Tensor) -> Tensor:
    """Scale (..., c, h, w) features to length 1 along c."""
    # ONNX Runtime is several times faster at a sum of squares than at a norm.
    features = features.float()
    return features * ((features * features).sum(dim=-3, keepdim=True) + FLOOR).rsqrt()


def correlate(pattern: Tensor, frame: Tensor, side: int, weight: Tensor | None = None) -> Tensor:
    """Correlate the middle of each template with each searched frame.

    Parameters
    ----------
    pattern, frame : Tensor
        (C, K, c, p, p) and (C, S, c, h, w) features of the same stride, of length 1 along c.
    side : int
        Odd side of the part of the template that is used, in cells; less in a small template.
    weight : Tensor, optional
        (C, K, 1, p, p) how much each cell of a template counts, positive.

    Returns
    -------
    Tensor
        (C, S, K, h, w) mean cosine similarities.
    """
    across = pattern.shape[-1]
    side = min(side, (across - 1) // 2 * 2 + 1)
    middle, reach = across // 2, side // 2
    part = slice(middle - reach, middle + reach + 1)
    kernel = pattern[..., part, part]
    if weight is None:
        kernel = kernel / side**2
    else:
        weight = weight[..., part, part]
        kernel = kernel * (weight / weight.sum(dim=(-2, -1), keepdim=True))
    # Every cell of the template with every place of the frame, then summed along the shifts: three
    # to five times as fast on a CPU as a convolution with so few and so large kernels.
    clips, kept, channels = kernel.shape[:3]
    frames, (rows, columns) = frame.shape[1], frame.shape[-2:]
    cells = kernel.flip((-2, -1)).permute(0, 1, 3, 4, 2).reshape(clips, 1, -1, channels)
    pairs = (cells.to(frame.dtype) @ frame.flatten(3)).flatten(0, 1).float()
    found = F.fold(pairs, (rows, columns), side, padding=reach)
    return found.view(clips, frames, kept, rows, columns)
