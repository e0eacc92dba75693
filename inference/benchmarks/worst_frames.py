"""What the tracker fails on: the frames that are off, run by run, and pictures of the worst.

python -m inference.benchmarks worst_frames --output PAGE.png [--data FOLDER] [--limit RUNS]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.benchmarks.tracking import TEST_SEED, errors_px, first_click, ours, simulated_runs
from inference.tracking.requests import Anchor, PointState
from inference.tracking.tracker import Tracker, load_tracker
from inference.tracking.training.labelled import LabelledRun, read_labelled_runs
from inference.tracking.training.shards import OCCLUDED, STATES, VISIBLE

OFF_BEYOND = 8.0
"""Pixels at 512."""
SIDE, ZOOM = 150, 2.0
"""Pixels of a picture around the tips, and how much larger they are shown."""
LABEL_COLOUR, OURS_COLOUR = (90, 230, 90), (80, 80, 255)  # BGR


@dataclass(frozen=True, slots=True, eq=False)
class Miss:
    """One frame on which the tracker is off."""

    run: str
    frame: int
    state: str
    error: float  # pixels at 512
    confidence: float
    picture: NDArray[np.uint8]


def misses(tracker: Tracker, name: str, run: LabelledRun) -> list[Miss]:
    """Return what is answered on all labelled frames of a run, tracked from one click."""
    first = first_click(run)
    x, y = run.tips[first].tolist()
    tracked = ours(tracker, run, (Anchor(first, x, y),))
    errors = errors_px(run, tracked.tips)
    return [
        Miss(
            name,
            frame,
            STATES[run.states[frame]],
            float(errors[frame]),
            float(tracked.confidence[frame]),
            _picture(run.frames[frame], run.tips[frame], tracked.tips[frame]),
        )
        for frame in np.flatnonzero(np.isin(run.states, (VISIBLE, OCCLUDED))).tolist()
    ]


def _picture(
    frame: NDArray[np.generic], label: NDArray[np.float64], tip: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Show both places on the frame around them, contrast stretched."""
    side = round(SIDE * ZOOM)
    matrix = np.array([[ZOOM, 0.0, 0.0], [0.0, ZOOM, 0.0]])
    matrix[:, 2] = side / 2 - ZOOM * (label + tip) / 2
    part = cv2.warpAffine(frame.astype(np.float32), matrix, (side, side), flags=cv2.INTER_CUBIC)
    low, high = np.percentile(part, (0.5, 99.5))
    grey = np.clip((part - low) * (255.0 / max(float(high - low), 1e-6)), 0, 255).astype(np.uint8)
    shown = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    for point, colour in ((label, LABEL_COLOUR), (tip, OURS_COLOUR)):
        x, y = np.rint(matrix[:, :2] @ point + matrix[:, 2]).astype(int).tolist()
        cv2.circle(shown, (x, y), 8, colour, 1, cv2.LINE_AA)
    return np.asarray(shown, np.uint8)


def main(arguments: list[str] | None = None) -> None:
    """List the worst frames and write their page: labels green, ours red."""
    parser = argparse.ArgumentParser(prog="python -m inference.benchmarks worst_frames")
    parser.add_argument("--output", type=Path, required=True, help="picture to write")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--limit", type=int, default=0, help="simulated runs in place of real ones")
    parser.add_argument("--seed", type=int, default=TEST_SEED, help="of the first simulated run")
    parser.add_argument("--visible", action="store_true", help="leave hidden tips out")
    parser.add_argument("--one-a-run", action="store_true", help="show each run's worst frame only")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", default="tracker_tiny", help="name, or path without ending")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args(arguments)
    tracker = load_tracker(name=chosen.weights, threads=chosen.threads)
    runs = simulated_runs(chosen.limit, first_seed=chosen.seed) if chosen.limit else []
    found = []
    for number, run in enumerate(runs or read_labelled_runs(chosen.data, "validation")):
        name = f"{number} {run.name}"
        shown = misses(tracker, name, run)
        shown = [miss for miss in shown if miss.state == PointState.VISIBLE or not chosen.visible]
        off = [miss.frame for miss in shown if miss.error > OFF_BEYOND]
        told = ", ".join(map(str, off)) or "none"
        sys.stdout.write(f"{name}: off by more than {OFF_BEYOND:.0f} px: {told}\n")
        shown.sort(key=lambda miss: -miss.error)
        found += shown[:1] if chosen.one_a_run else shown
    worst = sorted(found, key=lambda miss: -miss.error)[: chosen.count]
    tiles = []
    for miss in worst:
        told = f"{miss.run} {miss.frame}: {miss.state}, {miss.error:.0f} px"
        sys.stdout.write(f"{told}, confidence {miss.confidence:.2f}\n")
        cv2.putText(miss.picture, told, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 255, 255), 1)
        tiles.append(miss.picture)
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % 5)
    rows = [np.hstack(tiles[index : index + 5]) for index in range(0, len(tiles), 5)]
    cv2.imwrite(str(chosen.output), np.vstack(rows))


if __name__ == "__main__":
    main()
