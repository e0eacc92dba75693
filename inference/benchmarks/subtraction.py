"""How much motion a registered mask leaves, on simulated runs whose clean picture is known.

python -m inference.benchmarks subtraction [--runs N]
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from inference.frames import FloatFrame
from inference.simulation import Injection, Motion, Scenario, SimulatedRun, simulate_run
from inference.subtraction import FittedMask, MaskFitter, Registration
from inference.subtraction.elastic import warped
from inference.subtraction.shift import common, moved

FRAMES_PER_SECOND = 15.0
CONTRAST_FRAMES = 40
EVERY = 9
BESIDE_PX = 9
"""Side of what is left out around a vessel or device."""
WAYS = (Registration.OFF, Registration.SHIFT, Registration.ELASTIC)


@dataclass(frozen=True)
class Case:
    """What moves, and how many frames without contrast the mask is made of."""

    name: str
    motion: Motion
    span: int


CASES = (
    Case("table shift, mask of 0.4 s", Motion.TABLE, 6),
    Case("breathing, mask of one breath (5.6 s)", Motion.BREATHING, 84),
    Case("breathing, mask of 1.3 s", Motion.BREATHING, 20),
    Case("heartbeat, mask of one beat (1.3 s)", Motion.HEART, 20),
    Case("heartbeat, mask of 0.4 s", Motion.HEART, 6),
)


def made_run(case: Case, seed: int) -> SimulatedRun:
    """Simulate a run that moves in one way, contrast coming after the mask's span."""
    start_ms = 1000.0 * case.span / FRAMES_PER_SECOND + 50.0
    scenario = Scenario.PANNING if case.motion is Motion.TABLE else Scenario.CONTRAST_OCCLUSION
    return simulate_run(
        seed,
        scenario,
        case.span + CONTRAST_FRAMES,
        frames_per_second=FRAMES_PER_SECOND,
        injection=Injection(start_ms, 2500.0, 300.0, 400.0),
        plain=True,
        motions=(case.motion,),
    )


def subtraction_space(run: SimulatedRun, grey: NDArray[np.generic]) -> FloatFrame:
    """Return greys as they are subtracted, 0..255: the logarithm where grey is linear."""
    values = grey.astype(np.float32) * np.float32(255.0 / run.white)
    if run.linear:
        values = np.log(np.maximum(values, 1.0)) * np.float32(255.0 / 4.0)
    return np.asarray(values, np.float32)


def without_noise(clean: list[FloatFrame], fit: FittedMask) -> FloatFrame:
    """Make a mask as it was fitted to noisy frames out of clean ones."""
    mask = moved(np.mean([clean[i] for i in fit.frames], axis=0, dtype=np.float32), fit.shift_px)
    return mask if fit.field is None else warped(mask, fit.field)


def squared_errors(run: SimulatedRun, span: int) -> tuple[NDArray[np.float64], list[float]]:
    """Score a run.

    Returns
    -------
    errors : ndarray, shape (frames, 3 ways, 2)
        Mean square of clean frame less clean mask, offset apart, where there is neither contrast
        nor a device, and where there is no contrast. No noise is in it: masks are fitted to noisy
        frames, and scored on clean ones.
    milliseconds : list of float
        A frame of each way.
    """
    clean = [subtraction_space(run, frame) for frame in run.clean]
    noisy = [subtraction_space(run, frame) for frame in run.frames]
    devices = run.device_mask(all_devices=True)
    around = np.ones((BESIDE_PX, BESIDE_PX), np.uint8)
    fitter = MaskFitter(noisy.__getitem__, range(span))
    errors, spent = [], np.zeros(len(WAYS))
    scored = range(span + 2, len(clean), EVERY)
    for frame in scored:
        masks = []
        for number, way in enumerate(WAYS):
            start = time.perf_counter()
            fit = fitter.fit(noisy[frame], way)
            spent[number] += time.perf_counter() - start
            masks.append((without_noise(clean, fit), fit))
        away = cv2.dilate(run.vessel_mask[frame], around) == 0
        known = np.zeros_like(away)
        known[common(away.shape, masks[-1][1].shift_px)] = True
        away &= known
        used = [frame, *masks[1][1].frames]
        clear = away & (cv2.dilate(devices[used].max(axis=0), around) == 0)
        errors.append([[_square(clean[frame] - m, p) for p in (clear, away)] for m, _ in masks])
    return np.array(errors), (1000.0 * spent / len(scored)).tolist()


def _square(difference: FloatFrame, where: NDArray[np.bool_]) -> float:
    values = difference[where]
    return float(np.square(values - np.median(values)).mean())


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m inference.benchmarks subtraction")
    parser.add_argument("--runs", type=int, default=6, help="simulated runs a case")
    chosen = parser.parse_args(arguments)
    table = Table(title="RMS error of the subtracted background beyond the noise (grey scale 255)")
    for head in ("what moves", "mask", "RMS", "times less", "median run", "least run",
                 "devices too: RMS", "times less", "ms a frame"):  # fmt: skip
        table.add_column(head, justify="left" if head in ("what moves", "mask") else "right")
    for case in CASES:
        runs, times = [], []
        for seed in range(chosen.runs):
            errors, spent = squared_errors(made_run(case, seed), case.span)
            runs.append(np.sqrt(errors.mean(axis=0)))
            times.append(spent)
        rms = np.array(runs)  # (runs, 3 ways, 2)
        pooled = np.sqrt(np.square(rms).mean(axis=0))
        for number, way in enumerate(WAYS):
            less = rms[:, 0, 0] / rms[:, number, 0]
            table.add_row(
                case.name if number == 0 else "",
                str(way),
                f"{pooled[number, 0]:.2f}",
                f"{pooled[0, 0] / pooled[number, 0]:.1f}",
                f"{np.median(less):.1f}",
                f"{less.min():.1f}",
                f"{pooled[number, 1]:.2f}",
                f"{pooled[0, 1] / pooled[number, 1]:.1f}",
                f"{np.mean([t[number] for t in times]):.0f}",
            )
        table.add_section()
    Console(file=sys.stdout, width=130).print(table)


if __name__ == "__main__":
    main()
