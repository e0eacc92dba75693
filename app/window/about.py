"""What the About box says: version, purpose, licences, and what a report of a fault needs."""

from __future__ import annotations

import platform
from functools import partial
from gettext import gettext as tr
from importlib.metadata import (
    PackageMetadata,
    PackageNotFoundError,
    metadata,
    requires,
    version,
)

from PySide6.QtCore import qVersion
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QWidget

from app.log import last_lines
from widgets.dialogs.about_dialog import AboutDialog, ThirdParty

LICENCE = "Apache-2.0"
LONGEST_LICENCE = 60
REPORTED_LINES = 60


def about_dialog(logo: QPixmap, parent: QWidget, device: str = "") -> AboutDialog:
    """Return the About box, to be shown with ``open()``; ``device`` is where networks run."""
    return AboutDialog(
        "Fluorotrace",
        program_version(),
        LICENCE,
        third_parties(),
        logo,
        parent,
        partial(report, device),
    )


def report(device: str) -> str:
    """Return what a report of a fault needs: versions, device, the end of the log; no names."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    libraries = ", ".join(f"{party.name} {party.version}" for party in third_parties())
    return "\n".join(
        [
            f"Fluorotrace {program_version()}",
            f"Python {platform.python_version()}, Qt {qVersion()}, {system}",
            f"Device: {device or 'not used yet'}",
            libraries,
            "",
            *last_lines(REPORTED_LINES),
        ]
    )


def program_version() -> str:
    """Return the installed version."""
    try:
        return version("fluorotrace")
    except PackageNotFoundError:
        return tr("from source")


def third_parties() -> tuple[ThirdParty, ...]:
    """Return the installed libraries that the program names as its own needs."""
    try:
        needed = requires("fluorotrace") or []
    except PackageNotFoundError:
        return ()
    names = [line.split("==")[0].strip() for line in needed if "extra ==" not in line]
    return tuple(party for name in sorted(names, key=str.lower) if (party := _party(name)))


def _party(name: str) -> ThirdParty | None:
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return None
    stated = about.get_all("License-Expression") or about.get_all("License") or _classified(about)
    first_line = next((line for line in "\n".join(stated).splitlines() if line.strip()), "")
    return ThirdParty(name, about["Version"], first_line[:LONGEST_LICENCE] or tr("see its package"))


def _classified(about: PackageMetadata) -> list[str]:
    classifiers = about.get_all("Classifier") or []
    return [line.split("::")[-1].strip() for line in classifiers if "License ::" in line]
