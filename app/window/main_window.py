"""The window: makes the widgets, lays them out, and joins them to the controllers."""

from __future__ import annotations

from collections.abc import Callable
from gettext import gettext as tr
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QMainWindow,
    QSizePolicy,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from app.session.look import Comparison, Look
from app.session.open_run import OpenRun
from app.session.playback import SPEEDS
from app.session.session import Session
from app.session.settings import Settings, SettingsKeeper
from app.session.tools import Tool
from app.session.worker import InferenceWorker
from app.tracks.track import TrackKind
from app.window.calibration_views import CalibrationViews
from app.window.commander import Commander, shortcut_rows, shown_keys
from app.window.demo import Demo
from app.window.denoiser_views import DenoiserViews
from app.window.dialogs import Dialogs
from app.window.exporting import Exporting
from app.window.frame import WindowFrame
from app.window.hands import Hands
from app.window.importing import Importing
from app.window.key_image_views import KeyImageViews
from app.window.label_views import LabelViews
from app.window.mark_views import MarkViews
from app.window.panels import Panel, give_room, make_panels
from app.window.picture import Picture
from app.window.picture_words import UnderWay
from app.window.places_view import PlacesView
from app.window.progress import Progress
from app.window.run_list_view import RunListView
from app.window.subtraction_view import SubtractionView
from app.window.unsaved import UnsavedDialogs
from app.window.vessel_views import VesselViews
from resources import resource_path
from widgets.panels.denoise_panel import DenoisePanel
from widgets.panels.key_image_strip import KeyImageStrip
from widgets.panels.measure_panel import MeasurePanel
from widgets.panels.mode_switch import ModeSwitch
from widgets.panels.notice_bar import Notice, NoticeBar, Severity
from widgets.panels.run_list import RunList
from widgets.panels.subtraction_panel import SubtractionPanel
from widgets.panels.track_panel import TrackPanel
from widgets.panels.vessel_panel import VesselPanel
from widgets.picture.cine_view import CineView
from widgets.picture.compare import ViewMode
from widgets.picture.place_grid import PlaceGrid
from widgets.theme import THEMES, palette, style_sheet
from widgets.timeline.ecg_strip import EcgStrip
from widgets.timeline.motion_plot import MotionPlot
from widgets.timeline.play_bar import PlayBar
from widgets.timeline.timeline import Timeline
from widgets.translation import marked

if TYPE_CHECKING:
    from inference.denoising.denoiser import Denoiser
    from inference.tracking.tracker import Tracker

TOOL_BAR = (
    ("open_files", "open_folder", "undo", "redo"),
    ("tool_window", "tool_pan", "tool_distance", "tool_angle"),
    ("fit", "auto_window", "toggle_invert", "toggle_subtraction"),
    ("toggle_denoised", "new_track", "export_labels"),
)
TOOL_BAR_RIGHT = ("toggle_theme", "toggle_full_screen", "show_shortcuts")
DEVICE_WORDS = {
    "cpu": marked("Computed on the CPU, ONNX Runtime"),
    "cuda": marked("Computed on the GPU, PyTorch CUDA"),
    "mps": marked("Computed on the GPU, PyTorch MPS"),
}
TOO_CLEAN = marked("The noise of this run is too weak to be seen: it stays as it is.")


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
    """Draws one session, and sends it what the user wants.

    Parameters
    ----------
    settings : SettingsKeeper
    worker : InferenceWorker, optional
        Made here by default; the window closes it.
    """

    def __init__(self, settings: SettingsKeeper, worker: InferenceWorker | None = None) -> None:
        super().__init__()
        now = settings.now
        self._shown: Settings | None = None
        self._demo: Demo | None = None
        self._closing = False  # as soon as all labels are saved
        self.setWindowTitle("Fluorotrace")
        self.setAcceptDrops(True)
        self.session = session = Session(
            settings, worker or InferenceWorker(load_tracker, load_denoiser, now.device)
        )
        self._make_widgets()
        self._lay_out()
        self.picture = Picture(
            self.view,
            session.playback,
            session.denoising,
            session.labelling,
            session.look,
            now.trail_frames,
            session.measuring,
        )
        session.subtraction.registered.connect(self.picture.take_registered)
        session.subtraction.registering_changed.connect(self._show_under_way)
        session.enhancing.changed.connect(self._show_under_way)
        session.enhancing.changed.connect(self.picture.draw)
        self.places_view = PlacesView(self.place_grid, self.ecg_strip, session)
        self.label_views = LabelViews(
            session.labelling, session.look, self.timeline, self.track_panel, self.motion_plot
        )
        self.progress = Progress(session.playback, session.denoising, self.timeline, self.play_bar)
        self.marks = MarkViews(self, session, self.view, self.measure_panel, self.mode_switch)
        VesselViews(session, self.view, self.vessel_panel)
        self.hands = Hands(
            session=session,
            view=self.view,
            picture=self.picture,
            frame=WindowFrame(self, self.tool_bar, self.panels, settings),
            runs=RunListView(self.run_list, session),
            exporting=Exporting(self, session, self.view),
            importing=Importing(self, session),
            marks=self.marks,
            key_images=KeyImageViews(self, session, self.view, self.key_image_strip),
            dialogs=Dialogs(self, session, shortcut_rows()),
        )
        self.commander = Commander(self, self.hands)
        SubtractionView(self.subtraction_panel, session, self.commander)
        self._fill_tool_bar()
        self._connect()
        self._apply_settings(now)
        settings.changed.connect(self._apply_settings)
        self._show_run(None)
        self._show_look(session.look.now, session.look.now)
        self.commander.refresh()
        UnsavedDialogs(self, session.leaving)
        self.calibration_views = CalibrationViews(self, session, self.notices, self.view)
        DenoiserViews(self.denoise_panel.denoiser, session.adapting)

    # making

    def _make_widgets(self) -> None:
        self.view = CineView()
        self.place_grid = PlaceGrid(self.view)
        self.notices = NoticeBar(self.place_grid)
        self.play_bar = PlayBar(SPEEDS)
        self.timeline = Timeline()
        self.ecg_strip = EcgStrip()
        self.run_list = RunList()
        self.track_panel = TrackPanel({str(kind): tr(str(kind)) for kind in TrackKind})
        self.measure_panel = MeasurePanel()
        self.vessel_panel = VesselPanel()
        self.key_image_strip = KeyImageStrip()
        self.mode_switch = ModeSwitch()
        self.denoise_panel = DenoisePanel()
        self.subtraction_panel = SubtractionPanel()
        self.motion_plot = MotionPlot()
        self.tool_bar = QToolBar(tr("Tools"))

    def _lay_out(self) -> None:
        center = QWidget()
        column = QVBoxLayout(center)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.place_grid, 1)
        column.addWidget(self.ecg_strip)
        column.addWidget(self.timeline)
        column.addWidget(self.play_bar)
        self.setCentralWidget(center)
        self.tool_bar.setMovable(False)
        self.tool_bar.setObjectName("tools")
        self.tool_bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.addToolBar(self.tool_bar)
        self.panels = make_panels(
            self,
            {
                Panel.RUNS: self.run_list,
                Panel.TRACKS: self.track_panel,
                Panel.DENOISE: self.denoise_panel,
                Panel.MOTION: self.motion_plot,
                Panel.MEASURES: self.measure_panel,
                Panel.KEY_IMAGES: self.key_image_strip,
                Panel.SUBTRACTION: self.subtraction_panel,
                Panel.VESSEL: self.vessel_panel,
            },
        )

    def _fill_tool_bar(self) -> None:
        self.tool_bar.addWidget(self.mode_switch)
        self.tool_bar.addSeparator()
        for group in TOOL_BAR:
            for name in group:
                self.tool_bar.addAction(self.commander.actions[name])
            self.tool_bar.addSeparator()
        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.tool_bar.addWidget(spacer)
        for name in TOOL_BAR_RIGHT:
            self.tool_bar.addAction(self.commander.actions[name])

    def _connect(self) -> None:
        session = self.session
        session.run_changed.connect(self._show_run)
        session.run_left.connect(lambda _: self.progress.set_run(None))
        session.said.connect(lambda text: self._notice(text, Severity.INFO))
        session.warned.connect(lambda text: self._notice(text, Severity.WARNING))
        session.failed.connect(lambda text: self._notice(text, Severity.ERROR))
        session.withdrawn.connect(self.notices.withdraw)
        session.look.changed.connect(self._show_look)
        session.leaving.finished.connect(self._close_when_saved)
        session.worker.device_changed.connect(
            lambda device: self.denoise_panel.set_device(tr(DEVICE_WORDS[device]))
        )
        self.notices.action_requested.connect(lambda notice: self.commander.do(notice.command))
        self.run_list.keys_released.connect(self.view.setFocus)
        self.commander.usable_changed.connect(self._show_usable)
        self._connect_playback()
        self._connect_labelling()
        self._connect_denoising()

    def _connect_playback(self) -> None:
        playback = self.session.playback
        playback.frame_changed.connect(self._show_position)
        playback.playing_changed.connect(self.play_bar.set_playing)
        playback.speed_changed.connect(self.play_bar.set_speed)
        playback.repeat_changed.connect(lambda repeat: self.play_bar.set_repeat(repeat.value))
        self.play_bar.command_requested.connect(self.commander.do)
        self.play_bar.speed_picked.connect(playback.set_speed)
        self.timeline.frame_requested.connect(playback.seek)
        self.ecg_strip.frame_requested.connect(playback.seek)
        self.motion_plot.frame_requested.connect(playback.seek)
        self.view.wheel_stepped.connect(playback.step)
        self.view.full_screen_toggled.connect(self._enlarge)
        self.view.invitation_clicked.connect(self._take_invitation)
        self.picture.frame_shown.connect(self.progress.count_frame)
        playback.ended.connect(self._go_on)
        self.session.heart.changed.connect(self._show_heart)
        self.progress.rested.connect(self.session.remember_place)

    def _connect_labelling(self) -> None:
        labelling, panel, view = self.session.labelling, self.track_panel, self.view
        self.timeline.span_selected.connect(labelling.set_span)
        self.timeline.span_dropped.connect(labelling.drop_span)
        self.timeline.track_picked.connect(labelling.select)
        view.point_clicked.connect(self._place)
        view.blocked_click.connect(labelling.refuse_locked)
        view.point_drag_started.connect(lambda *_: self.session.playback.pause())
        view.point_dropped.connect(labelling.drop)
        view.track_picked.connect(labelling.select)
        view.window_dragged.connect(self.picture.drag_window)
        panel.command_requested.connect(self.commander.do)
        self.measure_panel.command_requested.connect(self.commander.do)
        self.vessel_panel.command_requested.connect(self.commander.do)
        self.session.vessels.measured.connect(lambda _: self.panels[Panel.VESSEL].raise_())
        self.key_image_strip.command_requested.connect(self.commander.do)
        self.session.key_images.kept.connect(self.panels[Panel.KEY_IMAGES].raise_)
        self.session.tools.changed.connect(self._show_tools)
        panel.track_picked.connect(labelling.select)
        panel.renamed.connect(lambda track, name: labelling.change_track(track, name=name))
        panel.kind_picked.connect(
            lambda track, kind: labelling.change_track(track, kind=TrackKind(kind))
        )
        panel.visibility_changed.connect(self.session.look.show_track)
        labelling.tracking_changed.connect(panel.set_progress)
        labelling.locked_changed.connect(
            lambda on: view.set_locked(tr("The labels are locked; K unlocks them") if on else "")
        )

    def _place(self, frame: int, x: float, y: float, keys: Qt.KeyboardModifier) -> None:
        """Put a point where the user clicked; nobody labels what is not seen."""
        occluded = bool(keys & Qt.KeyboardModifier.ShiftModifier)
        placed = self.session.labelling.place(x, y, frame=frame, occluded=occluded)
        if placed and self.session.settings.now.step_after_click:
            self.session.playback.step(1)
        self.session.look.change(tracks=True)
        if self.session.labelling.selected is not None:
            self.session.look.show_track(self.session.labelling.selected.id, True)

    def _connect_denoising(self) -> None:
        denoising, panel, look = self.session.denoising, self.denoise_panel, self.session.look
        panel.mode_picked.connect(lambda mode: look.change(comparison=Comparison(mode)))
        panel.strength_changed.connect(look.set_strength)
        panel.cancel_requested.connect(lambda: denoising.set_wanted(False))
        denoising.progress_changed.connect(panel.set_progress)
        denoising.found_clean.connect(lambda clean: panel.set_note(tr(TOO_CLEAN) if clean else ""))

    def _go_on(self) -> None:
        """Go to the next run once this one has been played, where that is wanted."""
        if self.session.settings.now.next_at_end:
            self.hands.runs.open_neighbour(1)

    # what is shown

    def _show_run(self, opened: OpenRun | None) -> None:
        if self.session.places.count == 1:
            self.notices.clear()  # elsewhere the run that they are about is still seen
        self.ecg_strip.clear()
        self.picture.set_run(opened)
        self.progress.set_run(opened)
        if opened is None:
            self.setWindowTitle("Fluorotrace")
            self.timeline.set_frames(np.zeros(0))
            self.play_bar.set_frame_count(0)
            self.label_views.set_run(None)
            return
        run = opened.run
        self.setWindowTitle(f"{run.path.name} – Fluorotrace")
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
        self.label_views.set_run(opened)  # tracks are drawn over the frames that are set now
        self._show_heart()
        self.view.setFocus()

    def _enlarge(self) -> None:
        """Give the picture more room: its window, where it shares that, else the whole screen."""
        several = self.session.places.count > 1
        self.commander.do("maximise_place" if several else "toggle_full_screen")

    def _take_invitation(self) -> None:
        """Ask for a file; beside other runs a click may only have meant to choose the place."""
        if self.session.places.count == 1:
            self.commander.do("open_files")

    def _show_heart(self) -> None:
        """Show the beats that are known, and which frames are played because of them."""
        heart = self.session.heart
        known = heart.phase
        self.play_bar.set_note(heart.text)
        if self.session.opened is not None and known is not None:
            self.motion_plot.set_phases(known.phase if heart.by_beat else None)
            if not known.from_ecg:
                self.timeline.set_r_waves(known.beat_starts_ms)

    def _show_position(self, frame: int) -> None:
        opened = self.session.opened
        assert opened is not None
        self.timeline.set_frame(frame)
        self.play_bar.set_position(frame, float(opened.run.frame_times_ms[frame]))
        self.ecg_strip.set_frame(frame)
        self.motion_plot.set_frame(frame)

    def _show_look(self, _: Look, now: Look) -> None:
        self.denoise_panel.set_mode(ViewMode(now.comparison))
        self.denoise_panel.set_strength(now.strength)

    def _show_under_way(self) -> None:
        """Say on the picture how far it is with what is computed for it."""
        subtraction, enhancing = self.session.subtraction, self.session.enhancing
        self.picture.set_under_way(UnderWay(subtraction.share, enhancing.share))

    def _show_tools(self) -> None:
        """Bring the panel to the front that belongs to what the hand does."""
        tools = self.session.tools
        if tools.labelling:
            self.panels[Panel.TRACKS].raise_()
        elif tools.tool is Tool.VESSEL:
            self.panels[Panel.VESSEL].raise_()
        elif tools.tool not in (Tool.WINDOW, Tool.PAN, Tool.ZOOM):
            self.panels[Panel.MEASURES].raise_()

    def _show_usable(self, commands: frozenset[str]) -> None:
        self.play_bar.set_usable(commands)
        self.track_panel.set_usable(commands)
        self.measure_panel.set_usable(commands)
        self.vessel_panel.set_usable(commands)
        self.key_image_strip.set_usable(commands)
        self.denoise_panel.set_usable(commands)
        self.subtraction_panel.set_usable(commands)

    def _notice(self, text: str, severity: Severity) -> None:
        self.notices.show_notice(Notice(text, severity))

    def _apply_settings(self, settings: Settings) -> None:
        before, self._shown = self._shown, settings
        if before is None or settings.theme != before.theme:
            self._show_theme(settings)
        if before is None or settings.trail_frames != before.trail_frames:
            self.picture.set_trail(settings.trail_frames)
            self.places_view.set_trail(settings.trail_frames)

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
            self.place_grid,
            self.play_bar,
            self.timeline,
            self.ecg_strip,
            self.run_list,
            self.track_panel,
            self.measure_panel,
            self.vessel_panel,
            self.key_image_strip,
            self.denoise_panel,
            self.subtraction_panel,
            self.motion_plot,
        ):
            widget.set_theme(theme)
        keys = shown_keys()
        self.play_bar.set_shortcuts(keys)
        self.track_panel.set_shortcuts(keys)
        self.measure_panel.set_shortcuts(keys)
        self.vessel_panel.set_shortcuts(keys)
        self.key_image_strip.set_shortcuts(keys)
        self.mode_switch.set_shortcut(keys["toggle_mode"])
        self.denoise_panel.set_shortcuts(keys)
        self.subtraction_panel.set_shortcuts(keys)
        self.commander.set_theme(theme)

    # the demo

    def start_demo(self) -> None:
        """Show the main job on the built-in sample."""
        self.stop_demo()
        self._demo = Demo(self.session, self.view, self.notices)
        self._demo.start()

    def stop_demo(self) -> None:
        """Leave the window to the user."""
        if self._demo is not None:
            self._demo.stop()
            self._demo = None

    # window events

    def showEvent(self, event: QShowEvent) -> None:
        """Give the panels their room, unless they have that in which they were left."""
        super().showEvent(event)
        if not self.hands.frame.restored:
            self.hands.frame.restored = True
            give_room(self, self.panels)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Welcome files and folders anywhere on the window."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        event.acceptProposedAction()
        paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
        self.session.library.open_paths(paths)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Answer keys whose command cannot be done now."""
        if not self.commander.say_why_not(event.keyCombination()):
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save everything and end the threads."""
        self.hands.frame.remember()
        self.stop_demo()
        self.hands.exporting.close()
        self.hands.key_images.stop()
        self.calibration_views.close()
        self.hands.dialogs.close()
        self._closing = True
        if self.session.close():
            self.label_views.stop()
            event.accept()
        else:
            event.ignore()

    def _close_when_saved(self) -> None:
        if self._closing:
            self.close()
