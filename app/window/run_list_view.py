"""Lists the runs that the library finds, and marks the one on the screen."""

from __future__ import annotations

from gettext import gettext as tr
from pathlib import Path

from PySide6.QtCore import QObject

from app.runs.catalog import CatalogEntry
from app.runs.words import angle_text
from app.session.library import Library
from app.session.open_run import OpenRun
from app.session.places import Places
from app.session.session import Session
from app.tracks.content import LabelSummary
from widgets.panels.run_list import RunList
from widgets.panels.run_model import LabelState, RunRow


class RunListView(QObject):
    """Keeps the list true to what the library found and the session does."""

    def __init__(self, run_list: RunList, session: Session) -> None:
        super().__init__(run_list)
        self._list = run_list
        self._library: Library = session.library
        self._broken: set[str] = set()
        run_list.run_activated.connect(lambda key: self._library.open_run(Path(key)))
        run_list.paths_dropped.connect(
            lambda paths: self._library.open_paths([Path(path) for path in paths])
        )
        self._library.found.connect(self._put)
        self._library.thumbnail_ready.connect(
            lambda path, picture: run_list.set_thumbnail(str(path), picture)
        )
        self._library.scanning.connect(self._show_scan)
        self._library.opening.connect(self._show_opening)
        session.run_changed.connect(self._show_current)
        session.run_left.connect(self.show_label_state)
        session.places.changed.connect(lambda: self._show_seen(session.places))
        session.reviewed_changed.connect(lambda _: self._show_state_of(session.opened))
        session.labelling.labels_changed.connect(lambda _: self._show_state_of(session.opened))

        session.labelling.tracking.run_progress.connect(
            lambda opened, done, asked: run_list.set_row_progress(str(opened.run.path), done, asked)
        )

    def open_neighbour(self, steps: int) -> None:
        """Open the next (+1) or previous (-1) run of the list that can be opened."""
        keys = [key for key in self._list.run_keys() if key not in self._broken]
        if not keys:
            return
        current = str(self._library.asked_for)
        at = keys.index(current) + steps if current in keys else 0
        if 0 <= at < len(keys):
            self._library.open_run(Path(keys[at]))

    def focus_filter(self) -> None:
        """Let the user type a filter."""
        self._list.focus_filter()

    def show_label_state(self, opened: OpenRun) -> None:
        """Show how far a run is labelled."""
        self._list.set_label_state(
            str(opened.run.path),
            _label_state(bool(opened.labels.tracks), opened.store.state.reviewed),
        )

    def _show_state_of(self, opened: OpenRun | None) -> None:
        if opened is not None:
            self.show_label_state(opened)

    def _show_current(self, opened: OpenRun | None) -> None:
        self._list.set_current(None if opened is None else str(opened.run.path))
        self._show_state_of(opened)

    def _show_seen(self, places: Places) -> None:
        seen = (place.opened for place in places.seen)
        self._list.set_seen(str(opened.run.path) for opened in seen if opened is not None)

    def _show_opening(self, path: Path | None) -> None:
        self._list.set_opening(None if path is None else str(path))
        self._list.set_status("" if path is None else tr("Opening {name}…").format(name=path.name))

    def _show_scan(self, count: int) -> None:
        text = tr("Looking for runs: {count} found")
        self._list.set_status("" if count < 0 else text.format(count=count))

    def _put(self, entry: CatalogEntry, labels: LabelSummary | None) -> None:
        key = str(entry.path)
        (self._broken.add if entry.error else self._broken.discard)(key)
        self._list.put_row(
            RunRow(
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
        )


def _label_state(labelled: bool, reviewed: bool) -> LabelState:
    if reviewed:
        return LabelState.REVIEWED
    return LabelState.IN_PROGRESS if labelled else LabelState.NONE
