"""Video in DICOM (MPEG-2, H.264, HEVC): one stream, decoded in its order and told by number."""

from __future__ import annotations

import io
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from gettext import gettext as tr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.runs.allowance import check_frame_count
from app.runs.dicom_pixels import PixelFormat
from app.runs.files import SharedFile
from app.runs.run import RunError

logger = logging.getLogger(__name__)

KEPT_BYTES = 256 << 20
"""Decoded frames at hand: such a stream can only be decoded from its beginning on."""


class VideoFrames:
    """Frames of a video stream (a `FrameSource`), counted in the order in which they are shown."""

    def __init__(self, stream: bytes, layout: PixelFormat, name: str) -> None:
        self._bytes = stream
        self._format = layout
        self._name = name
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, NDArray[np.generic]] = OrderedDict()
        self._decoder: Iterator[Any] | None = None
        self._container: Any = None
        self._next = 0
        self._closed = False

    def count(self) -> int:
        """Return how many frames the stream holds, without decoding them.

        Raises
        ------
        RunError
            If it is no video, one of another size, or too long.
        """
        import av

        try:
            with self._open() as container:
                stream = container.streams.video[0]
                size = (stream.height, stream.width)
                count = sum(1 for packet in container.demux(stream) if packet.size)
        except (av.FFmpegError, ValueError, IndexError) as error:
            raise RunError(
                tr("The video in {name} is damaged; copy or export it again.").format(
                    name=self._name
                )
            ) from error
        if size != (self._format.rows, self._format.columns):
            raise RunError(
                tr("The video in {name} is {columns} x {rows} pixels, unlike its header.").format(
                    name=self._name, columns=size[1], rows=size[0]
                )
            )
        check_frame_count(count, self._name)
        if not count:
            raise RunError(
                tr("The video in {name} holds no frame; export it again.").format(name=self._name)
            )
        return count

    def read(self, index: int) -> NDArray[np.generic]:
        """Return the luminance of frame ``index``."""
        import av

        with self._lock:
            if self._closed:
                raise RunError(tr("{name} has been closed.").format(name=self._name))
            try:
                while index not in self._kept:
                    self._decode_next(index)
                return self._kept[index]
            except (av.FFmpegError, ValueError) as error:
                self._stop()
                logger.info("video frame %d: %s", index, type(error).__name__)
                raise RunError(
                    tr("Frame {number} cannot be decoded: {reason}.").format(
                        number=index + 1, reason=tr("the video is damaged")
                    )
                ) from error

    def _decode_next(self, index: int) -> None:
        """Decode one frame on the way to ``index``, from the beginning where that lies behind."""
        if self._decoder is None or self._next > index:
            self._stop()
            self._container = self._open()
            self._decoder = self._container.decode(video=0)
            self._next = 0
        frame = next(self._decoder, None)
        if frame is None:
            self._stop()
            raise RunError(tr("Frame {number} is missing from the file.").format(number=index + 1))
        grey = frame.to_ndarray(format="gray")
        grey.setflags(write=False)
        self._kept[self._next] = grey
        self._next += 1
        while len(self._kept) > max(1, KEPT_BYTES // grey.nbytes):
            self._kept.popitem(last=False)

    def _open(self) -> Any:
        import av

        av.logging.set_level(av.logging.PANIC)
        return av.open(io.BytesIO(self._bytes))

    def _stop(self) -> None:
        self._decoder = None
        if self._container is not None:
            self._container.close()
            self._container = None

    def close(self) -> None:
        """Release the stream and what was decoded of it."""
        with self._lock:
            self._closed = True
            self._stop()
            self._kept.clear()


def open_stream(
    file: SharedFile, layout: PixelFormat, fragments: Sequence[tuple[int, int]]
) -> VideoFrames:
    """Read the stream that lies in one or more fragments; the file is not needed any more."""
    stream = b"".join(file.read_at(*part) for part in fragments)
    file.close()
    return VideoFrames(stream, layout, file.name)
