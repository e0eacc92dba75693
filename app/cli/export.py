"""``fluorotrace export``: writes the labels that were saved in the window."""

from __future__ import annotations

import argparse
from gettext import gettext as tr
from pathlib import Path

from app.cli.arguments import Commands, add_run_parser, opened
from app.errors import UserError


def add(commands: Commands) -> None:
    """Add the command's parser."""
    text = tr("Write the labels of the run that were saved in the window.")
    parser = add_run_parser(commands, "export", text)
    parser.add_argument("--format", choices=("json", "csv", "coco"), default="json")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the labels of a run to a file."""
    with opened(options.path, options.output) as review:
        from app.measure.scale import spacing_of
        from app.tracks.formats import FORMATS, label_file

        if not review.labels.tracks:
            raise UserError(tr("There are no labels of this run; make some in the window first."))
        spacing = spacing_of(review.run, review.labels.marks)
        labels = label_file(review.run, review.labels.tracks, spacing)
        FORMATS[options.format].write(options.output, labels)
    return 0
