"""Where denoised frames go: a stack, a movie, or a folder of pictures; whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from app.display.settings import DisplaySettings
from app.outputs import whole_file, whole_folder
from app.session.movie_writer import MovieWriter
from app.session.open_run import OpenRun

CHUNK_BYTES = 1 << 22
Write = Callable[[int, NDArray[np.float32]], None]
"""``write(frame, denoised)``: frames in order, (rows, columns) on the stored grey scale."""


def denoised_output(path: Path, review: OpenRun, strength: float) -> AbstractContextManager[Write]:
    """Return the output that the name asks for; it appears when the context ends well.

    Parameters
    ----------
    path : Path
        ``.npy``: float32 (T, rows, columns) on the grey scale of the run's file. ``.mp4``: as the
        window would show it. Else a new folder of PNG pictures (TIFF for signed values) on the
        stored scale.
    strength : float
        0 (the original) to 1 (denoised).
    """
    make = {".npy": _stack, ".mp4": _movie}.get(path.suffix.lower(), _folder)
    return make(path, review, strength)


def _blended(
    review: OpenRun, frame: int, denoised: NDArray[np.float32], s: float
) -> NDArray[np.float32]:
    if s == 1:
        return denoised
    original = review.cache.wait(frame).astype(np.float32)
    return original + np.float32(s) * (denoised - original)


@contextmanager
def _stack(path: Path, review: OpenRun, strength: float) -> Iterator[Write]:
    run = review.run
    shape = (run.frame_count, run.rows, run.columns)
    with whole_file(path) as draft:

        def write(frame: int, denoised: NDArray[np.float32]) -> None:
            # mapped anew for each frame: pages of a long-lived map would count as memory in use
            stack = np.lib.format.open_memmap(draft, mode="r+")
            stack[frame] = run.grey.file_values(_blended(review, frame, denoised, strength))

        _make_stack(draft, shape)
        yield write


def _make_stack(path: Path, shape: tuple[int, ...]) -> None:
    """Make a float32 stack of zeros, and take its place on the disk.

    A mapped file grows as it is written, and a full disk would then end the process (SIGBUS).
    """
    np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    with path.open("r+b") as file:
        size = path.stat().st_size
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            for start in range(0, size, CHUNK_BYTES):
                file.seek(start)
                file.write(file.read(min(CHUNK_BYTES, size - start)))


@contextmanager
def _movie(path: Path, review: OpenRun, strength: float) -> Iterator[Write]:
    run, display = review.run, review.display
    settings = DisplaySettings(subtracted=run.open_subtracted)
    with MovieWriter(path, run.frame_times_ms, (run.columns, run.rows)) as movie:

        def write(frame: int, denoised: NDArray[np.float32]) -> None:
            stored = review.cache.wait(frame)
            movie.write(display.render(stored, settings, denoised, strength, frame))

        yield write


@contextmanager
def _folder(path: Path, review: OpenRun, strength: float) -> Iterator[Write]:
    grey = review.run.grey
    low, high = (-(1 << grey.bits_stored - 1), (1 << grey.bits_stored - 1) - 1)
    if not grey.signed:
        low, high = 0, (1 << grey.bits_stored) - 1
    kind = np.int16 if grey.signed else np.uint8 if high < 256 else np.uint16
    with whole_folder(path) as draft:

        def write(frame: int, denoised: NDArray[np.float32]) -> None:
            values = _blended(review, frame, denoised, strength)
            pixels = np.clip(np.rint(values), low, high).astype(kind)
            name = draft / f"frame_{frame:06d}"
            if grey.signed:
                tifffile.imwrite(name.with_suffix(".tif"), pixels)
            else:
                name.with_suffix(".png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())

        yield write
