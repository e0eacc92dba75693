"""Prepared runs on disk: one small file a run, read one at a time, so that any archive fits.

A shard holds the views of a run (``frames`` (T, side, side) uint8), the tips in view pixels
(``tips`` (T, 2) float32, NaN where unknown), ``states`` ((T,) uint8, an index into ``STATES``),
``body`` ((T, side, side / 8) uint8, packed bits of the catheter's mask; empty where unknown) and
``real`` (bool: labelled by a person and not by a simulator) and ``only`` (bool: the picture's one
catheter, or its main one, so that it can be asked for without showing it).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.tracking.views import ViewGeometry, shrink

STATES = ("visible", "occluded", "absent", "unknown")


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """One prepared run; shapes as in the module's text."""

    frames: NDArray[np.uint8]
    tips: NDArray[np.float32]
    states: NDArray[np.uint8]
    body: NDArray[np.uint8]
    real: bool
    only: bool = True

    def body_mask(self, frame: int) -> NDArray[np.uint8]:
        """Return the catheter's mask of a frame, (side, side) of 0 and 1."""
        return np.unpackbits(self.body[frame], axis=-1)


def make_shard(
    frames: NDArray[np.generic],
    tips: NDArray[np.floating],
    states: NDArray[np.uint8],
    body: NDArray[np.bool_] | None,
    *,
    real: bool,
    only: bool = True,
    side: int = 256,
) -> Shard:
    """Prepare a run from full-resolution (T, rows, columns) frames and (T, 2) tips."""
    geometry = ViewGeometry(frames.shape[1], frames.shape[2], side)
    # One grey scale for the whole run keeps changes of exposure in it.
    low, high = np.percentile(frames[:, ::8, ::8].astype(np.float32), (0.1, 99.9))
    gain = 255.0 / max(float(high - low), 1e-6)
    views = np.stack([(shrink(frame, side) - low) * gain for frame in frames])
    masks = np.zeros((0, side, side // 8), np.uint8)
    if body is not None:
        small = np.stack([shrink(mask.astype(np.float32), side) > 0.4 for mask in body])
        masks = np.packbits(small, axis=-1)
    return Shard(
        frames=np.clip(np.rint(views), 0, 255).astype(np.uint8),
        tips=geometry.to_view(tips),
        states=states.astype(np.uint8),
        body=masks,
        real=real,
        only=only,
    )


def write_shard(path: Path, shard: Shard) -> None:
    """Write a shard; a file half written never carries its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(
            file,
            frames=shard.frames,
            tips=shard.tips,
            states=shard.states,
            body=shard.body,
            real=np.array(shard.real),
            only=np.array(shard.only),
        )
    part.replace(path)


def read_shard(path: Path) -> Shard:
    """Read a shard."""
    with np.load(path, allow_pickle=False) as content:
        return Shard(
            frames=content["frames"],
            tips=content["tips"],
            states=content["states"],
            body=content["body"],
            real=bool(content["real"]),
            only=bool(content["only"]),
        )


class ShardPool:
    """The shards below some folders; new files are seen while training runs.

    Parameters
    ----------
    folders : list of Path
        Searched for ``*.npz``.
    kept : int
        How many of the shards read last stay in memory.
    """

    def __init__(self, folders: list[Path], kept: int = 256) -> None:
        self.folders = folders
        self.kept = kept
        self._paths: list[Path] = []
        self._cache: OrderedDict[Path, Shard] = OrderedDict()
        self.refresh()

    def __len__(self) -> int:
        return len(self._paths)

    def refresh(self) -> None:
        """Look for new shards."""
        self._paths = sorted(path for folder in self.folders for path in folder.rglob("*.npz"))

    def draw(self, random: np.random.Generator) -> Shard:
        """Return a shard drawn at random."""
        path = self._paths[int(random.integers(len(self._paths)))]
        shard = self._cache.pop(path, None) or read_shard(path)
        self._cache[path] = shard
        if len(self._cache) > self.kept:
            self._cache.popitem(last=False)
        return shard
