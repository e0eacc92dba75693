"""The thread that brings gestures to the disk, and says when it cannot.

Nobody waits for it: a gesture is done when it is in the queue. What is not on the disk yet is
counted, and told as soon as it takes longer than a second.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from gettext import gettext as tr
from gettext import ngettext
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import UserError
from app.tracks.content import ReviewState
from app.tracks.history import Record, StepAction, StepRecord
from app.tracks.identity import RunIdentity
from app.tracks.peek import connect

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

RETRY_S = 1.0
SLOW_S = 1.0
PATIENCE_S = 5.0
"""How long closing waits for a disk that answers slowly."""


class Writer:
    """Writes records in their order; all that waits is one transaction.

    Parameters
    ----------
    path : Path
        The labels file; made where there is none.
    run : RunIdentity
        Whose labels they are.
    signature : callable
        Tells what the run looks like; may read some frames, so it comes after the first gesture.
    tell : callable
        Called on threads of the writer with one sentence while not all is saved, and with "" when
        it is again.

    Raises
    ------
    UserError
        If no thread can be started.
    """

    def __init__(
        self,
        path: Path,
        run: RunIdentity,
        signature: Callable[[], str],
        tell: Callable[[str], None],
    ) -> None:
        self._path, self._run, self._signature = path, run, signature
        self._tell_others = tell
        self._signed = False
        self._new = not path.exists() or path.stat().st_size == 0
        self._wake = threading.Condition()
        self._queue: list[Record] = []
        self._state: ReviewState | None = None
        self._waiting_since: float | None = None
        self._failure = ""  # why the last try failed
        self._begun = self._failed = 0  # numbers of the last try, and of the last that failed
        self._told = ""
        self._ending = self._hurry = False
        self._raw: sqlite3.Connection | None = None
        self._threads: list[threading.Thread] = []
        self._start()

    @property
    def unsaved(self) -> int:
        """How many gestures are not on the disk; 1 where only what follows from them is not."""
        with self._wake:
            return self._unsaved()

    def put(self, record: Record) -> None:
        """Write a record soon.

        Raises
        ------
        UserError
            If the writer has died and cannot be started again.
        """
        with self._wake:
            self._start()
            self._queue.append(record)
            self._notice()

    def put_state(self, state: ReviewState) -> None:
        """Write the review state soon; it replaces one that waits."""
        with self._wake:
            self._start()
            self._state = state
            self._notice()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all is on the disk; False where that is not so in time, or a new try fails."""
        with self._wake:
            begun, self._hurry = self._begun, True
            self._wake.notify_all()

            def settled() -> bool:
                return self._all_saved() or self._failed > begun

            self._wake.wait_for(settled, timeout_s)
            self._hurry = False
            return self._all_saved()

    @property
    def trouble(self) -> str:
        """Why not all is on the disk, in one sentence; "" where it is, or soon will be."""
        with self._wake:
            return self._sentence()

    def end(self, timeout_s: float = PATIENCE_S) -> None:
        """Give up what waits, and end; a disk that does not answer keeps a thread back."""
        with self._wake:
            self._ending = True
            self._queue.clear()
            self._state = None
            self._waiting_since = None
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(timeout_s)

    # inside; the lock is held

    def _start(self) -> None:
        """Start the threads, and those again that have died."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        running = {thread.name for thread in self._threads}
        for name, work in (("labels writer", self._write_all), ("labels watch", self._watch)):
            if name not in running:
                thread = threading.Thread(target=work, name=name, daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    raise UserError(
                        tr("This computer can start no more threads; close other programs.")
                    ) from error
                self._threads.append(thread)

    def _notice(self) -> None:
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        self._wake.notify_all()

    def _all_saved(self) -> bool:
        return not self._queue and self._state is None

    def _unsaved(self) -> int:
        gestures = sum(
            isinstance(record, StepRecord) and record.action is not StepAction.EXTEND
            for record in self._queue
        )
        return max(gestures, int(not self._all_saved()))

    def _sentence(self) -> str:
        if self._all_saved():
            return ""
        count = self._unsaved()
        if self._failure:
            return self._failure
        if self._waiting_since is None or time.monotonic() - self._waiting_since < SLOW_S:
            return ""
        return ngettext(
            "Saving is slow: {count} change is not yet saved.",
            "Saving is slow: {count} changes are not yet saved.",
            count,
        ).format(count=count)

    # on the threads

    def _watch(self) -> None:
        """Tell what is not saved: soon after it begins, and while it lasts."""
        while True:
            with self._wake:
                sentence = self._sentence()  # "" in the end
                if sentence == self._told:
                    if self._ending:
                        return
                    wait = None if self._waiting_since is None else SLOW_S / 4
                    self._wake.wait(wait)
                    continue
                self._told = sentence
            try:
                self._tell_others(sentence)
            except Exception:
                log.exception("nobody could be told that labels are not saved")

    def _write_all(self) -> None:
        connection: Connection | None = None
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._ending or not self._all_saved())
                if self._ending:
                    break
                batch, state = tuple(self._queue), self._state
                self._begun += 1
            try:
                connection = connection or self._open()
                from app.tracks import records

                records.write(connection, batch, state)
            except Exception as error:
                log.exception("labels could not be saved")
                self._close(connection)
                connection = None
                self._fail(error)
                continue
            with self._wake:
                del self._queue[: len(batch)]
                if self._state is state:
                    self._state = None
                self._failure = ""
                self._waiting_since = None if self._all_saved() else time.monotonic()
                self._wake.notify_all()
            if not self._signed:
                self._sign(connection)
        self._close(connection)

    def _sign(self, connection: Connection) -> None:
        from app.tracks import database

        self._signed = True
        try:
            signature = self._signature()
            if signature:
                database.write_signature(connection, signature)
        except Exception:  # labels are found without it
            log.exception("what the run looks like could not be written down")

    def _fail(self, error: Exception) -> None:
        """Note why a try failed, and wait before the next one."""
        if "locked" in str(error):
            text = tr("Another program uses {name}; until it is closed your labels are not saved.")
        else:
            text = tr(
                "The labels could not be saved to {folder}; free some space there or check that "
                "it is still connected."
            )
        with self._wake:
            self._failure = text.format(name=self._path.name, folder=self._path.parent)
            self._failed = self._begun
            self._wake.notify_all()
            self._wake.wait_for(lambda: self._ending or self._hurry, RETRY_S)
            self._hurry = False  # one more try for who waits, not one after the other

    def _open(self) -> Connection:
        """Open the file; later on it must be there: half the labels help nobody."""
        from app.tracks import database

        self._raw = connect(self._path, create=self._new)
        connection = database.attach(self._raw)
        try:
            self._signed = database.prepare(connection, self._run)
        except BaseException:
            self._close(connection)
            raise
        self._new = False
        return connection

    def _close(self, connection: Connection | None) -> None:
        with suppress(Exception):
            if connection is not None:
                connection.close()
        if self._raw is not None:
            self._raw.close()
            self._raw = None
