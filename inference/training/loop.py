"""The training loop that all networks share: resumable, mixed precision, one process a device.

A network's task is a ``torch.nn.Module`` whose ``forward(batch)`` returns the loss and a
dictionary of figures to log. Started by ``torchrun`` the same call trains on several devices or
hosts (DistributedDataParallel).
"""

from __future__ import annotations

import copy
import logging
import math
import os
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from inference.training.precision import mixed_precision

log = logging.getLogger(__name__)

Options = TypeVar("Options")


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """How long and how fast to learn.

    Attributes
    ----------
    steps, minutes : int, float
        The learning rate falls to nothing at whichever comes first; minutes count the time spent
        training, over all resumed sessions.
    warmup_steps : int
        Steps over which the learning rate rises.
    average : float
        Decay of the running average of the weights, which is what gets shipped.
    checkpoint_minutes : float
        Time between checkpoints.
    """

    steps: int = 100_000
    minutes: float = math.inf
    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    warmup_steps: int = 300
    clip_norm: float = 1.0
    average: float = 0.999
    log_steps: int = 50
    checkpoint_minutes: float = 3.0
    seed: int = 2026


def read_options(kind: type[Options], path: Path, *tables: str) -> Options:
    """Make a dataclass of options from the named tables of a TOML file, later ones winning."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    merged: dict[str, Any] = {}
    for table in tables:
        merged |= {key: value for key, value in content.get(table, {}).items() if key in known}
    for key, value in merged.items():
        if isinstance(value, list):
            merged[key] = tuple(value)
    return kind(**merged)


def training_device() -> torch.device:
    """Return this process's device: its own GPU under torchrun, else the best there is."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def worker_rank() -> tuple[int, int]:
    """Return this process's number and how many there are (0, 1 without torchrun)."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def train(
    task: nn.Module,
    batches: Iterable[Mapping[str, Tensor]],
    options: LoopOptions,
    folder: Path,
) -> nn.Module:
    """Train ``task`` and return a copy that holds the averaged weights.

    Goes on from ``folder/checkpoint.pt`` where there is one.

    Parameters
    ----------
    task : torch.nn.Module
        ``task(batch)`` returns ``(loss, figures)``.
    batches : iterable of mapping
        Endless; each a mapping of CPU tensors.
    folder : Path
        Receives ``checkpoint.pt`` and TensorBoard event files.

    Raises
    ------
    FloatingPointError
        When the loss is no longer finite.
    """
    device = training_device()
    rank, world = worker_rank()
    torch.manual_seed(options.seed + rank)
    folder.mkdir(parents=True, exist_ok=True)
    task.to(device).train()
    averaged = copy.deepcopy(task).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(
        _decay_groups(task, options.weight_decay), lr=options.learning_rate, betas=(0.9, 0.98)
    )
    step, spent_s = _resume(folder / "checkpoint.pt", task, averaged, optimiser, device)
    model: nn.Module = task
    if world > 1:
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        model = nn.parallel.DistributedDataParallel(
            task, device_ids=[device.index] if device.type == "cuda" else None
        )
    writer = _event_writer(folder) if rank == 0 else None
    sums: dict[str, float] = {}
    summed = 0
    started = saved = time.monotonic()
    begun_s = spent_s
    iterator: Iterator[Mapping[str, Tensor]] = iter(batches)
    while step < options.steps and spent_s < options.minutes * 60:
        progress = max(step / options.steps, spent_s / (options.minutes * 60))
        rate = options.learning_rate * min(1.0, (step + 1) / options.warmup_steps)
        rate *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = {key: value.to(device, non_blocking=True) for key, value in next(iterator).items()}
        with mixed_precision(device.type):
            loss, figures = model(batch)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"The loss became {loss.item()} at step {step}.")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(task.parameters(), options.clip_norm)
        optimiser.step()
        step += 1
        _average(averaged, task, min(options.average, (1 + step) / (10 + step)))
        for key, value in {"loss": loss, **figures}.items():
            sums[key] = sums.get(key, 0.0) + float(value.detach())
        summed += 1
        now = time.monotonic()
        spent_s = begun_s + now - started
        if world > 1:
            # One clock for all: a process that stopped a step early would leave the others waiting.
            clock = torch.tensor([spent_s], dtype=torch.float64, device=device)
            torch.distributed.broadcast(clock, 0)
            spent_s = float(clock.item())
        if step % options.log_steps == 0 and rank == 0:
            means = {key: value / summed for key, value in sums.items()}
            sums, summed = {}, 0
            log.info(
                "step %d, %.1f min, rate %.2e, %s",
                step,
                spent_s / 60,
                rate,
                ", ".join(f"{key} {value:.4f}" for key, value in means.items()),
            )
            if writer is not None:
                for key, value in means.items():
                    writer.add_scalar(key, value, step)
        if now - saved > options.checkpoint_minutes * 60 and rank == 0:
            _save(folder / "checkpoint.pt", task, averaged, optimiser, step, spent_s)
            saved = now
    if rank == 0:
        _save(folder / "checkpoint.pt", task, averaged, optimiser, step, spent_s)
    if writer is not None:
        writer.close()
    if world > 1:
        torch.distributed.destroy_process_group()
    return averaged


def averaged_state(path: Path) -> dict[str, Tensor]:
    """Return the averaged weights in a checkpoint folder, or those in a weights file."""
    if path.is_file():
        return load_file(path)
    content = torch.load(path / "checkpoint.pt", map_location="cpu", weights_only=True)
    state: dict[str, Tensor] = content["averaged"]
    return state


def task_weights(path: Path) -> dict[str, Tensor]:
    """Return the same of the task's network alone, by the network's own names."""
    return {key.removeprefix("network."): value for key, value in averaged_state(path).items()}


def reached_step(folder: Path) -> int:
    """Return the step that a checkpoint folder has reached, so that new samples follow the old."""
    path = folder / "checkpoint.pt"
    if not path.is_file():
        return 0
    return int(torch.load(path, map_location="cpu", weights_only=True)["step"])


def _decay_groups(task: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Biases, norms and embeddings are not decayed."""
    parameters = [p for p in task.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


@torch.no_grad()
def _average(averaged: nn.Module, task: nn.Module, decay: float) -> None:
    pairs = list(zip(averaged.parameters(), task.parameters(), strict=True))
    torch._foreach_lerp_([a for a, _ in pairs], [p for _, p in pairs], 1.0 - decay)
    for kept, now in zip(averaged.buffers(), task.buffers(), strict=True):
        kept.copy_(now)


def _save(
    path: Path,
    task: nn.Module,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer,
    step: int,
    spent_s: float,
) -> None:
    content = {
        "task": task.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
        "spent_s": spent_s,
    }
    # A checkpoint cut off half way must not replace a whole one.
    part = path.with_suffix(".part")
    torch.save(content, part)
    part.replace(path)


def _resume(
    path: Path,
    task: nn.Module,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer,
    device: torch.device,
) -> tuple[int, float]:
    if not path.is_file():
        return 0, 0.0
    content = torch.load(path, map_location=device, weights_only=True)
    task.load_state_dict(content["task"])
    averaged.load_state_dict(content["averaged"])
    optimiser.load_state_dict(content["optimiser"])
    log.info("going on from %s at step %d", path, content["step"])
    return int(content["step"]), float(content["spent_s"])


def _event_writer(folder: Path) -> Any:
    """Return a TensorBoard writer, or None where tensorboard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("tensorboard is not installed: figures go to the log only")
        return None
    return SummaryWriter(folder)
