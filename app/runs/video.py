"""Video files by PyAV: the frames that a player shows, in the order in which it shows them.

Packets are no frames: an edit list hides some, B-frames come in another order, some carry no
time. So a video of ordinary length is decoded once while it opens. What a frame is after a jump is
checked against that pass; where a jump does not lead to the same picture, the video is decoded
from its beginning.
"""

from __future__ import annotations

import itertools
import logging
import os
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from gettext import gettext as tr
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.runs.allowance import check_allowance
from app.runs.codestreams import MAX_FRAME_PIXELS
from app.runs.files import Turns, open_regular, shown_name
from app.runs.run import GreyScale, Run, RunError, TimingSource, pixel_aspect
from app.runs.timing import ASSUMED_RATE_HZ, assumed_times, even_times

logger = logging.getLogger(__name__)

MAX_FRAMES = 1_000_000
DECODED_PIXELS = 1 << 30
"""A video of more pixels (1000 frames of 1024 x 1024) is not decoded while it opens."""

_LONGEST_MS = 1e9  # eleven days
_KEPT_FRAMES = 32
"""Decoded frames at hand, for neighbours that are asked for slightly out of order."""

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,mpeg,mpegts,mpegvideo,m4v,h264,hevc,flv,ogg"
)
"""Single files; playlists and their kin name other files and hosts."""

_GREY_BITS = (8, 9, 10, 12, 14, 16)

Frame = NDArray[np.generic]


class _Decoder:
    """One pass over a video's frames, from the beginning or from a key frame."""

    def __init__(self, path: Path) -> None:
        import av

        av.logging.set_level(av.logging.PANIC)
        self.name = shown_name(path)
        self.file: BinaryIO = open_regular(path)
        try:
            options = {"format_whitelist": _FORMATS, "protocol_whitelist": ""}
            self.container: Any = av.open(self.file, options=options)
        except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
            self.file.close()
            raise RunError(
                tr("{name} is no video that can be read; convert it to MP4.").format(name=self.name)
            ) from error
        try:
            self.stream = self._pictures()
            size = os.fstat(self.file.fileno()).st_size
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
                logger.info("video packet not decoded: %s", type(error).__name__)

    def seek(self, stamp: int) -> Iterator[Any]:
        """Return the frames from the key frame at or before a time stamp on."""
        self.container.seek(stamp, stream=self.stream, backward=True)
        return self.frames()

    def close(self) -> None:
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
    """

    frame_count: int
    stamps: tuple[int, ...]
    keys: tuple[int, ...]
    checks: tuple[int, ...]


class VideoFrames:
    """Frames of one video (a `FrameSource`)."""

    def __init__(self, path: Path, index: VideoIndex, matrix: tuple[int, ...]) -> None:
        self._path = path
        self._name = shown_name(path)
        self._index = index
        self._matrix = matrix
        self._index_of = {stamp: i for i, stamp in enumerate(index.stamps)}
        self._jumps = bool(index.stamps)
        self._decoder: _Decoder | None = None
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
                self._decoder = _Decoder(self._path)
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
            self._decoder = _Decoder(self._path)
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


def _display_matrix(frame: Any) -> tuple[int, ...]:
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)
    values = () if data is None else tuple(np.frombuffer(bytes(data), np.int32)[:9].tolist())
    upright = len(values) < 9 or (values[0] > 0 and values[4] > 0 and values[1] == values[3] == 0)
    return () if upright else values


def open_video(path: Path) -> Run:
    """Open the first stream of pictures in a video file.

    Raises
    ------
    RunError
        If it is damaged, too large, or of a format that names other files.
    """
    import av

    decoder = _Decoder(path)
    try:
        first = next(decoder.frames(), None)
        if first is None:
            raise RunError(
                tr("{name} holds no frame that can be decoded; convert it again.").format(
                    name=decoder.name
                )
            )
        matrix = _display_matrix(first)
        shape, bits = grey_frame(first, matrix).shape, frame_bits(first)
        index = _index(path, matrix, shape)
        stream = decoder.stream
        times, source, notes = _times(index, stream.time_base, stream.average_rate)
        wide = float(stream.sample_aspect_ratio or 1)  # width over height; None where unknown
    except (av.FFmpegError, ValueError, ArithmeticError) as error:
        raise RunError(
            tr("{name} is a damaged video; copy or convert it again.").format(name=decoder.name)
        ) from error
    finally:
        decoder.close()
    turned = bool(matrix) and abs(matrix[1]) > abs(matrix[0])
    return Run(
        path=path,
        frames=VideoFrames(path, index, matrix),
        frame_count=index.frame_count,
        rows=shape[0],
        columns=shape[1],
        frame_times_ms=times,
        timing_source=source,
        grey=GreyScale(bits_stored=bits),
        nominal_range=(0.0, float((1 << bits) - 1)),
        pixel_aspect_ratio=pixel_aspect(wide, 1.0) if turned else pixel_aspect(1.0, wide),
        notes=notes,
    )


def video_frame_count(path: Path) -> int | None:
    """Return the frames that a video's header counts; None where only decoding would tell."""
    decoder = _Decoder(path)
    try:
        entries = getattr(decoder.stream, "index_entries", ())
        listed = len(entries)
        if "mp4" not in decoder.container.format.name or listed != decoder.stream.frames:
            return None
        return sum(not entry.is_discard for entry in entries) or None
    finally:
        decoder.close()


def _index(path: Path, matrix: tuple[int, ...], shape: tuple[int, ...]) -> VideoIndex:
    """Find the frames: by decoding all, or, where there are very many, by their packets."""
    decoder = _Decoder(path)
    try:
        packets = _packets(decoder)
    finally:
        decoder.close()
    shown = [p for p in packets if not p.hidden]
    stamps = sorted(p.stamp for p in shown if p.stamp is not None)
    told = len(stamps) == len(shown) == len(set(stamps)) and bool(stamps)
    if told and len(packets) * shape[0] * shape[1] > DECODED_PIXELS:
        starts = {p.stamp for p in shown if p.key}
        keys = tuple(i for i, stamp in enumerate(stamps) if stamp in starts)
        return VideoIndex(len(stamps), tuple(stamps), keys, ())
    return _decoded_index(path, matrix)


@dataclass(frozen=True, slots=True)
class _Packet:
    stamp: int | None
    key: bool
    hidden: bool


def _packets(decoder: _Decoder) -> list[_Packet]:
    import av

    packets: list[_Packet] = []
    try:
        for packet in decoder.container.demux(decoder.stream):
            if packet.size:
                packets.append(_Packet(packet.pts, packet.is_keyframe, packet.is_discard))
            if len(packets) > MAX_FRAMES:
                raise RunError(
                    tr("{name} is longer than a million frames; cut it.").format(name=decoder.name)
                )
    except (av.FFmpegError, ValueError):
        logger.info("video is cut off after %d packets", len(packets))
    return packets


def _decoded_index(path: Path, matrix: tuple[int, ...]) -> VideoIndex:
    stamps: list[int | None] = []
    keys: list[int] = []
    checks: list[int] = []
    decoder = _Decoder(path)
    try:
        for frame in decoder.frames():
            if frame.key_frame:
                keys.append(len(stamps))
            stamps.append(frame.pts)
            checks.append(_check_sum(grey_frame(frame, matrix)))
            if len(stamps) > MAX_FRAMES:
                raise RunError(
                    tr("{name} is longer than a million frames; cut it.").format(name=decoder.name)
                )
    finally:
        decoder.close()
    told = [stamp for stamp in stamps if stamp is not None]
    increasing = all(a < b for a, b in itertools.pairwise(told))
    usable = tuple(told) if len(told) == len(stamps) and increasing else ()
    return VideoIndex(len(stamps), usable, tuple(keys), tuple(checks))


def _times(
    index: VideoIndex, time_base: Fraction | None, rate: Fraction | None
) -> tuple[NDArray[np.float64], TimingSource, tuple[str, ...]]:
    if index.stamps and time_base:
        times = (np.array(index.stamps) - index.stamps[0]) * float(time_base) * 1000.0
        if np.all(np.diff(times) > 0) and times[-1] < _LONGEST_MS:
            return times, TimingSource.VIDEO, ()
    if rate and 0.01 <= rate <= 10_000:
        return even_times(index.frame_count, 1000.0 / float(rate)), TimingSource.VIDEO, ()
    note = tr("The video has no sound times; {rate} frames/s are assumed.").format(
        rate=f"{ASSUMED_RATE_HZ:g}"
    )
    return assumed_times(index.frame_count), TimingSource.ASSUMED, (note,)
