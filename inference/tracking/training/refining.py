r"""Teach the refiner to find a clicked spot again, to a fraction of a pixel.

Run as

    python -m inference.tracking.training.refining \
        --config inference/tracking/training/configs/tiny.toml \
        --real shards/labelled --simulated shards/simulated --output checkpoints/refiner_tiny

Loss: cross-entropy of the heatmap's softmax against a Gaussian as wide as the labels are sure.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from inference.tracking.network import TEMPLATES, TIMES
from inference.tracking.refiner import Refiner, RefinerOptions
from inference.tracking.training.finetuning import begin, read_arguments
from inference.tracking.training.samples import AugmentedFrames, Sample, Samples, choose_frames
from inference.tracking.training.shards import ABSENT, OCCLUDED, Shard
from inference.tracking.views import FINE_VIEW
from inference.training.loop import LoopOptions, reached_step, read_options, train

BATCH, REAL_SHARE = 8, 0.4
RIGHT_WITHIN_PX = 5.0
SEARCHES = 3
SPREADS_PX, SPREAD_SHARES = (4.0, 12.0, 60.0), (0.45, 0.3, 0.25)
"""How far from the tip parts are cut, in pixels at 512, and how often."""
LABEL_PX = (1.2, 2.0, 3.5)
"""Half width of the target: visible tips, hidden simulated ones, hidden ones people guessed."""


def draw_fine_sample(shard: Shard, random: np.random.Generator, options: RefinerOptions) -> Sample:
    """Cut crops around clicked tips, and around where the tracking network may put them.

    Returns
    -------
    dict
        ``templates``, ``search`` (see `Refiner.forward`, without the clip axis), ``tips`` (S, 2)
        in pixels of the crops, ``states`` (S,) and ``real`` ().
    """
    chosen = choose_frames(shard, SEARCHES, random)
    scene = AugmentedFrames(shard, chosen, FINE_VIEW, random)
    side = options.crop
    out: dict[str, NDArray[np.generic]] = {
        "templates": np.zeros((TEMPLATES, TIMES, side, side), np.float32),
        "search": np.zeros((SEARCHES, TIMES, side, side), np.float32),
        "tips": np.zeros((SEARCHES, 2), np.float32),
        "states": np.zeros(SEARCHES, np.int64),
        "real": np.array(float(shard.real), np.float32),
    }
    for slot, frame in enumerate(chosen.templates):
        # The latest confident frame is placed by the tracker itself, which errs.
        own = slot == TEMPLATES - 1
        spread = (1.5 if random.random() < 0.85 else 8.0) if own else 0.7
        centre = scene.tip(frame) + random.normal(0.0, spread, 2)
        out["templates"][slot] = np.stack(scene.patches(frame, centre, side))
    for slot, frame in enumerate(chosen.searches):
        tip = scene.tip(frame)
        # The tracking network errs by some pixels, or takes another place for the tip.
        spread = random.choice(SPREADS_PX, p=SPREAD_SHARES)
        off = random.normal(0.0, spread, 2)
        out["search"][slot] = np.stack(scene.patches(frame, tip + off, side))
        out["tips"][slot] = side / 2 - off
        here = np.all(np.abs(off) < side / 2 - 3)
        out["states"][slot] = shard.states[frame] if here else ABSENT
    return out


class Refining(nn.Module):
    """The refiner with its loss."""

    def __init__(self, options: RefinerOptions) -> None:
        super().__init__()
        self.network = Refiner(options)

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and the figures to log; ``batch`` as `draw_fine_sample` gives it."""
        heat = self.network(batch["templates"], batch["search"]).float()
        side = batch["search"].shape[-1]
        states, tips, real = batch["states"], batch["tips"], batch["real"][:, None]
        present = (states <= OCCLUDED).float()
        hidden = (states == OCCLUDED).float()
        shown, simulated, guessed = LABEL_PX
        spread = shown + hidden * (simulated - shown + real * (guessed - simulated))
        places = torch.arange(side, device=heat.device)
        x = torch.exp(-0.5 * ((places - tips[..., 0, None]) / spread[..., None]) ** 2)
        y = torch.exp(-0.5 * ((places - tips[..., 1, None]) / spread[..., None]) ** 2)
        target = (y[..., :, None] * x[..., None, :]).flatten(-2) * present[..., None]
        target = target / target.sum(-1, keepdim=True).clamp(min=1e-6)
        target = torch.cat([1.0 - present[..., None], target], dim=-1)
        said = heat.log_softmax(-1)
        weight = 1.0 - 0.5 * hidden * real
        loss = (-(target * said).sum(-1) * weight).sum() / weight.sum()
        figures = {}
        with torch.no_grad():
            found = said[..., 0] < said[..., 1:].logsumexp(-1)
            figures["presence_right"] = (found == (present > 0)).float().mean()
            share = said[..., 1:].softmax(-1).unflatten(-1, (side, side))
            mean = torch.stack([share.sum(-2) @ places.float(), share.sum(-1) @ places.float()], -1)
            near = ((mean - tips).norm(dim=-1) < RIGHT_WITHIN_PX).float()
            for name, kind in (("real", real), ("simulated", 1.0 - real)):
                for state, chosen in (("visible", 1.0 - hidden), ("hidden", hidden)):
                    kept = present * kind * chosen
                    share_near = (near * kept).sum() / kept.sum().clamp(min=1.0)
                    figures[f"{name}_{state}_near"] = share_near
        return loss, figures


def main() -> None:
    """Train the refiner from the command line."""
    arguments = read_arguments("Train the refiner.")
    options = read_options(RefinerOptions, arguments.config, "refiner")
    loop = read_options(LoopOptions, arguments.config, "loop", "refining")
    task = Refining(options)
    begin(task, arguments)
    seed = loop.seed + reached_step(arguments.output)
    draw = partial(draw_fine_sample, options=options)
    samples = Samples(arguments.real, arguments.simulated, REAL_SHARE, draw, seed)
    train(task, DataLoader(samples, BATCH), loop, arguments.output)


if __name__ == "__main__":
    main()
