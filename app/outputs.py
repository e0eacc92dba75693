"""Where results go: never onto what they were made from, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from gettext import gettext as tr
from pathlib import Path
from uuid import uuid4

import psutil

from app.errors import UserError

PAIRS = ({".hdr", ".img"}, {".hdr", ".img.gz"})
"""Volumes that are two files of one name."""
DRAFT = re.compile(r"\.fluorotrace-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.part")


class OutputError(UserError):
    """A result that cannot be written where it was asked for."""


def check_output(path: Path, sources: Iterable[Path]) -> None:
    """Refuse to write where a result could not be put, or would destroy what it is made from.

    Parameters
    ----------
    path : Path
        The file, or new folder, to be written.
    sources : iterable of Path
        The run and its labels file, whether or not they exist. A folder stands for all that is in
        it, and a header for the files that it names. Links and other spellings are seen through.

    Raises
    ------
    OutputError
        With what to do.
    """
    target = _target(path)
    for source in sources:
        if _is_same(target, source) or _belongs_to(target, source):
            raise OutputError(
                tr(
                    "{path} is part of the run itself, or holds its labels; choose another name."
                ).format(path=path)
            )
        if source.is_dir() and any(_is_same(folder, source) for folder in target.parents):
            raise OutputError(
                tr("{path} is inside the folder of the run; choose another folder.").format(
                    path=path
                )
            )
    if target.is_file() and _holds_dicom(target):
        raise OutputError(
            tr("{path} is a DICOM file and is not replaced; choose another name.").format(path=path)
        )
    _check_place(path, target)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a draft to write; it takes its place when the context ends well.

    Until then, and after any failure, what was at ``path`` stays as it was. A link stays a link.

    Raises
    ------
    OutputError
        If the file cannot be written, for instance because the disk is full.
    """
    target = _target(path)
    _check_place(path, target)
    _remove_stale_drafts(target.parent)
    draft = _draft(target)
    try:
        with _told(path):
            draft.touch(exist_ok=False)
            if target.exists():
                shutil.copymode(target, draft)
            yield draft
            _to_disk(draft)
            draft.replace(target)
            _to_disk(target.parent)
    finally:
        with suppress(OSError):  # a draft that stays is removed the next time
            draft.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a draft of a new folder to fill; it takes its place when the context ends well.

    Raises
    ------
    OutputError
        If there is something at ``path`` already (other than an empty folder), or if the folder
        cannot be written.
    """
    target = _target(path)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise OutputError(tr("{path} is not empty; name a new folder.").format(path=path))
    _check_place(path, target)
    _remove_stale_drafts(target.parent)
    draft = _draft(target)
    try:
        with _told(path):
            draft.mkdir()
            yield draft
            for file in draft.iterdir():
                _to_disk(file)
            if target.exists():
                target.rmdir()
            draft.rename(target)
            _to_disk(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _target(path: Path) -> Path:
    """Return where a file is written in truth: links followed, without ``..``."""
    return Path(os.path.realpath(path))


def _is_same(path: Path, source: Path) -> bool:
    try:
        return path.samefile(source)  # also hard links, and names on case-blind file systems
    except OSError:
        return str(path).casefold() == os.path.realpath(source).casefold()


def _belongs_to(target: Path, source: Path) -> bool:
    """Tell whether ``target`` holds the pixels of the volume whose header is ``source``."""
    source = _target(source)
    if not target.exists():
        return False
    if any({target.suffix.lower(), source.suffix.lower()} == pair for pair in PAIRS):
        return target.stem == source.stem and _is_same(target.parent, source.parent)
    from app.runs.kinds import Kind, kind_of  # the readers take their time to import
    from app.runs.run import RunError
    from app.runs.volume_headers import read_volume_header

    with suppress(RunError):
        if kind_of(source) is Kind.VOLUME:
            return any(_is_same(target, file) for _, file in read_volume_header(source).data_files)
    return False


def _holds_dicom(path: Path) -> bool:
    from app.runs.kinds import Kind, kind_of
    from app.runs.run import RunError

    with suppress(RunError):
        return kind_of(path) is Kind.DICOM
    return False


def _check_place(path: Path, target: Path) -> None:
    folder = target.parent
    if not folder.is_dir():
        raise OutputError(
            tr("There is no folder {folder} for the output; make it first.").format(
                folder=path.absolute().parent
            )
        )
    if target.exists() and not target.is_file() and not target.is_dir():
        raise OutputError(
            tr("{path} is a device and no file; choose another name.").format(path=path)
        )
    if not os.access(folder, os.W_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise _read_only(path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write into sentences."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # ours, with a sentence of its own
            raise
        raise output_error(path, error.errno) from error


def output_error(path: Path, number: int | None) -> OutputError:
    """Return the sentence for the system's refusal to write ``path``, by its ``errno``."""
    if number in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            tr("The disk is full: {path} was not written; make room and try again.").format(
                path=path
            )
        )
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return _read_only(path)
    if number == errno.EFBIG:
        return OutputError(
            tr("{path} is larger than this disk allows; choose another disk.").format(path=path)
        )
    if number == errno.EISDIR:
        return OutputError(tr("{path} is a folder; name a file.").format(path=path))
    if number == errno.ENAMETOOLONG:
        return OutputError(tr("The name of the output is too long; choose a shorter one."))
    return OutputError(
        tr("{path} could not be written; check the disk or choose another folder.").format(
            path=path
        )
    )


def _read_only(path: Path) -> OutputError:
    return OutputError(
        tr("{path} may not be written; choose another folder or name.").format(path=path)
    )


def _draft(target: Path) -> Path:
    """Return a name beside the target: of fixed length, since the target's may be the longest."""
    return target.with_name(f".fluorotrace-{_host()}-{os.getpid()}-{uuid4().hex[:8]}.part")


def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _remove_stale_drafts(folder: Path) -> None:
    """Remove drafts of processes of this computer that were killed."""
    with suppress(OSError):
        for path in list(folder.glob(".fluorotrace-*.part")):
            made = DRAFT.fullmatch(path.name)
            if made and made[1] == _host() and not psutil.pid_exists(int(made[2])):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Wait until a file or folder is on the disk, where the system can (Windows: no folders)."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
