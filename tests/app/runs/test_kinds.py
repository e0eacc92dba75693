"""Kinds of input that failed in the field and belong to no reader in particular, made here."""

import os
import re

import numpy as np
import pytest
import tifffile

from app.runs.catalog import scan
from app.runs.frames import FrameCache
from app.runs.opening import open_run
from app.runs.run import RunError


@pytest.fixture
def opened():
    """Open runs that are closed at the end."""
    runs = []

    def open_path(path):
        runs.append(open_run(path))
        return runs[-1]

    yield open_path
    for run in runs:
        run.frames.close()


def fading_in(count=6):
    """Frames of 12 bits, the first one nearly black; shape (count, 24, 32)."""
    ramp = np.arange(24 * 32).reshape(24, 32) * 4
    return np.stack([ramp * (n + 0.1) / count for n in range(count)]).astype(np.uint16)


def write_tiff(path):
    tifffile.imwrite(path, fading_in(), photometric="minisblack")
    return path


def write_pictures(path):
    import cv2

    path.mkdir()
    for number, frame in enumerate(fading_in()):
        cv2.imwrite(str(path / f"{number}.png"), frame)
    return path


@pytest.mark.parametrize(
    ("name", "write"), [("stack.tif", write_tiff), ("pictures", write_pictures)]
)
def test_the_grey_scale_holds_all_frames_though_the_first_is_dark(tmp_path, opened, name, write):
    run = opened(write(tmp_path / name))
    highest = int(run.frames.read(5).max())
    assert highest < 1 << run.grey.bits_stored
    assert run.nominal_range[1] >= highest


def test_a_page_that_is_no_picture_is_refused_and_the_rest_is_shown(tmp_path, opened):
    with tifffile.TiffWriter(tmp_path / "pages.tif") as writer:
        for number, page in enumerate(fading_in()):
            kind = np.complex64 if number == 3 else np.uint16
            writer.write(page.astype(kind), contiguous=False)
    run = opened(tmp_path / "pages.tif")
    cache = FrameCache(run)
    try:
        with pytest.raises(RunError):
            cache.wait(3)
        assert [cache.wait(n).shape for n in (0, 1, 2, 4, 5)] == [(run.rows, run.columns)] * 5
    finally:
        cache.close()


def test_whatever_a_reader_meets_becomes_the_error_of_its_frame(tmp_path, opened):
    run = opened(write_tiff(tmp_path / "stack.tif"))

    def read(index):
        if index == 2:
            raise AttributeError("nobody foresaw this")
        return np.zeros((24, 32), np.uint16)

    run.frames.read = read
    cache = FrameCache(run)
    try:
        for _ in range(2):  # nobody waits for ever, asked again neither
            with pytest.raises(RunError, match="Frame 3 is damaged"):
                cache.wait(2)
        assert cache.wait(5).shape == (24, 32)
    finally:
        cache.close()


def test_one_bad_entry_does_not_end_a_scan(tmp_path, monkeypatch):
    for name in ("a", "m", "z"):
        np.save(tmp_path / f"{name}.npy", fading_in())
    (tmp_path / "n¹²").mkdir()
    write_pictures(tmp_path / "n¹²" / "1²3")
    os.mkfifo(tmp_path / "pipe.mhd")
    from app.runs import catalog

    kind_of = catalog.kind_of

    def breaks(path):
        if path.name == "m.npy":
            raise KeyError("nobody foresaw this")
        return kind_of(path)

    monkeypatch.setattr(catalog, "kind_of", breaks)
    found = {entry.path.name: entry.error for entry in scan(tmp_path)}
    assert found.keys() >= {"a.npy", "m.npy", "z.npy", "1²3"}
    assert found["m.npy"] == "m.npy is damaged; copy or export it again."
    assert found["z.npy"] is None


def test_a_name_that_is_not_plain_text_is_opened(tmp_path, opened):
    import SimpleITK

    good = tmp_path / "good.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((3, 8, 9), np.uint8)), str(good))
    odd = tmp_path / os.fsdecode(b"caf\xe9.mha")
    good.rename(odd)
    assert opened(odd).frame_count == 3
    (entry,) = scan(odd)
    assert (entry.title, entry.frame_count, entry.error) == ("caf\ufffd.mha", 3, None)


@pytest.mark.parametrize(
    "named", ["/etc/passwd", "../secret.raw", "link.raw", "LIST\n../secret.raw"]
)
def test_a_header_names_data_in_its_own_folder_only(tmp_path, named):
    (tmp_path / "secret.raw").write_bytes(bytes(3 * 8 * 9))
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "link.raw").symlink_to(tmp_path / "secret.raw")
    header = "ObjectType = Image\nNDims = 3\nDimSize = 9 8 3\nElementType = MET_UCHAR\n"
    (folder / "run.mhd").write_text(f"{header}ElementDataFile = {named}\n")
    with pytest.raises(RunError, match="outside its own folder"):
        open_run(folder / "run.mhd")


def test_a_header_with_its_data_beside_it_opens(tmp_path, opened):
    (tmp_path / "run.raw").write_bytes(bytes(range(216)))
    header = "ObjectType = Image\nNDims = 3\nDimSize = 9 8 3\nElementType = MET_UCHAR\n"
    (tmp_path / "run.mhd").write_text(f"{header}ElementDataFile = run.raw\n")
    run = opened(tmp_path / "run.mhd")
    assert (run.frame_count, run.rows, run.columns) == (3, 8, 9)


@pytest.mark.parametrize("shape", [(6, 1, 8, 9), (1, 6, 8, 9)])
def test_axes_of_length_one_are_no_frames(tmp_path, opened, shape):
    import SimpleITK

    stack = np.arange(6 * 8 * 9, dtype=np.int16).reshape(6, 8, 9)
    image = SimpleITK.GetImageFromArray(stack.reshape(shape), isVector=False)
    SimpleITK.WriteImage(image, str(tmp_path / "run.nrrd"))
    run = opened(tmp_path / "run.nrrd")
    assert (run.frame_count, run.rows, run.columns) == (6, 8, 9)
    assert (run.frames.read(4) == stack[4]).all()


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.array([[None, 1], [2, 3]], object), "holds Python objects; save numbers"),
        (np.zeros((2, 4, 4), np.complex64), "holds complex numbers"),
    ],
)
@pytest.mark.parametrize("save", [np.save, np.savez])
def test_arrays_that_are_no_pictures_say_what_they_hold(tmp_path, array, told, save):
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, array)
    with pytest.raises(RunError, match=told):
        open_run(path)


# files that are cut off: what is missing is said


def noise(count=6):
    return np.random.default_rng(3).integers(0, 256, (count, 64, 64), dtype=np.uint8)


@pytest.mark.parametrize(
    "options",
    [{"compression": "zlib"}, {"metadata": None}, {"bigtiff": True, "compression": "zlib"}],
)
def test_a_broken_list_of_pages_is_noted(tmp_path, opened, options):
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, noise(), photometric="minisblack", **options)
    assert not any("breaks off" in note for note in opened(path).notes)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 5])
    run = opened(path)
    assert run.frame_count < 6
    assert any(f"breaks off after {run.frame_count}" in note for note in run.notes)


def test_frames_behind_one_page_that_are_cut_off_are_counted(tmp_path, opened):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, noise(), photometric="minisblack", contiguous=True)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 2 * 4096 - 100])
    run = opened(path)
    assert run.frame_count == 4
    assert "The file is cut off: 2 of 6 frames are missing." in run.notes
    np.testing.assert_array_equal(run.frames.read(3), noise()[3])


def test_pages_behind_the_first_of_a_picture_in_a_folder_are_noted(tmp_path, opened):
    for number in range(3):
        tifffile.imwrite(tmp_path / f"{number}.tif", noise(2), photometric="minisblack")
    run = opened(tmp_path)
    assert run.frame_count == 3
    assert any("several pages" in note for note in run.notes)


@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
@pytest.mark.parametrize("missing", [1, 5000])
def test_a_nifti_without_its_end_is_not_shown_black(tmp_path, opened, suffix, missing):
    import SimpleITK

    path = tmp_path / f"run.{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise()), str(path))
    assert opened(path).frame_count == 6
    path.write_bytes(path.read_bytes()[: -missing if suffix == "nii" else -missing - 8])
    with pytest.raises(RunError, match="ends before its last frame"):
        open_run(path)


@pytest.mark.parametrize("damage", ["cut", "changed", "no size"])
def test_packed_data_that_are_damaged_are_no_picture(tmp_path, damage):
    import SimpleITK

    path = tmp_path / "run.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise()), str(path), True)
    data = path.read_bytes()
    match damage:
        case "cut":
            data = data[:-500]
        case "changed":
            data = data[:9000] + bytes(64) + data[9064:]
        case _:
            data = re.sub(rb"CompressedDataSize = \d+\n", b"", data)
    path.write_bytes(data)
    with pytest.raises(RunError, match=r"ends before its last frame|is a damaged volume"):
        open_run(path)


@pytest.mark.parametrize("beside", [False, True])
def test_packed_data_that_are_whole_open(tmp_path, opened, beside):
    import SimpleITK

    path = tmp_path / ("run.mhd" if beside else "run.mha")
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise()), str(path), True)
    np.testing.assert_array_equal(opened(path).frames.read(5), noise()[5])


@pytest.mark.parametrize(
    ("kinds", "axes"),
    [
        ("time space space", (0, 1, 2)),
        ("space time space", (1, 0, 2)),
        ("space space time", (2, 0, 1)),
        ("list space space", (0, 1, 2)),
    ],
)
def test_the_axis_that_a_volume_calls_time_is_time(tmp_path, opened, kinds, axes):
    frames = np.random.default_rng(5).integers(0, 4096, (6, 20, 30), dtype=np.uint16)
    fastest_first = np.moveaxis(frames, (0, 2, 1), axes)  # frames, columns, rows
    sizes = " ".join(map(str, fastest_first.shape))
    header = "NRRD0004\ntype: uint16\nencoding: raw\nendian: little\ndimension: 3\n"
    header += f"sizes: {sizes}\nkinds: {kinds}\n\n"
    path = tmp_path / "run.nrrd"
    path.write_bytes(header.encode() + fastest_first.astype("<u2").tobytes(order="F"))
    run = opened(path)
    assert [entry.frame_count for entry in scan(path)] == [run.frame_count] == [6]
    np.testing.assert_array_equal([run.frames.read(i) for i in range(6)], frames)


@pytest.mark.filterwarnings("error")
def test_halves_are_numbers(tmp_path, opened):
    frames = np.linspace(0, 1, 3 * 20 * 30).reshape(3, 20, 30).astype(np.float16)
    frames[1, 0, 0] = np.inf
    np.save(tmp_path / "halves.npy", frames)
    run = opened(tmp_path / "halves.npy")
    shown = run.grey.file_values(run.frames.read(2))
    np.testing.assert_allclose(shown, frames[2], atol=1e-3)


def test_colour_frames_behind_one_page_are_all_there(tmp_path, opened):
    frames = np.random.default_rng(6).integers(0, 256, (4, 20, 30, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", frames, imagej=True, truncate=True)
    run = opened(tmp_path / "stack.tif")
    assert run.frame_count == 4
    grey = frames[3] @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(run.frames.read(3), grey, atol=0.51)
