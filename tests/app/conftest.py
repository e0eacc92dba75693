"""Engines without networks, and windows that use them."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from inference.denoising.requests import DenoisedFrame
from inference.tracking.requests import TrackedPoint


class DummyTracker:
    """Answers every frame with the same place; waits while its gate is closed."""

    device_name = "cpu"
    weights = "dummy 1"

    def __init__(self):
        self.asked = []
        self.confidence = lambda frame: 0.9
        self.place = (1.0, 2.0)
        self.gate = threading.Event()
        self.gate.set()

    def track_together(self, frames, take):
        def work(request, should_stop):
            self.asked.append(request)
            for frame in range(request.first_frame, request.last_frame + 1):
                while not self.gate.wait(0.01):
                    if should_stop():
                        return
                if should_stop():
                    return
                yield [TrackedPoint(frame, *self.place, "visible", self.confidence(frame))]

        while (call := take()) is not None:
            for points in work(call.request, call.should_stop):
                call.on_points(points)
            call.on_end()


class DummyDenoiser:
    """Gives frames back as they are, ``change(frame)`` added to each."""

    device_name = "cpu"

    def __init__(self):
        self.order = []
        self.noise_removed = False
        self.change = lambda frame: 0.0
        self.before_frame = lambda: None

    def denoise(self, frames, request, should_stop, on_frame):
        for frame in request.frames:
            if should_stop():
                return
            self.before_frame()
            self.order.append(frame)
            pixels = frames.read(frame).astype(np.float32) + np.float32(self.change(frame))
            on_frame(DenoisedFrame(frame, pixels, self.noise_removed))


@pytest.fixture
def engines():
    return DummyTracker(), DummyDenoiser()


@pytest.fixture
def run_file(tmp_path):
    """A small simulated run as a DICOM file in a folder of its own."""
    from inference.simulation import Scenario, simulate_run
    from inference.simulation.dicom import write_dicom

    folder = tmp_path / "study"
    folder.mkdir()
    run = simulate_run(3, Scenario.FLUOROSCOPY, frame_count=20, size=128)
    write_dicom(run, folder / "run.dcm")
    return folder / "run.dcm"


@pytest.fixture
def other_run_file(tmp_path):
    """A second run, of another size."""
    from inference.simulation import Scenario, simulate_run
    from inference.simulation.dicom import write_dicom

    folder = tmp_path / "other"
    folder.mkdir()
    run = simulate_run(4, Scenario.FLUOROSCOPY, frame_count=12, size=96)
    write_dicom(run, folder / "other.dcm")
    return folder / "other.dcm"


@pytest.fixture
def loaded_weights():
    """The weights of each denoiser that a window loaded, "" for the shipped one."""
    return []


@pytest.fixture
def make_window(qtbot, tmp_path, monkeypatch, engines, loaded_weights):
    """Return a function that opens a window on paths, with engines that need no networks."""
    from app.session.settings import Settings, SettingsKeeper
    from app.session.worker import InferenceWorker
    from app.window.application import make_application
    from app.window.main_window import MainWindow

    monkeypatch.setenv("FLUOROTRACE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    make_application()
    windows = []

    def load_denoiser(device, warn, weights):
        loaded_weights.append(weights)
        return engines[1]

    def make(*paths, **settings):
        worker = InferenceWorker(lambda device, warn: engines[0], load_denoiser)
        window = MainWindow(SettingsKeeper(Settings(**settings)), worker)
        windows.append(window)
        qtbot.addWidget(window)
        window.resize(1200, 800)
        window.show()
        if paths:
            window.session.library.open_paths(list(paths))
            qtbot.waitUntil(lambda: window.session.opened is not None and window.picture.complete)
        return window

    yield make
    engines[0].gate.set()
    for window in windows:
        window.close()
        qtbot.waitUntil(lambda window=window: not window.isVisible(), timeout=20000)
