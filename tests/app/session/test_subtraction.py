"""Subtraction of the open run: masks of a span, registered on a thread, and windows of its own."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.display.settings import Peak
from app.runs.run import VoiFunction, Window
from app.session.look import look_from, view_of
from inference.subtraction import Registration

WINDOW = Window(100.0, 80.0, VoiFunction.LINEAR_EXACT)


@pytest.fixture
def session(make_session, run_file):
    return make_session(run_file)


def settle(qtbot, session):
    qtbot.waitUntil(lambda: session.subtraction.share is None, timeout=20000)


def subtract(qtbot, session):
    session.subtraction.toggle()
    qtbot.waitUntil(lambda: session.look.now.grey.subtracted)


def test_a_span_makes_the_mask(qtbot, session):
    session.labelling.set_span(2, 5)
    session.subtraction.use_span(session.labelling.span)
    qtbot.waitUntil(lambda: session.look.now.grey.mask_frames == (2, 3, 4, 5))
    assert session.look.now.grey.subtracted
    opened = session.opened
    values = opened.display.values(opened.cache.wait(7), session.look.now.grey, 7)
    mask = np.mean([opened.cache.wait(i).astype(float) for i in (2, 3, 4, 5)], axis=0)
    center = opened.display.default_window().center
    np.testing.assert_allclose(values, opened.cache.wait(7) - mask + center, atol=1e-3)


def test_without_a_span_the_mask_stays(session):
    before = session.look.now
    session.subtraction.use_span(None)
    assert session.look.now == before


def test_each_has_its_window(qtbot, session):
    session.look.change_grey(voi=WINDOW)
    subtract(qtbot, session)
    assert session.look.now.grey.voi is None  # its own automatic one
    own = Window(5.0, 6.0, VoiFunction.LINEAR_EXACT)
    session.look.change_grey(voi=own)
    session.subtraction.toggle()
    assert session.look.now.grey.voi == WINDOW
    subtract(qtbot, session)
    assert session.look.now.grey.voi == own


@pytest.mark.parametrize("way", [Registration.SHIFT, Registration.ELASTIC])
def test_masks_are_registered_from_the_playhead_on(qtbot, session, way):
    done = []
    session.subtraction.registered.connect(done.append)
    session.playback.seek(4)
    session.subtraction.set_registration(way)
    qtbot.waitUntil(lambda: session.look.now.grey.registration is way)
    settle(qtbot, session)
    count = session.opened.run.frame_count
    assert done[:count] == [(4 + i) % count for i in range(count)]
    display, grey = session.opened.display, session.look.now.grey
    assert all(display.is_registered(grey, frame) for frame in range(count))


def test_the_window_is_that_of_what_registering_left(qtbot, make_session, tmp_path):
    texture = np.random.default_rng(0).normal(120, 40, (28, 28))
    still = cv2.resize(texture, (224, 224), interpolation=cv2.INTER_CUBIC)
    frames = [still[2 * (i % 3) :, 3 * (i % 2) :][:192, :192] for i in range(6)]
    np.save(tmp_path / "table.npy", np.clip(frames, 0, 255).astype(np.uint8))
    session = make_session(tmp_path / "table.npy")
    session.subtraction.set_registration(Registration.SHIFT)
    qtbot.waitUntil(lambda: session.look.now.grey.registration is Registration.SHIFT)
    settle(qtbot, session)
    display, grey = session.opened.display, session.look.now.grey
    as_it_was = replace(grey, registration=Registration.OFF)
    assert display.voi(grey).width < display.voi(as_it_was).width / 2


def test_registering_can_be_stopped_and_goes_on_when_asked_again(qtbot, session):
    subtract(qtbot, session)
    done = []
    session.subtraction.registered.connect(
        lambda frame: done.append(frame) or session.subtraction.stop_registering()
    )
    session.subtraction.set_registration(Registration.SHIFT)
    qtbot.waitUntil(lambda: bool(done))
    assert session.subtraction.share is None
    session.playback.seek(10)
    assert session.subtraction.share is None  # it stays stopped
    assert len(done) == 1
    session.subtraction.registered.disconnect()
    session.subtraction.set_registration(Registration.SHIFT)
    display, grey = session.opened.display, session.look.now.grey
    qtbot.waitUntil(lambda: display.is_registered(grey, 10))
    settle(qtbot, session)


def test_moving_by_hand_ends_registration(qtbot, session):
    session.subtraction.set_registration(Registration.SHIFT)
    qtbot.waitUntil(lambda: session.look.now.grey.registration is Registration.SHIFT)
    session.subtraction.move(1, 0)
    qtbot.waitUntil(lambda: session.look.now.grey.registration is Registration.OFF)
    assert session.look.now.grey.mask_shift_px == (0.5, 0.0)


def test_landmarks_stay_within_their_share(qtbot, session):
    subtract(qtbot, session)
    opened = session.opened
    flat = opened.display.values(opened.cache.wait(0), session.look.now.grey, 0)
    for _ in range(3):
        session.subtraction.change_landmarks(1)
    qtbot.waitUntil(lambda: session.look.now.grey.landmarks == pytest.approx(0.3))
    seen = opened.display.values(opened.cache.wait(0), session.look.now.grey, 0)
    frame = opened.cache.wait(0).astype(float)
    np.testing.assert_allclose(seen - flat, 0.3 * (frame - frame.mean()), atol=1e-2)
    for _ in range(9):
        session.subtraction.change_landmarks(-1)
    qtbot.waitUntil(lambda: session.look.now.grey.landmarks == 0.0)


def test_it_comes_back_with_the_run(qtbot, session):
    session.look.change_grey(voi=WINDOW)
    session.subtraction.set_registration(Registration.ELASTIC)
    qtbot.waitUntil(lambda: session.look.now.grey.registration is Registration.ELASTIC)
    session.subtraction.change_landmarks(2)
    qtbot.waitUntil(lambda: session.look.now.grey.landmarks == pytest.approx(0.2))
    run, now = session.opened.run, session.look.now
    assert look_from(view_of(now, run), run, session.look.of_run(session.opened)).grey == now.grey
    spoiled = {"registration": "sideways", "landmarks": 7, "other_window": 3}
    grey = look_from(spoiled, run, session.look.of_run(session.opened)).grey
    assert grey.registration is Registration.OFF and grey.landmarks == 1.0
    assert grey.other_voi is None


@pytest.mark.parametrize("way", [Registration.OFF, Registration.SHIFT])
def test_the_peak_is_the_darkest_of_each_pixel(qtbot, session, way):
    subtract(qtbot, session)
    if way is not Registration.OFF:
        session.subtraction.set_registration(way)
        qtbot.waitUntil(lambda: session.look.now.grey.registration is way)
        settle(qtbot, session)
    opened = session.opened
    plain = session.look.now.grey
    each = [
        opened.display.values(opened.cache.wait(i), plain, i) for i in range(opened.run.frame_count)
    ]
    session.subtraction.show_peak(Peak.OPACIFICATION)
    qtbot.waitUntil(lambda: opened.display.peak(session.look.now.grey) is not None)
    settle(qtbot, session)
    assert session.subtraction.shown_peak is Peak.OPACIFICATION
    seen = opened.display.values(opened.cache.wait(3), session.look.now.grey, 3)
    np.testing.assert_allclose(seen, np.min(each, axis=0), atol=1e-3)
    session.subtraction.show_peak(Peak.OPACIFICATION)  # again
    qtbot.waitUntil(lambda: session.subtraction.shown_peak is Peak.OFF)
    again = opened.display.values(opened.cache.wait(3), session.look.now.grey, 3)
    np.testing.assert_allclose(again, each[3], atol=1e-3)


def test_the_peak_follows_the_mask(qtbot, session):
    session.subtraction.show_peak(Peak.OPACIFICATION)
    qtbot.waitUntil(lambda: session.opened.display.peak(session.look.now.grey) is not None)
    session.playback.seek(5)
    session.subtraction.use_this_frame()
    qtbot.waitUntil(lambda: session.look.now.grey.mask_frames == (5,))
    qtbot.waitUntil(lambda: session.opened.display.peak(session.look.now.grey) is not None)
    settle(qtbot, session)


def test_a_frame_that_cannot_be_read_is_told(qtbot, session, monkeypatch):
    subtract(qtbot, session)
    told = []
    session.failed.connect(told.append)
    monkeypatch.setattr(session.opened.display, "register", _raise)
    session.subtraction.set_registration(Registration.SHIFT)
    qtbot.waitUntil(lambda: bool(told))
    assert told == ["Frame 3 is damaged."]
    assert session.subtraction.share is None


def _raise(*_):
    from app.runs.run import RunError

    raise RunError("Frame 3 is damaged.")
