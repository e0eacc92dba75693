r"""Prepare shards of real runs, of simulated runs and of catheters drawn over real frames.

    python -m inference.tracking.training.prepare real --data ../shared/data --output shards
    python -m inference.tracking.training.prepare simulated --count 500 --output shards/simulated
    python -m inference.tracking.training.prepare drawn --count 200 --data ../shared/data \
        --output shards/simulated

``real`` writes ``labelled`` (hand labels of ``labels/training``) and ``unlabelled`` (all runs of
the same patients, without any label). All real frames, those that ``drawn`` draws over as well, are
of the patients whose labels are for training (2, 3 and 5): the others' belong to validation.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.simulation import DeviceTruth, Scenario, draw_device_over, simulate_run
from inference.tracking.training.labelled import read_image_folder, read_labelled_runs
from inference.tracking.training.shards import STATES, UNKNOWN, VISIBLE, make_shard, write_shard

log = logging.getLogger(__name__)

TRAINING_PATIENTS = ("P2", "P3", "P5")


def prepare_real(data: Path, output: Path, side: int) -> None:
    """Write the labelled training runs, and all runs of their patients without labels."""
    for run in read_labelled_runs(data, "training"):
        shard = make_shard(run.frames, run.tips, run.states, None, real=True, side=side)
        write_shard(output / "labelled" / f"{run.name}.npz", shard)
    for folder in training_folders(data):
        frames = read_image_folder(folder)
        tips = np.full((len(frames), 2), np.nan)
        states = np.full(len(frames), UNKNOWN, np.uint8)
        shard = make_shard(frames, tips, states, None, real=True, side=side)
        write_shard(output / "unlabelled" / f"{folder.name}.npz", shard)


def prepare_simulated(
    seeds: range, frames: int, output: Path, side: int, scenario: Scenario = Scenario.MIXED
) -> None:
    """Write a simulated run for each seed, one shard for each device that is worth tracking."""
    for seed in seeds:
        if any(output.glob(f"{seed:06d}_*.npz")):
            continue
        run = simulate_run(seed, scenario, frame_count=frames)
        for index, device in enumerate(run.devices):
            path = output / f"{seed:06d}_{index}.npz"
            _write_device(path, run.frames, device, side, only=index == 0)
        log.info("simulated run %d", seed)


def prepare_drawn(seeds: range, frames: int, data: Path, output: Path, side: int) -> None:
    """Draw a catheter over a stretch of a real run for each seed."""
    runs = [read_image_folder(folder) for folder in training_folders(data)]
    for seed in seeds:
        path = output / f"drawn_{seed:06d}.npz"
        if path.is_file():
            continue
        random = np.random.default_rng(seed)
        run = runs[int(random.integers(len(runs)))]
        first = int(random.integers(max(1, len(run) - frames + 1)))
        drawn, device = draw_device_over(run[first : first + frames], seed)
        _write_device(path, drawn, device, side, only=False)
        log.info("drawn run %d", seed)


def training_folders(data: Path) -> list[Path]:
    """Return the real runs that may be learned from, labelled or not."""
    return sorted(f for f in (data / "angiodata").iterdir() if f.name[:2] in TRAINING_PATIENTS)


def codes(states: Sequence[str]) -> NDArray[np.uint8]:
    """Return each state's index into ``STATES``."""
    return np.array([STATES.index(state) for state in states], np.uint8)


def _write_device(
    path: Path, frames: NDArray[np.generic], device: DeviceTruth, side: int, *, only: bool
) -> None:
    states = codes(device.state)
    if (states == VISIBLE).sum() < 3:
        return
    body = device.mask(*frames.shape[1:]).astype(bool)
    shard = make_shard(frames, device.tip, states, body, real=False, only=only, side=side)
    write_shard(path, shard)


def main() -> None:
    """Prepare shards from the command line."""
    parser = argparse.ArgumentParser(description="Prepare runs for the tracker's training.")
    commands = parser.add_subparsers(dest="command", required=True)
    real = commands.add_parser("real")
    real.add_argument("--data", type=Path, default=Path("../shared/data"))
    real.add_argument("--output", type=Path, required=True)
    for name in ("simulated", "drawn"):
        made = commands.add_parser(name)
        made.add_argument("--count", type=int, required=True)
        made.add_argument("--seed", type=int, default=1)
        made.add_argument("--frames", type=int, default=16)
        made.add_argument("--output", type=Path, required=True)
        if name == "drawn":
            made.add_argument("--data", type=Path, default=Path("../shared/data"))
    for command in commands.choices.values():
        command.add_argument("--side", type=int, default=512, help="side of the stored pictures")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if arguments.command == "real":
        prepare_real(arguments.data, arguments.output, arguments.side)
        return
    seeds = range(arguments.seed, arguments.seed + arguments.count)
    if arguments.command == "simulated":
        prepare_simulated(seeds, arguments.frames, arguments.output, arguments.side)
    else:
        prepare_drawn(seeds, arguments.frames, arguments.data, arguments.output, arguments.side)


if __name__ == "__main__":
    main()
