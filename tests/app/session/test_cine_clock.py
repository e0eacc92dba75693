import numpy as np
import pytest

from app.session.cine_clock import CineClock, Repeat

UNEVEN = np.array([0.0, 40.0, 100.0, 110.0, 200.0])


def clock(repeat: Repeat = Repeat.LOOP, speed: float = 1.0) -> CineClock:
    made = CineClock(UNEVEN, 240.0)
    made.set_repeat(repeat, 0.0)
    made.set_speed(speed, 0.0)
    made.start(0, 0.0)
    return made


@pytest.mark.parametrize(
    ("now", "frame"), [(0, 0), (39.9, 0), (40, 1), (99, 1), (105, 2), (115, 3), (239, 4), (240, 0)]
)
def test_frame_follows_the_files_own_times(now, frame):
    assert clock().due(now).frame == frame


def test_late_tick_skips_frames_instead_of_slowing_down():
    made = clock()
    assert made.due(0).frame == 0
    late = made.due(150.0)
    assert late.frame == 3
    assert late.since_ms == pytest.approx(40.0)
    assert late.next_in_ms == pytest.approx(50.0)


def test_half_speed_doubles_real_time():
    made = clock(speed=0.5)
    assert made.due(79.9).frame == 0
    assert made.due(80.0).frame == 1
    assert made.due(80.0).next_in_ms == pytest.approx(120.0)


def test_speed_change_does_not_jump():
    made = clock()
    assert made.due(105.0).frame == 2
    made.set_speed(4.0, 105.0)
    assert made.due(105.0).frame == 2
    assert made.due(106.3).frame == 3


def test_bounce_plays_back_in_mirrored_time():
    made = clock(Repeat.BOUNCE)
    assert made.due(239.0).frame == 4
    assert made.due(241.0).frame == 4
    assert made.due(281.0).frame == 3
    assert made.due(480.5).frame == 0


def test_rebasing_on_the_way_back_keeps_the_direction():
    made = clock(Repeat.BOUNCE)
    made.set_speed(2.0, 300.0)
    assert made.due(300.0).frame == 3
    assert made.due(340.0).frame == 2


def test_once_ends_on_the_last_frame():
    made = clock(Repeat.ONCE)
    assert not made.due(239.0).ended
    ended = made.due(250.0)
    assert ended.ended
    assert ended.frame == 4
