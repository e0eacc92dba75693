"""A table for spreadsheets and scripts: a row for each point of each track."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from app.tracks.formats.label_file import (
    FormatError,
    LabelFile,
    make_point,
    make_track,
    points_in_order,
    read_text,
    write_whole,
)
from app.tracks.track import TrackKind, TrackPoint

COLUMNS = ("track", "kind", "frame", "time_ms", "x", "y", "state", "source", "confidence")
NEEDED = {"track", "frame", "x", "y"}


def write(path: Path, labels: LabelFile) -> None:
    """Write one row a frame and track; empty cells where there is no value."""
    times = () if labels.run is None else labels.run.frame_times_ms
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for track in labels.tracks:
        for p in points_in_order(track):
            time_ms = times[p.frame] if p.frame < len(times) else None
            where = (track.name, track.kind.value, p.frame, time_ms)
            table.writerow((*where, p.x, p.y, p.state.value, p.source.value, p.confidence))
    write_whole(path, text.getvalue())


def read(path: Path) -> LabelFile:
    """Read a table with at least the columns track, frame, x and y, in any order.

    Raises
    ------
    FormatError
        If a column is missing or a cell cannot be read.
    """
    text = read_text(path)
    heading = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in heading else ",")
    if missing := NEEDED.difference(rows.fieldnames or ()):
        raise FormatError(f"{path.name} has no column {', '.join(sorted(missing))}.")
    points: dict[tuple[str, str], list[TrackPoint]] = {}
    try:
        for row in rows:
            name = (row["track"], row.get("kind") or TrackKind.OTHER.value)
            points.setdefault(name, []).append(make_point(row))
    except csv.Error as error:
        raise FormatError(f"{path.name} is not a table with labels: {error}.") from error
    tracks = tuple(
        make_track(name, kind, found, order)
        for order, ((name, kind), found) in enumerate(points.items())
    )
    return LabelFile(None, tracks)
