"""Does what the table of commands names: one receiver a command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from gettext import gettext as tr
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QFileDialog

from app.session.cine_clock import Repeat
from app.session.subtraction import Subtraction
from app.window.about import about_dialog
from app.window.commands import COMMANDS
from app.window.demo import Demo
from app.window.exporting import Exporting
from app.window.menus import shortcut_rows
from resources import resource_path
from widgets.dialogs.settings_dialog import DeviceChoice, SettingsDialog, SettingsValues
from widgets.dialogs.shortcuts_page import ShortcutsPage
from widgets.picture.compare import ViewMode

if TYPE_CHECKING:
    from app.window.main_window import MainWindow

LONG_STEP = 10
RUN_FILTERS = (
    "X-ray runs (*.dcm *.dicom *.ima DICOMDIR *.mp4 *.avi *.mkv *.mov *.tif *.tiff *.png *.jpg"
    " *.mha *.mhd *.nrrd *.nii *.nii.gz *.npy *.npz);;All files (*)"
)
REPEATS = (Repeat.LOOP, Repeat.BOUNCE, Repeat.ONCE)
DEVICES = (
    DeviceChoice("auto", "Fastest available"),
    DeviceChoice("cuda", "NVIDIA GPU (CUDA)"),
    DeviceChoice("mps", "Apple GPU (MPS)"),
    DeviceChoice("cpu", "CPU"),
)


class Commander:
    """The receivers of all commands of one window.

    Attributes
    ----------
    receivers : dict
        A callable for each command of the table, by the command's name.
    exporting : Exporting
    dialogs : set of QDialog
        Those that are open.
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.exporting = Exporting(window)
        self._subtraction = Subtraction(window)
        self._demo: Demo | None = None
        self.dialogs: set[QDialog] = set()
        self._flip_to = ViewMode.DENOISED
        self._was_maximized = False  # before full screen
        self.receivers: dict[str, Callable[..., object]] = {
            command.name: self._receiver(command.name) for command in COMMANDS
        }

    def _receiver(self, name: str) -> Callable[..., object]:
        """Find who does a command: the playback, the labelling, the view, or a method here."""
        window = self._window
        labelling, playback, view = window.labelling, window.playback, window.view
        subtraction = self._subtraction
        direct: dict[str, Callable[..., object]] = {
            "quit": window.close,
            "previous_run": lambda: window.library.open_neighbour(-1),
            "next_run": lambda: window.library.open_neighbour(1),
            "import_labels": self.exporting.import_labels,
            "export_labels": self.exporting.export_labels,
            "export_picture": self.exporting.export_picture,
            "export_movie": self.exporting.export_movie,
            "toggle_subtraction": subtraction.toggle,
            "mask_here": subtraction.use_this_frame,
            "mask_left": lambda: subtraction.move(-1, 0),
            "mask_right": lambda: subtraction.move(1, 0),
            "mask_up": lambda: subtraction.move(0, -1),
            "mask_down": lambda: subtraction.move(0, 1),
            "mask_reset": subtraction.reset,
            "undo": labelling.undo,
            "redo": labelling.redo,
            "toggle_play": playback.toggle,
            "step_back": lambda: playback.step(-1),
            "step_forward": lambda: playback.step(1),
            "jump_back": lambda: playback.step(-LONG_STEP),
            "jump_forward": lambda: playback.step(LONG_STEP),
            "first_frame": lambda: playback.seek(0),
            "last_frame": lambda: playback.seek(window.timeline.frame_count - 1),
            "slower": lambda: playback.change_speed(-1),
            "faster": lambda: playback.change_speed(1),
            "fit": view.fit,
            "one_to_one": view.one_to_one,
            "zoom_in": view.zoom_in,
            "zoom_out": view.zoom_out,
            "auto_window": window.picture.auto_window,
            "file_window": window.picture.next_file_window,
            "full_window": window.picture.full_window,
            "toggle_tracks": view.set_overlay_visible,
            "toggle_corners": view.set_corners_visible,
            "show_original": lambda: window.picture.set_mode(ViewMode.ORIGINAL),
            "show_denoised": lambda: window.picture.set_mode(ViewMode.DENOISED),
            "show_side_by_side": lambda: window.picture.set_mode(ViewMode.SIDE_BY_SIDE),
            "show_wipe": lambda: window.picture.set_mode(ViewMode.WIPE),
            "show_difference": lambda: window.picture.set_mode(ViewMode.DIFFERENCE),
            "cancel_denoising": lambda: window.denoising.set_wanted(False),
            "adapt_denoiser": window.adapting.adapt,
            "use_shipped_denoiser": lambda: window.adapting.use(""),
            "new_track": labelling.add_track,
            "next_track": labelling.select_next,
            "delete_track": labelling.remove_track,
            "track_both": labelling.track_again,
            "track_backward": lambda: labelling.track_again(forward=False),
            "track_forward": lambda: labelling.track_again(backward=False),
            "next_doubtful": labelling.go_to_doubtful,
            "previous_doubtful": lambda: labelling.go_to_doubtful(backward=True),
            "accept_point": labelling.confirm,
            "mark_occluded": labelling.mark_occluded,
            "mark_absent": labelling.mark_absent,
            "mark_visible": labelling.mark_visible,
            "delete_point": labelling.delete_point,
            "span_start": labelling.start_span,
            "span_end": labelling.end_span,
            "interpolate_span": labelling.interpolate_span,
            "clear_span": labelling.clear_span,
            "drop_span": labelling.drop_span,
        }
        return direct[name] if name in direct else getattr(self, name)

    def close(self) -> None:
        """End the demo and close the dialogs."""
        self.stop_demo()
        self.exporting.close()
        for dialog in tuple(self.dialogs):
            dialog.close()

    # files

    def open_files(self) -> None:
        """Ask for files and open them."""
        chosen, _ = QFileDialog.getOpenFileNames(
            self._window, tr("Open run"), self._window.settings.now.last_folder, RUN_FILTERS
        )
        if chosen:
            self._window.library.open_paths([Path(name) for name in chosen])

    def open_folder(self) -> None:
        """Ask for a folder and open what is in it."""
        chosen = QFileDialog.getExistingDirectory(
            self._window, tr("Open folder"), self._window.settings.now.last_folder
        )
        if chosen:
            self._window.library.open_paths([Path(chosen)])

    def open_sample(self) -> None:
        """Open the run that comes with the program."""
        self._window.library.open_paths([resource_path("sample", "demo.dcm")])

    def toggle_reviewed(self, _: bool) -> None:
        """Say that the run is done, or not."""
        self._window.remember_place()
        if self._window.review is not None:
            self._window.library.show_label_state(self._window.review)

    # playing

    def cycle_repeat(self) -> None:
        """Loop, bounce, once, and round again."""
        playback = self._window.playback
        playback.set_repeat(REPEATS[(REPEATS.index(playback.repeat) + 1) % len(REPEATS)])

    # view

    def toggle_invert(self, on: bool) -> None:
        """Show dark as bright."""
        picture = self._window.picture
        picture.change_settings(replace(picture.settings, inverted=on))

    def toggle_shutter(self, on: bool) -> None:
        """Hide what the file's shutter hides."""
        picture = self._window.picture
        picture.change_settings(replace(picture.settings, shutter=on))

    def toggle_trails(self, on: bool) -> None:
        """Draw trails."""
        self._window.picture.set_trail(self._window.settings.now.trail_frames, shown=on)

    def toggle_patient(self, on: bool) -> None:
        """Show whose run it is."""
        self._window.picture.set_patient_shown(on)

    def toggle_panels(self, on: bool) -> None:
        """Show the panels on both sides."""
        for dock in self._window.side_docks:
            dock.setVisible(on)

    def toggle_theme(self, light: bool) -> None:
        """Change between the dark and the light theme."""
        self._window.settings.change(theme="light" if light else "dark")

    def toggle_full_screen(self, on: bool) -> None:
        """Give the whole screen to the picture."""
        window = self._window
        if on:
            self._was_maximized = window.isMaximized()
        for part in (window.menuBar(), window.tool_bar, *window.side_docks):
            part.setVisible(not on)
        if on:
            window.showFullScreen()
        else:
            (window.showMaximized if self._was_maximized else window.showNormal)()
            self.toggle_panels(window.actions_by_name["toggle_panels"].isChecked())

    # denoising

    def toggle_denoised(self) -> None:
        """Flip between the original and the comparison that was on before."""
        picture = self._window.picture
        if picture.mode is ViewMode.ORIGINAL:
            picture.set_mode(self._flip_to)
        else:
            self._flip_to = picture.mode
            picture.set_mode(ViewMode.ORIGINAL)

    # labels

    def lock_labels(self, on: bool) -> None:
        """Keep clicks and keys from changing labels."""
        self._window.labelling.locked = on
        self._window.view.set_locked(tr("The labels are locked; K unlocks them") if on else "")

    def cancel_tracking(self) -> None:
        """Stop tracking; in full screen, leave it first."""
        full_screen = self._window.actions_by_name["toggle_full_screen"]
        if full_screen.isChecked():
            full_screen.trigger()
        else:
            self._window.labelling.cancel_tracking()

    # dialogs

    def open_settings(self) -> None:
        """Show the settings."""
        settings = self._window.settings.now
        names = SettingsValues.__dataclass_fields__
        values = SettingsValues(**{name: getattr(settings, name) for name in names})
        dialog = SettingsDialog(values, DEVICES, self._window)
        dialog.applied.connect(self._take_settings)
        self._open(dialog)

    def show_shortcuts(self) -> None:
        """Show the table of keys."""
        self._open(ShortcutsPage(shortcut_rows(), self._window))

    def show_about(self) -> None:
        """Say what this is, and what it is not."""
        logo = QIcon(str(resource_path("icons", "fluorotrace.svg"))).pixmap(64, 64)
        self._open(about_dialog(logo, self._window))

    def _take_settings(self, values: SettingsValues) -> None:
        names = SettingsValues.__dataclass_fields__
        chosen = {name: getattr(values, name) for name in names}
        self._window.settings.change(**chosen)

    def _open(self, dialog: QDialog) -> None:
        self.dialogs.add(dialog)
        dialog.finished.connect(lambda _: self.dialogs.discard(dialog))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    # demo

    def start_demo(self) -> None:
        """Show the main job on the built-in sample."""
        self.stop_demo()
        self._demo = Demo(self._window)
        self._demo.start()

    def stop_demo(self) -> None:
        """Leave the window to the user."""
        if self._demo is not None:
            self._demo.stop()
            self._demo = None
