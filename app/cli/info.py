"""``fluorotrace info``: tells what was read of a run."""

from __future__ import annotations

import argparse
from contextlib import closing
from gettext import gettext as tr
from typing import Any

from app.cli.arguments import Commands, add_run_parser
from app.cli.terminal import write_line
from app.plain_json import json_text

SHOWN_NUMBERS = 4


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_run_parser(commands, "info", tr("Tell what was read."))
    parser.add_argument("--json", action="store_true", help=tr("as JSON instead of a table"))
    parser.add_argument(
        "--patient",
        action="store_true",
        help=tr("also what may name the patient: names, descriptions, the place of the file"),
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tell the facts of a run."""
    from app.cli.run_summary import patient_facts, summary
    from app.runs.opening import open_run

    opened = open_run(options.path)
    with closing(opened.frames):
        facts = summary(opened)
        if options.patient:
            facts = patient_facts(opened) | facts
    if options.json:
        write_line(json_text(facts, indent=1))
    else:
        _show(facts)
    return 0


def _show(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(Text(name.replace("_", " ")), Text(_told(value), overflow="fold"))
    Console().print(table)


def _told(value: Any) -> str:
    """Return a fact for the table; of a long list of numbers its ends."""
    if not isinstance(value, list):
        return "-" if value in (None, "") else str(value)
    if value and isinstance(value[0], str):
        return "\n".join(value)
    if len(value) > SHOWN_NUMBERS:
        ends = f"{value[0]}, {value[1]}, {value[2]} ... {value[-1]}"
        return tr("{ends} ({count} values)").format(ends=ends, count=len(value))
    return ", ".join(str(number) for number in value) or "-"
