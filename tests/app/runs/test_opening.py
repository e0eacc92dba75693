"""Anything opens as what it is, and anything broken says so in one sentence, soon."""

from __future__ import annotations

import io
import itertools
import os
import tracemalloc
import zipfile
from fractions import Fraction

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile

from app.runs.files import HeaderReader
from app.runs.opening import open_run
from app.runs.run import RunError, SpacingSource, TimingSource

MAY_OPEN = {  # sound images among the bad inputs, and how many frames they have
    "fodicom_D_CLUNIE_CT1_RLE_FRAGS.dcm": 1,
    "fodicom_GH227.dcm": 1,
    "fodicom_genFile.dcm": 1,  # says JPEG, holds plain pixels
    "orthanc_MultiframeWindowing.dcm": 4,
}
BAD_INPUTS = [
    "angiodata_header_only.IMA",
    "fodicom_D_CLUNIE_CT1_RLE_FRAGS.dcm",
    "fodicom_GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm",
    "fodicom_GH220.dcm",
    "fodicom_GH223.dcm",
    "fodicom_GH227.dcm",
    "fodicom_GH487.dcm",
    "fodicom_Issue1097_FailToOpenDeflatedFileWithSQ.dcm",
    "fodicom_genFile.dcm",
    "orthanc_2026-05-26-oob-monochrome-46341.dcm",
    "orthanc_2026-05-26-oob-monochrome-65535.dcm",
    "orthanc_Issue111.dcm",
    "orthanc_Issue146.dcm",
    "orthanc_Issue195-bis.dcm",
    "orthanc_Issue195.dcm",
    "orthanc_Issue196.dcm",
    "orthanc_MultiframeWindowing.dcm",
]


def read_all(run):
    try:
        return np.stack([run.frames.read(i) for i in range(run.frame_count)])
    finally:
        run.frames.close()


def is_one_plain_sentence(text):
    return (
        text.endswith((".", "?"))
        and "\n" not in text
        and len(text) < 250
        and not any(word in text for word in ("Traceback", "Error(", "0x", "NoneType", "object at"))
    )


def refused(path):
    """Return the sentence with which a path is refused."""
    with pytest.raises(RunError) as caught:
        open_run(path)
    assert is_one_plain_sentence(str(caught.value)), str(caught.value)
    return str(caught.value)


# broken


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_inputs_open_right_or_are_refused_plainly(shared_data, name):
    path = shared_data / "bad_inputs" / name
    tracemalloc.start()
    if name in MAY_OPEN:
        assert len(read_all(open_run(path))) == MAY_OPEN[name]
    else:
        refused(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20


def test_the_list_of_bad_inputs_is_whole(shared_data):
    assert sorted(p.name for p in (shared_data / "bad_inputs").iterdir()) == sorted(BAD_INPUTS)


@pytest.mark.parametrize("name", ["rubo/0002.DCM", "nema_wg04/XA1_UNC.dcm"])
def test_truncated_copies_open_in_part_or_are_refused(shared_data, tmp_path, name):
    data = (shared_data / name).read_bytes()
    whole = open_run(shared_data / name)
    rng = np.random.default_rng(7)
    ends = [*rng.integers(1, len(data), 40), *rng.integers(1, 4000, 10)]
    for end in sorted(int(e) for e in ends):
        path = tmp_path / "cut.dcm"
        path.write_bytes(data[:end])
        try:
            run = open_run(path)
        except RunError as error:
            assert is_one_plain_sentence(str(error)), str(error)
        else:
            missing = whole.frame_count - run.frame_count
            assert missing == 0 or f"{missing} of {whole.frame_count} frames" in run.notes[0]
            last = run.frame_count - 1
            np.testing.assert_array_equal(run.frames.read(last), whole.frames.read(last))
            run.frames.close()
    whole.frames.close()


@pytest.mark.parametrize("seed", range(4))
def test_scrambled_copies_never_raise_anything_else(shared_data, tmp_path, seed):
    original = (shared_data / "rubo" / "0002.DCM").read_bytes()[:40_000]
    rng = np.random.default_rng(seed)
    for _ in range(15):
        data = bytearray(original)
        for at in rng.integers(132, 10_000, 20):
            data[at] = rng.integers(0, 256)
        path = tmp_path / "scrambled.dcm"
        path.write_bytes(data)
        try:
            read_all(open_run(path))
        except RunError as error:
            assert is_one_plain_sentence(str(error)), str(error)


def test_empty_file(tmp_path):
    (tmp_path / "empty.dcm").touch()
    assert "empty" in refused(tmp_path / "empty.dcm")


@pytest.mark.parametrize("name", ["notes.txt", "notes.dcm", "notes.png", "notes.mp4", "notes.nii"])
def test_text_by_any_name(tmp_path, name):
    (tmp_path / name).write_text("These are notes about a run.\n" * 50)
    refused(tmp_path / name)


def test_missing_file(tmp_path):
    assert "does not exist" in refused(tmp_path / "nothing.dcm")


def test_empty_folder(tmp_path):
    refused(tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind here")
def test_unreadable_folder(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0)
    try:
        refused(locked)
    finally:
        locked.chmod(0o700)


def test_unreadable_folder_says_so(tmp_path, monkeypatch):
    def deny(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.iterdir", deny)
    assert "may not be read" in refused(tmp_path)


def test_header_of_zeros_without_end(tmp_path, monkeypatch):
    path = tmp_path / "zeros.dcm"
    with path.open("wb") as file:
        file.write(b"\0" * 128 + b"DICM")
        file.truncate(1 << 28)
    monkeypatch.setattr("app.runs.files.MAX_HEADER_READS", 1000)
    lengths = []
    read = HeaderReader.read

    def counted(reader, count=-1):
        data = read(reader, count)
        lengths.append(len(data))
        return data

    monkeypatch.setattr(HeaderReader, "read", counted)
    assert "endless header" in refused(path)
    assert len(lengths) <= 2000  # given up once: the parser does not begin again
    assert sum(lengths) < 1 << 20  # and the 256 MB behind were not read


def test_cut_jpeg_ls_stream_does_not_hang(tmp_path, shared_data):
    data = (shared_data / "nema_wg04" / "XA1_JLSN.dcm").read_bytes()
    at = data.index(b"\xff\xd8\xff\xf7") - 4
    cut = data[:at] + (65536).to_bytes(4, "little") + data[at + 4 : at + 4 + 65536]
    (tmp_path / "cut.dcm").write_bytes(cut)  # CharLS alone takes 5 s for it
    assert "cut off" in refused(tmp_path / "cut.dcm")


def test_endless_list_of_empty_fragments(tmp_path, make_dataset):
    dataset = make_dataset(np.zeros((2, 16, 16), np.uint8))
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.80"
    dataset.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0" * 500_000
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    path = tmp_path / "endless.dcm"
    with path.open("wb") as file:
        dataset.save_as(file, enforce_file_format=True)
    refused(path)


def test_pixels_declared_larger_than_the_file(write_run, ramp):
    path = write_run(ramp[:1], Rows=20000, Columns=20000)
    assert "20000 x 20000" in refused(path)


def test_deflated_bomb_is_refused(tmp_path, make_dataset, monkeypatch):
    monkeypatch.setattr("app.runs.allowance.FREE_BYTES", 1 << 20)
    dataset = make_dataset(np.zeros((1, 2048, 1024), np.uint8))
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    dataset.save_as(tmp_path / "bomb.dcm", enforce_file_format=True)
    refused(tmp_path / "bomb.dcm")


def test_picture_that_declares_too_much(tmp_path):
    data = bytearray(imagecodecs.png_encode(np.zeros((4, 4), np.uint8)))
    data[16:24] = b"\x00\x00\xff\xff" * 2
    (tmp_path / "huge.png").write_bytes(data)
    assert "65535 x 65535" in refused(tmp_path / "huge.png")


@pytest.mark.parametrize("name", ["cut.png", "cut.jpg", "cut.tif", "cut.npy", "cut.npz", "cut.mha"])
def test_cut_files_of_other_kinds(tmp_path, name):
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    path = tmp_path / name
    match path.suffix:
        case ".png":
            path.write_bytes(imagecodecs.png_encode(pixels))
        case ".jpg":
            path.write_bytes(imagecodecs.jpeg8_encode(pixels))
            path.write_bytes(path.read_bytes()[:100])
        case ".tif":
            tifffile.imwrite(path, pixels)
        case ".npy":
            np.save(path, pixels)
        case ".npz":
            np.savez(path, pixels)
        case ".mha":
            header = "ObjectType = Image\nNDims = 2\nDimSize = 64 64\nElementType = MET_UCHAR\n"
            path.write_bytes((header + "ElementDataFile = LOCAL\n").encode() + pixels.tobytes())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    refused(path)


def test_volume_that_declares_too_much(tmp_path):
    header = "ObjectType = Image\nNDims = 3\nDimSize = 40000 40000 40000\n"
    header += "ElementType = MET_USHORT\nElementDataFile = LOCAL\n"
    (tmp_path / "huge.mha").write_bytes(header.encode() + b"\0" * 100)
    refused(tmp_path / "huge.mha")


def test_stack_that_declares_too_much(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<u2", "fortran_order": False, "shape": (100000, 100000, 10)}
    )
    (tmp_path / "huge.npy").write_bytes(header.getvalue() + b"\0" * 100)
    refused(tmp_path / "huge.npy")
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("frames.npy", header.getvalue() + b"\0" * 100)
    refused(tmp_path / "huge.npz")


def test_pickled_stack_is_not_unpickled(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused(tmp_path / "objects.npy")


# sound


def test_dicom_by_a_wrong_name(shared_data, tmp_path):
    path = tmp_path / "run.png"
    path.write_bytes((shared_data / "rubo" / "0015.DCM").read_bytes())
    run = open_run(path)
    assert run.modality == "RF"
    run.frames.close()


def test_dicom_without_preamble(write_run, ramp, tmp_path):
    path = tmp_path / "bare"
    path.write_bytes(write_run(ramp).read_bytes()[132:])
    np.testing.assert_array_equal(read_all(open_run(path)), ramp)


def test_folder_of_pictures_in_natural_order(tmp_path):
    for number in (10, 2, 1, 100):
        (tmp_path / f"frame_{number}.png").write_bytes(
            imagecodecs.png_encode(np.full((8, 12), number, np.uint8))
        )
    (tmp_path / "notes.txt").write_text("none")
    run = open_run(tmp_path)
    assert read_all(run)[:, 0, 0].tolist() == [1, 2, 10, 100]
    assert run.timing_source is TimingSource.ASSUMED
    assert run.notes


def test_angiodata_run(shared_data):
    run = open_run(shared_data / "angiodata" / "P4_C5")
    assert (run.rows, run.columns) == (512, 512)
    assert run.frame_count == len(list((shared_data / "angiodata" / "P4_C5").iterdir()))
    assert run.frames.read(0).dtype == np.uint8


def test_picture_of_another_size_fails_alone(tmp_path):
    for number, size in enumerate((8, 9, 8)):
        pixels = np.full((size, 12), number, np.uint8)
        (tmp_path / f"{number}.png").write_bytes(imagecodecs.png_encode(pixels))
    run = open_run(tmp_path)
    with pytest.raises(RunError, match="12 x 9"):
        run.frames.read(1)
    assert run.frames.read(2).max() == 2


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [
        *itertools.product([".png", ".tif", ".jp2"], [np.uint8, np.uint16]),
        (".bmp", np.uint8),
    ],
)
def test_single_pictures_keep_their_values(tmp_path, suffix, dtype):
    pixels = (np.arange(12 * 16).reshape(12, 16) * (20 if dtype == np.uint16 else 1)).astype(dtype)
    path = tmp_path / f"one{suffix}"
    match suffix:
        case ".png":
            path.write_bytes(imagecodecs.png_encode(pixels))
        case ".tif":
            tifffile.imwrite(path, pixels, compression="lzw")
        case ".jp2":
            path.write_bytes(imagecodecs.jpeg2k_encode(pixels, reversible=True))
        case ".bmp":
            path.write_bytes(cv2.imencode(".bmp", pixels)[1].tobytes())
    np.testing.assert_array_equal(read_all(open_run(path))[0], pixels)


def test_tiff_of_several_pages(tmp_path):
    pixels = np.arange(5 * 12 * 16, dtype=np.uint16).reshape(5, 12, 16)
    tifffile.imwrite(tmp_path / "stack.tif", pixels, photometric="minisblack")
    run = open_run(tmp_path / "stack.tif")
    assert run.frame_count == 5
    np.testing.assert_array_equal(read_all(run), pixels)


def test_colour_picture_becomes_grey(tmp_path):
    rgba = np.full((8, 8, 4), (10, 10, 10, 255), np.uint8)
    (tmp_path / "one.png").write_bytes(imagecodecs.png_encode(rgba))
    assert (read_all(open_run(tmp_path / "one.png")) == 10).all()


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_volumes(tmp_path, suffix, dtype):
    import SimpleITK

    pixels = (np.arange(4 * 10 * 12).reshape(4, 10, 12) % 200).astype(dtype)
    image = SimpleITK.GetImageFromArray(pixels)
    image.SetSpacing((0.2, 0.3, 1.0))
    path = tmp_path / f"volume{suffix}"
    SimpleITK.WriteImage(image, str(path))
    run = open_run(path)
    assert run.spacing.column_mm == pytest.approx(0.2)
    assert run.spacing.row_mm == pytest.approx(0.3)
    assert run.spacing.source is SpacingSource.FILE
    frames = read_all(run)
    assert frames.dtype == dtype
    np.testing.assert_allclose(run.grey.file_values(frames), pixels, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float64, bool])
def test_numpy_stacks(tmp_path, dtype):
    pixels = (np.arange(4 * 10 * 12).reshape(4, 10, 12) % 1000).astype(dtype)
    np.save(tmp_path / "stack.npy", pixels)
    np.savez_compressed(tmp_path / "stack.npz", frames=pixels)
    run = open_run(tmp_path / "stack.npy")
    frames = read_all(run)
    wanted = pixels * 255 if dtype is bool else pixels
    np.testing.assert_allclose(run.grey.file_values(frames), wanted, atol=1e-3)
    assert run.frame_times_ms.shape == (4,)
    np.testing.assert_array_equal(read_all(open_run(tmp_path / "stack.npz")), frames)


def test_bits_of_a_stack_follow_its_values(tmp_path):
    np.save(tmp_path / "stack.npy", np.full((2, 4, 4), 900, np.uint16))
    run = open_run(tmp_path / "stack.npy")
    assert run.grey.bits_stored == 10
    run.frames.close()


@pytest.fixture
def video(tmp_path):
    """A video of 40 frames at 25 frames/s with key frames 12 apart; frame k is 5 k bright."""
    import av

    path = tmp_path / "run.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1", "bf": "2"})
        stream.width, stream.height, stream.gop_size = 64, 48, 12
        stream.sample_aspect_ratio = Fraction(16, 15)
        stream.pix_fmt = "yuv420p"
        for k in range(40):
            pixels = np.full((48, 64), 16 + 5 * k, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="gray")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_video_in_order_and_out_of_it(video):
    run = open_run(video)
    assert run.frame_count == 40
    assert run.timing_source is TimingSource.VIDEO
    assert run.pixel_aspect_ratio == pytest.approx(15 / 16)
    np.testing.assert_allclose(run.frame_times_ms, np.arange(40) * 40, atol=1e-6)
    in_order = [float(run.frames.read(i).mean()) for i in range(40)]
    assert np.all(np.diff(in_order) > 3)
    fresh = open_run(video)
    for index in (39, 0, 20, 19, 21, 35, 11, 12, 13, 1):
        assert float(fresh.frames.read(index).mean()) == in_order[index]
    run.frames.close()
    fresh.frames.close()


def test_the_file_is_never_written_to(shared_data):
    path = shared_data / "rubo" / "0015.DCM"
    before = path.stat()
    read_all(open_run(path))
    after = path.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
