"""The student in 8-bit integers, for CPUs (ONNX Runtime static quantisation).

What carries grey values stays in float: the inputs, and all from the last convolution on, which
says what to add to the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference import quantisation
from inference.denoising.networks import STUDENT_INPUTS
from inference.denoising.samples import BaseRun, draw_sample
from inference.denoising.training import collate

Inputs = dict[str, NDArray[np.float32]]

CALIBRATION_SEED = 7
CALIBRATION_PATCHES = 40
CALIBRATION_PX = 256
LAST_CONVOLUTION = "ConvTranspose"
"""The only one of its kind, see `cpu_layers`."""
QUANTISED = ["Conv", "Relu", "Add", "Reshape", "Transpose"]


def calibration_inputs(bases: Sequence[BaseRun]) -> Iterator[Inputs]:
    """Yield what the student sees of runs, by the names of its inputs."""
    rng = np.random.default_rng(CALIBRATION_SEED)
    side = min(CALIBRATION_PX, *(min(base.frames.shape[1:]) // 16 * 16 for base in bases))
    for _ in range(CALIBRATION_PATCHES):
        batch = collate([draw_sample(rng, bases, side)])
        yield {name: batch[name].numpy() for name in STUDENT_INPUTS}


def quantise(source: Path, target: Path, inputs: Iterable[Inputs]) -> None:
    """Write the ONNX file ``source`` with its inner convolutions in 8 bits.

    Parameters
    ----------
    source, target : Path
        May be the same.
    inputs : iterable of mapping
        What the network sees, by the names of its inputs; the range of each value is taken from
        them.
    """
    quantisation.quantise(source, target, inputs, QUANTISED, _kept_in_float)


def _kept_in_float(nodes: list[Any]) -> list[str]:
    """Name all nodes from the last convolution on."""
    last = next(k for k, node in enumerate(nodes) if node.op_type == LAST_CONVOLUTION)
    return [node.name for node in nodes[last:]]
