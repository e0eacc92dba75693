"""Train short with each part left out in turn, and compare: one command, one table.

``python -m inference.denoising.training.ablation --config paper --steps 600``
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from inference.denoising.networks import Student
from inference.denoising.training.samples import draw_sample
from inference.denoising.training.train import (
    CHECKPOINT_FOLDER,
    Config,
    config_path,
    load_bases,
    load_config,
    train_step,
    validate,
)
from inference.training.loop import LoopOptions, read_options, task_weights

SAMPLES = 96


def variants(config: Config) -> dict[str, Config]:
    """Return the whole config and those with one part less, by name."""
    parts = [name for name, weight in config.losses.items() if weight]
    if config.cross_fusion:
        parts.append("cross_fusion")
    return {"whole": config} | {f"without {part}": config.without(part) for part in parts}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m inference.denoising.training.ablation")
    parser.add_argument("--config", default="paper")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    torch.set_num_threads(given.threads)
    console = Console(file=sys.stdout, width=120)
    config = load_config(given.config)
    options = read_options(LoopOptions, config_path(given.config), "training")
    options = replace(options, steps=given.steps)
    held = load_bases(config.validation_runs)
    rng = np.random.default_rng(1)
    samples = [draw_sample(rng, held, config.patch) for _ in range(SAMPLES)]
    bases = load_bases(config.runs, config.simulated_runs)
    table = Table(title=f"{given.config}, {given.steps} steps; squared errors in noise variances")
    columns = ("frame", "mean", "output", "frame on devices", "output on devices")
    for head in ("trained", *columns):
        table.add_column(head, justify="left" if head == "trained" else "right")
    teacher = CHECKPOINT_FOLDER / f"denoiser_{config_path(given.config).stem}" / "step1"
    for name, variant in variants(config).items():
        label = f"ablation {name}".replace(" ", "_")
        folder = CHECKPOINT_FOLDER / f"denoiser_{label}"
        shutil.rmtree(folder, ignore_errors=True)
        if variant.losses.get("distillation"):
            shutil.copytree(teacher, Path(folder / "step1"))
        train_step(replace(variant, validation_runs=()), options, 2, label, bases)
        network = Student(config.student_widths)
        network.load_state_dict(task_weights(folder / "step2"))
        figures = validate(network.eval(), samples)
        table.add_row(name, *(f"{figures[column]:.3f}" for column in columns))
    console.print(table)


if __name__ == "__main__":
    main()
