"""``fluorotrace picture``: one frame as the window would show it, as a PNG file."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from gettext import gettext as tr
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.display.pipeline import DisplayPipeline, DisplaySettings
    from app.runs.run import Run, Window

DEVICES = ("auto", "cpu", "cuda", "mps")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    text = "Write one frame as the window would show it: 8 bits, the run's own size, no overlay."
    parser = commands.add_parser("picture", help=text, description=text)
    parser.add_argument("run", type=Path, metavar="RUN", help="a file or a folder of frames")
    parser.add_argument("--frame", type=int, required=True, metavar="N", help="from 0")
    parser.add_argument(
        "--window",
        type=_window,
        metavar="C,W",
        help="center and width instead of the file's own (--window=C,W where C is negative)",
    )
    parser.add_argument("--subtract", action="store_true", help="without the mask (DSA)")
    parser.add_argument("--denoise", action="store_true", help="with the shipped denoiser")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to denoise")
    parser.add_argument("--output", type=_png, required=True, metavar="FILE.png")
    parser.add_argument("-v", "--verbose", action="store_true", help="details on standard error")
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> int:
    """Write the picture; 0 where it could be."""
    import cv2

    from app.display.pipeline import DisplayPipeline
    from app.errors import UserError
    from app.outputs import check_output, whole_file
    from app.runs.opening import open_run

    opened = open_run(options.run)
    try:
        check_output(options.output, [options.run, opened.path])
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
    finally:
        opened.frames.close()
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
    denoiser = load_denoiser(options.device, warn=_say)
    denoiser.denoise(
        display.sequence(), DenoiseRequest((options.frame,)), lambda: False, done.append
    )
    if not done[0].noise_removed:
        _say(tr("Nothing to remove: the noise of this run is too weak to be seen."))
    return display.from_mono2(done[0].pixels)


def _as_window(center: float, width: float) -> Window:
    from app.runs.run import Window

    return Window(center, width)


def _say(text: str) -> None:
    sys.stderr.write(f"fluorotrace: {' '.join(text.split())}\n")


def _window(text: str) -> tuple[float, float]:
    center, width = (float(part) for part in text.split(","))
    if not (math.isfinite(center) and math.isfinite(width) and width > 0):
        raise argparse.ArgumentTypeError(f"{text} is no center and width above 0")
    return center, width


def _png(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{text} does not end in .png")
    return path
