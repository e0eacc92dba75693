"""Tips that leave the picture: labelled runs, cut so that some of their tips lie outside.

python -m inference.benchmarks leaving [--data FOLDER] [--part training|validation]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from inference.benchmarks.tracking import compare, print_scores
from inference.tracking.tracker import load_tracker
from inference.tracking.training.labelled import LabelledRun, read_labelled_runs
from inference.tracking.training.shards import ABSENT, OCCLUDED, UNKNOWN, VISIBLE

GONE = 0.4
"""Share of a run's tips that the cut leaves outside."""
SURELY = 8.0
"""Pixels at 512 outside from which a tip counts as absent; one that is nearer is not scored."""
LEAST_SIDE = 0.6
"""Share of the picture's side that has to be left."""


def cut_runs(run: LabelledRun) -> list[LabelledRun]:
    """Cut a run at each side that is near enough to its tips."""
    present = np.isin(run.states, (VISIBLE, OCCLUDED))
    cuts = []
    for axis, from_end in ((0, False), (0, True), (1, False), (1, True)):
        length = run.frames.shape[2 - axis]
        along = run.tips[:, axis]
        edge = round(float(np.quantile(along[present], 1.0 - GONE if from_end else GONE)))
        first, last = (0, edge) if from_end else (edge, length)
        outside = np.maximum(first - along, along - (last - 1)) * 512.0 / max(run.frames.shape[1:])
        gone = np.where(outside > SURELY, ABSENT, UNKNOWN)
        states = np.where(present & (outside > 0), gone, run.states).astype(np.uint8)
        if last - first < LEAST_SIDE * length or not (states == VISIBLE).any():
            continue
        shift = np.array([first, 0.0] if axis == 0 else [0.0, first])
        part = np.s_[:, :, first:last] if axis == 0 else np.s_[:, first:last]
        frames = np.ascontiguousarray(run.frames[part])
        cuts.append(replace(run, frames=frames, tips=run.tips - shift, states=states))
    return cuts


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m inference.benchmarks leaving")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--part", default="validation", help="labelled part of the data")
    parser.add_argument("--weights", default="tracker_tiny", help="name, or path without ending")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args(arguments)
    tracker = load_tracker(name=chosen.weights, threads=chosen.threads)
    runs = [cut for run in read_labelled_runs(chosen.data, chosen.part) for cut in cut_runs(run)]
    title = f"{len(runs)} cuts of the labelled real runs, {chosen.part}: {GONE:.0%} of tips outside"
    print_scores(Console(file=sys.stdout, width=200), title, compare(runs, tracker, {}))


if __name__ == "__main__":
    main()
