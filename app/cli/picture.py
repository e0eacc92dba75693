"""``fluorotrace picture``: one frame as the window would show it, as a PNG file."""

from __future__ import annotations

import argparse
import math
from contextlib import closing
from dataclasses import replace
from gettext import gettext as tr
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.arguments import Commands, add_device, add_run_parser
from app.cli.terminal import say
from app.errors import UserError
from app.outputs import check_output, whole_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.display.pipeline import DisplayPipeline
    from app.display.settings import DisplaySettings
    from app.runs.run import Run, Window


def add(commands: Commands) -> None:
    """Add the command's parser."""
    text = tr("Write one frame as the window would show it, in 8 bits and without overlays.")
    parser = add_run_parser(commands, "picture", text)
    parser.add_argument("--frame", type=int, required=True, metavar="N", help=tr("from 0"))
    parser.add_argument(
        "--window",
        type=_window,
        metavar="C,W",
        help=tr("center and width instead of the file's own (--window=C,W where C is negative)"),
    )
    parser.add_argument("--subtract", action="store_true", help=tr("without the mask (DSA)"))
    parser.add_argument("--denoise", action="store_true", help=tr("with the shipped denoiser"))
    add_device(parser)
    parser.add_argument("--output", type=_png, required=True, metavar="FILE.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the picture; 0 where it could be."""
    import cv2

    from app.display.pipeline import DisplayPipeline
    from app.runs.opening import open_run

    check_output(options.output, [options.path])
    opened = open_run(options.path)
    with closing(opened.frames):
        check_output(options.output, [opened.path])
        if not 0 <= options.frame < opened.frame_count:
            raise UserError(
                tr("There is no frame {frame}; the last is {last}.").format(
                    frame=options.frame, last=opened.frame_count - 1
                )
            )
        display = DisplayPipeline(opened)
        settings = display.default_settings()
        settings = replace(settings, subtracted=settings.subtracted or options.subtract)
        if options.window is not None:
            settings = replace(settings, voi=_as_window(*options.window))
        picture = _picture(opened, display, settings, options)
    with whole_file(options.output) as draft:
        draft.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return 0


def _picture(
    opened: Run, display: DisplayPipeline, settings: DisplaySettings, options: argparse.Namespace
) -> NDArray[np.uint8]:
    stored = opened.frames.read(options.frame)
    denoised = _denoised(display, options) if options.denoise else None
    return display.render(stored, settings, denoised, frame_index=options.frame)


def _denoised(display: DisplayPipeline, options: argparse.Namespace) -> NDArray[np.float32]:
    from inference.denoising.denoiser import load_denoiser
    from inference.denoising.requests import DenoisedFrame, DenoiseRequest

    done: list[DenoisedFrame] = []
    denoiser = load_denoiser(options.device, warn=say)
    denoiser.denoise(
        display.sequence(), DenoiseRequest((options.frame,)), lambda: False, done.append
    )
    if not done[0].noise_removed:
        say(tr("Nothing to remove: the noise of this run is too weak to be seen."))
    return display.from_mono2(done[0].pixels)


def _as_window(center: float, width: float) -> Window:
    from app.runs.run import Window

    return Window(center, width)


def _window(text: str) -> tuple[float, float]:
    center, width = (float(part) for part in text.split(","))
    if not (math.isfinite(center) and math.isfinite(width) and width > 0):
        raise argparse.ArgumentTypeError(
            tr("{value} is no center and width above 0").format(value=text)
        )
    return center, width


def _png(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(tr("{name} does not end in .png").format(name=text))
    return path
