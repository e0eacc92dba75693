"""Devices and networks: the same call whether a network runs on a GPU or on the CPU.

On the CPU a network is an exported ONNX file run by ONNX Runtime, and torch is never imported; on
CUDA and MPS it is a torch module with mixed precision. When a device's memory runs out the batch is
halved, and at last the CPU takes over; both are told to the caller in a sentence.
"""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import sys
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[np.generic]]
BuildModule = Callable[[Mapping[str, str]], Any]
"""Makes the ``torch.nn.Module`` that a weights file's metadata describes."""
Warn = Callable[[str], None]
"""Receives a sentence that the user should see."""


M_ARENA_MAX, ARENAS = -8, 2
"""In glibc's malloc.h: how many pools of memory the threads of this process share."""


class DeviceMemoryError(RuntimeError):
    """The device has too little memory for this batch."""


class WeightsMissingError(FileNotFoundError):
    """A network's weights are not where the program was installed."""


class Runner(Protocol):
    """A network on one device."""

    device: str

    def __call__(self, inputs: Arrays) -> tuple[NDArray[np.float32], ...]:
        """Run once; raises `DeviceMemoryError` when the device's memory runs out."""
        ...


def available_devices() -> list[str]:
    """Return the devices that networks can run on, the fastest first; "cpu" is always there."""
    return [device for device in ("cuda", "mps") if _is_usable(device)] + ["cpu"]


def choose_device(preferred: str = "auto") -> str:
    """Return the device to use: the preferred one where there is one, else the fastest.

    Parameters
    ----------
    preferred : {"auto", "cuda", "mps", "cpu"}
    """
    if preferred == "cpu":
        return "cpu"
    devices = available_devices()
    return preferred if preferred in devices else devices[0]


def _is_usable(device: str) -> bool:
    # Importing torch takes seconds, so it is asked only where the machine may have such a device.
    if device == "cuda":
        if not _has_library("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"):
            return False
    elif sys.platform != "darwin" or platform.machine() != "arm64":
        return False
    try:
        import torch
    except ImportError:
        return False
    usable = torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()
    return bool(usable)


def _has_library(name: str) -> bool:
    """Tell whether the system has a library: the driver of a GPU.

    Asked of the loader itself: `ctypes.util.find_library` starts a compiler where there is one.
    """
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def weights_path(name: str, suffix: str) -> Path:
    """Return where a network's file lies.

    Parameters
    ----------
    name : str
        Of a shipped network, or the path of another one without its ending.

    Raises
    ------
    WeightsMissingError
        When it is not there.
    """
    shipped = Path(str(resources.files("resources").joinpath("weights", name + suffix)))
    path = Path(name + suffix) if "/" in name or "\\" in name else shipped
    if not path.is_file():
        raise WeightsMissingError(
            f"The network {path.name} is not at {path.parent}. Install Fluorotrace again."
        )
    return path


class Network:
    """A network whose batches shrink, and which moves to the CPU, when memory runs out.

    Parameters
    ----------
    runner : Runner
        Where it starts.
    on_cpu : callable
        Makes the runner that takes over when not even one item fits.
    warn : callable, optional
        Receives a sentence for the user when that happens.
    metadata : mapping
        What the weights file says about itself.

    Attributes
    ----------
    runner : Runner
        Where it runs now.
    """

    def __init__(
        self,
        runner: Runner,
        on_cpu: Callable[[], Runner],
        metadata: Mapping[str, str],
        warn: Warn | None = None,
    ) -> None:
        self.metadata = dict(metadata)
        self.runner = runner
        self._on_cpu = on_cpu
        self._warn = warn or log.warning
        self._batch: int | None = None

    @property
    def device(self) -> str:
        """Where the network runs now."""
        return self.runner.device

    def __call__(
        self, batched: Arrays, fixed: Arrays | None = None
    ) -> tuple[NDArray[np.float32], ...]:
        """Run the network.

        Parameters
        ----------
        batched : mapping of ndarray
            Inputs whose first axis is the batch, all equally long.
        fixed : mapping of ndarray, optional
            Inputs that every item shares.

        Returns
        -------
        tuple of ndarray
            float32 outputs, the batch first.
        """
        count = len(next(iter(batched.values())))
        parts: list[tuple[NDArray[np.float32], ...]] = []
        done = 0
        while done < count:
            size = min(self._batch or count, count - done)
            chunk = {key: value[done : done + size] for key, value in batched.items()}
            try:
                parts.append(self.runner({**(fixed or {}), **chunk}))
            except DeviceMemoryError:
                self._shrink(size)
                continue
            done += size
        if len(parts) == 1:
            return parts[0]
        return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))

    def _shrink(self, size: int) -> None:
        if size > 1:
            self._batch = size // 2
            self._warn(
                f"The {self.device} device is short of memory: "
                f"working on {self._batch} frames at a time."
            )
            return
        if self.device == "cpu":
            raise MemoryError("There is too little memory for this run. Close other programs.")
        self._warn(f"The {self.device} device has too little memory: going on with the CPU.")
        self.runner = self._on_cpu()
        self._batch = None


def load_network(
    name: str,
    device: str = "auto",
    *,
    build: BuildModule,
    warn: Warn | None = None,
    threads: int | None = None,
) -> Network:
    """Load a shipped network.

    Parameters
    ----------
    name : str
        As in resources/weights, such as "tracker_tiny", or a path without its ending.
    device : {"auto", "cuda", "mps", "cpu"}
    build : callable
        Makes the torch module from the weights' metadata; called on GPUs only. The module takes
        the ONNX file's inputs by name and returns its outputs.
    warn : callable, optional
        Receives sentences for the user.
    threads : int, optional
        CPU threads; as many as there are physical cores when None.

    Raises
    ------
    WeightsMissingError
        When the network is not installed.
    """
    from safetensors import safe_open

    _share_memory_pools()
    chosen = choose_device(device)
    with safe_open(weights_path(name, ".safetensors"), framework="np") as file:
        metadata = file.metadata() or {}

    def on_cpu() -> Runner:
        return OnnxRunner(weights_path(name, ".onnx"), threads)

    if chosen == "cpu":
        return Network(on_cpu(), on_cpu, metadata, warn)
    try:
        runner: Runner = TorchRunner(build(metadata), weights_path(name, ".safetensors"), chosen)
    except DeviceMemoryError:
        (warn or log.warning)(f"The {chosen} device has too little memory: going on with the CPU.")
        runner = on_cpu()
    return Network(runner, on_cpu, metadata, warn)


def _share_memory_pools() -> None:
    """Have all threads take memory from the same pools (glibc).

    With one for each thread, as it is by default, arrays that live for one frame leave 100 MB of
    holes behind in the many pools.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_ARENA_MAX, ARENAS)


class OnnxRunner:
    """An exported network on the CPU.

    Parameters
    ----------
    threads : int, optional
        As many as there are physical cores when None.
    """

    device = "cpu"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # 0 is ONNX Runtime's own count of physical cores.
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that spin between calls would take the cores from the window and the decoder.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Its sum and layer norm in one are slower than one after the other.
        self._session = onnxruntime.InferenceSession(
            str(path),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"],
        )
        self._inputs = {entry.name for entry in self._session.get_inputs()}

    def __call__(self, inputs: Arrays) -> tuple[NDArray[np.float32], ...]:
        """Run once; inputs that the export folded away are left out."""
        used = {key: value for key, value in inputs.items() if key in self._inputs}
        return tuple(np.asarray(out, np.float32) for out in self._session.run(None, used))


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class TorchRunner:
    """A torch module on a GPU, in mixed precision."""

    def __init__(self, module: Any, weights: Path, device: str) -> None:
        import torch
        from safetensors.torch import load_file

        self.device = device
        self._torch = torch
        module.load_state_dict(load_file(weights))
        try:
            self._module = module.to(device).eval()
        except RuntimeError as error:
            raise _as_memory_error(error, torch) from error

    def __call__(self, inputs: Arrays) -> tuple[NDArray[np.float32], ...]:
        """Run once on the device."""
        torch = self._torch
        precision = torch.float16 if self.device == "mps" else torch.bfloat16
        try:
            with torch.inference_mode(), torch.autocast(self.device, precision):
                tensors = {
                    key: torch.from_numpy(np.ascontiguousarray(value)).to(self.device)
                    for key, value in inputs.items()
                }
                outputs = self._module(**tensors)
                return tuple(out.float().cpu().numpy() for out in outputs)
        except RuntimeError as error:
            raise _as_memory_error(error, torch) from error


def _as_memory_error(error: RuntimeError, torch: Any) -> RuntimeError:
    """Return a `DeviceMemoryError` where memory ran out, else the error itself."""
    if isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error):
        return DeviceMemoryError(str(error))
    return error
