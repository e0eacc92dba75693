"""Each key, wheel and button does what it says, to the frame and track that are meant."""

from dataclasses import replace

import numpy as np
import pytest

from app.runs.run import Ecg
from app.session.cine_clock import Repeat
from app.session.look import Comparison
from app.tracks import edits
from app.tracks.track import PointState, TrackKind
from app.window.command_table import COMMANDS


def press(window, keys):
    """Do what the menu says that a key does."""
    (name,) = (command.name for command in COMMANDS if keys in command.keys)
    window.commander.do(name)


@pytest.fixture
def wide_run(tmp_path):
    """A run of 20 frames, wider than high."""
    path = tmp_path / "wide.npy"
    np.save(path, np.random.default_rng(5).integers(0, 255, (20, 60, 96), np.uint8))
    return path


@pytest.fixture
def window(make_window, wide_run):
    return make_window(wide_run)


@pytest.fixture
def labelling(window):
    return window.session.labelling


@pytest.fixture
def tracked(qtbot, window, labelling, engines):
    """One track, clicked on the frames 4 and 14, and the playhead on frame 9."""
    engines[0].confidence = lambda frame: 0.1 if frame in (2, 11, 17) else 0.9
    for jobs, frame in enumerate((4, 14), 1):
        window.session.playback.seek(frame)
        labelling.place(90.0, 50.0)
        qtbot.waitUntil(lambda jobs=jobs: len(engines[0].asked) == jobs)
        qtbot.waitUntil(lambda: not window.session.opened.labels.pending)
    assert len(labelling.selected.points) == 20
    window.session.playback.seek(9)
    return window


def test_keys_move_the_playhead(window):
    playback = window.session.playback
    for keys, frame in (
        ("End", 19),
        ("Left", 18),
        ("Shift+Left", 8),
        ("Right", 9),
        ("Shift+Right", 19),
        ("Home", 0),
    ):
        press(window, keys)
        assert playback.frame == frame, keys
    for keys, speed in (("]", 1.5), ("]", 2.0), ("[", 1.5), ("[", 1.0), ("[", 0.5)):
        press(window, keys)
        assert playback.speed == speed
    for repeat in (Repeat.BOUNCE, Repeat.ONCE, Repeat.LOOP):
        press(window, "Ctrl+L")
        assert playback.repeat is repeat
    press(window, "Space")
    assert playback.playing
    press(window, "Space")
    assert not playback.playing


def test_wheel_and_timelines_move_the_playhead(window):
    playback = window.session.playback
    window.view.wheel_stepped.emit(3)
    assert playback.frame == 3
    window.view.wheel_stepped.emit(-1)
    assert playback.frame == 2
    for place, strip in enumerate((window.timeline, window.ecg_strip, window.motion_plot), 5):
        strip.frame_requested.emit(place)
        assert playback.frame == place
    assert window.timeline.frame == 7
    time_s = window.session.opened.run.frame_times_ms[7] / 1000.0
    assert window.play_bar._position.text() == f"Frame 8 / 20   {time_s:.3f} s"
    window.play_bar.speed_picked.emit(0.25)
    assert playback.speed == 0.25
    window.play_bar.command_requested.emit("last_frame")
    assert playback.frame == 19


def switches(window):
    look = window.session.look.now
    grey = {name: getattr(look.grey, name) for name in ("inverted", "shutter")}
    return grey | {n: getattr(look, n) for n in ("tracks", "trails", "corners", "patient")}


def test_keys_switch_one_thing_and_back(window):
    before = switches(window)
    for keys, field in (
        ("I", "inverted"),
        ("Shift+S", "shutter"),
        ("O", "tracks"),
        ("Shift+O", "trails"),
        ("Y", "corners"),
        ("H", "patient"),
    ):
        press(window, keys)
        assert switches(window) == before | {field: not before[field]}
        press(window, keys)
        assert switches(window) == before


def test_keys_move_the_mask(qtbot, window):
    for keys, shift in (
        ("Alt+Left", (-0.5, 0.0)),
        ("Alt+Up", (-0.5, -0.5)),
        ("Alt+Right", (0.0, -0.5)),
        ("Alt+Down", (0.0, 0.0)),
    ):
        before = window.session.look.now.grey
        press(window, keys)
        qtbot.waitUntil(lambda before=before: window.session.look.now.grey != before)
        assert window.session.look.now.grey.mask_shift_px == shift
        assert window.session.look.now.grey.subtracted


def test_comparisons_and_strength_are_those_asked_for(window):
    look, panel = window.session.look, window.denoise_panel
    for number, comparison in enumerate(
        (
            Comparison.ORIGINAL,
            Comparison.DENOISED,
            Comparison.SIDE_BY_SIDE,
            Comparison.WIPE,
            Comparison.DIFFERENCE,
        ),
        1,
    ):
        press(window, f"Ctrl+{number}")
        assert look.now.comparison is comparison
        assert window.view.mode == comparison
    panel.mode_picked.emit("wipe")
    assert look.now.comparison is Comparison.WIPE
    panel.strength_changed.emit(0.3)
    assert look.now.strength == 0.3
    assert window.session.denoising.wanted
    panel.cancel_requested.emit()
    assert not window.session.denoising.wanted


def test_a_place_is_x_and_y_of_the_picture(window, labelling):
    labelling.place(20.0, 90.0)  # below the picture
    assert labelling.selected is None
    labelling.place(90.0, 20.0)
    point = labelling.selected.points[0]
    assert (point.x, point.y) == (90.0, 20.0)
    labelling.drop(labelling.selected.id, 0, 80.0, 10.0)
    point = labelling.selected.points[0]
    assert (point.x, point.y) == (80.0, 10.0)


def test_tracking_again_goes_the_way_that_is_asked(qtbot, tracked, engines):
    for jobs, (keys, frames) in enumerate(
        (("T", (4, 14)), ("Shift+T", (4, 9)), ("Ctrl+Shift+T", (9, 14))), 3
    ):
        press(tracked, keys)
        qtbot.waitUntil(lambda jobs=jobs: len(engines[0].asked) == jobs)
        qtbot.waitUntil(lambda: not tracked.session.opened.labels.pending)
        request = engines[0].asked[-1]
        assert (request.first_frame, request.last_frame) == frames


def test_doubtful_frames_are_visited_both_ways(tracked):
    playback = tracked.session.playback
    for keys, frame in (("E", 11), ("E", 17), ("Shift+E", 11), ("Shift+E", 2)):
        press(tracked, keys)
        assert playback.frame == frame


def test_a_span_is_from_its_key_to_its_other_key(tracked, labelling):
    playback = tracked.session.playback
    occluded = set()
    for first, last, at in ((5, 7, 5), (10, 12, 12)):
        playback.seek(first)
        press(tracked, ",")
        playback.seek(last)
        press(tracked, ".")
        assert labelling.span == tracked.timeline.span == (first, last)
        playback.seek(at)
        press(tracked, "X")
        occluded |= set(range(first, last + 1))
        points = labelling.selected.points
        assert {f for f in range(20) if points[f].state is PointState.OCCLUDED} == occluded
    press(tracked, ",")
    assert labelling.span == (12, 12)
    press(tracked, "Shift+,")
    assert labelling.span is None
    press(tracked, ".")
    assert labelling.span == (12, 12)


def test_a_lock_keeps_every_key_from_the_labels_and_says_so(tracked, labelling, engines):
    def labels():
        return [(t.info, dict(t.points)) for t in tracked.session.opened.labels.tracks]

    said = []
    labelling.refused.connect(said.append)
    before = labels()
    press(tracked, "K")
    assert "K" in tracked.view._lock_reason
    for keys in ("T", "X", "A", "V", "Return", "Delete", "Ctrl+Delete", "Ctrl+Z", "N", "G"):
        said.clear()
        press(tracked, keys)
        assert labels() == before, keys
        assert any("press K" in sentence for sentence in said), keys
    labelling.place(10.0, 10.0)
    labelling.apply(edits.add_track(edits.new_track(())))
    assert labels() == before
    assert len(engines[0].asked) == 2
    press(tracked, "K")
    assert tracked.view._lock_reason == ""
    press(tracked, "X")
    assert labels() != before


def test_undo_and_redo_are_what_they_say(tracked, labelling):
    before = dict(labelling.selected.points)
    press(tracked, "X")
    after = dict(labelling.selected.points)
    assert after != before
    press(tracked, "Ctrl+Z")
    assert labelling.selected.points == before
    press(tracked, "Ctrl+Y")
    assert labelling.selected.points == after


def test_the_panel_renames_and_chooses(tracked, labelling):
    panel = tracked.track_panel
    first = labelling.selected.id
    press(tracked, "N")
    second = labelling.selected.id
    assert second != first
    panel.renamed.emit(first, "Guide wire")
    panel.kind_picked.emit(second, str(TrackKind.GUIDEWIRE_TIP))
    one, other = tracked.session.opened.labels.tracks
    assert (one.name, one.kind) == ("Guide wire", TrackKind.CATHETER_TIP)
    assert other.kind is TrackKind.GUIDEWIRE_TIP
    for source in (panel, tracked.view, tracked.timeline):
        source.track_picked.emit(first)
        assert labelling.selected.id == first
        press(tracked, "Q")
        assert labelling.selected.id == second


def test_the_ecg_begins_when_it_was_recorded(window):
    opened = window.session.opened
    ecg = Ecg(np.sin(np.arange(200.0)).astype(np.float32), 100.0, start_ms=300.0, label="Lead II")
    opened.run = replace(opened.run, ecg=ecg)
    window.session.run_changed.emit(opened)
    assert window.ecg_strip.has_ecg
    assert window.ecg_strip._sample_times_ms[0] == 300.0
    assert window.ecg_strip._sample_times_ms[-1] == 300.0 + 1990.0
