"""Steps, loops and single phases of the heart beat."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.runs.run import Ecg, Run
from app.session.background import Background
from app.session.heart import Heart, Played
from app.session.playback import Playback
from inference.heart.phase import HeartPhase

FRAMES, STEP_MS, BEAT_MS = 60, 40.0, 800.0


class Opened(SimpleNamespace):
    __hash__ = object.__hash__


@pytest.fixture
def heart(qtbot):
    """A heart, its playback, and a run of 60 frames whose R waves lie at frames 5, 25, 45."""
    background, playback = Background(), Playback()
    made = Heart(playback, background)
    ecg = Ecg(np.zeros(4, np.float32), 100.0, r_wave_times_ms=(200.0, 1000.0, 1800.0))
    run = Run(Path("run"), None, FRAMES, 40, 60, np.arange(FRAMES) * STEP_MS, ecg=ecg)
    blank = SimpleNamespace(read=lambda index: np.zeros((40, 60), np.float32))
    made.opened = Opened(run=run, sequence=blank)
    made.set_run(made.opened)
    playback.set_run(run)
    yield made
    background.close()


def without_ecg(heart):
    opened = heart.opened
    opened.run = replace(opened.run, ecg=None)
    heart.set_run(opened)
    heart._playback.set_run(opened.run)


def test_steps_go_from_r_wave_to_r_wave_and_round(heart):
    playback, seen = heart._playback, []
    for way in (1, 1, 1, 1, -1, -1):
        heart.step(way)
        seen.append(playback.frame)
    assert seen == [5, 25, 45, 5, 45, 25]


def test_a_beat_is_played_alone_until_it_is_asked_for_no_more(heart):
    playback = heart._playback
    playback.seek(30)
    heart.toggle_beat()
    assert heart.played is Played.BEAT
    playback.seek(3)
    assert playback.frame == 25
    playback.step(-1)
    assert playback.frame == 44  # round and round within the beat
    assert "One beat" in heart.text
    heart.toggle_beat()
    playback.seek(3)
    assert playback.frame == 3 and heart.text == ""


def test_end_diastole_alone_shows_one_frame_a_beat(heart):
    playback = heart._playback
    heart.toggle_end_diastole()
    assert playback.frame in (5, 25, 45) and heart.end_diastole_alone
    seen = []
    for _ in range(3):
        playback.step(1)
        seen.append(playback.frame)
    assert sorted(seen) == [5, 25, 45]
    assert heart.text == "End-diastole alone"
    heart.toggle_end_diastole()
    assert heart.played is Played.ALL


def test_any_phase_can_be_shown_alone(heart):
    heart._playback.seek(35)
    heart.toggle_this_phase()
    assert heart._playback.frame == 35 and heart.one_phase_alone
    heart._playback.step(1)
    assert heart._playback.frame == 55
    assert heart.text == "50% of the beat alone"
    heart.toggle_end_diastole()
    assert heart.end_diastole_alone


def test_without_an_ecg_the_pictures_are_asked_and_it_says_so(heart, qtbot, monkeypatch):
    phase = (np.arange(FRAMES) / 20.0) % 1.0
    found = HeartPhase(phase, (0.0, 800.0, 1600.0), 800.0, False, 0.9)
    monkeypatch.setattr("inference.heart.from_pictures.phase_from_pictures", lambda *_, **__: found)
    without_ecg(heart)
    assert heart.phase is None
    said = []
    heart.said.connect(said.append)
    heart.toggle_end_diastole()
    qtbot.waitUntil(lambda: heart.played is Played.PHASE)
    assert said[0] == "run has no ECG: the heart beat is looked for in the pictures."
    assert said[1] == "run, estimated from its pictures: 75 beats a minute."
    assert heart.text == "End-diastole alone, estimated from the pictures"
    assert heart._playback.frame == 0


def test_a_run_without_a_heart_says_so_and_is_asked_once(heart, qtbot):
    without_ecg(heart)
    said = []
    heart.said.connect(said.append)
    heart.step(1)
    qtbot.waitUntil(lambda: len(said) == 2)
    heart.step(1)
    assert len(said) == 3
    assert said[1] == said[2] and "Neither" in said[1]


def test_a_run_that_is_left_answers_no_more(heart, qtbot):
    without_ecg(heart)
    heart.toggle_beat()
    heart.set_run(None)
    heart.leave(heart.opened)
    assert heart.phase is None and heart.played is Played.ALL
    said = []
    heart.said.connect(said.append)
    qtbot.wait(100)
    assert not said


def test_the_beats_of_a_run_that_is_only_seen_are_looked_for_once(heart, qtbot, monkeypatch):
    phase = (np.arange(FRAMES) / 20.0) % 1.0
    found = HeartPhase(phase, (0.0, 800.0, 1600.0), 800.0, False, 0.9)
    monkeypatch.setattr("inference.heart.from_pictures.phase_from_pictures", lambda *_, **__: found)
    run = replace(heart.opened.run, path=Path("seen"), ecg=None)
    seen = Opened(run=run, sequence=heart.opened.sequence)
    said, changed = [], []
    heart.said.connect(said.append)
    heart.changed.connect(lambda: changed.append(heart.phase_of(seen)))
    heart.look_for(heart.opened)  # its ECG tells
    heart.look_for(seen)
    heart.look_for(seen)
    qtbot.waitUntil(lambda: changed == [found])
    heart.look_for(seen)
    assert said == [
        "seen has no ECG: the heart beat is looked for in the pictures.",
        "seen, estimated from its pictures: 75 beats a minute.",
    ]
    assert heart.played is Played.ALL
