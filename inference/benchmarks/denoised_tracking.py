"""Does the tracker profit from denoised frames? The same clicks on noisy and on denoised runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.table import Table

from inference.benchmarks.tracking import Errors, first_click, ours
from inference.denoising.denoiser import Denoiser
from inference.denoising.requests import DenoisedFrame, DenoiseRequest
from inference.frames import FrameSequence
from inference.simulation import Scenario, simulate_run
from inference.tracking.requests import Anchor, PointState
from inference.tracking.tracker import Tracker
from inference.tracking.training.labelled import LabelledRun
from inference.tracking.training.shards import STATES, VISIBLE

TEST_SEED = 915_000
FRAMES = 24
NOISE = (0.04, 0.06, 0.08)
"""Heavy noise, as the simulator counts it: there denoising has something to give."""


def noisy_runs(count: int) -> list[LabelledRun]:
    """Simulate ``count`` heavily noisy 8-bit runs with their tips, the scenarios in turn."""
    scenarios = [s for s in Scenario if s is not Scenario.MIXED]
    runs = []
    for k in range(count):
        run = simulate_run(
            TEST_SEED + k,
            scenarios[k % len(scenarios)],
            FRAMES,
            bits=8,
            noise_sd=NOISE[k % len(NOISE)],
        )
        states = np.array([STATES.index(state) for state in run.state], np.uint8)
        if (states == VISIBLE).any():
            tips = run.tip.astype(np.float64)
            runs.append(LabelledRun(run.scenario.value, run.frames, tips, states))
    return runs


def denoised(run: LabelledRun, denoiser: Denoiser) -> LabelledRun:
    """Return the run with all its frames denoised, in 8 bits again."""
    count, rows, columns = run.frames.shape
    frames = np.empty_like(run.frames)

    def keep(done: DenoisedFrame) -> None:
        frames[done.frame] = np.clip(np.rint(done.pixels), 0, 255)

    denoiser.denoise(
        FrameSequence(run.frames.__getitem__, count, rows, columns),
        DenoiseRequest(tuple(range(count))),
        lambda: False,
        keep,
    )
    return replace(run, frames=frames)


def compare_tracking(console: Console, tracker: Tracker, denoiser: Denoiser, count: int) -> None:
    """Track noisy runs as they are and denoised, one click each, and print one table."""
    scores = Errors("as they are"), Errors("denoised")
    runs = noisy_runs(count)
    for run in runs:
        first = first_click(run)
        click = Anchor(first, float(run.tips[first, 0]), float(run.tips[first, 1]))
        for score, seen in zip(scores, (run, denoised(run, denoiser)), strict=True):
            tracked = ours(tracker, seen, (click,))
            score.add(seen, first, tracked.tips, tracked)
    table = Table(title=f"The tracker on denoised frames ({len(runs)} simulated noisy runs)")
    table.add_column("frames", no_wrap=True)
    for state in (PointState.VISIBLE, PointState.OCCLUDED):
        for figure in ("median", "mean", "95th", "within 8"):
            table.add_column(f"{state}: {figure}", justify="right")
    for score in scores:
        table.add_row(score.name, *_figures(score.visible), *_figures(score.occluded))
    console.print(table)


def _figures(errors: list[float]) -> list[str]:
    if not errors:
        return ["-"] * 4
    values = np.array(errors)
    return [
        f"{np.median(values):.2f}",
        f"{values.mean():.2f}",
        f"{np.percentile(values, 95):.1f}",
        f"{100.0 * (values <= 8.0).mean():.1f}%",
    ]
