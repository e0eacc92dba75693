"""Values of DICOM attributes as numbers, whatever the file holds there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from gettext import gettext as tr

from pydicom import Dataset
from pydicom.multival import MultiValue


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Return all finite values of an attribute; empty where it is absent or no number."""
    value = dataset.get(keyword)
    if value is None:
        return []
    values = value if isinstance(value, MultiValue | list | tuple) else [value]
    found = []
    for item in values:
        try:
            number = float(item)
        except (TypeError, ValueError):
            continue
        if math.isfinite(number):
            found.append(number)
    return found


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value of an attribute, or None."""
    return next(iter(numbers(dataset, keyword)), None)


def sensible(
    dataset: Dataset, keyword: str, low: float, high: float, what: str, notes: list[str]
) -> float | None:
    """Return a number that can be true; one beyond ``low`` .. ``high`` is left out, with a note.

    ``what`` names it in the note, translated.
    """
    value = number(dataset, keyword)
    if value is None or low <= value <= high:
        return value
    note_impossible(notes, what, value)
    return None


def note_impossible(notes: list[str], what: str, value: float) -> None:
    """Note once that a value of the file cannot be true."""
    note = tr("The {what} of {value} is impossible; not used.").format(
        what=what, value=f"{value:g}"
    )
    if note not in notes:
        notes.append(note)


def text(dataset: Dataset, keyword: str) -> str:
    """Return an attribute as text, "" where it is absent."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).replace("\x00", "").strip()


def day(dataset: Dataset, keyword: str) -> date | None:
    """Return a date, None where it is absent or none; dots and dashes in it are older spellings."""
    digits = text(dataset, keyword).replace(".", "").replace("-", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def words(dataset: Dataset, keyword: str) -> list[str]:
    """Return all values of a text attribute."""
    value = dataset.get(keyword)
    if value is None:
        return []
    values = value if isinstance(value, MultiValue | list | tuple) else [value]
    return [str(item).strip() for item in values]


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; empty where it is absent or no sequence."""
    value = dataset.get(keyword)
    return [item for item in value if isinstance(item, Dataset)] if _is_sequence(value) else []


def _is_sequence(value: object) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes)


def frame_groups(dataset: Dataset, keyword: str, frame_count: int) -> Iterator[Dataset | None]:
    """Yield the functional group ``keyword`` of each frame: its own, else the shared one."""
    shared = shared_group(dataset, keyword)
    per_frame = items(dataset, "PerFrameFunctionalGroupsSequence")
    for index in range(frame_count):
        own = items(per_frame[index], keyword) if index < len(per_frame) else []
        yield own[0] if own else shared


def shared_group(dataset: Dataset, keyword: str) -> Dataset | None:
    """Return the shared functional group ``keyword`` (PS3.3 C.7.6.16), or None."""
    for group in items(dataset, "SharedFunctionalGroupsSequence"):
        for item in items(group, keyword):
            return item
    return None


def first_group(dataset: Dataset, keyword: str) -> Dataset | None:
    """Return the functional group of the first frame, or the shared one, or None."""
    return next(frame_groups(dataset, keyword, 1))
