from pathlib import Path

import numpy as np
import pytest

from app.runs.run import Run
from app.session import playback as playback_module
from app.session.cine_clock import Repeat
from app.session.playback import Playback


class NoFrames:
    def read(self, index):
        return np.zeros((4, 4), np.uint8)

    def close(self):
        pass


def make_run(count: int = 10, step_ms: float = 100.0) -> Run:
    times = np.arange(count) * step_ms
    return Run(Path("run"), NoFrames(), count, 4, 4, times)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    state = {"now": 0.0}
    monkeypatch.setattr(playback_module, "now_ms", lambda: state["now"])
    return state


@pytest.fixture
def player(qtbot, clock):
    made = Playback()
    made.set_run(make_run())
    yield made
    made.pause()


def test_plays_by_elapsed_time_and_drops_late_frames(player, clock):
    shown = []
    player.frame_changed.connect(shown.append)
    player.play()
    for clock["now"] in (100.0, 450.0, 500.0):
        player._tick()
    assert shown == [1, 4, 5]
    assert player.dropped == 2
    assert list(player.lateness_ms) == [0.0, 50.0, 0.0]


def test_once_stops_on_the_last_frame_and_play_starts_over(player, clock):
    player.set_repeat(Repeat.ONCE)
    player.play()
    clock["now"] = 5000.0
    player._tick()
    assert player.frame == 9
    assert not player.playing
    player.play()
    assert player.frame == 0


def test_seek_while_playing_goes_on_from_there(player, clock):
    player.play()
    player.seek(7)
    clock["now"] = 100.0
    player._tick()
    assert player.frame == 8


def test_single_steps_pause_and_wrap(player):
    player.play()
    player.step(-1)
    assert player.frame == 9
    assert not player.playing
    player.step(1)
    assert player.frame == 0


def test_ten_frame_jump_stops_at_the_ends(player):
    player.step(-10)
    assert player.frame == 0
    player.step(100)
    assert player.frame == 9


def test_speed_steps_stay_within_the_usual_speeds(player):
    for _ in range(10):
        player.change_speed(1)
    assert player.speed == 4.0
    for _ in range(10):
        player.change_speed(-1)
    assert player.speed == 0.1


def test_plays_in_real_time_through_the_event_loop(qtbot):
    player = Playback()
    player.set_run(make_run(count=5, step_ms=20.0))
    player.set_repeat(Repeat.ONCE)
    with qtbot.waitSignal(player.playing_changed, check_params_cb=lambda on: not on, timeout=3000):
        player.play()
    assert player.frame == 4


def test_a_still_does_not_play(qtbot):
    player = Playback()
    player.set_run(make_run(count=1))
    player.play()
    assert not player.playing


def test_speed_and_repeat_hold_for_the_next_run(player, clock):
    player.set_speed(2.0)
    player.set_repeat(Repeat.ONCE)
    player.set_run(make_run(), 3)
    assert player.frame == 3
    player.play()
    clock["now"] = 50.0
    player._tick()
    assert player.frame == 4
    clock["now"] = 5000.0
    player._tick()
    assert player.frame == 9
    assert not player.playing


def test_a_speed_is_taken_over_while_playing(player, clock):
    player.play()
    player.set_speed(0.5)
    clock["now"] = 150.0
    player._tick()
    assert player.frame == 0
    clock["now"] = 200.0
    player._tick()
    assert player.frame == 1


def test_the_end_is_the_last_frame(player):
    player.seek_end()
    assert player.frame == 9


def test_the_time_of_the_run_goes_on_between_two_frames(player, clock):
    player.seek(3)
    assert player.position_ms == 300.0
    player.play()
    clock["now"] = 40.0
    assert player.position_ms == 340.0
    player.set_speed(0.5)
    clock["now"] = 60.0
    assert player.position_ms == 350.0
    clock["now"] = 2000.0  # once round the loop
    assert player.position_ms == 320.0
    player.set_run(None)
    assert player.position_ms == 0.0


def test_frames_that_are_played_alone_keep_their_times(qtbot):
    player = Playback()
    player.set_run(make_run(count=10, step_ms=10.0))
    player.set_played((1, 4, 9))
    assert player.frame == 1
    shown = []
    player.frame_changed.connect(shown.append)
    player.seek(8)
    player.step(1)
    player.step(1)
    player.seek_end()
    assert shown == [9, 1, 4, 9]
    clock = player._clock
    assert clock.due(0.0).frame == 0
    clock.start(0, 0.0)
    assert [clock.due(t).frame for t in (0.0, 29.0, 31.0, 79.0, 81.0)] == [0, 0, 1, 1, 2]
    assert clock.due(80.0 + 40.0 + 1.0).frame == 0  # the last stays for the usual interval
    player.set_played(None)
    player.seek(8)
    assert player.frame == 8


def test_a_stretch_that_is_played_alone_ends_with_its_last_frame(qtbot):
    player = Playback()
    player.set_run(make_run(count=10, step_ms=10.0), 5)
    player.set_played(range(3, 7))
    clock = player._clock
    clock.start(0, 0.0)
    assert [clock.due(t).frame for t in (9.0, 11.0, 39.0, 41.0)] == [0, 1, 3, 0]
    player.set_repeat(Repeat.ONCE)
    player.seek(6)
    ended = []
    player.ended.connect(lambda: ended.append(player.frame))
    player.play()
    assert player.frame == 3
    qtbot.waitUntil(lambda: bool(ended))
    assert ended == [6]
