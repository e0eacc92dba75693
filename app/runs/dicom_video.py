"""Video in DICOM (MPEG-2, H.264, HEVC; PS3.5 8.2.5 to 8.2.9): one stream holds all frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from gettext import gettext as tr

from app.runs.dicom_pixels import PixelFormat
from app.runs.files import SharedFile
from app.runs.run import RunError
from app.runs.video_frames import (
    Decoder,
    VideoFrames,
    damage_notes,
    display_matrix,
    frame_bits,
    grey_frame,
    index_video,
    stream_source,
)


def open_stream(
    file: SharedFile, layout: PixelFormat, fragments: Sequence[tuple[int, int]]
) -> tuple[VideoFrames, int, PixelFormat, tuple[str, ...]]:
    """Read the stream that lies in one or more fragments; the file is not needed any more.

    Returns
    -------
    VideoFrames, their number, the layout with the bits that the stream has, and notes on damage

    Raises
    ------
    RunError
        If it is no video, one of another size, or too long.
    """
    import av

    stream = b"".join(file.read_at(*part) for part in fragments)
    file.close()
    source = stream_source(stream, tr("The video in {name}").format(name=file.name))
    damaged = tr("{name} is damaged; copy or export it again.").format(name=source.name)
    try:
        decoder = Decoder(source)
        try:
            first = next(decoder.frames(), None)
        finally:
            decoder.close()
        if first is None:
            raise RunError(damaged)
        matrix = display_matrix(first)
        rows, columns = grey_frame(first, matrix).shape
        if (rows, columns) != (layout.rows, layout.columns):
            told = tr("{name} is {columns} x {rows} pixels, unlike its header.")
            raise RunError(told.format(name=source.name, columns=columns, rows=rows))
        index = index_video(source, matrix, (rows, columns))
    except (av.FFmpegError, ValueError, ArithmeticError) as error:
        raise RunError(damaged) from error
    bits = frame_bits(first)
    layout = replace(
        layout, bits_stored=bits, high_bit=bits - 1, bits_allocated=8 if bits == 8 else 16
    )
    return VideoFrames(source, index, matrix), index.frame_count, layout, damage_notes(index)
