from __future__ import annotations

import json
import shutil
import subprocess

import av
import numpy as np
import pytest

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
