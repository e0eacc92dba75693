"""The student in 8-bit integers, for CPUs (ONNX Runtime static quantisation).

What carries grey values stays in float: the inputs, and all from the last convolution on, which
says what to add to the mean. Calibrated on simulated runs, whose noise and motion are those of the
training.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

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


class _Reader(CalibrationDataReader):
    def __init__(self, inputs: Iterator[Inputs]) -> None:
        self._inputs = inputs

    def get_next(self) -> Inputs | None:
        return next(self._inputs, None)


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
    nodes = onnx.load(source).graph.node
    last = next(k for k, node in enumerate(nodes) if LAST_WEIGHT in node.input)
    with tempfile.TemporaryDirectory() as folder:
        prepared_path = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared_path, skip_symbolic_shape=True)
        logging.getLogger().setLevel(logging.WARNING)
        quantize_static(
            prepared_path,
            target,
            _Reader(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # CPUs without VNNI add pairs of products in 16 bits: full range would overflow there.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=QUANTISED,
            nodes_to_exclude=[node.name for node in nodes[last:]],
            calibrate_method=CalibrationMethod.MinMax,
        )
