"""The second look: a small network that places the tip to a fraction of a pixel.

The tracking network sees the whole picture at half of 512 pixels and says where the tip is to some
pixels; this one sees the surroundings of that place at full size beside the clicked tip, and says
where the same spot is. Features of the template are correlated with those of the frame (SiamFC,
arXiv 1606.09549), once closely around the tip and once with all of the template, its cells weighed
by what the network takes for the tube; two convolutional levels turn the maps into a heatmap.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inference.tracking.correlation import correlate, unit
from inference.tracking.network import TEMPLATES, TIMES


@dataclass(frozen=True, slots=True)
class RefinerOptions:
    """Size of the network.

    Attributes
    ----------
    fine, coarse : int
        Channels at strides 2 and 4.
    crop : int
        Side of templates and of searched parts, in pixels of a 512 picture.
    """

    fine: int = 24
    coarse: int = 48
    crop: int = 80


def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(8, outputs),
        nn.ReLU(inplace=True),
    )


class Refiner(nn.Module):
    """Templates and searched parts in, heatmaps out."""

    NEAR, NEAR_KERNEL = 8, 13
    """Channels and side (in steps of 2 pixels) of the close correlation."""
    WIDE_KERNEL = 15
    """Side (in steps of 4 pixels) of the weighted correlation."""

    def __init__(self, options: RefinerOptions) -> None:
        super().__init__()
        a, b = options.fine, options.coarse
        self.at_half = nn.Sequential(_layer(TIMES, a, 2), _layer(a, a))
        self.at_quarter = nn.Sequential(_layer(a, b, 2), _layer(b, b), _layer(b, b))
        self.near = nn.Conv2d(a, self.NEAR, 1)
        self.wide = nn.Conv2d(b, a, 1)
        self.belongs = nn.Conv2d(b, 1, 1)
        self.join_quarter = nn.Sequential(_layer(b + TEMPLATES, b), _layer(b, b))
        self.up = nn.Conv2d(b, a, 1)
        self.join_half = nn.Sequential(_layer(2 * a + TEMPLATES, a), _layer(a, a))
        self.to_heat = nn.Conv2d(a, 4, 3, padding=1)
        self.to_absent = nn.Sequential(nn.Linear(4 * a, b), nn.ReLU(), nn.Linear(b, 1))

    def forward(self, templates: Tensor, search: Tensor) -> Tensor:
        """Search for the spot.

        Parameters
        ----------
        templates : Tensor
            (C, K, TIMES, crop, crop), normalised, the tip between the two central pixels.
        search : Tensor
            (C, S, TIMES, crop, crop), normalised.

        Returns
        -------
        Tensor
            (C, S, 1 + crop * crop) logits of one softmax: first "the tip is not in this part",
            then its pixels.
        """
        clips, kept = templates.shape[:2]
        shape = (clips, search.shape[1])
        half = self.at_half(torch.cat([templates.flatten(0, 1), search.flatten(0, 1)]))
        quarter = self.at_quarter(half)
        count = clips * kept
        belongs = torch.sigmoid(self.belongs(quarter[:count])).unflatten(0, (clips, kept))
        near, wide = unit(self.near(half)), unit(self.wide(quarter))
        alike = correlate(
            wide[:count].unflatten(0, (clips, kept)),
            wide[count:].unflatten(0, shape),
            self.WIDE_KERNEL,
            belongs,
        )
        grid = self.join_quarter(torch.cat([quarter[count:], alike.flatten(0, 1)], dim=1))
        grid = self.up(grid)
        context = grid.amax(dim=(2, 3))
        grid = F.interpolate(grid, scale_factor=2.0, mode="nearest")
        alike = correlate(
            near[:count].unflatten(0, (clips, kept)),
            near[count:].unflatten(0, shape),
            self.NEAR_KERNEL,
        )
        grid = self.join_half(torch.cat([grid, half[count:], alike.flatten(0, 1)], dim=1))
        heat = F.pixel_shuffle(self.to_heat(grid), 2).flatten(1)
        # The whole part, and what is at the heatmap's peak, tell whether the tip is here at all.
        share = F.avg_pool2d(heat.detach().softmax(-1).view(-1, 1, *search.shape[-2:]), 2)
        at_peak = (grid * share).sum(dim=(2, 3)) / share.sum(dim=(2, 3))
        gist = [at_peak, grid.amax(dim=(2, 3)), grid.mean(dim=(2, 3)), context]
        return torch.cat([self.to_absent(torch.cat(gist, dim=-1)), heat], dim=-1).view(*shape, -1)
