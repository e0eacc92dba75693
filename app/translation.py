"""Sentences in the user's language, where there is a catalogue for it."""

from __future__ import annotations

import gettext
import locale
import os
import sys

from resources import resource_path

DOMAIN = "fluorotrace"


def use_translations() -> None:
    """Let ``gettext`` look for our sentences in ``resources/locale``, for the whole program."""
    if sys.platform == "win32" and (language := locale.getlocale()[0]):
        os.environ.setdefault("LANG", language)  # gettext asks the environment alone
    gettext.bindtextdomain(DOMAIN, str(resource_path("locale")))
    gettext.textdomain(DOMAIN)
