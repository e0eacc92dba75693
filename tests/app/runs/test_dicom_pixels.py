"""Stored pixel values come out of every transfer syntax and pixel layout as they went in."""

from __future__ import annotations

import threading

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from app.runs.opening import open_run
from app.runs.run import RunError

LOSSLESS = ("J2KR", "JLSL", "JPLL", "RLE")
LOSSY = {"J2KI": 8, "JLSN": 4, "JPLY": 130}


def read_all(path):
    run = open_run(path)
    try:
        return np.stack([run.frames.read(i) for i in range(run.frame_count)])
    finally:
        run.frames.close()


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_samples_equal_the_uncompressed_one(shared_data, kind):
    reference = read_all(shared_data / "nema_wg04" / "XA1_UNC.dcm")
    assert reference.shape == (1, 1024, 1024)
    assert reference.max() == 504
    np.testing.assert_array_equal(
        read_all(shared_data / "nema_wg04" / f"XA1_{kind}.dcm"), reference
    )


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_samples_are_close_to_the_uncompressed_one(shared_data, kind):
    reference = read_all(shared_data / "nema_wg04" / "XA1_UNC.dcm").astype(int)
    difference = np.abs(read_all(shared_data / "nema_wg04" / f"XA1_{kind}.dcm") - reference)
    assert difference.max() <= LOSSY[kind]
    assert difference.mean() < 3


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_uncompressed_syntaxes(tmp_path, make_dataset, syntax, dtype):
    pixels = (np.arange(3 * 5 * 6).reshape(3, 5, 6) * 300 % 65536 - 200).astype(dtype)
    dataset = make_dataset(pixels)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        if dtype == np.uint8:
            dataset["PixelData"].VR = "OB"
        else:
            dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
            dataset["PixelData"].VR = "OW"
    path = tmp_path / "run.dcm"
    dataset.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(read_all(path), pixels)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (JPEGLosslessSV1, lambda f: imagecodecs.ljpeg_encode(f, bitspersample=12)),
        (JPEGLSLossless, imagecodecs.jpegls_encode),
        (
            JPEG2000Lossless,
            lambda f: imagecodecs.jpeg2k_encode(f, reversible=True, codecformat="J2K"),
        ),
        (HTJ2KLossless, lambda f: imagecodecs.htj2k_encode(f, reversible=True)),
    ],
)
def test_multiframe_lossless(write_compressed, syntax, encode):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 4096, (4, 32, 40), dtype=np.uint16)
    streams = [bytes(encode(frame)) for frame in pixels]
    path = write_compressed(streams, pixels, syntax, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read_all(path), pixels)


def rle(frame):
    return RLELosslessEncoder.encode(
        frame.tobytes(), rows=frame.shape[0], columns=frame.shape[1], samples_per_pixel=1,
        bits_allocated=16, bits_stored=16, pixel_representation=0, number_of_frames=1,
        photometric_interpretation="MONOCHROME2",
    )  # fmt: skip


@pytest.mark.parametrize("high_bit", [15, 13])
@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (RLELossless, rle),
        (JPEGLosslessSV1, imagecodecs.ljpeg_encode),
        (JPEGLSLossless, imagecodecs.jpegls_encode),
        (
            JPEG2000Lossless,
            lambda f: imagecodecs.jpeg2k_encode(f, reversible=True, codecformat="J2K"),
        ),
    ],
)
def test_stored_bits_that_lie_high_in_their_cell(write_compressed, syntax, encode, high_bit):
    pixels = np.random.default_rng(3).integers(0, 4096, (2, 32, 40), dtype=np.uint16)
    streams = [bytes(encode(frame << (high_bit - 11))) for frame in pixels]
    path = write_compressed(streams, pixels, syntax, BitsStored=12, HighBit=high_bit)
    np.testing.assert_array_equal(read_all(path), pixels)


def test_signed_lossless(write_compressed):
    rng = np.random.default_rng(2)
    pixels = rng.integers(-2048, 2048, (2, 32, 40), dtype=np.int16)
    streams = [bytes(imagecodecs.jpegls_encode(f.view(np.uint16) & 0xFFF)) for f in pixels]
    path = write_compressed(streams, pixels, JPEGLSLossless, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read_all(path), pixels)


def test_rle_of_colour_becomes_grey(tmp_path, make_dataset):
    grey = np.arange(16 * 20, dtype=np.uint8).reshape(16, 20)
    colour = np.repeat(grey[np.newaxis, ..., np.newaxis], 3, axis=3)
    dataset = make_dataset(colour, PhotometricInterpretation="RGB")
    dataset.compress(RLELossless)
    dataset.save_as(tmp_path / "run.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_all(tmp_path / "run.dcm")[0], grey)


@pytest.mark.parametrize("planar", [0, 1])
def test_uncompressed_rgb_becomes_luminance(write_run, planar):
    rgb = np.zeros((1, 4, 6, 3), np.uint8)
    rgb[..., 0], rgb[..., 1] = 200, 100
    path = write_run(rgb, PhotometricInterpretation="RGB", PlanarConfiguration=planar)
    if planar:
        path = write_run(
            rgb,
            PhotometricInterpretation="RGB",
            PlanarConfiguration=1,
            PixelData=np.moveaxis(rgb[0], -1, 0).tobytes(),
        )
    assert set(read_all(path).ravel()) == {round(0.299 * 200 + 0.587 * 100)}


def test_ybr_gives_its_luminance(write_run):
    ybr = np.full((1, 4, 6, 3), 128, np.uint8)
    ybr[..., 0] = np.arange(24).reshape(4, 6)
    path = write_run(ybr, PhotometricInterpretation="YBR_FULL")
    np.testing.assert_array_equal(read_all(path)[0], ybr[0, ..., 0])


def test_ybr_with_halved_colour(write_run):
    luminance = np.arange(24, dtype=np.uint8).reshape(4, 6)
    stream = np.full((12, 4), 128, np.uint8)
    stream[:, :2] = luminance.reshape(-1, 2)
    colour = np.zeros((1, 4, 6, 3), np.uint8)
    path = write_run(colour, PhotometricInterpretation="YBR_FULL_422", PixelData=stream.tobytes())
    np.testing.assert_array_equal(read_all(path)[0], luminance)


def test_palette(write_run):
    indices = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    levels = (np.arange(256) * 256).astype("<u2").tobytes()
    attributes = {
        f"{c}PaletteColorLookupTableDescriptor": [256, 0, 16] for c in ("Red", "Green", "Blue")
    } | {f"{c}PaletteColorLookupTableData": levels for c in ("Red", "Green", "Blue")}
    path = write_run(indices, PhotometricInterpretation="PALETTE COLOR", **attributes)
    run = open_run(path)
    assert run.grey.bits_stored == 16
    np.testing.assert_array_equal(run.frames.read(0), indices[0].astype(np.uint16) * 256)
    run.frames.close()


def test_jpeg_baseline_of_rubo(shared_data):
    frames = read_all(shared_data / "rubo" / "0002.DCM")
    assert frames.shape == (96, 512, 512)
    assert frames.dtype == np.uint8
    dataset = pydicom.dcmread(shared_data / "rubo" / "0002.DCM")
    stream = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=96))
    np.testing.assert_array_equal(frames[0], imagecodecs.jpeg8_decode(stream))


def test_bits_beside_the_stored_ones_are_dropped(write_run):
    values = np.arange(4 * 6, dtype=np.uint16).reshape(1, 4, 6) * 40
    overlay = values | 0xF000
    np.testing.assert_array_equal(read_all(write_run(overlay, BitsStored=12, HighBit=11)), values)
    shifted = values << 4
    np.testing.assert_array_equal(read_all(write_run(shifted, BitsStored=12, HighBit=15)), values)


def test_eight_bits_in_sixteen_take_eight(write_run):
    values = np.arange(24, dtype=np.uint16).reshape(1, 4, 6) * 10
    frames = read_all(write_run(values, BitsStored=8, HighBit=7))
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, values)


def test_signed_values_are_extended_from_the_stored_bits(write_run):
    values = np.array([[[-2048, -1, 0, 2047]]], np.int16)
    stored = values & 0x0FFF
    np.testing.assert_array_equal(read_all(write_run(stored, BitsStored=12, HighBit=11)), values)


@pytest.mark.parametrize("table", ["basic", "extended", "none", "wrong"])
def test_frames_of_several_fragments(tmp_path, make_dataset, table):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (5, 32, 40), dtype=np.uint8)
    streams = [bytes(imagecodecs.jpegls_encode(frame)) for frame in pixels]
    dataset = make_dataset(pixels)
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    if table == "extended":
        data, offsets, lengths = encapsulate_extended(streams)
        dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    else:
        data = encapsulate(streams, fragments_per_frame=3, has_bot=table in ("basic", "wrong"))
    if table == "wrong":
        data = data[:12] + b"\x07\0\0\0" + data[16:]
    dataset.PixelData = data
    dataset["PixelData"].VR = "OB"
    path = tmp_path / "run.dcm"
    dataset.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(read_all(path), pixels)


def test_frames_can_be_read_from_several_threads(shared_data):
    run = open_run(shared_data / "rubo" / "0002.DCM")
    expected = [run.frames.read(i) for i in range(8)]
    wrong = []

    def check():
        for _ in range(3):
            for i, frame in enumerate(expected):
                if not np.array_equal(run.frames.read(i), frame):
                    wrong.append(i)

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.frames.close()
    assert not wrong


def test_a_stream_larger_than_its_header_is_refused_before_decoding(write_compressed):
    pixels = np.zeros((1, 32, 40), np.uint8)
    stream = bytearray(imagecodecs.jpeg8_encode(pixels[0]))
    at = stream.index(b"\xff\xc0") + 5
    stream[at : at + 4] = b"\xff\xff\xff\xff"  # 65535 x 65535
    path = write_compressed([bytes(stream)], pixels, JPEGBaseline8Bit)
    with pytest.raises(RunError, match="65535 x 65535"):
        open_run(path)


def test_one_damaged_frame_leaves_the_others(write_compressed):
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 256, (3, 32, 40), dtype=np.uint8)
    streams = [bytes(imagecodecs.jpegls_encode(frame)) for frame in pixels]
    streams[1] = b"\0" * len(streams[1])
    run = open_run(write_compressed(streams, pixels, JPEGLSLossless))
    with pytest.raises(RunError, match="Frame 2"):
        run.frames.read(1)
    np.testing.assert_array_equal(run.frames.read(2), pixels[2])
    run.frames.close()


def test_reading_after_closing_is_an_error(shared_data):
    run = open_run(shared_data / "rubo" / "0002.DCM")
    run.frames.close()
    with pytest.raises(RunError):
        run.frames.read(0)
