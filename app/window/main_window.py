"""The window: makes the widgets, lays them out, and joins them to the controllers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from gettext import gettext as tr
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QMainWindow,
    QSizePolicy,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from app.errors import UserError
from app.session.adapting import Adapting
from app.session.background import Background
from app.session.denoising import Denoising
from app.session.labelling import Labelling
from app.session.library import Library
from app.session.open_run import OpenRun
from app.session.playback import Playback
from app.session.settings import Settings, SettingsKeeper
from app.session.worker import InferenceWorker
from app.tracks.track import TrackKind
from app.window.commander import Commander
from app.window.commands import COMMANDS
from app.window.label_views import LabelViews
from app.window.menus import make_actions, set_icons, shown_keys
from app.window.picture import Picture
from app.window.progress import Progress
from resources import resource_path
from widgets.panels.denoise_panel import DenoisePanel
from widgets.panels.notice_bar import Notice, NoticeBar, Severity
from widgets.panels.run_list import RunList
from widgets.panels.track_panel import TrackPanel
from widgets.picture.cine_view import CineView
from widgets.theme import THEMES, palette, style_sheet
from widgets.timeline.ecg_strip import EcgStrip
from widgets.timeline.motion_plot import MotionPlot
from widgets.timeline.play_bar import PlayBar
from widgets.timeline.timeline import Timeline

if TYPE_CHECKING:
    from inference.denoising.denoiser import Denoiser
    from inference.tracking.tracker import Tracker

TOOL_BAR = (
    ("open_files", "open_folder", "undo", "redo"),
    ("fit", "auto_window", "toggle_invert", "toggle_subtraction"),
    ("toggle_denoised", "new_track", "export_labels"),
)
TOOL_BAR_RIGHT = ("toggle_theme", "toggle_full_screen", "show_shortcuts")
DEVICE_WORDS = {
    "cpu": "Computed on the CPU, ONNX Runtime",
    "cuda": "Computed on the GPU, PyTorch CUDA",
    "mps": "Computed on the GPU, PyTorch MPS",
}
TOO_CLEAN = "The noise of this run is too weak to be seen: it stays as it is."
SIDE_WIDTH = 274


def load_tracker(device: str, warn: Callable[[str], None]) -> Tracker:
    """Load the tracker; the engine's module is imported on the worker thread."""
    from inference.tracking.tracker import load_tracker as load

    return load(device, warn=warn)


def load_denoiser(device: str, warn: Callable[[str], None], weights: str) -> Denoiser:
    """Load the denoiser; the engine's module is imported on the worker thread."""
    from inference.denoising.denoiser import STUDENT
    from inference.denoising.denoiser import load_denoiser as load

    return load(device, name=weights or STUDENT, warn=warn)


class MainWindow(QMainWindow):
    """One window for one run at a time.

    Parameters
    ----------
    settings : SettingsKeeper
    worker : InferenceWorker, optional
        Made here by default; the window closes it.
    """

    def __init__(self, settings: SettingsKeeper, worker: InferenceWorker | None = None) -> None:
        super().__init__()
        self.settings = settings
        now = settings.now
        self._applied: Settings | None = None
        self.review: OpenRun | None = None
        self.setWindowTitle("Fluorotrace")
        self.setAcceptDrops(True)
        self.worker = worker or InferenceWorker(load_tracker, load_denoiser, now.device)
        self.background = Background()
        self._make_widgets()
        self.playback = Playback(self)
        self.labelling = Labelling(self.playback, self.worker)
        self.denoising = Denoising(self.worker, now.denoised_memory_mb << 20)
        self.adapting = Adapting(self)
        self.picture = Picture(self.view, self.playback, self.denoising, self.labelling)
        self.label_views = LabelViews(
            self.labelling, self.picture, self.timeline, self.track_panel, self.motion_plot
        )
        self.progress = Progress(self.playback, self.denoising, self.timeline, self.play_bar)
        self.library = Library(self.run_list, self.background, settings)
        self.commander = Commander(self)
        self.actions_by_name: dict[str, QAction] = make_actions(self, self.commander.receivers)
        self._lay_out()
        self._connect()
        self._apply_settings(now)
        settings.changed.connect(self._apply_settings)
        self._show_empty()
        self.label_views.set_review(None)

    # making

    def _make_widgets(self) -> None:
        self.view = CineView()
        self.notices = NoticeBar(self.view)
        self.play_bar = PlayBar()
        self.timeline = Timeline()
        self.ecg_strip = EcgStrip()
        self.run_list = RunList()
        self.track_panel = TrackPanel({str(kind): tr(str(kind)) for kind in TrackKind})
        self.denoise_panel = DenoisePanel()
        self.motion_plot = MotionPlot()
        self.tool_bar = QToolBar("Tools")

    def _lay_out(self) -> None:
        center = QWidget()
        column = QVBoxLayout(center)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.view, 1)
        column.addWidget(self.ecg_strip)
        column.addWidget(self.timeline)
        column.addWidget(self.play_bar)
        self.setCentralWidget(center)
        self.tool_bar.setMovable(False)
        self.tool_bar.setObjectName("tools")
        self.tool_bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        for group in TOOL_BAR:
            for name in group:
                self.tool_bar.addAction(self.actions_by_name[name])
            self.tool_bar.addSeparator()
        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.tool_bar.addWidget(spacer)
        for name in TOOL_BAR_RIGHT:
            self.tool_bar.addAction(self.actions_by_name[name])
        self.addToolBar(self.tool_bar)
        self.runs_dock = self._dock("Runs", self.run_list, Qt.DockWidgetArea.LeftDockWidgetArea)
        right = Qt.DockWidgetArea.RightDockWidgetArea
        self.tracks_dock = self._dock("Tracks", self.track_panel, right)
        self.denoise_dock = self._dock("Denoise", self.denoise_panel, right)
        self.motion_dock = self._dock("Motion", self.motion_plot, right)
        docks = [self.runs_dock, self.tracks_dock]
        self.resizeDocks(docks, [SIDE_WIDTH - 30, SIDE_WIDTH], Qt.Orientation.Horizontal)

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(title)
        dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetMovable)
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _connect(self) -> None:
        playback, timeline, labelling = self.playback, self.timeline, self.labelling
        playback.frame_changed.connect(self._show_position)
        playback.playing_changed.connect(self.play_bar.set_playing)
        playback.speed_changed.connect(self.play_bar.set_speed)
        playback.repeat_changed.connect(lambda repeat: self.play_bar.set_repeat(repeat.value))
        self.play_bar.command_requested.connect(self.run_command)
        self.play_bar.speed_picked.connect(playback.set_speed)
        timeline.frame_requested.connect(playback.seek)
        timeline.span_selected.connect(labelling.set_span)
        timeline.span_dropped.connect(labelling.drop_span)
        timeline.track_picked.connect(labelling.select)
        self.ecg_strip.frame_requested.connect(playback.seek)
        self.motion_plot.frame_requested.connect(playback.seek)
        self.view.wheel_stepped.connect(playback.step)
        self.view.point_clicked.connect(lambda frame, x, y, _: labelling.place(x, y, frame=frame))
        self.view.blocked_click.connect(labelling.refuse_locked)
        self.view.point_drag_started.connect(lambda _: playback.pause())
        self.view.point_dropped.connect(labelling.drop)
        self.view.track_picked.connect(labelling.select)
        self.view.full_screen_toggled.connect(self.actions_by_name["toggle_full_screen"].trigger)
        self.picture.frame_shown.connect(self.progress.count_frame)
        self.progress.rested.connect(self.remember_place)
        self.picture.settings_changed.connect(self._show_settings)
        panel = self.track_panel
        panel.command_requested.connect(self.run_command)
        panel.track_picked.connect(labelling.select)
        panel.renamed.connect(lambda track, name: labelling.change_track(track, name=name))
        panel.kind_picked.connect(
            lambda track, kind: labelling.change_track(track, kind=TrackKind(kind))
        )
        panel.visibility_changed.connect(self._show_track)
        labelling.refused.connect(self.say)
        labelling.tracking_changed.connect(panel.set_progress)
        labelling.labels_changed.connect(lambda _: self._show_history())
        denoise = self.denoise_panel
        denoise.mode_picked.connect(self.picture.set_mode)
        denoise.strength_changed.connect(self.picture.set_strength)
        denoise.cancel_requested.connect(lambda: self.denoising.set_wanted(False))
        self.denoising.progress_changed.connect(denoise.set_progress)
        self.denoising.found_clean.connect(
            lambda clean: denoise.set_note(TOO_CLEAN if clean else "")
        )
        self.worker.device_changed.connect(lambda device: denoise.set_device(DEVICE_WORDS[device]))
        self.worker.failed.connect(lambda _, text: self.say(text, Severity.ERROR))
        self.worker.notice.connect(lambda text: self.say(text, Severity.WARNING))
        self.library.opened.connect(self.set_review)
        self.library.take_back = self.labelling.tracking.take_back
        self.library.refused.connect(self.say_error)
        self.library.busy.connect(self.run_list.set_status)
        self.run_list.keys_released.connect(self.view.setFocus)
        self.notices.action_requested.connect(lambda notice: self.run_command(notice.command))

    # the run

    def set_review(self, review: OpenRun | None) -> None:
        """Show another run; the former one is saved and closed."""
        self.close_review()
        self.review = review
        if review is None:
            self._show_empty()
            return
        run, state = review.run, review.store.state
        self.notices.clear()
        review.store.on_trouble = self._trouble_on_writer_thread
        self.timeline.set_frames(run.frame_times_ms)
        self.play_bar.set_frame_count(run.frame_count)
        self.motion_plot.set_frames(run.frame_times_ms)
        self.ecg_strip.set_frames(run.frame_times_ms)
        if run.ecg is not None:
            ecg = run.ecg
            self.timeline.set_r_waves(ecg.r_wave_times_ms)
            self.ecg_strip.set_ecg(
                ecg.samples,
                ecg.sampling_hz,
                start_ms=ecg.start_ms,
                unit=ecg.unit,
                label=ecg.label,
                r_wave_times_ms=ecg.r_wave_times_ms,
            )
        else:
            self.ecg_strip.clear()
        self.picture.set_review(review)
        self.labelling.set_review(review)
        self.denoising.set_review(review)
        self.adapting.show_adaptable()
        self.label_views.set_review(review)
        self.playback.set_run(run, state.playhead)
        self.actions_by_name["toggle_reviewed"].setChecked(state.reviewed)
        self.library.show_label_state(review)
        self.setWindowTitle(f"{run.path.name} – Fluorotrace")
        self._show_usable()
        self.progress.set_review(review)
        self.view.setFocus()
        if review.store.notice:
            self.say(review.store.notice, Severity.WARNING)
        for note in run.notes:
            self.say(note)

    def close_review(self) -> None:
        """Save and close the run that is open."""
        review = self.review
        if review is None:
            return
        self.playback.pause()
        self.remember_place()
        self.progress.set_review(None)
        self.denoising.set_review(None)
        self.label_views.set_review(None)
        self.labelling.set_review(None)
        self.picture.set_review(None)
        self.library.show_label_state(review)
        self.review = None
        self.adapting.show_adaptable()
        if not self.labelling.tracking.leave(review):
            self._close_run(review)

    def _close_run(self, review: OpenRun) -> None:
        try:
            review.close()
        except UserError as error:
            self.say(str(error), Severity.ERROR)
            review.discard()

    def remember_place(self) -> None:
        """Save the playhead, whether the run is reviewed, and how it is shown."""
        if self.review is None:
            return
        self.review.store.save_state(
            replace(
                self.review.store.state,
                playhead=self.playback.frame,
                reviewed=self.actions_by_name["toggle_reviewed"].isChecked(),
            )
        )

    # what the user hears

    def say(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Show one plain sentence."""
        if text:
            self.notices.show_notice(Notice(text, severity))

    def say_error(self, text: str) -> None:
        """Show what went wrong, in one plain sentence."""
        self.say(text, Severity.ERROR)

    @property
    def side_docks(self) -> tuple[QDockWidget, ...]:
        """The panels on both sides of the picture."""
        return (self.runs_dock, self.tracks_dock, self.denoise_dock, self.motion_dock)

    def run_command(self, name: str) -> None:
        """Do a command of the table, as if its menu item had been chosen."""
        self.actions_by_name[name].trigger()

    # settings

    def _apply_settings(self, settings: Settings) -> None:
        """Take over what has changed; what was switched on the screen since stays as it is."""
        before, self._applied = self._applied, settings

        def changed(name: str) -> bool:
            return before is None or getattr(before, name) != getattr(settings, name)

        if changed("theme"):
            self._show_theme(settings)
        if changed("show_patient"):
            self.actions_by_name["toggle_patient"].setChecked(settings.show_patient)
            self.picture.set_patient_shown(settings.show_patient)
        if changed("trail_frames"):
            trails = self.actions_by_name["toggle_trails"].isChecked()
            self.picture.set_trail(settings.trail_frames, shown=trails)
        if changed("device"):
            self.worker.set_device(settings.device)
        if changed("denoised_memory_mb"):
            self.denoising.set_budget(settings.denoised_memory_mb << 20)

    def _show_theme(self, settings: Settings) -> None:
        theme = THEMES.get(settings.theme, THEMES["dark"])
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.setPalette(palette(theme))
        template = resource_path("styles", "fluorotrace.qss").read_text("utf-8")
        icons = resource_path("icons").as_posix()
        app.setStyleSheet(style_sheet(theme, template, icons))
        for widget in (
            self.notices,
            self.play_bar,
            self.timeline,
            self.ecg_strip,
            self.run_list,
            self.track_panel,
            self.denoise_panel,
            self.motion_plot,
        ):
            widget.set_theme(theme)
        keys = shown_keys()
        self.play_bar.set_shortcuts(keys)
        self.track_panel.set_shortcuts(keys)
        self.denoise_panel.set_shortcuts(keys)
        set_icons(self.actions_by_name, theme)
        self.actions_by_name["toggle_theme"].setChecked(theme.name == "light")

    def restore_layout(self) -> bool:
        """Take the size and the panels that it was left with; False where none are known."""
        now = self.settings.now
        geometry, layout = (
            QByteArray.fromBase64(text.encode())
            for text in (now.window_geometry, now.window_layout)
        )
        return self.restoreGeometry(geometry) and self.restoreState(layout)

    # drawing what changed

    def _show_empty(self) -> None:
        self.setWindowTitle("Fluorotrace")
        self.run_list.set_current(None)
        self.view.clear_frame()
        self.view.set_message(
            "Drop an X-ray run here",
            "or open one with Ctrl+O; File, Open the built-in sample shows what can be done",
        )
        self.timeline.set_frames(np.zeros(0))
        self.play_bar.set_frame_count(0)
        self.ecg_strip.clear()
        self._show_usable()

    def _show_position(self, frame: int) -> None:
        assert self.review is not None
        self.timeline.set_frame(frame)
        self.play_bar.set_position(frame, float(self.review.run.frame_times_ms[frame]))
        self.ecg_strip.set_frame(frame)
        self.motion_plot.set_frame(frame)

    def _show_settings(self) -> None:
        settings = self.picture.settings
        self.denoise_panel.set_mode(self.picture.mode)
        self.denoise_panel.set_strength(self.picture.strength)
        for name, on in (
            ("toggle_invert", settings.inverted),
            ("toggle_shutter", settings.shutter),
            ("toggle_subtraction", settings.subtracted),
        ):
            self.actions_by_name[name].setChecked(on)

    def _show_usable(self) -> None:
        """Offer what can be done: without a run, little."""
        usable = {c.name for c in COMMANDS if self.review is not None or not c.needs_run}
        for name, action in self.actions_by_name.items():
            action.setEnabled(name in usable)
        plays = self.review is not None and self.review.run.frame_count > 1
        self.play_bar.set_usable(usable if plays else ())
        self.denoise_panel.set_usable(usable)
        self._show_history()

    def _show_history(self) -> None:
        labels = self.review.labels if self.review is not None else None
        for name, verb, can, what in (
            ("undo", "Undo", bool(labels and labels.can_undo), labels and labels.undo_label),
            ("redo", "Redo", bool(labels and labels.can_redo), labels and labels.redo_label),
        ):
            self.actions_by_name[name].setEnabled(can)
            self.actions_by_name[name].setText(f"{verb}: {what}" if can else verb)

    def _show_track(self, track_id: str, shown: bool) -> None:
        self.picture.set_track_shown(track_id, shown)
        self.label_views.redraw()

    def _trouble_on_writer_thread(self, text: str) -> None:
        QTimer.singleShot(0, self, lambda: self.say(text, Severity.ERROR))

    # window events

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Welcome files and folders anywhere on the window."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        event.acceptProposedAction()
        paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
        self.library.open_paths(paths)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save everything and end the threads."""
        if not self.isFullScreen():
            self.settings.change(
                window_geometry=bytes(self.saveGeometry().toBase64().data()).decode(),
                window_layout=bytes(self.saveState().toBase64().data()).decode(),
            )
        self.commander.close()
        self.adapting.cancel()
        self.close_review()
        for left in self.labelling.tracking.stop():
            self._close_run(left)
        self.label_views.stop()
        self.worker.close()
        self.background.close()
        event.accept()
