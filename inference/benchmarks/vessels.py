"""Vessel analysis: simulated stenoses of known diameter, and a phantom before and after denoising.

python -m inference.benchmarks vessels [--runs N] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from inference.benchmarks.denoising import ours
from inference.denoising.denoiser import Denoiser, load_denoiser
from inference.denoising.training.samples import read_run
from inference.measuring.profiles import arc_length
from inference.measuring.vessel import measure_vessel
from inference.simulation import Injection, Scenario, SimulatedRun, Stenosis, simulate_run
from inference.simulation.vessels import STEP_PX

FIRST_SEED = 930_000
NOISE = (0.008, 0.02)
"""Of the log signal at cine dose."""
SHAPES = ("JR", "JL", "XB")
SHARES = (0.3, 0.75)
LENGTHS_MM = (5.0, 14.0)
PLACES_MM = (14.0, 45.0)
BESIDE_MM = 12.0
"""Of healthy vessel that is clicked on each side of a lesion."""
CLICK_SD_PX = 1.5
MARGIN_PX = 16
LEAST_IN_PLANE = 0.8
LEAST_IN_PLANE_LESION = 0.94
"""Length in the picture over length in the patient: what is steeper is seen from elsewhere."""
LEAST_MM = 1.6
"""Healthy diameter from which a vessel is analysed."""
BARE_PX, MOST_COVERED = 3.0, 0.3
"""Beside a lesion, how much of what lies this far from its edges may be other vessels."""
COVERAGE = 1.96
FRAMES = 5
"""Around the measured one, for the denoiser."""


PHANTOM = {
    "IM5": (((325, 108), (220, 310)), ((338, 140), (372, 220)), ((424, 190), (443, 300))),
    "IM6": (
        ((110, 265), (112, 460)), ((190, 308), (250, 388)), ((265, 253), (360, 258)),
        ((262, 256), (340, 288)),
    ),
}  # fmt: skip
"""Ends of vessels of the phantom that lie alone."""
PHANTOM_MM_PER_PX = {"IM5": 0.390625 / 1.29306, "IM6": 0.390625 / 1.30417}
"""Imager Pixel Spacing over Estimated Radiographic Magnification Factor."""
PHANTOM_FRAMES = (2, 4, 6)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A stenosis that someone would click on each side of, and what is true of it."""

    frames: NDArray[np.generic]
    frame: int
    white: float
    linear: bool
    clicks: NDArray[np.floating]
    minimal_mm: float
    stenosis: float
    mm_per_px: float
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured, less what is true; whether 1.96 standard uncertainties cover that."""

    minimal_mm: float
    stenosis: float
    measured_mm: float
    covered: bool
    seconds: float


def cases(count: int, noise: tuple[float, float] = NOISE) -> Iterator[Case]:
    """Draw stenoses of main vessels."""
    rng = np.random.default_rng(FIRST_SEED)
    seed, found = FIRST_SEED, 0
    while found < count:
        seed += 1
        stenosis = Stenosis(
            float(rng.uniform(*PLACES_MM)),
            float(rng.uniform(*SHARES)),
            float(rng.uniform(*LENGTHS_MM)),
        )
        run = simulate_run(
            seed,
            Scenario.CONTRAST_OCCLUSION,
            frame_count=FRAMES,
            size=512,
            noise_sd=float(np.exp(rng.uniform(*np.log(noise)))),
            kind=SHAPES[int(rng.integers(len(SHAPES)))],
            injection=Injection(-3000.0, 9000.0, float(rng.uniform(250, 350)), 500.0),
            stenosis=stenosis,
            plain=True,
        )
        case = _case(run, stenosis, rng)
        if case is not None:
            found += 1
            yield case


def _case(run: SimulatedRun, stenosis: Stenosis, rng: np.random.Generator) -> Case | None:
    if run.vessel is None:
        return None
    frame = FRAMES // 2
    line, radius = run.vessel.line[frame], run.vessel.radius_px[frame]
    arc_px = arc_length(line)
    # The simulator's points are even in the patient: a lesion's middle is its narrowest point.
    narrowest = _narrowest(radius, arc_px * run.spacing_mm)
    if narrowest is None:
        return None
    beside_px = (stenosis.length_mm / 2 + BESIDE_MM) / run.spacing_mm
    part = np.flatnonzero(np.abs(arc_px - arc_px[narrowest]) < beside_px)
    ends = line[part[[0, -1]]]
    side = run.frames.shape[1]
    inside = np.all((line[part] > MARGIN_PX) & (line[part] < side - 1 - MARGIN_PX))
    steps = np.linalg.norm(np.diff(line[part], axis=0), axis=1)
    reached = arc_px[part[-1]] - arc_px[part[0]] > 1.9 * beside_px
    near = np.abs(arc_px[part[1:]] - arc_px[narrowest]) < stenosis.length_mm / 2 / run.spacing_mm
    if not inside or not reached or steps.min() / STEP_PX < LEAST_IN_PLANE:
        return None
    if steps[near].min() / STEP_PX < LEAST_IN_PLANE_LESION:
        return None
    beside = np.stack([-np.gradient(line[:, 1]), np.gradient(line[:, 0])], axis=1)
    beside /= np.linalg.norm(beside, axis=1, keepdims=True) + 1e-9
    beside *= (radius + BARE_PX)[:, None]
    for edge in (line + beside, line - beside):
        x, y = np.rint(edge[part[1:]][near]).astype(int).T
        if run.vessel_mask[frame, y, x].mean() > MOST_COVERED:
            return None
    for device in run.devices:
        body = device.body[frame]
        clear_px = 2 * float(radius[part].max()) + device.radius_px
        if len(body) and np.hypot(*(line[part][:, None] - body[None]).T).min() < clear_px:
            return None  # what a catheter, wire or stent lies over is seen from elsewhere
    healthy_mm = 2 * float(radius[narrowest]) * run.spacing_mm / (1 - stenosis.share)
    if healthy_mm < LEAST_MM:
        return None
    return Case(
        run.frames,
        frame,
        run.white,
        run.linear,
        ends + rng.normal(0, CLICK_SD_PX, (2, 2)),
        2 * float(radius[part].min()) * run.spacing_mm,
        stenosis.share,
        run.spacing_mm,
        run.seed,
    )


def _narrowest(radius: NDArray[np.floating], arc_mm: NDArray[np.floating]) -> int | None:
    """Index of the lesion: narrower than 5 mm before and after it."""
    inner = (arc_mm > 8) & (arc_mm < arc_mm[-1] * 0.6)
    if not inner.any():
        return None
    index = int(np.where(inner, radius, np.inf).argmin())
    before = np.interp(arc_mm[index] - 5, arc_mm, radius)
    after = np.interp(arc_mm[index] + 5, arc_mm, radius)
    return index if radius[index] < 0.9 * min(before, after) else None


def measure(case: Case, pixels: NDArray[np.generic]) -> Outcome:
    """Analyse one case on its frame as recorded, or denoised."""
    start = time.perf_counter()
    vessel = measure_vessel(pixels, case.clicks, linear=case.linear)
    seconds = time.perf_counter() - start
    minimal_mm = vessel.lesion.minimal * case.mm_per_px
    wrong_mm = minimal_mm - case.minimal_mm
    uncertainty_mm = float(vessel.uncertainty_px[vessel.lesion.index]) * case.mm_per_px
    return Outcome(
        wrong_mm,
        vessel.lesion.stenosis - case.stenosis,
        minimal_mm,
        abs(wrong_mm) <= COVERAGE * uncertainty_mm,
        seconds,
    )


def _row(name: str, outcomes: list[Outcome]) -> list[str]:
    wrong_mm = np.array([outcome.minimal_mm for outcome in outcomes])
    wrong = 100 * np.array([outcome.stenosis for outcome in outcomes])
    return [
        name,
        str(len(outcomes)),
        f"{wrong_mm.mean():+.3f}",
        f"{np.abs(wrong_mm).mean():.3f}",
        f"{np.percentile(np.abs(wrong_mm), 95):.2f}",
        f"{100 * np.mean([outcome.covered for outcome in outcomes]):.0f}",
        f"{wrong.mean():+.1f}",
        f"{np.abs(wrong).mean():.1f}",
        f"{np.percentile(np.abs(wrong), 95):.1f}",
        f"{1000 * np.median([outcome.seconds for outcome in outcomes]):.0f}",
    ]


def simulated(console: Console, count: int, denoiser: Denoiser) -> None:
    """Print the errors on simulated stenoses, before and after denoising."""
    before, after = [], []
    for case in cases(count):
        denoised = ours(denoiser, case.frames, case.white, False, [case.frame])[0]
        before.append(measure(case, case.frames[case.frame]))
        after.append(measure(case, denoised))
    table = Table(title="Simulated stenoses at cine dose")
    table.add_column("frames")
    names = (
        "runs",
        "MLD bias mm",
        "MLD mean error mm",
        "95th",
        "covered %",
        "stenosis bias points",
    )
    for name in (*names, "mean error points", "95th", "ms"):
        table.add_column(name, justify="right")
    table.add_row(*_row("as they are", before))
    table.add_row(*_row("denoised", after))
    console.print(table)
    apart = [abs(a.measured_mm - b.measured_mm) for a, b in zip(before, after, strict=True)]
    console.print(
        f"Before and after denoising the minimal diameters differ by {np.mean(apart):.3f} mm."
    )


def phantom(console: Console, data: Path, denoiser: Denoiser) -> None:
    """Print how far the phantom's diameters move by denoising, and from frame to frame."""
    table = Table(title="Vessels of the phantom, cine: differences of diameters in mm")
    table.add_column("vessels")
    for name in ("along, to denoised", "least, to denoised", "along, between frames"):
        table.add_column(name, justify="right")
    for name, vessels in PHANTOM.items():
        frames = np.asarray(read_run(data / "phantom_vukicevic" / f"{name}.dcm"))
        denoised = ours(denoiser, frames, 255.0, False, PHANTOM_FRAMES)
        along, least, between = [], [], []
        for ends in vessels:
            clicks = np.array(ends, np.float64)
            before = [_profile(frames[frame], clicks) for frame in PHANTOM_FRAMES]
            after = [_profile(picture, clicks) for picture in denoised]
            mm = PHANTOM_MM_PER_PX[name]
            pairs = list(zip(before, after, strict=True))
            along += [float(np.abs(a - b).mean()) * mm for a, b in pairs]
            least += [abs(float(a.min() - b.min())) * mm for a, b in pairs]
            between += [float(np.abs(a - b).mean()) * mm for a, b in pairwise(before)]
        cells = [f"{np.mean(part):.3f}" for part in (along, least, between)]
        table.add_row(f"{name}, {len(vessels)}", *cells)
    console.print(table)


def _profile(pixels: NDArray[np.generic], clicks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Diameters at a hundred places from end to end, without the ends."""
    vessel = measure_vessel(pixels, clicks)
    places = np.linspace(0.05, 0.95, 100) * vessel.arc_px[-1]
    return np.asarray(np.interp(places, vessel.arc_px, vessel.diameter_px))


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m inference.benchmarks vessels")
    parser.add_argument("--runs", type=int, default=60, help="simulated ones (default 60)")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    chosen = parser.parse_args(arguments)
    console = Console(file=sys.stdout, width=160)
    denoiser = load_denoiser()
    simulated(console, chosen.runs, denoiser)
    if chosen.data.is_dir():
        phantom(console, chosen.data, denoiser)
    else:
        console.print(f"No phantom: {chosen.data} is not there.")


if __name__ == "__main__":
    main()
