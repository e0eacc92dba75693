"""Still-image codestreams (JPEG family, JPEG 2000, RLE): their declared size, and decoding.

Decoding is by imagecodecs (libjpeg-turbo, CharLS, OpenJPEG), which releases the GIL, so that
frames decode on several workers while the window keeps playing. The declared size is read first:
no decoder may allocate for an image that the run does not have.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray

MAX_FRAME_PIXELS = 1 << 26
"""8192 x 8192: four times the largest flat detector."""

_NO_LENGTH_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = b"\xff\xd9"
_JPEG_2000 = b"\xff\x4f\xff\x51"


class CodestreamError(Exception):
    """The bytes are no image of the expected kind and size."""


@dataclass(frozen=True, slots=True)
class CodestreamSize:
    """What a codestream declares about itself; ``bits`` are those of a sample."""

    rows: int
    columns: int
    samples: int
    bits: int
    jpeg_ls: bool = False


def begins_image(head: bytes) -> bool:
    """Tell whether these bytes begin a JPEG, JPEG-LS or JPEG 2000 image."""
    return head[:2] == b"\xff\xd8" or head[:4] == _JPEG_2000 or head[4:8] == b"jP  "


def begins_rle(head: bytes) -> bool:
    """Tell whether these bytes begin a frame of DICOM RLE: its segments, and the first's offset."""
    segments, first = int.from_bytes(head[:4], "little"), int.from_bytes(head[4:8], "little")
    return 1 <= segments <= 15 and first == 64


def is_jpeg_2000(data: bytes) -> bool:
    """Tell whether an image is JPEG 2000, bare or in a JP2 file."""
    return data[:4] == _JPEG_2000 or data[4:8] == b"jP  "


def is_jpeg_ls(data: bytes) -> bool:
    """Tell whether a JPEG image is JPEG-LS, by its start of frame."""
    try:
        return data[:2] == b"\xff\xd8" and codestream_size(data).jpeg_ls
    except CodestreamError:
        return False


def is_reversible(data: bytes) -> bool:
    """Tell whether a JPEG 2000 stream is coded without loss, by its wavelet (its COD)."""
    marker = data.find(b"\xff\x52", 0, 4096)
    return 0 < marker < len(data) - 14 and data[marker + 13] == 1


def mixes_colours(data: bytes) -> bool:
    """Tell whether a JPEG 2000 stream turns its components into red, green and blue (its COD)."""
    marker = data.find(b"\xff\x52", 0, 4096)
    return 0 < marker < len(data) - 9 and data[marker + 8] == 1


def codestream_size(data: bytes) -> CodestreamSize:
    """Read the size from a JPEG, JPEG-LS or JPEG 2000 header without decoding.

    Raises
    ------
    CodestreamError
        If the header is damaged or of another kind.
    """
    try:
        if data[:2] == b"\xff\xd8":
            return _jpeg_size(data)
        if data[:4] == _JPEG_2000:
            return _jpeg2000_size(data, 4)
        if data[4:8] == b"jP  ":
            codestream = data.find(_JPEG_2000, 0, 4096)
            if codestream > 0:
                return _jpeg2000_size(data, codestream + 4)
    except (struct.error, IndexError) as error:
        raise CodestreamError(tr("its header is cut off")) from error
    raise CodestreamError(tr("it does not begin as a compressed image does"))


def _jpeg_size(data: bytes) -> CodestreamSize:
    position = 2
    while True:
        while data[position] != 0xFF:  # padding between segments
            position += 1
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        position += 2
        if marker in _NO_LENGTH_MARKERS:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if marker in _START_OF_FRAME:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", data, position + 2)
            return CodestreamSize(rows, columns, samples, bits, jpeg_ls=marker == 0xF7)
        if marker == _START_OF_SCAN or length < 2:
            raise CodestreamError(tr("its header declares no size"))
        position += length


def _jpeg2000_size(data: bytes, position: int) -> CodestreamSize:
    right, bottom, left, top = struct.unpack_from(">4I", data, position + 4)
    samples, depth = struct.unpack_from(">HB", data, position + 36)
    return CodestreamSize(bottom - top, right - left, samples, (depth & 0x7F) + 1)


def decode_jpeg(data: bytes, *, stored_as_rgb: bool = False) -> NDArray[np.generic]:
    """Decode JPEG of 2 to 16 bits, lossy or lossless, to grey or (rows, columns, 3) RGB.

    ``stored_as_rgb`` applies only where the stream itself does not tell its colours.
    """
    import imagecodecs

    untold = b"JFIF" not in data[:64] and b"Adobe" not in data[:1024]
    try:
        if codestream_size(data).samples == 3:
            colours = "RGB" if stored_as_rgb and untold else None
            return imagecodecs.jpeg8_decode(data, colorspace=colours, outcolorspace="RGB")
        return imagecodecs.jpeg8_decode(data)
    except (RuntimeError, ValueError) as error:
        raise CodestreamError(tr("its JPEG data are damaged")) from error


def decode_jpeg_ls(data: bytes) -> NDArray[np.generic]:
    """Decode JPEG-LS, lossless or near-lossless."""
    import imagecodecs

    if _END_OF_IMAGE not in data[-64:]:  # padding may follow it
        # CharLS can spend seconds on the missing end of a stream.
        raise CodestreamError(tr("its JPEG-LS data are cut off"))
    try:
        return imagecodecs.jpegls_decode(data)
    except (RuntimeError, ValueError) as error:
        raise CodestreamError(tr("its JPEG-LS data are damaged")) from error


def decode_jpeg_2000(data: bytes) -> NDArray[np.generic]:
    """Decode JPEG 2000 or High-Throughput JPEG 2000."""
    import imagecodecs

    try:
        return imagecodecs.jpeg2k_decode(data)
    except (RuntimeError, ValueError) as error:
        raise CodestreamError(tr("its JPEG 2000 data are damaged")) from error


def decode_rle(
    data: bytes, rows: int, columns: int, samples: int, dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    """Decode DICOM RLE (PS3.5 annex G) to (rows, columns[, samples])."""
    import imagecodecs

    # A run of PackBits turns 2 bytes into 128, so the size can be checked before it is allocated.
    size = rows * columns * samples * dtype.itemsize
    if size > 64 * len(data):
        raise CodestreamError(tr("its RLE data are too short for the declared size"))
    try:
        flat = np.frombuffer(imagecodecs.dicomrle_decode(data, dtype), dtype)
    except (RuntimeError, ValueError) as error:
        raise CodestreamError(tr("its RLE data are damaged")) from error
    if flat.size != rows * columns * samples:
        raise CodestreamError(tr("its RLE data do not fill the frame"))
    if samples == 1:
        return flat.reshape(rows, columns)
    return np.moveaxis(flat.reshape(samples, rows, columns), 0, -1)
