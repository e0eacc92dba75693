"""A run that is seen while another one is worked on."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from app.session.denoising import Denoising
from app.session.kept_frames import KeptFrames
from app.session.look import Comparison, Look, LookKeeper, remember
from app.session.open_run import OpenRun
from app.session.playback import Playback
from app.session.worker import InferenceWorker


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A run as it is shown: what goes along when it moves from one place to another.

    ``selected`` is the track that gestures change, None for the first one.
    """

    opened: OpenRun
    look: Look
    frame: int
    denoised: KeptFrames | None = None
    selected: str | None = None


class Place(QObject):
    """A place on the screen, with a run that is seen while another one is worked on.

    The place that is worked on is empty here: the session has its run.

    Attributes
    ----------
    shift : float
        How far the run is moved against the others, in ms, frames or beats.

    Signals
    -------
    run_changed(object) : the `OpenRun` that is seen here now, or None.
    """

    run_changed = Signal(object)

    def __init__(self, worker: InferenceWorker, look: Look, denoised_bytes: int) -> None:
        super().__init__()
        self.opened: OpenRun | None = None
        self.look = LookKeeper(look)
        self.playback = Playback(self)
        self.denoising = Denoising(worker, denoised_bytes, behind=True)
        self.shift = 0.0
        self._selected: str | None = None  # when somebody works on the run again

    def put(self, shown: Shown | None) -> None:
        """Show a run here, as it is shown elsewhere; None empties the place."""
        self.playback.set_run(None)
        self.denoising.set_run(None)
        self.opened = None if shown is None else shown.opened
        if shown is not None:
            self._selected = shown.selected
            self.look.set(shown.look)
            self.denoising.set_wanted(shown.look.comparison is not Comparison.ORIGINAL)
            self.denoising.set_run(shown.opened, shown.denoised)
        self.run_changed.emit(self.opened)
        if shown is not None:
            self.playback.set_run(shown.opened.run, shown.frame)

    def take(self) -> Shown | None:
        """Give the run away, as it is shown here."""
        if self.opened is None:
            return None
        frame, denoised = self.playback.frame, self.denoising.kept
        shown = Shown(self.opened, self.look.now, frame, denoised, self._selected)
        remember(shown.opened, shown.look, shown.frame)
        self.put(None)
        return shown
