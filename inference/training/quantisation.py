"""Exported networks in 8-bit integers, for CPUs (ONNX Runtime static quantisation)."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

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

Inputs = Mapping[str, NDArray[np.generic]]
KeepFloat = Callable[[list[Any]], Iterable[str]]
"""Receives the graph's nodes in order; names the nodes to leave."""


class _Reader(CalibrationDataReader):
    def __init__(self, inputs: Iterable[Inputs], names: set[str]) -> None:
        self._inputs, self._names = iter(inputs), names

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        given = next(self._inputs, None)
        if given is None:
            return None
        # Inputs that the export folded away are left out.
        return {name: value for name, value in given.items() if name in self._names}


def quantise(
    source: Path,
    target: Path,
    inputs: Iterable[Inputs],
    operators: list[str],
    keep_float: KeepFloat,
    *,
    reduce_range: bool = True,
) -> None:
    """Write the ONNX file ``source`` with some of its operators in 8 bits.

    Parameters
    ----------
    source, target : Path
        May be the same.
    inputs : iterable of mapping
        What the network sees, by the names of its inputs; the range of each value is taken from
        them.
    operators : list of str
        ONNX operators to quantise.
    keep_float : callable
        Names the nodes that stay in float.
    reduce_range : bool
        Weights in 7 bits: CPUs without VNNI add pairs of products in 16 bits, where the full range
        would overflow.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        logging.getLogger().setLevel(logging.WARNING)
        graph = onnx.load(prepared).graph
        quantize_static(
            prepared,
            target,
            _Reader(inputs, {entry.name for entry in graph.input}),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=operators,
            nodes_to_exclude=list(keep_float(list(graph.node))),
            calibrate_method=CalibrationMethod.MinMax,
            # Sums of products go on in float: more exact, and one step less.
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
        )
