"""The command line: the window, or one job without it. Frames count from 0."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence
from gettext import gettext as tr
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.cli import adapt, denoise, export, info, picture, prepare, track
from app.cli.terminal import say
from app.errors import UserError, sentence

log = logging.getLogger(__name__)

COMMANDS = {
    "info": info,
    "track": track,
    "denoise": denoise,
    "picture": picture,
    "adapt": adapt,
    "export": export,
    "prepare": prepare,
}
"""Each with ``add(commands)``, which adds its parser, and ``run(options)``."""
FAILED, INTERRUPTED = 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status: 0, 1 (failed), 2 (wrong usage), 130 (Ctrl-C)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _command_parser() if arguments[:1] and arguments[0] in COMMANDS else _window_parser()
    options = parser.parse_args(arguments)
    logging.getLogger().addHandler(logging.NullHandler())
    if options.verbose:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be any bytes
    try:
        status: int = options.run(options)
    except KeyboardInterrupt:
        say(tr("Stopped."))
        return INTERRUPTED
    except BrokenPipeError:  # who read the results has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except Exception as error:
        if not isinstance(error, UserError):
            log.exception("the command failed")
        say(sentence(error))
        return FAILED
    return status


def _command_parser() -> argparse.ArgumentParser:
    """Return the parser of a command line that begins with a command."""
    parser = argparse.ArgumentParser(prog="fluorotrace")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS.values():
        command.add(commands)
    for added in commands.choices.values():
        _add_verbose(added)
    return parser


def _window_parser() -> argparse.ArgumentParser:
    """Return the parser of a command line that opens the window."""
    parser = argparse.ArgumentParser(
        prog="fluorotrace",
        description=tr(
            "Review X-ray runs: true-time cine, denoising, catheter-tip tracking, labels."
        ),
        epilog=tr("Without a window: {commands}").format(
            commands=", ".join(f"fluorotrace {name} --help" for name in COMMANDS)
        ),
    )
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help=tr("files or folders"))
    parser.add_argument("--demo", action="store_true", help=tr("show the built-in sample"))
    parser.add_argument("--version", action="version", version=f"fluorotrace {_version()}")
    parser.set_defaults(run=_open_window)
    _add_verbose(parser)
    return parser


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-v", "--verbose", action="store_true", help=tr("details on standard error")
    )


def _version() -> str:
    try:
        return version("fluorotrace")
    except PackageNotFoundError:
        return "(not installed)"


def _open_window(options: argparse.Namespace) -> int:
    try:
        from app.window.application import run_window
    except ImportError as error:
        log.exception("no window")
        raise UserError(
            tr("The window cannot start: {package} is missing; see the README.").format(
                package=error.name or tr("a package of this computer")
            )
        ) from error
    return run_window(options.runs, demo=options.demo)
