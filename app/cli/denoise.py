"""``fluorotrace denoise``: denoises all frames of a run."""

from __future__ import annotations

import argparse
from gettext import gettext as tr
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.arguments import Commands, add_device, add_run_parser, opened
from app.cli.terminal import progress, say

if TYPE_CHECKING:
    from inference.denoising.requests import DenoisedFrame


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_run_parser(commands, "denoise", tr("Denoise all frames."))
    parser.add_argument(
        "--output",
        type=_denoised_output,
        required=True,
        metavar="OUTPUT",
        help=tr(
            "FILE.npy (float32, the grey scale of the run), FILE.mp4, or a new FOLDER of pictures"
        ),
    )
    parser.add_argument(
        "--strength",
        type=_strength,
        default=1.0,
        metavar="S",
        help=tr("0 to 1, or a percentage: 70%%"),
    )
    parser.add_argument(
        "--weights",
        metavar="NAME",
        help=tr("a denoiser made by adapt, instead of the shipped one"),
    )
    add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Denoise, and write the frames."""
    with opened(options.path, options.output) as review:
        from app.cli.denoised_output import denoised_output
        from app.session.denoisers import find_denoiser
        from inference.denoising.denoiser import STUDENT, load_denoiser
        from inference.denoising.requests import DenoiseRequest

        name = find_denoiser(options.weights).weights if options.weights else STUDENT
        denoiser = load_denoiser(options.device, name=name, warn=say)
        frames = tuple(range(review.run.frame_count))
        told = tr("Denoising on {device}").format(device=denoiser.device_name)
        noise_removed = False
        with (
            denoised_output(options.output, review, options.strength) as write,
            progress(told, len(frames)) as done,
        ):

            def take(denoised: DenoisedFrame) -> None:
                nonlocal noise_removed
                noise_removed |= denoised.noise_removed
                write(denoised.frame, review.display.from_mono2(denoised.pixels))
                done(denoised.frame + 1)

            denoiser.denoise(review.sequence, DenoiseRequest(frames), lambda: False, take)
    if not noise_removed:
        say(tr("Nothing to remove: the noise of this run is too weak to be seen."))
    return 0


def _strength(text: str) -> float:
    share = float(text.removesuffix("%"))
    share = share / 100 if text.endswith("%") or share > 1 else share
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(
            tr("{value} is not between 0 and 1 (or 0% and 100%)").format(value=text)
        )
    return share


def _denoised_output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (".npy", ".mp4", "") and not path.is_dir():
        raise argparse.ArgumentTypeError(
            tr("{name} is neither FILE.npy, FILE.mp4 nor a folder").format(name=text)
        )
    return path
