"""Labels from a file into a run: look at what would change, answer what is asked, then apply it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from gettext import gettext as tr

from app.runs.run import Run
from app.tracks.edits import Change, Edit, PointChange, TrackChange, add_track, new_track
from app.tracks.formats import LabelFile
from app.tracks.formats.label_file import RunFacts, run_facts
from app.tracks.pictures import MatchedBy, PictureMatch, match_pictures
from app.tracks.track import PointSource, Track, TrackKind, TrackPoint, clean_name

FAR_OUTSIDE = 0.1
"""A place further outside the picture than this part of its longer side is a mistake."""


class OnConflict(Enum):
    """What to do with an imported track that has the name and kind of one that is there."""

    KEEP = "keep"  # fill frames that have no point
    REPLACE = "replace"
    NEW_TRACKS = "new tracks"


@dataclass(frozen=True, slots=True)
class ImportChoices:
    """What a person chose of what `ImportPreview` offers; see `match_pictures`."""

    on_conflict: OnConflict = OnConflict.KEEP
    part: str = ""
    first_number: int | None = None


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would do; apply ``edit`` to do it, once every question is answered with yes.

    Attributes
    ----------
    edit : Edit
        Empty where nothing can be imported.
    file_run : str
        What the file calls its run, "" where it does not.
    matched_by : MatchedBy
        What told which frames the labels are on.
    file_sizes : set of (columns, rows)
        Sizes of the pictures that the file is of; empty where it does not say.
    file_frames : int or None
        Frames of the run that the file is of.
    labelled_frames, overlap : int
        Frames with labels in the file, and how many of them the run has.
    new_tracks, merged_tracks : tuple of str
        Names of the tracks that come new, and of those that get points.
    points : int
        Points that would be set.
    conflicts : int
        Frames where both have a point and they differ, or where a person emptied the frame.
    refused : tuple of str
        What is left out and why, one sentence each.
    questions : tuple of str
        What is doubtful, one sentence each: a person says yes to each before the edit is applied.
    parts : tuple of str
        The runs that the file is of, to choose from, where it is of several.
    first_number : int or None
        What was taken as the number of the first frame, where a person should say it.
    """

    edit: Edit
    file_run: str
    matched_by: MatchedBy
    file_sizes: frozenset[tuple[int, int]]
    file_frames: int | None
    labelled_frames: int
    overlap: int
    new_tracks: tuple[str, ...]
    merged_tracks: tuple[str, ...]
    points: int
    conflicts: int
    refused: tuple[str, ...]
    questions: tuple[str, ...]
    parts: tuple[str, ...] = ()
    first_number: int | None = None


def preview_import(
    file: LabelFile,
    run: Run,
    existing: Sequence[Track],
    choices: ImportChoices | None = None,
) -> ImportPreview:
    """Return what importing ``file`` into ``run``, whose tracks are ``existing``, would change."""
    choices = choices or ImportChoices()
    match = _match(file, run, choices)
    fitted = _fit(file, run, match)
    merge = _merge(fitted.tracks, existing, choices.on_conflict)
    sizes = {(p.columns, p.rows) for p in file.pictures.values() if p.columns and p.rows}
    if file.run is not None:
        sizes.add((file.run.columns, file.run.rows))
    return ImportPreview(
        edit=Edit(tr("Import labels"), merge.changes),
        file_run=_file_run(file, choices.part),
        matched_by=match.by,
        file_sizes=frozenset(sizes),
        file_frames=None if file.run is None else file.run.frames,
        labelled_frames=fitted.labelled_frames,
        overlap=fitted.overlap,
        new_tracks=merge.new_tracks,
        merged_tracks=merge.merged_tracks,
        points=sum(isinstance(change, PointChange) for change in merge.changes),
        conflicts=merge.conflicts,
        refused=fitted.refused,
        questions=(*match.questions, *file.questions),
        parts=match.parts if len(match.parts) > 1 else (),
        first_number=match.first_number,
    )


# which frames


def _match(file: LabelFile, run: Run, choices: ImportChoices) -> PictureMatch:
    facts = run_facts(run)
    if file.run is None:
        if file.pictures:
            return match_pictures(file.pictures, run, choices.part, choices.first_number)
        doubt = tr("The file does not say of which run its labels are.")
        return PictureMatch(MatchedBy.FRAMES, _every_frame(file), questions=(doubt,))
    if _same_run(file.run, facts):
        return PictureMatch(MatchedBy.RUN, _every_frame(file))
    match = match_pictures(file.pictures, run)
    if match.by is MatchedBy.NAMES:
        doubts = _run_questions(file.run, facts, named=True)
        return PictureMatch(match.by, match.frames, questions=(*match.questions, *doubts))
    doubts = _run_questions(file.run, facts, named=False)
    return PictureMatch(MatchedBy.FRAMES, _every_frame(file), questions=doubts)


def _every_frame(file: LabelFile) -> dict[int, int]:
    return {frame: frame for track in file.tracks for frame in track.points}


def _same_run(theirs: RunFacts, ours: RunFacts) -> bool:
    """Tell whether labels were made on this very run, as far as one can know without asking."""
    if (theirs.frames, theirs.rows, theirs.columns) != (ours.frames, ours.rows, ours.columns):
        return False
    if theirs.sop_instance_uid and ours.sop_instance_uid:
        return theirs.sop_instance_uid == ours.sop_instance_uid
    return bool(theirs.path) and clean_name(theirs.path) == clean_name(ours.path)


def _run_questions(theirs: RunFacts, ours: RunFacts, *, named: bool) -> tuple[str, ...]:
    """Return what speaks against the file being of this run; ``named`` where names speak for it."""
    questions = []
    known = theirs.sop_instance_uid and ours.sop_instance_uid
    if known and theirs.sop_instance_uid != ours.sop_instance_uid:
        questions.append(tr("The labels were made on another run."))
    elif not known and not named:
        if not theirs.path:
            questions.append(tr("The file does not say of which run its labels are."))
        elif theirs.path != clean_name(ours.path):
            doubt = tr("The labels were made on a run named {name}.")
            questions.append(doubt.format(name=theirs.path))
    if theirs.frames != ours.frames:
        doubt = tr("The labels are of a run of {theirs} frames; this one has {ours}.")
        questions.append(doubt.format(theirs=theirs.frames, ours=ours.frames))
    return tuple(questions)


def _file_run(file: LabelFile, part: str) -> str:
    if part:
        return part
    if file.run is not None:
        return file.run.path
    folders = {picture.name.rpartition("/")[0] for picture in file.pictures.values()}
    return clean_name(folders.pop()) if len(folders) == 1 else ""


# what fits


@dataclass(frozen=True, slots=True)
class _Fitted:
    tracks: tuple[Track, ...]
    labelled_frames: int
    overlap: int
    refused: tuple[str, ...]


def _fit(file: LabelFile, run: Run, match: PictureMatch) -> _Fitted:
    """Put the file's points on the run's frames, and leave out what cannot be of this run."""
    labelled = {number for track in file.tracks for number in track.points}
    frames = {
        number: match.frames[number]
        for number in labelled
        if 0 <= match.frames.get(number, -1) < run.frame_count
    }
    times = Counter(frames.values())
    doubled = {number for number, frame in frames.items() if times[frame] > 1}
    other_size = {number for number in frames if not _size_fits(file, number, run)}
    fitting = frames.keys() - doubled - other_size
    far = 0
    tracks = []
    for track in file.tracks:
        there = [p for number, p in track.points.items() if number in fitting]
        near = [p for p in there if not _far_outside(p, run)]
        far += len(there) - len(near)
        points = {frames[p.frame]: replace(p, frame=frames[p.frame]) for p in near}
        if points or not track.points:
            tracks.append(replace(track, points=points))
    refused = {
        tr("Frames of the file that are none of this run, left out: {count}."): (
            len(labelled) - len(frames)
        ),
        tr("Pictures that would be the same frame of the run, left out: {count}."): len(doubled),
        tr("Frames of another size than the run's {columns} x {rows} pixels, left out: {count}."): (
            len(other_size)
        ),
        tr("Points far outside the picture, left out: {count}."): far,
    }
    told = tuple(
        sentence.format(count=count, columns=run.columns, rows=run.rows)
        for sentence, count in refused.items()
        if count
    )
    return _Fitted(tuple(tracks), len(labelled), len(times), told)


def _size_fits(file: LabelFile, number: int, run: Run) -> bool:
    picture = file.pictures.get(number)
    if picture is not None and picture.columns and picture.rows:
        return (picture.columns, picture.rows) == (run.columns, run.rows)
    return file.run is None or (file.run.columns, file.run.rows) == (run.columns, run.rows)


def _far_outside(point: TrackPoint, run: Run) -> bool:
    if point.x is None or point.y is None:
        return False
    margin = FAR_OUTSIDE * max(run.columns, run.rows)
    inside = -margin <= point.x <= run.columns - 1 + margin
    return not (inside and -margin <= point.y <= run.rows - 1 + margin)


# what changes


@dataclass(frozen=True, slots=True)
class _Merge:
    changes: tuple[Change, ...]
    new_tracks: tuple[str, ...]
    merged_tracks: tuple[str, ...]
    conflicts: int


def _merge(theirs: Sequence[Track], existing: Sequence[Track], on_conflict: OnConflict) -> _Merge:
    """Return what brings the file's tracks in; tracks of one name and kind pair in their order."""
    tracks = list(existing)
    mine: dict[tuple[str, TrackKind], list[Track]] = defaultdict(list)
    for track in reversed(existing):
        mine[track.name, track.kind].append(track)
    changes: list[Change] = []
    new_names, merged = [], []
    conflicts = 0
    for track in theirs:
        alike = mine[track.name, track.kind]
        match = alike.pop() if alike else None
        if match is not None:
            conflicts += sum(match.points.get(f, p) != p for f, p in track.points.items())
        if match is None or on_conflict is OnConflict.NEW_TRACKS:
            fresh = new_track(tracks, track.name, track.kind)
            fresh = replace(fresh, points=track.points, weights=track.weights)
            tracks.append(fresh)
            new_names.append(fresh.name)
            changes += add_track(fresh).changes
            continue
        points = _merged_points(match, track.points, on_conflict)
        if points:
            merged.append(match.name)
            changes += [*_merged_weights(match, track.weights, points), *points]
    return _Merge(tuple(changes), tuple(new_names), tuple(merged), conflicts)


def _merged_points(
    mine: Track, theirs: Mapping[int, TrackPoint], on_conflict: OnConflict
) -> list[PointChange]:
    changes = []
    for frame, point in theirs.items():
        before = mine.points.get(frame)
        if before != point and (before is None or on_conflict is OnConflict.REPLACE):
            changes.append(PointChange(mine.id, frame, before, point))
    return changes


def _merged_weights(mine: Track, weights: str, points: Sequence[PointChange]) -> list[TrackChange]:
    """Let a track that no weights had tracked keep those of the tracked points that it gets."""
    tracked = any(c.after is not None and c.after.source is PointSource.TRACKED for c in points)
    if mine.weights or not weights or not tracked:
        return []
    return [TrackChange(mine.id, mine.info, replace(mine.info, weights=weights))]
