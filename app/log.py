"""The log file: what happened, without a word of a patient.

A filter that knew names would miss some. So nothing is filtered: only what cannot name anybody is
written. Of our own messages that is the text in the program, numbers, and of anything else its
type and a hash that lasts until the program ends; of other libraries' messages nothing but where
they come from; of an exception its type and the places in the code, but not its text.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import sys
import threading
from collections import deque
from contextlib import suppress
from enum import Enum
from logging.handlers import RotatingFileHandler
from numbers import Number
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import TYPE_CHECKING, Any

from platformdirs import user_log_path

if TYPE_CHECKING:
    from PySide6.QtCore import QMessageLogContext, QtMsgType

log = logging.getLogger(__name__)

OURS = ("app", "inference", "widgets", "resources", "__main__")
FILE_BYTES = 1 << 20
OLD_FILES = 3
QT_FUNCTION = re.compile(r"Q[A-Za-z]+::[A-Za-z]+")
"""With which most of Qt's messages begin."""

_key = secrets.token_bytes(16)


class SafeFormatter(logging.Formatter):
    """Writes records so that no name of a patient, file or folder can be among them."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line, and below it where an exception came from."""
        safe = logging.makeLogRecord(record.__dict__)
        safe.msg, safe.args = _safe_message(record), None
        safe.exc_info = safe.exc_text = safe.stack_info = None
        text = super().format(safe)
        error = record.exc_info[1] if record.exc_info else None
        return "\n".join([text, *_origin(error)])


class _LogFile(RotatingFileHandler):
    """A log file; where it cannot be written, the program goes on without."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: the place for it is what failed, and each record would fail again."""


def log_path() -> Path:
    """Return the log file (``FLUOROTRACE_LOG`` moves its folder)."""
    folder = os.environ.get("FLUOROTRACE_LOG")
    return (Path(folder) if folder else user_log_path("fluorotrace")) / "fluorotrace.log"


def start_log() -> None:
    """Log to the file, and log there what nobody caught; a second call changes nothing."""
    root, path = logging.getLogger(), log_path()
    if any(isinstance(handler, _LogFile) for handler in root.handlers):
        return
    with suppress(OSError):  # read-only, or full: the program works without a log
        path.parent.mkdir(parents=True, exist_ok=True)
    handler = _LogFile(path, maxBytes=FILE_BYTES, backupCount=OLD_FILES, delay=True)
    handler.setFormatter(SafeFormatter())
    handler.setLevel(logging.INFO)
    root.addHandler(handler)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    _log_what_nobody_caught()


def log_qt_messages() -> None:
    """Log what Qt has to say, for as long as the program runs."""
    from PySide6.QtCore import QtMsgType, qInstallMessageHandler

    levels = {
        QtMsgType.QtDebugMsg: logging.DEBUG,
        QtMsgType.QtInfoMsg: logging.INFO,
        QtMsgType.QtWarningMsg: logging.WARNING,
        QtMsgType.QtCriticalMsg: logging.ERROR,
        QtMsgType.QtFatalMsg: logging.CRITICAL,
    }

    def take(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        where = QT_FUNCTION.match(text)
        template = f"Qt: {where[0]}, %r" if where else "Qt: %r"
        log.log(levels[kind], template, text)

    qInstallMessageHandler(take)


def last_lines(count: int) -> list[str]:
    """Return the end of the log, for a report; nothing where there is none."""
    try:
        with log_path().open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, count)]
    except OSError:
        return []


def _safe_message(record: logging.LogRecord) -> str:
    if record.name.partition(".")[0] not in OURS or not isinstance(record.msg, str):
        return f"(said in line {record.lineno} of {Path(record.pathname).name})"
    args = record.args
    if isinstance(args, dict):
        return record.msg % {name: _safe(value) for name, value in args.items()}
    return record.msg % tuple(_safe(value) for value in args) if args else record.msg


def _safe(value: Any) -> Any:
    if value is None or isinstance(value, (Number, Enum)):
        return value
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, BaseException):
        return type(value).__name__
    return _Hidden(value)


class _Hidden:
    """Stands for a value whose text is not to be written."""

    def __init__(self, value: Any) -> None:
        digest = hashlib.blake2s(repr(value).encode(errors="replace"), key=_key).hexdigest()
        self._text = f"<{type(value).__name__} {digest[:8]}>"

    def __repr__(self) -> str:
        return self._text


def _origin(error: BaseException | None) -> list[str]:
    """Return the types of an exception and of its causes, and the places they passed."""
    lines = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        code = f", errno {error.errno}" if isinstance(error, OSError) and error.errno else ""
        lines.append(f"  {type(error).__module__}.{type(error).__qualname__}{code}")
        for frame, line in walk_tb(error.__traceback__):
            place = "/".join(Path(frame.f_code.co_filename).parts[-3:])
            lines.append(f"    {place}:{line} {frame.f_code.co_name}")
        error = error.__cause__ or error.__context__
    return lines


def _log_what_nobody_caught() -> None:
    before, thread_before, unraisable_before = (
        sys.excepthook,
        threading.excepthook,
        sys.unraisablehook,
    )

    def uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            log.critical("nobody caught an error", exc_info=(kind, error, trace))
        before(kind, error, trace)

    def uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None:
            trouble = (told.exc_type, told.exc_value, told.exc_traceback)
            log.critical("a thread ended by an error", exc_info=trouble)
        thread_before(told)

    def unraisable(told: sys.UnraisableHookArgs) -> None:
        if told.exc_value is not None:
            trouble = (told.exc_type, told.exc_value, told.exc_traceback)
            log.error("an error could not be raised", exc_info=trouble)
        unraisable_before(told)

    sys.excepthook, threading.excepthook = uncaught, uncaught_in_thread
    sys.unraisablehook = unraisable
