"""Still pictures: a folder of frames, or one picture; TIFF pages are in `app.runs.tiff`."""

from __future__ import annotations

import logging
import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from gettext import gettext as tr
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.runs.allowance import check_allowance, check_frame_count
from app.runs.codestreams import (
    MAX_FRAME_PIXELS,
    CodestreamError,
    codestream_size,
    decode_jpeg,
    decode_jpeg_2000,
    decode_jpeg_ls,
    is_jpeg_ls,
)
from app.runs.files import open_regular, opening_error, shown_name
from app.runs.greys import real_pixels, to_grey
from app.runs.orientation import exif_orientation, oriented, oriented_shape
from app.runs.run import Run, RunError
from app.runs.tiff import TIFF_SIGNATURES, TiffFrames
from app.runs.undescribed import undescribed_run

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jls", ".tif", ".tiff", ".bmp", ".jp2", ".j2k"}
)
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_BMP = b"BM"
_JPEG_2000 = (b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")
_HEADER_BYTES = 1 << 17
"""Enough for the size of any picture; an Exif block before it holds up to 64 KiB."""


def is_image(head: bytes) -> bool:
    """Tell by its first bytes whether a file is a picture that can be read."""
    return head.startswith((_PNG, _JPEG, _BMP, *_JPEG_2000, *TIFF_SIGNATURES))


def natural_key(path: Path) -> tuple[tuple[tuple[int, int | str], ...], str]:
    """Sort key with numbers by value: frame_2 before frame_10; one order for any listing."""
    parts = re.split(r"(\d+)", path.name.casefold())
    numbered = tuple((0, int(p)) if p.isdecimal() else (1, p) for p in parts if p)
    return numbered, path.name


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


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What a picture declares: its size as it is seen, the bits of a sample, and its pages."""

    rows: int
    columns: int
    samples: int
    bits: int
    pages: int = 1


def read_header(data: bytes, name: str) -> PictureHeader:
    """Read what a picture other than TIFF declares, from its first bytes.

    Raises
    ------
    RunError
        If it is no picture, damaged or too large.
    """
    try:
        header = _declared(data)
    except (CodestreamError, struct.error, IndexError) as error:
        raise _damaged(name) from error
    if not 0 < header.rows * header.columns <= MAX_FRAME_PIXELS or header.rows < 0:
        raise RunError(
            tr("{name} declares {columns} x {rows} pixels; it is damaged.").format(
                name=name, columns=header.columns, rows=header.rows
            )
        )
    rows, columns = oriented_shape(header.rows, header.columns, exif_orientation(data))
    return PictureHeader(rows, columns, header.samples, header.bits)


def _declared(data: bytes) -> PictureHeader:
    if data.startswith(_PNG):
        columns, rows, bits, colours = struct.unpack_from(">IIBB", data, 16)
        return PictureHeader(rows, columns, {0: 1, 2: 3, 4: 2}.get(colours, 4), max(bits, 8))
    if data.startswith(_BMP):
        columns, rows = struct.unpack_from("<ii", data, 18)
        return PictureHeader(abs(rows), columns, 4, 8)
    size = codestream_size(data)
    return PictureHeader(size.rows, size.columns, size.samples, max(size.bits, 8))


def read_image(path: Path) -> NDArray[np.generic]:
    """Decode one picture by its content to (rows, columns) grey, the right way up.

    Raises
    ------
    RunError
        If it is damaged, too large or no picture.
    """
    name = shown_name(path)
    try:
        with open_regular(path) as file:
            if file.read(4).startswith(TIFF_SIGNATURES):
                with TiffFrames(path) as pages:
                    return pages.read(0)
            file.seek(0)
            data = file.read()
    except OSError as error:
        raise opening_error(path, error) from error
    header = read_header(data, name)
    sample_bytes = 1 if header.bits == 8 else 2
    check_allowance(header.rows * header.columns * header.samples * sample_bytes, len(data), name)
    try:
        pixels = to_grey(real_pixels(_decode(data)))
    except (CodestreamError, RuntimeError, ValueError, LookupError, struct.error) as error:
        logger.info("picture not readable: %s", type(error).__name__)
        raise _damaged(name) from error
    return oriented(pixels, exif_orientation(data))


def _damaged(name: str) -> RunError:
    return RunError(tr("{name} is a damaged picture; copy or export it again.").format(name=name))


def _decode(data: bytes) -> NDArray[np.generic]:
    import imagecodecs

    if data.startswith(_PNG):
        return imagecodecs.png_decode(data)
    if data.startswith(_BMP):
        return _decode_bmp(data)
    if not data.startswith(_JPEG):
        return decode_jpeg_2000(data)
    if is_jpeg_ls(data):
        return decode_jpeg_ls(data)
    pixels = decode_jpeg(data)
    if pixels.ndim == 3 and pixels.shape[2] == 4:  # inks, stored inverted as Adobe does
        inks = pixels.astype(np.uint16)
        return (inks[:, :, :3] * inks[:, :, 3:] // 255).astype(np.uint8)
    return pixels


def _decode_bmp(data: bytes) -> NDArray[np.generic]:
    import cv2

    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise CodestreamError("its BMP data are damaged") from error
    if pixels is None:
        raise CodestreamError("its BMP data are damaged")
    return pixels if pixels.ndim == 2 else np.asarray(pixels[:, :, 2::-1])  # from BGR


class ImageFolderFrames:
    """Frames that lie in one file each (a `FrameSource`)."""

    def __init__(self, paths: Sequence[Path], shape: tuple[int, int]) -> None:
        self.paths = tuple(paths)
        self._shape = shape

    def read(self, index: int) -> NDArray[np.generic]:
        """Decode one picture; RunError where it is damaged or of another size."""
        path = self.paths[index]
        pixels = read_image(path)
        if pixels.shape != self._shape:
            raise RunError(
                tr(
                    "{name} is {columns} x {rows} pixels, not {wanted_columns} x {wanted_rows} "
                    "as the others."
                ).format(
                    name=shown_name(path),
                    columns=pixels.shape[1],
                    rows=pixels.shape[0],
                    wanted_columns=self._shape[1],
                    wanted_rows=self._shape[0],
                )
            )
        return pixels

    def close(self) -> None:
        """Nothing is held open."""


def open_image_folder(folder: Path) -> Run:
    """Open a folder of pictures as a run, in natural order.

    The size is that of most pictures; others are refused one by one when they are shown.
    """
    paths = image_files(folder)
    if not paths:
        raise RunError(
            tr("{name} holds no pictures; choose a folder of frames or a file.").format(
                name=shown_name(folder)
            )
        )
    return _run_of_pictures(folder, paths)


def open_image(path: Path) -> Run:
    """Open one picture, or a TIFF of several pages."""
    with open_regular(path) as file:
        if not file.read(4).startswith(TIFF_SIGNATURES):
            return _run_of_pictures(path, [path])
    frames = TiffFrames(path)
    try:
        return undescribed_run(
            path, frames, frames.page_count, bits=frames.bits, notes=frames.notes
        )
    except RunError:
        frames.close()
        raise


def picture_frame_count(path: Path) -> int:
    """Return the pages of a TIFF, 1 for other pictures."""
    with open_regular(path) as file:
        if not file.read(4).startswith(TIFF_SIGNATURES):
            return 1
    with TiffFrames(path) as pages:
        return pages.page_count


def _run_of_pictures(path: Path, paths: Sequence[Path]) -> Run:
    check_frame_count(len(paths), shown_name(path))
    headers, failure = [], None
    for picture in paths:
        try:
            headers.append(_header_of(picture))
        except RunError as error:
            failure = failure or error
    if not headers:
        assert failure is not None
        raise failure
    shape, _ = Counter((h.rows, h.columns) for h in headers).most_common(1)[0]
    bits = max(header.bits for header in headers)
    notes = []
    if any(header.pages > 1 for header in headers):
        notes.append(tr("Of pictures with several pages the first is shown; open them one by one."))
    frames = ImageFolderFrames(paths, shape)
    run = undescribed_run(path, frames, len(paths), bits=bits, notes=notes)
    return replace(run, frame_files=tuple(picture.name for picture in paths))


def _header_of(path: Path) -> PictureHeader:
    with open_regular(path) as file:
        data = file.read(_HEADER_BYTES)
        if not data.startswith(TIFF_SIGNATURES):
            try:
                return read_header(data, shown_name(path))
            except RunError:  # the size may lie behind a long colour profile
                return read_header(data + file.read(), shown_name(path))
    with TiffFrames(path) as pages:
        return PictureHeader(*pages.shape, 1, pages.bits, pages.page_count)
