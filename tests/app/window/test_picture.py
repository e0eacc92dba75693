"""The picture on the screen is that of its frame, as it was asked for; so is the movie."""

import threading

import av
import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.runs.run import Window
from app.session.look import Comparison
from widgets.picture.corner_text import Corner

GREYS = np.arange(12, dtype=np.uint8) * 20
"""Of the frames of a run in which each frame has one grey of its own."""


@pytest.fixture
def grey_run(tmp_path):
    path = tmp_path / "greys.npy"
    np.save(path, np.broadcast_to(GREYS[:, None, None], (12, 60, 96)))
    return path


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_each_frame_shows_its_own_denoised_picture_blended_as_asked(
    qtbot, make_window, grey_run, engines, strength
):
    engines[1].change = lambda frame: 2.0 + frame
    engines[1].noise_removed = True
    window = make_window(grey_run)
    look = window.session.look
    look.change_grey(voi=Window(128.0, 256.0))
    look.change(comparison=Comparison.DENOISED, strength=strength)
    qtbot.waitUntil(lambda: bool(window.session.denoising.ready().all()))
    for frame in (0, 5, 11):
        window.session.playback.seek(frame)
        qtbot.waitUntil(lambda: window.picture.complete)
        shown = window.view._pictures.denoised
        assert shown.shape == (60, 96)
        expected = GREYS[frame] + strength * (2.0 + frame)
        assert abs(float(shown.mean()) - expected) < 1.5


def test_a_movie_shows_every_frame_once_in_order(qtbot, make_window, grey_run, tmp_path):
    window = make_window(grey_run)
    window.session.look.change_grey(voi=Window(128.0, 256.0))
    window.session.playback.set_speed(2.0)
    recorder = window.hands.exporting.save_movie(tmp_path / "m.mp4")
    qtbot.waitUntil(lambda: recorder.done, timeout=20000)
    with av.open(str(tmp_path / "m.mp4")) as movie:
        shown = [(f.time, f.to_ndarray(format="gray")) for f in movie.decode(video=0)]
    rows, columns = shown[0][1].shape
    middles = [
        float(p[rows // 3 : rows // 2, columns // 3 : columns // 2].mean()) for _, p in shown
    ]
    np.testing.assert_allclose(middles, GREYS, atol=6)
    run = window.session.opened.run
    times_s = [time for time, _ in shown]
    np.testing.assert_allclose(times_s, run.frame_times_ms / 2000.0, atol=0.002)


def test_the_share_that_is_denoised_is_said_while_it_plays(qtbot, make_window, grey_run, engines):
    held = threading.Event()
    engines[1].before_frame = held.wait  # nothing is denoised yet
    window = make_window(grey_run)
    window.session.look.change(comparison=Comparison.DENOISED)
    window.session.playback.play()
    qtbot.waitUntil(lambda: "0% denoised" in window.play_bar._rate.text())
    window.session.playback.pause()
    held.set()


def test_tracks_that_are_hidden_are_told_and_a_click_shows_them(qtbot, make_window, run_file):
    window = make_window(run_file)
    viewport = window.view.viewport()

    def corner():
        return window.view._corners[Corner.BOTTOM_RIGHT]

    def click(x, y):
        place = window.view.mouse_position(x, y).toPoint()
        qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=place)

    window.commander.do("toggle_tracks")
    assert "Tracks hidden" not in corner()  # there are none
    click(60.0, 50.0)
    assert window.session.look.now.tracks
    window.commander.do("toggle_tracks")
    assert "Tracks hidden" in corner()
    track = window.session.labelling.selected
    window.session.look.show_track(track.id, False)
    click(70.0, 50.0)
    assert window.session.look.now.tracks
    assert not window.session.look.now.hidden_tracks
    assert "Tracks hidden" not in corner()
