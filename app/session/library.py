"""Finds and opens runs off the GUI thread: files, folders, what was dropped, what was recent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from gettext import gettext as tr
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.display.thumbnail import thumbnail
from app.measure.calibrations import parsed
from app.runs.biplane import other_plane
from app.runs.catalog import CatalogEntry, scan
from app.runs.run import Run
from app.session.background import Background, Task
from app.session.leaving import Leaving
from app.session.open_run import OpenRun, open_labelled
from app.session.settings import SettingsKeeper
from app.tracks.content import LabelSummary
from app.tracks.store import label_summary


class Library(QObject):
    """Scans and opens; whoever lists the runs listens.

    Attributes
    ----------
    calibrations : dict of Path to mapping
        By what runs were calibrated, as far as it is known.

    Signals
    -------
    found(object, object) : a `CatalogEntry`, and the `LabelSummary` of its labels or None.
    thumbnail_ready(object, object) : path of a run, grey picture (h, w) uint8.
    scanning(int) : runs found so far; -1 when a scan has ended.
    opening(object) : path of the run that is being opened, None when that has ended.
    opened(object) : an `OpenRun`; its receiver closes it.
    refused(str) : one sentence, why a run could not be opened.
    """

    found = Signal(object, object)
    thumbnail_ready = Signal(object, object)
    scanning = Signal(int)
    opening = Signal(object)
    opened = Signal(object)
    refused = Signal(str)

    def __init__(self, background: Background, settings: SettingsKeeper, leaving: Leaving) -> None:
        super().__init__()
        self._leaving = leaving
        self._background = background
        self._settings = settings
        self.calibrations: dict[Path, Mapping[str, Any]] = {}
        self._asked_for: Path | None = None
        self._under_way: set[tuple[Path, Path | None]] = set()  # openings; the last asked counts
        self._asked: tuple[Path, Path | None] | None = None
        self._scanning: list[Task] = []
        self._found: dict[Path, CatalogEntry] = {}
        self.take_back: Callable[[Path], OpenRun | None] = lambda path: None
        """Gives a run that is open already: on the screen, still tracked, or not to be saved."""

    @property
    def asked_for(self) -> Path | None:
        """The run that was asked for last: it is on the screen, or will be."""
        return self._asked_for

    def show_recent(self) -> None:
        """Find the runs that were open before."""
        self._scan([Path(p) for p in self._settings.now.recent_runs], open_first=False)

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Find all runs in these files and folders, and open the first one that can be."""
        for task in self._scanning:
            task.cancel()
        self._scanning.clear()
        paths = [path.absolute() for path in paths]  # they are remembered for other starts
        if len(paths) == 1 and paths[0].is_file():
            self.open_run(paths[0])
            self._scan(paths, open_first=False)
        else:
            self._scan(paths, open_first=True)

    def open_run(self, path: Path, labels_folder: Path | None = None) -> None:
        """Open one run; an earlier one that is still being opened is dropped.

        With ``labels_folder`` its labels lie there, and the run is not remembered.
        """
        self._asked_for = path
        this, settings = (path.resolve(), labels_folder), self._settings.now
        self._asked = this
        self.opening.emit(path)
        kept = self.take_back(path)
        if kept is not None:
            self.opening.emit(None)
            self.opened.emit(kept)
            return
        if this in self._under_way:  # twice at once, they would lock each other out
            return
        self._under_way.add(this)

        def deliver(opened: OpenRun) -> None:
            self._under_way.discard(this)
            if this != self._asked:  # another run was asked for meanwhile
                self._leaving.close(opened)
                return
            if labels_folder is None:
                self._settings.remember_run(path)
            self.opening.emit(None)
            self.opened.emit(opened)

        def refuse(text: str) -> None:
            self._under_way.discard(this)
            if this == self._asked:
                self.opening.emit(None)
                self.refused.emit(text)

        def work(_: Task) -> OpenRun:
            self._leaving.wait_for(path)  # else its labels would be open in another window
            return open_labelled(path, settings, labels_folder)

        self._background.start(work, deliver, refuse)

    def other_plane(self, path: Path) -> Path | None:
        """Return the run that the C-arm's other plane took at the same time, of those found."""
        this = self._found.get(path)
        plane = None if this is None else other_plane(this, tuple(self._found.values()))
        return None if plane is None else plane.path

    def note_calibration(self, run: Run, values: Mapping[str, Any] | None) -> None:
        """Know what a run was calibrated by, for others that were taken the same way."""
        if values is None:
            self.calibrations.pop(run.path, None)
        else:
            self.calibrations[run.path] = values

    def _scan(self, paths: Sequence[Path], *, open_first: bool) -> None:
        if not paths:
            return
        opened = not open_first
        count = 0

        def work(task: Task) -> None:
            for path in paths:
                if path.exists():
                    for entry in scan(path, lambda: task.cancelled):
                        task.report((entry, summary(entry)))

        folder = self._settings.now.project_folder

        def summary(entry: CatalogEntry) -> LabelSummary | None:
            if entry.error:
                return None
            project = Path(folder) if folder else None
            return label_summary(entry.path, entry.sop_instance_uid, project)

        def take(told: tuple[CatalogEntry, LabelSummary | None]) -> None:
            nonlocal opened, count
            entry, labels = told
            count += 1
            self._found[entry.path] = entry
            values = parsed(labels.calibration) if labels is not None else None
            if values is not None:
                self.calibrations.setdefault(entry.path, values)
            self.found.emit(entry, labels)
            self.scanning.emit(count)
            if entry.error:
                return
            self._make_thumbnail(entry.path)
            if not opened:
                opened = True
                self.open_run(entry.path)

        def done(_: None) -> None:
            self.scanning.emit(-1)
            if not opened:
                self.refused.emit(
                    tr("No X-ray run was found there; choose another file or folder.")
                )

        def fail(text: str) -> None:
            self.scanning.emit(-1)
            self.refused.emit(text)

        self._scanning.append(self._background.start(work, done, fail, take))

    def _make_thumbnail(self, path: Path) -> None:
        self._background.start(
            lambda task: None if task.cancelled else thumbnail(path),
            lambda picture: self.thumbnail_ready.emit(path, picture),
            lambda _: None,  # it is said when the run is opened
            patient=True,
        )
