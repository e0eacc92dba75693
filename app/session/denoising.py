"""The denoised frames of the current run: asked for where the playhead goes, kept in a budget."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal

from app.session.kept_frames import KeptFrames, PackedFrame, pack
from app.session.open_run import OpenRun
from app.session.worker import DenoiseJob, InferenceWorker
from inference.denoising.requests import DenoisedFrame

MOVED_ENOUGH = 0.25
"""Ask again once the playhead has moved by this share of the frames that fit in memory."""
SHARE_OVER_FRAMES = 60
"""The latest frames under the playhead that the share shown denoised is taken over."""

_numbers = itertools.count(1)


class Denoising(QObject):
    """Keeps denoised frames of one run and asks the worker for those that are missing.

    Parameters
    ----------
    worker : InferenceWorker
    budget_bytes : int
        Memory for denoised frames; at least one is kept.
    behind : bool
        The run is not the one that is worked on: it is denoised once that one is.

    Signals
    -------
    frame_ready(int)
    progress_changed(int, int) : frames kept, and frames that should be.
    found_clean(bool) : `nothing_to_remove` has changed, or is told anew for another run.
    """

    frame_ready = Signal(int)
    progress_changed = Signal(int, int)
    found_clean = Signal(bool)
    _packed = Signal(str, int, object, bool)  # from the worker's thread: key, frame, PackedFrame

    def __init__(self, worker: InferenceWorker, budget_bytes: int, *, behind: bool = False) -> None:
        super().__init__()
        self._worker = worker
        self._budget_bytes = budget_bytes
        self._behind = behind
        self._number = next(_numbers)  # the same run may be shown, and denoised, twice
        self._opened: OpenRun | None = None
        self._weights = ""
        self._kept = KeptFrames(0, 0, 0)
        self._unpacked: tuple[int, NDArray[np.float32]] | None = None
        self._wanted = False
        self._playhead = 0
        self._asked: range | None = None
        self._shown: deque[bool] = deque(maxlen=SHARE_OVER_FRAMES)
        # Packing is done where the frame is made, which costs the window nothing.
        worker.frame_denoised.connect(self._pack, Qt.ConnectionType.DirectConnection)
        self._packed.connect(self._keep)

    @property
    def wanted(self) -> bool:
        """True while denoised frames are asked for."""
        return self._wanted

    @property
    def nothing_to_remove(self) -> bool:
        """True where the run's noise is too weak to be seen: its frames come back as they are."""
        return self._kept.nothing_to_remove

    @property
    def weights(self) -> str:
        """What denoises: the path of an adapted denoiser without ending, "" for the shipped one."""
        return self._weights

    @property
    def kept(self) -> KeptFrames:
        """The frames that are denoised, to be handed over to whoever shows the run next."""
        return self._kept

    @property
    def share_shown(self) -> float:
        """Share, 0 to 1, of the frames lately under the playhead that were there denoised.

        Where the machine is slower than the film it is below 1 until the run is done.
        """
        return sum(self._shown) / len(self._shown) if self._shown else 0.0

    def set_run(self, opened: OpenRun | None, kept: KeptFrames | None = None) -> None:
        """Work on another run; what was denoised of the former one is forgotten.

        Parameters
        ----------
        kept : KeptFrames, optional
            What is denoised of the run already.
        """
        if self._opened is not None:
            self._worker.cancel_denoising(self._key)
        self._opened = opened
        self._playhead = 0
        usable = opened is not None and kept is not None and kept.weights == self._weights
        self._begin_with(kept.resized(self._room, 0) if usable and kept else self._empty())

    def forget(self) -> None:
        """Throw the denoised frames away, such as after a change of device."""
        self._begin_with(self._empty())

    def set_weights(self, weights: str) -> None:
        """Denoise with other `weights`.

        What the former ones made is forgotten, and not taken should it still come.
        """
        if weights != self._weights:
            if self._opened is not None:
                self._worker.cancel_denoising(self._key)
            self._weights = weights
            self.forget()

    def set_budget(self, budget_bytes: int) -> None:
        """Keep at most this much; of what is denoised, that which lies nearest stays."""
        self._budget_bytes = budget_bytes
        if self._room != self._kept.room:
            self._kept = self._kept.resized(self._room, self._playhead)
            self._asked = None
            self._ask()

    def set_wanted(self, wanted: bool) -> None:
        """Begin or stop to denoise, this run and later ones; frames that are done stay."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._shown.clear()
            self._asked = None
            if self._opened is not None and not wanted:
                self._worker.cancel_denoising(self._key)
                self.progress_changed.emit(0, 0)
            self._ask()

    def set_playhead(self, frame: int) -> None:
        """Denoise first what will be shown next, and keep longest what is near ``frame``."""
        self._playhead = frame
        if self._opened is None or not self._wanted:
            return
        self._shown.append(frame in self._kept)
        self._worker.set_playhead(self._key, frame)
        moved = 0 if self._asked is None else abs(self._window().start - self._asked.start)
        if moved > self._kept.room * MOVED_ENOUGH:
            self._ask()

    def frame(self, index: int) -> NDArray[np.float32] | None:
        """Return a denoised frame on the stored grey scale, None where it is not there (yet)."""
        if self._opened is None or index not in self._kept:
            return None
        if self._unpacked is None or self._unpacked[0] != index:
            pixels = self._opened.display.from_mono2(self._kept.get(index))
            self._unpacked = index, pixels
        return self._unpacked[1]

    def ready(self) -> NDArray[np.bool_]:
        """Return which frames are denoised, shape (frame_count,)."""
        count = 0 if self._opened is None else self._opened.run.frame_count
        done = np.zeros(count, bool)
        done[self._kept.indices()] = True
        return done

    @property
    def _key(self) -> str:
        assert self._opened is not None
        return f"{self._opened.key} {self._number} {self._weights}"

    @property
    def _room(self) -> int:
        """Return how many frames of the run the budget holds."""
        if self._opened is None:
            return 0
        run = self._opened.run
        fitting = self._budget_bytes // (run.rows * run.columns * 2)
        return min(run.frame_count, max(1, fitting))

    def _empty(self) -> KeptFrames:
        if self._opened is None:
            return KeptFrames(0, 0, 0)
        run = self._opened.run
        return KeptFrames(self._room, run.rows, run.columns, self._weights)

    def _begin_with(self, kept: KeptFrames) -> None:
        """Keep these frames and no others, and ask for those that are missing."""
        said_clean = self.nothing_to_remove
        self._kept = kept
        self._unpacked = None
        self._shown.clear()
        self._asked = None
        if said_clean != self.nothing_to_remove:
            self.found_clean.emit(self.nothing_to_remove)
        self._ask()

    def _window(self) -> range:
        """Return the frames around the playhead that there is room for."""
        assert self._opened is not None
        room = self._kept.room
        first = min(max(self._playhead - room // 2, 0), self._opened.run.frame_count - room)
        return range(first, first + room)

    def _ask(self) -> None:
        if self._opened is None or not self._wanted:
            return
        self._asked = window = self._window()
        for far in [frame for frame in self._kept.indices() if frame not in window]:
            self._kept.drop(far)
        missing = {frame for frame in window if frame not in self._kept}
        self.progress_changed.emit(len(window) - len(missing), len(window))
        if missing:
            self._worker.denoise(
                DenoiseJob(
                    self._key,
                    self._opened.sequence,
                    missing,
                    self._playhead,
                    weights=self._weights,
                    behind=self._behind,
                )
            )

    def _pack(self, key: str, denoised: DenoisedFrame) -> None:
        """Hand a frame over to the window's thread (this runs on the worker's)."""
        if key.split()[1] == str(self._number):
            packed = pack(denoised.pixels)
            self._packed.emit(key, denoised.frame, packed, denoised.noise_removed)

    def _keep(self, key: str, frame: int, packed: PackedFrame, noise_removed: bool) -> None:
        if self._opened is None or key != self._key or not self._wanted:
            return
        window = range(0) if self._asked is None else self._asked
        if frame not in window:
            return
        self._kept.put(frame, packed)
        self._judge(nothing_to_remove=not noise_removed)
        self.progress_changed.emit(len(self._kept), len(window))
        self.frame_ready.emit(frame)

    def _judge(self, *, nothing_to_remove: bool) -> None:
        if nothing_to_remove != self._kept.nothing_to_remove:
            self._kept.nothing_to_remove = nothing_to_remove
            self.found_clean.emit(nothing_to_remove)
