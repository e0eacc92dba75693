"""What the About box says: version, purpose, and the licences of what is used."""

from __future__ import annotations

from importlib.metadata import (
    PackageMetadata,
    PackageNotFoundError,
    metadata,
    requires,
    version,
)

from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QWidget

from widgets.dialogs.about_dialog import AboutDialog, ThirdParty

LICENCE = "Apache-2.0"
LONGEST_LICENCE = 60


def about_dialog(logo: QPixmap, parent: QWidget) -> AboutDialog:
    """Return the About box, to be shown with ``open()``."""
    return AboutDialog("Fluorotrace", program_version(), LICENCE, third_parties(), logo, parent)


def program_version() -> str:
    """Return the installed version."""
    try:
        return version("fluorotrace")
    except PackageNotFoundError:
        return "from source"


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
    return ThirdParty(name, about["Version"], first_line[:LONGEST_LICENCE] or "see its package")


def _classified(about: PackageMetadata) -> list[str]:
    classifiers = about.get_all("Classifier") or []
    return [line.split("::")[-1].strip() for line in classifiers if "License ::" in line]
