"""A run of several frames, and labels with everything that a point and a track can hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from app.runs.run import Patient, Run, Spacing, SpacingSource
from app.tracks.formats import LabelFile, label_file
from app.tracks.formats.label_file import make_track
from app.tracks.track import (
    PointSource,
    PointState,
    Track,
    TrackKind,
    TrackPoint,
    clean_name,
    emptied_frame,
)

FRAMES, ROWS, COLUMNS = 30, 512, 640


def a_run(path: Path, **facts) -> Run:
    return Run(
        **{
            "path": path,
            "frames": None,
            "frame_count": FRAMES,
            "rows": ROWS,
            "columns": COLUMNS,
            "frame_times_ms": np.arange(facts.get("frame_count", FRAMES)) * 100 / 3,
            "spacing": Spacing(0.2, 0.21, SpacingSource.MAGNIFICATION),
            "patient": Patient("DOE^JANE", "4711", "19500102", "F"),
            "sop_instance_uid": "1.2.840.1",
            **facts,
        }
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_run(tmp_path / "DOE^JANE" / "run 1.dcm")


@st.composite
def points(draw: st.DrawFn, frame: int) -> TrackPoint:
    if draw(st.integers(0, 9)) == 0:
        return emptied_frame(frame)
    state = draw(st.sampled_from(PointState))
    source = draw(st.sampled_from(PointSource))
    away = state is PointState.ABSENT
    return TrackPoint(
        frame,
        None if away else draw(st.floats(0, COLUMNS - 1)),
        None if away else draw(st.floats(0, ROWS - 1)),
        state,
        source,
        draw(st.floats(0, 1)) if source is PointSource.TRACKED else None,
        draw(st.booleans()),
    )


NAMES = st.one_of(st.sampled_from(["left", 'tip, "left"; 1', "=1+1"]), st.text(max_size=12))


@st.composite
def tracks(draw: st.DrawFn) -> tuple[Track, ...]:
    """Tracks, some of equal names and some without points."""
    made = []
    for order in range(draw(st.integers(0, 4))):
        frames = draw(st.sets(st.integers(0, FRAMES - 1), max_size=6))
        name = clean_name(draw(NAMES)) or "tip"
        kind, weights = draw(st.sampled_from(TrackKind)), draw(st.sampled_from(["", "FIMAE 2"]))
        made.append(make_track(name, kind, [draw(points(f)) for f in frames], order, weights))
    return tuple(made)


def content(tracks) -> list:
    """Return what a file has to hold of tracks: all but ids and emptied frames."""
    return [(t.name, t.kind, t.weights, t.order, t.marked_points) for t in tracks]


def two_tracks() -> tuple[Track, ...]:
    """A clicked and tracked catheter, and a guidewire of the same name: every state and source."""
    shown, hidden, away = PointState
    clicked, tracked, between, imported = PointSource
    catheter = [
        TrackPoint(2, 10.25, 20.5, shown, clicked),
        TrackPoint(3, 11.0, 21.0, shown, tracked, 0.75),
        TrackPoint(4, 12.0, 22.0, hidden, tracked, 0.25, confirmed=True),
        TrackPoint(5, None, None, away, tracked, 0.5),
        emptied_frame(6),
        TrackPoint(7, 300.0, 400.0, hidden, between),
        TrackPoint(8, 301.0, 401.0, shown, between, confirmed=True),
    ]
    wire = [TrackPoint(2, 639.0, 0.0, shown, imported, confirmed=True)]
    wire += [TrackPoint(29, 0.0, 511.0, shown, imported, confirmed=False)]
    return (
        make_track("tip", "catheter tip", catheter, 0, "FIMAE 2"),
        make_track("tip", "guidewire tip", wire, 1),
    )


@pytest.fixture
def labels(run: Run) -> LabelFile:
    return label_file(run, two_tracks())
