"""A run without pixels, and a random annotator."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.runs.run import Run, RunError
from app.tracks import store
from app.tracks.edits import (
    Edit,
    EditError,
    add_track,
    change_track,
    confirm,
    delete_points,
    interpolate_span,
    new_track,
    place_point,
    put_tracked,
    remove_track,
    set_state,
)
from app.tracks.history import Pending
from app.tracks.labels import Labels
from app.tracks.store import Store, open_store
from app.tracks.track import PointState, TrackKind

FRAMES = 40


class GreyFrames:
    """Every pixel of a frame has the frame's number."""

    def __init__(self, frame_count: int = FRAMES) -> None:
        self.frame_count = frame_count

    def read(self, index: int) -> np.ndarray:
        if not 0 <= index < self.frame_count:
            raise RunError("There is no such frame.")
        return np.full((64, 48), index, np.uint8)

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "user_data_path", lambda name: tmp_path / "user data")


@pytest.fixture
def reopen(make_run):
    """Open the store of a run; all are closed at the end."""
    opened: list[Store] = []

    def reopen(run: Run | None = None, folder: Path | None = None) -> Store:
        opened.append(open_store(run or make_run(), folder))
        return opened[-1]

    yield reopen
    for one in opened:
        one.close()


def label(labels: Labels, frame: int = 3) -> None:
    if not labels.tracks:
        labels.apply(add_track(new_track(())))
    labels.apply(place_point(labels.tracks[0], frame, 10.25, 1 / 3))


def change(path: Path, *statements: str) -> None:
    """Change a labels file behind the program's back."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    def make(
        path: Path | None = None,
        uid: str | None = "1.2.3",
        frame_count: int = FRAMES,
        frames: object | None = None,
    ) -> Run:
        return Run(
            path=path or tmp_path / "run.dcm",
            frames=frames or GreyFrames(frame_count),
            frame_count=frame_count,
            rows=64,
            columns=48,
            frame_times_ms=np.arange(frame_count) * 66.7,
            sop_instance_uid=uid,
        )

    return make


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    return make_run()


def network_answers(rng: random.Random, frames: range) -> list[SimpleNamespace]:
    answers = []
    for frame in frames:
        state = rng.choice(["visible", "visible", "visible", "occluded", "absent"])
        away = state == "absent"
        answers.append(
            SimpleNamespace(
                frame=frame,
                x=None if away else rng.uniform(0, 47),
                y=None if away else rng.uniform(0, 63),
                state=state,
                confidence=rng.random(),
            )
        )
    return answers


def random_edit(rng: random.Random, labels: Labels) -> Edit:
    """Return an edit that the labels allow."""
    tracks = labels.tracks
    if not tracks or rng.random() < 0.08:
        return add_track(new_track(tracks, kind=rng.choice(list(TrackKind))))
    track = rng.choice(tracks)
    frame, other = rng.randrange(FRAMES), rng.randrange(FRAMES)
    choices: list[Callable[[], Edit]] = [
        lambda: place_point(track, frame, rng.uniform(0, 47), rng.uniform(0, 63)),
        lambda: place_point(track, frame, rng.uniform(0, 47), rng.uniform(0, 63)),
        lambda: confirm(track, frame, other),
        lambda: set_state(track, frame, other, rng.choice(list(PointState))),
        lambda: set_state(track, frame, None, PointState.ABSENT),
        lambda: delete_points(track, frame),
        lambda: delete_points(track, frame, other),
        lambda: interpolate_span(track, frame, other, rng.choice(["linear", "cubic"])),
        lambda: put_tracked(track, network_answers(rng, range(min(frame, other), FRAMES))),
        lambda: change_track(track, name=rng.choice("abc"), color="#123456"),
        lambda: remove_track(track) if rng.random() < 0.3 else Edit("Nothing to do"),
    ]
    try:
        return rng.choice(choices)()
    except EditError:
        return Edit("Nothing to do")


def random_gesture(rng: random.Random, labels: Labels) -> None:
    """Edit, undo, redo, look, ask the network, or get late answers from it."""
    what = rng.random()
    if what < 0.12:
        labels.undo()
    elif what < 0.2:
        labels.redo()
    elif what < 0.25 and labels.tracks:
        labels.see(rng.choice(labels.tracks).id, rng.randrange(FRAMES))
    else:
        asked = what < 0.4 and bool(labels.tracks)
        step = labels.await_step("Track") if asked else labels.apply(random_edit(rng, labels))
        if asked:
            track = rng.choice(labels.tracks)
            pending = Pending(track.id, 0, FRAMES - 1, step or 0, rng.random() < 0.5)
            labels.set_pending(track.id, pending if rng.random() < 0.8 else None)
        if labels.tracks and rng.random() < 0.5:
            for first in (0, 10):
                track = rng.choice(labels.tracks)
                answers = network_answers(rng, range(first, first + 10))
                late = max(1, (step or 9) - rng.randrange(3))
                weights = rng.choice([None, "tiny 1", "tiny 2"])
                edit = put_tracked(track, answers, weights=weights, forced=rng.random() < 0.3)
                labels.extend(late, edit.changes)
