"""The one long-lived inference thread: networks loaded once, newest request first served.

Tracking goes before denoising, and stops it between two frames, so that a click is answered at
once; the tips of a run are tracked side by side, the newest request at once. Which frame is
denoised next is decided as late as possible, by `DenoisingOrder`. The thread runs at a lower
priority than the window.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from PySide6.QtCore import QObject, Signal

from app.errors import sentence
from app.session.denoising_order import DenoisingOrder
from inference.denoising.requests import DenoisedFrame, DenoiseRequest
from inference.frames import FrameSequence
from inference.tracking.requests import TrackedPoint, TrackRequest
from inference.tracking.side_by_side import TrackCall

if TYPE_CHECKING:
    from inference.denoising.denoiser import Denoiser
    from inference.tracking.tracker import Tracker

log = logging.getLogger(__name__)

Engine = TypeVar("Engine", covariant=True)

NICENESS = 10


class Loader(Protocol[Engine]):
    """Makes an engine for a device."""

    def __call__(self, device: str, warn: Callable[[str], None]) -> Engine:
        """Load it; may take seconds."""
        ...


class DenoiserLoader(Protocol):
    """Makes a denoiser for a device, from the weights that a `DenoiseJob` names."""

    def __call__(self, device: str, warn: Callable[[str], None], weights: str) -> Denoiser:
        """Load it; may take seconds."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TrackJob:
    """Track one point of one run; a newer job with the same ``key`` replaces an older one.

    ``tag`` comes back with every result, for instance the undo step that the result belongs to.
    """

    key: str
    frames: FrameSequence
    request: TrackRequest
    tag: int = 0


@dataclass(slots=True, eq=False)
class DenoiseJob:
    """Denoise the frames of one run that are still wanted.

    ``weights`` is the path of an adapted denoiser without its ending, "" for the shipped one; a
    job that is ``behind`` waits while there is another.
    """

    key: str
    frames: FrameSequence
    wanted: set[int]
    playhead: int = 0
    causal: bool = False
    weights: str = ""
    behind: bool = False
    order: DenoisingOrder = field(init=False)

    def __post_init__(self) -> None:
        self.order = DenoisingOrder(self.frames.frame_count, self.playhead)


class InferenceWorker(QObject):
    """Runs jobs on one background thread and reports by signals (delivered in the GUI thread).

    Parameters
    ----------
    load_tracker, load_denoiser : callable
        ``load(device, warn)``, for the denoiser ``load(device, warn, weights)``, makes the engine;
        called on the worker thread, once a device. ``warn`` takes sentences for the user, such as
        that the GPU is short of memory.
    device : str
        auto, cuda, mps or cpu.
    """

    points_tracked = Signal(str, int, object)  # job key, tag, list[TrackedPoint]
    tracking_progress = Signal(str, int, int)  # job key, frames done, frames asked
    tracking_finished = Signal(str, int, bool)  # job key, tag, True where cancelled
    frame_denoised = Signal(str, object)  # job key, DenoisedFrame
    denoising_finished = Signal(str)
    failed = Signal(str, str)  # job key, one plain sentence
    device_changed = Signal(str)  # cuda, mps or cpu
    notice = Signal(str)  # what the user should know, such as a fall back to the CPU

    def __init__(
        self,
        load_tracker: Loader[Tracker],
        load_denoiser: DenoiserLoader,
        device: str = "auto",
    ) -> None:
        super().__init__()
        self._load_tracker = load_tracker
        self._load_denoiser = load_denoiser
        self._device = device
        self._engines: dict[str, Any] = {}
        self._tracker_weights = ""
        self._weights = ""  # of the denoiser in _engines
        self._device_told = ""
        self._wake = threading.Condition()
        self._tracking: dict[str, TrackJob] = {}
        self._denoising: dict[str, DenoiseJob] = {}
        self._tracked: list[TrackJob] = []  # those that are being worked on
        self._cancelled: set[int] = set()  # id() of track jobs that must stop
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    # asked by the GUI thread

    def track(self, job: TrackJob) -> None:
        """Track; replaces a waiting or running job with the same key."""
        with self._wake:
            self._stop_track(job.key)
            self._tracking[job.key] = job
            self._wake.notify()

    def cancel_tracking(self, key: str) -> None:
        """Stop the job within 200 ms; points already reported stay."""
        with self._wake:
            self._stop_track(key)

    def denoise(self, job: DenoiseJob) -> None:
        """Denoise; a job with the same key now wants these frames instead.

        What is being computed is finished first, so that a playhead that moves on faster than
        the network works does not keep throwing work away.
        """
        with self._wake:
            running = self._denoising.get(job.key)
            if (
                running is not None
                and running.frames is job.frames
                and running.causal == job.causal
            ):
                running.wanted = job.wanted
                running.order.set_playhead(job.playhead)
            else:
                self._denoising[job.key] = job
            self._wake.notify()

    def cancel_denoising(self, key: str) -> None:
        """Stop the job within 200 ms."""
        with self._wake:
            self._denoising.pop(key, None)

    def set_playhead(self, key: str, frame: int) -> None:
        """Say where the playhead is: what it will show next is denoised first."""
        with self._wake:
            if (job := self._denoising.get(key)) is not None:
                job.order.set_playhead(frame)

    def set_device(self, device: str) -> None:
        """Use another device from the next piece of work on."""
        with self._wake:
            if device != self._device:
                self._device = device
                self._engines.clear()

    @property
    def tracker_weights(self) -> str:
        """Which weights the tracker has, such as "tracker_tiny 6 (sha 1a2b3c4d)"; "" until loaded.

        They are known before the first points of a job are told.
        """
        return self._tracker_weights

    @property
    def tracking(self) -> bool:
        """True while a track waits or is being tracked."""
        with self._wake:
            return bool(self._tracking or self._tracked)

    @property
    def idle(self) -> bool:
        """True while nothing waits and nothing runs."""
        with self._wake:
            return not (self.tracking or self._denoising)

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop everything and end the thread."""
        with self._wake:
            self._closing = True
            self._tracking.clear()
            self._denoising.clear()
            self._wake.notify()
        self._thread.join(timeout_s)

    # on the worker thread

    def _run(self) -> None:
        _lower_priority()
        while True:
            with self._wake:
                while not (self._closing or self._tracking or self._denoising):
                    self._wake.wait()
                if self._closing:
                    return
                track_job = next(iter(self._tracking.values()), None)
                waiting = self._denoising.values()
                denoise_job = min(waiting, key=lambda job: job.behind, default=None)
            if track_job is not None:
                self._do_tracks(track_job.frames)
            elif denoise_job is not None:
                self._do_denoise(denoise_job)

    def _do_tracks(self, frames: FrameSequence) -> None:
        """Track what waits for a run, and what comes for it in the meantime."""

        def work() -> None:
            engine: Tracker = self._engine("tracker", self._load_tracker)
            self._tracker_weights = engine.weights

            def take() -> TrackCall | None:
                # What comes after a change of the device waits for another engine.
                same = self._engines.get("tracker") is engine
                return self._next_track(frames) if same else None

            engine.track_together(frames, take)
            self._tell_device(engine)

        def end_all(why: str) -> None:
            while self._next_track(frames) is not None:
                pass
            for job in list(self._tracked):
                self._fail_track(job, why)

        self._guarded(work, end_all)

    def _next_track(self, frames: FrameSequence) -> TrackCall | None:
        """Begin with the next job that waits for a run."""
        with self._wake:
            waiting = (job for job in self._tracking.values() if job.frames is frames)
            job = next(waiting, None)
            if job is None:
                return None
            del self._tracking[job.key]
            self._tracked.append(job)
        done = 0
        asked = job.request.last_frame - job.request.first_frame + 1

        def stopped() -> bool:
            return self._closing or id(job) in self._cancelled

        def report(points: list[TrackedPoint]) -> None:
            nonlocal done
            if not stopped():
                done += len(points)
                self.points_tracked.emit(job.key, job.tag, points)
                self.tracking_progress.emit(job.key, min(done, asked), asked)

        self.tracking_progress.emit(job.key, 0, asked)

        def fail(error: Exception) -> None:
            log.error("a tip could not be tracked", exc_info=error)
            self._fail_track(job, sentence(error))

        return TrackCall(job.request, stopped, report, lambda: self._end_track(job), fail)

    def _fail_track(self, job: TrackJob, why: str) -> None:
        """Say why a job cannot go on, and that it has ended."""
        self.failed.emit(job.key, why)
        self._end_track(job)

    def _end_track(self, job: TrackJob) -> None:
        with self._wake:
            cancelled = id(job) in self._cancelled
            self._cancelled.discard(id(job))
            self._tracked.remove(job)
        self.tracking_finished.emit(job.key, job.tag, cancelled)

    def _do_denoise(self, job: DenoiseJob) -> None:
        """Denoise what a job wants until all is done, or something more urgent comes between."""
        running: set[int] = set()

        def replaced() -> bool:
            return self._closing or self._denoising.get(job.key) is not job

        def stopped() -> bool:
            return bool(self._tracking) or replaced() or overtaken()

        def overtaken() -> bool:
            with self._wake:
                return job.behind and not all(other.behind for other in self._denoising.values())

        def turns() -> Iterator[int]:
            while True:
                with self._wake:
                    waiting = job.wanted - running
                    if stopped() or not waiting:
                        return
                    frame = job.order.choose(waiting)
                    running.add(frame)
                yield frame

        def report(frame: DenoisedFrame) -> None:
            with self._wake:
                if replaced():
                    return
                job.order.note_done(frame.frame)
                job.wanted.discard(frame.frame)
            self.frame_denoised.emit(job.key, frame)

        def work() -> None:
            engine = self._denoiser(job.weights)
            engine.denoise(job.frames, DenoiseRequest(turns(), job.causal), stopped, report)
            self._tell_device(engine)

        job.order.start()
        before = set(job.wanted)
        failed = not self._guarded(work, lambda why: self.failed.emit(job.key, why))
        stuck = not stopped() and job.wanted >= before
        with self._wake:
            ended = (failed or stuck or not job.wanted) and not replaced()
            if ended:
                del self._denoising[job.key]
        if ended:
            self.denoising_finished.emit(job.key)

    def _denoiser(self, weights: str) -> Denoiser:
        """Return the denoiser of these weights; one at a time is kept."""

        def load(device: str, warn: Callable[[str], None]) -> Denoiser:
            return self._load_denoiser(device, warn, weights)

        if weights != self._weights:
            with self._wake:
                self._engines.pop("denoiser", None)
            self._weights = weights
        engine: Denoiser = self._engine("denoiser", load)
        return engine

    def _engine(self, name: str, load: Loader[Any]) -> Any:
        with self._wake:
            engine, device = self._engines.get(name), self._device
        if engine is None:
            engine = load(device, self.notice.emit)
            with self._wake:
                if device == self._device:
                    self._engines[name] = engine
            self._tell_device(engine)
        return engine

    def _tell_device(self, engine: Any) -> None:
        """Say what computes now; an engine may have moved to the CPU while it worked."""
        if engine.device_name != self._device_told:
            self._device_told = engine.device_name
            self.device_changed.emit(engine.device_name)

    def _guarded(self, work: Callable[[], None], tell: Callable[[str], None]) -> bool:
        """Run ``work``; every failure of an engine becomes one sentence in the window."""
        try:
            work()
        except Exception as error:
            log.exception("inference failed")
            tell(sentence(error))
            return False
        return True

    def _stop_track(self, key: str) -> None:
        self._tracking.pop(key, None)
        self._cancelled |= {id(job) for job in self._tracked if job.key == key}


def _lower_priority() -> None:
    """Let the window go first; threads that a runtime starts later inherit this (Linux)."""
    if hasattr(os, "setpriority"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        except OSError:
            log.info("inference keeps the normal priority", exc_info=True)
