"""Every frame that a DICOM file holds is found under its number, whatever its header says."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from app.runs import allowance
from app.runs.catalog import scan
from app.runs.opening import open_run
from app.runs.run import RunError

PIXELS = np.stack([np.arange(24 * 16).reshape(24, 16) % 180 + 7 * k for k in range(6)]).astype(
    np.uint8
)
"""Six frames of 16 x 24 pixels; frame k is a ramp that begins at 7 k."""


def frames_of(path):
    """Return the frames of a file by number, None where one cannot be shown, and its notes."""
    run = open_run(path)
    try:
        found = []
        for index in range(run.frame_count):
            try:
                found.append(run.frames.read(index))
            except RunError as error:
                assert f"Frame {index + 1} " in str(error)
                found.append(None)
        return found, run.notes
    finally:
        run.frames.close()


def assert_frames(path, expected, note=None):
    """Compare frames with PIXELS by number, and that a note tells what was wrong."""
    found, notes = frames_of(path)
    assert len(found) == len(expected)
    for frame, number in zip(found, expected, strict=True):
        if number is None:
            assert frame is None
        else:
            np.testing.assert_array_equal(frame, PIXELS[number])
    assert any(note in each for each in notes) if note else not _about_frames(notes)
    (entry,) = scan(path)
    assert entry.frame_count == len(expected)


def _about_frames(notes):
    return [note for note in notes if "frame times" not in note]


def jpeg_ls(frame):
    return bytes(imagecodecs.jpegls_encode(frame))


@pytest.mark.parametrize(
    ("declared", "note"),
    [
        (None, "does not say how many"),
        (0, "does not say how many"),
        (4, "4 frames, but it holds 6"),
        (1, "1 frames, but it holds 6"),
        (9, "9 frames, but it holds 6"),
        (2147483647, "2147483647 frames, but it holds 6"),
    ],
)
def test_number_of_frames_that_is_wrong(write_run, declared, note):
    assert_frames(write_run(PIXELS, NumberOfFrames=declared), range(6), note)


def test_a_file_that_is_cut_off_keeps_its_whole_frames(write_run):
    path = write_run(PIXELS)
    path.write_bytes(path.read_bytes()[:-500])
    assert_frames(path, range(4), "2 of 6 frames are missing")


@pytest.mark.parametrize("declared", [None, 1, 4, 6, 9])
@pytest.mark.parametrize("table", ["basic", "none", "short", "extended"])
@pytest.mark.parametrize("fragments", [1, 3])
def test_number_of_frames_of_compressed_files(tmp_path, make_dataset, declared, table, fragments):
    streams = [jpeg_ls(frame) for frame in PIXELS]
    dataset = make_dataset(PIXELS, NumberOfFrames=declared)
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    if table == "extended":
        if fragments > 1:
            return  # its frames lie in one fragment each
        data, offsets, lengths = encapsulate_extended(streams)
        dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    else:
        data = encapsulate(streams, fragments_per_frame=fragments, has_bot=table != "none")
    if table == "short":  # of four frames only
        size = int.from_bytes(data[4:8], "little")
        data = data[:4] + (16).to_bytes(4, "little") + data[8:24] + data[8 + size :]
    dataset.PixelData = data
    dataset["PixelData"].VR = "OB"
    path = tmp_path / "run.dcm"
    dataset.save_as(path, enforce_file_format=True)
    assert_frames(path, range(6), None if declared == 6 else "it holds" if declared else "all 6")


def item(data):
    data += b"\0" * (len(data) % 2)
    return b"\xfe\xff\x00\xe0" + len(data).to_bytes(4, "little") + data


END = b"\xfe\xff\xdd\xe0\0\0\0\0"


@pytest.fixture
def write_items(tmp_path, make_dataset):
    """Return a function that writes these fragments, with an offset table or an empty one."""

    def write(fragments, declared=6, *, table=False, syntax=JPEGLSLossless, end=END):
        items = [item(fragment) for fragment in fragments]
        offsets = np.cumsum([0, *map(len, items[:-1])]).astype("<u4").tobytes() if table else b""
        dataset = make_dataset(PIXELS, NumberOfFrames=declared)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = item(offsets) + b"".join(items) + END
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        path = tmp_path / "items.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("empty", [[2], [0], [5], [1, 2], [0, 5]])
def test_an_empty_item_is_a_frame_that_is_missing(write_items, table, empty):
    streams = [b"" if k in empty else jpeg_ls(frame) for k, frame in enumerate(PIXELS)]
    expected = [None if k in empty else k for k in range(6)]
    assert_frames(write_items(streams, table=table), expected, f"frames: {empty[0] + 1}")


def test_empty_items_beyond_the_declared_frames_are_no_frames(write_items):
    streams = [jpeg_ls(frame) for frame in PIXELS]
    assert_frames(write_items([*streams, b"", b""]), range(6))
    assert_frames(write_items([*streams[:3], b"", *streams[3:]]), range(6))


def test_frames_of_rle_in_one_or_more_items(tmp_path, make_dataset):
    dataset = make_dataset(PIXELS, NumberOfFrames=6)
    dataset.compress(RLELossless)
    dataset.NumberOfFrames = 2
    dataset.save_as(tmp_path / "run.dcm", enforce_file_format=True)
    assert_frames(tmp_path / "run.dcm", range(6), "2 frames, but it holds 6")


# transfer syntaxes that lie


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless]
)
@pytest.mark.parametrize("codec", ["jpeg_ls", "jpeg_2000"])
def test_streams_are_decoded_by_what_they_are(write_items, syntax, codec):
    encode = {
        "jpeg_ls": jpeg_ls,
        "jpeg_2000": lambda f: bytes(
            imagecodecs.jpeg2k_encode(f, reversible=True, codecformat="J2K")
        ),
    }[codec]
    assert_frames(write_items([encode(frame) for frame in PIXELS], syntax=syntax), range(6))


@pytest.mark.parametrize(
    ("real", "said"), [(RLELossless, JPEG2000Lossless), (JPEG2000Lossless, RLELossless)]
)
def test_frames_of_several_items_by_a_wrong_name(tmp_path, make_dataset, real, said):
    dataset = make_dataset(PIXELS)
    if real == RLELossless:
        dataset.compress(RLELossless)
        streams = list(generate_frames(dataset.PixelData, number_of_frames=6))
    else:
        streams = [
            bytes(imagecodecs.jpeg2k_encode(f, reversible=True, codecformat="J2K")) for f in PIXELS
        ]
    dataset.file_meta.TransferSyntaxUID = real
    dataset.PixelData = encapsulate(streams, fragments_per_frame=2, has_bot=False)
    dataset["PixelData"].VR = "OB"
    dataset.save_as(tmp_path / "run.dcm", enforce_file_format=True)
    assert_frames(relabel(tmp_path / "run.dcm", said), range(6))


def relabel(path, syntax):
    """Write another transfer syntax into the meta information, and leave all else as it is."""
    uid = str(syntax).encode()
    uid += b"\0" * (len(uid) % 2)
    data = path.read_bytes()
    at = data.index(b"\x02\x00\x10\x00UI") + 6
    old = int.from_bytes(data[at : at + 2], "little")
    meta_length = int.from_bytes(data[140:144], "little") + len(uid) - old
    data = data[:at] + len(uid).to_bytes(2, "little") + uid + data[at + 2 + old :]
    path.write_bytes(data[:140] + meta_length.to_bytes(4, "little") + data[144:])
    return path


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, JPEGBaseline8Bit, JPEG2000Lossless, ImplicitVRLittleEndian]
)
def test_rle_by_any_other_name(tmp_path, make_dataset, syntax):
    dataset = make_dataset(PIXELS)
    dataset.compress(RLELossless)
    dataset.save_as(tmp_path / "run.dcm", enforce_file_format=True)
    assert_frames(relabel(tmp_path / "run.dcm", syntax), range(6))


def test_a_compressed_picture_without_items_is_no_noise(write_run):
    noise = np.random.default_rng(4).integers(0, 256, PIXELS.shape[1:], dtype=np.uint8)
    stream = imagecodecs.jpeg8_encode(noise, level=100)
    assert len(stream) > noise.nbytes
    path = write_run(noise, PixelData=stream + b"\0" * (len(stream) % 2))
    with pytest.raises(RunError, match="calls its picture uncompressed"):
        open_run(path)


def test_pixels_that_begin_like_a_jpeg_are_pixels(write_run):
    frames = PIXELS.copy()
    stream = np.frombuffer(jpeg_ls(frames[0]), np.uint8)
    assert stream.size < frames[0].size
    frames[0].ravel()[: stream.size] = stream
    found, notes = frames_of(write_run(frames))
    np.testing.assert_array_equal(np.stack(found), frames)
    assert not _about_frames(notes)


@pytest.mark.parametrize(
    "syntax",
    [JPEGBaseline8Bit, RLELossless, JPEG2000Lossless, DeflatedExplicitVRLittleEndian, "1.2.3.4"],
)
def test_plain_pixels_that_are_called_compressed(write_run, syntax):
    assert_frames(relabel(write_run(PIXELS), syntax), range(6))


@pytest.mark.parametrize("said", [ExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLSLossless])
@pytest.mark.parametrize("real", [ExplicitVRBigEndian, ImplicitVRLittleEndian])
def test_byte_order_and_representation_are_told_by_the_data(tmp_path, make_dataset, real, said):
    pixels = PIXELS.astype(np.uint16) * 200
    dataset = make_dataset(pixels)
    dataset.file_meta.TransferSyntaxUID = real
    if real == ExplicitVRBigEndian:
        dataset.PixelData = pixels.astype(">u2").tobytes()
        dataset["PixelData"].VR = "OW"
    path = tmp_path / "run.dcm"
    dataset.save_as(path, enforce_file_format=True)
    found, _ = frames_of(relabel(path, said))
    np.testing.assert_array_equal(found, pixels)


def test_deflated_but_called_plain(tmp_path, make_dataset):
    dataset = make_dataset(PIXELS)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = tmp_path / "run.dcm"
    dataset.save_as(path, enforce_file_format=True)
    assert_frames(path, range(6))
    assert_frames(relabel(path, ExplicitVRLittleEndian), range(6))


@pytest.mark.parametrize("compressed", [False, True])
def test_pixel_element_without_its_value_representation(write_run, write_items, compressed):
    path = write_items([jpeg_ls(f) for f in PIXELS]) if compressed else write_run(PIXELS)
    data = path.read_bytes()
    at = data.index(b"\xe0\x7f\x10\x00OB\0\0")
    path.write_bytes(data[: at + 4] + data[at + 8 :])
    assert_frames(path, range(6))


def test_a_stream_of_no_known_kind_is_refused_in_a_sentence(write_items):
    with pytest.raises(RunError, match="cannot be shown: frame 1 cannot be decoded: it is compr"):
        open_run(write_items([b"\x01\x02\x03\x04" * 20 for _ in range(6)]))


# odd lengths in big endian words


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (5, 7), (4, 5)])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("representation", ["OW", "OB"])
def test_odd_frames_in_big_endian_words(
    tmp_path, make_dataset, rows, columns, count, representation
):
    pixels = np.arange(count * rows * columns, dtype=np.uint8).reshape(count, rows, columns)
    dataset = make_dataset(pixels)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    data = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    if representation == "OW":
        data = np.frombuffer(data, "<u2").astype(">u2").tobytes()
    dataset.PixelData = data
    dataset["PixelData"].VR = representation
    path = tmp_path / "run.dcm"
    dataset.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(frames_of(path)[0], pixels)


# allowances


def test_more_frames_than_can_be_handled_are_refused_at_once(write_run, monkeypatch):
    monkeypatch.setattr(allowance, "MAX_FRAMES", 5)
    path = write_run(PIXELS, name="long.dcm")
    with pytest.raises(RunError, match=r"long\.dcm holds 6 frames"):
        open_run(path)
    (entry,) = scan(path)
    assert "holds 6 frames" in entry.error


@pytest.mark.parametrize("samples", [1, 3])
def test_a_stream_that_declares_more_than_it_holds_is_not_decoded(
    write_compressed, monkeypatch, samples
):
    monkeypatch.setattr(allowance, "FREE_BYTES", 1 << 16)
    shape = (1, 1024, 1024) if samples == 1 else (1, 1024, 1024, 3)
    like = np.zeros(shape, np.uint8)
    stream = bytearray(imagecodecs.jpeg8_encode(like[0, :16, :16]))
    at = stream.index(b"\xff\xc0") + 5
    stream[at : at + 4] = (1024).to_bytes(2, "big") * 2
    with pytest.raises(RunError, match=r"declares [13] MB but stores only"):
        open_run(write_compressed([bytes(stream)], like, JPEGBaseline8Bit))


# found in the field


def test_a_lie_found_in_the_field_costs_nothing(shared_data):
    with pytest.raises(RunError, match="declares 192 MB but stores only"):
        open_run(shared_data / "field_cases" / "attacks" / "jpeg_lie_8192.dcm")


def test_rle_that_cannot_be_so_large_is_refused_before_it_is_decoded():
    from app.runs.codestreams import CodestreamError, decode_rle

    with pytest.raises(CodestreamError, match="too short for the declared size"):
        decode_rle(bytes(100), 1, 64 * 100 + 1, 1, np.dtype(np.uint8))
