"""Write a trained student for shipping: safetensors for GPUs, 8-bit ONNX for CPUs.

In 8 bits, what carries grey values stays in float: the inputs, and all from the last convolution
on, which says what to add to the mean.

``python -m inference.denoising.training.export --name student [--float]``
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file

from inference.denoising.networks import STUDENT_INPUTS, ExportedStudent
from inference.denoising.training.cpu_layers import for_cpu
from inference.denoising.training.samples import BaseRun, draw_sample
from inference.denoising.training.train import CHECKPOINT_FOLDER, collate, load_bases
from inference.training.loop import task_weights
from inference.training.quantisation import quantise

WEIGHTS_FOLDER = Path("resources") / "weights"
CALIBRATION_RUNS = 10
"""Simulated, whose noise and motion are those of the training."""
CALIBRATION_SEED = 7
CALIBRATION_PATCHES = 40
CALIBRATION_PX = 256
LAST_CONVOLUTION = "ConvTranspose"
"""The only one of its kind, see `cpu_layers`."""
QUANTISED = ["Conv", "Relu", "Add", "Reshape", "Transpose"]

Inputs = dict[str, NDArray[np.float32]]


def export_student(checkpoint: Path, target: Path, inputs: Iterable[Inputs] | None) -> None:
    """Write ``target`` with the endings .safetensors and .onnx from a checkpoint folder."""
    weights = task_weights(checkpoint)
    names = ("enter.0.bias", "down_middle.bias", "down_coarse.bias")
    a, b, c = (len(weights[name]) for name in names)
    network = ExportedStudent((a, b, c))
    network.load_state_dict(weights)
    write_student(network, target, inputs)


def write_student(
    network: ExportedStudent, target: Path, inputs: Iterable[Inputs] | None = None
) -> None:
    """Write ``target`` with the endings .safetensors and .onnx.

    ``inputs`` are what the network sees, to put the second in 8 bits by; without them it stays in
    float.
    """
    metadata = {"widths": ",".join(map(str, network.widths))}
    weights = {k: v.detach().contiguous().cpu() for k, v in network.state_dict().items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(target.name + ".safetensors")
    save_file(weights, path, metadata=metadata)
    path.chmod(0o644)  # safetensors writes files that nobody else may read
    onnx_path = target.with_name(target.name + ".onnx")
    write_onnx(network, onnx_path)
    if inputs is not None:
        quantise_student(onnx_path, onnx_path, inputs)


def read_metadata(weights: Path) -> dict[str, str]:
    """Return what a weights file says about itself."""
    with safe_open(weights, framework="np") as file:
        return dict(file.metadata() or {})


def write_onnx(network: ExportedStudent, path: Path) -> None:
    """Export a student with free batch, rows and columns (multiples of 16)."""
    image = torch.zeros(1, 1, 64, 64)
    example = (image, image, torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 1, 1))
    free = {0: "batch", 2: "rows", 3: "columns"}
    half = {0: "batch", 2: "half_rows", 3: "half_columns"}
    axes = {"frame": free, "mean": free, "variance": half, "correlation": {0: "batch"}}
    with warnings.catch_warnings():
        # The newer exporter needs onnxscript, which the program itself does without.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            for_cpu(network).cpu().eval(),
            example,
            str(path),
            dynamo=False,
            input_names=list(STUDENT_INPUTS),
            output_names=["denoised"],
            dynamic_axes=axes,
        )


def calibration_inputs(bases: Sequence[BaseRun]) -> Iterator[Inputs]:
    """Yield what the student sees of runs, by the names of its inputs."""
    rng = np.random.default_rng(CALIBRATION_SEED)
    side = min(CALIBRATION_PX, *(min(base.frames.shape[1:]) // 16 * 16 for base in bases))
    for _ in range(CALIBRATION_PATCHES):
        batch = collate([draw_sample(rng, bases, side)])
        yield {name: batch[name].numpy() for name in STUDENT_INPUTS}


def quantise_student(source: Path, target: Path, inputs: Iterable[Inputs]) -> None:
    """Write the ONNX file ``source`` with its inner convolutions in 8 bits.

    Parameters
    ----------
    source, target : Path
        May be the same.
    inputs : iterable of mapping
        What the network sees, by the names of its inputs; the range of each value is taken from
        them.
    """
    quantise(source, target, inputs, QUANTISED, _kept_in_float)


def _kept_in_float(nodes: list[Any]) -> list[str]:
    """Name all nodes from the last convolution on."""
    last = next(k for k, node in enumerate(nodes) if node.op_type == LAST_CONVOLUTION)
    return [node.name for node in nodes[last:]]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m inference.denoising.training.export")
    parser.add_argument("--name", default="student", help="of the checkpoint")
    parser.add_argument("--target", type=Path, default=WEIGHTS_FOLDER / "denoiser_student")
    parser.add_argument("--float", action="store_true", help="ONNX in float, not in 8 bits")
    given = parser.parse_args()
    inputs = None if given.float else calibration_inputs(load_bases((), CALIBRATION_RUNS))
    export_student(CHECKPOINT_FOLDER / f"denoiser_{given.name}" / "step2", given.target, inputs)


if __name__ == "__main__":
    main()
