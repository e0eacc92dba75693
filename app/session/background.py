"""Work off the GUI thread: opening, scanning, thumbnails, exports; answers in the GUI thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.errors import UserError, sentence

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Task:
    """One piece of background work; ``report`` may be called from within it."""

    report: Callable[[Any], None]
    _cancelled: Event = field(default_factory=Event)

    def cancel(self) -> None:
        """Ask the work to stop; nothing more is reported of it."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """True once the work should stop."""
        return self._cancelled.is_set()


class Background(QObject):
    """A few threads for work that a window waits for without blocking."""

    _answered = Signal(object, object)  # Task, callable to run in the GUI thread

    def __init__(self, threads: int = 2) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="background")
        self._tasks: set[Task] = set()
        self._answered.connect(self._deliver)

    def start(
        self,
        work: Callable[[Task], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
        progress: Callable[[Any], None] | None = None,
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
        """

        def report(value: Any) -> None:
            if progress is not None:
                self._answered.emit(task, lambda: progress(value))

        task = Task(report)
        self._tasks.add(task)
        self._pool.submit(self._work, task, work, done, failed)
        return task

    def close(self) -> None:
        """Cancel everything and wait for the threads."""
        for task in self._tasks:
            task.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._tasks.clear()

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
            self._answered.emit(task, lambda: self._finish(task, failed, told))
            return
        self._answered.emit(task, lambda: self._finish(task, done, result))

    def _finish(self, task: Task, tell: Callable[[Any], None], value: Any) -> None:
        self._tasks.discard(task)
        tell(value)

    def _deliver(self, task: Task, answer: Callable[[], None]) -> None:
        if not task.cancelled:
            answer()
        else:
            self._tasks.discard(task)
