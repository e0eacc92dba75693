"""Which run labels belong to, wherever its file was moved, and where their file lies."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from app.runs.run import Run, RunError

log = logging.getLogger(__name__)

SUFFIX = ".fluorotrace.sqlite"
HASHED_BYTES = 1 << 20
SCANNED_FILES = 500
MOST_ADDED = 10
"""As many pictures may have been added to a labelled folder for it to be the same run."""
BLOCKS = 16
"""A frame's signature has so many blocks a side."""
LEVELS = 255
TOLERANCE = 0.02
"""Share of a frame's contrast by which two decoders may differ."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What a labels file says of its run.

    Attributes
    ----------
    key : str
        ``uid:`` and the SOP Instance UID, or ``sha256:`` and a fingerprint of the file.
    signature : str
        What some of its frames look like, see `signature`; "" where nobody wrote it down.
    frame_count : int
        0 where nobody wrote it down.
    """

    key: str
    signature: str = ""
    frame_count: int = 0


class OwnIdentity:
    """The identity of an opened run; what costs time is found when it is asked for."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.path = run.path.resolve()
        """Links seen through: a run reached by one is the same run."""
        self.reached_by = run.path.absolute()

    @cached_property
    def key(self) -> str:
        """See `RunIdentity.key`."""
        run = self._run
        if run.sop_instance_uid:
            return f"uid:{run.sop_instance_uid}"
        if self.path.is_file():
            return f"sha256:{_file_digest(run, self.path)}"
        return _folder_key(run, run.frame_count)

    @cached_property
    def signature(self) -> str:
        """See `RunIdentity.signature`; reads some frames. A fingerprint needs none beside it."""
        return signature(self._run) if self.key.startswith("uid:") else ""

    @property
    def known(self) -> RunIdentity:
        """What can be said of the run at once: all but its signature."""
        return RunIdentity(self.key, "", self._run.frame_count)

    def is_same(self, other: RunIdentity) -> bool:
        """Return True where labels of ``other`` are this run's."""
        if other.key != self.key:
            return False
        return not other.signature or alike(other.signature, self._run)

    def frames_added(self, other: RunIdentity) -> int:
        """Return how many pictures were added at the end of a labelled folder; 0 if it is not."""
        run = self._run
        if self.path.is_file() or run.sop_instance_uid or not other.key.startswith("sha256:"):
            return 0
        counts = range(run.frame_count - 1, max(0, run.frame_count - 1 - MOST_ADDED), -1)
        return next((run.frame_count - n for n in counts if _folder_key(run, n) == other.key), 0)


def _file_digest(run: Run, path: Path) -> str:
    """Hash the size of a file and its first and last MiB."""
    digest = hashlib.sha256(f"{run.frame_count} {run.rows} {run.columns}".encode())
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(HASHED_BYTES))
        file.seek(max(0, size - HASHED_BYTES))
        digest.update(file.read(HASHED_BYTES))
    return digest.hexdigest()


def _folder_key(run: Run, frame_count: int) -> str:
    """Hash the first, middle and last of the first ``frame_count`` frames."""
    digest = hashlib.sha256(f"{frame_count} {run.rows} {run.columns}".encode())
    for frame in _probes(frame_count):
        try:
            pixels = np.ascontiguousarray(run.frames.read(frame))
        except RunError:
            log.info("frame %d cannot be read, so the fingerprint leaves it out", frame)
            continue
        digest.update(f"{frame} {pixels.dtype.str}".encode())
        digest.update(pixels.tobytes())
    return f"sha256:{digest.hexdigest()}"


def _probes(frame_count: int) -> list[int]:
    return sorted({0, frame_count // 2, frame_count - 1})


def signature(run: Run) -> str:
    """Return what the first, middle and last frame look like, coarsely, as JSON.

    Coarse, so that another version of a decoder does not make another run of it.
    """
    looks = {}
    for frame in _probes(run.frame_count):
        look = _look(run, frame)
        if look is not None:
            looks[str(frame)] = look
    return json.dumps({"rows": run.rows, "columns": run.columns, "frames": looks})


def alike(written: str, run: Run) -> bool:
    """Return True where the frames that a signature describes look as it says."""
    try:
        other = json.loads(written)
        if (other["rows"], other["columns"]) != (run.rows, run.columns):
            return False
        for frame, (mean, contrast, levels) in other["frames"].items():
            look = _look(run, int(frame)) if int(frame) < run.frame_count else None
            if look is None:
                continue
            near = TOLERANCE * max(contrast, look[1], 1.0)
            if abs(look[0] - mean) > near or abs(look[1] - contrast) > near:
                return False
            blocks, others = (np.frombuffer(bytes.fromhex(h), np.uint8) for h in (look[2], levels))
            if np.abs(blocks.astype(int) - others).max() > 2 * TOLERANCE * LEVELS:
                return False
    except (ValueError, TypeError, KeyError, AttributeError):
        log.info("a run's signature cannot be read, so it is not compared")
    return True


def _look(run: Run, frame: int) -> tuple[float, float, str] | None:
    """Return a frame's mean, contrast and block means (hexadecimal); None if unreadable."""
    try:
        pixels = run.frames.read(frame).astype(np.float64)
    except RunError:
        return None
    rows = np.array_split(np.arange(pixels.shape[0]), min(BLOCKS, pixels.shape[0]))
    columns = np.array_split(np.arange(pixels.shape[1]), min(BLOCKS, pixels.shape[1]))
    means = np.array([[pixels[np.ix_(r, c)].mean() for c in columns] for r in rows])
    low, contrast = float(means.min()), float(np.ptp(means))
    levels = np.rint((means - low) / contrast * LEVELS) if contrast else np.zeros_like(means)
    return float(means.mean()), contrast, levels.astype(np.uint8).tobytes().hex()


def store_paths(own: OwnIdentity, folders: list[Path]) -> Iterator[Path]:
    """Yield where labels of the run may be made, best first: one name a folder, and spares.

    The spare names are for other runs of the same file name, and of the same identity too.
    """
    for folder in folders:
        usual, spare = folder / f"{own.path.name}{SUFFIX}", _spare(folder, own, own.key)
        yield usual
        yield spare
        if usual.exists() and spare.exists():
            yield _spare(folder, own, own.key + own.signature)


def _spare(folder: Path, own: OwnIdentity, told: str) -> Path:
    short = hashlib.sha256(told.encode()).hexdigest()[:8]
    return folder / f"{own.path.name}.{short}{SUFFIX}"


def other_stores(folders: list[Path], known: list[Path]) -> Iterator[Path]:
    """Yield the labels files in ``folders`` that lie under other names, for renamed runs."""
    for folder in folders:
        try:
            others = sorted(p for p in folder.glob(f"*{SUFFIX}") if p not in known)
        except OSError:
            log.info("label folder cannot be listed", exc_info=True)
            continue
        yield from others[:SCANNED_FILES]
