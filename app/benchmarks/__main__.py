"""Time and memory of the real window, beside peers: python -m app.benchmarks [RUN ...].

Needs a display (or ``xvfb-run -a -s "-screen 0 1440x900x24"`` before it). Each start is a process
of its own; the second start of each run counts, so that files lie in the system's cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.benchmarks.made_runs import make_jpeg_lossless_run

PLAY_S = 10.0
SECOND_RUN_FRAMES = 1000
ONE_CORE = ("taskset", "-c", "0")
"""Linux: a machine with one core less, where there are two."""


@dataclass(frozen=True, slots=True)
class Case:
    """One measured start."""

    name: str
    run: Path
    play_s: float = 0.0
    denoise: bool = False
    one_core: bool = False
    beside: Path | None = None  # a second run that is played beside it


def start(case: Case) -> dict[str, Any]:
    """Start the window on the case's run in a process of its own, and return its figures."""
    command = [
        *(ONE_CORE if case.one_core else ()),
        sys.executable,
        "-m",
        "app.benchmarks.viewer_child",
        str(case.run),
        str(case.play_s),
        "denoise" if case.denoise else "plain",
        *(() if case.beside is None else (str(case.beside),)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def decode_with_pydicom(path: Path) -> float:
    """Return the ms that pydicom takes from opening the file to all its pixels (the peer)."""
    script = (
        "import sys, time; t = time.perf_counter(); from pydicom import dcmread;"
        "a = dcmread(sys.argv[1]).pixel_array; print((time.perf_counter() - t) * 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main(arguments: Sequence[str]) -> None:
    """Measure, and print one table a question."""
    console = Console(width=130)
    with tempfile.TemporaryDirectory(prefix="fluorotrace-benchmark-") as folder:
        big, other, long = (Path(folder) / name for name in ("300.dcm", "other.dcm", "1000.dcm"))
        make_jpeg_lossless_run(big)
        make_jpeg_lossless_run(other)
        make_jpeg_lossless_run(long, SECOND_RUN_FRAMES)
        opened = [Case(path.name, path) for path in map(Path, arguments)]
        opened.append(Case("300 frames 1024x1024, 12 in 16 bit, JPEG Lossless", big))
        _print_opening(console, opened)
        played = Case("300 frames 1024x1024, played", big, PLAY_S)
        denoised = Case("the same, denoising meanwhile", big, PLAY_S, denoise=True)
        _print_playing(
            console,
            [
                played,
                denoised,
                Case("two of 300 frames 1024x1024, side by side", big, PLAY_S, beside=other),
                Case("1000 frames 1024x1024, played", long, PLAY_S),
                replace(played, name="300 frames, one core", one_core=True),
                replace(denoised, name="the same, denoising, one core", one_core=True),
            ],
        )


def _print_opening(console: Console, cases: Sequence[Case]) -> None:
    table = Table(title="Opening (ms; times from the start of the process, or from the opening)")
    for column in (
        "run",
        "window up",
        "first frame",
        "all frames",
        "pydicom, all frames",
        "first / pydicom",
        "all / pydicom",
        "peak MB",
    ):
        table.add_column(column, justify="left" if column == "run" else "right")
    for case in cases:
        start(case)  # warms the caches of the system
        figures, peer_ms = start(case), decode_with_pydicom(case.run)
        every = figures["all_frames_ms"]
        table.add_row(
            case.name,
            f"{figures['window_ms']:.0f}",
            f"{figures['first_frame_ms']:.0f}",
            "over the budget" if every is None else f"{every:.0f}",
            f"{peer_ms:.0f}",
            f"{figures['first_frame_ms'] / peer_ms:.2f}",
            "" if every is None else f"{every / peer_ms:.2f}",
            f"{figures['peak_mb']:.0f}",
        )
    console.print(table)


def _print_playing(console: Console, cases: Sequence[Case]) -> None:
    table = Table(title=f"Playing {PLAY_S:.0f} s at 30 frames/s: lateness of painted frames")
    shares = Table(title="Frames shown denoised, per cent of those shown")
    for column in ("run", "shown", "median ms", "p99 ms", "dropped", "peak MB"):
        table.add_column(column, justify="left" if column == "run" else "right")
    for column in (
        "run",
        "first after s",
        "first pass",
        "own speed allows",
        "of it",
        "longest gap s",
        "second pass",
        "all denoised after s",
        "pass after that",
    ):
        shares.add_column(column, justify="left" if column == "run" else "right")
    for case in cases:
        begun = time.perf_counter()
        figures = start(case)
        console.print(f"{case.name}: {time.perf_counter() - begun:.0f} s", style="dim")
        table.add_row(
            case.name,
            str(figures.get("shown", 0)),
            f"{figures.get('late_median_ms', float('nan')):.1f}",
            f"{figures.get('late_p99_ms', float('nan')):.1f}",
            str(figures["dropped"]),
            f"{figures['peak_mb']:.0f}",
        )
        if case.denoise:
            first, second, last = figures["passes"]
            after = figures["all_denoised_s"]
            shares.add_row(
                case.name,
                f"{first['first_s']:.1f}",
                f"{100 * first['share']:.0f}",
                f"{100 * first['allowed']:.0f}",
                f"{first['share'] / max(first['allowed'], 1e-9):.2f}",
                f"{first['gap_s']:.2f}",
                f"{100 * second['share']:.0f}",
                "never" if after is None else f"{after:.0f}",
                f"{100 * last['share']:.0f}",
            )
    console.print(table)
    console.print(shares)


if __name__ == "__main__":
    main(sys.argv[1:])
