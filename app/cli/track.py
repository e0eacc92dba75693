"""``fluorotrace track``: tracks catheter tips through a run, both ways."""

from __future__ import annotations

import argparse
import ctypes
import sys
from gettext import gettext as tr
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.arguments import Commands, add_device, add_run_parser, opened
from app.cli.terminal import progress, say
from app.errors import UserError

if TYPE_CHECKING:
    from app.session.open_run import OpenRun
    from app.tracks.labels import Labels
    from inference.tracking.requests import TrackedPoint
    from inference.tracking.tracker import Tracker

M_ARENA_MAX = -8
"""In glibc's malloc.h: how many pools of memory its threads share."""


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_run_parser(
        commands, "track", tr("Track a catheter tip through the run, both ways.")
    )
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument(
        "--tip",
        type=_tip,
        action="append",
        metavar="X,Y",
        help=tr("where the tip is, in pixels from 0; once for each tip to track"),
    )
    start.add_argument("--auto", action="store_true", help=tr("let the tracker find the tip"))
    parser.add_argument(
        "--frame",
        type=int,
        metavar="N",
        help=tr("the frame with the tips, from 0 (needed with --tip)"),
    )
    parser.add_argument(
        "--name",
        default="catheter tip",
        help=tr("name of the track; further ones are numbered"),
    )
    add_device(parser)
    parser.add_argument(
        "--output", type=_label_file, required=True, metavar="FILE", help=tr(".json or .csv")
    )
    parser.set_defaults(run=run, refuse_usage=parser.error)


def run(options: argparse.Namespace) -> int:
    """Track, and write the tracks to a file."""
    if options.tip is not None and options.frame is None:
        options.refuse_usage(tr("--tip needs --frame"))
    with opened(options.path, options.output) as review:
        _check_start(options, review)
        from app.tracks.formats import FORMATS, label_file
        from inference.tracking.tracker import load_tracker

        _share_freed_memory()
        tracker = load_tracker(options.device, warn=say)
        labels = _tracked(review, options, tracker)
        kind = options.output.suffix.lower().removeprefix(".")
        FORMATS[kind].write(options.output, label_file(review.run, labels.tracks))
    say(tr("Tracked with the weights {weights}.").format(weights=tracker.weights))
    return 0


def _tip(text: str) -> tuple[float, float]:
    x, y = (float(part) for part in text.split(","))
    return x, y


def _label_file(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (".json", ".csv"):
        raise argparse.ArgumentTypeError(
            tr("{name} ends neither in .json nor in .csv").format(name=text)
        )
    return path


def _check_start(options: argparse.Namespace, review: OpenRun) -> None:
    columns, rows, count = review.run.columns, review.run.rows, review.run.frame_count
    if options.frame is not None and not 0 <= options.frame < count:
        raise UserError(
            tr("There is no frame {frame}; the last is {last}.").format(
                frame=options.frame, last=count - 1
            )
        )
    for x, y in options.tip or ():
        if not (-0.5 <= x < columns - 0.5 and -0.5 <= y < rows - 0.5):
            raise UserError(
                tr("A tip is outside the picture of {columns} x {rows} pixels.").format(
                    columns=columns, rows=rows
                )
            )


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
    told = tr("Tracking on {device}").format(device=tracker.device_name)
    with progress(told, count * len(starts)) as done:

        def call(start: Anchor) -> TrackCall:
            track = new_track(labels.tracks, options.name)
            labels.apply(add_track(track))
            if options.auto:
                labels.apply(put_tracked(track, [found], weights=tracker.weights))
            else:
                assert start.x is not None and start.y is not None
                labels.apply(place_point(track, start.frame, start.x, start.y))

            def take(points: list[TrackedPoint]) -> None:
                labels.apply(put_tracked(labels.track(track.id), points, weights=tracker.weights))
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
            tr("No catheter tip was found; say where it is with --tip and --frame.")
        ) from error
