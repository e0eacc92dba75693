r"""Teach the pretrained encoder to find a tip that it was shown on other frames.

Run as

    python -m inference.tracking.training.finetuning \
        --config inference/tracking/training/configs/tiny.toml \
        --real shards/labelled --simulated shards/simulated \
        --start checkpoints/tracker_tiny_pretraining --output checkpoints/tracker_tiny

and, on several GPUs, with ``torchrun --nproc-per-node N -m`` in the place of ``python -m``.

Losses: cross-entropy of the heatmap's softmax against a Gaussian (one cell more says "not here"),
binary cross-entropy for the catheter's body (ConTrack's second task), for "hidden" and for "the
peak is right".
"""

from __future__ import annotations

import argparse
import logging
from functools import partial
from pathlib import Path

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from inference.tracking.network import CELL, NetworkOptions, Prediction, TrackerNetwork
from inference.tracking.training.samples import SampleOptions, Samples, draw_sample
from inference.tracking.training.shards import ABSENT, OCCLUDED
from inference.training.loop import LoopOptions, averaged_state, reached_step, read_options, train

log = logging.getLogger(__name__)

RIGHT_WITHIN = 2.5
"""View pixels (5 picture pixels at 512) within which a peak counts as right."""


def heat_target(tips: Tensor, states: Tensor, columns: int) -> Tensor:
    """Gaussians around the tips, (..., 1 + columns**2), each summing to 1; absent ones in cell 0.

    Placed tips are 1 to 2 picture pixels right where visible and 3 to 6 where hidden, and the
    Gaussians as wide.
    """
    spread = torch.where(states == OCCLUDED, 2.6, 1.5)[..., None]
    centre = torch.arange(columns, device=tips.device) * CELL + (CELL - 1) / 2
    x = torch.exp(-0.5 * ((centre - tips[..., 0, None]) / spread) ** 2)
    y = torch.exp(-0.5 * ((centre - tips[..., 1, None]) / spread) ** 2)
    cells = (y[..., :, None] * x[..., None, :]).flatten(-2)
    cells = cells / cells.sum(-1, keepdim=True).clamp(min=1e-6)
    absent = (states == ABSENT)[..., None]
    return torch.cat([absent.float(), torch.where(absent, 0.0, cells)], dim=-1)


def decode_peak(heat: Tensor) -> Tensor:
    """Return the heatmap's peak refined over its neighbours, (..., 2) view (x, y)."""
    columns = round((heat.shape[-1] - 1) ** 0.5)
    cells = heat[..., 1:].float().softmax(-1)
    shape = cells.shape[:-1]
    cells = cells.reshape(-1, 1, columns, columns)
    peak = cells.flatten(1).argmax(-1)
    row, column = peak // columns, peak % columns
    reach = torch.arange(-2, 3, device=heat.device)
    padded = F.pad(cells, (2, 2, 2, 2))[:, 0]
    rows = (row[:, None] + 2 + reach)[:, :, None].expand(-1, 5, 5)
    cols = (column[:, None] + 2 + reach)[:, None, :].expand(-1, 5, 5)
    near = padded[torch.arange(len(padded), device=heat.device)[:, None, None], rows, cols]
    near = near / near.sum((1, 2), keepdim=True).clamp(min=1e-12)
    x = column + (near.sum(1) * reach).sum(1)
    y = row + (near.sum(2) * reach).sum(1)
    return (torch.stack([x, y], -1) * CELL + (CELL - 1) / 2).reshape(*shape, 2)


class Finetuning(nn.Module):
    """The tracker's network with its losses."""

    def __init__(self, network: NetworkOptions) -> None:
        super().__init__()
        self.network = TrackerNetwork(network)

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and the figures to log; ``batch`` as `draw_sample` gives it."""
        said: Prediction = self.network(
            batch["templates"],
            batch["centres"],
            batch["template_times"],
            batch["search"],
            batch["origins"],
            batch["search_times"],
        )
        states, tips, real = batch["states"], batch["tips"], batch["real"][:, None]
        present = (states != ABSENT).float()
        hidden = (states == OCCLUDED).float()
        heat = said.heat.float()
        columns = round((heat.shape[-1] - 1) ** 0.5)
        target = heat_target(tips, states, columns)
        placed = -(target * heat.log_softmax(-1)).sum(-1)
        # Where people guessed the tip behind contrast the loss counts less.
        heat_loss = (placed * (1.0 - 0.4 * hidden * real)).mean()

        body = F.binary_cross_entropy_with_logits(
            said.body.float(), batch["body"], reduction="none", pos_weight=torch.tensor(3.0)
        ).mean((2, 3))
        body_loss = (body * batch["has_body"][:, None]).mean()
        hidden_loss = F.binary_cross_entropy_with_logits(
            said.occluded.float(), hidden, weight=present
        )
        error = (decode_peak(heat.detach()) - tips).norm(dim=-1)
        right = ((error < RIGHT_WITHIN) & (present > 0)).float()
        sure_loss = F.binary_cross_entropy_with_logits(said.sure.float(), right)
        loss = heat_loss + body_loss + 0.2 * hidden_loss + 0.2 * sure_loss
        figures = {"heat": heat_loss, "body": body_loss, "hidden": hidden_loss, "sure": sure_loss}
        for name, chosen in (("real", real), ("simulated", 1.0 - real)):
            weight = present * chosen
            within = ((error < 2 * RIGHT_WITHIN).float() * weight).sum()
            figures[f"{name}_within_10px"] = within / weight.sum().clamp(min=1.0)
        return loss, figures


def start_from(task: nn.Module, start: Path) -> None:
    """Load what fits of a training's folder or of a weights file (safetensors)."""
    state = averaged_state(start)
    own = task.state_dict()
    renamed = {key if key in own else f"network.{key}": value for key, value in state.items()}
    fitting = {}
    for key, value in renamed.items():
        if key not in own:
            continue
        new = own[key]
        more = new.shape[1] - value.shape[1] if new.ndim == value.ndim > 1 else 0
        if more > 0 and value.shape == new[:, :-more].shape:
            # Inputs that the earlier network did not have start without any say.
            value = torch.cat([value, torch.zeros_like(new[:, :more])], dim=1)
        if value.shape == new.shape:
            fitting[key] = value
    task.load_state_dict(own | fitting)
    log.info("started %d of %d tensors from %s", len(fitting), len(own), start)


def read_arguments(description: str) -> argparse.Namespace:
    """Read the command line of a training on labelled and simulated shards, and set threads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--real", type=Path, nargs="*", default=[], help="labelled shards")
    parser.add_argument("--simulated", type=Path, nargs="*", default=[], help="simulated shards")
    parser.add_argument("--start", type=Path, help="training folder or .safetensors to go on from")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, help="CPU threads")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
        cv2.setNumThreads(arguments.threads)
    return arguments


def begin(task: nn.Module, arguments: argparse.Namespace) -> None:
    """Start a task from ``--start``, unless its own output folder has a checkpoint."""
    if arguments.start and not (arguments.output / "checkpoint.pt").is_file():
        start_from(task, arguments.start)


def main() -> None:
    """Fine-tune from the command line."""
    arguments = read_arguments("Fine-tune the tracker.")
    options = read_options(SampleOptions, arguments.config, "network", "finetuning")
    loop = read_options(LoopOptions, arguments.config, "loop", "finetuning")
    task = Finetuning(read_options(NetworkOptions, arguments.config, "network"))
    begin(task, arguments)
    seed = loop.seed + reached_step(arguments.output)
    draw = partial(draw_sample, options=options)
    samples = Samples(arguments.real, arguments.simulated, options.real_share, draw, seed)
    loader = DataLoader(samples, options.batch, num_workers=options.workers)
    train(task, loader, loop, arguments.output)


if __name__ == "__main__":
    main()
