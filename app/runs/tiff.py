"""TIFF files: one frame a page, by tifffile."""

from __future__ import annotations

import logging
import struct
from gettext import gettext as tr
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.runs.allowance import check_allowance, check_frame_count
from app.runs.codestreams import MAX_FRAME_PIXELS
from app.runs.counts import count_notes
from app.runs.files import Turns, log_unforeseen, open_regular, shown_name
from app.runs.greys import check_numbers, real_pixels, to_grey
from app.runs.orientation import oriented, oriented_shape
from app.runs.run import RunError

logger = logging.getLogger(__name__)
logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its warnings name the file

TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

_WHITE_IS_ZERO = 0
_RGB = 2
_PALETTE = 3
_SEPARATED = 5  # printing inks
_YCBCR = 6
_CIE_LAB = 8
_JPEG = frozenset({6, 7, 99, 33007, 34892})  # tifffile decodes these to RGB
_DAMAGES = (
    RuntimeError,
    ValueError,
    struct.error,
    LookupError,
    OSError,
    TypeError,
    ArithmeticError,
    AttributeError,
    AssertionError,
)
"""What tifffile and its decoders raise for damaged files."""


class TiffFrames:
    """Pages of one TIFF file (a `FrameSource`); thumbnails and masks among them are left out.

    Attributes
    ----------
    page_count : int
    shape : (rows, columns)
        Of the first page, as it is seen.
    bits : int
        The most bits that a pixel of any page declares.
    notes : tuple of str
        Sentences on pages that are missing.
    """

    def __init__(self, path: Path) -> None:
        import tifffile

        self._name = shown_name(path)
        file = open_regular(path)
        try:
            self._file = tifffile.TiffFile(file, name=self._name)
            count = len(self._file.pages)  # ends at a page list that leads back to itself
            check_frame_count(count, self._name)
            pages = [self._file.pages[number] for number in range(count)]
            self._pages = [p for p in pages if not (p.is_reduced or p.is_mask)]
            self._stack, self.notes = self._written_at_once()
            if self._stack is None and self._breaks_off():
                self.notes = (_broken_list(len(self._pages)),)
        except (RunError, MemoryError):
            file.close()
            raise
        except _DAMAGES as error:
            file.close()
            logger.info("TIFF not readable: %s", type(error).__name__)
            raise self._damaged() from error
        self._stored_bytes = Path(path).stat().st_size
        self._turns = Turns(file.close, self._name)
        self.page_count = len(self._pages) if self._stack is None else self._stack.shape[0]
        if not self._pages:
            file.close()
            raise self._damaged()
        first = self._pages[0]
        self.shape = oriented_shape(first.imagelength, first.imagewidth, _orientation(first))
        self.bits = max(_bits(page) for page in self._pages)

    def __enter__(self) -> TiffFrames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, index: int) -> NDArray[np.generic]:
        """Decode one page to grey, the right way up.

        Raises
        ------
        RunError
            If the page is damaged, too large, of another size or holds no real numbers.
        """
        page = self._pages[index if self._stack is None else 0]
        self._check(page, index)
        try:
            with self._turns.turn():
                pixels = page.asarray() if self._stack is None else self._stack.read(index)
            picture = oriented(_seen(page, pixels), _orientation(page))
        except (RunError, MemoryError):
            raise
        except _DAMAGES as error:
            log_unforeseen(logger, f"TIFF page {index}", error)
            raise RunError(
                tr("Page {number} of {name} is damaged; copy or export it again.").format(
                    number=index + 1, name=self._name
                )
            ) from error
        if picture.shape != self.shape:
            raise RunError(
                tr(
                    "Page {number} of {name} is {columns} x {rows} pixels, not {wanted_columns} x "
                    "{wanted_rows} as the first."
                ).format(
                    number=index + 1,
                    name=self._name,
                    columns=picture.shape[1],
                    rows=picture.shape[0],
                    wanted_columns=self.shape[1],
                    wanted_rows=self.shape[0],
                )
            )
        return picture

    def close(self) -> None:
        """Release the file."""
        self._turns.close()

    def _damaged(self) -> RunError:
        return RunError(
            tr("{name} is a damaged TIFF file; copy or export it again.").format(name=self._name)
        )

    def _breaks_off(self) -> bool:
        """Tell whether the list of pages ends before its end: each page says where the next is."""
        at = self._file.pages.next_page_offset
        if at is None:
            return False
        length = self._file.tiff.offsetsize
        self._file.filehandle.seek(at)
        return bool(self._file.filehandle.read(length) != b"\0" * length)

    def _written_at_once(self) -> tuple[_Stack | None, tuple[str, ...]]:
        """Return the frames of a file that has one page entry for many, and notes on them.

        ImageJ and others write so: the frames lie behind each other, the first one described.
        """
        if len(self._pages) != 1:
            return None, ()
        page, series = self._pages[0], self._file.series[0]
        picture = page.shape
        if series.ndim <= len(picture) or series.shape[-len(picture) :] != picture:
            return None, ()
        declared = series.size // max(page.size, 1)
        start = page.dataoffsets[0] if series.dataoffset is None else series.dataoffset
        frames = (self._file.filehandle.size - start) // max(page.nbytes, 1)
        if page.compression != 1 or declared < 2 or frames < 1:
            return None, ()
        count = min(frames, declared)
        check_frame_count(count, self._name)
        stack = _Stack(start, (count, *picture), series.dtype, self._file)
        return stack, count_notes(count, declared, cut=True)

    def _check(self, page: Any, index: int) -> None:
        name = self._name
        if self.page_count > 1:
            name = tr("Page {number} of {name}").format(number=index + 1, name=self._name)
        if page.dtype is None:
            raise RunError(tr("{name} is of a kind that cannot be read.").format(name=name))
        check_numbers(page.dtype, name)
        if page.imagedepth > 1 or page.photometric in (_SEPARATED, _CIE_LAB):
            raise RunError(
                tr("{name} is no plain grey or colour picture; export it as one.").format(name=name)
            )
        rows, columns = page.imagelength, page.imagewidth
        if not 0 < rows * columns <= MAX_FRAME_PIXELS or page.samplesperpixel > 16:
            raise RunError(
                tr("{name} declares {columns} x {rows} pixels; it is damaged.").format(
                    name=name, columns=columns, rows=rows
                )
            )
        check_allowance(page.nbytes, self._stored_bytes, name)


class _Stack:
    """Frames that lie behind each other in a file, from ``offset`` on."""

    def __init__(
        self, offset: int, shape: tuple[int, ...], dtype: np.dtype[np.generic], file: Any
    ) -> None:
        self.shape = shape
        self._offset = offset
        self._dtype = np.dtype(dtype).newbyteorder(file.byteorder)
        self._file = file.filehandle

    def read(self, index: int) -> NDArray[np.generic]:
        length = prod(self.shape[1:]) * self._dtype.itemsize
        self._file.seek(self._offset + index * length)
        data = np.frombuffer(self._file.read(length), self._dtype)
        return data.reshape(self.shape[1:])


def _broken_list(count: int) -> str:
    return tr("The file's list of pages breaks off after {count}; more may be missing.").format(
        count=count
    )


def _orientation(page: Any) -> int:
    value = page.tags.valueof(274, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _bits(page: Any) -> int:
    bits = page.bitspersample
    declared = max(bits) if isinstance(bits, tuple) else bits
    if page.dtype is not None and page.dtype.kind == "b":
        return 8
    return 16 if page.photometric == _PALETTE else int(declared)


def _seen(page: Any, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the grey picture (rows, columns) of a decoded page."""
    if page.axes.startswith("S") and pixels.ndim == 3:  # each colour is a plane
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = real_pixels(pixels)
    if page.photometric == _PALETTE and page.colormap is not None:
        table = to_grey(np.moveaxis(page.colormap, 0, -1)[:, np.newaxis])[:, 0]
        return np.asarray(table[np.minimum(pixels, len(table) - 1)])
    if page.photometric == _YCBCR and page.compression not in _JPEG and pixels.ndim == 3:
        return np.ascontiguousarray(pixels[:, :, 0])  # luminance
    if page.photometric == _RGB and pixels.ndim == 2:
        return pixels
    grey = to_grey(pixels) if page.photometric == _RGB or page.photometric == _YCBCR else pixels
    if grey.ndim == 3:  # grey with alpha or other extra samples
        grey = np.ascontiguousarray(grey[:, :, 0])
    if page.photometric != _WHITE_IS_ZERO:
        return grey
    if grey.dtype.kind == "f":
        return np.asarray(np.negative(grey))
    if grey.dtype.kind == "i":
        return np.invert(grey)
    highest = (1 << min(_bits(page), 8 * grey.dtype.itemsize)) - 1
    return np.asarray(np.subtract(highest, grey, dtype=grey.dtype))
