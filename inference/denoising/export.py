"""Write a trained student for shipping: safetensors for GPUs, ONNX for CPUs.

``python -m inference.denoising.export --name student``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from inference.denoising.networks import student_from_metadata
from inference.denoising.training import CHECKPOINT_FOLDER, task_weights

WEIGHTS_FOLDER = Path("resources") / "weights"
INPUTS = ("frame", "mean", "variance", "correlation")


def widths_of(weights: dict[str, torch.Tensor]) -> tuple[int, int, int]:
    """Read a student's widths off its weights."""
    names = ("enter.0.bias", "down_middle.bias", "down_coarse.bias")
    a, b, c = (len(weights[name]) for name in names)
    return a, b, c


def export_student(checkpoint: Path, target: Path) -> None:
    """Write ``target`` with the suffixes .safetensors and .onnx from a checkpoint folder."""
    weights = task_weights(checkpoint)
    widths = widths_of(weights)
    metadata = {"widths": ",".join(map(str, widths))}
    plain = {k: v.contiguous() for k, v in weights.items()}
    save_file(plain, target.with_suffix(".safetensors"), metadata=metadata)
    network = student_from_metadata(metadata)
    network.load_state_dict(plain)
    write_onnx(network, target.with_suffix(".onnx"))


def write_onnx(network: torch.nn.Module, path: Path) -> None:
    """Export a student with free batch, rows and columns (multiples of 16)."""
    network.eval()
    image = torch.zeros(1, 1, 64, 64)
    example = (image, image, torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 1, 1))
    free = {0: "batch", 2: "rows", 3: "columns"}
    half = {0: "batch", 2: "half_rows", 3: "half_columns"}
    torch.onnx.export(
        network,
        example,
        str(path),
        dynamo=False,
        input_names=list(INPUTS),
        output_names=["denoised"],
        dynamic_axes={"frame": free, "mean": free, "variance": half, "correlation": {0: "batch"}},
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m inference.denoising.export")
    parser.add_argument("--name", default="student", help="of the checkpoint")
    parser.add_argument("--target", type=Path, default=WEIGHTS_FOLDER / "denoiser_student")
    given = parser.parse_args()
    export_student(CHECKPOINT_FOLDER / f"denoiser_{given.name}" / "step2", given.target)


if __name__ == "__main__":
    main()
