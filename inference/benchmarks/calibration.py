"""Calibration by the catheter on simulated runs whose geometry is known.

python -m inference.benchmarks calibration [--runs N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from inference.measuring.calibration import FRENCH_SIZES, by_catheter
from inference.measuring.catheter import Build, Doubt, measure_catheter
from inference.measuring.profiles import arc_length
from inference.simulation import Injection, Scenario, SimulatedRun, Tube, simulate_run

FIRST_SEED = 920_000
FRENCH = tuple(size for size in FRENCH_SIZES if size >= 5)
NOISE = (0.008, 0.08)
"""Of the log signal: cine to low dose."""
INNER_SHARES = {Build.GUIDING: (0.82, 0.90), Build.DIAGNOSTIC: (0.65, 0.79)}
"""Inner over outer diameter, drawn evenly."""
MAKER_MM = 0.05
"""Most that a maker's outer diameter is off its French size, drawn evenly."""
SHAPES = ("JR", "JL", "XB", "multipurpose")
FROM_TIP_MM = 40.0
"""Beyond the curves, where the shaft is a single tube that one would measure."""
LENGTH_MM = (12.0, 30.0)
CLICK_SD_PX = 1.2
MARGIN_PX = 28
MOST_TURN_DEG = 50.0


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A stretch that someone would click on, and what is true of it."""

    frame: NDArray[np.generic]
    clicks: NDArray[np.floating]
    linear: bool
    french: int
    build: Build
    noise: float
    width_px: float
    mm_per_px: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one stretch was measured."""

    noise: float
    width_error: float  # relative
    width_score: float  # error over its standard uncertainty
    scale_error: float  # of mm/px by the nominal French size
    scale_score: float
    relative: float  # the width's uncertainty over the width
    doubts: frozenset[Doubt]


def stretches(count: int, content: str) -> Iterator[Stretch]:
    """Draw stretches of catheters that are "empty", "filled" with contrast or hold a "wire"."""
    rng = np.random.default_rng([FIRST_SEED, len(content)])
    seed, found = FIRST_SEED, 0
    while found < count:
        seed += 1
        french = FRENCH[found % len(FRENCH)]
        build = list(INNER_SHARES)[found // len(FRENCH) % 2]
        outer_mm = french / 3 + rng.uniform(-MAKER_MM, MAKER_MM)
        noise = float(np.exp(rng.uniform(*np.log(NOISE))))
        filled = Injection(-3000.0, 9000.0, float(rng.uniform(150, 350)), 500.0)
        run = simulate_run(
            seed,
            Scenario.CONTRAST_OCCLUSION if content == "filled" else Scenario.FLUOROSCOPY,
            frame_count=1,
            size=1024 if rng.random() < 0.2 else 512,
            noise_sd=noise,
            kind=SHAPES[int(rng.integers(len(SHAPES)))],
            injection=filled if content == "filled" else None,
            tube=Tube(outer_mm, 1.0 - float(rng.uniform(*INNER_SHARES[build]))),
            plain=True,
        )
        wired = any(device.kind == "guidewire" for device in run.devices)
        line = _clear_stretch(run, rng)
        if line is None or wired != (content == "wire"):
            continue
        clicks = line[np.linspace(0, len(line) - 1, 2 + int(rng.integers(3))).astype(int)]
        clicks = clicks + rng.normal(0, CLICK_SD_PX * len(run.frames[0]) / 512, clicks.shape)
        width_px = 2 * run.devices[0].radius_px
        found += 1
        yield Stretch(
            run.frames[0], clicks, run.linear, french, build, noise, width_px, run.spacing_mm
        )


def _clear_stretch(run: SimulatedRun, rng: np.random.Generator) -> NDArray[np.floating] | None:
    """Part of the main catheter that nothing else touches, (N, 2), or None."""
    side = run.frames.shape[1]
    unit = side / 512
    body = run.body[0][::-1]
    arc_mm = arc_length(body) * run.spacing_mm
    length_mm = float(rng.uniform(*LENGTH_MM))
    inside = np.all((body > MARGIN_PX * unit) & (body < side - 1 - MARGIN_PX * unit), axis=1)
    chosen = np.flatnonzero(inside & (arc_mm > FROM_TIP_MM) & (arc_mm < FROM_TIP_MM + length_mm))
    if len(chosen) < 8 or np.any(np.diff(chosen) > 1):
        return None
    line = body[chosen]
    if arc_mm[chosen[-1]] - arc_mm[chosen[0]] < LENGTH_MM[0] - 2:
        return None
    headings = np.unwrap(np.arctan2(*np.diff(line[::4], axis=0).T[::-1]))
    if np.ptp(headings) > np.deg2rad(MOST_TURN_DEG):
        return None
    clear_px = 4 * run.devices[0].radius_px + 4 * unit
    elsewhere = body[np.abs(arc_mm - FROM_TIP_MM) > length_mm + clear_px * run.spacing_mm]
    others = [device.body[0] for device in run.devices[1:] if device.kind != "guidewire"]
    for other in (elsewhere, *others):
        if len(other) and np.hypot(*(line[:, None] - other[None]).T).min() < clear_px:
            return None
    if run.vessel_mask[0, np.rint(line[:, 1]).astype(int), np.rint(line[:, 0]).astype(int)].any():
        return None
    return line


def measure(stretch: Stretch, build: Build) -> Outcome | None:
    """Measure one stretch; None where nothing is found."""
    try:
        found = measure_catheter(stretch.frame, stretch.clicks, build, linear=stretch.linear)
    except LookupError:
        return None
    scale = by_catheter(found, stretch.french)
    wrong_px = found.width_px - stretch.width_px
    wrong_mm = scale.mm_per_px - stretch.mm_per_px
    return Outcome(
        stretch.noise,
        wrong_px / stretch.width_px,
        wrong_px / found.uncertainty_px,
        wrong_mm / stretch.mm_per_px,
        wrong_mm / scale.uncertainty,
        found.uncertainty_px / found.width_px,
        found.doubts,
    )


def _row(name: str, outcomes: list[Outcome | None]) -> list[str]:
    found = [outcome for outcome in outcomes if outcome is not None]
    cells = [name, str(len(outcomes)), str(len(outcomes) - len(found))]
    for part in ("width", "scale"):
        errors = np.array([getattr(outcome, f"{part}_error") for outcome in found])
        scores = np.array([getattr(outcome, f"{part}_score") for outcome in found])
        cells += [
            f"{errors.mean():+.1%}",
            f"{np.abs(errors).mean():.1%}",
            f"{(np.abs(errors) < 0.05).mean():.0%}",
            f"{(np.abs(scores) < 1.96).mean():.0%}",
        ]
    cells.append(f"{np.median([outcome.relative for outcome in found]):.1%}")
    cells.append(f"{np.mean([bool(outcome.doubts) for outcome in found]):.0%}")
    cells.append(f"{np.mean([Doubt.FILLED in outcome.doubts for outcome in found]):.0%}")
    return cells


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m inference.benchmarks calibration")
    parser.add_argument("--runs", type=int, default=160, help="empty ones (default 160)")
    chosen = parser.parse_args(arguments)
    table = Table(title="Catheters of 5 to 8 F: width in px, and mm/px by the nominal French size")
    for name in ("stretches", "runs", "not found"):
        table.add_column(name)
    for part in ("width", "mm/px"):
        for name in ("bias", "mean error", "within 5%", "covered"):
            table.add_column(f"{part} {name}", justify="right")
    for name in ("uncertainty", "doubted", "told as filled"):
        table.add_column(name, justify="right")
    empty = list(stretches(chosen.runs, "empty"))
    known = [measure(stretch, stretch.build) for stretch in empty]
    table.add_row(*_row("empty", known))
    for build in INNER_SHARES:
        part = [o for o, s in zip(known, empty, strict=True) if s.build is build]
        table.add_row(*_row(f"empty, {build.value}", part))
    middle = float(np.sqrt(np.prod(NOISE)))
    for name, low in (("cine", True), ("low dose", False)):
        part = [o for o, s in zip(known, empty, strict=True) if (s.noise < middle) is low]
        table.add_row(*_row(f"empty, {name}", part))
    table.add_row(*_row("empty, build unknown", [measure(s, Build.UNKNOWN) for s in empty]))
    for content in ("wire", "filled"):
        drawn = stretches(max(chosen.runs // 4, 1), content)
        table.add_row(*_row(content, [measure(stretch, stretch.build) for stretch in drawn]))
    Console(file=sys.stdout, width=220).print(table)


if __name__ == "__main__":
    main()
