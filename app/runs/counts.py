"""What to say where a file declares another number of frames than it holds."""

from __future__ import annotations

from gettext import gettext as tr


def count_notes(stored: int, declared: int | None, *, cut: bool) -> tuple[str, ...]:
    """Return sentences on a number of frames that is wrong or missing; none where it is right.

    Parameters
    ----------
    declared : int or None
        None where the file does not say.
    cut : bool
        The file ends before what it declares.
    """
    if declared is None:
        told = tr("The file does not say how many frames it holds; all {stored} are shown.")
        return (told.format(stored=stored),) if stored > 1 else ()
    if stored == declared:
        return ()
    if cut and stored < declared:
        told = tr("The file is cut off: {missing} of {declared} frames are missing.")
        return (told.format(missing=declared - stored, declared=declared),)
    told = tr("The file says that it holds {declared} frames, but it holds {stored}.")
    return (told.format(declared=declared, stored=stored),)
