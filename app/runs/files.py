"""Guarded access to a file: only real files are opened, and reads never go past their end."""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gettext import gettext as tr
from pathlib import Path
from typing import BinaryIO

from app.runs.run import RunError

logger = logging.getLogger(__name__)

MAX_HEADER_READS = 400_000
"""A real header needs far fewer; a broken file could otherwise be parsed for minutes."""

LONGEST_NAME = 80
"""Characters of a file's name that a sentence shows."""


def shown_name(path: Path | str) -> str:
    """Return the name of a file as it can be shown in one line, whatever bytes it is made of."""
    name = os.fsencode(Path(path).name or str(path)).decode("utf-8", "replace")
    name = "".join(c if c.isprintable() else "\ufffd" for c in name)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME // 2]}…{name[-(LONGEST_NAME // 2 - 1) :]}"


def opening_error(path: Path, error: OSError) -> RunError:
    """Turn the system's refusal to open ``path`` into one plain sentence."""
    name = shown_name(path)
    if isinstance(error, FileNotFoundError):
        return RunError(tr("{name} does not exist; check the path.").format(name=name))
    if isinstance(error, PermissionError):
        return RunError(
            tr("{name} may not be read; ask its owner for permission.").format(name=name)
        )
    if error.errno == errno.ENAMETOOLONG:
        return RunError(tr("The path of {name} is too long; shorten it.").format(name=name))
    if error.errno == errno.ELOOP:
        return RunError(tr("{name} is a link that leads to itself.").format(name=name))
    return RunError(tr("{name} cannot be read from its disk; copy it again.").format(name=name))


def log_unforeseen(log: logging.Logger, doing: str, error: BaseException) -> None:
    """Log where an error that nobody foresaw arose, without its text.

    The text may hold the name of a file, and files are named after patients.
    """
    places = " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in reversed(traceback.extract_tb(error.__traceback__))
    )
    log.error("%s: %s at %s", doing, type(error).__name__, places)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, never a pipe, socket or device, which might not answer.

    Raises
    ------
    RunError
        If it is no regular file, or cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        file = os.fdopen(os.open(path, flags), "rb") if regular else None
    except OSError as error:
        raise opening_error(path, error) from error
    except ValueError as error:  # a null character in the name
        raise RunError(tr("{name} does not exist; check the path.").format(name="?")) from error
    if file is not None and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    if file is not None:
        file.close()
    raise RunError(
        tr("{name} is no file that holds pictures; choose another.").format(name=shown_name(path))
    )


class Turns:
    """Lets threads use one resource by turns, and anyone close it without waiting for them.

    A read that hangs (a share that stalls) must not hang the thread that closes: the resource is
    then released by whoever holds it, as soon as it lets go.
    """

    def __init__(self, release: Callable[[], None], name: str) -> None:
        self._release = release
        self._name = name
        self._lock = threading.Lock()
        self._closed = False
        self._released = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the resource and hold it; RunError where it has been closed."""
        try:
            with self._lock:
                if self._closed:
                    raise RunError(tr("{name} has been closed.").format(name=self._name))
                yield
        finally:
            if self._closed:
                self._release_if_free()

    def close(self) -> None:
        """Refuse further turns and release the resource, now or when its holder lets go."""
        self._closed = True
        self._release_if_free()

    def _release_if_free(self) -> None:
        if not self._lock.acquire(blocking=False):
            return  # its holder releases it
        try:
            if not self._released:
                self._released = True
                self._release()
        finally:
            self._lock.release()


class HeaderReader:
    """File-like view for header parsers: clips each read to the bytes that exist.

    A parser that trusts a declared length of 4 GB gets the bytes there are, and no buffer of that
    size is ever allocated. Too many reads raise RunError, so that no file keeps a parser busy.
    """

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file = file
        self._size = size
        self._reads = 0
        self.name = name

    def read(self, count: int = -1) -> bytes:
        """Return at most ``count`` bytes, fewer at the end of the file."""
        self._reads += 1
        if self._reads > MAX_HEADER_READS:
            raise RunError(
                tr("{name} has an endless header; the file is damaged.").format(
                    name=shown_name(self.name)
                )
            )
        left = max(self._size - self._file.tell(), 0)
        return self._file.read(left if count < 0 else min(count, left))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move as in a file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Position in the file."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file below."""
        self._file.close()


class SharedFile:
    """Reads byte ranges of one open file from several threads."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file = file
        self._turns = Turns(file.close, name)
        self.size = size
        self.name = name

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``.

        Raises
        ------
        RunError
            If the file is closed, gone or shorter than that.
        """
        try:
            with self._turns.turn():
                self._file.seek(offset)
                data = self._file.read(min(length, max(self.size - offset, 0)))
        except (OSError, ValueError) as error:
            raise RunError(
                tr("{name} can no longer be read; open it again.").format(name=self.name)
            ) from error
        if len(data) != length:
            raise RunError(
                tr("{name} ends in the middle of a frame; copy it again.").format(name=self.name)
            )
        return data

    def close(self) -> None:
        """Release the file."""
        self._turns.close()
