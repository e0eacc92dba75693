"""The denoiser as the program calls it: frames in the order wanted, stoppable, within bounds.

A frame is stabilised by its run's own noise, averaged with those neighbours that show the same
(`fusion`), and finished by the student network, while the next frames are read and aligned. What
comes out depends on the run and the mode alone, never on the order asked.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.denoising.alignment import Landmarks, landmarks, whole_pixel_shift
from inference.denoising.fusion import Fused, Gates, Neighbour
from inference.denoising.noise import NoiseModel, estimate_noise
from inference.denoising.requests import DenoisedFrame, DenoiseRequest
from inference.frames import FloatFrame, FrameSequence, ShouldStop
from inference.runtime import Network, Warn, load_network, usable_cores

if TYPE_CHECKING:
    from torch import nn


STUDENT = "denoiser_student"
CENTRED_REACH = 5
"""Neighbours on either side in recorded review."""
CAUSAL_REACH = 6
"""Past neighbours in live-like review."""
KEPT_LANDMARKS = 2
"""Each frame is aligned with the next, so that those of two frames are enough."""
FRAMES_AT_ONCE = 2
"""Frames that a CPU works on side by side: two half as fast waste less than one on all cores."""
MULTIPLE_PX = 16
WHOLE_PX = 1152
"""Sides up to this go through the network whole; longer ones in tiles, for memory's sake."""
TILE_PX = 640
TILE_OVERLAP_PX = 64
"""More than the student's reach, so that tiles join without a seam."""


class _StoppedError(Exception):
    """The caller wants no more."""


class _Run:
    """What is known of one run: its noise, the motion between frames, the frames last used."""

    def __init__(self, frames: FrameSequence, should_stop: ShouldStop) -> None:
        def read(index: int) -> NDArray[np.generic]:
            if should_stop():
                raise _StoppedError
            return frames.read(index)

        self.frames = frames
        self.noise: NoiseModel = estimate_noise(read, frames.frame_count, frames.white)
        self.gates = Gates(self.noise.temporal_correlation, self.noise.spatial_correlation)
        self._shifts: dict[int, tuple[int, int]] = {}
        self._kept: OrderedDict[int, FloatFrame] = OrderedDict()
        self._marks: OrderedDict[int, Landmarks] = OrderedDict()

    def stabilised(self, index: int) -> FloatFrame:
        """Return a frame on the scale of its noise, padded to what the network takes."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        frame = _padded(self.noise.stabilise(self.frames.read(index)))
        self._kept[index] = frame
        if len(self._kept) > 2 * CENTRED_REACH + 3:
            self._kept.popitem(last=False)
        return frame

    def neighbours(self, index: int, causal: bool, should_stop: ShouldStop) -> list[Neighbour]:
        """Return the frames around ``index`` with their motion towards it."""
        behind = CAUSAL_REACH if causal else CENTRED_REACH
        first = max(0, index - behind)
        last = index if causal else min(self.frames.frame_count - 1, index + CENTRED_REACH)
        found: list[Neighbour] = []
        for direction, end in ((-1, first), (1, last)):
            dx = dy = 0
            other = index
            while other != end:
                if should_stop():
                    raise _StoppedError
                step_x, step_y = self._shift(other if direction > 0 else other - 1)
                # The shift leads from a frame to the next one; going back in time it is added.
                dx -= direction * step_x
                dy -= direction * step_y
                other += direction
                found.append(Neighbour(self.stabilised(other), dx, dy, abs(other - index)))
        return found

    def _shift(self, index: int) -> tuple[int, int]:
        """Return the motion from frame ``index`` to the next."""
        if index not in self._shifts:
            self._shifts[index] = whole_pixel_shift(
                self._landmarks(index), self._landmarks(index + 1)
            )
        return self._shifts[index]

    def _landmarks(self, index: int) -> Landmarks:
        if index not in self._marks:
            self._marks[index] = landmarks(self.stabilised(index))
            if len(self._marks) > KEPT_LANDMARKS:
                self._marks.popitem(last=False)
        return self._marks[index]


class Denoiser:
    """Denoises runs; one at a time, from one thread.

    Parameters
    ----------
    network : Network
        The student.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._run: _Run | None = None

    @property
    def device_name(self) -> str:
        """Where the network runs: "cpu", "cuda" or "mps"."""
        return self._network.device

    def denoise(
        self,
        frames: FrameSequence,
        request: DenoiseRequest,
        should_stop: ShouldStop,
        on_frame: Callable[[DenoisedFrame], None],
    ) -> None:
        """Denoise the frames asked for, in that order.

        Parameters
        ----------
        frames : FrameSequence
            The run. Its noise is measured at the first call with this object, and kept.
        request : DenoiseRequest
        should_stop : callable
            Asked between pieces of work; after True no further frame is given.
        on_frame : callable
            Receives each `DenoisedFrame` as soon as it is ready, in the caller's thread. A run
            whose noise cannot be seen is given back as it is.
        """
        try:
            run = self._known(frames, should_stop)
            if run.noise.is_clean:
                for index in request.frames:
                    if should_stop():
                        return
                    pixels = frames.read(index).astype(np.float32)
                    on_frame(DenoisedFrame(index, pixels, noise_removed=False))
                return
            self._denoise(run, request, should_stop, on_frame)
        except _StoppedError:
            return

    def denoise_still(self, frame: NDArray[np.generic], noise: NoiseModel) -> FloatFrame:
        """Denoise one frame by itself (single-frame mode), float32 on its own grey scale."""
        rows, columns = frame.shape
        stabilised = _padded(noise.stabilise(frame))
        strength = np.float32(noise.strength_of(stabilised))
        stabilised /= strength
        half = (stabilised.shape[0] // 2, stabilised.shape[1] // 2)
        alone = Fused(stabilised, np.ones(half, np.float32))
        out = self._student(noise, stabilised, alone, lambda: False)
        return noise.restore(out * strength)[:rows, :columns]

    def _known(self, frames: FrameSequence, should_stop: ShouldStop) -> _Run:
        if self._run is None or self._run.frames is not frames:
            self._run = None
            self._run = _Run(frames, should_stop)
        return self._run

    def _denoise(
        self,
        run: _Run,
        request: DenoiseRequest,
        should_stop: ShouldStop,
        on_frame: Callable[[DenoisedFrame], None],
    ) -> None:
        def finished(frame: FloatFrame, neighbours: Sequence[Neighbour]) -> FloatFrame:
            strength = run.noise.strength_of(frame)
            if strength != 1.0:
                frame = frame / np.float32(strength)
                neighbours = [replace(n, frame=n.frame / np.float32(strength)) for n in neighbours]
            fused = run.gates.fuse(frame, neighbours)
            out = self._student(run.noise, frame, fused, should_stop)
            return run.noise.restore(out * np.float32(strength))

        def give(index: int, future: Future[FloatFrame]) -> None:
            pixels = future.result()
            if not should_stop():
                whole = pixels[: run.frames.rows, : run.frames.columns]
                on_frame(DenoisedFrame(index, whole, noise_removed=True))

        # Frames are read and aligned in the caller's thread, as a FrameSequence asks for; others
        # finish them meanwhile.
        at_once = min(FRAMES_AT_ONCE, usable_cores()) if self._network.device == "cpu" else 1
        with ThreadPoolExecutor(at_once, thread_name_prefix="denoiser") as executor:
            waiting: deque[tuple[int, Future[FloatFrame]]] = deque()
            for index in request.frames:
                if should_stop():
                    return
                neighbours = run.neighbours(index, request.causal, should_stop)
                future = executor.submit(finished, run.stabilised(index), neighbours)
                waiting.append((index, future))
                if len(waiting) > at_once:
                    give(*waiting.popleft())
            for index, future in waiting:
                give(index, future)

    def _student(
        self, noise: NoiseModel, frame: FloatFrame, fused: Fused, should_stop: ShouldStop
    ) -> FloatFrame:
        """Run the network over one frame, in tiles where the frame is large."""
        out = np.empty_like(frame)
        correlation = np.full((1, 1, 1, 1), noise.neighbour_correlation, np.float32)
        for rows, inner_rows in _tiles(frame.shape[0]):
            for columns, inner_columns in _tiles(frame.shape[1]):
                if should_stop():
                    raise _StoppedError
                half = np.s_[
                    rows.start // 2 : rows.stop // 2, columns.start // 2 : columns.stop // 2
                ]
                tile = self._network(
                    {
                        "frame": frame[None, None, rows, columns],
                        "mean": fused.mean[None, None, rows, columns],
                        "variance": fused.variance[None, None, *half],
                        "correlation": correlation,
                    }
                )[0][0, 0]
                out[inner_rows, inner_columns] = tile[
                    inner_rows.start - rows.start : inner_rows.stop - rows.start,
                    inner_columns.start - columns.start : inner_columns.stop - columns.start,
                ]
        return out


def _padded(frame: FloatFrame) -> FloatFrame:
    """Mirror the lower and right edges until the sides are what the network takes."""
    rows, columns = frame.shape
    return np.asarray(
        cv2.copyMakeBorder(
            frame, 0, -rows % MULTIPLE_PX, 0, -columns % MULTIPLE_PX, cv2.BORDER_REFLECT
        )
    )


def _tiles(length: int) -> Iterator[tuple[slice, slice]]:
    """Cut a length into tiles: what the network sees, and the part of it that is kept."""
    if length <= WHOLE_PX:
        yield slice(0, length), slice(0, length)
        return
    for start in range(0, length, TILE_PX):
        stop = min(start + TILE_PX, length)
        outer = slice(max(0, start - TILE_OVERLAP_PX), min(length, stop + TILE_OVERLAP_PX))
        yield outer, slice(start, stop)


def _build(metadata: Mapping[str, str]) -> nn.Module:
    """Make the student for a GPU; torch is imported only here."""
    from inference.denoising.networks import student_from_metadata

    return student_from_metadata(metadata)


def load_denoiser(
    device: str = "auto",
    *,
    name: str = STUDENT,
    warn: Warn | None = None,
    threads: int | None = None,
) -> Denoiser:
    """Load the shipped student.

    Parameters
    ----------
    device : {"auto", "cuda", "mps", "cpu"}
    name : str
        Of the shipped network, or the path of another one without its ending.
    warn : callable, optional
        Receives sentences for the user, such as when a GPU is short of memory.
    threads : int, optional
        CPU threads; as many as there are physical cores when None.

    Raises
    ------
    WeightsMissingError
        If the weights are not installed.
    """
    return Denoiser(load_network(name, device, build=_build, warn=warn, threads=threads))
