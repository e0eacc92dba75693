"""Volumes (MetaImage, NRRD, NIfTI) by SimpleITK; their last axis is time."""

from __future__ import annotations

import gzip
import logging
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from gettext import gettext as tr
from pathlib import Path
from typing import IO, Any

import numpy as np

from app.runs.allowance import check_allowance
from app.runs.files import open_regular, shown_name
from app.runs.run import Run, RunError, Spacing, SpacingSource
from app.runs.stacks import run_of_stack, stack_shape
from app.runs.volume_headers import GZIP, VolumeHeader, damaged, read_volume_header

logger = logging.getLogger(__name__)

MAX_VOLUME_BYTES = 1 << 32
_BLOCK_BYTES = 1 << 20


def open_volume(path: Path) -> Run:
    """Open a MetaImage, NRRD or NIfTI volume.

    Raises
    ------
    RunError
        If it is damaged, too large, or names data outside its own folder.
    """
    header = _checked_header(path)
    _check_whole(path, header)
    with _by_plain_name(path, header) as plain:
        image = _read(path, plain, header)
    import SimpleITK

    stack = SimpleITK.GetArrayFromImage(image)
    samples = image.GetNumberOfComponentsPerPixel()
    colour = header.colour and samples > 1
    if header.time_axis is not None:
        stack = np.moveaxis(stack, len(header.sizes) - 1 - header.time_axis, 0)
    if samples > 1 and not colour:  # NIfTI's fifth axis, or a list: pictures, not colours
        stack = np.moveaxis(stack, -1, 0)
    return run_of_stack(path, stack, _spacing(image, header.time_axis), colour=colour)


def volume_frame_count(path: Path) -> int:
    """Return how many frames a volume declares."""
    header = _checked_header(path)
    sizes = list(header.sizes)
    if header.time_axis is not None:
        sizes.append(sizes.pop(header.time_axis))
    shape = tuple(reversed(sizes))
    if header.colour:
        shape = (*shape, header.samples)
    elif header.samples > 1:
        shape = (header.samples, *shape)
    return stack_shape(shape, shown_name(path), colour=header.colour)[0]


def _checked_header(path: Path) -> VolumeHeader:
    header = read_volume_header(path)
    name = shown_name(path)
    if header.nbytes > MAX_VOLUME_BYTES:
        raise RunError(tr("{name} is larger than 4 GB; save it as an .npy file.").format(name=name))
    stored = [path, *(file for _, file in header.data_files)]
    check_allowance(header.nbytes, sum(file.stat().st_size for file in stored), name)
    return header


def _check_whole(path: Path, header: VolumeHeader) -> None:
    """Refuse a file that is cut off, or whose packed data are damaged.

    Its reader fills what is missing with black (NIfTI), or with what lies in memory (MetaImage).
    """
    file = header.data_files[0][1] if header.data_files else path
    stored, needed = 0, header.nbytes
    with open_regular(file) as raw:
        data: Iterator[bytes]
        if header.reader == "NiftiImageIO":
            needed += header.data_offset
            packed = raw.read(2) == GZIP
            raw.seek(0)
            unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
            data = iter(partial(unpacked.read, _BLOCK_BYTES), b"")
        elif header.deflated and len(header.data_files) < 2:
            raw.seek(header.data_offset)
            data = _inflated(raw)
        else:
            return
        try:
            while stored < needed and (block := next(data, b"")):
                stored += len(block)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            logger.info("volume not whole: %s", type(error).__name__)
    if stored < needed:
        raise RunError(
            tr("{name} ends before its last frame; copy it again.").format(name=shown_name(path))
        )


def _inflated(file: IO[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
    while not inflate.eof and (packed := inflate.unconsumed_tail or file.read(_BLOCK_BYTES)):
        yield inflate.decompress(packed, _BLOCK_BYTES)


def _read(path: Path, plain: Path, header: VolumeHeader) -> Any:
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(header.reader)
    reader.SetFileName(str(plain))
    try:
        return reader.Execute()
    except (RuntimeError, ValueError) as error:
        logger.info("volume not readable: %s", type(error).__name__)
        raise damaged(path) from error


@contextmanager
def _by_plain_name(path: Path, header: VolumeHeader) -> Iterator[Path]:
    """Give a name that ITK can take: a link of plain letters, and its data files beside it."""
    with tempfile.TemporaryDirectory(prefix="fluorotrace-") as folder:
        plain = Path(folder) / f"run{header.suffix}"
        try:
            plain.symlink_to(path.absolute())
            for name, file in header.data_files:
                link = plain.parent / name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(file.absolute())
        except OSError as error:  # no links here, as in some Windows accounts
            if os.fsencode(path).decode("utf-8", "replace") != str(path):
                raise RunError(
                    tr("{name} has a name that cannot be read; rename it.").format(
                        name=shown_name(path)
                    )
                ) from error
            plain = path
        yield plain


def _spacing(image: Any, time_axis: int | None) -> Spacing | None:
    """Return the spacing of the picture's axes, those longer than 1 pixel."""
    axes = enumerate(zip(image.GetSpacing(), image.GetSize(), strict=True))
    longer = [s for axis, (s, n) in axes if n != 1 and axis != time_axis]
    column_mm, row_mm = longer[:2] if len(longer) >= 2 else image.GetSpacing()[:2]
    valid = np.isfinite([row_mm, column_mm]).all() and min(row_mm, column_mm) > 0
    if not valid or (column_mm, row_mm) == (1.0, 1.0):  # not told
        return None
    return Spacing(row_mm, column_mm, SpacingSource.FILE)
