from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from app.outputs import OutputError
from app.session import movie_writer
from app.session.movie_writer import MovieWriter, RecordingError

TIMES_MS = (0.0, 33.3, 66.7, 100.0, 300.0, 333.3, 1000.0, 1001.0)  # uneven


def picture(number: int, height: int = 96, width: int = 128) -> np.ndarray:
    grey = np.full((height, width), 20, np.uint8)
    grey[:, : width // 2] = 25 * number + 30
    return grey


def record(path, times=TIMES_MS, height=96, width=128, colour=False):
    with MovieWriter(path, times, (width, height)) as movie:
        for number in range(len(times)):
            grey = picture(number, height, width)
            movie.write(np.stack([grey, grey // 2, grey], axis=2) if colour else grey)
    return movie


def shown(path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(f.time, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


@pytest.mark.parametrize("encoders", [movie_writer.ENCODERS, ("mpeg4",)])
def test_frames_come_at_their_true_times_in_their_grey(tmp_path, monkeypatch, encoders):
    monkeypatch.setattr(movie_writer, "ENCODERS", encoders)
    path = tmp_path / "movie.mp4"
    record(path)
    frames = shown(path)
    assert [t for t, _ in frames] == pytest.approx([t / 1000 for t in TIMES_MS], abs=2e-4)
    for number, (_, rgb) in enumerate(frames):
        assert rgb[48, 20] == pytest.approx([25 * number + 30] * 3, abs=4)
        assert rgb[48, 110] == pytest.approx([20] * 3, abs=4)
    assert [p.name for p in tmp_path.iterdir()] == ["movie.mp4"]


def test_ffprobe_agrees(tmp_path):
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    path = tmp_path / "movie.mp4"
    movie = record(path, height=95, width=127)
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_frames", "-of", "json", str(path)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    (stream,) = told["streams"]
    assert stream["codec_name"] == ("mpeg4" if movie.encoder == "mpeg4" else "h264")
    assert (stream["width"], stream["height"], stream["pix_fmt"]) == (128, 96, "yuv420p")
    times = [float(frame["pts_time"]) for frame in told["frames"]]
    assert times == pytest.approx([t / 1000 for t in TIMES_MS], abs=2e-4)
    assert float(stream["duration"]) == pytest.approx(1.0343, abs=0.002)  # last: median interval


def test_colour_comes_back(tmp_path):
    path = tmp_path / "movie.mp4"
    record(path, colour=True)
    _, rgb = shown(path)[5]
    assert rgb[48, 20] == pytest.approx([155, 77, 155], abs=6)


def test_a_movie_of_one_frame(tmp_path):
    path = tmp_path / "movie.mp4"
    record(path, times=(5.0,))
    assert [t for t, _ in shown(path)] == [0.0]


def test_a_movie_that_is_broken_off_leaves_the_old_one(tmp_path):
    path = tmp_path / "movie.mp4"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), MovieWriter(path, TIMES_MS, (128, 96)) as movie:
        movie.write(picture(0))
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_no_encoder_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(movie_writer, "ENCODERS", ("no such encoder",))
    with pytest.raises(RecordingError, match="no encoder"):
        MovieWriter(tmp_path / "movie.mp4", TIMES_MS, (128, 96))


def test_a_picture_of_another_size_is_refused(tmp_path):
    path = tmp_path / "movie.mp4"
    with (
        pytest.raises(ValueError, match="does not fit"),
        MovieWriter(path, (0,), (128, 96)) as movie,
    ):
        movie.write(picture(0, 50, 50))
    assert not path.exists()


def test_each_frame_is_the_one_that_was_given_for_it(tmp_path):
    """A movie that is one frame late would show the frame before."""
    path = tmp_path / "movie.mp4"
    record(path)
    for time_ms, number in zip(TIMES_MS, range(len(TIMES_MS)), strict=True):
        (rgb,) = [rgb for t, rgb in shown(path) if abs(t - time_ms / 1000) < 2e-4]
        assert (int(rgb[48, 20, 0]) - 30) / 25 == pytest.approx(number, abs=0.2)


def test_two_recordings_to_one_file_do_not_meet(tmp_path):
    path = tmp_path / "movie.mp4"
    with (
        MovieWriter(path, TIMES_MS[:2], (128, 96)) as first,
        MovieWriter(path, TIMES_MS[:2], (128, 96)) as second,
    ):
        for number in range(2):
            first.write(picture(number))
            second.write(picture(number + 4))
    assert [int(rgb[48, 20, 0]) for _, rgb in shown(path)] == pytest.approx([30, 55], abs=4)
    assert [p.name for p in tmp_path.iterdir()] == ["movie.mp4"]


ANIMATIONS = (".webp", ".gif")


def animation(path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return how long each picture stays, in ms, and the pictures."""
    _, found = cv2.imreadanimation(str(path))
    return found.durations, [frame[:, :, 2::-1] for frame in found.frames]


@pytest.mark.parametrize("ending", ANIMATIONS)
def test_animations_keep_greys_and_times_and_repeat(tmp_path, ending):
    path = tmp_path / f"run{ending}"
    times = (0.0, 33.3, 66.7, 100.0, 300.0, 333.3, 1000.0, 1034.0)
    record(path, times)
    stay, pictures = animation(path)
    assert cv2.imreadanimation(str(path))[1].loop_count == 0  # for ever
    ends = np.cumsum(stay)
    off = 1 if ending == ".webp" else 5
    np.testing.assert_allclose(ends[:-1], times[1:], atol=off)
    np.testing.assert_allclose(stay[-1], np.median(np.diff(times)), atol=off)
    assert len(pictures) == len(times)
    for number, rgb in enumerate(pictures):
        assert rgb[48, 20].astype(int) == pytest.approx([25 * number + 30] * 3, abs=3)
        assert rgb[48, 110].astype(int) == pytest.approx([20] * 3, abs=3)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_hundredths_of_a_second_add_up_to_no_drift(tmp_path):
    times = np.arange(200) * 1000 / 30
    with MovieWriter(tmp_path / "run.gif", times, (8, 8)) as movie:
        for number in range(200):
            movie.write(np.full((8, 8), number, np.uint8))
    stay, pictures = animation(tmp_path / "run.gif")
    assert len(pictures) == 200
    assert set(stay.tolist()) == {30, 40}
    np.testing.assert_allclose(np.cumsum(stay)[:-1], times[1:], atol=5.001)


def test_a_gif_keeps_every_grey_beside_colour(tmp_path):
    ramp = np.tile(np.arange(250, dtype=np.uint8), (60, 1))
    picture = np.stack([ramp] * 3, axis=2)
    picture[:20, :20] = 255, 120, 20
    with MovieWriter(tmp_path / "m.gif", (0, 100), (250, 60)) as movie:
        movie.write(picture)
        movie.write((picture // (1, 2, 3)).astype(np.uint8))  # as many other colours
    _, pictures = animation(tmp_path / "m.gif")
    np.testing.assert_array_equal(pictures[0], picture)
    np.testing.assert_allclose(pictures[1].astype(int), picture // (1, 2, 3), atol=4)


@pytest.mark.parametrize(("ending", "least_ms"), [(".gif", 20), (".webp", 11)])
def test_frames_that_come_too_fast_for_a_format_are_left_out(tmp_path, ending, least_ms):
    times = np.arange(9) * 1000 / 120
    path = tmp_path / f"m{ending}"
    record(path, times)
    stay, pictures = animation(path)
    assert (stay >= least_ms).all()
    shown_at = [0, *np.cumsum(stay)[:-1]]
    for at, rgb in zip(shown_at, pictures, strict=True):
        number = (int(rgb[48, 20, 0]) - 30) / 25
        assert at == pytest.approx(number * 1000 / 120, abs=6)


def test_a_folder_holds_a_picture_of_each_frame(tmp_path):
    path = tmp_path / "pictures"
    with MovieWriter(path, TIMES_MS, (127, 95), first_number=9) as movie:
        for number in range(len(TIMES_MS)):
            movie.write(picture(number, 95, 127))
            assert not path.exists()
    names = sorted(file.name for file in path.iterdir())
    assert names == [f"frame{number:04d}.png" for number in range(9, 17)]
    for number, name in enumerate(names):
        read = cv2.imread(str(path / name), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(read[:, :, 1], picture(number, 95, 127))


def test_a_folder_that_holds_something_is_not_replaced(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        MovieWriter(tmp_path, TIMES_MS, (128, 96))
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_one_picture_is_a_file(tmp_path):
    with MovieWriter(tmp_path / "one.png", (0.0,), (128, 96)) as movie:
        movie.write(np.full((96, 128, 3), (30, 20, 10), np.uint8))
    read = cv2.imread(str(tmp_path / "one.png"), cv2.IMREAD_UNCHANGED)
    assert read[48, 20].tolist() == [10, 20, 30]  # blue, green, red


@pytest.mark.parametrize("ending", [".mp4", ".webp", ".gif", ".png", ""])
def test_nothing_is_left_of_what_is_broken_off(tmp_path, ending):
    path = tmp_path / f"movie{ending}"
    if ending:
        path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), MovieWriter(path, TIMES_MS, (128, 96)) as movie:
        movie.write(picture(0))
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ([path.name] if ending else [])
    assert not ending or path.read_bytes() == b"old"


def test_pictures_that_do_not_fit_on_the_disk_are_told_and_all_are_gone(tmp_path, monkeypatch):
    written = []

    def full(path, data):
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "no space", str(path))
        written.append(path)

    monkeypatch.setattr(Path, "write_bytes", full)
    with (
        pytest.raises(OutputError, match="The disk is full"),
        MovieWriter(tmp_path / "pictures", TIMES_MS, (128, 96)) as movie,
    ):
        for number in range(len(TIMES_MS)):
            movie.write(picture(number))
    assert list(tmp_path.iterdir()) == []


FULL = """
import pathlib, resource, sys
import numpy as np
from app.errors import UserError
from app.session.movie_writer import MovieWriter
path, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
noise = np.random.default_rng(0).integers(0, 256, (20, 96, 128)).astype(np.uint8)
try:
    with MovieWriter(path, range(0, 2000, 100), (128, 96)) as movie:
        for frame in noise:
            movie.write(frame)
    print("whole")
except UserError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of a process there")
@pytest.mark.parametrize("ending", [".mp4", ".webp", ".gif", ".png"])
def test_a_movie_that_does_not_fit_is_a_sentence_and_the_old_one_stays(tmp_path, ending):
    path = tmp_path / f"movie{ending}"

    def told(limit):
        path.write_bytes(b"old")
        command = [sys.executable, "-c", FULL, str(path), str(limit)]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        assert len(list(tmp_path.iterdir())) == 1
        return ended.stdout.strip()

    assert told(1 << 30) == "whole"
    whole = path.stat().st_size
    for limit in (0, 10, whole // 2, whole - 3000, whole - 600, whole - 1):
        assert "larger than this disk allows" in told(limit) or "could not be" in told(limit)
        assert path.read_bytes() == b"old"
