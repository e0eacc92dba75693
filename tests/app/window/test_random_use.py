"""Random commands and clicks: nothing raises, and every gesture can be taken back exactly."""

import random

import pytest
from PySide6.QtCore import Qt

from app.window.command_table import COMMANDS

ASKS = {command.name for command in COMMANDS if command.text.endswith("…")}
LEFT_OUT = {
    "open_sample",
    "tool_text",  # asks for the words
    "close_run",
    "quit",
    "toggle_full_screen",
    "cancel_tracking",
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_use_raises_nothing_and_undoes_to_nothing(
    qtbot, make_window, run_file, engines, seed
):
    rng = random.Random(seed)
    engines[0].confidence = lambda frame: (frame % 7) / 6
    window = make_window(run_file)
    names = [command.name for command in COMMANDS if command.name not in ASKS | LEFT_OUT]
    for _ in range(250):
        if rng.random() < 0.35:
            place = window.view.mouse_position(rng.uniform(0, 127), rng.uniform(0, 127)).toPoint()
            window.session.playback.seek(rng.randrange(20))
            qtbot.mouseClick(window.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        else:
            window.commander.do(rng.choice(names))
        for dialog in tuple(window.hands.dialogs.open):
            dialog.reject()
        if rng.random() < 0.3:
            qtbot.wait(rng.randrange(15))
    window.session.playback.pause()
    window.session.set_places(1)
    window.session.labelling.cancel_tracking()
    if window.session.labelling.locked:
        window.commander.do("lock_labels")
    qtbot.waitUntil(lambda: not window.session.worker.tracking)
    qtbot.wait(50)
    after = [(t.info, dict(t.points)) for t in window.session.opened.labels.tracks]
    steps = 0
    while window.session.opened.labels.undo() is not None:
        steps += 1
    assert window.session.opened.labels.tracks == ()
    for _ in range(steps):
        window.session.opened.labels.redo()
    assert [(t.info, dict(t.points)) for t in window.session.opened.labels.tracks] == after
