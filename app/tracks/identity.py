"""Which run labels belong to, wherever its file was moved, and where their file lies."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from app.runs.run import Run, RunError

log = logging.getLogger(__name__)

SUFFIX = ".fluorotrace.sqlite"
HASHED_BYTES = 1 << 20
SCANNED_FILES = 500


def run_identity(run: Run) -> str:
    """Return what tells this run from all others: its SOP Instance UID, or a fingerprint.

    The fingerprint of a file is a hash of its size and of its first and last MiB; that of a
    folder hashes the stored pixels of its first, middle and last frame. It may take some ms.
    """
    if run.sop_instance_uid:
        return f"uid:{run.sop_instance_uid}"
    digest = hashlib.sha256(f"{run.frame_count} {run.rows} {run.columns}".encode())
    if run.path.is_file():
        size = run.path.stat().st_size
        digest.update(str(size).encode())
        with run.path.open("rb") as file:
            digest.update(file.read(HASHED_BYTES))
            file.seek(max(0, size - HASHED_BYTES))
            digest.update(file.read(HASHED_BYTES))
    else:
        for frame in sorted({0, run.frame_count // 2, run.frame_count - 1}):
            try:
                pixels = np.ascontiguousarray(run.frames.read(frame))
            except RunError:
                log.info("frame %d cannot be read, so the fingerprint leaves it out", frame)
                continue
            digest.update(f"{frame} {pixels.dtype.str}".encode())
            digest.update(pixels.tobytes())
    return f"sha256:{digest.hexdigest()}"


def store_paths(run_path: Path, identity: str, folders: list[Path]) -> Iterator[Path]:
    """Yield where labels of the run may be made, best first: one name a folder, and a spare.

    The spare name is for another run of the same file name.
    """
    short = hashlib.sha256(identity.encode()).hexdigest()[:8]
    for folder in folders:
        yield folder / f"{run_path.name}{SUFFIX}"
        yield folder / f"{run_path.name}.{short}{SUFFIX}"


def find_store(
    run_path: Path,
    identity: str,
    folders: list[Path],
    read_identity: Callable[[Path], str | None],
) -> Path | None:
    """Return the store of this run, also where the run was renamed or moved since.

    Parameters
    ----------
    read_identity : callable
        Gives the identity that a store holds, None where it cannot be read.
    """
    paths = list(store_paths(run_path, identity, folders))
    for folder in folders:
        try:
            others = sorted(p for p in folder.glob(f"*{SUFFIX}") if p not in paths)
        except OSError:
            log.info("label folder cannot be listed", exc_info=True)
            continue
        paths += others[:SCANNED_FILES]
    return next((p for p in paths if p.exists() and read_identity(p) == identity), None)
