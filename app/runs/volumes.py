"""Volumes (MetaImage, NRRD, NIfTI) by SimpleITK; their last axis is time."""

from __future__ import annotations

import gzip
import logging
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gettext import gettext as tr
from pathlib import Path
from typing import Any

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
    colour = header.colour and 1 < samples <= 4
    if samples > 1 and not colour:  # NIfTI's fifth axis: pictures, not colours
        stack = np.moveaxis(stack, -1, 0)
    return run_of_stack(path, stack, _spacing(image), colour=colour)


def volume_frame_count(path: Path) -> int:
    """Return how many frames a volume declares."""
    header = _checked_header(path)
    shape = tuple(reversed(header.sizes)) + ((3,) if header.colour else ())
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
    """Refuse a NIfTI file that is cut off: its reader fills what is missing with black."""
    if header.reader != "NiftiImageIO":
        return
    file = header.data_files[0][1] if header.data_files else path
    stored = 0
    with open_regular(file) as raw:
        packed = raw.read(2) == GZIP
        raw.seek(0)
        data = gzip.GzipFile(fileobj=raw) if packed else raw
        try:
            while stored < header.nbytes and (block := data.read(_BLOCK_BYTES)):
                stored += len(block)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            logger.info("volume not whole: %s", type(error).__name__)
    if stored < header.nbytes:
        raise RunError(
            tr("{name} ends before its last frame; copy it again.").format(name=shown_name(path))
        )


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


def _spacing(image: Any) -> Spacing | None:
    """Return the spacing of the picture's axes, those longer than 1 pixel."""
    longer = [s for s, n in zip(image.GetSpacing(), image.GetSize(), strict=True) if n != 1]
    column_mm, row_mm = longer[:2] if len(longer) >= 2 else image.GetSpacing()[:2]
    valid = np.isfinite([row_mm, column_mm]).all() and min(row_mm, column_mm) > 0
    if not valid or (column_mm, row_mm) == (1.0, 1.0):  # not told
        return None
    return Spacing(row_mm, column_mm, SpacingSource.FILE)
