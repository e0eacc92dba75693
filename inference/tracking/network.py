"""The tracking network: one space-time transformer over templates and the searched frame.

A convolutional stem turns each 16x16 patch into a token; the same transformer blocks then read the
templates (crops centred on known tips) and the searched frames. Every picture comes with the frames
before and after it as two more channels: what moves stands out, and noise averages out. Templates
look at each other, searched frames look at the templates and at themselves, so that the templates'
part is computed once for a batch of frames. The method is that of FIMAE (arXiv 2405.01156) with
ConTrack's several templates and catheter-body head (arXiv 2307.07541); one-way attention after
MixFormer (arXiv 2203.11082). The transformer is there to know which device is meant and what
belongs to it; a correlation of the templates' features with the frame's (SiamFC, arXiv 1606.09549)
tells the place, which so small a transformer learns from few runs only slowly. Its widest part
weighs the template's cells by what the network thinks belongs to the tube, so that the shaft tells
where a tip is that contrast hides. The transformer reads the correlations as well as the picture,
and so weighs one place against all others; convolutions put together what both say.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference.tracking.correlation import correlate, unit

PATCH = 16
"""Side of a token's patch in view pixels."""
CELL = 2
"""Side of a heatmap cell in view pixels."""
KERNELS = (3, 7)
"""Sides, in steps of 4 view pixels, of the template's parts that are correlated with the frame."""
WIDE_KERNEL = 9
"""Side, in steps of 8 view pixels, of the template's weighted part that is correlated."""
COARSE, FINE = 4, 2
"""How many heatmap cells, and cells of the fine correlations, lie along a step of 8 view pixels."""
TAIL = 64
"""Channels, in steps of 8 view pixels, in which picture, transformer and correlations meet."""
CORRECTIONS = 3
"""Convolutional corrections of what meets; each is seen from 16 view pixels further."""
FRAME_STEP = 0.25
"""How far apart two frames are in the embedding, in steps of a patch."""
TIMES = 3
"""Channels of a picture: the frame, the one before and the one after (itself at a run's ends)."""
TEMPLATES = 3
"""Templates per call: the first click, the nearest other anchor, the latest confident frame."""


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Size of the network.

    Attributes
    ----------
    width, depth, heads : int
        Of the transformer.
    stem : tuple of int
        Channels at strides 2, 4 and 8.
    view : int
        Side of the square into which a whole frame is scaled, in view pixels.
    template : int
        Side of a template crop in view pixels.
    """

    width: int = 192
    depth: int = 6
    heads: int = 6
    stem: tuple[int, int, int] = (24, 48, 96)
    view: int = 256
    template: int = 80


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network says about C clips of S searched frames.

    Attributes
    ----------
    heat : Tensor
        (C, S, 1 + h * w) logits of one softmax: first "the tip is not in this view", then the
        cells of a grid with ``CELL`` view pixels a side.
    body : Tensor
        (C, S, h / 2, w / 2) logits of "this cell holds the catheter".
    occluded, sure : Tensor
        (C, S) logits of "the tip is hidden" and "the heatmap's peak is right".
    """

    heat: Tensor
    body: Tensor
    occluded: Tensor
    sure: Tensor


def positions(x: Tensor, y: Tensor, time: Tensor, width: int) -> Tensor:
    """Sinusoidal embedding of places (in patches) and times (in frames), (..., width).

    The three are broadcast against each other.
    """
    bands = width // 6
    frequency = torch.exp(torch.linspace(0.0, 1.0, bands, device=x.device) * -4.0) * 2.0
    shape = (*torch.broadcast_shapes(x.shape, y.shape, time.shape), bands)
    angles = [value[..., None] * frequency for value in (x, y, time)]
    waves = [angle.sin() for angle in angles] + [angle.cos() for angle in angles]
    return torch.cat([wave.expand(shape) for wave in waves], dim=-1)


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.GroupNorm(8, channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.GroupNorm(8, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        return F.relu(x + self.body(x))


def _down(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
        nn.GroupNorm(8, outputs),
        nn.ReLU(inplace=True),
    )


class Stem(nn.Module):
    """Pixels to tokens of stride 16, keeping the finer maps for the heads."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        a, b, c = options.stem
        self.at_half = _down(TIMES, a)
        self.at_quarter = nn.Sequential(_down(a, b), Residual(b))
        self.at_eighth = nn.Sequential(_down(b, c), Residual(c))
        self.token = nn.Conv2d(c, options.width, 2, stride=2)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, TIMES, H, W) to tokens (B, width, H/16, W/16) and maps of stride 4 and 8."""
        quarter, eighth = self.maps(pixels)
        return self.token(eighth), quarter, eighth

    def maps(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of stride 4 and 8 alone."""
        quarter = self.at_quarter(self.at_half(pixels))
        return quarter, self.at_eighth(quarter)


class Ground(nn.Module):
    """What of a frame does not depend on what is looked for in it: made once for all tips."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        _, b, c = options.stem
        self.from_quarter = nn.Conv2d(b, TAIL, 4, stride=2, padding=1, bias=False)
        self.from_eighth = nn.Conv2d(c, TAIL, 3, padding=1)

    def forward(
        self, tokens: Tensor, quarter: Tensor, eighth: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the stem's tokens, its finer maps at length 1, and what the tail reads of them."""
        meets = self.from_quarter(quarter) + self.from_eighth(eighth)
        return tokens, unit(quarter), unit(eighth), meets


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None
) -> Tensor:
    """Let (B, N, width) queries attend to (B, M, width) keys and values; return (B, N, width)."""
    if bias is None and torch.onnx.is_in_onnx_export():
        # ONNX Runtime's own operator is a quarter faster than ONNX's, transposes included.
        return torch.onnx.ops.symbolic(
            "com.microsoft::MultiHeadAttention",
            (query, key, value),
            {"num_heads": heads},
            dtype=query.dtype,
            shape=query.shape,
            version=1,
        )

    def split(tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)

    seen = F.scaled_dot_product_attention(split(query), split(key), split(value), attn_mask=bias)
    return seen.transpose(1, 2).flatten(2)


class Block(nn.Module):
    """A pre-norm transformer block whose tokens may also look at a memory."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(
        self, x: Tensor, bias: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the tokens (B, N, width) and their keys and values, each as large."""
        query, key, value = self.qkv(self.norm_attention(x)).chunk(3, dim=-1)
        return self._take(x, attend(query, key, value, self.heads, bias)), (key, value)

    def read(self, x: Tensor, memory: tuple[Tensor, Tensor], rows: int) -> Tensor:
        """Let the tokens (B, rows * columns, width) of a picture look at a memory and themselves.

        Four neighbours are one key: what else is in the picture is asked for at half the
        resolution, which makes attention twice as fast (PVT v2, arXiv 2106.13797). Where a side
        is odd, its last row or column is no key.
        """
        seen = self.norm_attention(x)
        width = x.shape[-1]
        query = F.linear(seen, self.qkv.weight[:width], self.qkv.bias[:width])
        near = _pooled(seen.unflatten(1, (rows, -1))).flatten(1, 2)
        key, value = F.linear(near, self.qkv.weight[width:], self.qkv.bias[width:]).chunk(2, dim=-1)
        key = torch.cat([memory[0], key], dim=1)
        value = torch.cat([memory[1], value], dim=1)
        return self._take(x, attend(query, key, value, self.heads))

    def _take(self, x: Tensor, seen: Tensor) -> Tensor:
        """Add to the tokens what attention saw, and what the tokens make of it."""
        x = x + self.out(seen)
        return x + self.mlp(self.norm_mlp(x))


def _pooled(grid: Tensor) -> Tensor:
    """Return the means of each two by two cells of (B, rows, columns, width)."""
    # In 8 bits, ONNX Runtime's own pooling takes ten times as long as these sums.
    rows, columns = grid.shape[1] // 2 * 2, grid.shape[2] // 2 * 2
    pairs = grid[:, 0:rows:2] + grid[:, 1:rows:2]
    return (pairs[:, :, 0:columns:2] + pairs[:, :, 1:columns:2]) / 4


class Encoder(nn.Module):
    """Stem and transformer: what FIMAE pretrains and the tracker continues with."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.options = options
        self.stem = Stem(options)
        self.blocks = nn.ModuleList(
            Block(options.width, options.heads) for _ in range(options.depth)
        )
        self.norm = nn.LayerNorm(options.width)

    def embed(self, tokens: Tensor, origin: Tensor, time: Tensor) -> Tensor:
        """Flatten (B, width, h, w) to (B, h*w, width) and add place and time.

        ``origin`` (B, 2) is the view position (x, y) of the top left pixel, ``time`` (B,) frames.
        """
        _, width, rows, columns = tokens.shape
        x = torch.arange(columns, device=tokens.device, dtype=torch.float32)[None, None, :]
        y = torch.arange(rows, device=tokens.device, dtype=torch.float32)[None, :, None]
        place = positions(
            x + origin[:, 0, None, None] / PATCH,
            y + origin[:, 1, None, None] / PATCH,
            time[:, None, None] * FRAME_STEP,
            width,
        )
        return tokens.flatten(2).transpose(1, 2) + place.flatten(1, 2)


class Correction(nn.Module):
    """Two 3x3 convolutions that are added to what they read, without norms (arXiv 1707.02921).

    It starts as the identity, so that a network that was trained without it goes on from where it
    was. On a CPU a norm takes as long as a convolution in 8 bits.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        return x + self.second(F.relu(self.first(x)))


class TrackerNetwork(nn.Module):
    """Templates and searched frames in; where the tip is, and how it is seen, out."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.options = options
        width, c = options.width, options.stem[-1]
        alike = TEMPLATES * (1 + FINE**2 * len(KERNELS))
        self.encoder = Encoder(options)
        self.ground = Ground(options)
        self.kind = nn.Parameter(torch.zeros(TEMPLATES, width))
        self.belongs = nn.Conv2d(c, 1, 1)
        self.to_tokens = nn.Linear(4 * alike, width, bias=False)
        nn.init.zeros_(self.to_tokens.weight)
        self.from_tokens = nn.Linear(width, TAIL)
        self.from_alike = nn.Conv2d(alike, TAIL, 3, padding=1, bias=False)
        self.tail = nn.Sequential(
            nn.GroupNorm(8, TAIL),
            nn.ReLU(inplace=True),
            *(Correction(TAIL) for _ in range(CORRECTIONS)),
        )
        self.to_heat = nn.Conv2d(TAIL, COARSE**2, 3, padding=1)
        self.to_body = nn.Conv2d(TAIL, FINE**2, 1)
        self.summary = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(approximate="tanh"))
        self.to_absent = nn.Linear(width, 1)
        self.to_seen = nn.Linear(2 * width + TAIL, 2)

    def forward(
        self,
        templates: Tensor,
        centres: Tensor,
        template_times: Tensor,
        search: Tensor,
        origins: Tensor,
        search_times: Tensor,
    ) -> Prediction:
        """Search for the tip.

        Parameters
        ----------
        templates : Tensor
            (C, K, TIMES, h, w) crops, normalised, the tip at their centre; unused ones repeat
            another.
        centres : Tensor
            (C, K, 2) view position (x, y) of the crops' tips.
        template_times, search_times : Tensor
            (C, K) and (C, S) in frames from any common origin.
        search : Tensor
            (C, S, TIMES, H, W) views or parts of views, normalised.
        origins : Tensor
            (C, S, 2) view position (x, y) of each part's top left pixel.
        """
        maps = self.ground(*self.encoder.stem(search.flatten(0, 1)))
        return self.match(templates, centres, template_times, maps, origins, search_times)

    def match(
        self,
        templates: Tensor,
        centres: Tensor,
        template_times: Tensor,
        maps: tuple[Tensor, Tensor, Tensor, Tensor],
        origins: Tensor,
        search_times: Tensor,
    ) -> Prediction:
        """Search for the tip in frames that were read: ``maps`` is what `Ground` returned."""
        clips, kept, _, side, _ = templates.shape
        frames = search_times.shape[1]
        shape = (clips, frames)
        encoder = self.encoder
        token, pattern, coarse_pattern = encoder.stem(templates.flatten(0, 1))
        corner = centres.reshape(clips * kept, 2) - side / 2
        known = encoder.embed(token, corner, template_times.reshape(-1))
        known = known.view(clips, kept, -1, known.shape[-1]) + self.kind[None, :kept, None]
        known = known.flatten(1, 2)

        token, quarter, eighth, ground = maps
        fine = self._correlate(pattern, quarter, KERNELS, shape)
        share = torch.sigmoid(self.belongs(coarse_pattern))
        wide = self._correlate(coarse_pattern, eighth, (WIDE_KERNEL,), shape, share)
        alike = torch.cat([wide, F.pixel_unshuffle(fine, FINE)], dim=1)

        x = encoder.embed(token, origins.reshape(-1, 2), search_times.reshape(-1))
        x = x + self.to_tokens(F.pixel_unshuffle(alike, 2).flatten(2).transpose(1, 2))
        for block in encoder.blocks:
            known, (key, value) = block(known)
            memory = (_spread(key, frames), _spread(value, frames))
            x = block.read(x, memory, token.shape[-2])
        x = encoder.norm(x)

        h, w = token.shape[-2:]
        said = self.from_tokens(x).transpose(1, 2).unflatten(-1, (h, w))
        said = F.interpolate(said, scale_factor=2.0, mode="nearest")
        grid = self.tail(ground + said + self.from_alike(alike))
        heat = F.pixel_shuffle(self.to_heat(grid), COARSE)
        body = F.pixel_shuffle(self.to_body(grid), FINE)

        # The heatmap's own mass says which places speak for the tip.
        share = heat.detach().flatten(1).softmax(dim=-1)
        share = share.view(-1, 2 * h, COARSE, 2 * w, COARSE).sum(dim=(2, 4))
        met_at_peak = (grid.flatten(2) @ share.flatten(1)[..., None])[..., 0]
        share = share.view(-1, h, 2, w, 2).sum(dim=(2, 4)).flatten(1)
        at_peak = (share[:, None, :] @ x)[:, 0]
        gist = self.summary(torch.cat([x.mean(dim=1), at_peak], dim=-1))
        absent = self.to_absent(gist)
        seen = self.to_seen(torch.cat([gist, at_peak, met_at_peak], dim=-1))
        return Prediction(
            heat=torch.cat([absent, heat.flatten(1)], dim=-1).view(*shape, -1),
            body=body.view(*shape, 4 * h, 4 * w),
            occluded=seen[:, 0].view(shape),
            sure=seen[:, 1].view(shape),
        )

    def _correlate(
        self,
        pattern: Tensor,
        ground: Tensor,
        sides: tuple[int, ...],
        shape: tuple[int, int],
        weight: Tensor | None = None,
    ) -> Tensor:
        """Correlate (C * K, ...) templates with (C * S, ...) frames: (C * S, K * sides, h, w)."""
        clips = shape[0]
        pattern = unit(pattern).unflatten(0, (clips, -1))
        weight = weight.unflatten(0, (clips, -1)) if weight is not None else None
        ground = ground.unflatten(0, shape)
        found = [correlate(pattern, ground, side, weight) for side in sides]
        return torch.cat(found, dim=2).flatten(0, 1)


def _spread(memory: Tensor, frames: int) -> Tensor:
    """Repeat (C, N, width) for each searched frame: (C * frames, N, width)."""
    return memory[:, None].expand(-1, frames, -1, -1).flatten(0, 1)
