"""Where denoised frames go: a stack, a movie, or a folder of pictures; whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from app.display.pipeline import DisplaySettings
from app.errors import UserError
from app.session.movie_writer import MovieWriter
from app.session.open_run import OpenRun

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
    run, draft = review.run, _draft(path)
    shape = (run.frame_count, run.rows, run.columns)

    def write(frame: int, denoised: NDArray[np.float32]) -> None:
        # mapped anew for each frame: pages of a long-lived map would count as memory in use
        stack = np.lib.format.open_memmap(draft, mode="r+")
        stack[frame] = run.grey.file_values(_blended(review, frame, denoised, strength))

    try:
        np.lib.format.open_memmap(draft, mode="w+", dtype=np.float32, shape=shape)
        yield write
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


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
    if path.exists() and any(path.iterdir()):
        raise UserError(f"The folder {path} is not empty; name a new one.")
    grey, draft = review.run.grey, _draft(path)
    low, high = (-(1 << grey.bits_stored - 1), (1 << grey.bits_stored - 1) - 1)
    if not grey.signed:
        low, high = 0, (1 << grey.bits_stored) - 1
    kind = np.int16 if grey.signed else np.uint8 if high < 256 else np.uint16

    def write(frame: int, denoised: NDArray[np.float32]) -> None:
        values = _blended(review, frame, denoised, strength)
        pixels = np.clip(np.rint(values), low, high).astype(kind)
        name = draft / f"frame_{frame:06d}"
        if grey.signed:
            tifffile.imwrite(name.with_suffix(".tif"), pixels)
        else:
            name.with_suffix(".png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())

    draft.mkdir()
    try:
        yield write
        if path.exists():
            path.rmdir()
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")
