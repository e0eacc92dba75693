"""ECG of a DICOM run: Waveform Sequence, or the retired curve groups 50xx; and R waves."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.waveforms import multiplex_array

from app.runs.dicom_values import items, note_impossible, number, numbers, text, words
from app.runs.run import Ecg

logger = logging.getLogger(__name__)

FASTEST_SAMPLING_HZ = 100_000.0
SLOWEST_SAMPLING_HZ = 10.0
LONGEST_MS = 24 * 3_600_000.0
_STANDS_OUT = 3.0
"""An R wave is higher than this times the usual distance from the baseline."""

_CURVE_TYPES = {0: "<u2", 1: "<i2", 2: "<f4", 3: "<f8", 4: "<i4"}  # Data Value Representation
_MILLIVOLTS = {"mV": 1.0, "uV": 1e-3, "µV": 1e-3, "μV": 1e-3, "V": 1e3, "nV": 1e-6}
_OTHER_SIGNAL = re.compile(
    r"press|arter|aort|ventric|atri|venous|wedge|pulmon|resp|pleth|spo2|oxim|temp|flow|trigger"
    r"|sound|phono|marker|\b(abp|ibp|art|pap|cvp|lvp)\b|^\W*(p\d|ao|lv|rv|pa|ra|la)\W*$",
    re.IGNORECASE,
)
_ECG_WORDS = re.compile(r"\be[ck]g\b|electrocardio|ableitung", re.IGNORECASE)
_LEAD = re.compile(r"\b(III|II|I|aVR|aVL|aVF|MCL\s?1|V\s?[1-9])\b", re.IGNORECASE)
_ECG_CODE = re.compile(r"^(5\.6\.3-9-|2:\d+$|MDC_ECG)", re.IGNORECASE)  # SCP-ECG, ISO 11073 (MDC)
_PREFERRED_LEADS = ("II", "I", "III", "AVF", "V5", "V4", "V6")
"""R waves stand up in these, best first."""


@dataclass(frozen=True, slots=True)
class _Channel:
    group: int
    index: int
    rate_hz: float
    start_ms: float
    unit: str
    label: str
    rank: int  # the lowest one is the ECG to show


def read_ecg(dataset: Dataset, frame_times_ms: NDArray[np.float64], notes: list[str]) -> Ecg | None:
    """Return the ECG lead that shows R waves best, in the time of the run."""
    ecg = _from_waveforms(dataset, notes) or _from_curves(dataset, frame_times_ms, notes)
    if ecg is None:
        return None
    return replace(ecg, r_wave_times_ms=_r_wave_times(dataset, frame_times_ms, ecg))


def _r_wave_times(dataset: Dataset, times_ms: NDArray[np.float64], ecg: Ecg) -> tuple[float, ...]:
    """R Wave Time Vector (0018,6060) in ms, else the peaks near the frames of R Wave Pointer.

    The pointer (0028,6040) tells only during which frame the R wave was.
    """
    vector = [time for time in numbers(dataset, "RWaveTimeVector") if abs(time) <= LONGEST_MS]
    if vector:
        return tuple(vector)
    frames = [int(v) - 1 for v in numbers(dataset, "RWavePointer")]
    frames = [f for f in frames if 0 <= f < len(times_ms)]
    reach_ms = float(np.median(np.diff(times_ms))) if len(times_ms) > 1 else 0.0
    return tuple(_peak_near(ecg, float(times_ms[f]), reach_ms) for f in frames)


def _peak_near(ecg: Ecg, time_ms: float, reach_ms: float) -> float:
    """Return when the signal is furthest from its baseline, at most ``reach_ms`` away.

    Where the peak is flat (a signal that was cut off at its top) its middle counts, and where
    there is none that stands out, ``time_ms``.
    """

    def sample(at_ms: float) -> float:
        return (at_ms - ecg.start_ms) * ecg.sampling_hz / 1000.0

    first, last = max(int(np.ceil(sample(time_ms - reach_ms))), 0), int(sample(time_ms + reach_ms))
    height = np.abs(ecg.samples - np.median(ecg.samples))
    near = height[first : last + 1] if last >= first else height[:0]
    if not near.size or near.max() <= _STANDS_OUT * np.median(height):
        return time_ms
    start = end = first + int(np.argmax(near))
    while start > 0 and height[start - 1] == height[end]:
        start -= 1
    while end + 1 < height.size and height[end + 1] == height[start]:
        end += 1
    return ecg.start_ms + (start + end) / 2.0 * 1000.0 / ecg.sampling_hz


def _from_waveforms(dataset: Dataset, notes: list[str]) -> Ecg | None:
    for channel in sorted(_channels(dataset, notes), key=lambda c: c.rank):
        try:
            samples = multiplex_array(dataset, channel.group, as_raw=False)[:, channel.index]
        except (ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
            logger.info("waveform %d: %s", channel.group, type(error).__name__)
            continue
        if not samples.size or not np.isfinite(samples).all():
            continue
        return Ecg(
            samples=np.asarray(samples * _MILLIVOLTS.get(channel.unit, 1.0), np.float32),
            sampling_hz=channel.rate_hz,
            start_ms=channel.start_ms,
            unit="mV" if channel.unit in _MILLIVOLTS else channel.unit,
            label=channel.label or "ECG",
        )
    return None


def _channels(dataset: Dataset, notes: list[str]) -> Iterator[_Channel]:
    """Yield the channels that may be an ECG (PS3.3 C.10.9)."""
    for group_index, group in enumerate(items(dataset, "WaveformSequence")):
        rate = number(group, "SamplingFrequency")
        start = number(group, "MultiplexGroupTimeOffset") or 0.0
        if not rate or not SLOWEST_SAMPLING_HZ <= rate <= FASTEST_SAMPLING_HZ:
            if rate:
                note_impossible(notes, tr("sampling frequency of the ECG"), rate)
            continue
        if abs(start) > LONGEST_MS:
            note_impossible(notes, tr("start of the ECG in ms"), start)
            start = 0.0
        for index, channel in enumerate(items(group, "ChannelDefinitionSequence")):
            sources = items(channel, "ChannelSourceSequence")
            meaning = text(sources[0], "CodeMeaning") if sources else ""
            code = text(sources[0], "CodeValue") if sources else ""
            units = items(channel, "ChannelSensitivityUnitsSequence")
            unit = text(units[0], "CodeValue") if units else ""
            label = text(channel, "ChannelLabel") or meaning
            said = f"{text(channel, 'ChannelLabel')} {meaning}"
            rank = _rank(said, code, unit, text(group, "MultiplexGroupLabel"))
            if rank is not None:
                yield _Channel(group_index, index, rate, start, unit, label, rank)


def _rank(said: str, code: str, unit: str, group_label: str) -> int | None:
    """Return how well a channel serves as the ECG, 0 best; None for another signal.

    What is said about the channel counts before its code, and this before its group's label.
    """
    if unit and unit not in _MILLIVOLTS:
        return None
    other = _OTHER_SIGNAL.search(said if said.strip() else group_label)
    if other and not _ECG_WORDS.search(said):
        return None
    named = _LEAD.search(said)
    is_ecg = named or _ECG_WORDS.search(said + " " + group_label) or _ECG_CODE.match(code)
    if other or not is_ecg:
        return len(_PREFERRED_LEADS) + (1 if unit else 2)
    lead = named[1].upper().replace(" ", "") if named else _LEAD_OF_CODE.get(code, "")
    return _PREFERRED_LEADS.index(lead) if lead in _PREFERRED_LEADS else len(_PREFERRED_LEADS)


_LEAD_OF_CODE = {
    "5.6.3-9-1": "I",
    "5.6.3-9-2": "II",
    "5.6.3-9-61": "III",
    "5.6.3-9-64": "AVF",
    "2:1": "I",
    "2:2": "II",
    "2:61": "III",
    "2:64": "AVF",
}


def _from_curves(dataset: Dataset, times_ms: NDArray[np.float64], notes: list[str]) -> Ecg | None:
    for group in range(0x5000, 0x5020, 2):
        curve = dataset.group_dataset(group)
        values = {element.tag.element: element.value for element in curve}
        if "ECG" not in str(values.get(0x0020, "")) or not values.get(0x3000):
            continue
        samples = _curve_samples(values)
        if samples.size < 2 or len(times_ms) < 2 or not np.isfinite(samples).all():
            continue
        run_ms = float(times_ms[-1] + np.median(np.diff(times_ms)))
        rate = _curve_rate(curve, values, group)
        if rate is None or abs(samples.size / rate * 1000.0 - run_ms) > 0.2 * run_ms:
            # Many files say nothing sound here; the ECG was recorded along with the frames.
            rate = samples.size / run_ms * 1000.0
            notes.append(tr("The ECG is stretched over the run: its own rate is missing or wrong."))
        return Ecg(samples, rate, label="ECG")
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
