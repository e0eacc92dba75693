"""A table for spreadsheets and scripts: a row for each point of each track."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from gettext import gettext as tr
from pathlib import Path

from app.runs.files import shown_name
from app.tracks.formats.label_file import (
    FormatError,
    LabelFile,
    make_point,
    make_track,
    read_text,
    write_whole,
)
from app.tracks.track import TrackKind, TrackPoint

COLUMNS = (
    *("track", "kind", "frame", "time_ms", "x", "y", "state", "source", "confidence"),
    *("confirmed", "weights", "track_id"),
)
NEEDED = frozenset({"track", "frame", "x", "y"})
DELIMITERS = ",;\t|"
SPREADSHEET_ENCODING = "cp1252"
"""What spreadsheets write where they do not write Unicode."""

Row = dict[str, str]


def write(path: Path, labels: LabelFile) -> None:
    """Write one row a frame and track; a track without points has one row without a frame.

    Cells are empty where there is no value.
    """
    times = () if labels.run is None else labels.run.frame_times_ms
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for track_id, track in enumerate(labels.tracks, start=1):
        of_track = {"track": track.name, "kind": track.kind.value, "weights": track.weights}
        of_track |= {"track_id": str(track_id)}
        for point in track.marked_points:
            of_point = {
                "frame": point.frame,
                "time_ms": times[point.frame] if point.frame < len(times) else None,
                "x": point.x,
                "y": point.y,
                "state": point.state,
                "source": point.source,
                "confidence": point.confidence,
                "confirmed": str(point.confirmed).lower(),
            }
            table.writerow(of_track | of_point)
        if not track.marked_points:
            table.writerow(of_track)
    write_whole(path, text.getvalue())


def read(path: Path) -> LabelFile:
    """Read a table with at least the columns track, frame, x and y, in any order.

    Commas, semicolons, tabs or bars part the cells, quoted or not; a decimal comma is read as a
    point. Rows belong to one track where they agree in track_id (if there is such a column),
    name and kind.

    Raises
    ------
    FormatError
        If a column is missing or a cell cannot be read.
    """
    rows_of: dict[tuple[str, str, str], list[Row]] = {}
    try:
        for row in _rows(read_text(path, SPREADSHEET_ENCODING), shown_name(path)):
            kind = row.get("kind") or TrackKind.OTHER.value
            rows_of.setdefault((row.get("track_id", ""), row["track"], kind), []).append(row)
    except csv.Error as error:
        raise FormatError(
            tr("{name} is not a table with labels.").format(name=shown_name(path))
        ) from error
    tracks = tuple(
        make_track(name, kind, _points(rows), order, rows[0].get("weights", ""))
        for order, ((_, name, kind), rows) in enumerate(rows_of.items())
    )
    return LabelFile(None, tracks)


def _points(rows: list[Row]) -> list[TrackPoint]:
    """Return the points of a track's rows; a row with neither frame nor place has none."""
    return [make_point(row) for row in rows if row["frame"] or row["x"] or row["y"]]


def _rows(text: str, name: str) -> Iterator[Row]:
    """Yield the rows that are not empty by the names of their columns, in small letters."""
    delimiters = DELIMITERS
    if text[:4].lower() == "sep=":  # a spreadsheet's own way to say it
        delimiters, (_, _, text) = text[4:5], text.partition("\n")
    heading, delimiter = _heading(text, delimiters)
    if missing := NEEDED.difference(heading):
        raise FormatError(
            tr("{name} has no column {columns}.").format(
                name=name, columns=", ".join(sorted(missing))
            )
        )
    # strict: a quote that never ends would swallow all rows behind it
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    next(table)
    for cells in table:
        filled = [cell.strip() for cell in cells]
        if any(filled):
            missing_cells = [""] * len(heading)
            yield dict(zip(heading, filled + missing_cells, strict=False))


def _heading(text: str, delimiters: str) -> tuple[list[str], str]:
    """Return the names of the columns, and the delimiter that finds most of them."""
    found: list[tuple[int, list[str], str]] = []
    for delimiter in delimiters:
        first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        heading = [cell.strip().casefold() for cell in first]
        found.append((len(NEEDED.intersection(heading)), heading, delimiter))
    _, heading, delimiter = max(found, key=lambda each: each[0], default=(0, [], ","))
    return heading, delimiter
