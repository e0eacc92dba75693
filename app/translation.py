"""Sentences in the user's language, where there is a catalogue for it."""

from __future__ import annotations

import gettext
import locale
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from resources import resource_path

DOMAIN = "fluorotrace"
LANGUAGE_NAMES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""Of the environment, by which gettext knows the language."""

_find = gettext.find


def use_translations() -> None:
    """Let ``gettext`` look for our sentences in ``resources/locale``, for the whole program.

    It would look on the disk for the catalogue at each sentence, several times a frame.
    """
    if sys.platform == "win32" and (language := locale.getlocale()[0]):
        os.environ.setdefault("LANG", language)  # gettext asks the environment alone
    gettext.bindtextdomain(DOMAIN, str(resource_path("locale")))
    gettext.textdomain(DOMAIN)
    gettext.find = _remembered  # type: ignore[assignment]  # it is overloaded there


def _remembered(
    domain: str,
    localedir: str | None = None,
    languages: Sequence[str] | None = None,
    all: bool = False,
) -> Any:
    environment = tuple(os.environ.get(name) for name in LANGUAGE_NAMES)
    wanted = None if languages is None else tuple(languages)
    return _found(domain, localedir, wanted, all, environment)


@cache
def _found(
    domain: str,
    localedir: str | None,
    languages: tuple[str, ...] | None,
    all_of_them: bool,
    _environment: tuple[str | None, ...],
) -> Any:
    return _find(domain, localedir, languages, all_of_them)
