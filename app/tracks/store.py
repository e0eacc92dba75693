"""The labels file of a run: saved as you work, opened again as it was.

Each gesture is one transaction on a writer thread, so that the window never waits for the disk;
but a gesture begins only when the one before it is on the disk, so that killing the program at
any moment loses at most the gesture under way. (Measured on an SSD: 2 ms a gesture, 20 ms at
worst; a network share or an old disk is slower than a window may wait.)
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from gettext import gettext as tr
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_data_path

from app.errors import UserError
from app.runs.run import Run
from app.tracks import database
from app.tracks.database import Newer, NotOurs, ReviewState
from app.tracks.identity import SUFFIX, find_store, run_identity, store_paths
from app.tracks.labels import Labels, Record, StepAction, StepRecord
from resources import resource_path

log = logging.getLogger(__name__)

GESTURE_WAIT_S = 1.0
RETRY_S = 1.0


class StoreError(UserError):
    """Labels that cannot be read or saved."""


class Store:
    """The labels, the review state and the history of one run, and the file that keeps them.

    Attributes
    ----------
    labels : Labels
        The tracks; every change of them is saved.
    review : ReviewState
        Playhead, reviewed flag and view settings as last saved.
    notice : str
        One sentence that the user should see (read-only, set aside), or "".
    read_only : bool
        Changes of the labels are refused with `notice`.
    on_trouble : callable, optional
        Called on the writer thread with one sentence when saving fails, and with "" when it
        works again. What could not be saved is kept and tried again.
    """

    def __init__(
        self,
        run: Run,
        identity: str,
        path: Path | None,
        folders: list[Path],
        content: database.Content | None,
        lock: FileLock | None,
        notice: str = "",
        read_only: bool = False,
    ) -> None:
        self.notice = notice
        self.read_only = read_only
        self.on_trouble: Callable[[str], None] | None = None
        self.review = content.review if content else ReviewState()
        self.labels = Labels(
            run.frame_count,
            content.tracks if content else (),
            content.done if content else (),
            content.undone if content else (),
            journal=self,
        )
        self._run_path, self._identity = run.path.absolute(), identity
        self._path, self._folders, self._lock = path, folders, lock
        self._wake = threading.Condition()
        self._queue: list[StepRecord] = []
        self._review_due: ReviewState | None = None
        self._trouble = ""
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def path(self) -> Path | None:
        """The labels file; None until there is something to save."""
        return self._path

    def record(self, record: Record) -> None:
        """Save a gesture (called by `Labels`, before it changes anything).

        Raises
        ------
        StoreError
            If nothing can be saved here.
        """
        self._start()
        if not isinstance(record, StepRecord):
            return
        with self._wake:
            if record.action is not StepAction.EXTEND:
                self._wake.wait_for(self._gestures_saved, GESTURE_WAIT_S)
            self._queue.append(record)
            self._wake.notify_all()

    def save_review(self, review: ReviewState) -> None:
        """Save where the reader stands; a run without labels is saved once it is reviewed."""
        self.review = review
        if self.read_only or (self._path is None and not review.reviewed):
            return
        self._start()
        with self._wake:
            self._review_due = review
            self._wake.notify_all()

    def flush(self, timeout_s: float = 10.0) -> None:
        """Wait until everything is on the disk.

        Raises
        ------
        StoreError
            If that does not happen in time.
        """
        with self._wake:
            saved = self._wake.wait_for(self._all_saved, timeout_s)
        if not saved:
            raise StoreError(self._trouble or "The labels are still being saved; wait a moment.")

    def close(self) -> None:
        """Save everything, end the writer and let others open the file.

        Raises
        ------
        StoreError
            If the last changes could not be saved.
        """
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._lock is not None:
            _release(self._lock)
            self._lock = None
        if not self._all_saved():
            raise StoreError(self._trouble or "The last changes could not be saved.")

    def _gestures_saved(self) -> bool:
        waiting = any(r.action is not StepAction.EXTEND for r in self._queue)
        return not waiting or bool(self._trouble)

    def _all_saved(self) -> bool:
        return not self._queue and self._review_due is None

    def _start(self) -> None:
        if self.read_only:
            raise StoreError(self.notice)
        if self._closing:
            raise StoreError("This run is closed; open it again to change its labels.")
        if self._lock is None:
            self._path, self._lock = _claim_new(self._run_path, self._identity, self._folders)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._write_all, args=(self._path,), name="labels writer", daemon=True
            )
            self._thread.start()

    # on the writer thread

    def _write_all(self, path: Path) -> None:
        connection: sqlite3.Connection | None = None
        new = not path.exists()  # later the file must be there: half the labels help nobody
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or not self._all_saved())
                batch, review = tuple(self._queue), self._review_due
                last_try = self._closing
            if not batch and review is None:
                break
            try:
                if connection is None:
                    connection = database.connect(path, create=new)
                    database.create(connection, self._identity)
                    new = False
                database.write(connection, batch, review)
            except (sqlite3.Error, OSError):
                log.exception("labels could not be saved")
                if connection is not None:
                    connection.close()
                    connection = None
                self._tell(
                    f"The labels could not be saved to {path.parent}; free some space there "
                    "or check that it is still connected."
                )
                with self._wake:
                    self._wake.notify_all()
                    self._wake.wait_for(lambda: self._closing, RETRY_S)
                if last_try:
                    break
                continue
            with self._wake:
                del self._queue[: len(batch)]
                if self._review_due is review:
                    self._review_due = None
                self._wake.notify_all()
            self._tell("")
        if connection is not None:
            connection.close()

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if self.on_trouble is not None:
                self.on_trouble(trouble)


def open_store(run: Run, project_folder: Path | None = None) -> Store:
    """Open the labels of a run, wherever they lie; may take some ms, works on any thread.

    They lie in ``project_folder`` if one is given, else beside the run, else (the run's folder
    cannot be written to, or is the program's own) in the user's data folder. Nothing is written
    before the first gesture.

    Raises
    ------
    StoreError
        If there are labels that cannot be got at.
    """
    identity = run_identity(run)
    run_path = run.path.absolute()
    folders = _label_folders(run_path, project_folder)
    path = find_store(run_path, identity, folders, database.read_identity)
    notice = ""
    if path is None:
        damaged = next((p for p in store_paths(run_path, identity, folders) if _unusable(p)), None)
        if damaged is None:
            return Store(run, identity, None, folders, None, None)
        path = damaged
    lock, refusal = _claim(path)
    try:
        content = database.read(path)
    except Newer:
        if lock is not None:
            _release(lock)
        newer = tr(
            "The labels in {name} were made by a newer version of Fluorotrace; update it to "
            "see and change them. They are left as they are."
        )
        notice = newer.format(name=path.name)
        return Store(run, identity, path, folders, None, None, notice, read_only=True)
    except NotOurs as reason:
        if lock is None:
            raise StoreError(f"The labels in {path.name} cannot be read: {reason}.") from reason
        kept = _set_aside(path)
        log.warning("labels set aside: %s", reason)
        notice = f"The labels file was {reason}; it is kept as {kept.name} and new labels begin."
        content = None
    except (sqlite3.Error, OSError) as error:
        if lock is not None:
            _release(lock)
        raise StoreError(f"The labels in {path} cannot be read; check that file.") from error
    return Store(run, identity, path, folders, content, lock, notice or refusal, lock is None)


def saved_labels(run: Run, project_folder: Path | None = None) -> database.Content | None:
    """Return the saved labels of a run, to look at only; None where none lie under its name.

    Unlike `open_store` it takes no right to write and searches no folder, so that it is quick
    for each run of a large archive.

    Raises
    ------
    StoreError
        If there are labels that cannot be read.
    """
    identity, run_path = run_identity(run), run.path.absolute()
    for path in store_paths(run_path, identity, _label_folders(run_path, project_folder)):
        if path.exists() and database.read_identity(path) == identity:
            try:
                return database.read(path)
            except (NotOurs, Newer, sqlite3.Error, OSError) as error:
                raise StoreError(
                    f"The labels in {path} cannot be read; check that file."
                ) from error
    return None


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """How far a run is labelled."""

    labelled: bool
    reviewed: bool


def label_summary(
    run_path: Path, sop_instance_uid: str, project_folder: Path | None = None
) -> LabelSummary | None:
    """Return how far a run is labelled, read from the file under its name, without opening it."""
    for folder in _label_folders(run_path.absolute(), project_folder):
        path = folder / f"{run_path.name}{SUFFIX}"
        found = database.read_summary(path) if path.exists() else None
        other = found is not None and sop_instance_uid and found[0].startswith("uid:")
        if found is not None and not (other and found[0] != f"uid:{sop_instance_uid}"):
            return LabelSummary(found[1], found[2])
    return None


def _label_folders(run_path: Path, project_folder: Path | None) -> list[Path]:
    """Return where labels of a run may lie, best first."""
    beside = run_path.parent
    spare = user_data_path("fluorotrace") / "labels"
    folders = [spare] if beside.is_relative_to(resource_path()) else [beside, spare]
    return folders if project_folder is None else [project_folder, *folders]


def _unusable(path: Path) -> bool:
    """Return True where a file of the right name holds no run: damaged, foreign or newer."""
    return _holds_something(path) and database.read_identity(path) is None


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _claim(path: Path) -> tuple[FileLock | None, str]:
    """Take the right to write; without it, say why not."""
    lock = FileLock(f"{path}.lock", timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None, "These labels are open in another window, so here they can only be looked at."
    except OSError:
        log.info("labels cannot be locked", exc_info=True)
        return None, "The folder of these labels cannot be written to, so they are read-only."
    if not os.access(path, os.W_OK):
        _release(lock)
        return None, "The file of these labels cannot be written to, so they are read-only."
    return lock, ""


def _claim_new(run_path: Path, identity: str, folders: list[Path]) -> tuple[Path, FileLock]:
    """Take the right to make the labels file of a run that has none."""
    for path in store_paths(run_path, identity, folders):
        if _holds_something(path):
            if database.read_identity(path) == identity:
                raise StoreError(
                    "Another window has begun to label this run; close it there or open it again."
                )
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{path}.lock", timeout=0, thread_local=False)
            lock.acquire()
        except Timeout:
            raise StoreError(
                "Another window has begun to label this run; close it there or open it again."
            ) from None
        except OSError:
            log.info("no labels can be made here", exc_info=True)
            continue
        return path, lock
    raise StoreError("No folder for the labels can be written to; choose one in the settings.")


def _release(lock: FileLock) -> None:
    path = Path(lock.lock_file)
    if os.name == "posix":  # while it is held: whoever waits for it notices and takes a new one
        path.unlink(missing_ok=True)
    lock.release()
    if os.name != "posix":
        path.unlink(missing_ok=True)


def _set_aside(path: Path) -> Path:
    """Rename a file that cannot be used; nothing is ever deleted."""
    stem = path.name.removesuffix(SUFFIX)
    kept = path.with_name(f"{stem}.set-aside-{datetime.now():%Y%m%d-%H%M%S-%f}.sqlite")
    path.rename(kept)
    journal = path.with_name(f"{path.name}-journal")
    if journal.exists():
        journal.rename(kept.with_name(f"{kept.name}-journal"))
    return kept
