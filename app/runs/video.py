"""Video files as runs: their frames are in `app.runs.video_frames`, here is what else they tell."""

from __future__ import annotations

from fractions import Fraction
from gettext import gettext as tr
from gettext import ngettext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.runs.counts import count_notes
from app.runs.run import GreyScale, Run, RunError, TimingSource, pixel_aspect
from app.runs.timing import ASSUMED_RATE_HZ, assumed_times, even_times
from app.runs.video_frames import (
    Decoder,
    VideoFrames,
    VideoIndex,
    damage_notes,
    display_matrix,
    file_source,
    frame_bits,
    grey_frame,
    index_video,
)

_LONGEST_MS = 1e9  # eleven days
_FEWEST_FOR_RHYTHM = 10
_RARE = 0.1
"""Share of intervals that may differ in a video of even rhythm."""
_STAMP_STEP_MS = 1.1
"""Containers round times to a millisecond."""


def open_video(path: Path) -> Run:
    """Open the first stream of pictures in a video file.

    Raises
    ------
    RunError
        If it is damaged, too large, or of a format that names other files.
    """
    import av

    source = file_source(path)
    decoder = Decoder(source)
    try:
        first = next(decoder.frames(), None)
        if first is None:
            raise RunError(
                tr("{name} holds no frame that can be decoded; convert it again.").format(
                    name=decoder.name
                )
            )
        matrix = display_matrix(first)
        shape, bits = grey_frame(first, matrix).shape, frame_bits(first)
        index = index_video(source, matrix, shape)
        stream = decoder.stream
        times, timing, notes = _times(index, stream.time_base, stream.average_rate)
        notes += _cut_notes(decoder, index, times) + damage_notes(index) + _gap_notes(times)
        wide = float(stream.sample_aspect_ratio or 1)  # width over height; None where unknown
    except (av.FFmpegError, ValueError, ArithmeticError) as error:
        raise RunError(
            tr("{name} is a damaged video; copy or convert it again.").format(name=decoder.name)
        ) from error
    finally:
        decoder.close()
    turned = bool(matrix) and abs(matrix[1]) > abs(matrix[0])
    return Run(
        path=path,
        frames=VideoFrames(source, index, matrix),
        frame_count=index.frame_count,
        rows=shape[0],
        columns=shape[1],
        frame_times_ms=times,
        timing_source=timing,
        grey=GreyScale(bits_stored=bits),
        nominal_range=(0.0, float((1 << bits) - 1)),
        pixel_aspect_ratio=pixel_aspect(wide, 1.0) if turned else pixel_aspect(1.0, wide),
        notes=notes,
    )


def video_frame_count(path: Path) -> int | None:
    """Return the frames that a video's header counts; None where only decoding would tell."""
    decoder = Decoder(file_source(path))
    try:
        entries = getattr(decoder.stream, "index_entries", ())
        listed = len(entries)
        if "mp4" not in decoder.container.format.name or listed != decoder.stream.frames:
            return None
        return sum(not entry.is_discard for entry in entries) or None
    finally:
        decoder.close()


def _times(
    index: VideoIndex, time_base: Fraction | None, rate: Fraction | None
) -> tuple[NDArray[np.float64], TimingSource, tuple[str, ...]]:
    if index.stamps and time_base:
        times = (np.array(index.stamps) - index.stamps[0]) * float(time_base) * 1000.0
        if np.all(np.diff(times) > 0) and times[-1] < _LONGEST_MS:
            return times, TimingSource.VIDEO, ()
    if rate and 0.01 <= rate <= 10_000:
        return even_times(index.frame_count, 1000.0 / float(rate)), TimingSource.VIDEO, ()
    note = tr("The video has no usable times; {rate} frames/s are assumed.").format(
        rate=f"{ASSUMED_RATE_HZ:g}"
    )
    return assumed_times(index.frame_count), TimingSource.ASSUMED, (note,)


def _cut_notes(
    decoder: Decoder, index: VideoIndex, times_ms: NDArray[np.float64]
) -> tuple[str, ...]:
    """Say where the header tells of more than there is: by its count, or by its duration."""
    declared = decoder.stream.frames
    if index.packet_count < declared:
        return count_notes(index.frame_count, declared - index.hidden_count, cut=True)
    duration_us = decoder.container.duration
    alone = len(decoder.container.streams) == 1 and "matroska" in decoder.container.format.name
    if not (alone and duration_us and len(times_ms) > 1):
        return ()  # elsewhere the duration is found by the packets, or another stream's
    interval_ms = float(np.median(np.diff(times_ms)))
    missing_ms = duration_us / 1000.0 - (float(times_ms[-1]) + interval_ms)
    if missing_ms <= max(2.0 * interval_ms, float(np.diff(times_ms).max())):
        return ()
    told = tr("The video is cut off: {seconds} s at its end are missing.")
    return (told.format(seconds=f"{missing_ms / 1000.0:.3g}"),)


def _gap_notes(times_ms: NDArray[np.float64]) -> tuple[str, ...]:
    """Say where an even rhythm leaves frames out: of damaged containers whole packets are lost."""
    if len(times_ms) < _FEWEST_FOR_RHYTHM:
        return ()
    intervals_ms = np.diff(times_ms)
    usual_ms = float(np.median(intervals_ms))
    uneven = np.abs(intervals_ms - usual_ms) > max(0.1 * usual_ms, _STAMP_STEP_MS)
    left_out = int(np.rint(intervals_ms[uneven] / usual_ms - 1.0).sum())
    if not uneven.any() or uneven.mean() > _RARE or left_out < 1:
        return ()
    told = ngettext(
        "The times of the video leave out {count} frame; it may be damaged.",
        "The times of the video leave out {count} frames; it may be damaged.",
        left_out,
    )
    return (told.format(count=left_out),)
