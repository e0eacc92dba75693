"""How well the heart's phase is told by pictures alone, against R waves.

python -m inference.benchmarks phase [--data FOLDER] [--runs N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from inference.frames import FloatFrame
from inference.heart.from_pictures import phase_from_pictures
from inference.heart.phase import phase_from_r_waves
from inference.simulation import simulate_run

FIRST_SEED = 5000
SECONDS = 5.0
SIZE_PX = 256
RATES = (7.5, 10.0, 12.5, 15.0, 15.0, 15.0, 25.0, 30.0)
NEAR = 0.1
"""Of a beat, within which a phase counts as right."""


@dataclass(frozen=True)
class Score:
    """How the pictures' phase of one run compares with the R waves'."""

    period_off: float
    phase_off: NDArray[np.float64]
    confidence: float


def score(
    read: Callable[[int], FloatFrame], times_ms: NDArray[np.float64], r_waves_ms: tuple[float, ...]
) -> Score | None:
    """Compare; None where the pictures tell no phase. Frames between R waves are scored."""
    true = phase_from_r_waves(times_ms, r_waves_ms)
    found = phase_from_pictures(read, times_ms)
    if true is None:
        raise ValueError("the R waves tell no beat")
    if found is None:
        return None
    off = np.abs((found.phase - true.phase + 0.5) % 1.0 - 0.5)
    between = (times_ms >= min(r_waves_ms)) & (times_ms <= max(r_waves_ms))
    return Score(abs(found.period_ms / true.period_ms - 1.0), off[between], found.confidence)


def simulated(seed: int) -> Score | None:
    """Score one run of any scenario."""
    rate = float(np.random.default_rng(seed).choice(RATES))
    run = simulate_run(seed, frame_count=int(SECONDS * rate), size=SIZE_PX, frames_per_second=rate)
    return score(run.frames.__getitem__, run.frame_times_ms, run.r_wave_times_ms)


def real(path: Path) -> Score | None:
    """Score an XA run by its R Wave Pointer, which names the frames of its R waves."""
    from pydicom import dcmread

    dataset = dcmread(path)
    frames = dataset.pixel_array
    times_ms = np.arange(len(frames), dtype=np.float64) * float(dataset.FrameTime)
    waves = tuple(float(times_ms[number - 1]) for number in dataset.RWavePointer)
    return score(frames.__getitem__, times_ms, waves)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m inference.benchmarks phase")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=int, default=50, help="simulated runs")
    chosen = parser.parse_args(arguments)
    table = Table(title="Phase from pictures against R waves")
    for head in ("runs", "count", "told", "period within 5%", "median", "phase within 0.1",
                 "median", "frames within 0.1"):  # fmt: skip
        table.add_column(head, justify="left" if head == "runs" else "right")
    groups = {"simulated": [simulated(FIRST_SEED + seed) for seed in range(chosen.runs)]}
    path = chosen.data / "rubo" / "0002.DCM"
    if path.is_file():
        groups["rubo/0002.DCM"] = [real(path)]
    for name, scores in groups.items():
        told = [s for s in scores if s is not None]
        if not told:
            table.add_row(name, str(len(scores)), "0")
            continue
        periods = np.array([s.period_off for s in told])
        phases = np.array([np.median(s.phase_off) for s in told])
        frames = np.concatenate([s.phase_off for s in told])
        table.add_row(
            name,
            str(len(scores)),
            str(len(told)),
            f"{100 * (periods <= 0.05).mean():.0f}%",
            f"{100 * np.median(periods):.1f}%",
            f"{100 * (phases <= NEAR).mean():.0f}%",
            f"{np.median(phases):.3f}",
            f"{100 * (frames <= NEAR).mean():.0f}%",
        )
    Console(file=sys.stdout, width=120).print(table)


if __name__ == "__main__":
    main()
