"""Train the denoiser from noisy runs: step 1 the blind teacher, step 2 the student that ships.

``python -m inference.denoising.training.train --step 1`` and then ``--step 2``. A training that was
broken off goes on from its last checkpoint; ``--disable PART`` leaves a named part out, which is
one line of the ablation; ``--run PATH`` (repeatable) adds runs of a group's own archive.
"""

from __future__ import annotations

import argparse
import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from inference.denoising.networks import STUDENT_INPUTS, Msr2auNet, Student
from inference.denoising.training import losses
from inference.denoising.training.samples import (
    BaseRun,
    Sample,
    draw_sample,
    halved,
    load_base,
    read_run,
)
from inference.simulation import Scenario, simulate_run
from inference.training.loop import LoopOptions, read_options, task_weights, train

log = logging.getLogger(__name__)

CONFIG_FOLDER = Path(__file__).parent / "configs"
CHECKPOINT_FOLDER = Path("checkpoints")
RECURSIVE_PARTS = {"recursion", "wavelet", "fourier"}


@dataclass(frozen=True, slots=True)
class Config:
    """What is trained on what; the fields are those of the files in ``configs/``.

    Attributes
    ----------
    runs, validation_runs : tuple of str
        Patterns below the data folder. Validation runs are scored only.
    simulated_runs : int
        Runs that the simulator adds, noisy as a good cine is.
    losses : dict
        Weight of each named part of step 2: ``target`` (the sample's own target), ``profile`` (no
        bias along devices), ``invention`` (no structure where the target has none), ``thinning``
        (no structure missing), ``distillation``, ``recursion``, ``wavelet`` and ``fourier``; 0
        leaves a part out.
    cross_fusion : bool
        Whether the motion matrix weighs the recursive and the high-band parts.
    device_weight : float
        How much more an error counts on and around a device.
    """

    runs: tuple[str, ...] = ()
    validation_runs: tuple[str, ...] = ()
    simulated_runs: int = 0
    patch: int = 128
    batch: int = 8
    teacher_batch: int = 4
    student_widths: tuple[int, int, int] = (16, 32, 64)
    teacher_branch_width: int = 4
    teacher_widths: tuple[int, ...] = (16, 32, 64)
    feature_matching: float = 0.1
    device_weight: float = 1.0
    cross_fusion: bool = True
    losses: dict[str, float] = field(default_factory=lambda: {"target": 1.0})

    def without(self, part: str) -> Config:
        """Return the config with one named part left out."""
        if part == "cross_fusion":
            return replace(self, cross_fusion=False)
        if part == "feature_matching":
            return replace(self, feature_matching=0.0)
        if part not in self.losses:
            known = ", ".join((*self.losses, "cross_fusion", "feature_matching"))
            raise ValueError(f"No part is called {part}; there are {known}.")
        return replace(self, losses={k: v for k, v in self.losses.items() if k != part})


def config_path(name: str) -> Path:
    """Return ``configs/NAME.toml``, or a TOML file given by its path."""
    return Path(name) if name.endswith(".toml") else CONFIG_FOLDER / f"{name}.toml"


def load_config(name: str) -> Config:
    """Read a config."""
    losses_ = tomllib.loads(config_path(name).read_text()).get("losses", {"target": 1.0})
    return replace(read_options(Config, config_path(name), "denoiser"), losses=losses_)


def adaptation_config(widths: tuple[int, int, int]) -> Config:
    """Return the config of adaptation: the run's own targets, and devices as deep as they are."""
    return Config(student_widths=widths, losses={"target": 1.0, "profile": 20.0})


def data_folder() -> Path:
    """Where the shared development data lie (environment variable FLUOROTRACE_DATA)."""
    return Path(os.environ.get("FLUOROTRACE_DATA", "../shared/data"))


def load_bases(
    patterns: tuple[str, ...], simulated: int = 0, own_runs: tuple[Path, ...] = ()
) -> list[BaseRun]:
    """Load the runs that match the patterns under the data folder, simulated ones, and own ones.

    Raises
    ------
    FileNotFoundError
        If that gives no run at all.
    """
    paths = [p for pattern in patterns for p in sorted(data_folder().glob(pattern))]
    bases = [load_base(read_run(path)) for path in (*paths, *own_runs)]
    smallest = 2 * 192
    bases += [halved(b) for b in bases if b.noise is None and min(b.frames.shape[1:]) >= smallest]
    scenarios = [s for s in Scenario if s is not Scenario.MIXED]
    for seed in range(simulated):
        run = simulate_run(
            50_000 + seed, scenarios[seed % len(scenarios)], 20, 384, bits=12, noise_sd=0.008
        )
        bases.append(replace(load_base(run.frames, run.white), device=run.devices[0]))
    if not bases:
        raise FileNotFoundError(f"No training run found under {data_folder()}; see --run.")
    return bases


def collate(samples: list[Sample], recursive: bool = False) -> dict[str, Tensor]:
    """Stack samples: images (N, 1, n, n), ``window`` (N, 5, n, n), the rest (N, 1, 1, 1)."""
    names = ("frame", "mean", "variance", "target", "device", "profile")
    batch = {
        name: torch.from_numpy(np.stack([getattr(s, name) for s in samples]))[:, None]
        for name in names
    }
    batch["window"] = torch.from_numpy(np.stack([s.window for s in samples]))
    for name in ("correlation", "exact"):
        values = np.array([getattr(s, name) for s in samples], np.float32)
        batch[name] = torch.from_numpy(values)[:, None, None, None]
    if recursive:
        means = [losses.recursive_mean(list(s.window)) for s in samples]
        batch["recursive"] = torch.from_numpy(np.stack(means))[:, None]
    return batch


def batches(
    seed: int, bases: list[BaseRun], patch: int, size: int, recursive: bool = False
) -> Iterator[Mapping[str, Tensor]]:
    """Yield batches without end."""
    rng = np.random.default_rng(seed)
    while True:
        yield collate([draw_sample(rng, bases, patch) for _ in range(size)], recursive)


class TeacherTask(nn.Module):
    """Step 1: reconstruct the noisy centre, which the network does not see."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.network = Msr2auNet(config.teacher_branch_width, config.teacher_widths)
        self.feature_matching = config.feature_matching

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its parts."""
        output = self.network(batch["window"])
        centre = batch["window"][:, 2:3]
        figures = {"reconstruction": functional.smooth_l1_loss(output, centre)}
        loss = figures["reconstruction"]
        if self.feature_matching:
            matching = losses.feature_matching(self.network, output, centre)
            figures["feature_matching"] = matching
            loss = loss + self.feature_matching * matching
        return loss, figures


class StudentTask(nn.Module):
    """Step 2: the weighted sum of the named parts."""

    def __init__(self, config: Config, teacher: Msr2auNet | None = None) -> None:
        super().__init__()
        self.network = Student(config.student_widths).to(memory_format=torch.channels_last)
        self.weights = {name: weight for name, weight in config.losses.items() if weight}
        self.cross_fusion = config.cross_fusion
        self.device_weight = config.device_weight
        # In a tuple, so that the frozen teacher is no part of what is learned and saved.
        self.teacher = (teacher,)

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its parts."""
        output = self.network(*(batch[name] for name in STUDENT_INPUTS))
        figures: dict[str, Tensor] = {}
        if "target" in self.weights:
            error = functional.smooth_l1_loss(output, batch["target"], reduction="none")
            emphasis = 1.0 + self.device_weight * losses.surroundings(batch["device"])
            figures["target"] = (error * emphasis).mean()
        if "profile" in self.weights:
            figures["profile"] = losses.profile_loss(output, batch["target"], batch["profile"])
        if "invention" in self.weights:
            figures["invention"] = losses.invention_loss(output, batch["target"])
        if "distillation" in self.weights:
            figures["distillation"] = functional.l1_loss(output, self._taught(batch["window"]))
        if "thinning" in self.weights:
            figures["thinning"] = losses.thinning_loss(output, batch["target"], batch["exact"])
        if self.weights.keys() & RECURSIVE_PARTS:
            recursive = batch["recursive"]
            trust = torch.ones_like(recursive)
            if self.cross_fusion:
                trust = losses.cross_fusion_matrix(output, recursive, batch["frame"])
            parts = {
                "recursion": lambda: losses.recursion_loss(output, recursive, trust),
                "wavelet": lambda: losses.wavelet_loss(output, recursive, trust),
                "fourier": lambda: losses.fourier_loss(output, recursive, trust),
            }
            figures |= {name: part() for name, part in parts.items() if name in self.weights}
        loss = torch.stack([self.weights[name] * part for name, part in figures.items()]).sum()
        return loss, figures

    @torch.no_grad()
    def _taught(self, window: Tensor) -> Tensor:
        teacher = self.teacher[0]
        if teacher is None:
            raise ValueError("Distillation needs a teacher: train --step 1 first.")
        return teacher.to(window.device)(window)


@torch.inference_mode()
def validate(network: nn.Module, samples: list[Sample]) -> dict[str, float]:
    """Mean squared errors in noise variances: of the frame, its mean, the output; on devices."""
    sums = dict.fromkeys(("frame", "mean", "output", "frame on devices", "output on devices"), 0.0)
    for sample in samples:
        batch = collate([sample])
        output = network(*(batch[name] for name in STUDENT_INPUTS))
        target, device = batch["target"], batch["device"]
        weight = device.mean().clamp(min=1e-6)
        for name, image in (("frame", batch["frame"]), ("mean", batch["mean"]), ("output", output)):
            square = (image - target) ** 2
            sums[name] += float(square.mean())
            if f"{name} on devices" in sums:
                sums[f"{name} on devices"] += float((square * device).mean() / weight)
    return {name: round(total / len(samples), 4) for name, total in sums.items()}


def train_step(
    config: Config,
    options: LoopOptions,
    step: int,
    name: str,
    bases: list[BaseRun],
    start: Path | None = None,
) -> Path:
    """Train step 1 or 2 to its end; return the folder of its checkpoint.

    ``start`` is a student's weights file to begin step 2 from, where there is no checkpoint yet.
    """
    log.info("%d runs, %d of them noisy", len(bases), sum(b.noise is not None for b in bases))
    folders = {n: CHECKPOINT_FOLDER / f"denoiser_{name}" / f"step{n}" for n in (1, 2)}
    # Another seed after each resumption, or the same patches would come again.
    seed = int.from_bytes(os.urandom(4))
    if step == 1:
        train(
            TeacherTask(config),
            batches(seed, bases, config.patch, config.teacher_batch),
            options,
            folders[1],
        )
        return folders[1]
    teacher: Msr2auNet | None = None
    if config.losses.get("distillation"):
        teacher = Msr2auNet(config.teacher_branch_width, config.teacher_widths)
        teacher.load_state_dict(task_weights(folders[1]))
        teacher.eval().requires_grad_(False)
    recursive = bool({k for k, v in config.losses.items() if v} & RECURSIVE_PARTS)
    stream = batches(seed, bases, config.patch, config.batch, recursive)
    student = StudentTask(config, teacher)
    if start is not None:
        student.network.load_state_dict(load_file(start))
    task = train(student, stream, options, folders[2])
    if config.validation_runs:
        rng = np.random.default_rng(1)
        held = load_bases(config.validation_runs)
        samples = [draw_sample(rng, held, config.patch) for _ in range(64)]
        network = task.network.cpu()
        assert isinstance(network, nn.Module)
        log.info("validation %s", validate(network, samples))
    return folders[2]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m inference.denoising.training.train")
    parser.add_argument("--step", type=int, choices=(1, 2), required=True)
    parser.add_argument("--config", default="student", help="name in configs/ or a TOML file")
    parser.add_argument("--run", type=Path, action="append", default=[], help="own noisy run")
    parser.add_argument("--disable", action="append", default=[], help="leave a named part out")
    parser.add_argument("--steps", type=int, help="instead of the config's")
    parser.add_argument("--name", help="of the checkpoint, instead of the config's")
    parser.add_argument("--start", type=Path, help="student's .safetensors to begin from")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(given.threads)
    config = load_config(given.config)
    for part in given.disable:
        config = config.without(part)
    tables = ("training", "step1") if given.step == 1 else ("training",)
    options = read_options(LoopOptions, config_path(given.config), *tables)
    if given.steps:
        options = replace(options, steps=given.steps)
    name = given.name or config_path(given.config).stem
    bases = load_bases(config.runs, config.simulated_runs, tuple(given.run))
    train_step(config, options, given.step, name, bases, given.start)


if __name__ == "__main__":
    main()
