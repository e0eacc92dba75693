"""Guarded access to a file: reads never go past its end, whatever its headers declare."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import BinaryIO

from app.runs.run import RunError

MAX_HEADER_READS = 400_000
"""A real header needs far fewer; a broken file could otherwise be parsed for minutes."""


def opening_error(path: Path, error: OSError) -> RunError:
    """Turn the system's refusal to open ``path`` into one plain sentence."""
    if isinstance(error, FileNotFoundError):
        return RunError(f"{path.name} does not exist; check the path.")
    if isinstance(error, PermissionError):
        return RunError(f"{path.name} may not be read; ask its owner for permission.")
    return RunError(f"{path.name} cannot be read from its disk; copy it again.")


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
            raise RunError(f"{Path(self.name).name} has an endless header; the file is damaged.")
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
        self._lock = threading.Lock()
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
            with self._lock:
                self._file.seek(offset)
                data = self._file.read(min(length, max(self.size - offset, 0)))
        except (OSError, ValueError) as error:
            raise RunError(f"{self.name} can no longer be read; open it again.") from error
        if len(data) != length:
            raise RunError(f"{self.name} ends in the middle of a frame; copy it again.")
        return data

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._file.close()
