"""NumPy stacks (.npy, .npz), and what every array has in common: which axis is time."""

from __future__ import annotations

import logging
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gettext import gettext as tr
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from app.runs.allowance import check_allowance, check_frame_count
from app.runs.codestreams import MAX_FRAME_PIXELS
from app.runs.files import SharedFile, open_regular, opening_error, shown_name
from app.runs.greys import check_numbers, real_pixels, to_grey
from app.runs.run import FrameSource, Run, RunError, Spacing
from app.runs.undescribed import undescribed_run

logger = logging.getLogger(__name__)

_DAMAGES = (
    ValueError,
    EOFError,
    LookupError,
    SyntaxError,
    TypeError,
    RecursionError,
    ArithmeticError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zipfile.zlib.error,  # type: ignore[attr-defined]
)
"""What NumPy and zipfile raise for damaged files."""


class StackFrames:
    """Frames of an array in memory (a `FrameSource`)."""

    def __init__(self, stack: NDArray[Any], name: str) -> None:
        self._stack: NDArray[Any] | None = stack
        self._name = name

    def read(self, index: int) -> NDArray[np.generic]:
        """Return frame ``index`` as grey numbers."""
        stack = self._stack
        if stack is None:
            raise RunError(tr("{name} has been closed.").format(name=self._name))
        return to_grey(real_pixels(np.array(stack[index])))

    def close(self) -> None:
        """Let go of the array."""
        self._stack = None


class StoredFrames:
    """Frames that lie behind each other in a file, read one by one (a `FrameSource`)."""

    def __init__(
        self, file: SharedFile, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._file = file
        self._offset = offset
        self._shape = shape
        self._dtype = dtype

    def read(self, index: int) -> NDArray[np.generic]:
        """Return frame ``index`` as grey numbers."""
        length = prod(self._shape[1:]) * self._dtype.itemsize
        data = self._file.read_at(self._offset + index * length, length)
        return to_grey(real_pixels(np.frombuffer(data, self._dtype).reshape(self._shape[1:])))

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def stack_shape(shape: tuple[int, ...], name: str, *, colour: bool = False) -> tuple[int, ...]:
    """Return (frames, rows, columns[, samples]) of an array of any shape; no number moves.

    Axes of length 1 are left out. A last axis of 3 or 4 behind a large first one, or behind three
    others, holds colours.

    Parameters
    ----------
    colour : bool
        The last axis is known to hold 2 to 4 samples of a colour.

    Raises
    ------
    RunError
        If it is no run of pictures.
    """
    samples: tuple[int, ...] = ()
    axes = shape
    if colour:
        axes, samples = shape[:-1], shape[-1:]
    longer = tuple(n for n in axes if n != 1)
    if not colour:
        many = len(longer) == 4 and longer[3] in (2, 3, 4)
        one = len(longer) == 3 and longer[2] in (3, 4) and longer[0] > 4
        if many or one:
            longer, samples = longer[:-1], longer[-1:]
    if len(longer) < 2:  # a picture one pixel high or wide
        longer = axes[-3:] if len(axes) >= 2 and prod(axes[:-3]) == 1 else ()
    if len(longer) == 2:
        longer = (1, *longer)
    if len(longer) != 3 or not all(longer):
        raise RunError(
            tr("{name} must hold numbers of the shape (frames, rows, columns).").format(name=name)
        )
    check_frame_count(longer[0], name)
    if longer[1] * longer[2] > MAX_FRAME_PIXELS:
        raise RunError(
            tr(
                "{name} declares {count} frames of {columns} x {rows} pixels; it is damaged."
            ).format(name=name, count=longer[0], columns=longer[2], rows=longer[1])
        )
    return (*longer, *samples)


def run_of_stack(
    path: Path, stack: NDArray[Any], spacing: Spacing | None, *, colour: bool = False
) -> Run:
    """Make a run of an array in memory."""
    name = shown_name(path)
    check_numbers(stack.dtype, name)
    shape = stack_shape(stack.shape, name, colour=colour)
    return undescribed_run(path, StackFrames(stack.reshape(shape), name), shape[0], spacing=spacing)


@dataclass(frozen=True, slots=True)
class _ArrayHeader:
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def open_numpy(path: Path) -> Run:
    """Open an .npy or .npz stack: (T, H, W), one frame (H, W), or colour (T, H, W, 3 or 4).

    Frames of an .npy file are read from it one by one, others are held in memory.
    """
    name = shown_name(path)
    with _plain_errors(name):
        if _zipped(path):
            with _member(path) as (file, stored_bytes):
                header = _array_header(file, name)
                # unpacked, then copied frame by frame
                check_allowance(header.nbytes, stored_bytes, name)
            with _member(path) as (file, _):
                stack = np.lib.format.read_array(file, allow_pickle=False)
            return run_of_stack(path, stack, spacing=None)
        return _open_npy(path, name)


def numpy_frame_count(path: Path) -> int:
    """Return how many frames an .npy or .npz file declares."""
    name = shown_name(path)
    with _plain_errors(name):
        if _zipped(path):
            with _member(path) as (file, _):
                return stack_shape(_array_header(file, name).shape, name)[0]
        with open_regular(path) as npy:
            return stack_shape(_array_header(npy, name).shape, name)[0]


@contextmanager
def _plain_errors(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise opening_error(Path(name), error) from error
    except _DAMAGES as error:
        logger.info("NumPy file not readable: %s", type(error).__name__)
        raise RunError(
            tr("{name} is a damaged NumPy file; write it again.").format(name=name)
        ) from error


def _open_npy(path: Path, name: str) -> Run:
    with open_regular(path) as file:
        header = _array_header(file, name)
        offset, size = file.tell(), os.fstat(file.fileno()).st_size
        if offset + header.nbytes > size:
            raise RunError(
                tr("{name} ends before its last frame; copy it again.").format(name=name)
            )
        if header.fortran_order:
            check_allowance(2 * header.nbytes, None, name)
            file.seek(0)
            stack = np.lib.format.read_array(file, allow_pickle=False)
            return run_of_stack(path, np.ascontiguousarray(stack), spacing=None)
    shape = stack_shape(header.shape, name)
    shared = SharedFile(open_regular(path), size, name)
    frames: FrameSource = StoredFrames(shared, offset, shape, header.dtype)
    try:
        return undescribed_run(path, frames, shape[0])
    except BaseException:
        frames.close()
        raise


def _zipped(path: Path) -> bool:
    with open_regular(path) as file:
        return file.read(2) == b"PK"


@contextmanager
def _member(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open the array in an .npz file; gives it, and the bytes that are stored of it."""
    name = shown_name(path)
    with open_regular(path) as whole, zipfile.ZipFile(whole) as archive:
        members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
        named = [m for m in members if m.filename == "frames.npy"] or members
        if len(named) != 1:
            raise RunError(
                tr("{name} must hold one array, or one that is named frames.").format(name=name)
            )
        with archive.open(named[0]) as file:
            yield file, named[0].compress_size


def _array_header(file: IO[bytes], name: str) -> _ArrayHeader:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version, np.lib.format.read_array_header_2_0)  # 3.0 differs in its names' encoding
    header = _ArrayHeader(*read(file))
    check_numbers(header.dtype, name)
    return header
