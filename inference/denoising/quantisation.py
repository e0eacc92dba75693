"""The student in 8-bit integers, for CPUs (ONNX Runtime static quantisation).

What carries grey values stays in float: the inputs, and all from the last convolution on, which
says what to add to the mean. Calibrated on simulated runs, whose noise and motion are those of the
training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference import quantisation
from inference.denoising.networks import STUDENT_INPUTS
from inference.denoising.samples import draw_sample
from inference.denoising.training import collate, load_bases

Inputs = dict[str, NDArray[np.float32]]

CALIBRATION_SEED = 7
CALIBRATION_RUNS = 10
CALIBRATION_PATCHES = 40
CALIBRATION_PX = 256
LAST_WEIGHT = "leave.weight"
QUANTISED = ["Conv", "ConvTranspose", "Relu", "Add"]


def calibration_inputs() -> Iterator[Inputs]:
    """Yield what the student sees of simulated runs, by the names of its inputs."""
    rng = np.random.default_rng(CALIBRATION_SEED)
    bases = load_bases((), CALIBRATION_RUNS)
    for _ in range(CALIBRATION_PATCHES):
        batch = collate([draw_sample(rng, bases, CALIBRATION_PX)])
        yield {name: batch[name].numpy() for name in STUDENT_INPUTS}


def quantise(source: Path, target: Path, inputs: Iterator[Inputs]) -> None:
    """Write the ONNX file ``source`` with its inner convolutions in 8 bits.

    Parameters
    ----------
    source, target : Path
        May be the same.
    inputs : iterator of mapping
        What the network sees, by the names of its inputs; the range of each value is taken from
        them.
    """
    quantisation.quantise(source, target, inputs, QUANTISED, _kept_in_float)


def _kept_in_float(nodes: list[Any], weights: set[str]) -> list[str]:
    """Name all nodes from the last convolution on."""
    last = next(k for k, node in enumerate(nodes) if LAST_WEIGHT in node.input)
    return [node.name for node in nodes[last:]]
