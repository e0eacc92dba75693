"""Adapting the denoiser from the window, with a process that only says what it is told to."""

import json
import time

import pytest
from PySide6.QtWidgets import QPushButton

from app.session import adapting, denoisers
from app.session.denoisers import AdaptedDenoiser, denoisers_folder, saved_denoisers

MADE = AdaptedDenoiser("Scanner", "Maker", "Model 7", "Coro", "2026-11-24", 0.083, 0.062)
SAVE = """
import json, pathlib, sys
folder = pathlib.Path({folder!r})
folder.mkdir(parents=True, exist_ok=True)
for suffix in (".onnx", ".safetensors"):
    (folder / ({name!r} + suffix)).write_text("weights")
(folder / ({name!r} + ".json")).write_text({card!r})
print({card!r})
"""


@pytest.fixture
def child(monkeypatch):
    """Return a function that sets the Python code which the process runs."""

    def set_code(code):
        monkeypatch.setattr(adapting, "adapting_arguments", lambda path, name: ["-c", code])

    return set_code


def saving(made):
    card = json.dumps({name: getattr(made, name) for name in made.__dataclass_fields__})
    return SAVE.format(folder=str(denoisers_folder()), name=made.name, card=card)


def press(window, text):
    (button,) = [
        b
        for b in window.denoise_panel.denoiser.findChildren(QPushButton)
        if b.text() == text and b.isVisibleTo(window)
    ]
    button.click()


def adapted(qtbot, window):
    window.commander.do("adapt_denoiser")
    qtbot.waitUntil(lambda: not window.session.adapting.running, timeout=20_000)


def test_what_was_adapted_is_kept_used_and_left_again(
    qtbot, make_window, run_file, child, loaded_weights
):
    window = make_window(run_file)
    child(saving(MADE))
    window.session.denoising.set_wanted(True)
    qtbot.waitUntil(lambda: window.session.denoising.ready().all())
    adapted(qtbot, window)
    told = window.denoise_panel.denoiser._result_text.text()
    assert told == "Error left on this run: 8.3% of the noise before, 6.2% after adapting."
    assert window.session.settings.now.denoiser == ""  # nothing changes before the answer
    press(window, "Keep and use")
    assert window.session.settings.now.denoiser == "Scanner"
    qtbot.waitUntil(lambda: loaded_weights[-1:] == [MADE.weights])
    qtbot.waitUntil(lambda: window.session.denoising.ready().all())
    window.commander.do("use_shipped_denoiser")
    assert window.session.settings.now.denoiser == ""
    qtbot.waitUntil(lambda: loaded_weights[-1:] == [""])
    assert [d.name for d in saved_denoisers()] == ["Scanner"]  # to be chosen again


def test_what_was_adapted_can_be_discarded(qtbot, make_window, run_file, child):
    window = make_window(run_file)
    child(saving(AdaptedDenoiser("Scanner", "", "", "", "2026-11-24", 0.08, 0.09)))
    adapted(qtbot, window)
    assert "did not help" in window.denoise_panel.denoiser._result_text.text()
    press(window, "Discard")
    assert window.session.settings.now.denoiser == ""
    assert list(denoisers_folder().iterdir()) == []
    assert window.denoise_panel.denoiser._adapt.isEnabled()


def test_a_refusal_is_told_in_its_own_words(qtbot, make_window, run_file, child):
    window = make_window(run_file)
    child("import sys; sys.exit('fluorotrace: This run is clean: there is nothing to adapt.')")
    adapted(qtbot, window)
    assert window.notices.notice.text == "This run is clean: there is nothing to adapt."
    assert window.denoise_panel.denoiser._adapt.isEnabled()


def test_cancelling_ends_the_process_and_closing_the_window_too(
    qtbot, make_window, run_file, child
):
    window = make_window(run_file)
    child("import time; print('{\"share\": 0.5}', flush=True); time.sleep(600)")
    for stop in (window.denoise_panel.denoiser._cancel.click, window.close):
        window.commander.do("adapt_denoiser")
        label = window.denoise_panel.denoiser._running_text
        qtbot.waitUntil(lambda label=label: "left" in label.text(), timeout=20_000)
        began = time.monotonic()
        stop()
        assert time.monotonic() - began < 600
        assert not window.session.adapting.running


def test_a_denoiser_of_another_day_is_offered_used_and_deleted(
    qtbot, make_window, run_file, child, loaded_weights
):
    denoisers_folder().mkdir(parents=True)
    card = {name: getattr(MADE, name) for name in MADE.__dataclass_fields__}
    (denoisers_folder() / "Scanner.json").write_text(json.dumps(card))
    (denoisers_folder() / "broken.json").write_text("{")
    window = make_window(run_file, denoiser="Scanner")
    box = window.denoise_panel.denoiser._box
    assert [box.itemText(i) for i in range(box.count())] == ["Shipped denoiser", "Scanner"]
    assert box.currentText() == "Scanner"
    assert "Model 7" in box.toolTip()
    window.session.denoising.set_wanted(True)
    qtbot.waitUntil(lambda: window.session.denoising.ready().all())
    assert set(loaded_weights) == {MADE.weights}
    window.session.adapting.delete("Scanner")
    assert window.session.settings.now.denoiser == ""
    assert [box.itemText(i) for i in range(box.count())] == ["Shipped denoiser"]
    assert saved_denoisers() == []


def test_a_denoiser_that_is_gone_is_told_and_the_shipped_one_is_used(make_window, run_file):
    window = make_window(denoiser="Lost")
    assert window.session.settings.now.denoiser == ""
    assert "Lost is gone" in window.notices.notice.text


@pytest.mark.slow
def test_the_real_process_adapts_to_a_noisy_run(qtbot, make_window, tmp_path, monkeypatch):
    from inference.denoising.denoiser import load_denoiser
    from inference.simulation import Scenario, simulate_run
    from inference.simulation.dicom import write_dicom

    monkeypatch.setattr(adapting, "MINUTES", 0.02)
    monkeypatch.setattr(adapting, "NICENESS", 0)  # on a busy machine a polite process never ends
    run = simulate_run(5, Scenario.LOW_DOSE, frame_count=12, size=192)
    write_dicom(run, tmp_path / "noisy.dcm")
    window = make_window(tmp_path / "noisy.dcm")
    window.commander.do("adapt_denoiser")
    qtbot.waitUntil(lambda: not window.session.adapting.running, timeout=600_000)
    made = window.session.adapting.made
    assert made is not None, window.notices.notice
    assert made.manufacturer == "Fluorotrace simulation"
    assert 0 < made.error_after < 1
    assert "Demo" not in (denoisers.denoisers_folder() / f"{made.name}.json").read_text()
    assert load_denoiser("cpu", name=made.weights).device_name == "cpu"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "Adapting, 3 min left"),
        (0.25, "Adapting, 2 min left"),
        (0.5, "Adapting, 90 s left"),
        (0.75, "Adapting, 45 s left"),
        (1.0, "Scoring…"),
    ],
)
def test_the_time_that_is_left_is_told(share, text):
    assert adapting.progress_text(share) == text
