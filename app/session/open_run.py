"""One opened run: its frames, its display, its labels."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from app.display.pipeline import DisplayPipeline
from app.runs.dicom_timing import even_times
from app.runs.frames import FrameCache
from app.runs.opening import open_run
from app.runs.run import Run, RunError, TimingSource
from app.session.enhanced import Enhanced
from app.session.settings import Settings
from app.tracks.labels import Labels
from app.tracks.store import Store, open_store
from app.tracks.writer import PATIENCE_S

_numbers = itertools.count(1)


class OpenRun:
    """A run and everything that belongs to it while it is open.

    Attributes
    ----------
    key : str
        Tells this opened run from all others in requests to the worker.
    sequence : FrameSequence
        The frames as the networks see them.
    enhanced : Enhanced or None
        The device that was enhanced last.
    """

    def __init__(self, run: Run, cache: FrameCache, store: Store) -> None:
        self.run = run
        self.cache = cache
        self.store = store
        self.display = DisplayPipeline(run, cache.wait)
        self.key = f"run{next(_numbers)}"
        self.sequence = self.display.sequence()
        self.enhanced: Enhanced | None = None

    @property
    def labels(self) -> Labels:
        """The tracks and their history."""
        return self.store.labels

    @property
    def files(self) -> tuple[Path, ...]:
        """What nothing else may be written onto: the run and its labels file."""
        labels = self.store.path
        return (self.run.path,) if labels is None else (self.run.path, labels)

    def lies_at(self, path: Path) -> bool:
        """Tell whether this is the run at ``path``, links and other spellings seen through."""
        return self.run.path.resolve() == path.resolve()

    @property
    def rate_hz(self) -> float | None:
        """The run's own frames a second, None for a single frame."""
        run = self.run
        return 1000.0 * run.frame_count / run.duration_ms if run.duration_ms else None

    def close(self, timeout_s: float = PATIENCE_S) -> None:
        """Save the labels, end the decoding threads, release the file.

        Raises
        ------
        UserError
            If the last changes could not be saved. The run stays open: try again, or call
            `save_elsewhere` or `discard`.
        """
        self.store.close(timeout_s)
        self._release()

    def save_elsewhere(self, path: Path) -> None:
        """Write the labels with their history to another file, and close.

        Raises
        ------
        UserError
            If that fails too; the run stays open.
        """
        self.store.save_elsewhere(path)
        self._release()

    def discard(self) -> None:
        """Close, and give up what is not saved."""
        self.store.discard()
        self._release()

    def _release(self) -> None:
        self.cache.close()
        self.run.frames.close()


def open_labelled(path: Path, settings: Settings, labels_folder: Path | None = None) -> OpenRun:
    """Open a run with its labels; may take a while, works on any thread.

    Parameters
    ----------
    labels_folder : Path, optional
        Where its labels lie; as the settings say where left out.

    Raises
    ------
    UserError
        If the run or its labels cannot be read.
    """
    run = open_run(path)
    if run.timing_source is TimingSource.ASSUMED:
        times_ms = even_times(run.frame_count, 1000.0 / settings.assumed_frame_rate_hz)
        run = replace(run, frame_times_ms=times_ms)
    project = Path(settings.project_folder) if settings.project_folder else None
    try:
        store = open_store(run, labels_folder or project)
    except BaseException:
        run.frames.close()
        raise
    opened = OpenRun(run, FrameCache(run, settings.frame_memory_mb << 20), store)
    if run.open_subtracted:
        with suppress(RunError):  # the picture says it, and can be shown without the mask
            opened.display.prepare_mask(opened.display.default_settings())
    return opened
