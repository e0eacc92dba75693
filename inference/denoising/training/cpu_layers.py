"""The student's layers as ONNX Runtime computes them fastest on a CPU; the results are the same.

It has 8-bit kernels for convolutions, not for transposed ones; they take channels by the four.
Pixels are best moved in long pieces, and in 8 bits. The last convolution, in float and of few
channels, is faster as a product whose pieces are added up, which a transposed convolution is.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.denoising.networks import Student

CHANNELS_TOGETHER = 4


class _Unshuffle(nn.Module):
    """`nn.PixelUnshuffle` of 2, rows first and columns next."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, 4 C, H / 2, W / 2)."""
        channels = x.shape[1]
        rows, columns = (n // 2 for n in x.shape[2:])
        x = x.reshape(-1, channels, rows, 2, 2 * columns).transpose(2, 3)
        x = x.reshape(-1, 2 * channels, rows, columns, 2).permute(0, 1, 4, 2, 3)
        return x.reshape(-1, 4 * channels, rows, columns)


class _FilledUp(nn.Module):
    """A 3x3 convolution, its input's first channels repeated for nothing to a round number."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.missing = -conv.in_channels % CHANNELS_TOGETHER
        self.conv = nn.Conv2d(conv.in_channels + self.missing, conv.out_channels, 3, padding=1)
        weight = functional.pad(conv.weight, (0, 0, 0, 0, 0, self.missing))
        _fill(self.conv, weight, conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, out, H, W)."""
        return self.conv(torch.cat([x, x[:, : self.missing]], 1) if self.missing else x)


class _Doubling(nn.Module):
    """A transposed convolution of stride 2 and size 2 as a 1x1 convolution and moved pixels."""

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        ins, self.width = layer.in_channels, layer.out_channels
        self.conv = nn.Conv2d(ins, 4 * self.width, 1)
        weight = layer.weight.permute(2, 3, 1, 0).reshape(4 * self.width, ins, 1, 1)
        _fill(self.conv, weight, layer.bias, 4)

    def forward(self, x: Tensor, output_size: list[int]) -> Tensor:
        """Map (N, ins, H / 2, W / 2) to (N, width, H, W); ``output_size`` is H and W."""
        # Asked of x itself, its size would take its 8 bits back to float.
        rows, columns = output_size
        x = self.conv(x).permute(0, 2, 3, 1)
        x = x.reshape(-1, rows // 2, columns // 2, 2, 2 * self.width).transpose(2, 3)
        return x.reshape(-1, rows, columns, self.width).permute(0, 3, 1, 2)


def _transposed(conv: nn.Conv2d) -> nn.ConvTranspose2d:
    """Return a 3x3 convolution as a transposed one."""
    layer = nn.ConvTranspose2d(conv.in_channels, conv.out_channels, 3, padding=1)
    _fill(layer, conv.weight.flip(2, 3).transpose(0, 1), conv.bias)
    return layer


@torch.no_grad()
def _fill(
    layer: nn.Conv2d | nn.ConvTranspose2d, weight: Tensor, bias: Tensor | None, times: int = 1
) -> None:
    assert layer.bias is not None
    assert bias is not None
    layer.weight.copy_(weight)
    layer.bias.copy_(bias.repeat(times))


def for_cpu(network: Student) -> Student:
    """Return a copy of a student that computes the same faster once it is exported."""
    network = copy.deepcopy(network)
    network.unshuffle = _Unshuffle()
    network.enter[0] = _FilledUp(network.enter[0])
    network.up_middle = _Doubling(network.up_middle)
    network.up_fine = _Doubling(network.up_fine)
    network.leave = _transposed(network.leave)
    return network
