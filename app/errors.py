"""Errors that reach the user: one plain sentence each."""

from __future__ import annotations

import errno
from gettext import gettext as tr


class UserError(Exception):
    """Something went wrong that the user can act on; the message is one plain sentence."""


def sentence(error: BaseException) -> str:
    """Return the one sentence that the user sees for an error; details belong in the log.

    Only a `UserError` speaks for itself: the words of Python, of the system and of libraries are
    for programmers.
    """
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return tr("There is not enough memory for this; close other programs and try again.")
    if isinstance(error, OSError) and error.errno is not None:
        return _system_sentence(error)
    return tr(
        "This did not work, by a fault in Fluorotrace; your run and its labels are safe. "
        "Try again, and if it comes back, report it with the details in the log."
    )


def _system_sentence(error: OSError) -> str:
    name = error.filename if isinstance(error.filename, str) else tr("A file")
    if error.errno == errno.ENOENT:
        text = tr("{name} does not exist; check the path.")
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        text = tr("{name} may not be used; ask its owner for permission, or choose another place.")
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = tr("{name} could not be written: the disk is full; make room and try again.")
    elif error.errno in (errno.EMFILE, errno.ENFILE, errno.EAGAIN):
        text = tr("This computer can open no more files or threads; close other programs.")
    elif error.errno == errno.ENAMETOOLONG:
        text = tr("The name of a file is too long; choose a shorter one.")
    else:
        text = tr("{name} could not be used; check its disk or connection and try again.")
    return text.format(name=name)
