"""Video in DICOM: frames by number, in the order in which they are shown."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HEVCMP51,
    MPEG2MPML,
    MPEG4HP41,
    MPEG4HP41BD,
    MPEG4HP42STEREO,
)

from app.runs.catalog import scan
from app.runs.opening import open_run
from app.runs.run import RunError

COUNT = 24


def stream(codec, container, options=None, pix_fmt="yuv420p"):
    """Return a video of frames of 48 x 64 pixels; the left third of frame k is 30 + 8 k bright."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        video = output.add_stream(codec, rate=25, options=options or {})
        video.width, video.height, video.pix_fmt = 64, 48, pix_fmt
        video.gop_size = 8
        if codec != "mpeg2video":
            video.options = {"crf": "4", **(options or {})}
        for k in range(COUNT):
            pixels = np.full((48, 64), 200, np.uint8)
            pixels[:, :21] = 30 + 8 * k
            pixels[:10, 40:] = 20
            frame = av.VideoFrame.from_ndarray(pixels, format="gray")
            output.mux(video.encode(frame))
        output.mux(video.encode())
    return buffer.getvalue()


@pytest.fixture
def write_video(tmp_path, make_dataset):
    """Return a function that writes a stream into a DICOM file."""

    def write(data, syntax, declared=COUNT, fragments=1, rows=48):
        like = np.zeros((1, rows, 64, 3), np.uint8)
        dataset = make_dataset(like, PhotometricInterpretation="YBR_PARTIAL_420")
        dataset.NumberOfFrames = declared
        dataset.FrameTime = "40"
        dataset.file_meta.TransferSyntaxUID = syntax
        data += b"\0" * (len(data) % 2)
        dataset.PixelData = encapsulate([data], fragments_per_frame=fragments, has_bot=False)
        dataset["PixelData"].VR = "OB"
        path = tmp_path / "video.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.mark.parametrize(
    ("codec", "container", "syntax", "options"),
    [
        ("mpeg2video", "mpeg", MPEG2MPML, {"b": "4000000"}),
        ("mpeg2video", "mpegts", MPEG2MPML, {"b": "4000000"}),
        ("mpeg2video", "mpeg2video", MPEG2MPML, {"b": "4000000"}),
        ("libx264", "h264", MPEG4HP41, {"bf": "3"}),
        ("libx264", "mp4", MPEG4HP41BD, {"bf": "2", "movflags": "frag_keyframe+empty_moov"}),
        ("libx264", "mpegts", MPEG4HP42STEREO, {"bf": "0"}),
        ("libx265", "hevc", HEVCMP51, {"x265-params": "log-level=none"}),
    ],
)
@pytest.mark.parametrize("fragments", [1, 3])
def test_frames_by_number(write_video, codec, container, syntax, options, fragments):
    run = open_run(write_video(stream(codec, container, options), syntax, fragments=fragments))
    try:
        assert (run.frame_count, run.rows, run.columns) == (COUNT, 48, 64)
        assert run.frame_times_ms[1] == 40
        for index in (0, 13, 12, COUNT - 1, 5, 6, 7):
            frame = run.frames.read(index)
            assert frame.shape == (48, 64)
            assert np.median(frame[20:, :18]) == pytest.approx(30 + 8 * index, abs=4)
            assert np.median(frame[:8, 44:]) < 40
    finally:
        run.frames.close()
    with pytest.raises(RunError, match="closed"):
        run.frames.read(0)


def test_frames_are_decoded_again_where_they_are_no_longer_kept(write_video, monkeypatch):
    monkeypatch.setattr("app.runs.video_frames._KEPT_FRAMES", 1)
    run = open_run(write_video(stream("libx264", "h264"), MPEG4HP41))
    for index in (20, 3, 21, 2):
        assert np.median(run.frames.read(index)[20:, :18]) == pytest.approx(30 + 8 * index, abs=4)
    run.frames.close()


def test_ten_bits_are_kept_and_a_player_s_edits_obeyed(write_video):
    data = stream("libx265", "mp4", {"x265-params": "log-level=none"}, pix_fmt="gray10le")
    run = open_run(write_video(data, HEVCMP51))
    try:
        frame = run.frames.read(13)
        assert (frame.dtype, run.grey.bits_stored, run.nominal_range[1]) == (np.uint16, 10, 1023)
        assert np.median(frame[20:, :18]) == pytest.approx(4 * (30 + 8 * 13), abs=16)
    finally:
        run.frames.close()


def test_a_wrong_number_of_frames_is_noted(write_video):
    path = write_video(stream("libx264", "h264"), MPEG4HP41, declared=99)
    run = open_run(path)
    run.frames.close()
    assert run.frame_count == COUNT
    assert any("99 frames, but it holds 24" in note for note in run.notes)


def test_the_list_believes_a_video_only_within_reason(write_video):
    data = stream("libx264", "h264")
    (entry,) = scan(write_video(data, MPEG4HP41))
    assert entry.frame_count == COUNT
    (entry,) = scan(write_video(data, MPEG4HP41, declared=2147483647))
    assert entry.frame_count is None
    assert entry.error is None


def test_damaged_or_other_streams_are_refused_plainly(write_video):
    data = stream("libx264", "h264")
    for bad in (b"\0" * 400, b"no video at all" * 30):
        with pytest.raises(RunError, match=r"^The video in video.dcm (cannot be read|is damaged)"):
            open_run(write_video(bad, MPEG4HP41))
    with pytest.raises(RunError, match="unlike its header"):
        open_run(write_video(data, MPEG4HP41, rows=52))


def test_a_video_that_is_cut_off_keeps_its_frames(write_video):
    data = stream("libx264", "h264", {"bf": "0"})
    run = open_run(write_video(data[: len(data) // 2], MPEG4HP41))
    assert 4 < run.frame_count < COUNT
    assert np.median(run.frames.read(2)[20:, :18]) == pytest.approx(46, abs=4)
    run.frames.close()
