"""Finds the runs in a folder, file or DICOMDIR, by headers only.

The DICOM parser is imported with the first DICOM file, so that the window starts without it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from gettext import gettext as tr
from pathlib import Path

from app.runs.catalog_entry import CatalogEntry
from app.runs.files import log_unforeseen, opening_error, shown_name
from app.runs.images import image_files, natural_key
from app.runs.kinds import Kind, kind_of
from app.runs.opening import frame_count
from app.runs.run import RunError

logger = logging.getLogger(__name__)

MAX_DEPTH = 12
"""Folders below folders; deeper ones are loops or no archive of runs."""


def scan(path: Path, should_stop: Callable[[], bool] = lambda: False) -> Iterator[CatalogEntry]:
    """Yield the runs below ``path``, as they are found.

    Files that are no runs (reports, presentation states, texts) are left out; damaged ones and
    unreadable folders are listed with their error. Nothing that happens to one of them ends the
    scan.
    """
    path = Path(path)
    if _is(path.is_dir):
        yield from _scan_folder(path, should_stop, depth=0)
    elif _is_directory_file(path):
        yield from _series_together(_scan_directory_file(path, should_stop))
    else:
        yield from _series_together(_with_series(path))


def _scan_folder(
    folder: Path, should_stop: Callable[[], bool], depth: int
) -> Iterator[CatalogEntry]:
    try:
        with os.scandir(folder) as found:
            children = sorted((Path(c.path) for c in found), key=natural_key)
        pictures = image_files(folder)
    except RunError as error:
        yield _refused(folder, error)
        return
    except OSError as error:
        yield _refused(folder, opening_error(folder, error))
        return
    if pictures:
        yield from _listed(folder, lambda: _folder_entry(folder, len(pictures)))
    yield from _series_together(_scan_children(children, set(pictures), should_stop, depth))


def _scan_children(
    children: list[Path], known: set[Path], should_stop: Callable[[], bool], depth: int
) -> Iterator[CatalogEntry]:
    for child in children:
        if should_stop():
            return
        if child.name.startswith(".") or child in known or _is_directory_file(child):
            continue
        if _is(child.is_dir):
            if depth < MAX_DEPTH and not child.is_symlink():
                yield from _scan_folder(child, should_stop, depth + 1)
        elif _is(child.is_file):
            yield from _listed(child, partial(_file_entry, child, listed_by_user=False))


def _is_directory_file(path: Path) -> bool:
    return path.name.upper().split(";")[0].rstrip(".") == "DICOMDIR"


def _series_together(entries: Iterator[CatalogEntry]) -> Iterator[CatalogEntry]:
    """Yield entries as they come; files that may be frames of one run come last, as one entry."""
    held: dict[tuple[Path, tuple[object, ...]], list[CatalogEntry]] = {}
    for entry in entries:
        if entry.part is None:
            yield entry
        else:
            held.setdefault((entry.path.parent, entry.part.kind), []).append(entry)
    if held:
        from app.runs.dicom_catalog import one_a_series

        for group in held.values():
            yield from one_a_series(group)


def _with_series(path: Path) -> Iterator[CatalogEntry]:
    """Yield the line of a file, and those of the files beside it that may be of its run."""
    for entry in _listed(path, partial(_file_entry, path, listed_by_user=True)):
        yield entry
        if entry.part is not None:
            from app.runs.dicom_series import beside

            for other in beside(path, entry.part):
                if other.path != path:
                    yield from _listed(
                        other.path, partial(_file_entry, other.path, listed_by_user=False)
                    )


def _is(question: Callable[[], bool]) -> bool:
    """Ask what a path is; one that the system cannot even look at is nothing."""
    try:
        return question()
    except (OSError, ValueError):
        return False


def _listed(path: Path, make: Callable[[], CatalogEntry | None]) -> Iterator[CatalogEntry]:
    """Yield the entry that ``make`` gives for ``path``; whatever happens to it is its error."""
    try:
        entry = make()
    except RunError as error:
        entry = _refused(path, error)
    except OSError as error:
        entry = _refused(path, opening_error(path, error))
    except Exception as error:  # noqa: BLE001 - one bad file must not end a scan of thousands
        log_unforeseen(logger, "listing a file", error)
        entry = _refused(
            path,
            RunError(
                tr("{name} is damaged; copy or export it again.").format(name=shown_name(path))
            ),
        )
    if entry is not None:
        yield entry


def _refused(path: Path, error: RunError) -> CatalogEntry:
    return CatalogEntry(path, shown_name(path), error=str(error))


def _folder_entry(folder: Path, frame_count: int) -> CatalogEntry:
    return CatalogEntry(folder, shown_name(folder), "pictures", frame_count)


def _scan_directory_file(path: Path, should_stop: Callable[[], bool]) -> Iterator[CatalogEntry]:
    """Yield the files that a DICOMDIR names (PS3.3 annex F)."""
    from app.runs.dicom_catalog import directory_files

    try:
        files = directory_files(path)
    except RunError as error:
        yield _refused(path, error)
        return
    for file in files:
        if should_stop():
            return
        if not _is(file.is_file):
            missing = tr("{name} is missing from the medium.").format(name=shown_name(file))
            yield _refused(file, RunError(missing))
        else:
            yield from _listed(file, partial(_file_entry, file, listed_by_user=False))


def _file_entry(path: Path, *, listed_by_user: bool) -> CatalogEntry | None:
    """Return the line of one file; None for files that are no runs."""
    try:
        kind = kind_of(path)
    except RunError as error:
        return _refused(path, error) if listed_by_user else None
    if kind is Kind.DICOM:
        from app.runs.dicom_catalog import dicom_entry

        return dicom_entry(path, listed_by_user=listed_by_user)
    return CatalogEntry(path, shown_name(path), kind.value, frame_count(path, kind))
