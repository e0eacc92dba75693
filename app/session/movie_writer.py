"""Writes what is shown as a movie, an animation or pictures that keep the run's true times."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from gettext import gettext as tr
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from app.errors import UserError
from app.outputs import output_error, whole_file, whole_folder

ENCODERS = ("libopenh264", "h264_videotoolbox", "h264_mf", "libx264", "mpeg4")
BITS_PER_PIXEL = 0.25  # for encoders that know no constant quality
BT709 = 1
LIMITED_RANGE = 1
WEBP_OPTIONS = {"quality": "90", "compression_level": "2"}
FOR_EVER = {"loop": "0"}
RIFF_HEADER = 12
ANMF_DURATION = 20
"""Where the duration of a frame stands, from the beginning of its chunk."""
GIF_END = b";"
PALETTE = "stats_mode=single:reserve_transparent=0"
"""Each frame has 256 colours of its own, so that no grey is lost."""


class RecordingError(UserError):
    """A movie that cannot be written."""


class MovieWriter:
    """Pictures of given times, written one by one.

    The ending of the path decides: ``.mp4`` a movie, ``.webp`` and ``.gif`` an animation that
    repeats, ``.png`` a single picture; with any other, or none, the path is a new folder of PNG
    files. What was asked for appears at `close`, whole; as a context manager it is left out after
    an exception, as it is after any UserError of `write` and `close`.

    Parameters
    ----------
    path : Path
        What to write; an old file is replaced, an old folder is not.
    frame_times_ms : sequence of float
        When each frame is shown, increasing; the movie begins with the first. The last frame
        stays for the median interval. Frames that follow faster than the format allows (WebP: 11
        ms, GIF: 20 ms) are left out, so that the others keep their times.
    size : (width, height)
        Of the pictures; in an MP4 an odd one is padded by one pixel.
    first_number : int
        What the first file in a folder is numbered.

    Raises
    ------
    UserError
        If no encoder can write pictures of this size, or if the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        frame_times_ms: Sequence[float] | NDArray[np.float64],
        size: tuple[int, int],
        first_number: int = 1,
    ) -> None:
        kind = KINDS.get(path.suffix.lower(), _Pngs)
        ticks = _ticks(np.asarray(frame_times_ms, float), kind.ticks_per_s, kind.least_ticks)
        gaps = np.diff([tick for tick in ticks if tick is not None])
        last = max(1, int(np.median(gaps))) if len(gaps) else kind.ticks_per_s
        self._ticks = iter(ticks)
        self._durations = iter([*gaps.tolist(), last])
        self._width, self._height = size
        self._path = path
        self._output = kind(size, last, first_number)
        self._file = ExitStack()
        draft = self._file.enter_context(
            whole_file(path) if path.suffix.lower() in KINDS else whole_folder(path)
        )
        with self._told():
            self._output.open(draft, self._file)

    @property
    def encoder(self) -> str:
        """FFmpeg's name of what writes the pictures."""
        return self._output.encoder

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Write the next frame.

        Parameters
        ----------
        picture : ndarray of uint8, shape (height, width) or (height, width, 3)
            Grey, or red, green and blue.

        Raises
        ------
        UserError
            If it cannot be written, for instance because the disk is full; the movie is given up.
        """
        if picture.dtype != np.uint8 or picture.shape[:2] != (self._height, self._width):
            raise ValueError(f"a picture of {picture.shape} {picture.dtype} does not fit the movie")
        tick = next(self._ticks)
        if tick is None:
            return
        if picture.ndim == 2:
            picture = np.repeat(picture[:, :, None], 3, axis=2)
        with self._told():
            self._output.write(np.ascontiguousarray(picture), tick, next(self._durations))

    def close(self) -> None:
        """Complete the file and put it in its place.

        Raises
        ------
        UserError
            If it cannot be written; what was at the path before stays.
        """
        with self._told():
            self._output.complete()
            self._file.close()

    def abort(self) -> None:
        """Give up; what was at the path before stays. Nothing happens after `close`."""
        with suppress(av.FFmpegError, UserError):  # the disk may be full still
            self._file.__exit__(RecordingError, RecordingError(), None)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Give up after an error, and turn the system's words into a sentence."""
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            self.abort()
            raise output_error(self._path, error.errno) from error

    def __enter__(self) -> MovieWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def _ticks(times_ms: NDArray[np.float64], per_s: int, least: int) -> list[int | None]:
    """Return when each frame is shown; None for one that comes too soon after another."""
    ticks: list[int | None] = []
    shown = -least
    for tick in np.round((times_ms - times_ms[:1]) * per_s / 1000).astype(int).tolist():
        late_enough = tick - shown >= least
        ticks.append(tick if late_enough else None)
        shown = tick if late_enough else shown
    return ticks


class _Pngs:
    """One picture, or a folder of them."""

    ticks_per_s = 1000
    least_ticks = 0
    encoder = "png"

    def __init__(self, size: tuple[int, int], last_ticks: int, first_number: int) -> None:
        self._number = first_number

    def open(self, draft: Path, file: ExitStack) -> None:
        """Begin to fill a draft."""
        self._draft = draft

    def write(self, picture: NDArray[np.uint8], tick: int, duration: int) -> None:
        """Write the picture as the next file."""
        file = self._draft
        if file.is_dir():
            file = file / f"frame{self._number:04d}.png"
        file.write_bytes(cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes())
        self._number += 1

    def complete(self) -> None:
        """Nothing is left to be written."""


class _Stream:
    """A file that FFmpeg writes.

    Parameters
    ----------
    size : (width, height)
    last_ticks : int
        How long the last frame stays.
    """

    container_format: str
    encoder: str
    pixels: str
    ticks_per_s: int
    least_ticks: int
    options: Mapping[str, str] = {}
    container_options: Mapping[str, str] = {}

    def __init__(self, size: tuple[int, int], last_ticks: int, first_number: int) -> None:
        self._size = size
        self._last_ticks = last_ticks
        self._tick = Fraction(1, self.ticks_per_s)
        self._rate = Fraction(self.ticks_per_s, last_ticks).limit_denominator(1001)

    def open(self, draft: Path, file: ExitStack) -> None:
        """Begin to write a draft, which ``file`` closes in the end."""
        self._draft = draft
        self._container = av.open(
            str(draft), "w", format=self.container_format, options=dict(self.container_options)
        )
        file.callback(self._container.close)
        stream = self._container.add_stream(self.encoder, rate=self._rate)
        assert isinstance(stream, av.VideoStream)
        self._stream = stream
        self._configure(stream.codec_context)

    def _configure(self, context: VideoCodecContext) -> None:
        context.width, context.height = self._size
        context.pix_fmt = self.pixels
        context.time_base = self._tick
        context.framerate = self._rate
        context.options = dict(self.options)

    def write(self, picture: NDArray[np.uint8], tick: int, duration: int) -> None:
        """Encode a picture (H, W, 3)."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.time_base = self._tick
        frame.pts, frame.duration = tick, duration
        self._encode(frame)

    def _encode(self, frame: av.VideoFrame) -> None:
        self._container.mux(self._stream.encode(frame.reformat(format=self.pixels)))

    def complete(self) -> None:
        """Write what is left, and make sure that it is there: errors of the last bytes get lost."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._check()

    def _check(self) -> None:
        raise NotImplementedError


class _Mp4(_Stream):
    """H.264 by the first of these that this computer has, else MPEG-4 part 2.

    Cisco's OpenH264 (BSD), the encoder of macOS, the encoder of Windows, x264 (GPL; in the FFmpeg
    that PyAV's wheels bring).
    """

    container_format = "mp4"
    pixels = "yuv420p"
    ticks_per_s = 10_000  # MPEG-4 allows at most 65,535
    least_ticks = 1

    def __init__(self, size: tuple[int, int], last_ticks: int, first_number: int) -> None:
        even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        super().__init__(even, last_ticks, first_number)
        self.encoder = self._best_encoder()

    def _best_encoder(self) -> str:
        """Return the first encoder that takes pictures of this size on this computer."""
        for name in ENCODERS:
            self.encoder = name
            try:
                context = av.CodecContext.create(name, "w")
                assert isinstance(context, VideoCodecContext)
                self._configure(context)
                context.open()
            except (ValueError, OSError):  # unknown here (PyAV's errors derive from these)
                continue
            return name
        raise RecordingError(
            tr("This computer has no encoder for movies of this size; save pictures.")
        )

    def _configure(self, context: VideoCodecContext) -> None:
        super()._configure(context)
        context.color_range = LIMITED_RANGE
        context.colorspace = context.color_primaries = context.color_trc = BT709
        if self.encoder == "libx264":
            # without B-frames: with uneven times they make the file tell a wrong length
            context.options = {"crf": "16", "preset": "veryfast", "bf": "0"}
        else:
            width, height = self._size
            context.bit_rate = int(width * height * float(self._rate) * BITS_PER_PIXEL)

    def write(self, picture: NDArray[np.uint8], tick: int, duration: int) -> None:
        """Encode a picture (H, W, 3), an odd side padded."""
        height, width = picture.shape[:2]
        if height % 2 or width % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        super().write(picture, tick, duration)

    def _encode(self, frame: av.VideoFrame) -> None:
        video = frame.reformat(format=self.pixels, dst_colorspace=Colorspace.ITU709)
        self._container.mux(self._stream.encode(video))

    def _check(self) -> None:
        with av.open(str(self._draft)):
            pass


class _WebP(_Stream):
    """An animated WebP. Pictures that are the same become one that stays longer."""

    container_format = "webp"
    encoder = "libwebp_anim"
    pixels = "bgra"
    ticks_per_s = 1000
    least_ticks = 11  # what stays 10 ms or less, browsers show for 100 ms
    options = WEBP_OPTIONS
    container_options = FOR_EVER

    def _check(self) -> None:
        """Set how long the last frame stays as well: libwebp guesses it."""
        with self._draft.open("r+b") as file:
            file.seek(4)
            end = 8 + int.from_bytes(file.read(4), "little")
            if end != self._draft.stat().st_size:
                raise OSError(errno.EIO, "cut short", str(self._draft))
            at, last = RIFF_HEADER, 0
            while at < end:
                file.seek(at)
                name, size = file.read(4), int.from_bytes(file.read(4), "little")
                last = at if name == b"ANMF" else last
                at += 8 + size + size % 2
            if last:
                file.seek(last + ANMF_DURATION)
                file.write(self._last_ticks.to_bytes(3, "little"))


class _Gif(_Stream):
    """An animated GIF."""

    container_format = "gif"
    encoder = "gif"
    pixels = "pal8"
    container_options = FOR_EVER
    ticks_per_s = 100
    least_ticks = 2  # what stays 10 ms or less, browsers show for 100 ms

    def open(self, draft: Path, file: ExitStack) -> None:
        """Begin to write a draft, which ``file`` closes in the end."""
        super().open(draft, file)
        width, height = self._size
        self._graph = graph = av.filter.Graph()
        source = graph.add_buffer(
            width=width, height=height, format=av.VideoFormat("rgb24"), time_base=self._tick
        )
        split, sink = graph.add("split"), graph.add("buffersink")
        palette = graph.add("palettegen", PALETTE)
        use = graph.add("paletteuse", "new=1:dither=none")
        source.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(palette, 1, 0)
        palette.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()

    def _encode(self, frame: av.VideoFrame | None) -> None:
        self._graph.vpush(frame)
        with suppress(av.BlockingIOError, av.EOFError):  # until the next frame, or for good
            while True:
                self._container.mux(self._stream.encode(self._graph.vpull()))

    def complete(self) -> None:
        """Write what is left, and make sure that it is there."""
        self._encode(None)
        super().complete()

    def _check(self) -> None:
        with self._draft.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read() != GIF_END:
                raise OSError(errno.EIO, "cut short", str(self._draft))


KINDS: Mapping[str, type[_Pngs | _Stream]] = {
    ".mp4": _Mp4,
    ".webp": _WebP,
    ".gif": _Gif,
    ".png": _Pngs,
}
"""By the ending of a file; all else is a folder."""
