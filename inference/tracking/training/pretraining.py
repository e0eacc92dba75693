r"""FIMAE: masked pretraining of the encoder on unlabelled runs (arXiv 2405.01156).

Ten consecutive frames; on every other one a tube mask hides the same 75% of the patches, on the
frames in between about 98% are hidden, so that the network has to interpolate them in time. Run as

    python -m inference.tracking.training.pretraining \
        --config inference/tracking/training/configs/tiny.toml \
        --shards shards --output checkpoints/tracker_tiny_pretraining
"""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from inference.tracking.network import FRAME_STEP, PATCH, Block, Encoder, NetworkOptions, positions
from inference.tracking.training.matching import draw_pair, matching_loss
from inference.tracking.training.shards import ShardPool
from inference.tracking.views import normalise
from inference.training.loop import LoopOptions, reached_step, read_options, train, worker_rank

SHOWN_COUNTS = 0.5
"""Weight of the shown patches' own pixels, which teach the decoder first what a token holds."""
DECODER_SLOPES = ((4.0, 0.5), (2.0, 1.0), (1.0, 2.0), (0.5, 0.5))
"""How much each head of the decoder cares less for what is a patch, and a frame, further away."""
MASKS = ("fimae", "tube", "random", "interpolation")
STEMS = ("matching", "frozen", "pixels")


@dataclass(frozen=True, slots=True)
class PretrainingOptions:
    """What is masked, and how the clips are cut.

    Attributes
    ----------
    mask : str
        "fimae": tubes of ``tube_share`` on every other frame, ``between_share`` in between;
        "tube": tubes of ``tube_share`` on all frames; "random": ``tube_share`` drawn anew on each
        frame; "interpolation": every other frame whole, the frames in between hidden.
    stem : str
        What trains the stem's convolutions: "matching" (see `matching`), "pixels" as all else, or
        nothing: "frozen" leaves them as they were drawn (as MoCo v3 leaves its patch projection,
        arXiv 2104.02057).
    view, crop : int
        Sides of the views and of the clips cut from them, in view pixels.
    """

    mask: str = "fimae"
    tube_share: float = 0.75
    between_share: float = 0.98
    stem: str = "matching"
    frames: int = 10
    view: int = 256
    crop: int = 128
    batch: int = 4
    decoder_width: int = 96
    decoder_depth: int = 2
    workers: int = 0


def draw_mask(
    options: PretrainingOptions, patches: int, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which patches are hidden, (frames, patches); frames of a kind hide equally many."""

    def hide(share: float) -> NDArray[np.bool_]:
        hidden = np.zeros(patches, bool)
        hidden[random.permutation(patches)[: round(share * patches)]] = True
        return hidden

    if options.mask == "random":
        return np.stack([hide(options.tube_share) for _ in range(options.frames)])
    if options.mask == "interpolation":
        between = [i % 2 == 1 for i in range(options.frames)]
        return np.repeat(np.array(between)[:, None], patches, axis=1)
    tube = hide(options.tube_share)
    if options.mask == "tube":
        return np.repeat(tube[None], options.frames, axis=0)
    if options.mask == "fimae":
        return np.stack(
            [hide(options.between_share) if i % 2 else tube for i in range(options.frames)]
        )
    raise ValueError(f"Unknown mask {options.mask!r}: choose one of {', '.join(MASKS)}.")


class Pretraining(nn.Module):
    """Encoder on the visible patches, light decoder on all, loss on the hidden patches' pixels."""

    def __init__(self, network: NetworkOptions, options: PretrainingOptions) -> None:
        super().__init__()
        if options.stem not in STEMS:
            raise ValueError(f"Unknown stem {options.stem!r}: choose one of {', '.join(STEMS)}.")
        self.encoder = Encoder(network)
        self.stem_by = options.stem
        if options.stem == "frozen":
            stem = self.encoder.stem
            for part in (stem.at_half, stem.at_quarter, stem.at_eighth):
                part.requires_grad_(False)
        width = options.decoder_width
        self.to_decoder = nn.Linear(network.width, width)
        self.hidden = nn.Parameter(torch.zeros(width))
        heads = len(DECODER_SLOPES)
        self.decoder = nn.ModuleList(Block(width, heads) for _ in range(options.decoder_depth))
        self.to_pixels = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, PATCH * PATCH))

    def reconstruct(self, clips: Tensor, hidden: Tensor) -> Tensor:
        """Predict the normalised pixels of all patches.

        Parameters
        ----------
        clips : Tensor
            (B, T, side, side) normalised frames.
        hidden : Tensor
            (B, T, patches) bool, equally many hidden in each clip.

        Returns
        -------
        Tensor
            (B, T * patches, PATCH * PATCH).
        """
        batch, frames, side, _ = clips.shape
        count = side // PATCH
        shown = (~hidden).view(batch, frames, count, count).float()
        pixels = clips * F.interpolate(shown, scale_factor=float(PATCH))
        before = torch.cat([pixels[:, :1], pixels[:, :-1]], dim=1)
        after = torch.cat([pixels[:, 1:], pixels[:, -1:]], dim=1)
        patches = torch.stack([pixels, before, after], dim=2)
        patches = patches.unflatten(-1, (count, PATCH)).unflatten(-3, (count, PATCH))
        patches = patches.permute(0, 1, 3, 5, 2, 4, 6).flatten(1, 3)
        order = hidden.view(batch, -1).float().argsort(dim=1, stable=True)
        order = order[:, : int((~hidden[0]).sum())]
        patches = patches.gather(1, order[..., None, None, None].expand(-1, -1, *patches.shape[2:]))

        time = torch.arange(frames, device=clips.device).repeat_interleave(count**2)
        row = torch.arange(count, device=clips.device).repeat_interleave(count).repeat(frames)
        column = torch.arange(count, device=clips.device).repeat(count * frames)
        where = (column.float(), row.float(), time * FRAME_STEP)
        x = self._tokens(patches) + positions(*where, self.to_decoder.in_features)[order]
        for block in self.encoder.blocks:
            x, _ = block(x)
        x = self.to_decoder(self.encoder.norm(x))
        blank = self.hidden.to(x.dtype).expand(batch, len(time), -1)
        x = blank.scatter(1, order[..., None].expand(x.shape), x)
        x = x + positions(*where, x.shape[-1]).to(x.dtype)
        near = nearness(column.float(), row.float(), time.float()).to(x.dtype)
        for block in self.decoder:
            x, _ = block(x, bias=near)
        return self.to_pixels(x)

    def _tokens(self, patches: Tensor) -> Tensor:
        """Have the stem read (B, n, TIMES, PATCH, PATCH) patches side by side, (B, n, width)."""
        count = patches.shape[1]
        across = math.ceil(count**0.5)
        padded = F.pad(patches, (0, 0, 0, 0, 0, 0, 0, across**2 - count))
        grid = padded.unflatten(1, (across, across)).permute(0, 3, 1, 4, 2, 5)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.stem_by == "pixels"):
            _, eighth = self.encoder.stem.maps(grid.flatten(-2).flatten(2, 3))
        token = self.encoder.stem.token(eighth)
        return token.flatten(2).transpose(1, 2)[:, :count]

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error over the hidden and the shown patches, each normalised by itself.

        Where matching trains the stem its loss is added.
        """
        clips, hidden = batch["clips"], batch["hidden"]
        predicted = self.reconstruct(clips, hidden).float()
        truth = patch_pixels(clips)
        error = ((predicted - truth) ** 2).mean(dim=-1)
        unseen = hidden.view(error.shape).float()
        seen = 1.0 - unseen
        guessed = (error * unseen).sum() / unseen.sum()
        copied = (error * seen).sum() / seen.sum()
        # What guessing a flat patch would cost, so that the logs tell whether anything is learned.
        flat = ((truth**2).mean(dim=-1) * unseen).sum() / unseen.sum()
        figures = {"explained": 1.0 - guessed / flat, "shown": copied}
        loss = guessed + SHOWN_COUNTS * copied
        if self.stem_by == "matching":
            matching, figures["matched"] = matching_loss(self.encoder.stem, batch)
            loss = loss + matching
        return loss, figures


def nearness(x: Tensor, y: Tensor, time: Tensor) -> Tensor:
    """Bias of the decoder's attention towards what is near, (heads, N, N).

    ALiBi (arXiv 2108.12409) in space and time. Without it the decoder had not found out after a
    thousand steps that a hidden patch is like its neighbours, and said the mean of all patches.
    """
    away = (x[:, None] - x).abs() + (y[:, None] - y).abs()
    apart = (time[:, None] - time).abs()
    return torch.stack([-space * away - slow * apart for space, slow in DECODER_SLOPES])


def patch_pixels(clips: Tensor) -> Tensor:
    """Cut (B, T, side, side) into normalised patches (B, T * patches, PATCH * PATCH)."""
    patches = F.unfold(clips.flatten(0, 1)[:, None], PATCH, stride=PATCH).transpose(1, 2)
    patches = patches.reshape(clips.shape[0], -1, PATCH * PATCH)
    mean, spread = patches.mean(-1, keepdim=True), patches.std(-1, keepdim=True)
    return (patches - mean) / (spread + 0.1)


class Clips(IterableDataset[dict[str, Tensor]]):
    """Endless clips cut at random from prepared shards."""

    def __init__(self, folders: list[Path], options: PretrainingOptions, seed: int) -> None:
        self.folders, self.options, self.seed = folders, options, seed

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        random = np.random.default_rng((self.seed, worker_rank()[0], worker.id if worker else 0))
        pool = ShardPool(self.folders)
        options = self.options
        while True:
            shard = pool.draw(random)
            if len(shard) < options.frames:
                continue
            first = int(random.integers(len(shard) - options.frames + 1))
            clip = [shard.frame(first + step, options.view) for step in range(options.frames)]
            views = np.stack([normalise(view.astype(np.float32)) for view in clip])
            top, left = random.integers(views.shape[1] - options.crop + 1, size=2)
            views = views[:, top : top + options.crop, left : left + options.crop]
            for axis in range(3):
                if random.random() < 0.5:
                    views = np.flip(views, axis)
            sample: dict[str, NDArray[np.generic]] = {
                "clips": np.ascontiguousarray(views),
                "hidden": draw_mask(options, (options.crop // PATCH) ** 2, random),
            }
            if options.stem == "matching":
                other = pool.draw(random)
                sample |= draw_pair(shard, other, random, options.crop, options.view)
            yield {key: torch.from_numpy(value) for key, value in sample.items()}


def reconstruction_picture(task: Pretraining, clip: dict[str, Tensor]) -> NDArray[np.uint8]:
    """Draw a clip, what of it was shown, and what was made of it, one below the other."""
    clips, hidden = clip["clips"][None], clip["hidden"][None]
    side = clips.shape[-1]
    with torch.inference_mode():
        predicted = task.reconstruct(clips, hidden).float()
    patches = F.unfold(clips[0][:, None], PATCH, stride=PATCH).transpose(1, 2)
    mean, spread = patches.mean(-1, keepdim=True), patches.std(-1, keepdim=True) + 0.1
    made = predicted.view(patches.shape) * spread + mean
    shown = torch.where(hidden[0][..., None], torch.full_like(patches, -4.0), patches)
    made = torch.where(hidden[0][..., None], made, patches)
    rows = [
        F.fold(part.transpose(1, 2), side, PATCH, stride=PATCH)[:, 0].permute(1, 0, 2).flatten(1)
        for part in (patches, shown, made)
    ]
    return np.asarray(((torch.cat(rows) + 4.0) / 7.0 * 255.0).clamp(0, 255).byte())


def main() -> None:
    """Pretrain from the command line."""
    parser = argparse.ArgumentParser(description="Pretrain the tracker's encoder (FIMAE).")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--shards", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--picture", type=Path, help="write a picture of reconstructions")
    parser.add_argument("--threads", type=int, help="CPU threads")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    network = read_options(NetworkOptions, arguments.config, "network")
    options = read_options(PretrainingOptions, arguments.config, "network", "pretraining")
    loop = read_options(LoopOptions, arguments.config, "loop", "pretraining")
    seed = loop.seed + reached_step(arguments.output)
    dataset = Clips(arguments.shards, options, seed)
    loader = DataLoader(dataset, options.batch, num_workers=options.workers)
    task = train(Pretraining(network, options), loader, loop, arguments.output)
    if arguments.picture:
        picture = reconstruction_picture(task.cpu(), next(iter(dataset)))
        cv2.imwrite(str(arguments.picture), picture)


if __name__ == "__main__":
    main()
