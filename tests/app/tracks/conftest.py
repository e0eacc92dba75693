"""A run without pixels, and a random annotator."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.runs.run import Run, RunError
from app.tracks.edits import (
    Edit,
    EditError,
    accept_points,
    add_track,
    change_track,
    delete_points,
    interpolate_span,
    mark_absent,
    mark_occluded,
    mark_visible,
    new_track,
    place_point,
    put_tracked,
    remove_track,
)
from app.tracks.labels import Labels
from app.tracks.track import TrackKind

FRAMES = 40


class GreyFrames:
    """Every pixel of a frame has the frame's number."""

    def read(self, index: int) -> np.ndarray:
        if not 0 <= index < FRAMES:
            raise RunError("There is no such frame.")
        return np.full((64, 48), index, np.uint8)

    def close(self) -> None:
        pass


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    def make(path: Path | None = None, uid: str | None = "1.2.3") -> Run:
        return Run(
            path=path or tmp_path / "run.dcm",
            frames=GreyFrames(),
            frame_count=FRAMES,
            rows=64,
            columns=48,
            frame_times_ms=np.arange(FRAMES) * 66.7,
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
        lambda: accept_points(track, frame),
        lambda: mark_occluded(track, frame, other),
        lambda: mark_absent(track, frame),
        lambda: mark_visible(track, frame, other),
        lambda: delete_points(track, frame),
        lambda: delete_points(track, frame, other),
        lambda: interpolate_span(track, frame, other, rng.choice(["linear", "cubic"])),
        lambda: put_tracked(track, network_answers(rng, range(min(frame, other), FRAMES))),
        lambda: change_track(track, name=rng.choice("abc"), color="#123456"),
        lambda: remove_track(track) if rng.random() < 0.3 else Edit("Track both ways"),
    ]
    try:
        return rng.choice(choices)()
    except EditError:
        return Edit("Nothing to do")


def random_gesture(rng: random.Random, labels: Labels) -> None:
    """Edit, or undo, or redo, or get late answers from the network."""
    what = rng.random()
    if what < 0.12:
        labels.undo()
    elif what < 0.2:
        labels.redo()
    else:
        step = labels.apply(random_edit(rng, labels))
        if labels.tracks and rng.random() < 0.3:
            for first in (0, 10):
                track = rng.choice(labels.tracks)
                answers = network_answers(rng, range(first, first + 10))
                late = max(1, step - rng.randrange(3))
                labels.extend(late, put_tracked(track, answers).changes)
