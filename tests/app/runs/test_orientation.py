"""Pictures that declare how they were held are shown the right way up."""

from __future__ import annotations

import struct
import zlib
from contextlib import closing

import imagecodecs
import numpy as np
import pytest
import tifffile

from app.runs.opening import open_run

STORED = np.kron(np.array([[10, 60, 110], [160, 200, 250]], np.uint8), np.ones((8, 8), np.uint8))
SEEN = {
    1: STORED,
    2: np.fliplr(STORED),
    3: np.rot90(STORED, 2),
    4: np.flipud(STORED),
    5: STORED.T,
    6: np.rot90(STORED, -1),
    7: np.rot90(STORED, 2).T,
    8: np.rot90(STORED, 1),
    9: STORED,  # means nothing
}


def exif(orientation, order):
    """Return Exif data of two entries, the second one the orientation."""
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HI", 42, 8)
    other = struct.pack(f"{order}HHIHH", 0x0100, 3, 1, 24, 0)
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return head + struct.pack(f"{order}H", 2) + other + entry + bytes(4)


def jpeg(orientation, order):
    data = imagecodecs.jpeg8_encode(STORED, level=100)
    length = 2 + int.from_bytes(data[4:6], "big")  # behind the first segment, JFIF
    held = b"Exif\0\0" + exif(orientation, order)
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(held)) + held
    return data[: 2 + length] + segment + data[2 + length :]


def png(orientation, order):
    data = imagecodecs.png_encode(STORED)
    body = b"eXIf" + exif(orientation, order)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:33] + chunk + data[33:]  # behind the header


@pytest.mark.parametrize("orientation", SEEN)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("suffix", "make"), [(".jpg", jpeg), (".png", png)])
def test_a_picture_is_shown_as_it_was_held(tmp_path, suffix, make, order, orientation):
    path = tmp_path / f"held{suffix}"
    path.write_bytes(make(orientation, order))
    with closing(open_run(path).frames) as frames:
        shown = frames.read(0)
    assert shown.shape == SEEN[orientation].shape
    np.testing.assert_allclose(shown.astype(int), SEEN[orientation], atol=3)


@pytest.mark.parametrize("orientation", SEEN)
def test_a_tiff_is_shown_as_it_was_held(tmp_path, orientation):
    path = tmp_path / "held.tif"
    tifffile.imwrite(path, STORED, extratags=[(274, 3, 1, orientation, True)])
    run = open_run(path)
    with closing(run.frames):
        np.testing.assert_array_equal(run.frames.read(0), SEEN[orientation])
    assert (run.rows, run.columns) == SEEN[orientation].shape


def test_a_picture_whose_exif_data_end_too_early_is_shown_as_stored(tmp_path):
    path = tmp_path / "cut.png"
    data = png(6, "<")
    at = data.index(b"eXIf")
    body = data[at : at + 4 + 12]
    chunk = struct.pack(">I", 12) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(imagecodecs.png_encode(STORED)[:33] + chunk + data[at + 4 + 38 + 4 :])
    with closing(open_run(path).frames) as frames:
        np.testing.assert_array_equal(frames.read(0), STORED)


def test_a_jpeg_may_hold_fill_bytes_before_its_markers(tmp_path):
    data = imagecodecs.jpeg8_encode(STORED, level=100)
    at = data.index(b"\xff\xdb")
    path = tmp_path / "filled.jpg"
    path.write_bytes(data[:at] + b"\xff\xff" + data[at:])
    run = open_run(path)
    with closing(run.frames):
        assert run.grey.bits_stored == 8
        np.testing.assert_allclose(run.frames.read(0).astype(int), STORED, atol=3)
