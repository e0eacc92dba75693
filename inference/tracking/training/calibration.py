r"""Calibrate the confidence on held-back simulated runs.

Logistic regression of "within 5 pixels (at 512) of the tip" on what speaks for each point
(`inference.tracking.confidence.Evidence`). Run as

    python -m inference.tracking.training.calibration --weights resources/weights/tracker_tiny \
        --data ../shared/data

It is written into the weights file.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from scipy.optimize import minimize

from inference.simulation import Scenario, draw_device_over, simulate_run
from inference.tracking.confidence import features, probability
from inference.tracking.requests import Anchor, TrackRequest
from inference.tracking.tracker import Tracker, load_tracker
from inference.tracking.training.labelled import LabelledRun, read_image_folder, sequence_of
from inference.tracking.training.prepare import codes, training_folders
from inference.tracking.training.shards import ABSENT, VISIBLE

HELD_BACK_SEED = 800_000
"""First seed of the runs for calibration; training uses seeds below 100,000."""
RIGHT_WITHIN = 5.0

log = logging.getLogger(__name__)


def held_back_runs(count: int, data: Path | None) -> Iterator[LabelledRun]:
    """Yield simulated runs, and as many catheters drawn over real frames where there are some."""
    folders = training_folders(data) if data is not None else []
    for number in range(count):
        seed = HELD_BACK_SEED + number
        run = simulate_run(seed, Scenario.MIXED, frame_count=20)
        yield LabelledRun("simulated", run.frames, run.tip.astype(np.float64), codes(run.state))
        if folders:
            frames = read_image_folder(folders[number % len(folders)])[:20]
            drawn, device = draw_device_over(frames, seed)
            tips = device.tip.astype(np.float64)
            yield LabelledRun("drawn", drawn, tips, codes(device.state))


def gather(tracker: Tracker, run: LabelledRun) -> tuple[list[NDArray[np.float64]], list[bool]]:
    """Track a run from its first visible tip; return features and whether each point is right."""
    visible = np.flatnonzero(run.states == VISIBLE)
    if not len(visible):
        return [], []
    first = int(visible[0])
    count, rows, columns = run.frames.shape
    anchor = Anchor(first, float(run.tips[first, 0]), float(run.tips[first, 1]))
    job = tracker.job(sequence_of(run.frames), TrackRequest((anchor,), 0, count - 1))
    points = {point.frame: point for told in job.run(lambda: False) for point in told}
    rows_of, right = [], []
    for frame, point in points.items():
        if point.x is None or point.y is None or run.states[frame] == ABSENT:
            continue
        error = np.hypot(point.x - run.tips[frame, 0], point.y - run.tips[frame, 1])
        rows_of.append(features(job.evidence[frame]))
        right.append(bool(error * 512 / max(rows, columns) <= RIGHT_WITHIN))
    return rows_of, right


def fit(rows: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fit the logistic regression; no feature may speak against what it measures."""
    sign = np.where(right, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> float:
        return float(np.logaddexp(0.0, -sign * (rows @ weights)).mean() + 1e-3 * weights @ weights)

    count = rows.shape[1]
    found = minimize(loss, np.zeros(count), bounds=[(None, None)] + (count - 1) * [(0.0, None)])
    return np.asarray(found.x)


def main() -> None:
    """Calibrate from the command line."""
    parser = argparse.ArgumentParser(description="Calibrate the tracker's confidence.")
    parser.add_argument("--weights", required=True, help="path without ending")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--data", type=Path, help="real frames to draw catheters over as well")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    tracker = load_tracker("cpu", name=arguments.weights, threads=arguments.threads)
    rows: list[NDArray[np.float64]] = []
    right: list[bool] = []
    for run in held_back_runs(arguments.runs, arguments.data):
        found, fine = gather(tracker, run)
        rows += found
        right += fine
    table, truth = np.stack(rows), np.array(right)
    weights = fit(table, truth)
    said = probability(table @ weights)
    log.info("%d points, %.1f%% right, weights %s", len(truth), 100 * truth.mean(), weights)
    for low in np.arange(0.0, 1.0, 0.2):
        part = (said >= low) & (said < low + 0.2)
        if part.any():
            log.info(
                "said %.2f, right %.2f (%d points)",
                said[part].mean(),
                truth[part].mean(),
                part.sum(),
            )
    write_confidence(Path(arguments.weights + ".safetensors"), weights)


def write_confidence(path: Path, weights: NDArray[np.float64]) -> None:
    """Put the calibration into a weights file."""
    with safe_open(path, framework="np") as file:
        metadata = file.metadata() or {}
    metadata["confidence"] = json.dumps([round(float(weight), 4) for weight in weights])
    save_file(load_file(path), path, metadata)
    path.chmod(0o644)  # safetensors writes files that nobody else may read


if __name__ == "__main__":
    main()
