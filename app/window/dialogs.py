"""The dialogs that open what the user chooses and show what the program can do."""

from __future__ import annotations

from collections.abc import Sequence
from gettext import gettext as tr
from pathlib import Path

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from app.session.session import Session
from app.window.about import about_dialog
from app.window.asking import folder_to_look_in
from resources import resource_path
from widgets.dialogs.settings_dialog import DeviceChoice, SettingsDialog, SettingsValues
from widgets.dialogs.shortcuts_page import ShortcutRow, ShortcutsPage

RUN_PATTERNS = (
    "*.dcm *.dicom *.ima DICOMDIR *.mp4 *.avi *.mkv *.mov *.tif *.tiff *.png *.jpg"
    " *.mha *.mhd *.nrrd *.nii *.nii.gz *.npy *.npz"
)


class Dialogs:
    """Asks, and does what was answered.

    Attributes
    ----------
    open : set of QDialog
        Those that are on the screen.
    """

    def __init__(self, parent: QWidget, session: Session, shortcuts: Sequence[ShortcutRow]) -> None:
        self._parent = parent
        self._session = session
        self._shortcuts = shortcuts
        self.open: set[QDialog] = set()

    def open_files(self) -> None:
        """Ask for files and open them."""
        filters = f"{tr('X-ray runs')} ({RUN_PATTERNS});;{tr('All files')} (*)"
        chosen, _ = QFileDialog.getOpenFileNames(
            self._parent, tr("Open run"), folder_to_look_in(self._session.settings.now), filters
        )
        if chosen:
            self._session.library.open_paths([Path(name) for name in chosen])

    def open_folder(self) -> None:
        """Ask for a folder and open what is in it."""
        chosen = QFileDialog.getExistingDirectory(
            self._parent, tr("Open folder"), folder_to_look_in(self._session.settings.now)
        )
        if chosen:
            self._session.library.open_paths([Path(chosen)])

    def open_sample(self) -> None:
        """Open the run that comes with the program."""
        self._session.library.open_paths([resource_path("sample", "demo.dcm")])

    def open_settings(self) -> None:
        """Show the settings."""
        settings = self._session.settings.now
        names = SettingsValues.__dataclass_fields__
        values = SettingsValues(**{name: getattr(settings, name) for name in names})
        devices = (
            DeviceChoice("auto", tr("Fastest available")),
            DeviceChoice("cuda", tr("NVIDIA GPU (CUDA)")),
            DeviceChoice("mps", tr("Apple GPU (MPS)")),
            DeviceChoice("cpu", tr("CPU")),
        )
        dialog = SettingsDialog(values, devices, self._parent)
        dialog.applied.connect(self._take_settings)
        self._show(dialog)

    def show_shortcuts(self) -> None:
        """Show the table of keys."""
        self._show(ShortcutsPage(self._shortcuts, self._parent))

    def show_about(self) -> None:
        """Say what this is, and what it is not."""
        logo = QIcon(str(resource_path("icons", "fluorotrace.svg"))).pixmap(64, 64)
        self._show(about_dialog(logo, self._parent))

    def close(self) -> None:
        """Close those that are open."""
        for dialog in tuple(self.open):
            dialog.close()

    def _take_settings(self, values: SettingsValues) -> None:
        names = SettingsValues.__dataclass_fields__
        self._session.settings.change(**{name: getattr(values, name) for name in names})

    def _show(self, dialog: QDialog) -> None:
        self.open.add(dialog)
        dialog.finished.connect(lambda _: self.open.discard(dialog))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
