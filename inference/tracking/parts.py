"""The tracker's three networks as they run, and how a weights file says which it holds.

The stem reads frames whatever is looked for in them; the matcher is the rest of the tracking
network, and the stem once more for templates; the refiner looks a second time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from inference.tracking.network import Ground, NetworkOptions, Stem, TrackerNetwork
from inference.tracking.refiner import Refiner, RefinerOptions


class StemPart(nn.Module):
    """Frames in, what the matcher takes of them out."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.stem = Stem(options)
        self.ground = Ground(options)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(S, TIMES, view, view) to the maps of `Ground.forward`."""
        tokens, quarter, eighth, meets = self.ground(*self.stem(pictures))
        return tokens, quarter, eighth, meets


class MatcherPart(nn.Module):
    """The tracking network for one run: what the stem read in, what tracking needs out."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.network = TrackerNetwork(options)

    def forward(
        self,
        tokens: Tensor,
        quarter: Tensor,
        eighth: Tensor,
        ground: Tensor,
        search_times: Tensor,
        templates: Tensor,
        centres: Tensor,
        template_times: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Search whole views.

        Parameters
        ----------
        tokens, quarter, eighth, ground : Tensor
            What the stem made of S views.
        search_times : Tensor
            (S,).
        templates, centres, template_times : Tensor
            (K, TIMES, h, w), (K, 2) and (K,).

        Returns
        -------
        tuple of Tensor
            heat (S, 1 + h * w), occluded (S,), sure (S,) and body (S, h / 2, w / 2), logits.
        """
        said = self.network.match(
            templates[None],
            centres[None],
            template_times[None],
            (tokens, quarter, eighth, ground),
            torch.zeros_like(tokens[None, :, :2, 0, 0]),
            search_times[None],
        )
        return said.heat[0], said.occluded[0], said.sure[0], said.body[0]


class RefinerPart(nn.Module):
    """The refiner for one run."""

    def __init__(self, options: RefinerOptions) -> None:
        super().__init__()
        self.network = Refiner(options)

    def forward(self, search: Tensor, templates: Tensor) -> tuple[Tensor]:
        """(S, TIMES, crop, crop) and (K, TIMES, crop, crop) to heat (S, crop, crop), logits."""
        return (self.network(templates[None], search[None])[0],)


def build_part(metadata: Mapping[str, str]) -> nn.Module:
    """Make the module that a weights file's metadata describes."""
    if "refiner" in metadata:
        return RefinerPart(RefinerOptions(**json.loads(metadata["refiner"])))
    options = json.loads(metadata["network"])
    options["stem"] = tuple(options["stem"])
    kind = StemPart if metadata["part"] == "stem" else MatcherPart
    return kind(NetworkOptions(**options))
