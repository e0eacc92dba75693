"""The labels file of a run: saved as you work, opened again as it was.

Each gesture is one transaction on a writer thread, so that neither the window nor the annotator
waits for the disk. On a disk that answers, killing the program at any moment loses at most the
gesture under way (measured on an SSD: 2 ms a gesture, 20 ms at worst); where the disk is slower
than the annotator, the window says how many gestures are not on it yet.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from gettext import gettext as tr
from gettext import ngettext
from importlib import import_module
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_data_path

from app.errors import UserError
from app.outputs import check_output, whole_file
from app.runs.run import Run
from app.tracks import peek
from app.tracks.content import Content, Damaged, Foreign, LabelSummary, Newer, ReviewState
from app.tracks.edits import MarkChange
from app.tracks.history import Record
from app.tracks.identity import SUFFIX, OwnIdentity, RunIdentity, other_stores, store_paths
from app.tracks.labels import Labels
from app.tracks.track import Track
from app.tracks.writer import PATIENCE_S, Writer
from resources import resource_path

log = logging.getLogger(__name__)


class StoreError(UserError):
    """Labels that cannot be read or saved."""


class Store:
    """The labels, the review state and the history of one run, and the file that keeps them.

    Attributes
    ----------
    labels : Labels
        The tracks; every change of them is saved.
    state : ReviewState
        Playhead, reviewed flag and view settings as last saved.
    notice : str
        One sentence that the user should see (read-only, set aside, other pictures), or "".
    read_only : bool
        Changes of the labels are refused with `notice`.
    on_trouble : callable, optional
        Called on another thread with one sentence while gestures are not on the disk, because
        saving fails or is slow, and with "" when they are. What is not saved is tried again.
    """

    def __init__(
        self,
        run: Run,
        own: OwnIdentity,
        path: Path | None,
        folders: list[Path],
        content: Content | None = None,
        lock: FileLock | None = None,
        notice: str = "",
        *,
        read_only: bool = False,
    ) -> None:
        self.notice = notice
        self.read_only = read_only
        self.on_trouble: Callable[[str], None] | None = None
        content = content or Content(RunIdentity(own.key))
        self.state = content.state
        self.labels = Labels(
            run.frame_count,
            content.tracks,
            content.done,
            content.undone,
            content.pending,
            journal=self,
            marks=content.marks,
        )
        self._own, self._path, self._folders, self._lock = own, path, folders, lock
        self._run_path = run.path
        self._writer: Writer | None = None
        self._closed = False

    @property
    def path(self) -> Path | None:
        """The labels file; None until there is something to save."""
        return self._path

    @property
    def displaced(self) -> bool:
        """True where the labels lie elsewhere than they should, which could not be written to."""
        return self._path is not None and self._path.parent != self._folders[0]

    @property
    def unsaved(self) -> int:
        """How many gestures are not on the disk yet."""
        return 0 if self._writer is None else self._writer.unsaved

    def record(self, record: Record) -> None:
        """Save what happens to the labels (called by `Labels`, before it changes anything).

        Never waits for the disk.

        Raises
        ------
        StoreError
            If nothing can be saved here.
        """
        self._started().put(record)

    def save_state(self, state: ReviewState) -> None:
        """Save where the reader stands; a run without labels is saved once it is reviewed."""
        self.state = state
        if self.read_only or self._closed or (self._path is None and not state.reviewed):
            return
        self._started().put_state(state)

    def flush(self, timeout_s: float = 10.0) -> None:
        """Wait until everything is on the disk.

        Raises
        ------
        StoreError
            If that does not happen in time, or saving fails.
        """
        if self._writer is not None and not self._writer.wait(timeout_s):
            raise StoreError(self._unsaved_sentence())

    def close(self, timeout_s: float = PATIENCE_S) -> None:
        """Save everything, end the writer and let others open the file.

        A file that holds no labels in the end is removed.

        Raises
        ------
        StoreError
            If not all could be saved in this time. The store stays open: try again, or call
            `save_elsewhere` or `discard`.
        """
        self.flush(timeout_s)
        self._end(remove_empty=True)

    def save_elsewhere(self, path: Path) -> None:
        """Write all labels with their history to another file, and close.

        Raises
        ------
        UserError
            If that fails too; the store stays open.
        """
        from sqlalchemy.exc import DBAPIError

        from app.tracks import records

        own = [self._run_path] if self._path is None else [self._run_path, self._path]
        check_output(path, own)
        try:
            with whole_file(path) as draft:
                draft.unlink()
                records.write_new(draft, self._content())
        except (sqlite3.Error, DBAPIError) as error:
            log.exception("labels could not be saved elsewhere")
            raise StoreError(
                tr("The labels could not be saved to {path}; choose another place.").format(
                    path=path
                )
            ) from error
        self.discard()

    def discard(self) -> None:
        """Give up what is not saved, and close."""
        if self._writer is not None:
            self._writer.end()
        self._end()

    # inside

    def _content(self) -> Content:
        labels = self.labels
        done, undone = labels.history
        pending = tuple(labels.pending.values())
        run = replace(self._own.known, signature=self._own.signature)
        return Content(run, labels.tracks, done, undone, pending, self.state, labels.marks)

    def _unsaved_sentence(self) -> str:
        count, writer = self.unsaved, self._writer
        told = ngettext(
            "{count} change of the labels is not saved.",
            "{count} changes of the labels are not saved.",
            count,
        ).format(count=count)
        return " ".join(filter(None, (told, writer.trouble if writer is not None else "")))

    def _started(self) -> Writer:
        if self.read_only:
            raise StoreError(self.notice)
        if self._closed:
            raise StoreError(tr("This run is closed; open it again to change its labels."))
        if self._writer is None:
            own, path, lock = self._own, self._path, self._lock
            if path is None or lock is None:
                path, lock = _claim_new(own, self._folders)
            try:
                self._writer = Writer(path, own.known, lambda: own.signature, self._tell)
            except BaseException:
                if self._lock is None:
                    _release(lock)
                raise
            self._path, self._lock = path, lock
        return self._writer

    def _tell(self, trouble: str) -> None:
        if self.on_trouble is not None:
            self.on_trouble(trouble)

    def _end(self, *, remove_empty: bool = False) -> None:
        if self._writer is not None:
            self._writer.end()
        self._closed = True
        if self._lock is None or self._path is None:
            return
        if remove_empty and self._holds_nothing():
            with suppress(OSError):  # an empty file is as good as none
                self._path.unlink(missing_ok=True)
        _release(self._lock)
        self._lock = None

    def _holds_nothing(self) -> bool:
        labels = self.labels
        return not (labels.tracks or labels.marks or labels.can_undo or self.state.reviewed)


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
    own = OwnIdentity(run)
    folders = _label_folders(own, project_folder)
    path, notice = _find(own, folders)
    if path is None:
        return Store(run, own, None, folders, notice=notice)
    lock, refusal = _claim(path)
    try:
        return _open_found(run, own, path, folders, lock, refusal or notice)
    except BaseException:
        if lock is not None:
            _release(lock)
        raise


def warm_up() -> None:
    """Import what the first gesture in a run without labels needs, which takes a while."""
    import_module("app.tracks.records")


def _open_found(
    run: Run, own: OwnIdentity, path: Path, folders: list[Path], lock: FileLock | None, notice: str
) -> Store:
    try:
        content = _read(path)
    except Newer:
        if lock is not None:
            _release(lock)
        newer = tr(
            "The labels in {name} were made by a newer version of Fluorotrace: they can only be "
            "looked at; update it to change them."
        )
        notice = newer.format(name=path.name)
        shown = Content(RunIdentity(own.key), _read_newer(path, run))
        return Store(run, own, path, folders, shown, notice=notice, read_only=True)
    except Damaged as reason:
        if lock is None:
            raise StoreError(_unreadable(path)) from reason
        log.warning("labels set aside: %s", reason)
        kept = _set_aside(path)
        told = tr("The labels file {name} was damaged; it is kept as {kept} and new labels begin.")
        if isinstance(reason, Foreign):
            told = tr("{name} was not a labels file; it is kept as {kept} and new labels begin.")
        notice = told.format(name=path.name, kept=kept.name)
        return Store(run, own, path, folders, None, lock, notice)
    if content is not None and _last_frame(content) >= run.frame_count:
        if lock is not None:
            _release(lock)
        shorter = tr(
            "The labels in {name} go on after the last frame of this run, so they can only be "
            "looked at; check that the run is whole."
        )
        notice = shorter.format(name=path.name)
        return Store(run, own, path, folders, content, None, notice, read_only=True)
    return Store(run, own, path, folders, content, lock, notice, read_only=lock is None)


def _read_newer(path: Path, run: Run) -> tuple[Track, ...]:
    from app.tracks import database

    tracks = database.read_newer(path)
    fits = all(frame < run.frame_count for track in tracks for frame in track.points)
    return tracks if fits else ()


def _read(path: Path) -> Content | None:
    """Read a labels file.

    Raises
    ------
    Newer, Damaged
        If it is none of ours.
    StoreError
        If it cannot be got at.
    """
    from app.tracks import database

    try:
        return database.read(path)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(_unreadable(path)) from error


def _unreadable(path: Path) -> str:
    text = tr("The labels in {path} cannot be read; check that no other program uses that file.")
    return text.format(path=path)


def _last_frame(content: Content) -> int:
    changed = (frame for s in (*content.done, *content.undone) for _, frame in s.changes if frame)
    there = (frame for track in content.tracks for frame in track.points)
    put = (
        mark
        for s in (*content.done, *content.undone)
        for change in s.changes.values()
        if isinstance(change, MarkChange)
        for mark in (change.before, change.after)
    )
    marked = (mark.frame for mark in (*content.marks, *put) if mark is not None and mark.frame)
    return max((*there, *changed, *marked), default=0)


def saved_labels(run: Run, project_folder: Path | None = None) -> Content | None:
    """Return the saved labels of a run, to look at only; None where none lie under its name.

    Unlike `open_store` it takes no right to write and searches no folder, so that it is quick
    for each run of a large archive.

    Raises
    ------
    StoreError
        If there are labels that cannot be read.
    """
    own = OwnIdentity(run)
    for path in store_paths(own, _label_folders(own, project_folder)):
        found = peek.read_identity(path) if path.exists() else None
        if found is not None and own.is_same(found):
            try:
                return _read(path)
            except (Damaged, Newer) as error:
                raise StoreError(_unreadable(path)) from error
    return None


def label_summary(
    run_path: Path, sop_instance_uid: str, project_folder: Path | None = None
) -> LabelSummary | None:
    """Return how far a run is labelled, read from the file under its name, without opening it."""
    real = run_path.resolve()
    for folder in _folders_of(real, run_path.absolute(), project_folder):
        path = folder / f"{real.name}{SUFFIX}"
        found = peek.read_summary(path) if path.exists() else None
        if found is None:
            continue
        key, summary = found
        if not (sop_instance_uid and key.startswith("uid:") and key != f"uid:{sop_instance_uid}"):
            return summary
    return None


# where labels lie


def _label_folders(own: OwnIdentity, project_folder: Path | None) -> list[Path]:
    return _folders_of(own.path, own.reached_by, project_folder)


def _folders_of(real: Path, reached_by: Path, project_folder: Path | None) -> list[Path]:
    """Return where labels of a run may lie, best first: beside it, not beside a link to it."""
    folders = [] if project_folder is None else [project_folder]
    if not real.is_relative_to(resource_path().resolve()):
        folders.append(real.parent)
        if reached_by.parent != real.parent:
            folders.append(reached_by.parent)
    return [*folders, user_data_path("fluorotrace") / "labels"]


def _find(own: OwnIdentity, folders: list[Path]) -> tuple[Path | None, str]:
    """Return the labels file of this run, also where it was renamed or moved, and a notice."""
    notice, unusable = "", None
    known = list(store_paths(own, folders))
    for path in (*known, *other_stores(folders, known)):
        if not _holds_something(path):
            continue
        found = peek.read_identity(path)
        if found is None:
            if path in known:
                unusable = unusable or path
        elif own.is_same(found):
            return path, ""
        elif path in known or found.key == own.key:
            if added := own.frames_added(found):
                return path, _added_sentence(path, added)
            notice = notice or _other_sentence(path, own, found)
    return unusable, notice


def _added_sentence(path: Path, added: int) -> str:
    return ngettext(
        "The folder has {count} picture more than when it was labelled; the labels in {name} are "
        "on the frames before it.",
        "The folder has {count} pictures more than when it was labelled; the labels in {name} are "
        "on the frames before them.",
        added,
    ).format(count=added, name=path.name)


def _other_sentence(path: Path, own: OwnIdentity, found: RunIdentity) -> str:
    if found.key == own.key:
        text = tr(
            "Another run has the same SOP Instance UID as this one but other pictures; its labels "
            "in {name} are not shown here, and those of this run get a file of their own."
        )
    else:
        text = tr(
            "The labels in {name} were made on other pictures; they are left as they are, and "
            "those of this run get a file of their own."
        )
    return text.format(name=path.name)


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


# the right to write


def _claim(path: Path) -> tuple[FileLock | None, str]:
    """Take the right to write; without it, say why not."""
    lock = FileLock(f"{path}.lock", timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None, tr(
            "These labels are open in another window, so here they can only be looked at; close "
            "them there, then open the run again."
        )
    except OSError:
        log.info("labels cannot be locked", exc_info=True)
        return None, tr(
            "The folder of these labels cannot be written to, so they can only be looked at."
        )
    if not os.access(path, os.W_OK):
        _release(lock)
        return None, tr(
            "The file of these labels cannot be written to, so they can only be looked at."
        )
    return lock, ""


def _claim_new(own: OwnIdentity, folders: list[Path]) -> tuple[Path, FileLock]:
    """Take the right to make the labels file of a run that has none."""
    begun = tr("Another window has begun to label this run; close it there or open it again.")
    for path in store_paths(own, folders):
        if _holds_something(path):
            found = peek.read_identity(path)
            if found is not None and own.is_same(found):
                raise StoreError(begun)
            continue
        lock = FileLock(f"{path}.lock", timeout=0, thread_local=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise StoreError(begun) from None
        except OSError:
            log.info("no labels can be made here", exc_info=True)
            continue
        return path, lock
    raise StoreError(tr("No folder for the labels can be written to; choose one in the settings."))


def _release(lock: FileLock) -> None:
    path = Path(lock.lock_file)
    with suppress(OSError):  # a lock file that stays holds nobody back
        if os.name == "posix":  # while it is held: whoever waits for it notices, takes a new one
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
