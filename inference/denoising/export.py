"""Write a trained student for shipping: safetensors for GPUs, 8-bit ONNX for CPUs.

``python -m inference.denoising.export --name student [--float]``
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from inference.denoising.cpu_layers import for_cpu
from inference.denoising.networks import STUDENT_INPUTS, ExportedStudent
from inference.denoising.quantisation import Inputs, calibration_inputs, quantise
from inference.denoising.training import CHECKPOINT_FOLDER, load_bases
from inference.training.loop import task_weights

WEIGHTS_FOLDER = Path("resources") / "weights"
CALIBRATION_RUNS = 10
"""Simulated, whose noise and motion are those of the training."""


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
        quantise(onnx_path, onnx_path, inputs)


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


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m inference.denoising.export")
    parser.add_argument("--name", default="student", help="of the checkpoint")
    parser.add_argument("--target", type=Path, default=WEIGHTS_FOLDER / "denoiser_student")
    parser.add_argument("--float", action="store_true", help="ONNX in float, not in 8 bits")
    given = parser.parse_args()
    inputs = None if given.float else calibration_inputs(load_bases((), CALIBRATION_RUNS))
    export_student(CHECKPOINT_FOLDER / f"denoiser_{given.name}" / "step2", given.target, inputs)


if __name__ == "__main__":
    main()
