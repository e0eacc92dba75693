"""Writes what is shown as an MP4 that plays at the run's true speed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from gettext import gettext as tr
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from app.errors import UserError
from app.outputs import output_error, whole_file

ENCODERS = ("libopenh264", "h264_videotoolbox", "h264_mf", "libx264", "mpeg4")
TICKS_PER_S = 10_000  # MPEG-4 allows at most 65,535
BITS_PER_PIXEL = 0.25  # for encoders that know no constant quality
BT709 = 1
LIMITED_RANGE = 1


class RecordingError(UserError):
    """A movie that cannot be written."""


class MovieWriter:
    """An MP4 of given frame times, written frame by frame.

    H.264 by the first of these that this computer has: Cisco's OpenH264 (BSD), the encoder of
    macOS, the encoder of Windows, x264 (GPL; in the FFmpeg that PyAV's wheels bring); else MPEG-4
    part 2. The file appears at `close`; as a context manager it is left out after an exception, as
    it is after any UserError of `write` and `close`.

    Parameters
    ----------
    path : Path
        The file to write; an old one is replaced.
    frame_times_ms : sequence of float
        When each frame is shown, increasing; the movie begins with the first. The last frame
        stays for the median interval.
    size : (width, height)
        Of the pictures; an odd one is padded by one pixel.

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
    ) -> None:
        times = np.asarray(frame_times_ms, float)
        ticks = np.round((times - times[:1]) * TICKS_PER_S / 1000).astype(int)
        least = np.arange(len(ticks))
        self._ticks = np.maximum.accumulate(ticks - least) + least  # at least one tick apart
        gaps = np.diff(self._ticks)
        last = int(np.median(gaps)) if len(gaps) else TICKS_PER_S
        self._durations = [*gaps.tolist(), max(1, last)]
        self._width, self._height = size
        self._path = path
        self._written = 0
        even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        rate = Fraction(TICKS_PER_S, max(1, last)).limit_denominator(1001)
        self.encoder = _best_encoder(even, rate)
        self._file = ExitStack()
        self._draft = self._file.enter_context(whole_file(path))
        with self._told():
            self._container = av.open(str(self._draft), "w", format="mp4")
            self._file.callback(self._container.close)
            stream = self._container.add_stream(self.encoder, rate=rate)
            assert isinstance(stream, av.VideoStream)
            self._stream = stream
            _configure(stream.codec_context, self.encoder, even, rate)

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
        if picture.ndim == 2:  # swscale would not map grey to the limited range of video
            picture = np.repeat(picture[:, :, None], 3, axis=2)
        if self._height % 2 or self._width % 2:
            edges = ((0, self._height % 2), (0, self._width % 2), (0, 0))
            picture = np.pad(picture, edges, mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
        frame.time_base = Fraction(1, TICKS_PER_S)
        frame.pts = int(self._ticks[self._written])
        frame.duration = self._durations[self._written]
        self._written += 1
        with self._told():
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Complete the file and put it in its place.

        Raises
        ------
        UserError
            If it cannot be written; what was at the path before stays.
        """
        with self._told():
            if self._written:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            with av.open(str(self._draft)):  # its last bytes may be lost without an error
                pass
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


def _best_encoder(size: tuple[int, int], rate: Fraction) -> str:
    """Return the first encoder that takes pictures of this size on this computer."""
    for name in ENCODERS:
        try:
            context = av.CodecContext.create(name, "w")
            assert isinstance(context, VideoCodecContext)
            _configure(context, name, size, rate)
            context.open()
        except (ValueError, OSError):  # unknown here (PyAV's errors derive from these)
            continue
        return name
    raise RecordingError(tr("This computer has no encoder for movies of this size; save pictures."))


def _configure(
    context: VideoCodecContext, encoder: str, size: tuple[int, int], rate: Fraction
) -> None:
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, TICKS_PER_S)
    context.framerate = rate
    context.color_range = LIMITED_RANGE
    context.colorspace = context.color_primaries = context.color_trc = BT709
    if encoder == "libx264":
        # without B-frames: with uneven times they make the file tell a wrong length
        context.options = {"crf": "16", "preset": "veryfast", "bf": "0"}
    else:
        context.bit_rate = int(size[0] * size[1] * float(rate) * BITS_PER_PIXEL)
