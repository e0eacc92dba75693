"""How well stents come out of the noise, on simulated runs with a stent on its balloon.

python -m inference.benchmarks enhancement [--runs N] [--page FILE.png] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from inference.benchmarks.enhancement_page import draw_page
from inference.enhancement import Enhancer, propose_pairs
from inference.frames import FloatFrame
from inference.simulation import DeviceTruth, Scenario, SimulatedRun, simulate_run

FRAMES = 30
ERROR_PX = 0.3
"""Deviation of the markers from the truth, each coordinate, as a tracker leaves it."""
MARGIN_PX = 30
PROPOSED_FROM = (0, 4, 9, 14, 20)
NEAR_PX = 4.0
_STEP_PX = 0.25


@dataclass(frozen=True)
class StentedRun:
    """A run, its balloon's markers (T, 2, 2), the frame that counts as single, and the stent."""

    run: SimulatedRun
    pairs: NDArray[np.float64]
    single: int
    stent: DeviceTruth


@dataclass(frozen=True)
class Score:
    """Contrast-to-noise of the struts and their width, pixels.

    Noise is what parts a picture from the same made without noise; with the ground it is all that
    varies beside the stent, the anatomy's own texture too.
    """

    single: float
    enhanced: float
    single_on_ground: float
    enhanced_on_ground: float
    true_width_px: float
    width_px: float
    proposed: int | None  # place of the true pair among those proposed, from 0


def stented_runs(count: int) -> Iterator[StentedRun]:
    """Simulate fluoroscopy over beating hearts, the whole balloon in the picture throughout."""
    seed = 0
    while count:
        seed += 1
        run = simulate_run(
            seed, Scenario.FLUOROSCOPY, FRAMES, frames_per_second=15.0, kind="JR",
            plain=True, stented=True,
        )  # fmt: skip
        stent = [device for device in run.devices if device.kind == "stent"]
        if not stent:
            continue
        pairs = np.array([[body[0], body[-1]] for body in stent[0].body], np.float64)
        size = run.frames.shape[1]
        if pairs.min() < MARGIN_PX or pairs.max() > size - MARGIN_PX:
            continue
        lengths = np.linalg.norm(pairs[:, 1] - pairs[:, 0], axis=1)
        single = int(np.argmin(np.abs(lengths - np.median(lengths))))
        yield StentedRun(run, pairs, single, stent[0])
        count -= 1


def enhanced(stented: StentedRun, frames: NDArray[np.generic]) -> FloatFrame:
    """Average frames about markers that are off as a tracker's are."""
    rng = np.random.default_rng(stented.run.seed)
    enhancer = Enhancer(stented.pairs[stented.single])
    for frame, pair in zip(frames, stented.pairs, strict=True):
        enhancer.add(frame.astype(np.float32), pair + rng.normal(0, ERROR_PX, (2, 2)))
    return enhancer.picture


def straightened(picture: FloatFrame, stented: StentedRun) -> tuple[FloatFrame, FloatFrame]:
    """Return the stent's neighbourhood (across, along), and the offsets across in radii."""
    body = stented.stent.body[stented.single].astype(np.float64)
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(body, axis=0), axis=1))])
    edge = 0.12 * lengths[-1]  # markers and ends apart
    even = np.arange(edge, lengths[-1] - edge, 0.5)
    line = np.stack([np.interp(even, lengths, body[:, axis]) for axis in (0, 1)], axis=1)
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    radius = stented.stent.radius_px
    offsets = np.arange(-3.5 * radius, 3.5 * radius, _STEP_PX)
    x = line[None, :, 0] + offsets[:, None] * across[None, :, 0]
    y = line[None, :, 1] + offsets[:, None] * across[None, :, 1]
    strip = cv2.remap(picture, x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC)
    return strip, (offsets / radius).astype(np.float32)


def contrast(picture: FloatFrame, stented: StentedRun) -> float:
    """Return how much darker the stent's two edges are than what lies beside it."""
    strip, radii = straightened(picture, stented)
    beside, wall = _beside(radii), np.abs(np.abs(radii) - 0.93) < 0.12
    return float(strip[beside].mean() - strip[wall].mean())


def noise(picture: FloatFrame, stented: StentedRun) -> float:
    """Return the deviation beside the stent; what changes slower than its width is no noise."""
    slow = cv2.GaussianBlur(picture, (0, 0), stented.stent.radius_px)
    fine, radii = straightened(np.asarray(picture - slow, np.float32), stented)
    return float(fine[_beside(radii)].std())


def _beside(radii: FloatFrame) -> NDArray[np.bool_]:
    return (np.abs(radii) > 1.8) & (np.abs(radii) < 3.2)


def strut_width_px(picture: FloatFrame, stented: StentedRun) -> float:
    """Return twice the half width at half depth of the stent's edges, to the outside.

    To the inside the front and back of the tube lie, so that an edge has no foot there.
    """
    strip, radii = straightened(picture, stented)
    profile = strip.mean(axis=1)
    outside = float(np.median(profile[(np.abs(radii) > 1.6) & (np.abs(radii) < 2.4)]))
    widths = []
    for side in (profile, profile[::-1]):
        wall = np.flatnonzero((radii > 0.6) & (radii < 1.25))
        bottom = int(wall[np.argmin(side[wall])])
        half = (float(side[bottom]) + outside) / 2.0
        widths.append(2.0 * _STEP_PX * _crossing(side, bottom, 1, half))
    return float(np.mean(widths))


def _crossing(profile: FloatFrame, start: int, step: int, level: float) -> float:
    """Count the samples from ``start`` to where the profile rises through a level, or NaN."""
    at = start
    while 0 <= at + step < len(profile) and profile[at + step] < level:
        at += step
    if at == start or not 0 <= at + step < len(profile):
        return float("nan")
    low, high = float(profile[at]), float(profile[at + step])
    return abs(at - start) + (level - low) / (high - low)


def score(stented: StentedRun) -> Score:
    """Score one run."""
    run = stented.run
    picture, clean = enhanced(stented, run.frames), enhanced(stented, run.clean)
    single, single_clean = run.frames[stented.single].astype(np.float32), run.clean[stented.single]
    proposed = propose_pairs([run.frames[i].astype(np.float32) for i in PROPOSED_FROM])
    true = stented.pairs[0]
    right = [
        place
        for place, pair in enumerate(proposed)
        for points in (pair.points, pair.points[::-1])
        if np.linalg.norm(points - true, axis=1).max() < NEAR_PX
    ]
    return Score(
        single=contrast(single_clean, stented) / noise(single - single_clean, stented),
        enhanced=contrast(picture, stented) / noise(picture - clean, stented),
        single_on_ground=contrast(single, stented) / noise(single, stented),
        enhanced_on_ground=contrast(picture, stented) / noise(picture, stented),
        true_width_px=strut_width_px(run.clean[stented.single], stented),
        width_px=strut_width_px(picture, stented),
        proposed=right[0] if right else None,
    )


def main(arguments: list[str] | None = None) -> None:
    """Print the table; draw the page where asked to."""
    parser = argparse.ArgumentParser(prog="python -m inference.benchmarks enhancement")
    parser.add_argument("--runs", type=int, default=20, help="simulated runs")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--page", type=Path, help="also draw single and enhanced pictures")
    chosen = parser.parse_args(arguments)
    runs: list[StentedRun] = []
    scores: list[Score] = []
    for stented in stented_runs(chosen.runs):
        scores.append(score(stented))
        if len(runs) < 4:
            runs.append(stented)
    single = np.array([s.single for s in scores])
    whole = np.array([s.enhanced for s in scores])
    on_ground = np.array([s.enhanced_on_ground / s.single_on_ground for s in scores])
    wider = np.array([s.width_px / s.true_width_px for s in scores])
    gain = whole / single
    table = Table(title=f"Struts of {len(scores)} simulated stents, {FRAMES} frames averaged, "
                  f"markers off by {ERROR_PX} px")  # fmt: skip
    for head in ("", "median", "least", "most"):
        table.add_column(head, justify="right" if head else "left")
    for name, values in (("contrast-to-noise, single frame", single),
                         ("contrast-to-noise, enhanced", whole),
                         ("times more", gain),
                         ("times more, anatomy counted as noise", on_ground),
                         ("width over the true one", wider)):  # fmt: skip
        table.add_row(name, *(f"{f(values):.2f}" for f in (np.nanmedian, np.nanmin, np.nanmax)))
    places = [s.proposed for s in scores]
    console = Console(file=sys.stdout, width=110)
    console.print(table)
    console.print(
        f"{(gain >= 3).sum()} of {len(gain)} gain 3 times or more; "
        f"{(wider <= 1.15).sum()} of {np.isfinite(wider).sum()} that can be measured are no more "
        f"than 15% wider; the true pair is proposed first in "
        f"{sum(p == 0 for p in places)}, among the first three in "
        f"{sum(p is not None and p < 3 for p in places)}"
    )
    if chosen.page is not None:
        pictures = []
        for s in runs:
            single_frame = s.run.frames[s.single].astype(np.float32)
            whole_run = enhanced(s, s.run.frames)
            pictures.append((f"simulated {s.run.seed}", single_frame, whole_run, s.pairs[s.single]))
        draw_page(chosen.page, pictures, chosen.data)


if __name__ == "__main__":
    main()
