"""Decoded frames in bounded memory: workers decode around the playhead, nearest first."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray

from app.runs.files import log_unforeseen
from app.runs.guarded import read_frame
from app.runs.run import Run, RunError

logger = logging.getLogger(__name__)

DEFAULT_BUDGET_BYTES = 800 * 1024 * 1024
AHEAD_SHARE = 0.75
"""Share of the frames kept ahead of the playhead; the rest lies behind it, for stepping back."""

CLOSING_PATIENCE_S = 1.0
"""How long closing waits for reads under way; one that hangs is left to end by itself."""

Frame = NDArray[np.generic]


class FrameCache:
    """Stored pixel values of a run, decoded by background threads.

    The frames that are kept are those around the playhead, as many as the budget holds; when all
    of these are decoded the workers rest. Whoever looks at the run has a playhead of its own: a
    movie that is saved, or a second place on the screen. The run stays the caller's: close it
    after the cache.

    Parameters
    ----------
    run : Run
        Its frames are read from the worker threads.
    budget_bytes : int
        Memory for decoded frames; at least the frame at each playhead is always kept.
    workers : int
        Number of decoding threads; with 0 only `wait` decodes.
    """

    def __init__(
        self, run: Run, budget_bytes: int = DEFAULT_BUDGET_BYTES, workers: int = 2
    ) -> None:
        self._run = run
        self._budget_bytes = budget_bytes
        self._frame_bytes = run.rows * run.columns * (1 if run.grey.bits_stored <= 8 else 2)
        self._changed = threading.Condition()
        self._frames: dict[int, Frame] = {}
        self._errors: dict[int, RunError] = {}
        self._decoding: set[int] = set()
        self._playheads: dict[object, tuple[int, int]] = {}  # frame and direction, by viewer
        self._watchers: dict[object, Callable[[int], None]] = {}
        self._closed = False
        self._wanted: list[int] = []
        self._next = 0  # all of _wanted before this position is decoded or being decoded
        self._plan()
        self._workers = [
            threading.Thread(target=self._work, name=f"frame-decoder-{i + 1}", daemon=True)
            for i in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def get(self, index: int) -> Frame | None:
        """Return frame ``index`` if it is decoded, at once; never blocks for decoding."""
        with self._changed:
            return self._frames.get(index)

    def wait(self, index: int) -> Frame:
        """Return frame ``index``, decoding it here if no worker is about to.

        Raises
        ------
        RunError
            If the frame cannot be decoded, or the cache is closed.
        """
        with self._changed:
            while index in self._decoding and not self._closed:
                self._changed.wait()
            if self._closed:
                raise RunError(tr("The run has been closed."))
            if index in self._frames:
                return self._frames[index]
            if index in self._errors:
                raise self._errors[index]
            self._decoding.add(index)
        decoded = self._decode(index)
        if isinstance(decoded, RunError):
            raise decoded
        return decoded

    def error(self, index: int) -> RunError | None:
        """Return why frame ``index`` could not be decoded, or None."""
        with self._changed:
            return self._errors.get(index)

    def set_playhead(self, index: int, direction: int = 1, viewer: object = None) -> None:
        """Decode from frame ``index`` on, then ahead in ``direction`` (+1 or -1), then behind.

        Several viewers share the memory, each around its own playhead, until they `leave`.
        """
        with self._changed:
            if self._playheads.get(viewer, (0, 0)) != (index, direction):
                self._playheads[viewer] = index, direction
                self._plan()
                self._changed.notify_all()

    def watch(self, viewer: object, tell: Callable[[int], None]) -> None:
        """Call ``tell``, from a worker thread, with each frame that is decoded or cannot be."""
        with self._changed:
            self._watchers[viewer] = tell

    def leave(self, viewer: object) -> None:
        """Tell a viewer nothing more, and keep no frames for it."""
        with self._changed:
            self._watchers.pop(viewer, None)
            if self._playheads.pop(viewer, None) and self._playheads:
                self._plan()
                self._changed.notify_all()

    def set_budget(self, budget_bytes: int) -> None:
        """Keep as many frames as this holds from now on."""
        with self._changed:
            if budget_bytes != self._budget_bytes:
                self._budget_bytes = budget_bytes
                self._plan()
                self._drop_unwanted()
                self._changed.notify_all()

    @property
    def decoded_count(self) -> int:
        """Number of frames in memory."""
        with self._changed:
            return len(self._frames)

    @property
    def used_bytes(self) -> int:
        """Memory of the frames in it."""
        with self._changed:
            return sum(frame.nbytes for frame in self._frames.values())

    def ready(self) -> NDArray[np.bool_]:
        """Return which frames are in memory, shape (frame_count,)."""
        ready = np.zeros(self._run.frame_count, bool)
        with self._changed:
            ready[list(self._frames)] = True
        return ready

    @property
    def resting(self) -> bool:
        """True where all frames that fit around the playhead are decoded (or cannot be)."""
        with self._changed:
            known = self._frames.keys() | self._errors.keys()
            return all(index in known for index in self._wanted)

    def close(self) -> None:
        """Stop the workers and let go of the frames; a read that hangs is not waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        deadline = time.monotonic() + CLOSING_PATIENCE_S
        for worker in self._workers:
            worker.join(max(deadline - time.monotonic(), 0.0))
        with self._changed:
            self._frames.clear()

    def _plan(self) -> None:
        """Choose the frames to keep, nearest first. The lock is held."""
        count = self._run.frame_count
        room = min(max(self._budget_bytes // max(self._frame_bytes, 1), 1), count)
        playheads = list(self._playheads.values()) or [(0, 1)]
        share = room if room == count else max(room // len(playheads), 1)
        orders = [self._order(playhead, step, share) for playhead, step in playheads]
        nearest = dict.fromkeys(index for those in zip(*orders, strict=True) for index in those)
        self._wanted, self._next = list(nearest)[: max(room, len(playheads))], 0

    def _order(self, playhead: int, step: int, room: int) -> list[int]:
        """Return as many frames as there is room for, those ahead of a playhead first."""
        count = self._run.frame_count
        ahead = min(count, max(1, round(room * AHEAD_SHARE))) if room < count else count
        order = [(playhead + step * i) % count for i in range(ahead)]
        return order + [(playhead - step * (i + 1)) % count for i in range(room - ahead)]

    def _take_next(self) -> int | None:
        """Return the nearest frame that is still to be decoded. The lock is held."""
        while self._next < len(self._wanted):
            index = self._wanted[self._next]
            self._next += 1
            known = index in self._frames or index in self._errors or index in self._decoding
            if not known:
                return index
        return None

    def _work(self) -> None:
        for index in self._assignments():
            self._decode(index)
            with self._changed:
                watchers = tuple(self._watchers.values())
            for tell in watchers:
                try:
                    tell(index)
                except Exception as error:  # noqa: BLE001 - a listener must not end the decoding
                    log_unforeseen(logger, f"telling of frame {index}", error)

    def _assignments(self) -> Iterator[int]:
        while True:
            with self._changed:
                index = None
                while not self._closed and (index := self._take_next()) is None:
                    self._changed.wait()
                if self._closed or index is None:
                    return
                self._decoding.add(index)
            yield index

    def _decode(self, index: int) -> Frame | RunError:
        """Decode a frame that was put into ``_decoding``; remember it or its error."""
        decoded: Frame | RunError | None = None
        try:
            decoded = self._read(index)
            return decoded
        finally:  # whatever happens, nobody goes on waiting for this frame
            with self._changed:
                self._decoding.discard(index)
                if isinstance(decoded, RunError):
                    self._errors[index] = decoded
                elif decoded is not None and not self._closed:
                    if decoded.nbytes > self._frame_bytes:  # a wider type than the header told
                        self._frame_bytes = decoded.nbytes
                        self._plan()
                    self._keep(index, decoded)
                self._changed.notify_all()

    def _read(self, index: int) -> Frame | RunError:
        """Read a frame; whatever happens in its reader becomes that frame's error."""
        try:
            frame = read_frame(self._run.frames, index)
        except RunError as error:
            return error
        frame.setflags(write=False)
        return frame

    def _keep(self, index: int, frame: Frame) -> None:
        """Store a frame if it is wanted, and drop those that no longer are. The lock is held."""
        if index in set(self._wanted):
            self._frames[index] = frame
        if len(self._frames) > len(self._wanted):
            self._drop_unwanted()

    def _drop_unwanted(self) -> None:
        wanted = set(self._wanted)
        for other in [index for index in self._frames if index not in wanted]:
            del self._frames[other]
