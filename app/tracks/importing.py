"""Labels from a file into a run: look at what would change, then apply it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from app.tracks.edits import Change, Edit, PointChange, add_track, new_track
from app.tracks.formats import LabelFile
from app.tracks.track import Track


class OnConflict(StrEnum):
    """What to do with an imported track that has the name and kind of one that is there."""

    KEEP = "keep mine"  # fill frames that have no point
    REPLACE = "take the file's"
    NEW_TRACKS = "add as new tracks"


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would do; apply ``edit`` to do it.

    Attributes
    ----------
    new_tracks, merged_tracks : tuple of str
        Names of the tracks that come new, and of those that get points.
    points : int
        Points that would be set.
    conflicts : int
        Frames where both have a point and they differ.
    beyond_run : int
        Points left out because the run has no such frame.
    notes : tuple of str
        Plain sentences on what does not fit.
    """

    edit: Edit
    new_tracks: tuple[str, ...]
    merged_tracks: tuple[str, ...]
    points: int
    conflicts: int
    beyond_run: int
    notes: tuple[str, ...]


def import_tracks(
    existing: Sequence[Track],
    file: LabelFile,
    frame_count: int,
    on_conflict: OnConflict = OnConflict.KEEP,
    sop_instance_uid: str | None = None,
) -> ImportPreview:
    """Return what importing ``file`` would change, as one edit."""
    tracks = list(existing)
    mine = {(t.name, t.kind): t for t in reversed(tracks)}
    changes: list[Change] = []
    new_names, merged = [], []
    conflicts = beyond = 0
    for track in file.tracks:
        fitting = {f: p for f, p in track.points.items() if f < frame_count}
        beyond += len(track.points) - len(fitting)
        match = mine.pop((track.name, track.kind), None)
        if match is not None:
            conflicts += sum(match.points.get(f, p) != p for f, p in fitting.items())
        if match is None or on_conflict is OnConflict.NEW_TRACKS:
            fresh = replace(new_track(tracks, track.name, track.kind), points=fitting)
            tracks.append(fresh)
            new_names.append(fresh.name)
            changes += add_track(fresh).changes
            continue
        merged.append(match.name)
        for frame, point in fitting.items():
            before = match.points.get(frame)
            if before != point and (before is None or on_conflict is OnConflict.REPLACE):
                changes.append(PointChange(match.id, frame, before, point))
    return ImportPreview(
        Edit("Import labels", tuple(changes)),
        tuple(new_names),
        tuple(merged),
        sum(isinstance(c, PointChange) for c in changes),
        conflicts,
        beyond,
        _notes(file, frame_count, beyond, sop_instance_uid),
    )


def _notes(
    file: LabelFile, frame_count: int, beyond: int, sop_instance_uid: str | None
) -> tuple[str, ...]:
    notes = []
    run = file.run
    if run and run.sop_instance_uid and sop_instance_uid not in (None, run.sop_instance_uid):
        notes.append("The labels were made on another run.")
    if run and run.frames != frame_count:
        notes.append(f"The labels are of a run of {run.frames} frames; this one has {frame_count}.")
    if beyond:
        notes.append(f"{beyond} points lie after the last frame and are left out.")
    return tuple(notes)
