"""Prepared runs on disk: one small file a run, read one at a time, so that any archive fits.

A shard holds the pictures of a run scaled to ``side`` on their longer side, as JPEG of high quality
(about 60 kB a frame), the tips in pixels of that picture (``tips`` (T, 2) float32, NaN where
unknown), ``states`` ((T,) uint8, an index into ``STATES``), ``body`` ((T, side / 2, side / 16)
uint8, packed bits of the catheter's mask at half the size; empty where unknown), ``real`` (bool:
labelled by a person and not by a simulator) and ``only`` (bool: the picture's one catheter, or its
main one, so that it can be asked for without showing it).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.point_state import PointState
from inference.tracking.views import ViewGeometry, shrink

STATES = (*PointState, "unknown")
VISIBLE, OCCLUDED, ABSENT, UNKNOWN = range(len(STATES))
JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """One prepared run.

    Attributes
    ----------
    coded : tuple of ndarray
        T JPEG pictures, (bytes,) uint8 each.
    side : int
        Side of the square pictures in pixels.
    tips, states, body, real, only
        As in the module's text.
    """

    coded: tuple[NDArray[np.uint8], ...]
    side: int
    tips: NDArray[np.float32]
    states: NDArray[np.uint8]
    body: NDArray[np.uint8]
    real: bool
    only: bool = True

    def __len__(self) -> int:
        return len(self.coded)

    def frame(self, index: int, side: int | None = None) -> NDArray[np.uint8]:
        """Return a picture, scaled to (side, side); half the size costs a third of the time."""
        half = side is not None and 2 * side == self.side
        # At half the size the coder itself averages.
        kind = cv2.IMREAD_REDUCED_GRAYSCALE_2 if half else cv2.IMREAD_GRAYSCALE
        picture = np.asarray(cv2.imdecode(self.coded[index], kind), np.uint8)
        return picture if side is None else _scaled(picture, side)

    def body_mask(self, frame: int, side: int) -> NDArray[np.uint8]:
        """Return the catheter's mask of a frame, (side, side) of 0 and 255."""
        return _scaled(np.unpackbits(self.body[frame], axis=-1) * np.uint8(255), side)


def _scaled(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    if picture.shape == (side, side):
        return picture
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def make_shard(
    frames: NDArray[np.generic],
    tips: NDArray[np.floating],
    states: NDArray[np.uint8],
    body: NDArray[np.bool_] | None,
    *,
    real: bool,
    only: bool = True,
    side: int = 512,
) -> Shard:
    """Prepare a run from full-resolution (T, rows, columns) frames and (T, 2) tips."""
    geometry = ViewGeometry(frames.shape[1], frames.shape[2], side)
    # One grey scale for the whole run keeps changes of exposure in it.
    low, high = np.percentile(frames[:, ::8, ::8].astype(np.float32), (0.1, 99.9))
    gain = 255.0 / max(float(high - low), 1e-6)
    coded = []
    for frame in frames:
        grey = np.clip(np.rint((shrink(frame, side) - low) * gain), 0, 255).astype(np.uint8)
        done, code = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        assert done
        coded.append(np.asarray(code, np.uint8).ravel())
    masks = np.zeros((0, side // 2, side // 16), np.uint8)
    if body is not None:
        small = np.stack([shrink(mask.astype(np.float32), side // 2) > 0.4 for mask in body])
        masks = np.packbits(small, axis=-1)
    return Shard(
        coded=tuple(coded),
        side=side,
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
            coded=np.concatenate(shard.coded),
            lengths=np.array([len(code) for code in shard.coded]),
            side=np.array(shard.side),
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
        ends = np.cumsum(content["lengths"])
        return Shard(
            coded=tuple(np.split(content["coded"], ends[:-1])),
            side=int(content["side"]),
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
