r"""Turn a trained tracker into the files that ship.

Run as

    python -m inference.tracking.export --config inference/tracking/configs/tiny.toml \
        --checkpoint checkpoints/tracker_tiny --name tracker_tiny --output resources/weights
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from inference.tracking.network import TEMPLATES, NetworkOptions, TrackerNetwork
from inference.training.loop import averaged_state, read_options

OPSET = 18

log = logging.getLogger(__name__)


class OneClip(nn.Module):
    """The network for one run: frames of it in, what tracking needs out."""

    def __init__(self, network: TrackerNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        search: Tensor,
        search_times: Tensor,
        templates: Tensor,
        centres: Tensor,
        template_times: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Search whole views.

        Parameters
        ----------
        search, search_times : Tensor
            (S, view, view) and (S,).
        templates, centres, template_times : Tensor
            (K, h, w), (K, 2) and (K,).

        Returns
        -------
        tuple of Tensor
            heat (S, 1 + h * w), occluded (S,) and sure (S,), logits.
        """
        said = self.network(
            templates[None],
            centres[None],
            template_times[None],
            search[None],
            torch.zeros_like(search[None, :, 0, :2]),
            search_times[None],
        )
        return said.heat[0], said.occluded[0], said.sure[0]


def build_tracker(metadata: Mapping[str, str]) -> OneClip:
    """Make the module that a weights file's metadata describes."""
    options = json.loads(metadata["network"])
    options["stem"] = tuple(options["stem"])
    return OneClip(TrackerNetwork(NetworkOptions(**options)))


def export_tracker(
    module: OneClip, options: NetworkOptions, metadata: Mapping[str, str], path: Path
) -> None:
    """Write ``path``.safetensors and ``path``.onnx."""
    state = {key: value.contiguous() for key, value in module.state_dict().items()}
    described = {"network": json.dumps(asdict(options)), **metadata}
    save_file(state, path.with_suffix(".safetensors"), described)
    view, side = options.view, options.template
    frames = torch.export.Dim("frames", min=1, max=64)
    program = torch.onnx.export(
        module.eval(),
        (
            torch.zeros(3, view, view),
            torch.zeros(3),
            torch.zeros(TEMPLATES, side, side),
            torch.zeros(TEMPLATES, 2),
            torch.zeros(TEMPLATES),
        ),
        input_names=["search", "search_times", "templates", "centres", "template_times"],
        output_names=["heat", "occluded", "sure"],
        dynamic_shapes=({0: frames}, {0: frames}, None, None, None),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
    )
    assert program is not None
    program.save(path.with_suffix(".onnx"), external_data=False)


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description="Export a trained tracker.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="training folder, or a .safetensors file"
    )
    parser.add_argument("--confidence", type=Path, help="calibration (JSON) to put in")
    parser.add_argument("--name", required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = read_options(NetworkOptions, arguments.config, "network")
    module = OneClip(TrackerNetwork(options))
    path: Path = arguments.checkpoint
    module.load_state_dict(load_file(path) if path.is_file() else averaged_state(path))
    metadata = {}
    if arguments.confidence:
        metadata["confidence"] = arguments.confidence.read_text(encoding="utf-8").strip()
    export_tracker(module, options, metadata, arguments.output / arguments.name)
    for suffix in (".safetensors", ".onnx"):
        file = (arguments.output / arguments.name).with_suffix(suffix)
        log.info("%s: %.1f MB", file, file.stat().st_size / 1e6)


if __name__ == "__main__":
    main()
