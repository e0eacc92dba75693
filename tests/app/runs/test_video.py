"""Videos: the frames that a player shows, by their numbers, with the bits they have."""

from __future__ import annotations

import re
from contextlib import closing
from fractions import Fraction

import av
import numpy as np
import pytest

from app.runs.catalog import scan
from app.runs.opening import open_run
from app.runs.run import RunError, TimingSource

COUNT = 40


def picture(index):
    """Grey 30 + 5 i on the left, bright on the right, a dark corner top right; 48 x 64."""
    pixels = np.full((48, 64), 220, np.uint8)
    pixels[:, :28] = 30 + 5 * index
    pixels[:10, 40:] = 16
    return pixels


def write(path, codec, options=None, *, pix_fmt="yuv420p", stamps=None, count=COUNT):
    """Write a video of `picture`s; ``stamps`` are times in ms, else 25 frames/s."""
    with av.open(str(path), "w") as output:
        video = output.add_stream(codec, rate=25, options=options or {})
        video.width, video.height, video.pix_fmt, video.gop_size = 64, 48, pix_fmt, 12
        if stamps is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture(index), format="gray")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[index], Fraction(1, 1000)
            output.mux(video.encode(frame))
        output.mux(video.encode())
    return path


def assert_frames(run, first=0):
    """Compare frames by number: forwards, backwards and by jumps."""
    count = run.frame_count
    for index in (*range(count), *reversed(range(count)), *range(0, count, 9), 3, count - 1, 0):
        pixels = run.frames.read(index)
        scale = 1 << (run.grey.bits_stored - 8)
        left = np.median(pixels[:, :24]) / scale
        assert left == pytest.approx(30 + 5 * (first + index), abs=3), index
        assert np.median(pixels[:8, 44:]) / scale < 30


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.avi", "libx264", {"bf": "3", "crf": "4"}),
        ("a.avi", "mpeg4", {"bf": "2", "b": "4000000"}),
        ("a.mp4", "libx264", {"bf": "3", "crf": "4"}),
        ("a.mov", "mpeg4", {"b": "4000000"}),
        ("a.mkv", "libx264", {"bf": "3", "crf": "4", "x264-params": "open-gop=1"}),
        ("a.ts", "libx264", {"bf": "2", "crf": "4"}),
        ("a.mpg", "mpeg2video", {"bf": "2", "b": "4000000"}),
        ("a.mkv", "libx265", {"crf": "4", "x265-params": "log-level=none"}),
    ],
)
def test_frames_by_number(tmp_path, name, codec, options):
    path = write(tmp_path / name, codec, options)
    run = open_run(path)
    with closing(run.frames):
        assert run.frame_count == COUNT
        assert run.notes == ()
        np.testing.assert_allclose(np.diff(run.frame_times_ms), 40, atol=1.1)
        assert_frames(run)
    (entry,) = scan(path)
    assert entry.frame_count in (COUNT, None)
    assert entry.error is None


def test_times_that_are_not_even(tmp_path):
    stamps = np.cumsum([0, *([20, 60] * COUNT)])[:COUNT].tolist()
    run = open_run(write(tmp_path / "a.mkv", "libx264", {"crf": "4"}, stamps=stamps))
    with closing(run.frames):
        assert run.timing_source is TimingSource.VIDEO
        np.testing.assert_allclose(run.frame_times_ms, stamps, atol=1.1)
        assert_frames(run)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "bits"),
    [("ffv1", "gray10le", 10), ("ffv1", "gray12le", 12), ("ffv1", "gray16le", 16),
     ("libx265", "yuv420p10le", 10), ("ffv1", "yuv420p", 8)],
)  # fmt: skip
def test_bits_are_kept(tmp_path, codec, pix_fmt, bits):
    options = {"crf": "4", "x265-params": "log-level=none"} if codec == "libx265" else {}
    run = open_run(write(tmp_path / "a.mkv", codec, options, pix_fmt=pix_fmt))
    with closing(run.frames):
        assert run.grey.bits_stored == bits
        assert run.frames.read(0).dtype == (np.uint8 if bits == 8 else np.uint16)
        assert run.nominal_range == (0, (1 << bits) - 1)
        assert_frames(run)


def test_where_jumps_mislead_the_video_is_decoded_from_its_beginning(tmp_path, monkeypatch):
    from app.runs.video_frames import Decoder

    run = open_run(write(tmp_path / "a.mkv", "libx264", {"crf": "4"}))
    monkeypatch.setattr(Decoder, "seek", lambda decoder, _: decoder.frames())
    with closing(run.frames):
        assert_frames(run)


def test_jumps_that_land_beside_their_frame_are_noticed(tmp_path, monkeypatch):
    from app.runs.video_frames import Decoder

    run = open_run(write(tmp_path / "a.avi", "mpeg4", {"bf": "2", "b": "4000000"}))

    def one_beside(decoder, _):
        former = None
        for frame in decoder.frames():
            if former is not None:
                former.pts = frame.pts
                yield former
            former = frame

    monkeypatch.setattr(Decoder, "seek", one_beside)
    with closing(run.frames):
        assert run.frames.read(30)[:, :24].mean() == pytest.approx(30 + 5 * 30, abs=3)
        assert_frames(run)


@pytest.mark.parametrize(
    ("name", "codec", "note"),
    [
        ("a.avi", "ffv1", r"The file is cut off: \d+ of 40 frames are missing."),
        ("a.mkv", "libx264", r"The video is cut off: [\d.]+ s at its end are missing."),
    ],
)
def test_a_video_that_is_cut_off_says_so(tmp_path, name, codec, note):
    path = write(tmp_path / name, codec)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    run = open_run(path)
    with closing(run.frames):
        assert 5 < run.frame_count < COUNT
        (told,) = run.notes
        assert re.fullmatch(note, told)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_what_is_no_video_is_a_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing of the kind " * 100)
    with pytest.raises(RunError, match=r"^a\.\w+ (cannot be read as a video|holds no)"):
        open_run(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mov", "png"), ("a.mp4", "libx264"), ("a.mkv", "ffv1")]
)
def test_pictures_that_are_lost_within_a_video_are_told(tmp_path, name, codec):
    path = write(tmp_path / name, codec, pix_fmt="gray" if codec != "libx264" else "yuv420p")
    with closing(open_run(path).frames), av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        places = [(p.pos, p.size) for p in packets[14:17]]
    with path.open("r+b") as file:
        for position, size in places:
            file.seek(position)
            file.write(b"\xff" * size)
    run = open_run(path)
    with closing(run.frames):
        assert run.frame_count < COUNT
        assert any(re.search(r"left out|leave out|missing", note) for note in run.notes)


def test_a_whole_video_of_any_rhythm_has_no_notes(tmp_path):
    even = write(tmp_path / "even.mkv", "libx264")
    slower = [40 * k + 7 * k * k for k in range(COUNT)]
    uneven = write(tmp_path / "uneven.mkv", "libx264", stamps=slower)
    for path in (even, uneven):
        run = open_run(path)
        run.frames.close()
        assert run.notes == ()
