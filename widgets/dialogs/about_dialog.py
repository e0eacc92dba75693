"""What the program is, and whose work it stands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from gettext import gettext as tr

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

TITLE_SIZE = 1.5
"""Height of the name beside that of the text."""


@dataclass(frozen=True, slots=True)
class ThirdParty:
    """A library the program uses, and its licence."""

    name: str
    version: str
    licence: str


class AboutDialog(QDialog):
    """Name, version, purpose, licence, and the licences of third parties.

    Parameters
    ----------
    details : callable, optional
        Gives what a report of a fault should hold; a button copies it.
    """

    def __init__(
        self,
        name: str,
        version: str,
        licence: str,
        third_parties: Sequence[ThirdParty],
        logo: QPixmap | None = None,
        parent: QWidget | None = None,
        details: Callable[[], str] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("About {name}").format(name=name))
        title = QLabel(name)
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * TITLE_SIZE)
        font.setBold(True)
        title.setFont(font)
        purpose = QLabel(tr("A reviewing and labelling tool, not a medical device."))
        purpose.setWordWrap(True)
        release = QLabel(
            tr("Version {version}, licence {licence}").format(version=version, licence=licence)
        )
        release.setProperty("role", "muted")
        release.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words = QVBoxLayout()
        words.addWidget(title)
        words.addWidget(purpose)
        words.addWidget(release)
        head = QHBoxLayout()
        if logo is not None:
            picture = QLabel()
            picture.setPixmap(logo)
            head.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
            head.addSpacing(12)
        head.addLayout(words, 1)
        libraries = QTreeWidget()
        libraries.setHeaderLabels([tr("Made with"), tr("Version"), tr("Licence")])
        libraries.setRootIsDecorated(False)
        libraries.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
        libraries.setAccessibleName(tr("Third-party licences"))
        libraries.addTopLevelItems(
            [QTreeWidgetItem([item.name, item.version, item.licence]) for item in third_parties]
        )
        header = libraries.header()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setText(tr("Close"))
        buttons.rejected.connect(self.reject)
        if details is not None:
            copy = buttons.addButton(tr("Copy details"), QDialogButtonBox.ButtonRole.ActionRole)
            copy.setToolTip(tr("For reports of faults: versions and the end of the log"))
            copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(details()))
        layout = QVBoxLayout(self)
        layout.addLayout(head)
        layout.addSpacing(8)
        layout.addWidget(libraries, 1)
        layout.addWidget(buttons)
        line = self.fontMetrics().height()
        self.resize(34 * line, 30 * line)
