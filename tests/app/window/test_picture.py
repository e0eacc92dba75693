"""The picture on the screen is that of its frame, as it was asked for; so is the movie."""

import threading
from dataclasses import replace
from datetime import date

import av
import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.display.pipeline import DisplayPipeline
from app.runs.run import MaskSubtraction, Patient, Spacing, SpacingSource, Window
from app.session.look import Comparison
from app.session.tools import Mode
from app.tracks.track import PointState
from widgets.dialogs.export_dialog import ExportChoices
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


@pytest.mark.parametrize("shown", ["plain", "inverted", "denoised"])
def test_a_movie_shows_every_frame_once_in_order(
    qtbot, make_window, grey_run, engines, tmp_path, shown
):
    engines[1].change = lambda frame: 20.0 - 2.0 * frame
    engines[1].noise_removed = True
    window = make_window(grey_run)
    look = window.session.look
    look.change_grey(voi=Window(128.0, 256.0), inverted=shown == "inverted")
    if shown == "denoised":
        look.change(comparison=Comparison.DENOISED)
    window.session.playback.set_speed(0.25)  # how it is played changes no movie
    recorder = window.hands.exporting.save_movie(tmp_path / "m.mp4", ExportChoices(speed=2.0))
    qtbot.waitUntil(lambda: recorder.done, timeout=20000)
    with av.open(str(tmp_path / "m.mp4")) as movie:
        frames = [(f.time, f.to_ndarray(format="gray")) for f in movie.decode(video=0)]
    rows, columns = frames[0][1].shape
    middles = [
        float(p[rows // 3 : rows // 2, columns // 3 : columns // 2].mean()) for _, p in frames
    ]
    expected = {
        "plain": GREYS,
        "inverted": 255.0 - GREYS,
        "denoised": GREYS + 20.0 - 2.0 * np.arange(12),
    }
    np.testing.assert_allclose(middles, expected[shown], atol=6)
    run = window.session.opened.run
    times_s = [time for time, _ in frames]
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
    window.session.tools.set_mode(Mode.LABEL)
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


def shown_with(window, **facts):
    """Let the open run say more of itself than a file of numbers can."""
    opened = window.session.opened
    opened.run = replace(opened.run, **facts)
    opened.display = DisplayPipeline(opened.run, opened.cache.wait)
    window.picture.draw()


def corner(window, which):
    return window.view._corners[which]


def seek(qtbot, window, frame):
    window.session.playback.seek(frame)
    qtbot.waitUntil(lambda: window.picture.complete)


def test_the_corners_are_those_of_the_frame_under_the_playhead(qtbot, make_window, grey_run):
    window = make_window(grey_run)
    run = window.session.opened.run
    shown_with(
        window,
        modality="XA",
        primary_angles_deg=np.arange(12) * 4.0 - 22.0,
        secondary_angles_deg=np.arange(12) * 2.0 - 11.0,
        grey=replace(run.grey, frame_vois=tuple(Window(10.0 + i, 40.0 + i) for i in range(12))),
    )
    for frame, angles in ((0, "RAO 22° CAUD 11°"), (7, "LAO 6° CRAN 3°")):
        seek(qtbot, window, frame)
        assert corner(window, Corner.TOP_RIGHT) == (angles, "XA")
        assert corner(window, Corner.BOTTOM_LEFT)[0] == f"Frame {frame + 1} / 12"
        assert f"C {10 + frame} W {40 + frame}" in corner(window, Corner.BOTTOM_RIGHT)


def test_the_corner_tells_of_the_mask_of_the_frame_and_its_place(qtbot, make_window, grey_run):
    window = make_window(grey_run)
    shown_with(window, mask_subtraction=(MaskSubtraction("TID", tid_offset=2),))
    window.commander.do("toggle_subtraction")
    qtbot.waitUntil(lambda: window.session.look.now.grey.subtracted)
    seek(qtbot, window, 7)
    assert corner(window, Corner.BOTTOM_RIGHT)[0] == "DSA, mask 6"
    window.commander.do("mask_here")
    for command in ("mask_right", "mask_down", "mask_down"):
        window.commander.do(command)
    qtbot.waitUntil(lambda: window.session.look.now.grey.mask_shift_px == (0.5, 1.0))
    assert corner(window, Corner.BOTTOM_RIGHT)[0] == "DSA, mask 8 moved +0.5, +1 px"


def test_hidden_patient_data_stands_nowhere(make_window, grey_run):
    facts = {
        "patient": Patient("Doe^Jane", "ID-5", date(1970, 1, 31), "F"),
        "study_description": "Study of Mrs Doe",
        "series_description": "Run of Mrs Doe",
        "study_date": date(2026, 1, 2),
    }
    window = make_window(grey_run)
    shown_with(window, **facts)
    whole = corner(window, Corner.TOP_LEFT)
    assert whole[:2] == ("Doe, Jane", "ID ID-5")
    assert {"Study of Mrs Doe", "Run of Mrs Doe", "2026-01-02"} <= set(whole)
    window.commander.do("toggle_patient")
    assert corner(window, Corner.TOP_LEFT) == ("2026-01-02",)
    window.commander.do("toggle_patient")
    assert corner(window, Corner.TOP_LEFT) == whole
    window.session.settings.change(show_patient=False)
    assert corner(window, Corner.TOP_LEFT) == ("2026-01-02",)
    window.close()
    again = make_window(grey_run, show_patient=False)
    shown_with(again, **facts)
    assert corner(again, Corner.TOP_LEFT) == ("2026-01-02",)


@pytest.mark.parametrize(
    ("source", "bar"), [(SpacingSource.CALIBRATED, (0.25, "")), (SpacingSource.DETECTOR, None)]
)
def test_the_scale_bar_shows_only_lengths_that_hold_in_the_patient(
    make_window, grey_run, source, bar
):
    window = make_window(grey_run)
    shown_with(window, spacing=Spacing(0.5, 0.25, source))
    assert window.view._scale_bar == bar


@pytest.fixture
def ramp_run(tmp_path):
    """Each frame a ramp of its own height and contrast; the first one subtracts to a ramp too."""
    ramp = np.linspace(0.0, 100.0, 96)
    frames = [np.broadcast_to(5.0 * i + ramp * (1.0 + i / 11.0), (60, 96)) for i in range(12)]
    path = tmp_path / "ramps.npy"
    np.save(path, np.rint(frames).astype(np.uint8))
    return path


@pytest.mark.parametrize("subtracted", [False, True])
def test_the_automatic_window_fits_the_frame_as_it_is_shown(
    qtbot, make_window, ramp_run, subtracted
):
    window = make_window(ramp_run)
    if subtracted:
        window.commander.do("toggle_subtraction")
        qtbot.waitUntil(lambda: window.session.look.now.grey.subtracted)
    seek(qtbot, window, 7)
    window.commander.do("auto_window")
    greys = window.view._pictures.original
    assert greys.min() <= 10
    assert greys.max() >= 245
    assert abs(float(greys.mean()) - 127.5) < 8.0


def test_the_windows_of_the_file_follow_each_other(make_window, ramp_run):
    window = make_window(ramp_run)
    run = window.session.opened.run
    own = (Window(50.0, 20.0), Window(100.0, 40.0))
    shown_with(window, grey=replace(run.grey, windows=own))
    full = window.session.opened.display.full_range()
    seen = []
    for _ in range(4):
        window.commander.do("file_window")
        seen.append(window.session.look.now.grey.voi)
    assert seen == [own[1], full, own[0], own[1]]
    window.commander.do("full_window")
    assert window.session.look.now.grey.voi == full


def test_a_drag_changes_width_and_center(make_window, ramp_run):
    window = make_window(ramp_run)
    window.session.look.change_grey(voi=Window(100.0, 80.0))
    step = 255.0 / 400.0
    window.view.window_dragged.emit(10.0, 0.0)
    assert window.session.look.now.grey.voi == Window(100.0, 80.0 + 10 * step)
    window.view.window_dragged.emit(0.0, 20.0)
    assert window.session.look.now.grey.voi == Window(100.0 + 20 * step, 80.0 + 10 * step)


def test_the_difference_is_original_minus_denoised(qtbot, make_window, grey_run, engines):
    engines[1].change = lambda frame: 2.0 + frame
    engines[1].noise_removed = True
    window = make_window(grey_run)
    window.session.look.change(comparison=Comparison.DIFFERENCE)
    qtbot.waitUntil(lambda: bool(window.session.denoising.ready().all()))
    seek(qtbot, window, 5)
    shown = window.view._pictures.difference
    assert abs(float(shown.mean()) - (128.0 - 4.0 * 7.0)) < 1.5


def test_only_what_is_asked_for_is_drawn_of_the_tracks(qtbot, make_window, ramp_run, engines):
    engines[0].place = (70.0, 20.0)
    window = make_window(ramp_run, trail_frames=3)
    labelling, look = window.session.labelling, window.session.look
    seek(qtbot, window, 5)
    labelling.place(80.0, 30.0)
    track = labelling.selected
    qtbot.waitUntil(lambda: len(labelling.selected.points) == 12)
    labelling.mark_occluded()
    (drawn,) = window.view._tracks
    assert (drawn.point.x, drawn.point.y) == (80.0, 30.0)
    assert labelling.selected.points[5].state is PointState.OCCLUDED
    assert len(drawn.past) == len(drawn.future) == 3
    np.testing.assert_array_equal(drawn.past, [(70.0, 20.0)] * 3)
    look.change(trails=False)
    (drawn,) = window.view._tracks
    assert len(drawn.past) == len(drawn.future) == 0
    window.track_panel.visibility_changed.emit(track.id, False)
    assert window.view._tracks == ()
    window.track_panel.visibility_changed.emit(track.id, True)
    assert len(window.view._tracks) == 1
