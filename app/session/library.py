"""Opens runs and keeps the list of them: files, folders, what was dropped, what was recent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.runs.catalog import CatalogEntry, scan, thumbnail
from app.runs.words import angle_text
from app.session.background import Background, Task
from app.session.open_run import OpenRun, open_labelled
from app.session.settings import SettingsKeeper
from app.tracks.content import LabelSummary
from app.tracks.store import label_summary
from widgets.panels.run_list import RunList
from widgets.panels.run_model import LabelState, RunRow


class Library(QObject):
    """Scans and opens off the GUI thread.

    Signals
    -------
    opened(object) : a `OpenRun`; its receiver closes it.
    refused(str) : one sentence, why a run could not be opened.
    busy(str) : what goes on, "" when it is done.
    """

    opened = Signal(object)
    refused = Signal(str)
    busy = Signal(str)

    def __init__(self, run_list: RunList, background: Background, settings: SettingsKeeper) -> None:
        super().__init__()
        self._list = run_list
        self._background = background
        self._settings = settings
        self._rows: dict[str, RunRow] = {}
        self._current: str | None = None
        self._asked = 0  # openings so far; the last one counts
        self._scanning: list[Task] = []
        self.take_back: Callable[[Path], OpenRun | None] = lambda path: None
        """Gives a run that was left and is still tracked, see `Tracking.take_back`."""
        run_list.run_activated.connect(lambda key: self.open_run(Path(key)))
        run_list.paths_dropped.connect(lambda paths: self.open_paths([Path(p) for p in paths]))

    def show_recent(self) -> None:
        """List the runs that were open before."""
        self._scan([Path(p) for p in self._settings.now.recent_runs], open_first=False)

    def open_paths(self, paths: Sequence[Path]) -> None:
        """List all runs in these files and folders, and open the first one that can be."""
        for task in self._scanning:
            task.cancel()
        self._scanning.clear()
        if len(paths) == 1 and paths[0].is_file():
            self.open_run(paths[0])
            self._scan(paths, open_first=False)
        else:
            self._scan(paths, open_first=True)

    def open_run(self, path: Path, labels_folder: Path | None = None) -> None:
        """Open one run; an earlier one that is still being opened is dropped.

        With ``labels_folder`` its labels lie there, and the run is not remembered.
        """
        self._asked += 1
        number, settings = self._asked, self._settings.now
        self._current = str(path)

        kept = self.take_back(path)
        if kept is not None:
            self._deliver(kept)
            return

        def deliver(opened: OpenRun) -> None:
            if number != self._asked:  # another run was asked for meanwhile
                self._background.start(lambda _: opened.close(), lambda _: None, self._refuse)
                return
            if labels_folder is None:
                self._settings.remember_run(path)
            self._deliver(opened)

        def refuse(text: str) -> None:
            if number == self._asked:
                self._refuse(text)

        self._list.set_opening(str(path))
        self.busy.emit(f"Opening {path.name}…")
        self._background.start(
            lambda _: open_labelled(path, settings, labels_folder), deliver, refuse
        )

    def open_neighbour(self, steps: int) -> None:
        """Open the next (+1) or previous (-1) run of the list that can be opened."""
        listed = self._list.keys()
        keys = [key for key in listed if not self._rows[key].error]
        if not keys:
            return
        at = keys.index(self._current) + steps if self._current in keys else 0
        if 0 <= at < len(keys):
            self.open_run(Path(keys[at]))

    def show_label_state(self, review: OpenRun) -> None:
        """Show in the list how far the open run is labelled."""
        self._list.set_label_state(
            str(review.run.path),
            _label_state(bool(review.labels.tracks), review.store.state.reviewed),
        )

    # inside

    def _scan(self, paths: Sequence[Path], *, open_first: bool) -> None:
        if not paths:
            return
        opened = not open_first
        found = 0

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
            nonlocal opened, found
            entry, labels = told
            found += 1
            self._put(entry, labels)
            self._list.set_status(f"Looking for runs: {found} found")
            if not opened and not entry.error:
                opened = True
                self.open_run(entry.path)

        def done(_: None) -> None:
            self._list.set_status("")
            if not opened:
                self.refused.emit("No X-ray run was found there; choose another file or folder.")

        self._scanning.append(self._background.start(work, done, self._refuse, take))

    def _put(self, entry: CatalogEntry, labels: LabelSummary | None) -> None:
        key = str(entry.path)
        row = RunRow(
            key=key,
            title=entry.title,
            study=entry.study_description,
            study_id=entry.study_uid,
            series=entry.series_description,
            angles=angle_text(entry.primary_angle_deg, entry.secondary_angle_deg),
            frames=entry.frame_count,
            duration_ms=entry.duration_ms,
            date=entry.study_date.isoformat() if entry.study_date else "",
            label_state=_label_state(
                labels is not None and labels.tracks > 0, labels is not None and labels.reviewed
            ),
            error=entry.error or "",
        )
        self._rows[key] = row
        self._list.put_row(row)
        if not entry.error:
            self._background.start(
                lambda task: None if task.cancelled else thumbnail(entry.path),
                lambda picture: self._list.set_thumbnail(key, picture),
                lambda _: None,  # the list says it when the run is opened
                patient=True,
            )

    def _deliver(self, review: OpenRun) -> None:
        self.busy.emit("")
        self._list.set_opening(None)
        self._list.set_current(str(review.run.path))
        self.opened.emit(review)

    def _refuse(self, text: str) -> None:
        self._list.set_opening(None)
        self.busy.emit("")
        self.refused.emit(text)


def _label_state(labelled: bool, reviewed: bool) -> LabelState:
    if reviewed:
        return LabelState.REVIEWED
    return LabelState.IN_PROGRESS if labelled else LabelState.NONE
