"""ECG of a DICOM run: Waveform Sequence, or the retired curve groups 50xx; and R waves."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.waveforms import multiplex_array

from app.runs.dicom_values import items, number, numbers, text, words
from app.runs.run import Ecg

logger = logging.getLogger(__name__)

_CURVE_TYPES = {0: "<u2", 1: "<i2", 2: "<f4", 3: "<f8", 4: "<i4"}  # Data Value Representation


def read_ecg(dataset: Dataset, frame_times_ms: NDArray[np.float64]) -> tuple[Ecg | None, list[str]]:
    """Return the first ECG lead in the time of the run, and notes on what was assumed."""
    r_waves = _r_wave_times(dataset, frame_times_ms)
    notes: list[str] = []
    ecg = _from_waveforms(dataset, r_waves) or _from_curves(dataset, frame_times_ms, r_waves, notes)
    return ecg, notes


def _r_wave_times(dataset: Dataset, times_ms: NDArray[np.float64]) -> tuple[float, ...]:
    """R Wave Time Vector (0018,6060) in ms, else frames of R Wave Pointer (0028,6040)."""
    vector = numbers(dataset, "RWaveTimeVector")
    if vector:
        return tuple(vector)
    frames = (int(v) - 1 for v in numbers(dataset, "RWavePointer"))
    return tuple(float(times_ms[f]) for f in frames if 0 <= f < len(times_ms))


def _from_waveforms(dataset: Dataset, r_waves: tuple[float, ...]) -> Ecg | None:
    groups = items(dataset, "WaveformSequence")
    for index, group in enumerate(groups):
        rate = number(group, "SamplingFrequency")
        channels = items(group, "ChannelDefinitionSequence")
        if not rate or rate <= 0 or not channels:
            continue
        try:
            samples = multiplex_array(dataset, index, as_raw=False)[:, 0]
        except (ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
            logger.info("waveform %d: %s", index, error)
            continue
        channel = channels[0]
        units = items(channel, "ChannelSensitivityUnitsSequence")
        unit = text(units[0], "CodeValue") if units else ""
        scale, unit = (1e-3, "mV") if unit in ("uV", "µV") else (1.0, unit)
        sources = items(channel, "ChannelSourceSequence")
        label = text(channel, "ChannelLabel")
        label = label or (text(sources[0], "CodeMeaning") if sources else "")
        return Ecg(
            samples=np.asarray(samples * scale, np.float32),
            sampling_hz=rate,
            start_ms=number(group, "MultiplexGroupTimeOffset") or 0.0,
            unit=unit,
            label=label or "ECG",
            r_wave_times_ms=r_waves,
        )
    return None


def _from_curves(
    dataset: Dataset,
    times_ms: NDArray[np.float64],
    r_waves: tuple[float, ...],
    notes: list[str],
) -> Ecg | None:
    for group in range(0x5000, 0x5020, 2):
        curve = dataset.group_dataset(group)
        values = {element.tag.element: element.value for element in curve}
        if "ECG" not in str(values.get(0x0020, "")) or not values.get(0x3000):
            continue
        samples = _curve_samples(values)
        if samples.size < 2 or len(times_ms) < 2:
            continue
        run_ms = float(times_ms[-1] + np.median(np.diff(times_ms)))
        rate = _curve_rate(curve, values, group)
        if rate is None or abs(samples.size / rate * 1000.0 - run_ms) > 0.2 * run_ms:
            # Many files say nothing sound here; the ECG was recorded along with the frames.
            rate = samples.size / run_ms * 1000.0
            notes.append("The ECG is stretched over the run: its own rate is missing or wrong.")
        return Ecg(samples, rate, label="ECG", r_wave_times_ms=r_waves)
    return None


def _curve_samples(values: dict[int, object]) -> NDArray[np.float32]:
    data = values[0x3000]
    kind = values.get(0x0103)
    dtype = np.dtype(_CURVE_TYPES.get(kind if isinstance(kind, int) else 0, "<u2"))
    if not isinstance(data, bytes | bytearray):
        return np.zeros(0, np.float32)
    flat = np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype)
    points = values.get(0x0010)
    count = points if isinstance(points, int) and 0 < points <= flat.size else flat.size
    stored = flat.size // count
    # Where more than one dimension is stored, the samples lie interleaved and the value is last.
    return flat[: count * stored].reshape(count, stored)[:, -1].astype(np.float32)


def _curve_rate(curve: Dataset, values: dict[int, object], group: int) -> float | None:
    units = words(curve, "AxisUnits") or [str(v) for v in _several(values.get(0x0030))]
    step = next(iter(_several(values.get(0x0114))), None)
    if not isinstance(step, int | float) or step <= 0 or not units:
        return None
    if units[0] == "DPPS":  # data points per second
        return float(step)
    if units[0] == "SECS":
        return 1.0 / float(step)
    return 1000.0 / float(step) if units[0] == "MSEC" else None


def _several(value: object) -> list[object]:
    if value is None:
        return []
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        return [value]
    return list(value)
