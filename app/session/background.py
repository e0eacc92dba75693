"""Work off the GUI thread: opening, scanning, thumbnails, exports; answers in the GUI thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.errors import UserError, sentence

log = logging.getLogger(__name__)

PATIENT_THREADS = 2
CLOSING_S = 3.0
"""How long closing waits for threads; one that a stalled disk holds ends with the program."""


@dataclass(eq=False, slots=True)
class Task:
    """One piece of background work; ``report`` may be called from within it."""

    report: Callable[[Any], None]
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask the work to stop; nothing more is reported of it."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """True once the work should stop."""
        return self._cancelled.is_set()


class Background(QObject):
    """Threads for work that a window waits for without blocking.

    What somebody waits for has a thread of its own at once, so that a file on a stalled disk holds
    up nothing else; patient work (thumbnails) shares two threads and comes after.
    """

    _answered = Signal(object, object)  # Task, callable to run in the GUI thread

    def __init__(self) -> None:
        super().__init__()
        self._tasks: set[Task] = set()
        self._threads: set[threading.Thread] = set()
        self._patient: deque[Callable[[], None]] = deque()
        self._busy = 0  # patient threads at work
        self._lock = threading.Lock()
        self._closed = False
        self._answered.connect(self._deliver)

    def start(
        self,
        work: Callable[[Task], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
        progress: Callable[[Any], None] | None = None,
        *,
        patient: bool = False,
    ) -> Task:
        """Run ``work(task)`` on a thread.

        Parameters
        ----------
        work : callable
            Its result goes to ``done``; what it gives to ``task.report`` goes to ``progress``.
        done, progress : callable
            Called in the GUI thread, never after ``task.cancel()``.
        failed : callable
            Gets one plain sentence, in the GUI thread.
        patient : bool
            It may wait until nothing else of its kind is being done.
        """

        def report(value: Any) -> None:
            if progress is not None:
                self._answer(task, lambda: progress(value))

        task = Task(report)
        self._tasks.add(task)

        def do() -> None:
            self._work(task, work, done, failed)

        if not patient:
            self._launch(do)
            return task
        with self._lock:
            self._patient.append(do)
            free = self._busy < PATIENT_THREADS
            self._busy += free
        if free:
            self._launch(self._work_patiently)
        return task

    def close(self) -> None:
        """Cancel everything and wait for the threads, but not for those that do not answer."""
        with self._lock:
            self._closed = True
            self._patient.clear()
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        end = time.monotonic() + CLOSING_S
        for thread in tuple(self._threads):
            thread.join(max(0.0, end - time.monotonic()))

    def _launch(self, do: Callable[[], None]) -> None:
        def run() -> None:
            try:
                do()
            finally:
                self._threads.discard(thread)

        thread = threading.Thread(target=run, name="background", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _work_patiently(self) -> None:
        while True:
            with self._lock:
                if not self._patient:
                    self._busy -= 1
                    return
                do = self._patient.popleft()
            do()

    def _work(
        self,
        task: Task,
        work: Callable[[Task], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
    ) -> None:
        if task.cancelled:
            return
        try:
            result = work(task)
        except Exception as error:
            if isinstance(error, UserError):
                log.info("background work refused: %s", type(error).__name__)
            else:
                log.exception("background work failed")
            told = sentence(error)
            self._answer(task, lambda: self._finish(task, failed, told))
            return
        self._answer(task, lambda: self._finish(task, done, result))

    def _answer(self, task: Task, answer: Callable[[], None]) -> None:
        if not self._closed:  # an abandoned thread may outlive the window
            self._answered.emit(task, answer)

    def _finish(self, task: Task, tell: Callable[[Any], None], value: Any) -> None:
        self._tasks.discard(task)
        tell(value)

    def _deliver(self, task: Task, answer: Callable[[], None]) -> None:
        if not task.cancelled:
            answer()
        else:
            self._tasks.discard(task)
