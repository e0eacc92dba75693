"""What every label file holds: facts of the run that name no patient, its pictures, its tracks."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from gettext import gettext as tr
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from app.errors import UserError
from app.outputs import whole_file
from app.runs.files import open_regular, shown_name
from app.runs.run import Run, Spacing
from app.tracks.track import (
    TRACK_COLORS,
    PointSource,
    PointState,
    Track,
    TrackKind,
    TrackPoint,
    clean_name,
)

MAX_FILE_BYTES = 200_000_000
"""A larger file holds no labels; reading it would take all memory."""
WRONG_VALUES = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What Python raises where a file holds something else than expected."""
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class FormatError(UserError):
    """A label file that cannot be read."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The run that labels belong to, without its patient.

    Attributes
    ----------
    path : str
        Name of the file, "" for a folder of pictures: folders often name the patient.
    spacing_mm : (row_mm, column_mm) or None
        Down a column and along a row, as in DICOM.
    """

    path: str
    sop_instance_uid: str | None
    frames: int
    rows: int
    columns: int
    frame_times_ms: tuple[float, ...]
    spacing_mm: tuple[float, float] | None
    spacing_source: str | None


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture file that labels lie on.

    Attributes
    ----------
    name : str
        As the label file has it, folders before it parted by "/".
    columns, rows : int or None
        Its size; None where the label file does not say.
    """

    name: str
    columns: int | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Labels as read from or written to a file.

    Attributes
    ----------
    run : RunFacts or None
        None where the file does not say.
    pictures : mapping of int to NamedPicture
        The picture of each frame, where each is a file of its own. Where ``run`` is None the
        "frames" of the points are no more than the numbers of these pictures: which frames of
        which run they are is found by their names (`app.tracks.pictures`).
    questions : tuple of str
        What is doubtful about the file whatever run it belongs to, one sentence each.
    """

    run: RunFacts | None
    tracks: tuple[Track, ...]
    pictures: Mapping[int, NamedPicture] = field(default_factory=lambda: MappingProxyType({}))
    questions: tuple[str, ...] = ()


def label_file(run: Run, tracks: Sequence[Track], spacing: Spacing | None = None) -> LabelFile:
    """Return the labels of a run as they go into a file; ``spacing`` is the run's by default."""
    pictures = {
        frame: NamedPicture(written_name(name), run.columns, run.rows)
        for frame, name in enumerate(run.frame_files)
    }
    return LabelFile(run_facts(run, spacing), tuple(tracks), MappingProxyType(pictures))


def run_facts(run: Run, spacing: Spacing | None = None) -> RunFacts:
    """Return what a label file says of its run."""
    spacing = spacing or run.spacing
    return RunFacts(
        path="" if run.path.is_dir() else written_name(run.path.absolute().name),
        sop_instance_uid=run.sop_instance_uid,
        frames=run.frame_count,
        rows=run.rows,
        columns=run.columns,
        frame_times_ms=tuple(float(t) for t in run.frame_times_ms),
        spacing_mm=None if spacing is None else (spacing.row_mm, spacing.column_mm),
        spacing_source=None if spacing is None else spacing.source.value,
    )


def written_name(name: str) -> str:
    """Return a file's name as every label file can hold it, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "replace")


# from the values of a file


def make_run(values: Mapping[str, Any]) -> RunFacts:
    """Make the facts of a run from what a file says; raises `WRONG_VALUES` where they are none."""
    spacing, uid, source = (
        values[name] for name in ("spacing_mm", "sop_instance_uid", "spacing_source")
    )
    if not isinstance(uid, str | None) or not isinstance(source, str | None):
        raise TypeError("texts of the run")
    facts = RunFacts(
        path=clean_name(str(values["path"])),
        sop_instance_uid=uid,
        frames=whole(values["frames"]),
        rows=whole(values["rows"]),
        columns=whole(values["columns"]),
        frame_times_ms=tuple(needed(time) for time in values["frame_times_ms"]),
        spacing_mm=None if spacing is None else (needed(spacing[0]), needed(spacing[1])),
        spacing_source=source,
    )
    if min(facts.frames, facts.rows, facts.columns) < 1:
        raise ValueError("size of the run")
    return facts


def make_point(values: Mapping[str, Any]) -> TrackPoint:
    """Make a point from what a file says.

    What it leaves out is visible and imported, and confirmed unless the network or a line between
    points placed it: the labels of other programs are somebody's work.

    Raises
    ------
    FormatError
        If a value is missing, of the wrong type or out of range.
    """
    try:
        frame = whole(values["frame"])
    except WRONG_VALUES as error:
        raise FormatError(tr("A point in this file is on no frame; correct the file.")) from error
    try:
        state = PointState(_word(values.get("state")) or PointState.VISIBLE)
        source = PointSource(_word(values.get("source")) or PointSource.IMPORTED)
        confidence = number(values.get("confidence"))
        x, y = number(values.get("x")), number(values.get("y"))
        confirmed = _truth(values.get("confirmed"))
    except WRONG_VALUES as error:
        raise _wrong_point(frame) from error
    if frame < 0 or (confidence is not None and not 0 <= confidence <= 1):
        raise _wrong_point(frame)
    if state is PointState.ABSENT:
        x = y = None
    elif x is None or y is None:
        raise FormatError(
            tr("A point on frame {frame} of this file has no position.").format(frame=frame)
        )
    if source is not PointSource.TRACKED:
        confidence = None
    if confirmed is None:
        confirmed = source in (PointSource.CLICKED, PointSource.IMPORTED)
    return TrackPoint(frame, x, y, state, source, confidence, confirmed)


def _wrong_point(frame: int) -> FormatError:
    return FormatError(
        tr("A point on frame {frame} of this file is not what it should be.").format(
            frame=min(frame, 10**9)
        )
    )


def make_track(
    name: str, kind: str, points: Sequence[TrackPoint], order: int, weights: str = ""
) -> Track:
    """Make a track as a file describes it.

    An unknown kind becomes "other"; of the name is kept what can be shown and saved.

    Raises
    ------
    FormatError
        If two points are on the same frame.
    """
    known = kind.strip().casefold() in {k.value for k in TrackKind}
    named = TrackKind(kind.strip().casefold()) if known else TrackKind.OTHER
    name = clean_name(name) or clean_name(kind) or named.value
    by_frame = {point.frame: point for point in sorted(points, key=lambda p: p.frame)}
    if len(by_frame) != len(points):
        raise FormatError(
            tr("The track {name} in this file has two points on one frame.").format(name=name)
        )
    return Track(
        id=uuid4().hex,
        name=name,
        kind=named,
        color=TRACK_COLORS[order % len(TRACK_COLORS)],
        points=MappingProxyType(by_frame),
        order=order,
        weights=clean_name(weights),
    )


def whole(value: Any) -> int:
    """Return a whole number from a file; raises `WRONG_VALUES` where it is none."""
    found = needed(value)
    if not found.is_integer():
        raise ValueError("not a whole number")
    return int(found)


def needed(value: Any) -> float:
    """Return a finite number from a file; raises `WRONG_VALUES` where it is none."""
    found = number(value)
    if found is None:
        raise ValueError("no number")
    return found


def number(value: Any) -> float | None:
    """Return a finite number from a file, also with a decimal comma; None where it is left out.

    >>> number("12,5")
    12.5
    """
    if isinstance(value, str):
        value = value.strip()
        if "," in value and "." not in value:
            value = value.replace(",", ".")
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise TypeError("a truth is no number")
    found = float(value)
    if not math.isfinite(found):
        raise ValueError("not finite")
    return found


def _word(value: Any) -> str | None:
    return value.strip().casefold() if isinstance(value, str) else value


def _truth(value: Any) -> bool | None:
    word = _word(value)
    if word is None or word == "":
        return None
    return word if isinstance(word, bool) else TRUTHS[str(word)]


# files


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a failure leaves the old one as it was."""
    with whole_file(path) as draft:
        draft.write_text(text, "utf-8", newline="")


def read_text(path: Path, fallback: str | None = None) -> str:
    """Return the text of a file in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Parameters
    ----------
    fallback : str, optional
        The encoding of what is none of these.

    Raises
    ------
    UserError
        If the file cannot be got at, is too large, or is not text.
    """
    name = shown_name(path)
    try:
        with open_regular(path) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FormatError(
            tr("{name} cannot be read from its disk; copy it again.").format(name=name)
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(tr("{name} is too large for a file of labels.").format(name=name))
    for encoding in (json.detect_encoding(data), fallback):
        if encoding is None:
            continue
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise FormatError(tr("{name} is not a text file with labels.").format(name=name))


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    UserError
        If it cannot be got at, or is no JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise FormatError(tr("{name} is not a JSON file.").format(name=shown_name(path))) from error


def json_document(document: Mapping[str, Any]) -> str:
    """Return the text of a JSON file; ValueError where it holds what is no finite number."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"
