"""Write simulated runs: ``python -m inference.simulation dicom|pictures``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2

from inference.simulation.motion import Injection
from inference.simulation.run import Scenario, SimulatedRun
from inference.simulation.sample_page import sample_page
from inference.simulation.simulate import simulate_run


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "pictures":
            page = sample_page(options.seed, options.rows)
            done, encoded = cv2.imencode(".png", page)
            if not done:
                raise OSError("the picture could not be encoded")
            options.output.write_bytes(encoded.tobytes())
        else:
            _write_run(options)
    except OSError as error:
        sys.stderr.write(f"{options.output} could not be written: {error}\n")
        return 1
    return 0


def _write_run(options: argparse.Namespace) -> None:
    from inference.simulation.dicom import write_dicom

    injection = None
    if options.injection:
        start, duration, strength, washout = options.injection
        injection = Injection(start, duration, strength, washout)
    run = simulate_run(
        options.seed,
        Scenario(options.scenario),
        options.frames,
        options.size,
        bits=options.bits,
        frames_per_second=options.rate,
        noise_sd=options.noise,
        linear=None if options.tone is None else options.tone == "linear",
        kind=options.kind,
        tip=options.tip,
        injection=injection,
        angles_deg=options.angles,
    )
    write_dicom(run, options.output, inverted=options.inverted)
    if options.truth:
        options.truth.write_text(json.dumps(truth_record(run), indent=1) + "\n")


def truth_record(run: SimulatedRun) -> dict[str, object]:
    """Truth of a run for a JSON file: seed, and the main tip's place and state in each frame."""
    return {
        "seed": run.seed,
        "scenario": run.scenario.value,
        "kind": run.devices[0].kind,
        "spacing_mm": round(run.spacing_mm, 5),
        "tips": [
            {"frame": frame, "x": round(float(x), 2), "y": round(float(y), 2), "state": state}
            for frame, ((x, y), state) in enumerate(zip(run.tip, run.state, strict=True))
        ],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference.simulation", description="Simulate X-ray runs with exact truth."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    dicom = commands.add_parser("dicom", help="write one run as an XA DICOM file")
    dicom.add_argument("--seed", type=int, default=0)
    names = [scenario.value for scenario in Scenario]
    dicom.add_argument("--scenario", choices=names, default=Scenario.MIXED.value)
    dicom.add_argument("--frames", type=int, default=60, help="number of frames (default 60)")
    dicom.add_argument("--size", type=int, default=512, help="rows and columns (default 512)")
    dicom.add_argument("--bits", type=int, choices=range(8, 17), metavar="8..16", default=8)
    dicom.add_argument("--rate", type=float, default=15.0, help="frames a second (default 15)")
    dicom.add_argument("--noise", type=float, help="noise of the log signal, such as 0.03")
    dicom.add_argument("--tone", choices=("log", "linear"), help="drawn when left out")
    dicom.add_argument("--kind", help="shape of the catheter: JR, JL, XB, pigtail, ...")
    dicom.add_argument("--tip", type=float, nargs=2, metavar=("X", "Y"), help="as shares of 1")
    dicom.add_argument(
        "--injection",
        type=float,
        nargs=4,
        metavar=("START_MS", "DURATION_MS", "MG_ML", "WASHOUT_MS"),
        help="contrast injection in place of a drawn one",
    )
    dicom.add_argument("--angles", type=float, nargs=2, metavar=("LAO", "CRAN"))
    dicom.add_argument("--inverted", action="store_true", help="MONOCHROME1")
    dicom.add_argument("--truth", type=Path, help="also write the tip of each frame as JSON")
    dicom.add_argument("--output", type=Path, required=True)
    pictures = commands.add_parser("pictures", help="write a page of sample frames as PNG")
    pictures.add_argument("--seed", type=int, default=0)
    pictures.add_argument("--rows", type=int, default=4)
    pictures.add_argument("--output", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
