"""The demo: the main job on the built-in sample, before your eyes, and then it is yours."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from gettext import gettext as tr
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import QObject, QTimer

from app.session.look import Comparison
from app.session.open_run import OpenRun
from app.session.session import Session
from app.session.tools import Mode
from resources import resource_path
from widgets.panels.notice_bar import NoticeBar
from widgets.picture.cine_view import CineView

WIPE_PERIOD_MS = 4200.0
WIPE_TICK_MS = 30
WAIT_TICK_MS = 250
ENOUGH_DENOISED = 0.9


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene: what is said and done, how long it lasts, and what the next one waits for."""

    text: str
    act: Callable[[], None]
    lasts_s: float
    ready: Callable[[], bool] = lambda: True


class Demo(QObject):
    """Plays a short scene in the window; a click or a key of the user ends it any time."""

    def __init__(self, session: Session, view: CineView, notices: NoticeBar) -> None:
        super().__init__(view)
        self._session = session
        self._view = view
        self._notices = notices
        self._folder = TemporaryDirectory(prefix="fluorotrace-demo-")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._next)
        self._sweep = QTimer(self)
        self._sweep.setInterval(WIPE_TICK_MS)
        self._sweep.timeout.connect(self._move_wipe)
        self._swept_ms = 0.0
        self._scene: Scene | None = None
        self._scenes = iter(self._script())

    def start(self) -> None:
        """Open the sample; the scenes follow once it is there."""
        library = self._session.library
        library.opened.connect(self._begin)
        # A demo leaves nothing behind: the labels of its run lie in a folder that goes with it.
        sample = resource_path("sample", "demo.dcm")
        library.open_run(sample, labels_folder=Path(self._folder.name))

    def stop(self) -> None:
        """End the scenes and throw the demo's labels away; a run of one's own stays open."""
        self._timer.stop()
        self._sweep.stop()
        places = self._session.places.seen
        for opened in (self._session.opened, *(place.opened for place in places)):
            if opened is not None and self._holds(opened):
                self._session.labelling.tracking.cancel(opened)
                self._session.close_run(opened)
        self._folder.cleanup()

    def _holds(self, opened: OpenRun) -> bool:
        """Tell whether the labels of a run go with the demo."""
        path = opened.store.path
        sample = resource_path("sample", "demo.dcm")
        return opened.run.path == sample and (
            path is None or path.is_relative_to(self._folder.name)
        )

    def _begin(self, opened: OpenRun) -> None:
        self._session.library.opened.disconnect(self._begin)
        if not self._holds(opened):  # the user was faster
            return
        self._session.denoising.set_wanted(True)
        self._timer.start(300)

    def _script(self) -> tuple[Scene, ...]:
        session = self._session
        return (
            Scene(
                tr("A simulated coronary run, played at its true speed."),
                session.playback.play,
                4.0,
                self._denoised,
            ),
            Scene(
                tr("Denoised on this computer: the wipe compares before and after."),
                self._wipe,
                6.5,
            ),
            Scene(
                tr("One click on the catheter tip tracks it both ways."),
                self._click_tip,
                2.5,
                lambda: not session.worker.tracking,
            ),
            Scene(
                tr("The track is kept through the contrast injection."), session.playback.play, 6.0
            ),
            Scene(
                tr(
                    "Now it is yours: drag the point to correct it, E goes to the next doubtful "
                    "frame, F1 lists all keys."
                ),
                lambda: session.look.change(comparison=Comparison.WIPE),
                0.0,
            ),
        )

    def _next(self) -> None:
        if self._scene is not None and not self._scene.ready():
            self._timer.start(WAIT_TICK_MS)
            return
        self._scene = next(self._scenes, None)
        if self._scene is None:
            return
        self._notices.clear()
        self._session.said.emit(self._scene.text)
        self._scene.act()
        if self._scene.lasts_s:
            self._timer.start(int(self._scene.lasts_s * 1000))

    def _denoised(self) -> bool:
        """Tell whether enough is denoised for the wipe; a slow computer need not do it all."""
        ready = self._session.denoising.ready()
        return bool(ready.mean() > ENOUGH_DENOISED) if len(ready) else False

    def _wipe(self) -> None:
        self._session.look.change(comparison=Comparison.WIPE)
        self._view.set_wipe_locked(True)
        self._swept_ms = 0.0
        self._sweep.start()

    def _move_wipe(self) -> None:
        self._swept_ms += WIPE_TICK_MS
        phase = 2.0 * math.pi * self._swept_ms / WIPE_PERIOD_MS
        self._view.set_wipe_position(0.5 - 0.35 * math.sin(phase))

    def _click_tip(self) -> None:
        self._sweep.stop()
        self._view.set_wipe_locked(False)
        self._session.look.change(comparison=Comparison.DENOISED)
        self._session.playback.pause()
        frame, x, y = demo_click()
        self._session.playback.seek(frame)
        self._session.tools.set_mode(Mode.LABEL)
        self._session.labelling.place(x, y)


def demo_click() -> tuple[int, float, float]:
    """Return a frame of the sample where the tip shows well, and where it is."""
    truth = json.loads(resource_path("sample", "demo_truth.json").read_text("utf-8"))
    tip = next(tip for tip in truth["tips"] if tip["state"] == "visible")
    return int(tip["frame"]), float(tip["x"]), float(tip["y"])
