"""Which frame of a run each picture of a label file is: by its name, then by its number.

Never by its rank: a file may leave pictures out, and sorts "10" before "2".
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from gettext import gettext as tr
from pathlib import PurePosixPath

from app.runs.run import Run
from app.tracks.formats.coco import frame_name
from app.tracks.formats.label_file import NamedPicture, written_name
from app.tracks.track import clean_name

GENERIC_WORDS = frozenset(
    {"frame", "frames", "img", "image", "images", "pic", "picture", "pictures", "slice", "f", "t"}
)
"""What pictures and their folders are called in any run."""
NUMBER = "#"
"""Stands for the number of the frame in the name of a part."""


class MatchedBy(Enum):
    """What tells which frame of the run a label is on."""

    RUN = "run"  # the file is of this very run
    FRAMES = "frames"  # frame numbers, whatever run they are of
    NAMES = "names"
    NUMBERS = "numbers"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class PictureMatch:
    """Which pictures are frames of the run.

    Attributes
    ----------
    frames : mapping of int to int
        Frames, maybe beyond the run, by the number of the picture.
    parts : tuple of str
        The runs that the names in the file tell apart, to choose from.
    first_number : int or None
        What was taken as the number of the first frame, where the names do not tell.
    questions : tuple of str
        What is doubtful, one sentence each.
    """

    by: MatchedBy
    frames: Mapping[int, int]
    parts: tuple[str, ...] = ()
    first_number: int | None = None
    questions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Numbered:
    """Pictures whose names differ in one number only, by that number."""

    folder: str
    name: str
    numbers: Mapping[int, int]  # of the frame, by the picture

    @property
    def title(self) -> str:
        return clean_name(f"{self.folder}/{self.name}" if self.folder else self.name)


def match_pictures(
    pictures: Mapping[int, NamedPicture],
    run: Run,
    part: str = "",
    first_number: int | None = None,
) -> PictureMatch:
    """Find the frames of the run among the pictures of a label file.

    Parameters
    ----------
    part : str
        One of the parts that an earlier match offered; "" leaves it to the names.
    first_number : int, optional
        Number of the run's first frame, where a person says it.
    """
    names = {key: picture.name for key, picture in pictures.items()}
    groups, by_last = _numbered(names), _numbered(names, last=True)
    if not any(_is_of_run(group, run) for group in groups):
        groups = by_last if any(_is_of_run(group, run) for group in by_last) else groups
    parts = tuple(sorted({group.title for group in groups}))
    if part:
        groups = [group for group in groups if group.title == part]
        pictures = {key: pictures[key] for group in groups for key in group.numbers}
    chosen = bool(part)
    match = _by_name(pictures, run, chosen) or _by_number(groups, run, chosen, first_number)
    return PictureMatch(match.by, match.frames, parts, match.first_number, match.questions)


def _by_name(pictures: Mapping[int, NamedPicture], run: Run, chosen: bool) -> PictureMatch | None:
    """Match by the names of the run's own pictures, or of those that our exports name."""
    frame_of = _frames_by_name(run)
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for key, picture in pictures.items():
        folder, _, name = picture.name.rpartition("/")
        for each in (name.casefold(), PurePosixPath(name.casefold()).stem):
            if each in frame_of:
                found[folder][key] = frame_of[each]
                break
    if len(found) > 1:
        found = {f: frames for f, frames in found.items() if _names_run(f.split("/"), run)} or found
    if not found:
        return None
    if len(found) > 1:
        return _choose()
    ((folder, frames),) = found.items()
    one = pictures[next(iter(frames))].name.rpartition("/")[2]
    folder_says = set(_words(folder.rpartition("/")[2])) - GENERIC_WORDS
    name_says = {w for w in _words(PurePosixPath(one).stem) if not w.isdigit()} - GENERIC_WORDS
    telling = _names_run(folder.split("/"), run) or (name_says and not folder_says)
    doubt = tr("Pictures of any run may have such names: {name}.").format(name=_shown(folder, one))
    return PictureMatch(MatchedBy.NAMES, frames, questions=() if telling or chosen else (doubt,))


def _by_number(
    groups: Sequence[_Numbered], run: Run, chosen: bool, first_number: int | None
) -> PictureMatch:
    if not groups:
        return PictureMatch(MatchedBy.NOTHING, {})
    named = [group for group in groups if _is_of_run(group, run)]
    if len(named or groups) > 1:
        return _choose()
    group = (named or groups)[0]
    questions = []
    if not named and not chosen:
        doubt = tr("The names in the file do not tell of which run they are: {name}.")
        questions.append(doubt.format(name=group.title))
    own = _numbered(dict(enumerate(run.frame_files)))
    if len(own) == 1 and len(own[0].numbers) == run.frame_count:
        frame_of = {number: frame for frame, number in own[0].numbers.items()}
        beyond = run.frame_count
        frames = {key: frame_of.get(n, beyond) for key, n in group.numbers.items()}
        if beyond in frames.values():
            doubt = tr("Some pictures in the file have numbers that no picture of the run has.")
            questions.append(doubt)
        return PictureMatch(MatchedBy.NUMBERS, frames, questions=tuple(questions))
    found = group.numbers.values()
    first, sure = _first_number(found, run.frame_count)
    if first_number is not None:
        first = first_number
    elif not sure:
        doubt = tr("The names do not tell whether the first frame has the number 0 or 1.")
        questions.append(doubt)
    frames = {key: n - first for key, n in group.numbers.items()}
    asked = None if sure and first_number is None else first
    return PictureMatch(MatchedBy.NUMBERS, frames, (), asked, tuple(questions))


def _first_number(numbers: Iterable[int], frame_count: int) -> tuple[int, bool]:
    """Return the number of the first frame, and whether there is no doubt about it."""
    found = set(numbers)
    if 0 in found:
        return 0, True
    if max(found) == frame_count:
        return 1, True
    if len(found) == frame_count == max(found) - min(found) + 1:
        return min(found), True
    return (1 if 1 in found else 0), False


def _choose() -> PictureMatch:
    return PictureMatch(
        MatchedBy.NOTHING,
        {},
        questions=(tr("The file holds labels of several runs; choose which are of this one."),),
    )


def _frames_by_name(run: Run) -> dict[str, int]:
    """Return the frames by the names of their pictures, with and without suffix where unique."""
    own = written_name(run.path.absolute().name)
    names = [written_name(name) for name in run.frame_files] or [
        frame_name(own, frame) for frame in range(run.frame_count)
    ]
    frame_of = {name.casefold(): frame for frame, name in enumerate(names)}
    stems = Counter(PurePosixPath(name).stem for name in frame_of)
    bare = {PurePosixPath(name).stem: frame for name, frame in frame_of.items()}
    return {stem: frame for stem, frame in bare.items() if stems[stem] == 1} | frame_of


def _numbered(names: Mapping[int, str], *, last: bool = False) -> list[_Numbered]:
    """Group pictures by all of their names but the number that tells frames apart.

    Those without a number are left out.

    It is the last number that differs among names alike, or the ``last`` of all, as it also is
    where none differs.
    """
    alike: dict[tuple[str, tuple[str, ...]], dict[int, list[str]]] = defaultdict(dict)
    for key, name in names.items():
        folder, _, base = name.rpartition("/")
        stem, suffix = PurePosixPath(base).stem, PurePosixPath(base).suffix
        parts = re.split(r"([0-9]{1,15})", stem)
        alike[folder, (*parts[::2], suffix.casefold())][key] = parts[1::2]
    groups: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for (folder, (*words, suffix)), numbers_of in alike.items():
        if len(words) == 1:
            continue
        columns = list(zip(*numbers_of.values(), strict=True))
        differing = [at for at, column in enumerate(columns) if len(set(map(int, column))) > 1]
        at = differing[-1] if differing and not last else len(columns) - 1
        for key, numbers in numbers_of.items():
            shown = [*numbers[:at], NUMBER, *numbers[at + 1 :], ""]
            title = "".join(w + n for w, n in zip(words, shown, strict=True)) + suffix
            groups[folder, title][key] = int(numbers[at])
    return [_Numbered(folder, name, numbers) for (folder, name), numbers in groups.items()]


def _is_of_run(group: _Numbered, run: Run) -> bool:
    return _names_run([*group.folder.split("/"), group.name], run)


def _names_run(names: Iterable[str], run: Run) -> bool:
    """Tell whether one of the names is that of the run's file or folder."""
    path = run.path.absolute()
    own = {tuple(_words(each)) for each in (path.name, path.stem)}
    own = {words for words in own if not GENERIC_WORDS.issuperset(words)}
    for name in names:
        words = _words(name.partition(NUMBER)[0])
        while words:
            if tuple(words) in own:
                return True
            if words[-1] not in GENERIC_WORDS:
                break
            words.pop()
    return False


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.casefold())


def _shown(folder: str, name: str) -> str:
    return clean_name(f"{folder}/{name}" if folder else name)
