r"""Turn a trained tracker into the files that ship.

Run as

    python -m inference.tracking.training.export \
        --config inference/tracking/training/configs/tiny.toml \
        --checkpoint checkpoints/tracker_tiny --refiner checkpoints/refiner_tiny \
        --name tracker_tiny --output resources/weights

Three networks are written: the stem, which reads frames whatever is looked for in them, the
matcher (the rest of the tracking network, and the stem once more for templates), and the refiner.

Trained weights may be mixed with those they were trained from, which forgets less of what these
knew (WiSE-FT, arXiv 2109.01903): ``--former resources/weights/tracker_tiny --former-share 0.15``.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from inference.tracking.network import PATCH, TAIL, TEMPLATES, TIMES, NetworkOptions, TrackerNetwork
from inference.tracking.parts import MatcherPart, RefinerPart, StemPart
from inference.tracking.refiner import Refiner, RefinerOptions
from inference.training.loop import read_options, task_weights

OPSET = 20
"""The first with GELU as one operator; from the next one on group norms are slower."""
LARGEST_BATCH = 64

log = logging.getLogger(__name__)


def export_tracker(network: TrackerNetwork, folder: Path, name: str, version: str = "") -> None:
    """Write the stem and the matcher, which says the version."""
    options = network.options
    described = {"network": json.dumps(asdict(options))}
    stem, matcher = StemPart(options), MatcherPart(options)
    stem.stem.load_state_dict(network.encoder.stem.state_dict())
    stem.ground.load_state_dict(network.ground.state_dict())
    matcher.network.load_state_dict(network.state_dict())
    view, side, cells = options.view, options.template, options.view // PATCH
    views = torch.zeros(TEMPLATES, TIMES, view, view)
    maps = ["tokens", "quarter", "eighth", "ground"]
    path = folder / f"{name}_stem"
    _write(stem, (views,), ["pictures"], maps, 1, {**described, "part": "stem"}, path)
    inputs = (
        torch.zeros(TEMPLATES, options.width, cells, cells),
        torch.zeros(TEMPLATES, options.stem[1], 4 * cells, 4 * cells),
        torch.zeros(TEMPLATES, options.stem[2], 2 * cells, 2 * cells),
        torch.zeros(TEMPLATES, TAIL, 2 * cells, 2 * cells),
        torch.zeros(TEMPLATES),
        torch.zeros(TEMPLATES, TIMES, side, side),
        torch.zeros(TEMPLATES, 2),
        torch.zeros(TEMPLATES),
    )
    names = [*maps, "search_times", "templates", "centres", "template_times"]
    outputs = ["heat", "occluded", "sure", "body"]
    described |= {"part": "matcher", "version": version}
    path = folder / name
    _write(matcher, inputs, names, outputs, 5, described, path)


def export_refiner(network: Refiner, options: RefinerOptions, folder: Path, name: str) -> None:
    """Write the refiner."""
    part, side = RefinerPart(options), options.crop
    part.network.load_state_dict(network.state_dict())
    inputs = tuple(torch.zeros(n, TIMES, side, side) for n in (3, TEMPLATES))
    described = {"refiner": json.dumps(asdict(options))}
    path = folder / f"{name}_refiner"
    _write(part, inputs, ["search", "templates"], ["heat"], 1, described, path)


def _write(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    names: list[str],
    outputs: list[str],
    batched: int,
    metadata: dict[str, str],
    path: Path,
) -> None:
    """Write ``path``.safetensors and .onnx; the first ``batched`` inputs share a batch axis."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {key: value.contiguous() for key, value in module.state_dict().items()}
    weights = path.with_suffix(".safetensors")
    save_file(state, weights, metadata)
    weights.chmod(0o644)  # safetensors writes files that nobody else may read
    frames = torch.export.Dim("frames", min=1, max=LARGEST_BATCH)
    shapes: tuple[Any, ...] = tuple(
        {0: frames} if index < batched else None for index in range(len(inputs))
    )
    with torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            inputs,
            input_names=names,
            output_names=outputs,
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
        )
    assert program is not None
    program.save(path.with_suffix(".onnx"), external_data=False)
    for suffix in (".safetensors", ".onnx"):
        file = path.with_suffix(suffix)
        log.info("%s: %.1f MB", file, file.stat().st_size / 1e6)


def load_trained(network: nn.Module, path: Path, former: Path | None, former_share: float) -> None:
    """Load a training folder's averaged weights, or a weights file, mixed with a former file's."""
    state = task_weights(path)
    if former is not None:
        before = task_weights(former)
        state = {key: value.lerp(before[key], former_share) for key, value in state.items()}
    network.load_state_dict(state)


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description="Export a trained tracker.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="training folder, or a .safetensors file")
    parser.add_argument("--refiner", type=Path, help="the same of the refiner")
    parser.add_argument("--former", help="weights to mix with, path without ending")
    parser.add_argument("--former-share", type=float, default=0.15, help="how much these count")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", default="", help="told with every point that is tracked")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    def former(part: str) -> Path | None:
        return Path(f"{arguments.former}{part}.safetensors") if arguments.former else None

    if arguments.checkpoint:
        network = TrackerNetwork(read_options(NetworkOptions, arguments.config, "network"))
        load_trained(network, arguments.checkpoint, former(""), arguments.former_share)
        export_tracker(network, arguments.output, arguments.name, arguments.version)
    if arguments.refiner:
        options = read_options(RefinerOptions, arguments.config, "refiner")
        refiner = Refiner(options)
        load_trained(refiner, arguments.refiner, former("_refiner"), arguments.former_share)
        export_refiner(refiner, options, arguments.output, arguments.name)


if __name__ == "__main__":
    main()
