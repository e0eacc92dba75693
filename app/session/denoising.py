"""The denoised frames of the current run: asked for where the playhead goes, kept in a budget."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal

from app.session.open_run import OpenRun
from app.session.worker import DenoiseJob, InferenceWorker
from inference.denoising.requests import DenoisedFrame

MOVED_ENOUGH = 0.25
"""Ask again once the playhead has moved by this share of the frames that fit in memory."""
SHARE_OVER_FRAMES = 60
"""The latest frames under the playhead that the share shown denoised is taken over."""
LEVELS = 65535


@dataclass(frozen=True, slots=True, eq=False)
class _KeptFrame:
    """A frame in 16 bits: ``low + step * levels``.

    The steps divide the frame's own range, so that none is wider than a grey level of a 16-bit
    picture, or than a sixteenth of one of 12 bits. What is shown has 256 greys, and the display
    itself looks them up by 65,536 codes: nothing of it can be seen, at half the memory.
    """

    levels: NDArray[np.uint16]
    low: float
    step: float

    @staticmethod
    def of(pixels: NDArray[np.float32]) -> _KeptFrame:
        """Keep a frame."""
        low, high = float(pixels.min()), float(pixels.max())
        step = (high - low) / LEVELS or 1.0
        levels = pixels - np.float32(low)
        levels /= np.float32(step)
        np.rint(levels, out=levels)
        np.clip(levels, 0, LEVELS, out=levels)
        return _KeptFrame(levels.astype(np.uint16), low, step)

    def pixels(self) -> NDArray[np.float32]:
        """Return the frame."""
        values = self.levels.astype(np.float32)
        values *= np.float32(self.step)
        values += np.float32(self.low)
        return values


class Denoising(QObject):
    """Keeps denoised frames of one run and asks the worker for those that are missing.

    Signals
    -------
    frame_ready(int)
    progress_changed(int, int) : frames kept, and frames that should be.
    found_clean(bool) : `nothing_to_remove` has changed, or is told anew for another run.
    """

    frame_ready = Signal(int)
    progress_changed = Signal(int, int)
    found_clean = Signal(bool)
    _packed = Signal(str, int, object, bool)  # from the worker's thread: key, frame, _KeptFrame

    def __init__(self, worker: InferenceWorker, budget_bytes: int) -> None:
        super().__init__()
        self._worker = worker
        self._budget_bytes = budget_bytes
        self._review: OpenRun | None = None
        self._weights = ""
        self._kept: dict[int, _KeptFrame] = {}
        self._unpacked: tuple[int, NDArray[np.float32]] | None = None
        self._wanted = False
        self._nothing_to_remove = False
        self._playhead = 0
        self._asked_around: int | None = None
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
        return self._nothing_to_remove

    @property
    def share_shown(self) -> float:
        """Share, 0 to 1, of the frames lately under the playhead that were there denoised.

        Where the machine is slower than the film it is below 1 until the run is done.
        """
        return sum(self._shown) / len(self._shown) if self._shown else 0.0

    def set_review(self, review: OpenRun | None) -> None:
        """Work on another run; what was denoised of the former one is forgotten."""
        if self._review is not None:
            self._worker.cancel_denoising(self._key)
        self._review = review
        self._playhead = 0
        self.forget()

    def forget(self) -> None:
        """Throw the denoised frames away, such as after a change of device."""
        self._kept.clear()
        self._unpacked = None
        self._shown.clear()
        self._asked_around = None
        self._judge(nothing_to_remove=False)
        self._ask()

    def set_weights(self, weights: str) -> None:
        """Denoise with others: the path of an adapted denoiser without ending, "" for the shipped.

        What the former ones made is forgotten, and not taken should it still come.
        """
        if weights != self._weights:
            if self._review is not None:
                self._worker.cancel_denoising(self._key)
            self._weights = weights
            self.forget()

    def set_budget(self, budget_bytes: int) -> None:
        """Keep at most this much."""
        self._budget_bytes = budget_bytes
        self._asked_around = None
        self._ask()

    def set_wanted(self, wanted: bool) -> None:
        """Begin or stop to denoise, this run and later ones; frames that are done stay."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._shown.clear()
            self._asked_around = None
            if self._review is not None and not wanted:
                self._worker.cancel_denoising(self._key)
                self.progress_changed.emit(0, 0)
            self._ask()

    def set_playhead(self, frame: int) -> None:
        """Denoise first what will be shown next, and keep longest what is near ``frame``."""
        self._playhead = frame
        if self._review is None or not self._wanted:
            return
        self._shown.append(frame in self._kept)
        self._worker.set_playhead(self._key, frame)
        moved = abs(frame - (self._asked_around or 0))
        capacity = self._capacity()
        if capacity < self._review.run.frame_count and moved > capacity * MOVED_ENOUGH:
            self._ask()

    def frame(self, index: int) -> NDArray[np.float32] | None:
        """Return a denoised frame on the stored grey scale, None where it is not there (yet)."""
        if self._review is None or index not in self._kept:
            return None
        if self._unpacked is None or self._unpacked[0] != index:
            pixels = self._review.display.from_mono2(self._kept[index].pixels())
            self._unpacked = index, pixels
        return self._unpacked[1]

    def ready(self) -> NDArray[np.bool_]:
        """Return which frames are denoised, shape (frame_count,)."""
        count = 0 if self._review is None else self._review.run.frame_count
        done = np.zeros(count, bool)
        done[list(self._kept)] = True
        return done

    @property
    def _key(self) -> str:
        assert self._review is not None
        return f"{self._review.key} {self._weights}"

    def _capacity(self) -> int:
        assert self._review is not None
        run = self._review.run
        return max(1, self._budget_bytes // (run.rows * run.columns * 2))

    def _window(self) -> range:
        """Return the frames around the playhead that fit in memory."""
        assert self._review is not None
        count, capacity = self._review.run.frame_count, self._capacity()
        if capacity >= count:
            return range(count)
        first = min(max(self._playhead - capacity // 2, 0), count - capacity)
        return range(first, first + capacity)

    def _ask(self) -> None:
        if self._review is None or not self._wanted:
            return
        self._asked_around = self._playhead
        window = self._window()
        for far in [frame for frame in self._kept if frame not in window]:
            del self._kept[far]
        missing = {frame for frame in window if frame not in self._kept}
        self.progress_changed.emit(len(window) - len(missing), len(window))
        if missing:
            self._worker.denoise(
                DenoiseJob(
                    self._key,
                    self._review.sequence,
                    missing,
                    self._playhead,
                    weights=self._weights,
                )
            )

    def _pack(self, key: str, denoised: DenoisedFrame) -> None:
        """Hand a frame over to the window's thread (this runs on the worker's)."""
        kept = _KeptFrame.of(denoised.pixels)
        self._packed.emit(key, denoised.frame, kept, denoised.noise_removed)

    def _keep(self, key: str, frame: int, kept: _KeptFrame, noise_removed: bool) -> None:
        if self._review is None or key != self._key or not self._wanted:
            return
        window = self._window()
        if frame not in window:
            return
        self._kept[frame] = kept
        self._judge(nothing_to_remove=not noise_removed)
        count = sum(frame in window for frame in self._kept)
        self.progress_changed.emit(count, len(window))
        self.frame_ready.emit(frame)

    def _judge(self, *, nothing_to_remove: bool) -> None:
        if nothing_to_remove != self._nothing_to_remove:
            self._nothing_to_remove = nothing_to_remove
            self.found_clean.emit(nothing_to_remove)
