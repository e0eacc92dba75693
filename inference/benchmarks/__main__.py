"""Run a benchmark: ``python -m inference.benchmarks tracking`` (or another of ``BENCHMARKS``)."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = (
    "tracking",
    "leaving",
    "without_click",
    "worst_frames",
    "denoising",
    "calibration",
    "vessels",
    "subtraction",
    "enhancement",
    "phase",
)


def main() -> int:
    """Hand the rest of the command line to the benchmark it names."""
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        sys.stderr.write(f"Usage: python -m inference.benchmarks {{{'|'.join(BENCHMARKS)}}} ...\n")
        return 2
    benchmark = importlib.import_module(f"inference.benchmarks.{sys.argv[1]}")
    benchmark.main(sys.argv[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
