"""How much memory a file may ask for: checked before any is taken.

A header costs nothing and may declare anything, so what is declared is measured against what is
stored, and against the memory of the machine.
"""

from __future__ import annotations

from gettext import gettext as tr

import psutil

from app.runs.run import RunError

FREE_BYTES = 64 << 20
"""Always allowed: a few frames of the largest detector cost no machine anything."""

LARGEST_RATIO = 256
"""Pictures of X-rays are noisy: what packs denser than this holds no picture, but a trap."""

MEMORY_SHARE = 0.25
"""What one opening may take of the machine's memory, its working copies left out."""

MAX_FRAMES = 100_000
"""An hour at 30 frames/s; a longer run would make every list of frames slow."""


def check_frame_count(count: int, what: str) -> None:
    """Refuse a run of more frames than can be handled; ``what`` is its file's name.

    Raises
    ------
    RunError
        If there are too many.
    """
    if count > MAX_FRAMES:
        raise RunError(
            tr(
                "{what} holds {count} frames; more than {most} cannot be shown, so split it."
            ).format(what=what, count=count, most=MAX_FRAMES)
        )


def allowed_bytes(stored_bytes: int | None) -> int:
    """Return how many bytes may be made of ``stored_bytes``; None where these are not known."""
    machine = int(psutil.virtual_memory().total * MEMORY_SHARE)
    if stored_bytes is None:
        return machine
    return min(machine, max(FREE_BYTES, stored_bytes * LARGEST_RATIO))


def check_allowance(needed_bytes: int, stored_bytes: int | None, what: str) -> None:
    """Refuse what costs more memory than its file can be worth.

    Parameters
    ----------
    needed_bytes : int
        What decoding it would take, as its header declares.
    stored_bytes : int or None
        What the file holds of it; None where that says nothing (a memory-mapped array).
    what : str
        Begins the sentence: a file's name, or "Frame 3 of run.dcm".

    Raises
    ------
    RunError
        If it is more than the file or the memory allows.
    """
    if needed_bytes <= allowed_bytes(stored_bytes):
        return
    if needed_bytes > allowed_bytes(None):
        raise RunError(
            tr("{what} would need {size} of memory, more than this computer can spare.").format(
                what=what, size=_size(needed_bytes)
            )
        )
    raise RunError(
        tr("{what} declares {size} but stores only {stored}; it is damaged.").format(
            what=what, size=_size(needed_bytes), stored=_size(stored_bytes or 0)
        )
    )


def _size(count: int) -> str:
    for factor, unit in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")):
        if count >= factor:
            amount = count / factor
            return f"{amount:.0f} {unit}" if amount >= 100 else f"{amount:.3g} {unit}"
    return f"{count} bytes"
