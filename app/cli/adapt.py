"""``fluorotrace adapt``: adapts the denoiser to the scanner of a noisy run."""

from __future__ import annotations

import argparse
import os
import shlex
import threading
from contextlib import closing
from dataclasses import asdict
from gettext import gettext as tr

from app.cli.arguments import Commands, add_run_parser
from app.cli.terminal import progress, say, write_line
from app.plain_json import json_text

STOPPED = 1


def add(commands: Commands) -> None:
    """Add the command's parser."""
    text = tr("Adapt the denoiser to the scanner of a noisy run.")
    parser = add_run_parser(commands, "adapt", text)
    parser.add_argument("--output", metavar="NAME", help=tr("what to call it; the scanner's name"))
    parser.add_argument(
        "--minutes", type=_minutes, metavar="M", help=tr("time to learn; 3 minutes")
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help=tr("progress and result as lines of JSON, for programs"),
    )
    parser.add_argument(
        "--end-with-input",
        action="store_true",
        help=tr("stop when standard input is closed, as by the end of the program that started it"),
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Adapt a denoiser, and keep it under its name."""
    from app.runs.opening import open_run
    from app.session.denoisers import MINUTES, adapt_to_run, check_name, free_name

    stopped = threading.Event()
    if options.end_with_input:
        threading.Thread(target=_wait_for_end_of_input, args=(stopped,), daemon=True).start()
    opened = open_run(options.path)
    with closing(opened.frames):
        name = options.output or free_name(opened)
        check_name(name)
        minutes = options.minutes or MINUTES
        if options.json:
            made = adapt_to_run(
                opened,
                name,
                lambda share: write_line(json_text({"share": share})),
                minutes,
                stopped.is_set,
            )
        else:
            with progress(tr("Adapting the denoiser"), 100) as done:
                made = adapt_to_run(
                    opened, name, lambda share: done(int(100 * share)), minutes, stopped.is_set
                )
    if made is None:
        return STOPPED
    if options.json:
        write_line(json_text(asdict(made)))
    else:
        use = tr("Use it with --weights {name}.").format(name=shlex.quote(name))
        say(f"{made.scores} {use}")
    return 0


def _wait_for_end_of_input(ended: threading.Event) -> None:
    try:
        while os.read(0, 1 << 10):
            pass
    finally:
        ended.set()


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes <= 24 * 60:
        raise argparse.ArgumentTypeError(tr("{value} is not between 0 and 1440").format(value=text))
    return minutes
