"""What several commands take: a run and a device."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.terminal import say
from app.outputs import check_output

if TYPE_CHECKING:
    from app.session.open_run import OpenRun

Commands = argparse._SubParsersAction
"""What `argparse.ArgumentParser.add_subparsers` gives: each command adds its parser to it."""
DEVICES = ("auto", "cpu", "cuda", "mps")


def add_run_parser(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    """Add and return the parser of a command that takes a run, as ``path``."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("path", type=Path, metavar="RUN", help="a file or a folder of frames")
    return parser


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the choice of where to compute, as ``device``."""
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute")


@contextmanager
def opened(path: Path, output: Path) -> Iterator[OpenRun]:
    """Open a run with its labels for a command that writes ``output``.

    Raises
    ------
    UserError
        If the run cannot be read, or if the output would destroy it or its labels.
    """
    check_output(output, [path])
    from app.session.open_run import open_labelled
    from app.session.settings import load_settings

    with closing(open_labelled(path, load_settings())) as run:
        check_output(output, run.files)
        if run.store.notice and not run.store.read_only:
            say(run.store.notice)
        yield run
