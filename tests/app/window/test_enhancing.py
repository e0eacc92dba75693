"""Stabilised playing, the enhanced device, and contrast over the run, as they reach the screen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.runs.run import VoiFunction, Window
from app.session.look import Comparison
from app.tracks.edits import add_track, new_track
from app.tracks.track import TrackKind, TrackPoint
from app.window.hidden_picture import HiddenPicture
from inference.subtraction import Registration
from widgets.picture.compare import ViewMode
from widgets.picture.corner_text import Corner

COUNT = 12


def place(frame, which):
    return 40.0 + 24 * which + 1.5 * (frame % 4), 50.0 - 1.25 * (frame % 3)


@pytest.fixture
def marker_file(tmp_path):
    """Two dark dots that move together over noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:90, :120]
    frames = rng.normal(150, 12, (COUNT, 90, 120))
    for frame in range(COUNT):
        for which in range(2):
            mx, my = place(frame, which)
            frames[frame] -= 90 * np.exp(-((x - mx) ** 2 + (y - my) ** 2) / 6)
    np.save(tmp_path / "markers.npy", np.clip(frames, 0, 255).astype(np.uint8))
    return tmp_path / "markers.npy"


@pytest.fixture
def window(make_window, marker_file):
    window = make_window(marker_file)
    tracks = []
    for which in range(2):
        track = new_track(tracks, name=f"m{which}", kind=TrackKind.BALLOON_MARKER)
        points = {f: TrackPoint(f, *place(f, which)) for f in range(COUNT)}
        tracks.append(replace(track, points=points))
        window.session.labelling.apply(add_track(tracks[-1]))
    window.session.labelling.select(tracks[0].id)
    return window


def seek(qtbot, window, frame):
    window.session.playback.seek(frame)
    qtbot.waitUntil(lambda: window.picture.complete)


def corner(window):
    return window.view._corners[Corner.BOTTOM_RIGHT]


def enhance(qtbot, window):
    window.commander.do("enhance")
    qtbot.waitUntil(lambda: window.session.enhancing.share is None, timeout=20000)


# stabilised playing


def test_the_device_stands_while_the_frames_move(qtbot, window):
    seek(qtbot, window, 2)
    window.commander.do("stabilise")
    assert "Stabilised on m0" in corner(window)
    assert window.commander.actions["stabilise"].isChecked()
    there = window.view.mouse_position(*place(2, 0))
    for frame in (3, 7, 11, 0):
        seek(qtbot, window, frame)
        now = window.view.mouse_position(*place(frame, 0))
        assert (now.x(), now.y()) == pytest.approx((there.x(), there.y()), abs=1e-6)
    assert window.view.place is None  # it is fitted still
    window.commander.do("stabilise")
    assert "Stabilised on m0" not in corner(window)
    assert window.view._shift is None


def test_a_corrected_point_is_followed_at_once_and_a_deleted_track_no_longer(qtbot, window):
    window.commander.do("stabilise")
    seek(qtbot, window, 5)
    there = window.view.mouse_position(*place(5, 0))
    window.session.labelling.place(60.0, 30.0)
    now = window.view.mouse_position(60.0, 30.0)
    assert (now.x(), now.y()) == pytest.approx((there.x(), there.y()), abs=1e-6)
    window.session.labelling.remove_track()
    assert window.view._shift is None
    assert not any("Stabilised" in note for note in corner(window))


def test_a_track_without_a_point_says_what_to_do(qtbot, window):
    window.session.labelling.add_track()
    told = []
    window.session.said.connect(told.append)
    window.commander.do("stabilise")
    assert told == ["The chosen track has no point yet: click it in Label (R)."]
    assert window.session.look.now.stabilised is None


def test_pictures_out_of_sight_are_stabilised_too(qtbot, window):
    window.commander.do("stabilise")
    hidden = HiddenPicture(
        window.session, window.session.opened, window.session.look.now, window.view.size()
    )
    qtbot.waitUntil(lambda: hidden.show(3))
    there = hidden.view.mouse_position(*place(3, 0))
    qtbot.waitUntil(lambda: hidden.show(7))
    now = hidden.view.mouse_position(*place(7, 0))
    assert (now.x(), now.y()) == pytest.approx((there.x(), there.y()), abs=1e-6)
    hidden.close()


# the enhanced device


def test_the_enhanced_device_stands_beside_the_run_and_says_of_how_many_frames(qtbot, window):
    enhance(qtbot, window)
    view = window.view
    assert view.mode is ViewMode.ENHANCED
    assert view._names.original == "Original"
    assert view._names.enhanced == "Enhanced, 12 frames"
    assert "Enhanced between m0 and m1" in corner(window)
    pictures = view._pictures
    assert pictures.enhanced.shape == (90, 120)
    assert pictures.enhanced[60:].std() < pictures.original[60:].std() / 2
    window.session.labelling.set_span(0, 3)
    assert view._names.enhanced == "Enhanced, 12 frames, out of date"
    enhance(qtbot, window)
    assert view._names.enhanced == "Enhanced, 4 frames"
    alone = view.grab_picture()
    window.commander.do("toggle_enhanced")
    assert view.mode is ViewMode.ORIGINAL and view.grab_picture() != alone
    window.commander.do("toggle_enhanced")
    assert view.mode is ViewMode.ENHANCED


def test_it_is_seen_through_the_runs_own_window_and_never_subtracted(qtbot, window):
    enhance(qtbot, window)
    look = window.session.look
    look.change_grey(voi=Window(150.0, 40.0, VoiFunction.LINEAR_EXACT))
    pixels = window.session.opened.enhanced.pixels
    expected = np.clip((pixels - 130.0) / 40.0 * 255, 0, 255)
    assert np.abs(window.view._pictures.enhanced - expected).max() < 8
    plain = window.view._pictures.enhanced
    window.commander.do("toggle_subtraction")
    qtbot.waitUntil(lambda: look.now.grey.subtracted)
    np.testing.assert_array_equal(window.view._pictures.enhanced, plain)
    assert window.view._names.original == "Subtracted"


def test_the_same_picture_is_not_drawn_anew_for_each_frame(qtbot, window):
    enhance(qtbot, window)
    first = window.view._pictures.enhanced
    seek(qtbot, window, 5)
    assert window.view._pictures.enhanced is first


def test_how_far_it_is_stands_on_the_picture(qtbot, window, monkeypatch):
    told = []
    window.session.enhancing.changed.connect(
        lambda: told.append((window.view.mode, window.view._names.waiting))
    )
    enhance(qtbot, window)
    assert (ViewMode.ENHANCED, "Enhancing 0%") in told
    assert any(waiting == "Enhancing 50%" for _, waiting in told)
    assert told[-1] == (ViewMode.ENHANCED, "Denoising…")


def test_beside_it_the_run_is_shown_as_it_is(qtbot, window, engines):
    engines[1].change = lambda frame: 30.0
    engines[1].noise_removed = True
    enhance(qtbot, window)
    before = window.view._pictures.original
    window.session.look.change(comparison=Comparison.DENOISED)
    qtbot.waitUntil(lambda: bool(window.session.denoising.ready().all()))
    np.testing.assert_array_equal(window.view._pictures.original, before)
    assert window.view.mode is ViewMode.ENHANCED


def test_a_key_image_brings_it_back(qtbot, window):
    enhance(qtbot, window)
    window.commander.do("keep_image")
    (image,) = window.session.key_images.images
    window.commander.do("toggle_enhanced")
    size = window.view.width(), window.view.height()
    window.session.key_images.show(image.id, size)
    assert window.view.mode is ViewMode.ENHANCED


def test_one_track_alone_says_what_is_missing(qtbot, make_window, marker_file):
    window = make_window(marker_file)
    told = []
    window.session.said.connect(told.append)
    window.session.labelling.place(40.0, 50.0)
    window.commander.do("enhance")
    assert any(text.startswith("Two tracks are needed") for text in told)


# subtraction


def test_time_to_peak_is_in_colours_with_a_scale(qtbot, window):
    window.commander.do("peak_time")
    qtbot.waitUntil(lambda: window.view._names.original.startswith("Time to peak"))
    qtbot.waitUntil(lambda: window.session.subtraction.share is None)
    pictures = window.view._pictures
    assert pictures.original.shape == (90, 120, 3) and pictures.shape == (90, 120)
    if pictures.scale is None:
        assert window.view._names.original == "Time to peak: no contrast came"
    window.commander.do("peak_opacification")
    qtbot.waitUntil(lambda: window.view._names.original == "Peak opacification")
    assert window.view._pictures.original.ndim == 2


def test_the_scale_is_in_seconds_since_the_first_frame(qtbot, make_window, tmp_path):
    rng = np.random.default_rng(3)
    frames = rng.normal(150, 2, (COUNT, 90, 120))
    frames[3, 20:60, 20:50] -= 60
    frames[9, 20:60, 70:100] -= 60
    np.save(tmp_path / "bolus.npy", frames.astype(np.uint8))
    window = make_window(tmp_path / "bolus.npy")
    window.commander.do("peak_time")
    qtbot.waitUntil(lambda: window.view._names.original == "Time to peak", timeout=20000)
    times_s = window.session.opened.run.frame_times_ms / 1000.0
    scale = window.view._pictures.scale
    assert (scale.low, scale.high, scale.unit) == (
        pytest.approx(times_s[3] - times_s[0]),
        pytest.approx(times_s[9] - times_s[0]),
        "s",
    )
    window.commander.do("keep_image")  # its small picture is in colours, too
    qtbot.waitUntil(lambda: window.session.subtraction.share is None)


@pytest.mark.parametrize("command", ["register_shift", "peak_opacification"])
def test_pictures_out_of_sight_wait_for_what_subtraction_computes(qtbot, window, command):
    session = window.session
    window.commander.do(command)
    qtbot.waitUntil(lambda: session.look.now.grey.subtracted)
    look = session.look.now
    hidden = HiddenPicture(session, session.opened, look, window.view.size())
    for frame in (8, 1):
        qtbot.waitUntil(lambda frame=frame: hidden.show(frame), timeout=20000)
        words = {"register_shift": "Subtracted, registered"}.get(command, "Peak opacification")
        assert hidden.view._names.original == words
        expected = session.opened.display.render(
            session.opened.cache.wait(frame), look.grey, frame_index=frame
        )
        np.testing.assert_array_equal(hidden.view._pictures.original, expected)
    hidden.close()
    qtbot.waitUntil(lambda: session.subtraction.share is None, timeout=20000)


def test_what_is_shown_in_another_way_out_of_sight_is_computed_for_it(qtbot, window):
    session = window.session
    look = session.look.now
    grey = replace(look.grey, subtracted=True, mask_frames=(3,), registration=Registration.SHIFT)
    hidden = HiddenPicture(session, session.opened, look, window.view.size())
    other = replace(look, grey=grey)
    qtbot.waitUntil(lambda: hidden.show(6, other), timeout=20000)
    assert hidden.view._names.original == "Subtracted, registered"
    assert session.look.now == look
    hidden.close()
    qtbot.waitUntil(lambda: session.subtraction.share is None, timeout=20000)


def test_what_nobody_computes_any_more_is_not_waited_for(qtbot, window):
    session = window.session
    window.commander.do("register_elastic")
    qtbot.waitUntil(lambda: session.subtraction.share is not None)
    window.commander.do("stop_registering")
    hidden = HiddenPicture(session, session.opened, session.look.now, window.view.size())
    qtbot.waitUntil(lambda: hidden.show(11))
    assert hidden.view._names.original == "Subtracted, not registered"
    hidden.close()


def test_the_panel_shows_and_does_what_the_menu_does(qtbot, window):
    panel, session = window.subtraction_panel, window.session

    def on():
        return {command for command in panel.commands if panel._buttons[command].isChecked()}

    assert on() == set()
    session.labelling.set_span(0, 2)
    panel.command_requested.emit("mask_span")
    qtbot.waitUntil(lambda: session.look.now.grey.mask_frames == (0, 1, 2))
    assert on() == {"toggle_subtraction", "register_off", "peak_off"}
    panel.command_requested.emit("register_shift")
    qtbot.waitUntil(lambda: "register_shift" in on())
    panel._slider.setValue(30)
    assert session.look.now.grey.landmarks == pytest.approx(0.3)
    window.commander.do("fewer_landmarks")
    qtbot.waitUntil(lambda: panel._slider.value() == 20)
    window.commander.do("toggle_subtraction")
    qtbot.waitUntil(lambda: on() == set())
    qtbot.waitUntil(lambda: session.subtraction.share is None)


def test_the_slider_turns_subtraction_on(qtbot, window):
    window.subtraction_panel._slider.setValue(40)
    qtbot.waitUntil(lambda: window.session.look.now.grey.subtracted)
    assert window.session.look.now.grey.landmarks == pytest.approx(0.4)
