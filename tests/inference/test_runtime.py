import subprocess
import sys

import numpy as np
import pytest

from inference import runtime
from inference.runtime import DeviceMemoryError, Network, WeightsMissingError


class FakeDevice:
    """A device that holds at most ``room`` items."""

    def __init__(self, device, room):
        self.device = device
        self.room = room
        self.sizes = []

    def __call__(self, inputs):
        size = len(inputs["frames"])
        if size > self.room:
            raise DeviceMemoryError("full")
        self.sizes.append(size)
        return (inputs["frames"] * inputs["gain"],)


def make_network(room):
    gpu, cpu, said = FakeDevice("cuda", room), FakeDevice("cpu", 100), []
    return Network(gpu, lambda: cpu, {}, said.append), gpu, cpu, said


def test_a_batch_that_does_not_fit_is_halved_and_the_user_told():
    network, gpu, cpu, said = make_network(room=3)
    frames = np.arange(10, dtype=np.float32)
    (doubled,) = network({"frames": frames}, {"gain": np.float32(2)})
    np.testing.assert_array_equal(doubled, frames * 2)
    assert max(gpu.sizes) <= 3
    assert cpu.sizes == []
    assert network.device == "cuda"
    assert any("short of memory" in sentence for sentence in said)


def test_the_cpu_takes_over_where_nothing_fits():
    network, _, cpu, said = make_network(room=0)
    frames = np.arange(4, dtype=np.float32)
    (doubled,) = network({"frames": frames}, {"gain": np.float32(2)})
    np.testing.assert_array_equal(doubled, frames * 2)
    assert network.device == "cpu"
    assert cpu.sizes == [4]
    assert "going on with the CPU" in said[-1]


def test_a_cpu_without_memory_says_so():
    cpu = FakeDevice("cpu", 0)
    network = Network(cpu, lambda: cpu, {}, lambda sentence: None)
    with pytest.raises(MemoryError, match="Close other programs"):
        network({"frames": np.zeros(1)}, {"gain": np.float32(1)})


@pytest.mark.parametrize(
    ("usable", "preferred", "expected"),
    [
        ({"cuda"}, "auto", "cuda"),
        ({"cuda"}, "cpu", "cpu"),
        ({"mps"}, "auto", "mps"),
        ({"mps"}, "cuda", "mps"),
        (set(), "cuda", "cpu"),
        (set(), "auto", "cpu"),
    ],
)
def test_the_fastest_device_there_is_is_chosen(monkeypatch, usable, preferred, expected):
    monkeypatch.setattr(runtime, "_is_usable", lambda device: device in usable)
    assert runtime.available_devices()[-1] == "cpu"
    assert runtime.choose_device(preferred) == expected


def test_a_driver_is_looked_for_without_starting_a_program(monkeypatch):
    def start(*_, **__):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    assert runtime._is_usable("cuda") in (True, False)
    assert not runtime._has_library("libno_such_driver.so.1")
    if sys.platform == "linux":
        assert runtime._has_library("libc.so.6")


def test_missing_weights_are_named():
    with pytest.raises(WeightsMissingError, match="no_such_network"):
        runtime.weights_path("no_such_network", ".onnx")


def test_the_cpu_path_does_not_import_torch():
    code = (
        "import sys, numpy as np\n"
        "from inference.tracking.tracker import load_tracker\n"
        "load_tracker('cpu').propose(np.zeros((64, 64), np.uint8))\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
