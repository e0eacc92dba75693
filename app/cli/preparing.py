"""Decodes an archive once into shards for the tracker's training, in parallel processes.

Every run gives ``unlabelled/NAME_PIECE.npz``, and where labels of its catheter tips are saved also
``labelled/NAME_PIECE_TRACK.npz``. NAME is a hash, so that a shard tells neither the patient nor
where it came from.
"""

from __future__ import annotations

import hashlib
import logging
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.display.pipeline import DisplayPipeline
from app.errors import UserError, sentence
from app.log import start_log
from app.runs.catalog import CatalogEntry
from app.runs.opening import open_run
from app.runs.run import Run
from app.tracks.identity import SUFFIX
from app.tracks.store import saved_labels
from app.tracks.track import Track, TrackKind
from inference.frames import FrameSequence
from inference.tracking.training.shards import STATES, make_shard, write_shard

log = logging.getLogger(__name__)

XRAY_KINDS = ("XA", "RF", "DX", "CR", "OT", "", "pictures")
"""Modalities that may hold X-ray runs; "" where the file does not say."""
LEAST_FRAMES = 10
"""A clip of the pretraining; shorter runs teach no motion."""
PIECE_FRAMES = 64
PIECE_BYTES = 256 << 20
"""A piece is cut shorter where its frames are so large that it would take more memory."""
UNKNOWN = STATES.index("unknown")
PLACED = (STATES.index("visible"), STATES.index("occluded"))


@dataclass(frozen=True, slots=True)
class Job:
    """One run to prepare; ``name`` begins the names of its shards."""

    path: Path
    name: str
    output: Path
    project_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run: its shards, or in one plain sentence why there are none."""

    unlabelled: int = 0
    labelled: int = 0
    trouble: str = ""


def may_teach(entry: CatalogEntry) -> bool:
    """Tell whether an entry of the archive may be an X-ray run long enough to learn from."""
    return entry.modality in XRAY_KINDS and (entry.frame_count or 0) >= LEAST_FRAMES


def shard_name(entry: CatalogEntry, archive: Path) -> str:
    """Return the name of a run's shards: a hash of its SOP Instance UID, else of its place."""
    told = entry.sop_instance_uid or entry.path.relative_to(archive).as_posix()
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def is_done(job: Job) -> bool:
    """Tell whether all shards of a run are there, and none of its labels is newer."""
    try:
        made_s = _first_piece(job).stat().st_mtime
    except FileNotFoundError:
        return False
    folders = [job.path.parent, *([job.project_folder] if job.project_folder else [])]
    labels = [folder / f"{job.path.name}{SUFFIX}" for folder in folders]
    return not any(file.exists() and file.stat().st_mtime > made_s for file in labels)


def prepare_all(jobs: Iterable[Job], processes: int) -> Iterator[tuple[Job, Outcome]]:
    """Prepare runs in parallel, one at a time a process; yield each as it is done.

    Raises
    ------
    OSError
        If shards cannot be written.
    """
    todo = deque(jobs)
    while todo:
        running: dict[Future[Outcome], Job] = {}
        try:
            with _pool(processes) as pool:
                while todo or running:
                    while todo and len(running) < 2 * processes:
                        running[pool.submit(prepare_run, todo[0])] = todo[0]
                        todo.popleft()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield running[future], future.result()
                        del running[future]
        except BrokenProcessPool:
            # One of these files ended its process; each one alone tells which.
            for job in running.values():
                yield job, _prepare_alone(job)


def prepare_run(job: Job) -> Outcome:
    """Write the shards of one run.

    Raises
    ------
    OSError
        If shards cannot be written.
    """
    try:
        run = open_run(job.path)
        with closing(run.frames):
            return _prepare(run, job)
    except UserError as error:
        return Outcome(trouble=str(error))
    except OSError:
        raise
    except Exception as error:
        log.exception("a run could not be prepared")
        return Outcome(trouble=f"{job.path.name} was left out. {sentence(error)}")


def _prepare(run: Run, job: Job) -> Outcome:
    sequence = DisplayPipeline(run).sequence()
    tracks = _tip_tracks(run, job.project_folder)
    for outdated in (job.output / "labelled").glob(f"{job.name}_*.npz"):
        outdated.unlink()
    pieces = cut(run.frame_count, run.rows * run.columns * _dtype(sequence).itemsize)
    labelled = 0
    # The first piece is written last: where it is, all are.
    for number, piece in reversed(tuple(enumerate(pieces))):
        frames = np.stack([sequence.read(index).astype(_dtype(sequence)) for index in piece])
        for index, points in enumerate(tracks):
            tips, states = points
            if not np.isin(states[piece], PLACED).any():
                continue
            only = len(tracks) == 1
            shard = make_shard(frames, tips[piece], states[piece], None, real=True, only=only)
            file = job.output / "labelled" / f"{job.name}_{number:03d}_{index}.npz"
            write_shard(file, shard)
            labelled += 1
        shard = make_shard(frames, *_no_points(len(piece)), None, real=True)
        write_shard(_first_piece(job).with_name(f"{job.name}_{number:03d}.npz"), shard)
    return Outcome(len(pieces), labelled)


def cut(frame_count: int, frame_bytes: int) -> list[NDArray[np.int_]]:
    """Cut a run into pieces of nearly equal length that fit in memory; return their frames."""
    most = min(PIECE_FRAMES, max(2 * LEAST_FRAMES, PIECE_BYTES // frame_bytes))
    return np.array_split(np.arange(frame_count), -(-frame_count // most))


def _dtype(sequence: FrameSequence) -> np.dtype[np.generic]:
    """Return the smallest type that holds the stored values, for memory's sake."""
    small = np.uint8 if sequence.white < 256 else np.uint16 if sequence.white < 65536 else None
    return np.dtype(small or np.float32)


def _tip_tracks(
    run: Run, project_folder: Path | None
) -> list[tuple[NDArray[np.float64], NDArray[np.uint8]]]:
    """Return the (frame_count, 2) tips and (frame_count,) states of each labelled catheter tip.

    Of a run that is marked as reviewed all points count; else those that a person placed or
    accepted, so that no network learns from its own guesses.
    """
    content = saved_labels(run, project_folder)
    tracks = content.tracks if content else ()
    reviewed = content is not None and content.state.reviewed
    found = [
        _points(track, run.frame_count, everything=reviewed)
        for track in tracks
        if track.kind is TrackKind.CATHETER_TIP
    ]
    return [points for points in found if np.isin(points[1], PLACED).any()]


def _points(
    track: Track, frame_count: int, *, everything: bool
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    tips, states = _no_points(frame_count)
    for point in track.marked_points:
        if point.state is not None and (everything or point.held):
            states[point.frame] = STATES.index(point.state.value)
            if point.x is not None and point.y is not None:
                tips[point.frame] = point.x, point.y
    return tips, states


def _no_points(count: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    return np.full((count, 2), np.nan), np.full(count, UNKNOWN, np.uint8)


def _first_piece(job: Job) -> Path:
    return job.output / "unlabelled" / f"{job.name}_000.npz"


def _prepare_alone(job: Job) -> Outcome:
    with _pool(1) as pool:
        try:
            return pool.submit(prepare_run, job).result()
        except BrokenProcessPool:
            return Outcome(trouble=f"{job.path.name} broke the program that read it; leave it out.")


def _pool(processes: int) -> ProcessPoolExecutor:
    # Not forked: the progress display's thread, and OpenCV's, would not come along.
    return ProcessPoolExecutor(processes, get_context("spawn"), _begin)


def _begin() -> None:
    """Set up a process: one thread for each, and Ctrl-C is left to the one that started it."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger().addHandler(logging.NullHandler())
    start_log()
