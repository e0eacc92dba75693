"""The denoised frames of the current run: asked for near the playhead, kept within a budget."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from app.session.open_run import OpenRun
from app.session.worker import DenoiseJob, InferenceWorker
from inference.denoising.requests import DenoisedFrame

MOVED_ENOUGH = 0.25
"""Ask again once the playhead has moved by this share of the frames that fit in memory."""


class Denoising(QObject):
    """Keeps denoised frames of one run and asks the worker for those that are missing.

    Signals
    -------
    frame_ready(int)
    progress_changed(int, int) : frames kept, and frames that should be.
    found_clean(bool) : the run's noise is too weak to be seen, so its frames come back unchanged.
    """

    frame_ready = Signal(int)
    progress_changed = Signal(int, int)
    found_clean = Signal(bool)

    def __init__(self, worker: InferenceWorker, budget_bytes: int) -> None:
        super().__init__()
        self._worker = worker
        self._budget_bytes = budget_bytes
        self._review: OpenRun | None = None
        self._weights = ""
        self._kept: dict[int, NDArray[np.float32]] = {}
        self._wanted = False
        self.nothing_to_remove = False
        """True once the denoiser has said that the noise of the run is too weak to be seen."""
        self._playhead = 0
        self._asked_around: int | None = None
        worker.frame_denoised.connect(self._take)

    @property
    def wanted(self) -> bool:
        """True while denoised frames are asked for."""
        return self._wanted

    def set_review(self, review: OpenRun | None) -> None:
        """Work on another run; what was denoised of the former one is forgotten."""
        if self._review is not None:
            self._worker.cancel_denoising(self._key)
        self._review = review
        self._set_clean(False)
        self.forget()

    def forget(self) -> None:
        """Throw the denoised frames away, such as after a change of device."""
        self._kept.clear()
        self._asked_around = None
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
        """Begin or stop to denoise; frames that are done stay."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._asked_around = None
            if self._review is not None and not wanted:
                self._worker.cancel_denoising(self._key)
                self.progress_changed.emit(0, 0)
            self._ask()

    def set_playhead(self, frame: int) -> None:
        """Frames near ``frame`` come first, and stay longest."""
        self._playhead = frame
        if self._review is None or not self._wanted:
            return
        self._worker.set_playhead(self._key, frame)
        moved = abs(frame - (self._asked_around or 0))
        capacity = self._capacity()
        if capacity < self._review.run.frame_count and moved > capacity * MOVED_ENOUGH:
            self._ask()

    def frame(self, index: int) -> NDArray[np.float32] | None:
        """Return a denoised frame on the stored grey scale, None where it is not there (yet)."""
        return self._kept.get(index)

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
        return max(1, self._budget_bytes // (run.rows * run.columns * 4))

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

    def _take(self, key: str, denoised: DenoisedFrame) -> None:
        if self._review is None or key != self._key or not self._wanted:
            return
        window = self._window()
        if denoised.frame not in window:
            return
        clean = self._review.display.from_mono2(denoised.pixels)
        self._kept[denoised.frame] = clean
        self._set_clean(not denoised.noise_removed)
        kept = sum(frame in window for frame in self._kept)
        self.progress_changed.emit(kept, len(window))
        self.frame_ready.emit(denoised.frame)

    def _set_clean(self, clean: bool) -> None:
        if clean != self.nothing_to_remove:
            self.nothing_to_remove = clean
            self.found_clean.emit(clean)
