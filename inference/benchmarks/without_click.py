"""How often the tip is found without a click, as ``fluorotrace track --auto`` looks for it.

python -m inference.benchmarks without_click [--data FOLDER] [--limit RUNS]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from inference.benchmarks.tracking import errors_px, ours, simulated_runs
from inference.tracking.proposing import find_tip
from inference.tracking.requests import Anchor
from inference.tracking.tracker import Tracker, load_tracker
from inference.tracking.training.labelled import LabelledRun, read_labelled_runs, sequence_of
from inference.tracking.training.shards import OCCLUDED, VISIBLE

WITHIN = 12.0
"""Pixels at 512 within which a frame counts as found."""


def found_share(tracker: Tracker, run: LabelledRun) -> float:
    """Return the share of labelled frames that are found from the tracker's own proposal."""
    scored = np.isin(run.states, (VISIBLE, OCCLUDED))
    try:
        start = find_tip(tracker, sequence_of(run.frames))
    except LookupError:
        return 0.0
    tips = ours(tracker, run, (Anchor(start.frame, start.x, start.y),)).tips
    return float((errors_px(run, tips)[scored] <= WITHIN).mean())


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m inference.benchmarks without_click")
    parser.add_argument("--limit", type=int, default=40, help="simulated runs")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", default="tracker_tiny", help="name, or path without ending")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args(arguments)
    tracker = load_tracker(name=chosen.weights, threads=chosen.threads)
    groups: dict[str, list[float]] = {}
    labelled = read_labelled_runs(chosen.data, "validation") if chosen.data.is_dir() else []
    for run in [*labelled, *simulated_runs(chosen.limit)]:
        groups.setdefault(run.name, []).append(found_share(tracker, run))
    table = Table(title=f"Without a click: percent of frames within {WITHIN:g} px")
    for head in ("runs", "count", "frames", "runs with more than half"):
        table.add_column(head, justify="left" if head == "runs" else "right")
    for name, shares in groups.items():
        found = np.array(shares)
        halves = f"{100 * (found > 0.5).mean():.0f}"
        table.add_row(name, str(len(found)), f"{100 * found.mean():.0f}", halves)
    Console(file=sys.stdout, width=100).print(table)


if __name__ == "__main__":
    main()
