"""The command line: the window, or one job without it. Frames count from 0."""

from __future__ import annotations

import argparse
import ctypes
import json
import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from gettext import gettext as tr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.arguments import command_parser, window_parser
from app.errors import UserError, sentence
from app.outputs import check_output

if TYPE_CHECKING:
    from app.session.open_run import OpenRun
    from app.tracks.labels import Labels
    from inference.tracking.requests import TrackedPoint
    from inference.tracking.tracker import Tracker

log = logging.getLogger(__name__)

FAILED, INTERRUPTED = 1, 130
SHOWN_NUMBERS = 4
M_ARENA_MAX = -8
"""In glibc's malloc.h: how many pools of memory its threads share."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status: 0, 1 (failed), 2 (wrong usage), 130 (Ctrl-C)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] and arguments[0] in COMMANDS:
        options = command_parser().parse_args(arguments)
        act: Callable[[argparse.Namespace], int] = COMMANDS[options.command]
    else:
        options, act = window_parser(COMMANDS).parse_args(arguments), _window
    logging.getLogger().addHandler(logging.NullHandler())
    if options.verbose:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        return act(options)
    except KeyboardInterrupt:
        _say("Stopped.")
        return INTERRUPTED
    except Exception as error:
        if not isinstance(error, UserError):
            log.exception("the command failed")
        _say(sentence(error))
        return FAILED


def _say(text: str) -> None:
    sys.stderr.write(f"fluorotrace: {' '.join(text.split())}\n")


# commands


def _window(options: argparse.Namespace) -> int:
    try:
        from app.window.application import run_window
    except ImportError as error:
        log.info("no window", exc_info=True)
        raise UserError(
            f"The window cannot start ({error}); the README names the packages that it needs."
        ) from error
    return run_window(options.runs, demo=options.demo)


def _info(options: argparse.Namespace) -> int:
    from app.cli.run_summary import summary
    from app.runs.opening import open_run

    run = open_run(options.run)
    try:
        facts = summary(run)
    finally:
        run.frames.close()
    if options.json:
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(Text(name.replace("_", " ")), Text(_told(value), overflow="fold"))
    Console().print(table)
    return 0


def _told(value: Any) -> str:
    """Return a fact for the table; of a long list of numbers its ends."""
    if not isinstance(value, list):
        return "-" if value in (None, "") else str(value)
    if value and isinstance(value[0], str):
        return "\n".join(value)
    if len(value) > SHOWN_NUMBERS:
        return f"{value[0]}, {value[1]}, {value[2]} ... {value[-1]} ({len(value)} values)"
    return ", ".join(str(number) for number in value) or "-"


def _track(options: argparse.Namespace) -> int:
    if options.tip is not None and options.frame is None:
        command_parser().error("--tip needs --frame")
    with _opened(options.run) as review:
        run = review.run
        check_output(options.output, review.files)
        if options.frame is not None and not 0 <= options.frame < run.frame_count:
            raise UserError(
                f"There is no frame {options.frame}; the last is {run.frame_count - 1}."
            )
        if not all(_inside(tip, run.columns, run.rows) for tip in options.tip or ()):
            raise UserError(f"A tip is outside the picture of {run.columns} x {run.rows} pixels.")
        from inference.tracking.tracker import load_tracker

        _share_freed_memory()
        labels = _tracked(review, options, load_tracker(options.device, warn=_say))
        from app.tracks.formats import FORMATS, LabelFile, run_facts

        kind = options.output.suffix.lower().removeprefix(".")
        FORMATS[kind].write(options.output, LabelFile(run_facts(run), labels.tracks))
    return 0


def _share_freed_memory() -> None:
    """Let threads take memory that others gave back, where the C library is glibc.

    It keeps freed memory for each thread apart otherwise: up to 75 MB more while a run is tracked.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 2)


def _tracked(review: OpenRun, options: argparse.Namespace, tracker: Tracker) -> Labels:
    """Return tracks through the whole run, from clicks or from the tracker's own guess."""
    from app.tracks.edits import add_track, new_track, place_point, put_tracked
    from app.tracks.labels import Labels
    from inference.tracking.requests import Anchor, TrackRequest
    from inference.tracking.side_by_side import TrackCall

    labels, count = Labels(review.run.frame_count), review.run.frame_count
    if options.auto:
        found = _proposed(review, tracker, options.frame)
        starts = [Anchor(found.frame, found.x, found.y, found.state)]
    else:
        starts = [Anchor(options.frame, *tip) for tip in options.tip]
    with _progress(f"Tracking on {tracker.device_name}", count * len(starts)) as done:

        def call(start: Anchor) -> TrackCall:
            track = new_track(labels.tracks, options.name)
            labels.apply(add_track(track))
            if options.auto:
                labels.apply(put_tracked(track, [found]))
            else:
                assert start.x is not None and start.y is not None
                labels.apply(place_point(track, start.frame, start.x, start.y))

            def take(points: list[TrackedPoint]) -> None:
                labels.apply(put_tracked(labels.track(track.id), points))
                done(sum(len(each.points) for each in labels.tracks))

            request = TrackRequest((start,), 0, count - 1, start.frame)
            return TrackCall(request, lambda: False, take)

        calls = iter([call(start) for start in starts])
        tracker.track_together(review.sequence, lambda: next(calls, None))
    return labels


def _proposed(review: OpenRun, tracker: Tracker, frame: int | None) -> TrackedPoint:
    """Return the likeliest tip on ``frame``, or in the run."""
    from inference.tracking.proposing import find_tip

    try:
        return find_tip(tracker, review.sequence, frame)
    except LookupError as error:
        raise UserError(
            "No catheter tip was found; say where it is with --tip and --frame."
        ) from error


def _denoise(options: argparse.Namespace) -> int:
    with _opened(options.run) as review:
        check_output(options.output, review.files)
        from app.cli.denoised_output import denoised_output
        from app.session.denoisers import find_denoiser
        from inference.denoising.denoiser import STUDENT, load_denoiser
        from inference.denoising.requests import DenoisedFrame, DenoiseRequest

        name = find_denoiser(options.weights).weights if options.weights else STUDENT
        denoiser = load_denoiser(options.device, name=name, warn=_say)
        frames = tuple(range(review.run.frame_count))
        with (
            denoised_output(options.output, review, options.strength) as write,
            _progress(f"Denoising on {denoiser.device_name}", len(frames)) as done,
        ):
            clean = False

            def take(denoised: DenoisedFrame) -> None:
                nonlocal clean
                clean = not denoised.noise_removed
                write(denoised.frame, review.display.from_mono2(denoised.pixels))
                done(denoised.frame + 1)

            denoiser.denoise(review.sequence, DenoiseRequest(frames), lambda: False, take)
    if clean:
        _say(tr("Nothing to remove: the noise of this run is too weak to be seen."))
    return 0


def _adapt(options: argparse.Namespace) -> int:
    from app.runs.opening import open_run
    from app.session.denoisers import MINUTES, adapt_to_run, check_name, free_name

    run = open_run(options.run)
    try:
        name = options.output or free_name(run)
        check_name(name)
        minutes = options.minutes or MINUTES
        if options.json:

            def tell(line: dict[str, Any]) -> None:
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()

            made = adapt_to_run(run, name, lambda share: tell({"share": share}), minutes)
            tell(asdict(made))
        else:
            with _progress("Adapting the denoiser", 100) as done:
                made = adapt_to_run(run, name, lambda share: done(int(100 * share)), minutes)
            _say(f"{made.scores} Use it with --weights {shlex.quote(name)}.")
    finally:
        run.frames.close()
    return 0


def _export(options: argparse.Namespace) -> int:
    with _opened(options.run) as review:
        check_output(options.output, review.files)
        from app.tracks.formats import FORMATS, LabelFile, run_facts

        if not review.labels.tracks:
            raise UserError("There are no labels of this run; make some in the window first.")
        file = LabelFile(run_facts(review.run), review.labels.tracks)
        FORMATS[options.format].write(options.output, file)
    return 0


def _prepare(options: argparse.Namespace) -> int:
    """Prepare what can be; 1 where something could not be read, once all the rest is done."""
    from app.cli.preparing import LEAST_FRAMES, Job, is_done, may_teach, prepare_all, shard_name
    from app.runs.catalog import scan
    from app.session.settings import load_settings
    from inference.runtime import usable_cores

    archive = options.archive
    if not archive.is_dir():
        raise UserError(f"There is no folder {archive}; name the folder that holds the runs.")
    folder = load_settings().project_folder
    jobs: dict[str, Job] = {}
    found = unfit = unreadable = 0
    with _progress("Looking for runs", None) as done:
        for found, entry in enumerate(scan(archive), 1):
            done(found)
            if entry.error:
                unreadable += 1
                _say(f"{entry.path.parent}: {entry.error}")
            elif may_teach(entry):
                name = shard_name(entry, archive)
                jobs.setdefault(
                    name, Job(entry.path, name, options.output, Path(folder) if folder else None)
                )
            else:
                unfit += 1
    waiting = [job for job in jobs.values() if not is_done(job)]
    processes = options.processes or usable_cores()
    prepared = shards = labelled = 0
    with _progress("Preparing runs", len(waiting)) as done:
        for count, (job, outcome) in enumerate(prepare_all(waiting, processes), 1):
            done(count)
            if outcome.trouble:
                unreadable += 1
                _say(f"{job.path.parent}: {outcome.trouble}")
            else:
                prepared += 1
                shards += outcome.unlabelled
                labelled += outcome.labelled
    _say(
        f"{prepared} runs prepared as {shards} shards, and {labelled} with labels; "
        f"{len(jobs) - len(waiting)} were done before, {unreadable} could not be read, "
        f"{unfit} are no X-ray runs of {LEAST_FRAMES} frames or more."
    )
    return FAILED if unreadable or not jobs else 0


COMMANDS = {
    "info": _info,
    "track": _track,
    "denoise": _denoise,
    "adapt": _adapt,
    "export": _export,
    "prepare": _prepare,
}


# helpers


@contextmanager
def _opened(path: Path) -> Iterator[OpenRun]:
    from app.session.open_run import open_labelled
    from app.session.settings import load_settings

    with closing(open_labelled(path, load_settings())) as review:
        if review.store.notice and not review.store.read_only:
            _say(review.store.notice)
        yield review


@contextmanager
def _progress(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
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
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task(text, total=total)
        yield lambda done: progress.update(task, completed=done)


def _inside(tip: tuple[float, float], columns: int, rows: int) -> bool:
    return -0.5 <= tip[0] < columns - 0.5 and -0.5 <= tip[1] < rows - 0.5
