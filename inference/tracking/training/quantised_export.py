r"""The exported tracker in 8-bit integers, for CPUs.

Run as

    python -m inference.tracking.training.quantised_export --weights checkpoints/tracker_tiny \
        --output resources/weights

What the networks see while they track some simulated runs sets the range of each value.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from inference.runtime import Arrays, Network
from inference.simulation import Scenario, simulate_run
from inference.tracking.requests import Anchor, TrackRequest
from inference.tracking.tracker import PARTS, load_tracker
from inference.tracking.training.labelled import sequence_of
from inference.training.quantisation import Inputs, quantise

CALIBRATION_SEED, RUNS, FRAMES = 860_000, 16, 8
OPERATORS = {"_stem": ["Conv"], "": ["Conv", "MatMul", "Gemm"], "_refiner": ["Conv", "Gemm"]}
"""What is quantised of each part. The refiner's correlations are too narrow to gain by it."""
TEMPLATES_STEM = "encoder.stem."
"""In the names of weights. Blank templates are flat, and its norms would blow up their rounding."""


def calibration_inputs(name: str, runs: int = RUNS) -> dict[str, list[Inputs]]:
    """Return what each part of the tracker ``name`` is given while it tracks simulated runs."""
    seen: dict[str, list[Inputs]] = {part: [] for part in PARTS}

    def listen(network: Network, heard: list[Inputs]) -> None:
        runner = network.runner

        class Listener:
            device = runner.device

            def __call__(self, inputs: Arrays) -> tuple[np.ndarray, ...]:
                heard.append(dict(inputs))
                return runner(inputs)

        network.runner = Listener()

    tracker = load_tracker("cpu", name=name)
    for part, network in zip(PARTS, tracker.networks, strict=True):
        listen(network, seen[part])
    for seed in range(CALIBRATION_SEED, CALIBRATION_SEED + runs):
        run = simulate_run(seed, Scenario.MIXED, FRAMES)
        x, y = run.tip[0].tolist()
        anchor = Anchor(0, x, y)
        request = TrackRequest((anchor,), 0, FRAMES - 1)
        tracker.track(sequence_of(run.frames), request, lambda: False, lambda points: None)
        # Blank templates are values of their own.
        tracker.propose(run.frames[-1])
    return seen


def kept_in_float(nodes: list[Any]) -> Iterable[str]:
    """Name the templates' stem."""
    for node in nodes:
        if len(node.input) > 1 and TEMPLATES_STEM in node.input[1]:
            yield node.name


def main() -> None:
    """Quantise from the command line."""
    parser = argparse.ArgumentParser(description="Write an exported tracker in 8 bits.")
    parser.add_argument("--weights", required=True, help="path without ending")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    arguments = parser.parse_args()
    for part, inputs in calibration_inputs(arguments.weights).items():
        source = Path(arguments.weights + part)
        target = arguments.output / source.name
        quantise(
            source.with_name(source.name + ".onnx"),
            target.with_name(target.name + ".onnx"),
            inputs,
            OPERATORS[part],
            kept_in_float,
        )
        name = source.name + ".safetensors"
        if source.parent.resolve() != arguments.output.resolve():
            shutil.copyfile(source.with_name(name), arguments.output / name)


if __name__ == "__main__":
    main()
