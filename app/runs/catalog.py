"""Finds the runs in a folder, file or DICOMDIR, by headers only; and their thumbnails.

The DICOM parser is imported with the first DICOM file, so that the window starts without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.display.pipeline import DisplayPipeline
from app.runs.catalog_entry import CatalogEntry
from app.runs.images import image_files, natural_key
from app.runs.opening import Kind, kind_of, open_run
from app.runs.run import RunError

MAX_DEPTH = 12
"""Folders below folders; deeper ones are loops or no archive of runs."""


def scan(path: Path, should_stop: Callable[[], bool] = lambda: False) -> Iterator[CatalogEntry]:
    """Yield the runs below ``path``, as they are found.

    Files that are no runs (reports, presentation states, texts) are left out; damaged ones and
    unreadable folders are listed with their error.
    """
    path = Path(path)
    if path.is_dir():
        yield from _scan_folder(path, should_stop, depth=0)
    elif path.name.upper() == "DICOMDIR":
        yield from _scan_directory_file(path, should_stop)
    else:
        entry = _entry(path, listed_by_user=True)
        if entry is not None:
            yield entry


def _scan_folder(
    folder: Path, should_stop: Callable[[], bool], depth: int
) -> Iterator[CatalogEntry]:
    try:
        with os.scandir(folder) as found:
            children = sorted((Path(c.path) for c in found), key=natural_key)
        pictures = image_files(folder)
    except RunError as error:
        yield CatalogEntry(folder, folder.name, error=str(error))
        return
    except OSError:
        yield CatalogEntry(folder, folder.name, error=f"The folder {folder.name} may not be read.")
        return
    if pictures:
        yield _folder_entry(folder, len(pictures))
    for child in children:
        if should_stop():
            return
        if child.name.startswith(".") or child in pictures or child.name.upper() == "DICOMDIR":
            continue
        if child.is_dir():
            if depth < MAX_DEPTH and not child.is_symlink():
                yield from _scan_folder(child, should_stop, depth + 1)
        elif child.is_file() and (entry := _entry(child, listed_by_user=False)) is not None:
            yield entry


def _folder_entry(folder: Path, frame_count: int) -> CatalogEntry:
    return CatalogEntry(folder, folder.name, "pictures", frame_count)


def _scan_directory_file(path: Path, should_stop: Callable[[], bool]) -> Iterator[CatalogEntry]:
    """Yield the files that a DICOMDIR names (PS3.3 annex F)."""
    from app.runs.dicom_catalog import directory_files

    try:
        files = directory_files(path)
    except RunError as error:
        yield CatalogEntry(path, path.name, error=str(error))
        return
    for file in files:
        if should_stop():
            return
        if not file.is_file():
            yield CatalogEntry(file, file.name, error=f"{file.name} is missing from the medium.")
        elif (entry := _entry(file, listed_by_user=False)) is not None:
            yield entry


def _entry(path: Path, *, listed_by_user: bool) -> CatalogEntry | None:
    """Return the line of one file; None for files that are no runs."""
    try:
        kind = kind_of(path)
    except RunError as error:
        return CatalogEntry(path, path.name, error=str(error)) if listed_by_user else None
    if kind is not Kind.DICOM:
        return CatalogEntry(path, path.name, kind.value)
    from app.runs.dicom_catalog import dicom_entry

    return dicom_entry(path, listed_by_user=listed_by_user)


def thumbnail(path: Path, size: int = 96) -> NDArray[np.uint8]:
    """Return the middle frame as it is displayed, its longer side ``size`` pixels.

    Raises
    ------
    RunError
        If the run cannot be opened.
    """
    run = open_run(path)
    try:
        pipeline = DisplayPipeline(run)
        index = run.representative_frame
        stored = run.frames.read(run.frame_count // 2 if index is None else index)
        picture = pipeline.render(stored, pipeline.default_settings())
    finally:
        run.frames.close()
    height, width = picture.shape[0] * run.pixel_aspect_ratio, picture.shape[1]
    scale = size / max(height, width)
    target = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(picture, target, interpolation=cv2.INTER_AREA), np.uint8)
