"""A process that ends with the one that started it, whatever happens to that."""

from __future__ import annotations

import _thread
import os
import threading

WATCHED = "FLUOROTRACE_ENDS_WITH_STDIN"
"""Set in the environment of a child whose standard input its parent holds open for this alone."""
CLEANING_UP_S = 5.0


def end_with_parent() -> None:
    """End this process as Ctrl-C does once the standard input closes, where the parent asks for it.

    The system closes it when the parent ends, a kill included; that works everywhere, and in
    distinction to a process id it cannot come to mean another process.
    """
    if WATCHED in os.environ:
        threading.Thread(target=_watch, name="parent watch", daemon=True).start()


def _watch() -> None:
    # Not by sys.stdin, whose lock the interpreter asks for when it ends.
    while os.read(0, 1):
        pass
    late = threading.Timer(CLEANING_UP_S, _give_up)
    late.daemon = True
    late.start()
    _thread.interrupt_main()


def _give_up() -> None:
    """End at once: a computation that never comes back to Python does not see the interruption."""
    os._exit(130)
