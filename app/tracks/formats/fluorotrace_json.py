"""Fluorotrace tracks, version 2 (schema: resources/schemas/fluorotrace-tracks-2.schema.json)."""

from __future__ import annotations

from dataclasses import asdict
from gettext import gettext as tr
from pathlib import Path
from typing import Any

from app.runs.files import shown_name
from app.tracks.formats.label_file import (
    WRONG_VALUES,
    FormatError,
    LabelFile,
    json_document,
    make_point,
    make_run,
    make_track,
    read_json,
    write_whole,
)
from app.tracks.track import Track

FORMAT = "fluorotrace-tracks"
VERSION = 2


def write(path: Path, labels: LabelFile) -> None:
    """Write tracks with all they hold but their colours."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "run": None if labels.run is None else asdict(labels.run),
        "tracks": [_track(track) for track in labels.tracks],
    }
    write_whole(path, json_document(document))


def read(path: Path) -> LabelFile:
    """Read tracks of this version or version 1.

    Raises
    ------
    FormatError
        If the file is not of this format, is damaged, or of a newer version.
    """
    return parse(read_json(path), shown_name(path))


def parse(document: Any, name: str) -> LabelFile:
    """Read what the JSON file ``name`` holds, see `read`."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FormatError(tr("{name} is not a Fluorotrace tracks file.").format(name=name))
    version = document.get("version")
    if type(version) is int and version > VERSION:
        raise FormatError(
            tr("{name} is of a newer version; update Fluorotrace to read it.").format(name=name)
        )
    damaged = FormatError(tr("{name} is damaged; export the labels again.").format(name=name))
    if type(version) is not int or version < 1:
        raise damaged
    run = document.get("run")
    try:
        tracks = tuple(
            make_track(
                str(track["name"]),
                str(track["kind"]),
                [make_point(point) for point in track["points"]],
                order,
                str(track.get("weights", "")),
            )
            for order, track in enumerate(document["tracks"])
        )
        return LabelFile(None if run is None else make_run(run), tracks)
    except WRONG_VALUES as error:
        raise damaged from error


def _track(track: Track) -> dict[str, Any]:
    return {
        "name": track.name,
        "kind": track.kind.value,
        "weights": track.weights,
        "points": [
            {
                "frame": point.frame,
                "x": point.x,
                "y": point.y,
                "state": point.state,
                "source": point.source,
                "confidence": point.confidence,
                "confirmed": point.confirmed,
            }
            for point in track.marked_points
        ],
    }
