"""Which way up a picture is: the Orientation tag of TIFF and Exif (values 1 to 8)."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

UPRIGHT = 1
_ORIENTATION = 0x0112
_MOST_ENTRIES = 512
_PNG = b"\x89PNG\r\n\x1a\n"


def exif_orientation(data: bytes) -> int:
    """Return the orientation that a JPEG or PNG file declares; 1 (upright) where it does not."""
    try:
        exif = _png_exif(data) if data.startswith(_PNG) else _jpeg_exif(data)
        return _tag(exif) if exif else UPRIGHT
    except (struct.error, IndexError):
        return UPRIGHT


def oriented(pixels: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """Return (rows, columns[, samples]) turned and mirrored as the orientation tells.

    An orientation names where the first stored row and column are seen (TIFF 6.0, p. 36).
    """
    if orientation >= 5:  # stored rows are columns of the picture
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def oriented_shape(rows: int, columns: int, orientation: int) -> tuple[int, int]:
    """Return (rows, columns) of the picture as it is seen."""
    return (columns, rows) if orientation >= 5 else (rows, columns)


def _jpeg_exif(data: bytes) -> bytes:
    position = 2
    while data[position] == 0xFF:
        marker, length = struct.unpack_from(">xBH", data, position)
        if marker in (0xDA, 0xD9) or length < 2:
            break
        segment = data[position + 4 : position + 2 + length]
        if marker == 0xE1 and segment.startswith(b"Exif\0\0"):
            return segment[6:]
        position += 2 + length
    return b""


def _png_exif(data: bytes) -> bytes:
    position = len(_PNG)
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"eXIf":
            return data[position + 8 : position + 8 + length]
        if kind == b"IEND":
            break
        position += 12 + length
    return b""


def _tag(exif: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return UPRIGHT
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack_from(f"{order}H", exif, directory)
    for entry in range(min(count, _MOST_ENTRIES)):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, directory + 2 + 12 * entry)
        if tag == _ORIENTATION:
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT
