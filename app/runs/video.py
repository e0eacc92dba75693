"""Video files by PyAV: frames by their own time stamps."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.runs.codestreams import MAX_FRAME_PIXELS
from app.runs.run import Run, RunError, TimingSource, pixel_aspect
from app.runs.timing import ASSUMED_RATE_HZ, assumed_times

logger = logging.getLogger(__name__)

MAX_FRAMES = 1_000_000
_KEPT_FRAMES = 32
"""Decoded frames at hand, for neighbours that are asked for slightly out of order."""


class VideoFrames:
    """Frames of one video (a `FrameSource`), found by time stamp from the last key frame."""

    def __init__(self, container: Any, stamps: Sequence[int], keys: Sequence[int]) -> None:
        self._container = container
        self._stream = container.streams.video[0]
        self._stamps = stamps
        self._index_of = {stamp: i for i, stamp in enumerate(stamps)}
        self._key_stamps = sorted(keys)
        self._lock = threading.Lock()
        self._recent: OrderedDict[int, NDArray[np.generic]] = OrderedDict()
        self._decoder: Any = None
        self._position = -1  # frame that the decoder gave last
        self._name = Path(container.name).name

    def read(self, index: int) -> NDArray[np.generic]:
        """Return the luminance of frame ``index``."""
        import av

        with self._lock:
            if self._container is None:
                raise RunError(f"{self._name} has been closed.")
            if index in self._recent:
                return self._recent[index]
            try:
                return self._decode(index)
            except (av.FFmpegError, ValueError, MemoryError) as error:
                self._decoder = None
                logger.info("video frame %d: %s", index, type(error).__name__)
                raise RunError(f"Frame {index + 1} of {self._name} is damaged.") from error

    def _decode(self, index: int) -> NDArray[np.generic]:
        key = bisect_right(self._key_stamps, self._stamps[index]) - 1
        key_index = self._index_of.get(self._key_stamps[max(key, 0)], 0)
        if (
            self._decoder is None
            or not max(key_index - 1, self._position) < index
            or (key_index > self._position + 1)
        ):
            self._container.seek(self._stamps[key_index], stream=self._stream, backward=True)
            self._decoder = self._container.decode(self._stream)
        found = None
        for frame in self._decoder:
            at = self._index_of.get(frame.pts)
            if at is None:
                continue
            self._position = at
            grey = frame.to_ndarray(format="gray")
            self._recent[at] = grey
            if at >= index:
                found = grey if at == index else None
                break
        else:
            self._decoder = None
        while len(self._recent) > _KEPT_FRAMES:
            self._recent.popitem(last=False)
        if found is None:
            raise RunError(f"Frame {index + 1} of {self._name} is missing from the video.")
        return found

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            if self._container is not None:
                self._container.close()
                self._container = self._decoder = None


def open_video(path: Path) -> Run:
    """Open the first video stream of a file."""
    import av

    av.logging.set_level(av.logging.PANIC)
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise RunError(f"{path.name} is no video that can be read; convert it to MP4.") from error
    try:
        return _read_video(path, container)
    except RunError:
        container.close()
        raise
    except (av.FFmpegError, ValueError, MemoryError) as error:
        container.close()
        raise RunError(f"{path.name} is a damaged video; copy or convert it again.") from error


def _read_video(path: Path, container: Any) -> Run:
    if not container.streams.video:
        raise RunError(f"{path.name} holds no pictures; choose another file.")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rows, columns = stream.height, stream.width
    if not 0 < rows * columns <= MAX_FRAME_PIXELS:
        raise RunError(f"{path.name} declares {columns} x {rows} pixels; it is damaged.")
    stamps, keys = [], []
    for packet in container.demux(stream):
        if packet.pts is not None and packet.size:
            stamps.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
        if len(stamps) > MAX_FRAMES:
            raise RunError(f"{path.name} is longer than a million frames; cut it.")
    if not stamps:
        raise RunError(f"{path.name} holds no frames with times; convert it to MP4.")
    stamps = sorted(set(stamps))
    notes: tuple[str, ...] = ()
    times = (np.array(stamps) - stamps[0]) * float(stream.time_base) * 1000.0
    source = TimingSource.VIDEO
    if not np.all(np.diff(times) > 0):
        times, source = assumed_times(len(stamps)), TimingSource.ASSUMED
        notes = (f"The video has no sound times; {ASSUMED_RATE_HZ:g} frames/s are assumed.",)
    wide = stream.sample_aspect_ratio or 1  # width over height; 0 or None where unknown
    return Run(
        path=path,
        frames=VideoFrames(container, stamps, keys or stamps[:1]),
        frame_count=len(stamps),
        rows=rows,
        columns=columns,
        frame_times_ms=times,
        timing_source=source,
        pixel_aspect_ratio=pixel_aspect(1.0, float(wide)),
        notes=notes,
    )
