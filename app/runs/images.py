"""Still pictures: a folder of frames, one image, or a multi-page TIFF."""

from __future__ import annotations

import logging
import re
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.runs.codestreams import (
    MAX_FRAME_PIXELS,
    CodestreamError,
    codestream_size,
    decode_jpeg,
    decode_jpeg_2000,
)
from app.runs.files import open_regular, opening_error
from app.runs.greys import to_grey
from app.runs.run import GreyScale, Run, RunError
from app.runs.timing import ASSUMED_RATE_HZ, assumed_times

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".jp2", ".j2k"})
TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_BMP = b"BM"
_JPEG_2000 = (b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")

SAMPLED_FRAMES = 16
"""Frames that are read to guess the grey scale of pictures of more than 8 bits."""

ASSUMED_NOTE = f"These pictures have no times; {ASSUMED_RATE_HZ:g} frames/s are assumed."


def is_image(head: bytes) -> bool:
    """Tell by its first bytes whether a file is a picture that can be read."""
    return head.startswith((_PNG, _JPEG, _BMP, *_JPEG_2000, *TIFF_SIGNATURES))


def natural_key(path: Path) -> tuple[tuple[int, int | str], ...]:
    """Sort key with numbers by value: frame_2 before frame_10."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return tuple((0, int(p)) if p.isdecimal() else (1, p) for p in parts if p)


def image_files(folder: Path) -> list[Path]:
    """Return the pictures of a folder in natural order, hidden files left out."""
    try:
        found = [
            p
            for p in folder.iterdir()
            if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".") and p.is_file()
        ]
    except OSError as error:
        raise opening_error(folder, error) from error
    return sorted(found, key=natural_key)


def read_image(path: Path) -> NDArray[np.generic]:
    """Decode one picture by its content to (rows, columns) grey.

    Raises
    ------
    RunError
        If it is damaged, too large or no picture.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise opening_error(path, error) from error
    try:
        return plain_pixels(to_grey(_decode(data, path)))
    except (CodestreamError, RuntimeError, ValueError, struct.error, IndexError, KeyError) as error:
        logger.info("picture not readable: %s", type(error).__name__)
        raise RunError(f"{path.name} is a damaged picture; copy or export it again.") from error


def _decode(data: bytes, path: Path) -> NDArray[np.generic]:
    import imagecodecs

    if data.startswith(_PNG):
        columns, rows = struct.unpack_from(">II", data, 16)
        _check_size(rows, columns, path)
        return imagecodecs.png_decode(data)
    if data.startswith(_BMP):
        columns, rows = struct.unpack_from("<ii", data, 18)
        _check_size(abs(rows), columns, path)
        return imagecodecs.bmp_decode(data)
    if data.startswith(TIFF_SIGNATURES):
        with TiffFrames(path) as pages:
            return pages.read(0)
    size = codestream_size(data)
    _check_size(size.rows, size.columns, path)
    return decode_jpeg(data) if data.startswith(_JPEG) else decode_jpeg_2000(data)


def _check_size(rows: int, columns: int, path: Path) -> None:
    if not 0 < rows * columns <= MAX_FRAME_PIXELS:
        raise RunError(f"{path.name} declares {columns} x {rows} pixels; it is damaged.")


def plain_pixels(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Bring any pixel type to one that runs hold: 8 or 16 bit integers, or float32."""
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        return np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))
    if pixels.dtype.kind in "iuf":
        return np.nan_to_num(pixels.astype(np.float32))
    raise CodestreamError("its pixels are no real numbers")


class ImageFolderFrames:
    """Frames that lie in one file each (a `FrameSource`)."""

    def __init__(self, paths: Sequence[Path], shape: tuple[int, int]) -> None:
        self._paths = paths
        self._shape = shape

    def read(self, index: int) -> NDArray[np.generic]:
        """Decode one picture; RunError where it is damaged or of another size."""
        path = self._paths[index]
        pixels = read_image(path)
        if pixels.shape != self._shape:
            raise RunError(
                f"{path.name} is {pixels.shape[1]} x {pixels.shape[0]} pixels, not "
                f"{self._shape[1]} x {self._shape[0]} as the first frame."
            )
        return pixels

    def close(self) -> None:
        """Nothing is held open."""


class TiffFrames:
    """Pages of one TIFF file (a `FrameSource`)."""

    def __init__(self, path: Path) -> None:
        import tifffile

        self._name = path.name
        self._lock = threading.Lock()
        try:
            self._file = tifffile.TiffFile(path)
        except OSError as error:
            raise opening_error(path, error) from error
        except (tifffile.TiffFileError, ValueError, struct.error) as error:
            raise self._damaged() from error
        try:
            self.page_count = len(self._file.pages)
            shape = self._file.pages[0].shape
        except (tifffile.TiffFileError, ValueError, struct.error, IndexError, TypeError) as error:
            self._file.close()
            raise self._damaged() from error
        if len(shape) < 2 or int(np.prod(shape, dtype=np.float64)) > 4 * MAX_FRAME_PIXELS:
            self._file.close()
            raise self._damaged()

    def __enter__(self) -> TiffFrames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _damaged(self) -> RunError:
        return RunError(f"{self._name} is a damaged TIFF file; copy or export it again.")

    def read(self, index: int) -> NDArray[np.generic]:
        """Decode one page."""
        try:
            with self._lock:
                page = self._file.pages[index]
                pixels = page.asarray()
            if page.photometric == 0:  # white is zero
                pixels = np.iinfo(pixels.dtype).max - pixels
            return plain_pixels(to_grey(pixels))
        except (RuntimeError, ValueError, struct.error, IndexError, OSError, TypeError) as error:
            logger.info("TIFF page %d not readable: %s", index, type(error).__name__)
            raise self._damaged() from error

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._file.close()


@dataclass(frozen=True, slots=True)
class GreyRange:
    """Grey scale and nominal range of frames that come without a description."""

    grey: GreyScale
    nominal: tuple[float, float]


def grey_range(sample: NDArray[np.generic], *, whole: bool = True) -> GreyRange:
    """Guess the grey scale from frames: the dtype, and the bits that their values need.

    Where the sample is not the ``whole`` run, other frames may need all bits of the dtype.
    """
    low, high = float(sample.min()), float(sample.max())
    if sample.dtype == np.uint8:
        return GreyRange(GreyScale(), (0.0, 255.0))
    if sample.dtype.kind == "f":
        return GreyRange(GreyScale(bits_stored=16), (low, high if high > low else low + 1.0))
    signed = sample.dtype.kind == "i"
    largest = max(high, -low - 1.0, 1.0)
    fitting = (b for b in (8, 10, 12, 14, 16) if largest < 1 << (b - signed))
    bits = next(fitting) if whole else 8 * sample.dtype.itemsize
    grey = GreyScale(bits_stored=bits, signed=signed)
    return GreyRange(grey, (low, high if high > low else low + 1.0))


def open_image_folder(folder: Path) -> Run:
    """Open a folder of pictures as a run, in natural order."""
    paths = image_files(folder)
    if not paths:
        raise RunError(f"{folder.name} holds no pictures; choose a folder of frames or a file.")
    return _run_of_pictures(folder, paths)


def open_image(path: Path) -> Run:
    """Open one picture, or a TIFF of several pages."""
    with open_regular(path) as file:
        if not file.read(4).startswith(TIFF_SIGNATURES):
            return _run_of_pictures(path, [path])
    frames = TiffFrames(path)
    try:
        first = frames.read(0)
    except RunError:
        frames.close()
        raise
    return undescribed_run(path, frames, frames.page_count, first)


def _run_of_pictures(path: Path, paths: Sequence[Path]) -> Run:
    first = _first_readable(paths, read_image)
    frames = ImageFolderFrames(paths, (first.shape[0], first.shape[1]))
    return undescribed_run(path, frames, len(paths), first)


def _first_readable(
    paths: Sequence[Path], read: Callable[[Path], NDArray[np.generic]]
) -> NDArray[np.generic]:
    failure: RunError | None = None
    for path in paths[:3]:
        try:
            return read(path)
        except RunError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def undescribed_run(
    path: Path,
    frames: ImageFolderFrames | TiffFrames,
    frame_count: int,
    first: NDArray[np.generic],
) -> Run:
    """Make a run of frames that come without times or a grey scale."""
    scale = _range_of_all(frames, frame_count, first)
    return Run(
        path=path,
        frames=frames,
        frame_count=frame_count,
        rows=first.shape[0],
        columns=first.shape[1],
        frame_times_ms=assumed_times(frame_count),
        grey=scale.grey,
        nominal_range=scale.nominal,
        notes=(ASSUMED_NOTE,) if frame_count > 1 else (),
    )


def _range_of_all(
    frames: ImageFolderFrames | TiffFrames, frame_count: int, first: NDArray[np.generic]
) -> GreyRange:
    """Guess the grey scale from frames all over the run: the first one may be dark."""
    if first.dtype == np.uint8:
        return grey_range(first)
    chosen = np.unique(
        np.linspace(0, frame_count - 1, min(frame_count, SAMPLED_FRAMES)).astype(int)
    )
    ends = [(first.min(), first.max())]
    for index in chosen.tolist():
        try:
            frame = frames.read(index)
        except RunError:
            continue  # its reader says so when it is shown
        if frame.dtype == first.dtype:
            ends.append((frame.min(), frame.max()))
    return grey_range(np.array(ends, first.dtype), whole=len(chosen) == frame_count)
