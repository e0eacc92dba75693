"""Frame times of a DICOM run, by its Frame Increment Pointer (PS3.3 C.7.6.5, C.7.6.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import DT

from app.runs.dicom_values import frame_groups, number, numbers
from app.runs.run import TimingSource
from app.runs.timing import ASSUMED_RATE_HZ, assumed_times, even_times

SHORTEST_INTERVAL_MS = 1.0
LONGEST_INTERVAL_MS = 10_000.0

_FRAME_TIME = 0x00181063
_FRAME_TIME_VECTOR = 0x00181065


@dataclass(frozen=True, slots=True)
class Timing:
    """Frame times from 0, strictly increasing, where they come from, and what was repaired."""

    times_ms: NDArray[np.float64]
    source: TimingSource
    notes: tuple[str, ...] = ()


def read_timing(dataset: Dataset, frame_count: int) -> Timing:
    """Read the frame times; impossible ones are repaired, with a note in plain words."""
    notes: list[str] = []
    readers: list[Callable[[Dataset, int, list[str]], Timing | None]]
    readers = [_frame_time, _frame_time_vector, _per_frame, _cine_rate, _recommended_rate]
    pointers = _pointers(dataset)
    if _FRAME_TIME_VECTOR in pointers:
        readers = [_frame_time_vector, *(r for r in readers if r is not _frame_time_vector)]
    elif pointers and _FRAME_TIME not in pointers:
        readers = [_per_frame, *(r for r in readers if r is not _per_frame)]
    for reader in readers:
        timing = reader(dataset, frame_count, notes)
        if timing is not None:
            return Timing(timing.times_ms, timing.source, tuple(notes))
    if frame_count > 1:
        notes.append(
            tr("The file gives no frame times; {rate} frames/s are assumed.").format(
                rate=f"{ASSUMED_RATE_HZ:g}"
            )
        )
    return Timing(assumed_times(frame_count), TimingSource.ASSUMED, tuple(notes))


def _pointers(dataset: Dataset) -> set[int]:
    value = dataset.get("FrameIncrementPointer")
    if value is None:
        return set()
    values = value if isinstance(value, MultiValue | list | tuple) else [value]
    return {int(v) for v in values if isinstance(v, int)}


def _plausible(interval_ms: float | NDArray[np.float64]) -> NDArray[np.bool_]:
    value = np.asarray(interval_ms)
    return (value >= SHORTEST_INTERVAL_MS) & (value <= LONGEST_INTERVAL_MS)


def _even(
    interval_ms: float | None, count: int, source: TimingSource, notes: list[str]
) -> Timing | None:
    if interval_ms is None:
        return None
    if not _plausible(interval_ms):
        if count > 1:
            notes.append(
                tr("The {source} of {interval} ms a frame is impossible; not used.").format(
                    source=source, interval=f"{interval_ms:g}"
                )
            )
        return None
    return Timing(even_times(count, interval_ms), source)


def _frame_time(dataset: Dataset, count: int, notes: list[str]) -> Timing | None:
    return _even(number(dataset, "FrameTime"), count, TimingSource.FRAME_TIME, notes)


def _rate(
    dataset: Dataset, keyword: str, count: int, source: TimingSource, notes: list[str]
) -> Timing | None:
    rate = number(dataset, keyword)
    if not rate or abs(rate) < 1e-6:  # 0 stands for unknown in many files
        return None
    return _even(1000.0 / rate, count, source, notes)


def _cine_rate(dataset: Dataset, count: int, notes: list[str]) -> Timing | None:
    return _rate(dataset, "CineRate", count, TimingSource.CINE_RATE, notes)


def _recommended_rate(dataset: Dataset, count: int, notes: list[str]) -> Timing | None:
    source = TimingSource.RECOMMENDED_RATE
    return _rate(dataset, "RecommendedDisplayFrameRate", count, source, notes)


def _frame_time_vector(dataset: Dataset, count: int, notes: list[str]) -> Timing | None:
    vector = np.array(numbers(dataset, "FrameTimeVector"))
    if count < 2 or vector.size < 2:
        return None
    # The first element belongs to the first frame and is no interval, unless it was left out.
    intervals = vector if vector.size == count - 1 else vector[1:count]
    return _from_intervals(intervals, count, TimingSource.FRAME_TIME_VECTOR, notes)


def _per_frame(dataset: Dataset, count: int, notes: list[str]) -> Timing | None:
    if count < 2 or "PerFrameFunctionalGroupsSequence" not in dataset:
        return None
    contents = list(frame_groups(dataset, "FrameContentSequence", count))
    for keyword in ("FrameReferenceDateTime", "FrameAcquisitionDateTime"):
        stamps = [_stamp(content, keyword) for content in contents]
        told = [stamp for stamp in stamps if stamp is not None]
        if len(told) == count:
            first = told[0]
            times = np.array([(stamp - first).total_seconds() * 1000.0 for stamp in told])
            intervals = np.diff(times)
            return _from_intervals(intervals, count, TimingSource.PER_FRAME, notes)
    return None


def _stamp(content: Dataset | None, keyword: str) -> datetime | None:
    value = None if content is None else content.get(keyword)
    if not value:
        return None
    try:
        return DT(str(value)).replace(tzinfo=None)
    except ValueError:
        return None


def _from_intervals(
    intervals: NDArray[np.float64], count: int, source: TimingSource, notes: list[str]
) -> Timing | None:
    good = _plausible(intervals)
    if not good.any():
        notes.append(tr("The {source} holds no possible interval; not used.").format(source=source))
        return None
    usual = float(np.median(intervals[good]))
    filled = np.full(count - 1, usual)
    filled[: intervals.size] = np.where(good, intervals, usual)
    bad = count - 1 - int(good.sum())
    if bad:
        notes.append(
            tr("{count} impossible or missing frame intervals were set to {usual} ms.").format(
                count=bad, usual=f"{usual:g}"
            )
        )
    return Timing(np.concatenate(([0.0], np.cumsum(filled))), source)
