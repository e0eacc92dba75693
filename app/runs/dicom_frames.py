"""Where each frame of Pixel Data lies, and how many there really are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as tr
from typing import overload

import numpy as np
from pydicom import Dataset

from app.runs.allowance import MAX_FRAMES, check_frame_count
from app.runs.codestreams import CodestreamError, begins_image, begins_rle, codestream_size
from app.runs.counts import count_notes
from app.runs.dicom_header import ITEM, SEQUENCE_END, PixelElement
from app.runs.dicom_pixels import PixelFormat, is_video
from app.runs.dicom_values import number
from app.runs.files import SharedFile
from app.runs.run import RunError

MAX_FRAGMENTS = 2 * MAX_FRAMES
"""Frames may lie in several; a longer list is a damaged file."""

_HEAD_BYTES = 1 << 12

Part = tuple[int, int]
"""Offset and length in the file."""


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """Where the parts of each frame lie, and sentences on what the file says otherwise.

    A frame without parts is missing from the file, and keeps its number.
    """

    frames: Sequence[Sequence[Part]]
    notes: tuple[str, ...] = ()


class EvenFrames(Sequence[Sequence[Part]]):
    """Frames of one length, one after the other: no list of them is kept."""

    def __init__(self, offset: int, frame_bytes: int, count: int) -> None:
        self._offset = offset
        self._frame_bytes = frame_bytes
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Sequence[Part]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sequence[Part]]: ...
    def __getitem__(self, index: int | slice) -> Sequence[Part] | Sequence[Sequence[Part]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        return ((self._offset + index * self._frame_bytes, self._frame_bytes),)


def declared_frames(dataset: Dataset) -> int | None:
    """Return the Number of Frames, None where the file does not say or cannot mean it."""
    declared = number(dataset, "NumberOfFrames")
    return None if declared is None or declared < 1 else int(declared)


def index_frames(
    dataset: Dataset, layout: PixelFormat, file: SharedFile, pixels: PixelElement
) -> FrameIndex:
    """Find the frames that the file holds, whatever it declares.

    Raises
    ------
    RunError
        If it holds not one, or more than can be handled.
    """
    declared = declared_frames(dataset)
    if pixels.encapsulated and is_video(layout.transfer_syntax):
        return _video(file, pixels.offset)
    if pixels.encapsulated:
        index = _encapsulated(dataset, file, pixels.offset, declared)
    else:
        index = _native(layout, file, pixels, declared)
    check_frame_count(len(index.frames), file.name)
    return index


def _native(
    layout: PixelFormat, file: SharedFile, pixels: PixelElement, declared: int | None
) -> FrameIndex:
    available = max(file.size - pixels.offset, 0)
    length = pixels.length
    cut = length is not None and length > available
    if length is not None:
        available = min(available, length)
    elif declared is not None:
        available = min(available, layout.frame_bytes * declared)
    stored = available // layout.frame_bytes
    if stored == 0:
        raise RunError(
            tr(
                "The file declares a picture of {columns} x {rows} pixels but holds less than one; "
                "copy it again."
            ).format(columns=layout.columns, rows=layout.rows)
        )
    if available != layout.frame_bytes * (declared or 1) and _is_image(layout, file, pixels.offset):
        raise RunError(
            tr("The file calls its picture uncompressed, which it is not; export it again.")
        )
    frames = EvenFrames(pixels.offset, layout.frame_bytes, stored)
    return FrameIndex(frames, count_notes(stored, declared, cut=cut))


def _is_image(layout: PixelFormat, file: SharedFile, offset: int) -> bool:
    """Tell whether a compressed image of the declared size lies where plain pixels should."""
    head = file.read_at(offset, min(_HEAD_BYTES, file.size - offset))
    try:
        size = codestream_size(head)
    except CodestreamError:
        return False
    return (size.rows, size.columns) == (layout.rows, layout.columns)


def _video(file: SharedFile, offset: int) -> FrameIndex:
    """Return the one stream of all frames; a table before it says nothing of use."""
    _, fragments, _ = _fragments(file, offset)
    return FrameIndex((tuple(fragments),))


def _encapsulated(
    dataset: Dataset, file: SharedFile, offset: int, declared: int | None
) -> FrameIndex:
    """Join fragments (PS3.5 annex A.4) to frames.

    The offset tables are believed where they point at the fragments that begin frames, else the
    fragments themselves tell.
    """
    table, fragments, cut = _fragments(file, offset)
    if not any(length for _, length in fragments):
        raise RunError(tr("The file ends before its first complete frame; copy it again."))
    begins = _begin_frames(file, fragments)
    heads = _heads_by_table(dataset, table, fragments)
    if heads is None or any(b and i not in heads for i, b in enumerate(begins)):
        heads = _heads_by_content(fragments, begins, declared)
    ends = [*sorted(heads)[1:], len(fragments)]
    frames = [
        tuple(part for part in fragments[a:b] if part[1])
        for a, b in zip(sorted(heads), ends, strict=True)
    ]
    notes = count_notes(len(frames), declared, cut=cut)
    empty = [str(i + 1) for i, parts in enumerate(frames) if not parts]
    if empty:
        told = tr("The file holds no picture for these frames: {numbers}.")
        notes += (told.format(numbers=", ".join(empty[:10]) + (" ..." if empty[10:] else "")),)
    return FrameIndex(frames, notes)


def _begin_frames(file: SharedFile, fragments: Sequence[Part]) -> list[bool]:
    """Tell which fragments begin a frame, by what the first full one is; the syntax may be wrong.

    A later fragment of RLE may happen to begin with the two bytes that begin a JPEG image.
    """
    heads = [file.read_at(start, min(length, 8)) for start, length in fragments]
    rle = begins_rle(next(filter(None, heads)))
    return [begins_rle(head) if rle else begins_image(head) for head in heads]


def _heads_by_table(dataset: Dataset, table: bytes, fragments: Sequence[Part]) -> set[int] | None:
    """Return the fragments that the offset table names, None where it is none."""
    extended = dataset.get("ExtendedOffsetTable")
    if extended:
        offsets = np.frombuffer(extended[: len(extended) // 8 * 8], "<u8")
    else:
        offsets = np.frombuffer(table, "<u4")
    first = fragments[0][0]
    at = {start - first: i for i, (start, _) in enumerate(fragments)}
    heads = [at.get(position, -1) for position in offsets.tolist()]
    found = [head for head in heads if head >= 0]  # of a file that is cut off, some are missing
    sound = found and found[0] == 0 and found == sorted(set(found))
    return set(found) if sound and heads[: len(found)] == found else None


def _heads_by_content(
    fragments: Sequence[Part], begins: Sequence[bool], declared: int | None
) -> set[int]:
    """Return the fragments that begin an image; an empty one stands for a frame that was lost."""
    lengths = [length for _, length in fragments]
    count = len(fragments)
    while not lengths[count - 1]:
        count -= 1  # empty ones at the end are padding, unless frames are declared for them
    if declared is not None and count < declared <= len(fragments):
        count = declared
    full = {i for i in range(count) if begins[i]}
    marked = full | {i for i in range(count) if not lengths[i]}
    if not begins[0] and lengths[0]:
        # Not the streams that were expected: one fragment a frame is the rule.
        return {0} if declared == 1 else set(range(count))
    return full if len(full) == declared != len(marked) else marked


def _fragments(file: SharedFile, offset: int) -> tuple[bytes, list[Part], bool]:
    """Return the Basic Offset Table, where each fragment lies, and whether the end is missing."""
    table = b""
    fragments: list[Part] = []
    first = True
    while offset + 8 <= file.size:
        header = file.read_at(offset, 8)
        length = int.from_bytes(header[4:], "little")
        offset += 8
        if header[:4] == SEQUENCE_END:
            return table, fragments, False
        if header[:4] != ITEM or offset + length > file.size:
            break
        if first:
            table = file.read_at(offset, length // 4 * 4)
        else:
            fragments.append((offset, length))
        first = False
        if len(fragments) > MAX_FRAGMENTS:
            raise RunError(tr("The file's pixel data are an endless list; the file is damaged."))
        offset += length
    return table, fragments, True
