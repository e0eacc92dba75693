"""Gestures become edits, on the frames that were meant."""

import errno
from pathlib import Path

from filelock import FileLock

MARKED_SPANS = [
    ([(3, "start"), (9, "end")], (3, 9)),
    ([(9, "start"), (3, "end")], (3, 9)),  # marked backward
    ([(9, "end"), (3, "start")], (3, 9)),
    ([(3, "end"), (9, "start")], (3, 9)),
    ([(3, "start"), (9, "end"), (5, "start")], (5, 9)),
    ([(3, "start"), (9, "end"), (5, "end")], (3, 5)),
    ([(3, "start"), (9, "end"), (12, "start"), (15, "end")], (12, 15)),
    ([(6, "start"), (9, "end"), (4, "end"), (2, "start")], (2, 4)),
    ([(6, "start"), (6, "end")], (6, 6)),
]


def test_a_span_is_what_lies_between_its_two_marks(make_window, run_file):
    session = make_window(run_file).session
    for marks, span in MARKED_SPANS:
        session.labelling.drop_span()
        for frame, mark in marks:
            session.playback.seek(frame)
            getattr(session.labelling, f"{mark}_span")()
        assert session.labelling.span == span, marks


def test_labels_that_cannot_lie_beside_the_run_tell_where_they_are(
    make_window, run_file, monkeypatch
):
    session = make_window(run_file).session
    acquire = FileLock.acquire

    def refuse(lock, *args, **options):
        if Path(lock.lock_file).parent == run_file.parent:
            raise PermissionError(errno.EACCES, "read-only", lock.lock_file)
        return acquire(lock, *args, **options)

    monkeypatch.setattr(FileLock, "acquire", refuse)
    told = []
    session.said.connect(told.append)
    session.labelling.place(60.0, 50.0)
    session.labelling.place(61.0, 50.0)
    folder = session.opened.store.path.parent
    assert folder != run_file.parent
    assert told == [f"The run's folder cannot be written to: its labels are saved in {folder}."]


def test_labels_that_lie_beside_the_run_tell_nothing(make_window, run_file):
    session = make_window(run_file).session
    told = []
    session.said.connect(told.append)
    session.labelling.place(60.0, 50.0)
    assert session.opened.store.path.parent == run_file.parent
    assert told == []
