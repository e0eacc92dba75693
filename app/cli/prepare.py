"""``fluorotrace prepare``: decodes an archive of runs once, for the tracker's training."""

from __future__ import annotations

import argparse
from gettext import gettext as tr
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.arguments import Commands
from app.cli.terminal import progress, say
from app.errors import UserError

if TYPE_CHECKING:
    from app.cli.preparing import Job

FAILED = 1


def add(commands: Commands) -> None:
    """Add the command's parser."""
    text = tr("Decode an archive of runs once, for the tracker's training.")
    parser = commands.add_parser("prepare", help=text, description=text)
    parser.add_argument("archive", type=Path, metavar="ARCHIVE", help=tr("a folder of runs"))
    parser.add_argument("--output", type=Path, required=True, metavar="SHARDS", help=tr("a folder"))
    parser.add_argument(
        "--processes",
        type=_count,
        metavar="N",
        help=tr("how many runs at a time; one for each core unless told otherwise"),
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prepare what can be; 1 where something could not be read, once all the rest is done."""
    from app.cli.preparing import LEAST_FRAMES, is_done, prepare_all
    from inference.runtime import usable_cores

    if not options.archive.is_dir():
        raise UserError(
            tr("There is no folder {folder}; name the folder that holds the runs.").format(
                folder=options.archive
            )
        )
    jobs, unreadable, unfit = _find_jobs(options.archive, options.output)
    waiting = [job for job in jobs if not is_done(job)]
    prepared = shards = labelled = 0
    with progress(tr("Preparing runs"), len(waiting)) as done:
        outcomes = prepare_all(waiting, options.processes or usable_cores())
        for count, (job, outcome) in enumerate(outcomes, 1):
            done(count)
            if outcome.trouble:
                unreadable += 1
                say(f"{job.path.parent}: {outcome.trouble}")
            else:
                prepared += 1
                shards += outcome.unlabelled
                labelled += outcome.labelled
    say(
        tr(
            "{prepared} runs prepared as {shards} shards, and {labelled} with labels; "
            "{before} were done before, {unreadable} could not be read, "
            "{unfit} are no X-ray runs of {least} frames or more."
        ).format(
            prepared=prepared,
            shards=shards,
            labelled=labelled,
            before=len(jobs) - len(waiting),
            unreadable=unreadable,
            unfit=unfit,
            least=LEAST_FRAMES,
        )
    )
    return FAILED if unreadable or not jobs else 0


def _find_jobs(archive: Path, output: Path) -> tuple[list[Job], int, int]:
    """Return what can be prepared, and how many entries cannot be read or are no such runs."""
    from app.cli.preparing import Job, may_teach, shard_name
    from app.runs.catalog import scan
    from app.session.settings import load_settings

    folder = load_settings().project_folder
    jobs: dict[str, Job] = {}
    unreadable = unfit = 0
    with progress(tr("Looking for runs"), None) as done:
        for found, entry in enumerate(scan(archive), 1):
            done(found)
            if entry.error:
                unreadable += 1
                say(f"{entry.path.parent}: {entry.error}")
            elif may_teach(entry):
                name = shard_name(entry, archive)
                job = Job(entry.path, name, output, Path(folder) if folder else None)
                jobs.setdefault(name, job)
            else:
                unfit += 1
    return list(jobs.values()), unreadable, unfit


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(tr("{value} is less than 1").format(value=text))
    return count
