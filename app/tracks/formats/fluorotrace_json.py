"""Fluorotrace tracks, version 1 (schema: resources/schemas/fluorotrace-tracks-1.schema.json)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.tracks.formats.label_file import (
    FormatError,
    LabelFile,
    RunFacts,
    make_point,
    make_track,
    points_in_order,
    read_text,
    write_whole,
)
from app.tracks.track import TrackPoint

FORMAT = "fluorotrace-tracks"
VERSION = 1


def write(path: Path, labels: LabelFile) -> None:
    """Write tracks with all they hold but their colours."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "run": None if labels.run is None else asdict(labels.run),
        "tracks": [
            {
                "name": track.name,
                "kind": track.kind.value,
                "points": [_point(point) for point in points_in_order(track)],
            }
            for track in labels.tracks
        ],
    }
    write_whole(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def read(path: Path) -> LabelFile:
    """Read tracks.

    Raises
    ------
    FormatError
        If the file is not of this format and version.
    """
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise FormatError(f"{path.name} is not a JSON file.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FormatError(f"{path.name} is not a Fluorotrace tracks file.")
    if document.get("version") != VERSION:
        raise FormatError(f"{path.name} is of a newer version; update Fluorotrace to read it.")
    try:
        tracks = tuple(
            make_track(
                str(track["name"]),
                str(track["kind"]),
                [make_point(point) for point in track["points"]],
                order,
            )
            for order, track in enumerate(document["tracks"])
        )
        return LabelFile(_run(document.get("run")), tracks)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{path.name} is damaged: {error!r} is missing or wrong.") from error


def _point(point: TrackPoint) -> dict[str, Any]:
    return {
        "frame": point.frame,
        "x": point.x,
        "y": point.y,
        "state": point.state.value,
        "source": point.source.value,
        "confidence": point.confidence,
    }


def _run(run: dict[str, Any] | None) -> RunFacts | None:
    if run is None:
        return None
    spacing = run["spacing_mm"]
    return RunFacts(
        path=str(run["path"]),
        sop_instance_uid=run["sop_instance_uid"],
        frames=int(run["frames"]),
        rows=int(run["rows"]),
        columns=int(run["columns"]),
        frame_times_ms=tuple(float(t) for t in run["frame_times_ms"]),
        spacing_mm=None if spacing is None else (float(spacing[0]), float(spacing[1])),
        spacing_source=run["spacing_source"],
    )
