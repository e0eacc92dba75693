"""Errors that reach the user: one plain sentence each."""

from __future__ import annotations


class UserError(Exception):
    """Something went wrong that the user can act on; the message is one plain sentence."""


def sentence(error: BaseException) -> str:
    """Return the one sentence that the user sees for an error; details belong in the log."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for this; close other programs or runs and try again."
    if isinstance(error, OSError):
        if error.errno is None and str(error):  # raised by us, with a sentence of its own
            return str(error)
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror or 'The file could not be used'}{where}."
    lines = str(error).strip().splitlines()
    what = lines[0].rstrip(".") if lines else type(error).__name__
    return f"This did not work ({what}); your run and its labels are safe, try again."
