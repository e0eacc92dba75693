r"""What each part of the tracker's training is worth: the same short budget with and without it.

Run as

    python -m inference.tracking.training.ablation --shards shards --data ../shared/data \
        --output checkpoints/ablation

Each line is trained by itself, with three seeds where pretraining is judged, and scored on the same
samples of held-back simulated runs and of the labelled validation runs. A run that was broken off
goes on from what is there; several processes may each do some ``--lines``.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from inference.point_state import PointState
from inference.simulation import Scenario, simulate_run
from inference.tracking.network import NetworkOptions
from inference.tracking.training.calibration import HELD_BACK_SEED
from inference.tracking.training.finetuning import Finetuning, decode_peak, start_from
from inference.tracking.training.labelled import read_labelled_runs
from inference.tracking.training.prepare import codes, prepare_simulated
from inference.tracking.training.pretraining import Clips, Pretraining, PretrainingOptions
from inference.tracking.training.samples import SampleOptions, Samples, draw_sample
from inference.tracking.training.shards import OCCLUDED, VISIBLE, Shard, make_shard
from inference.training.loop import LoopOptions, read_options, train
from inference.training.precision import mixed_precision

log = logging.getLogger(__name__)

TEST_RUNS, TEST_SAMPLES = 60, 480
SEEDS = (1, 2, 3)
PICTURE_PX = 2.0
"""Pixels at 512 of a view pixel."""
KINDS = ("simulated", "real")
STATE_CODES = {PointState.VISIBLE: VISIBLE, PointState.OCCLUDED: OCCLUDED}
SCORE = "score.json"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table."""

    name: str
    mask: str | None = "fimae"  # None: no pretraining
    stem: str = "matching"  # what trains the stem in pretraining
    seeds: tuple[int, ...] = SEEDS
    single_template: bool = False
    contrast: bool = True

    def folder(self, seed: int) -> str:
        """Return the name of the folder of one training."""
        return f"{self.name}, seed {seed}"


LINES = (
    Line("no pretraining", mask=None),
    Line("FIMAE"),
    Line("FIMAE, stem frozen", stem="frozen"),
    Line("tube mask", mask="tube", seeds=SEEDS[:1]),
    Line("random mask", mask="random"),
    Line("FIMAE, single template", single_template=True, seeds=SEEDS[:1]),
    Line("FIMAE, no contrast simulated", contrast=False, seeds=SEEDS[:1]),
)


@dataclass(frozen=True, slots=True)
class Budget:
    """What every line may spend."""

    pretraining_steps: int
    steps: int
    crop: int = 128


def test_samples(data: Path, options: SampleOptions) -> dict[str, dict[str, Tensor]]:
    """Draw the samples that every line is scored on, one batch for each kind of run."""
    simulated: list[Shard] = []
    for seed in range(HELD_BACK_SEED, HELD_BACK_SEED + TEST_RUNS):
        run = simulate_run(seed, Scenario.MIXED, frame_count=16)
        states = codes(run.state)
        if (states == VISIBLE).sum() >= 3:
            simulated.append(make_shard(run.frames, run.tip, states, None, real=False))
    real = [
        make_shard(run.frames, run.tips, run.states, None, real=True)
        for run in read_labelled_runs(data, "validation")
    ]
    batches = {}
    for name, shards in zip(KINDS, (simulated, real), strict=True):
        random = np.random.default_rng(5)
        drawn = [
            draw_sample(shards[number % len(shards)], random, options)
            for number in range(TEST_SAMPLES)
        ]
        batches[name] = default_collate(drawn)
    return batches


def score(task: Finetuning, batch: dict[str, Tensor]) -> dict[str, float]:
    """Return the shares of tips found within 8 pixels at 512, by state, in percent."""
    errors, states = [], []
    keys = ("templates", "centres", "template_times", "search", "origins", "search_times")
    with torch.inference_mode(), mixed_precision("cpu"):
        for first in range(0, TEST_SAMPLES, 8):
            part = {key: value[first : first + 8] for key, value in batch.items()}
            said = task.network(*(part[key] for key in keys))
            errors.append((decode_peak(said.heat.float()) - part["tips"]).norm(dim=-1).flatten())
            states.append(part["states"].flatten())
    error, state = torch.cat(errors) * PICTURE_PX, torch.cat(states)
    return {
        name: 100.0 * float((error[state == kind] <= 8.0).float().mean())
        for name, kind in STATE_CODES.items()
    }


def pretrain(
    line: Line, network: NetworkOptions, config: Path, shards: Path, budget: Budget, folder: Path
) -> None:
    """Pretrain an encoder, or go on doing so."""
    assert line.mask is not None
    options = replace(
        read_options(PretrainingOptions, config, "network", "pretraining"),
        mask=line.mask,
        stem=line.stem,
        crop=budget.crop,
    )
    loop = replace(
        read_options(LoopOptions, config, "pretraining"),
        steps=budget.pretraining_steps,
        minutes=math.inf,
    )
    torch.manual_seed(0)
    clips = Clips([shards / "unlabelled", shards / "simulated"], options, loop.seed)
    train(Pretraining(network, options), DataLoader(clips, options.batch), loop, folder)


def finetune(
    line: Line,
    seed: int,
    network: NetworkOptions,
    samples: Iterable[dict[str, Tensor]],
    budget: Budget,
    start: Path | None,
    folder: Path,
) -> Finetuning:
    """Fine-tune one line with one seed."""
    torch.manual_seed(seed)
    task = Finetuning(network)
    if start is not None:
        start_from(task, start)
    loop = LoopOptions(
        steps=budget.steps, learning_rate=7e-4, warmup_steps=50, average=0.99, seed=seed
    )
    trained = train(task, samples, loop, folder)
    assert isinstance(trained, Finetuning)
    return trained


def main() -> None:
    """Train and score every line that has no score yet, and print the table."""
    parser = argparse.ArgumentParser(description="Ablation of the tracker's training.")
    parser.add_argument(
        "--config", type=Path, default=Path(__file__).parent / "configs" / "tiny.toml"
    )
    parser.add_argument("--shards", type=Path, default=Path("shards"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("checkpoints/ablation"))
    parser.add_argument("--pretraining-steps", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=400, help="of fine-tuning")
    parser.add_argument("--lines", nargs="+", default=[line.name for line in LINES])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    budget = Budget(arguments.pretraining_steps, arguments.steps)
    network = read_options(NetworkOptions, arguments.config, "network")
    options = SampleOptions(
        crop=budget.crop, searches=2, template=network.template, view=network.view, blank_share=0.0
    )
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    tests = test_samples(arguments.data, options)
    for line in (line for line in LINES if line.name in arguments.lines):
        start = None
        if line.mask is not None:
            start = output / f"pretraining_{line.mask}_{line.stem}"
            pretrain(line, network, arguments.config, arguments.shards, budget, start)
        simulated = arguments.shards / "simulated"
        if not line.contrast:
            simulated = output / "no_contrast"
            seeds = range(50_000, 50_500)
            prepare_simulated(seeds, 16, simulated, 512, scenario=Scenario.FLUOROSCOPY)
        for seed in line.seeds:
            folder = output / line.folder(seed)
            if (folder / SCORE).is_file():
                continue
            own = replace(options, single_template=line.single_template)
            draw = partial(draw_sample, options=own)
            dataset = Samples([arguments.shards / "labelled"], [simulated], 0.45, draw, seed)
            loader = DataLoader(dataset, own.batch)
            task = finetune(line, seed, network, loader, budget, start, folder)
            found = {
                f"{kind} {state}": share
                for kind, batch in tests.items()
                for state, share in score(task.eval(), batch).items()
            }
            (folder / SCORE).write_text(json.dumps(found))
            log.info("%s: %s", folder.name, found)
    print_table(output)


def print_table(output: Path) -> None:
    """Print means over seeds, and their spread where there are several."""
    table = Table(title="Tips within 8 pixels, percent")
    table.add_column("training")
    heads = [f"{kind} {state}" for kind in KINDS for state in STATE_CODES]
    for head in heads:
        table.add_column(head, justify="right")
    for line in LINES:
        paths = [output / line.folder(seed) / SCORE for seed in line.seeds]
        rows = [json.loads(path.read_text()) for path in paths if path.is_file()]
        cells = []
        for head in heads:
            values = np.array([row[head] for row in rows])
            spread = f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""
            cells.append(f"{values.mean():.1f}{spread}" if len(values) else "-")
        table.add_row(line.name, *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
