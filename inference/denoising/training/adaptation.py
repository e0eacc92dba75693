"""Adapt the student to one scanner from one noisy series, within minutes on a CPU.

The series teaches by recorruption (see `samples`), so it needs no clean frame; the score before
and after is an unbiased estimate of the error that is left, on frames kept apart. The shipped
weights stay as they are: what comes out is saved beside them and loaded by its path.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.denoising.noise import estimate_noise
from inference.denoising.training.samples import RECORRUPTION, BaseRun, Sample, draw_sample
from inference.frames import FrameSequence, ShouldStop
from inference.runtime import weights_path

PATCH_PX = 128
BATCH = 8
LEARNING_RATE = 2e-4
MOST_FRAMES = 48
LEAST_FRAMES = 12
LEAST_SCORED_FRAMES = 5
"""What a sample's window needs."""
SCORED_PATCHES = 48


class AdaptationError(ValueError):
    """A series that nothing can be learned from. The message is one plain sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class AdaptedWeights:
    """What adaptation gives.

    Attributes
    ----------
    error_before, error_after : float
        Estimated squared error left after denoising, as a share of the noise power (0 is perfect,
        1 is the noisy frame), on frames that were not learned from.
    """

    error_before: float
    error_after: float
    _network: Any
    _learned: BaseRun

    def save(self, path: Path) -> None:
        """Write ``path`` with the endings .safetensors and .onnx; load it by that path as name.

        The second is in 8 bits, as the shipped one is.
        """
        from inference.denoising.training.export import calibration_inputs, write_student

        write_student(self._network, path, calibration_inputs([self._learned]))


def adapt(
    frames: FrameSequence,
    should_stop: ShouldStop,
    on_progress: Callable[[float], None],
    minutes: float = 3.0,
) -> AdaptedWeights | None:
    """Fine-tune the shipped student on one series.

    Parameters
    ----------
    frames : FrameSequence
        At least 12 noisy frames of at least 160 pixels a side.
    should_stop : callable
        Asked before each step.
    on_progress : callable
        Receives the share done, 0 to 1.
    minutes : float
        Time to learn.

    Returns
    -------
    AdaptedWeights or None
        None when stopped.

    Raises
    ------
    AdaptationError
        If the series is too short, too small or too clean.
    """
    if frames.frame_count < LEAST_FRAMES or min(frames.rows, frames.columns) < PATCH_PX + 32:
        raise AdaptationError(
            f"This is too little to learn from: choose a run of at least {LEAST_FRAMES} frames "
            f"of {PATCH_PX + 32} x {PATCH_PX + 32} pixels or more."
        )
    count = min(frames.frame_count, MOST_FRAMES)
    stack = np.stack([frames.read(index) for index in range(count)])
    noise = estimate_noise(stack.__getitem__, count, frames.white)
    if noise.is_clean:
        raise AdaptationError(
            "This run is clean, so nothing can be adapted to it; choose a noisy one."
        )
    # The last quarter is for the score.
    cut = count - max(count // 4, LEAST_SCORED_FRAMES)
    learned = BaseRun(stack[:cut], frames.white, noise)
    scored = BaseRun(stack[cut:], frames.white, noise)
    rng = np.random.default_rng(11)
    checks = [draw_sample(rng, [scored], PATCH_PX) for _ in range(SCORED_PATCHES)]

    import torch
    from safetensors.torch import load_file

    from inference.denoising.networks import ExportedStudent, student_from_metadata
    from inference.denoising.training.export import read_metadata
    from inference.denoising.training.train import StudentTask, adaptation_config, collate
    from inference.training.precision import mixed_precision

    shipped = weights_path("denoiser_student", ".safetensors")
    network = student_from_metadata(read_metadata(shipped))
    network.load_state_dict(load_file(shipped))
    before = _error(network, checks)
    task = StudentTask(adaptation_config(network.widths))
    task.network.load_state_dict(network.state_dict())
    optimiser = torch.optim.Adam(task.parameters(), lr=LEARNING_RATE)
    began = time.monotonic()
    while (share := (time.monotonic() - began) / (60.0 * minutes)) < 1.0:
        if should_stop():
            return None
        on_progress(share)
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1.0 - share)
        batch = collate([draw_sample(rng, [learned], PATCH_PX) for _ in range(BATCH)])
        with mixed_precision("cpu"):
            loss, _ = task(batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    adapted = ExportedStudent(network.widths)
    adapted.load_state_dict(task.network.state_dict())
    on_progress(1.0)
    return AdaptedWeights(before, _error(adapted, checks), adapted, learned)


def _error(network: Any, samples: list[Sample]) -> float:
    """Estimated squared error in noise variances: the targets' own noise is taken off."""
    import torch

    from inference.denoising.training.train import collate

    squares = []
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(samples), BATCH):
            batch = collate(samples[start : start + BATCH])
            inputs = (batch[name] for name in ("frame", "mean", "variance", "correlation"))
            (output,) = network(*inputs)
            squares.append(float(((output - batch["target"]) ** 2).mean()))
    return float(np.mean(squares)) - 1.0 / RECORRUPTION**2
