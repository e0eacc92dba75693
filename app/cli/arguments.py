"""What the command line takes: the commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DEVICES = ("auto", "cpu", "cuda", "mps")


def window_parser(commands: Iterable[str]) -> argparse.ArgumentParser:
    """Return the parser of a command line that opens the window; ``commands`` are the others."""
    parser = argparse.ArgumentParser(
        prog="fluorotrace",
        description="Review X-ray runs: true-time cine, denoising, catheter-tip tracking, labels.",
        epilog="Without a window: " + ", ".join(f"fluorotrace {c} --help" for c in commands),
    )
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="files or folders")
    parser.add_argument("--demo", action="store_true", help="show the built-in sample")
    parser.add_argument("--version", action="version", version=f"fluorotrace {_version()}")
    _add_verbose(parser)
    return parser


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of a command line that begins with a command."""
    parser = argparse.ArgumentParser(prog="fluorotrace")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        _add_verbose(added)
        return added

    def run_command(name: str, text: str) -> argparse.ArgumentParser:
        added = command(name, text)
        added.add_argument("run", type=Path, metavar="RUN", help="a file or a folder of frames")
        return added

    info = run_command("info", "Tell what was read.")
    info.add_argument("--json", action="store_true", help="as JSON instead of a table")

    track = run_command("track", "Track a catheter tip through the run, both ways.")
    start = track.add_mutually_exclusive_group(required=True)
    start.add_argument(
        "--tip",
        type=_tip,
        action="append",
        metavar="X,Y",
        help="where the tip is, in pixels from 0; once for each tip to track",
    )
    start.add_argument("--auto", action="store_true", help="let the tracker find the tip")
    track.add_argument(
        "--frame", type=int, metavar="N", help="the frame with the tips, from 0 (needed with --tip)"
    )
    track.add_argument(
        "--name", default="catheter tip", help="name of the track; further ones are numbered"
    )
    _add_device(track)
    track.add_argument(
        "--output", type=_label_file, required=True, metavar="FILE", help=".json or .csv"
    )

    denoise = run_command("denoise", "Denoise all frames.")
    denoise.add_argument(
        "--output",
        type=_denoised_output,
        required=True,
        metavar="OUTPUT",
        help="FILE.npy (float32, the grey scale of the run), FILE.mp4, or a new FOLDER of pictures",
    )
    denoise.add_argument(
        "--strength", type=_strength, default=1.0, metavar="S", help="0 to 1, or a percentage: 70%%"
    )
    denoise.add_argument(
        "--weights", metavar="NAME", help="a denoiser made by adapt, instead of the shipped one"
    )
    _add_device(denoise)

    adapt = run_command("adapt", "Adapt the denoiser to the scanner of a noisy run.")
    adapt.add_argument("--output", metavar="NAME", help="what to call it; the scanner's name")
    adapt.add_argument("--minutes", type=_minutes, metavar="M", help="time to learn; 3 minutes")
    adapt.add_argument(
        "--json", action="store_true", help="progress and result as lines of JSON, for programs"
    )

    export = run_command("export", "Write the labels of the run that were saved in the window.")
    export.add_argument("--format", choices=("json", "csv", "coco"), default="json")
    export.add_argument("--output", type=Path, required=True, metavar="FILE")

    prepare = command("prepare", "Decode an archive of runs once, for the tracker's training.")
    prepare.add_argument("archive", type=Path, metavar="ARCHIVE", help="a folder of runs")
    prepare.add_argument("--output", type=Path, required=True, metavar="SHARDS", help="a folder")
    prepare.add_argument(
        "--processes",
        type=_count,
        metavar="N",
        help="how many runs at a time; one for each core unless told otherwise",
    )
    return parser


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", help="details on standard error")


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute")


def _tip(text: str) -> tuple[float, float]:
    x, y = (float(part) for part in text.split(","))
    return x, y


def _strength(text: str) -> float:
    share = float(text.removesuffix("%"))
    share = share / 100 if text.endswith("%") or share > 1 else share
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1 (or 0% and 100%)")
    return share


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1440")
    return minutes


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return count


def _label_file(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (".json", ".csv"):
        raise argparse.ArgumentTypeError(f"{text} ends neither in .json nor in .csv")
    return path


def _denoised_output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (".npy", ".mp4", "") and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is neither FILE.npy, FILE.mp4 nor a folder")
    return path


def _version() -> str:
    try:
        return version("fluorotrace")
    except PackageNotFoundError:
        return "(not installed)"
