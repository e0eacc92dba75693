"""The frames of one run as the tracker's networks see them, each made once while it is needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.frames import FrameSequence
from inference.runtime import Network
from inference.tracking.shaft import Shaft
from inference.tracking.views import FINE_VIEW, ViewGeometry, fine_crop, normalise, shrink

PICTURES_KEPT = 24
MAPS_KEPT = 96
"""Frames (of 1.6 MB) whose maps are kept: tracking anew, or another tip, is faster then."""
SHAFTS_KEPT = 24
"""Tips (0.7 MB each) whose shafts are kept."""

Maps = tuple[NDArray[np.float32], ...]
"""What the stem makes of some frames read together, the frames along the first axis of each."""
Sizes = tuple[NDArray[np.generic], NDArray[np.float32]]
"""A picture whose longer side is ``FINE_VIEW``, and its normalised view."""

Made = TypeVar("Made")


class _Once(Generic[Made]):
    """Something that is made by the first thread that asks for it."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make: Callable[[], Made] | None = make
        self._lock = Lock()

    def get(self) -> Made:
        """Return it; whoever asks while it is made waits."""
        with self._lock:
            if self._make is not None:
                self._made, self._make = self._make(), None
        return self._made


class SeenFrames:
    """What has been made of a run's frames, the latest ones kept; several threads may ask.

    Parameters
    ----------
    frames : FrameSequence
    stem : Network
        Reads (n, TIMES, side, side) views and gives the maps that the tracking network takes.
    side : int
        Of the views.
    """

    def __init__(self, frames: FrameSequence, stem: Network, side: int) -> None:
        self.frames = frames
        self.geometry = ViewGeometry(frames.rows, frames.columns, side)
        self.fine_geometry = ViewGeometry(frames.rows, frames.columns, FINE_VIEW)
        self._stem = stem
        self._pictures: OrderedDict[int, _Once[Sizes]] = OrderedDict()
        # With the frame's slot among those that were read with it.
        self._maps: OrderedDict[int, tuple[_Once[Maps], int]] = OrderedDict()
        self._shafts: OrderedDict[tuple[float, ...], _Once[Shaft]] = OrderedDict()
        self._map_lock, self._picture_lock, self._shaft_lock = Lock(), Lock(), Lock()

    def read(self, frame: int) -> None:
        """Read what the views of a frame are made from."""
        for time in self._times(frame):
            self._picture(time)

    def views(self, frame: int) -> list[NDArray[np.float32]]:
        """Return the views of a frame, of the one before and of the one after."""
        return [self._picture(time).get()[1] for time in self._times(frame)]

    def fine_crops(
        self, frame: int, centre: NDArray[np.floating], side: int
    ) -> NDArray[np.float32]:
        """Cut (TIMES, side, side) around picture position ``centre``, on the fine scale."""
        at = self.fine_geometry.to_view(centre)
        times = self._times(frame)
        cut = {time: fine_crop(self._picture(time).get()[0], at, side) for time in set(times)}
        return np.stack([cut[time] for time in times])

    def maps(self, frames: list[int]) -> list[NDArray[np.float32]]:
        """Return the stem's maps of some frames, the frames along the first axis of each."""
        with self._map_lock:
            new = [frame for frame in frames if frame not in self._maps]
            batch = _Once(lambda: self._read_by_stem(new))
            self._maps |= {frame: (batch, slot) for slot, frame in enumerate(new)}
            places = [self._maps[frame] for frame in frames]
            for frame in frames:
                self._maps.move_to_end(frame)
            while len(self._maps) > max(MAPS_KEPT, len(frames)):
                self._maps.popitem(last=False)
        batch, first = places[0]
        if places == [(batch, first + i) for i in range(len(frames))]:
            return [part[first : first + len(frames)] for part in batch.get()]
        chosen = [[part[slot] for part in one.get()] for one, slot in places]
        return [np.stack(parts) for parts in zip(*chosen, strict=True)]

    def _read_by_stem(self, frames: list[int]) -> Maps:
        said = self._stem({"pictures": np.stack([np.stack(self.views(f)) for f in frames])})
        # What the runtime returns lies in its own memory, which would grow in large steps.
        return tuple(part.copy() for part in said)

    def shaft(self, place: tuple[float, ...], make: Callable[[], Shaft]) -> Shaft:
        """Return the shaft around a tip that was placed by hand; made when first asked for."""
        with self._shaft_lock:
            if place not in self._shafts:
                self._shafts[place] = _Once(make)
                if len(self._shafts) > SHAFTS_KEPT:
                    self._shafts.popitem(last=False)
            shaft = self._shafts[place]
        return shaft.get()

    def _times(self, frame: int) -> tuple[int, int, int]:
        return frame, max(frame - 1, 0), min(frame + 1, self.frames.frame_count - 1)

    def _picture(self, frame: int) -> _Once[Sizes]:
        with self._picture_lock:
            if frame in self._pictures:
                self._pictures.move_to_end(frame)
                return self._pictures[frame]
            pixels = self.frames.read(frame)
            picture = self._pictures[frame] = _Once(lambda: self._sizes(pixels))
            if len(self._pictures) > PICTURES_KEPT:
                self._pictures.popitem(last=False)
            return picture

    def _sizes(self, pixels: NDArray[np.generic]) -> Sizes:
        same = pixels.shape == (FINE_VIEW, FINE_VIEW)
        fine = pixels if same else shrink(pixels, FINE_VIEW)
        return fine, normalise(shrink(pixels, self.geometry.side))
