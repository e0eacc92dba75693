"""What the command line tells: sentences and progress on standard error, results on output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Write one line for the user on standard error."""
    sys.stderr.write(f"fluorotrace: {' '.join(text.split())}\n")


def write_line(text: str) -> None:
    """Write a result on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def progress(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Give a function that takes how much is done; shown where a person watches."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as shown:
        task = shown.add_task(text, total=total)
        yield lambda done: shown.update(task, completed=done)
