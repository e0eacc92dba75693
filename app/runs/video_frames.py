"""Frames of a video by PyAV: those that a player shows, in the order in which it shows them.

Packets are no frames: an edit list hides some, B-frames come in another order, some carry no
time. So a video of ordinary length is decoded once while it opens. What a frame is after a jump is
checked against that pass; where a jump does not lead to the same picture, the video is decoded
from its beginning.
"""

from __future__ import annotations

import io
import itertools
import logging
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from gettext import gettext as tr
from gettext import ngettext
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.runs.allowance import check_allowance, check_frame_count
from app.runs.codestreams import MAX_FRAME_PIXELS
from app.runs.files import Turns, open_regular, shown_name
from app.runs.run import RunError

logger = logging.getLogger(__name__)

DECODED_PIXELS = 1 << 30
"""A video of more pixels (1000 frames of 1024 x 1024) is not decoded while it opens."""

_KEPT_FRAMES = 32
"""Decoded frames at hand, for neighbours that are asked for slightly out of order."""

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,mpeg,mpegts,mpegvideo,m4v,h264,hevc,flv,ogg"
)
"""Single files; playlists and their kin name other files and hosts."""

_GREY_BITS = (8, 9, 10, 12, 14, 16)

Frame = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class VideoSource:
    """Where a video's bytes are: ``open`` gives them anew, from their beginning."""

    name: str
    open: Callable[[], BinaryIO]


def file_source(path: Path) -> VideoSource:
    """Return a video that is a file."""
    return VideoSource(shown_name(path), partial(open_regular, path))


def stream_source(stream: bytes, name: str) -> VideoSource:
    """Return a video that lies in memory; ``name`` is that of the file it comes from."""
    return VideoSource(name, partial(io.BytesIO, stream))


class Decoder:
    """One pass over a video's frames, from the beginning or from a key frame.

    PyAV's logging stays off, as it is by default: its callback takes the GIL in threads for which
    closing a decoder waits while it holds the GIL.
    """

    def __init__(self, source: VideoSource) -> None:
        import av

        self.name = source.name
        self.failed_count = 0
        """Packets that could not be decoded so far."""
        self.file = source.open()
        size = self.file.seek(0, io.SEEK_END)
        self.file.seek(0)
        try:
            options = {"format_whitelist": _FORMATS, "protocol_whitelist": ""}
            self.container: Any = av.open(self.file, options=options)
        except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
            self.file.close()
            raise RunError(
                tr("{name} cannot be read as a video; copy or convert it again.").format(
                    name=self.name
                )
            ) from error
        try:
            self.stream = self._pictures()
            context = self.stream.codec_context
            rows, columns = context.height, context.width
            if not 0 <= rows * columns <= MAX_FRAME_PIXELS:
                raise RunError(
                    tr("{name} declares {columns} x {rows} pixels; it is damaged.").format(
                        name=self.name, columns=columns, rows=rows
                    )
                )
            check_allowance(4 * rows * columns, size, self.name)
        except BaseException:
            self.close()
            raise
        context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
        self.stream.thread_type = "AUTO"

    def _pictures(self) -> Any:
        from av.stream import Disposition

        for stream in self.container.streams.video:
            if stream.codec_context is not None and not (
                stream.disposition & Disposition.attached_pic
            ):
                return stream
        raise RunError(tr("{name} holds no pictures; choose another file.").format(name=self.name))

    def frames(self) -> Iterator[Any]:
        """Yield the decoded frames; packets that cannot be decoded give none."""
        import av

        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, ValueError):  # cut off
                return
            if packet is None:
                return
            try:
                yield from packet.decode()
            except (av.FFmpegError, ValueError) as error:
                self.failed_count += 1
                logger.info("video packet not decoded: %s", type(error).__name__)

    def seek(self, stamp: int) -> Iterator[Any]:
        """Return the frames from the key frame at or before a time stamp on."""
        self.container.seek(stamp, stream=self.stream, backward=True)
        return self.frames()

    def close(self) -> None:
        """Release the file."""
        self.container.close()
        self.file.close()


@dataclass(frozen=True, slots=True)
class VideoIndex:
    """What one pass found; everything in the order in which the frames are shown.

    Attributes
    ----------
    stamps : tuple of int
        Presentation times in the stream's time base, increasing; empty where frames have none.
    keys : tuple of int
        Frames from which decoding can begin.
    checks : tuple of int
        A check sum of each frame's pixels; empty where the frames have not been decoded.
    hidden_count, packet_count : int
        Packets that an edit list hides, and all of them.
    failed_count : int
        Packets that could not be decoded; their frames are left out.
    """

    frame_count: int
    stamps: tuple[int, ...]
    keys: tuple[int, ...]
    checks: tuple[int, ...]
    hidden_count: int
    packet_count: int
    failed_count: int = 0


class VideoFrames:
    """Frames of one video (a `FrameSource`)."""

    def __init__(self, source: VideoSource, index: VideoIndex, matrix: tuple[int, ...]) -> None:
        self._source = source
        self._name = source.name
        self._index = index
        self._matrix = matrix
        self._index_of = {stamp: i for i, stamp in enumerate(index.stamps)}
        self._jumps = bool(index.stamps)
        self._decoder: Decoder | None = None
        self._frames: Iterator[Any] = iter(())
        self._counted = False  # frames come from the beginning on, so that counting tells them
        self._position = -1  # frame that was decoded last
        self._recent: OrderedDict[int, Frame] = OrderedDict()
        self._turns = Turns(self._release, self._name)

    def read(self, index: int) -> Frame:
        """Return the luminance of frame ``index``, with the bits that the video has."""
        import av

        with self._turns.turn():
            if index in self._recent:
                return self._recent[index]
            try:
                found = self._found(index)
            except (av.FFmpegError, ValueError) as error:
                self._release()
                logger.info("video frame %d: %s", index, type(error).__name__)
                found = None
            if found is None:
                raise RunError(
                    tr("Frame {number} of {name} is damaged.").format(
                        number=index + 1, name=self._name
                    )
                )
            return found

    def close(self) -> None:
        """Release the file."""
        self._turns.close()

    def _release(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
        self._decoder, self._frames, self._position = None, iter(()), -1

    def _found(self, index: int) -> Frame | None:
        keys = self._index.keys
        at = bisect_right(keys, index) - 1
        key = keys[at] if at >= 0 else 0
        ahead = self._decoder is not None and key - 1 <= self._position < index
        if ahead and (found := self._forward(index)) is not None:
            return found
        if self._jumps and key > 0:
            if self._decoder is None:
                self._decoder = Decoder(self._source)
            self._frames = self._decoder.seek(self._index.stamps[key])
            self._counted = False
            if (found := self._forward(index)) is not None:
                return found
            if self._index.checks:
                logger.info("jumps in this video mislead; it is decoded from its beginning")
                self._jumps = False
        return self._from_beginning(index)

    def _from_beginning(self, index: int) -> Frame | None:
        if not (self._counted and self._position < index):
            self._release()
            self._decoder = Decoder(self._source)
            self._frames = self._decoder.frames()
            self._counted = True
        return self._forward(index)

    def _forward(self, index: int) -> Frame | None:
        """Decode on to frame ``index``; None where that does not lead there."""
        for frame in self._frames:
            if self._counted and self._index.checks:
                at: int | None = self._position + 1
            else:
                at = self._index_of.get(frame.pts)
            if at is None:
                continue
            if at > index:
                self._position = at
                return None
            pixels = grey_frame(frame, self._matrix)
            checked = not self._counted and self._index.checks and at == index
            if checked and _check_sum(pixels) != self._index.checks[at]:
                return None
            self._position = at
            if at == index or self._counted:
                self._recent[at] = pixels
            while len(self._recent) > _KEPT_FRAMES:
                self._recent.popitem(last=False)
            if at == index:
                return pixels
        self._release()
        return None


def grey_frame(frame: Any, matrix: Sequence[int] = ()) -> Frame:
    """Return the grey picture of a decoded frame, (rows, columns) of uint8 or uint16.

    Parameters
    ----------
    frame : av.VideoFrame
    matrix : nine int
        The display matrix of the stream, by which players turn and mirror the picture.
    """
    bits = frame_bits(frame)
    wanted = "gray" if bits == 8 else f"gray{bits}le"
    grey = frame if frame.format.name == wanted else frame.reformat(format=wanted)
    plane = grey.planes[0]
    dtype = np.dtype(np.uint8 if bits == 8 else "<u2")
    lines = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)
    pixels = lines[: grey.height, : grey.width].astype(dtype.newbyteorder("="))
    if not matrix:
        return pixels
    a, b, _, c, d = matrix[:5]  # x' = a x + c y, y' = b x + d y
    if abs(b) > abs(a):
        pixels, a, d = pixels.T, c, b
    if a < 0:
        pixels = pixels[:, ::-1]
    if d < 0:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def frame_bits(frame: Any) -> int:
    """Return the bits of a sample of a decoded frame as grey: 8 to 16."""
    most = max(component.bits for component in frame.format.components)
    return next((bits for bits in _GREY_BITS if most <= bits), _GREY_BITS[-1])


def _check_sum(pixels: Frame) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels).data)


def display_matrix(frame: Any) -> tuple[int, ...]:
    """Return the matrix by which players turn and mirror the picture; empty where they do not."""
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)
    values = () if data is None else tuple(np.frombuffer(bytes(data), np.int32)[:9].tolist())
    upright = len(values) < 9 or (values[0] > 0 and values[4] > 0 and values[1] == values[3] == 0)
    return () if upright else values


def index_video(source: VideoSource, matrix: tuple[int, ...], shape: tuple[int, ...]) -> VideoIndex:
    """Find the frames: by decoding all, or, where there are very many, by their packets.

    Raises
    ------
    RunError
        If there are more than can be handled.
    """
    decoder = Decoder(source)
    try:
        packets = _packets(decoder)
    finally:
        decoder.close()
    shown = [p for p in packets if not p.hidden]
    found = len(packets) - len(shown), len(packets)
    stamps = sorted(p.stamp for p in shown if p.stamp is not None)
    told = len(stamps) == len(shown) == len(set(stamps)) and bool(stamps)
    if told and len(packets) * shape[0] * shape[1] > DECODED_PIXELS:
        starts = {p.stamp for p in shown if p.key}
        keys = tuple(i for i, stamp in enumerate(stamps) if stamp in starts)
        return VideoIndex(len(stamps), tuple(stamps), keys, (), *found)
    return _decoded_index(source, matrix, *found)


def damage_notes(index: VideoIndex) -> tuple[str, ...]:
    """Return a sentence on pictures that are left out because they cannot be decoded."""
    count = index.failed_count
    if not count:
        return ()
    told = ngettext(
        "{count} picture of the video is damaged and left out; later frames move up.",
        "{count} pictures of the video are damaged and left out; later frames move up.",
        count,
    )
    return (told.format(count=count),)


@dataclass(frozen=True, slots=True)
class _Packet:
    stamp: int | None
    key: bool
    hidden: bool


def _packets(decoder: Decoder) -> list[_Packet]:
    import av

    packets: list[_Packet] = []
    try:
        for packet in decoder.container.demux(decoder.stream):
            if packet.size:
                packets.append(_Packet(packet.pts, packet.is_keyframe, packet.is_discard))
            check_frame_count(len(packets), decoder.name)
    except (av.FFmpegError, ValueError):
        logger.info("video is cut off after %d packets", len(packets))
    return packets


def _decoded_index(
    source: VideoSource, matrix: tuple[int, ...], hidden_count: int, packet_count: int
) -> VideoIndex:
    stamps: list[int | None] = []
    keys: list[int] = []
    checks: list[int] = []
    decoder = Decoder(source)
    try:
        for frame in decoder.frames():
            if frame.key_frame:
                keys.append(len(stamps))
            stamps.append(frame.pts)
            checks.append(_check_sum(grey_frame(frame, matrix)))
            check_frame_count(len(stamps), decoder.name)
    finally:
        decoder.close()
    told = [stamp for stamp in stamps if stamp is not None]
    increasing = all(a < b for a, b in itertools.pairwise(told))
    usable = tuple(told) if len(told) == len(stamps) and increasing else ()
    found = hidden_count, packet_count, decoder.failed_count
    return VideoIndex(len(stamps), usable, tuple(keys), tuple(checks), *found)
