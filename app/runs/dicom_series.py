"""A series of single-frame DICOM files is one run; its file with the first frame stands for it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from gettext import gettext as tr
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.valuerep import DT

from app.runs.allowance import check_frame_count
from app.runs.dicom import open_dicom_file, stored_frames
from app.runs.dicom_frames import declared_frames, index_frames
from app.runs.dicom_geometry import read_angles
from app.runs.dicom_grey import each_frames_voi, found_range, read_grey
from app.runs.dicom_header import (
    PARSING_ERRORS,
    OpenedHeader,
    damaged,
    open_header,
    pixel_element,
)
from app.runs.dicom_pixels import PixelFormat, is_video
from app.runs.dicom_timing import LONGEST_INTERVAL_MS, SHORTEST_INTERVAL_MS, read_timing
from app.runs.dicom_values import number, text
from app.runs.files import SharedFile, open_regular, shown_name
from app.runs.images import natural_key
from app.runs.kinds import Kind, kind_of
from app.runs.run import GreyScale, Lut, Run, RunError, TimingSource, Window

logger = logging.getLogger(__name__)

STILLS = frozenset({"CR", "DX", "MG", "IO", "PX"})
"""Modalities whose series are views of their own, not moments of one scene."""

_HEAD_BYTES = 1 << 16
_ROWS = (b"\x28\x00\x10\x00", b"\x00\x28\x00\x10")
"""The tag of Rows (0028,0010) in either byte order."""

LONGEST_USUAL_MS = 2000.0
"""Pictures further apart were taken one by one: nobody watches them in true time."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesPart:
    """A single-frame file as a part of its series.

    Attributes
    ----------
    kind : tuple
        The same for all that can be frames of one run: series, size, pixel layout.
    times_ms : tuple
        When it was taken, by each clock that a file may give; None where it does not.
    """

    path: Path
    kind: tuple[object, ...]
    instance_uid: str
    instance_number: float | None
    acquisition_number: float | None
    times_ms: tuple[float | None, ...]
    position_mm: float | None
    angles_deg: tuple[float | None, float | None]
    voi: Window | Lut | None


def series_part(path: Path, header: OpenedHeader) -> SeriesPart | None:
    """Return a file's part in its series; None where it is a run, or a still, of its own.

    The file is read, and left at its pixels.
    """
    dataset = header.dataset
    series = text(dataset, "SeriesInstanceUID")
    if not series or text(dataset, "Modality") in STILLS or (declared_frames(dataset) or 1) > 1:
        return None
    at = header.reader.tell()
    try:
        pixels = pixel_element(header)
        if pixels is None:
            return None
        layout = PixelFormat.from_dataset(dataset, header.transfer_syntax, pixels)
        shared = SharedFile(header.file, header.size, shown_name(path))
        if is_video(layout.transfer_syntax):
            return None
        if len(index_frames(dataset, layout, shared, pixels).frames) != 1:
            return None
        grey = read_grey(dataset, layout, 1, None, [])
        primary, secondary = read_angles(dataset, 1, [])
    except (RunError, *PARSING_ERRORS):
        return None  # it says what is wrong with it when it is opened by itself
    finally:
        header.reader.seek(at)
    return SeriesPart(
        path=path,
        kind=(
            series,
            *(text(dataset, keyword) for keyword in _SAME_IN_ALL),
        ),
        instance_uid=text(dataset, "SOPInstanceUID"),
        instance_number=number(dataset, "InstanceNumber"),
        acquisition_number=number(dataset, "AcquisitionNumber"),
        times_ms=tuple(clock(dataset) for clock in _CLOCKS),
        position_mm=number(dataset, "SliceLocation"),
        angles_deg=(
            None if primary is None else float(primary[0]),
            None if secondary is None else float(secondary[0]),
        ),
        voi=grey.voi_luts[0] if grey.voi_luts else next(iter(grey.windows), None),
    )


def _stamp_ms(*keywords: str) -> Callable[[Dataset], float | None]:
    """Return a clock that reads a date and time from one attribute, or from two."""

    def clock(dataset: Dataset) -> float | None:
        values = [text(dataset, keyword) for keyword in keywords]
        if not values[-1]:
            return None
        try:
            stamp = DT(("" if len(values) == 1 else values[0] or "20000101") + values[-1])
            return (stamp.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds() * 1000.0
        except (ValueError, TypeError, OverflowError):
            return None

    return clock


_CLOCKS: tuple[Callable[[Dataset], float | None], ...] = (
    _stamp_ms("AcquisitionDateTime"),
    _stamp_ms("AcquisitionDate", "AcquisitionTime"),
    lambda dataset: number(dataset, "TriggerTime"),
    _stamp_ms("ContentDate", "ContentTime"),
)
"""In the order in which they are believed."""


_SAME_IN_ALL = (
    "SOPClassUID",
    "Modality",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "PresentationLUTShape",
)


def ordered(parts: Iterable[SeriesPart]) -> list[SeriesPart] | None:
    """Return the parts of one series in their order; None where nothing tells it.

    By Instance Number, else by when they were taken, else by where. Copies of one instance count
    once; those of one UID but several numbers are none, but badly written.
    """
    named = sorted(parts, key=lambda part: natural_key(part.path))
    copies = {(p.instance_uid or str(p.path), p.instance_number): p for p in reversed(named)}
    unique = list(copies.values())
    unique.reverse()
    if len(unique) < 2:
        return None
    orders: list[Callable[[SeriesPart], object]] = [
        lambda part: part.instance_number,
        lambda part: _pair(part.acquisition_number, part.instance_number),
        *(_by_clock(index) for index in range(len(_CLOCKS))),
        lambda part: part.position_mm,
    ]
    for order in orders:
        keys = [order(part) for part in unique]
        if None not in keys and len(set(keys)) == len(keys):
            return [part for _, part in sorted(zip(keys, unique, strict=True), key=_first)]
    return None


def _pair(first: float | None, second: float | None) -> tuple[float, float] | None:
    return None if first is None or second is None else (first, second)


def _by_clock(index: int) -> Callable[[SeriesPart], object]:
    return lambda part: part.times_ms[index]


def _first(pair: tuple[Any, SeriesPart]) -> Any:
    return pair[0]


def beside(path: Path, part: SeriesPart) -> list[SeriesPart]:
    """Return the parts of the same series in the same folder, ``part`` included, in no order."""
    found = []
    with os.scandir(path.parent) as entries:
        files = [Path(e.path) for e in entries if e.is_file() and not e.name.startswith(".")]
    for file in files:
        if file == path:
            found.append(part)
        elif _may_be_of(file, str(part.kind[0])):
            other = _part_of(file)
            if other is not None and other.kind == part.kind:
                found.append(other)
    return found


def _may_be_of(path: Path, series: str) -> bool:
    """Tell by its first bytes whether a file may be of a series, so that few headers are parsed.

    The series stands before the rows; where neither is found, only parsing the header tells.
    """
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD_BYTES)
    except (RunError, OSError):
        return False
    return series.encode() in head or not any(rows in head for rows in _ROWS)


def _part_of(path: Path) -> SeriesPart | None:
    """Return the part that a file may be; None for whatever else it is."""
    try:
        if kind_of(path) is not Kind.DICOM:
            return None
        header = open_header(path)
    except RunError:
        return None
    try:
        return series_part(path, header)
    finally:
        header.file.close()


class SeriesFrames:
    """Frames that lie in one DICOM file each (a `FrameSource`)."""

    def __init__(self, paths: Sequence[Path], shape: tuple[int, int]) -> None:
        self._paths = paths
        self._shape = shape
        self._closed = False

    def read(self, index: int) -> NDArray[np.generic]:
        """Decode the frame of one file; RunError where it is gone, damaged or of another size."""
        path = self._paths[index]
        if self._closed:
            raise RunError(tr("{name} has been closed.").format(name=shown_name(path)))
        header = open_header(path)
        try:
            pixels = stored_frames(header, path.name).source.read(0)
        except PARSING_ERRORS as error:
            logger.info("frame %d not readable: %s", index, type(error).__name__)
            raise damaged(path.name) from error
        finally:
            header.file.close()
        if pixels.shape != self._shape:
            raise RunError(
                tr("{name} is of another size than the first frame.").format(name=shown_name(path))
            )
        return pixels

    def close(self) -> None:
        """Nothing is held open; reading is refused from now on."""
        self._closed = True


def open_dicom(path: Path) -> Run:
    """Open a DICOM file, with the files of its series where each holds one frame of it.

    Raises
    ------
    RunError
        If it holds no picture that can be shown.
    """
    header = open_header(path)
    try:
        part = series_part(path, header)
    finally:
        header.file.close()
    parts = None if part is None else ordered(beside(path, part))
    return open_dicom_file(path) if parts is None else _open_series(parts)


def open_series_folder(folder: Path, is_run: Callable[[Path], bool]) -> Run | None:
    """Open a folder whose DICOM pictures are one series of single frames; None where not.

    ``is_run`` tells of a file that is no part of a series whether it is a run of its own.
    """
    files = sorted((p for p in folder.iterdir() if p.is_file()), key=natural_key)
    parts = []
    for file in files:
        if (part := _part_of(file)) is not None:
            parts.append(part)
        elif is_run(file):
            return None
    if not parts or len({part.kind for part in parts}) > 1:
        return None
    in_order = ordered(parts)
    return None if in_order is None else _open_series(in_order)


def _open_series(parts: Sequence[SeriesPart]) -> Run:
    """Make a run of the files of a series, in their order; the first one stands for it."""
    check_frame_count(len(parts), shown_name(parts[0].path))
    first = open_dicom_file(parts[0].path)
    first.frames.close()
    count = len(parts)
    frames = SeriesFrames([part.path for part in parts], (first.rows, first.columns))
    grey = _grey_of_all(first.grey, parts)
    times, source, notes = series_times(parts)
    if times is None:
        header = open_header(parts[0].path)
        header.file.close()
        timing = read_timing(header.dataset, count)
        times, source = timing.times_ms, timing.source
        notes = (*notes, *timing.notes)
    notes += _gap_notes([part.instance_number for part in parts])
    return replace(
        first,
        frames=frames,
        frame_count=count,
        frame_times_ms=times,
        timing_source=source,
        grey=grey,
        nominal_range=found_range(grey, frames, count, first.rows * first.columns)
        or first.nominal_range,
        primary_angles_deg=_angles([part.angles_deg[0] for part in parts]),
        secondary_angles_deg=_angles([part.angles_deg[1] for part in parts]),
        mask_subtraction=(),
        representative_frame=None,
        frame_of_interest=(),
        notes=(*first.notes, *notes),
    )


def _gap_notes(numbers: Sequence[float | None]) -> tuple[str, ...]:
    """Name the Instance Numbers that are left out, unless more are than there are pictures.

    Two planes may count by twos, and a new acquisition begin at another hundred.
    """
    told = sorted({int(number) for number in numbers if number is not None})
    if len(told) < len(numbers):
        return ()
    there = set(told)
    numbered = range(told[0], told[-1], int(min(np.diff(told))))
    left_out = (str(number) for number in numbered if number not in there)
    missing = list(islice(left_out, len(told) + 1))
    if not 0 < len(missing) <= len(told):
        return ()
    note = tr("Pictures of this series may be missing; these numbers are left out: {numbers}.")
    return (note.format(numbers=", ".join(missing[:10]) + (" ..." if missing[10:] else "")),)


def _grey_of_all(grey: GreyScale, parts: Sequence[SeriesPart]) -> GreyScale:
    """Return the first frame's grey scale, with each frame's own window where they differ."""
    vois = each_frames_voi([part.voi for part in parts])
    return replace(grey, windows=(), voi_luts=(), frame_vois=vois) if vois else grey


def _angles(angles_deg: Sequence[float | None]) -> NDArray[np.float64] | None:
    known = [i for i, angle in enumerate(angles_deg) if angle is not None]
    if not known:
        return None
    values = np.array([np.nan if angle is None else angle for angle in angles_deg])
    return np.interp(np.arange(len(values)), known, values[known])


def series_times(
    parts: Sequence[SeriesPart],
) -> tuple[NDArray[np.float64] | None, TimingSource, tuple[str, ...]]:
    """Return the times of the frames in ms from 0, by the first clock that tells a cine.

    Without one the times are None, with a note where the pictures were taken one by one.
    """
    apart = False
    for clock in zip(*(part.times_ms for part in parts), strict=True):
        told = [time for time in clock if time is not None]
        if len(told) < len(parts):
            continue
        intervals = np.diff(told)
        if (intervals <= 0).any() or intervals.min() < SHORTEST_INTERVAL_MS:
            continue
        if intervals.max() <= LONGEST_INTERVAL_MS and np.median(intervals) <= LONGEST_USUAL_MS:
            return np.array(told) - told[0], TimingSource.PER_FRAME, ()
        apart = True
    note = tr("The pictures of this series were taken one by one, some seconds apart.")
    return None, TimingSource.ASSUMED, (note,) if apart else ()
