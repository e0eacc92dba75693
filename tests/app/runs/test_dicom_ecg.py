"""Which waveform is the ECG, and where its R waves stand."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from app.runs.opening import open_run

ECG = (np.sin(np.arange(400) / 10) * 1000).astype(np.int16)


def item(**attributes):
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def channel(meaning="", code="", label="", unit="uV"):
    return item(
        ChannelLabel=label,
        ChannelSourceSequence=Sequence([item(CodeValue=code, CodeMeaning=meaning)]),
        ChannelSensitivity="1",
        ChannelSensitivityCorrectionFactor="1",
        ChannelBaseline="0",
        ChannelSensitivityUnitsSequence=Sequence([item(CodeValue=unit)] if unit else []),
        WaveformBitsStored=16,
    )


def group(*channels, label="", signals=None, rate="500", start="0"):
    signals = signals or [ECG + 10 * k for k in range(len(channels))]
    dataset = item(
        MultiplexGroupLabel=label,
        MultiplexGroupTimeOffset=start,
        WaveformOriginality="ORIGINAL",
        NumberOfWaveformChannels=len(channels),
        NumberOfWaveformSamples=len(signals[0]),
        SamplingFrequency=rate,
        ChannelDefinitionSequence=Sequence(channels),
        WaveformBitsAllocated=16,
        WaveformSampleInterpretation="SS",
        WaveformData=np.stack(signals, axis=1).astype("<i2").tobytes(),
    )
    dataset["WaveformData"].VR = "OW"
    return dataset


@pytest.fixture
def ecg_of(write_run, ramp):
    """Return a function that opens ten frames with these waveforms and gives the ECG."""

    def read(*groups, **attributes):
        run = open_run(write_run(ramp, WaveformSequence=Sequence(groups), **attributes))
        run.frames.close()
        return run.ecg

    return read


PRESSURES = [
    channel("Invasive arterial pressure", "2:16", unit="mm[Hg]"),
    channel("Invasive arterial pressure", "2:16", unit=""),
    channel(label="ART", unit="mV"),
    channel(label="AO", unit=""),
    channel("Left ventricular pressure", "150100", unit="kPa"),
    channel("Respiration", unit="Ohm"),
    channel("Pleth", unit=""),
]


@pytest.mark.parametrize("other", PRESSURES, ids=lambda c: c.ChannelLabel or "by meaning")
@pytest.mark.parametrize(
    "lead",
    [
        channel("Lead II", "2:2"),
        channel(label="ECG"),
        channel(label="II"),
        channel("", "5.6.3-9-2"),
        channel("Electrocardiogram", unit="mV"),
        channel(label="aVF", unit=""),
    ],
)
def test_the_ecg_is_found_beside_other_signals(ecg_of, other, lead):
    for ecg in (
        ecg_of(group(other), group(lead, signals=[ECG])),
        ecg_of(group(lead, signals=[ECG]), group(other)),
        ecg_of(group(other, lead, signals=[ECG // 3, ECG])),
    ):
        units = lead.ChannelSensitivityUnitsSequence
        scale = 1e-3 if units and units[0].CodeValue == "uV" else 1.0
        np.testing.assert_allclose(ecg.samples, ECG * scale, rtol=1e-5)


@pytest.mark.parametrize("other", PRESSURES, ids=lambda c: c.ChannelLabel or "by meaning")
def test_another_signal_alone_is_no_ecg(ecg_of, other):
    assert ecg_of(group(other)) is None


def test_no_pressure_by_its_group(ecg_of):
    assert ecg_of(group(channel(unit=""), label="PRESSURE")) is None
    assert ecg_of(group(channel(unit=""), label="ECG")) is not None


@pytest.mark.parametrize(
    ("labels", "best"),
    [
        (["I", "II", "III"], 1),
        (["V1", "aVR", "I"], 2),
        (["V5", "III"], 1),
        (["Lead V1", "Lead II"], 1),
        (["V2", "V3"], 0),
        (["ECG trigger", "ECG"], 1),
    ],
)
def test_of_several_leads_the_one_with_plain_r_waves(ecg_of, labels, best):
    ecg = ecg_of(group(*(channel(label=label) for label in labels)))
    assert ecg.label == labels[best]
    np.testing.assert_allclose(ecg.samples, (ECG + 10 * best) * 1e-3, rtol=1e-5)


def test_a_lead_told_by_its_code(ecg_of):
    ecg = ecg_of(group(channel(code="2:1"), channel(code="2:2")))
    np.testing.assert_allclose(ecg.samples, (ECG + 10) * 1e-3, rtol=1e-5)


@pytest.mark.parametrize("rate", ["0", "-5", "1e308", "1"])
def test_an_impossible_rate_costs_the_ecg_only(ecg_of, rate):
    assert ecg_of(group(channel(label="II"), rate=rate)) is None


def test_r_waves_stand_on_their_peaks(ecg_of):
    signal = np.zeros(400, np.int16)  # 2 ms a sample
    signal[[60, 160]] = 900
    signal[[59, 61, 159, 161]] = 400
    signal[258:264] = 1000  # cut off at its top
    lead = group(channel(label="II"), signals=[signal], start="-20")
    # peaks at 100, 300 and 501 ms; frames every 80 ms, where the pointer can only say 80, 320, 480
    ecg = ecg_of(lead, RWavePointer=[2, 5, 7], FrameTime="80")
    assert ecg.r_wave_times_ms == pytest.approx((100, 300, 501))


def test_r_waves_of_a_flat_signal_stay_where_the_file_says(ecg_of):
    lead = group(channel(label="II"), signals=[np.zeros(400, np.int16)])
    assert ecg_of(lead, RWavePointer=[2, 5], FrameTime="80").r_wave_times_ms == (80, 320)


def test_r_waves_that_the_file_tells_in_ms_are_kept(ecg_of):
    lead = group(channel(label="II"))
    assert ecg_of(lead, RWaveTimeVector=[33.0, 800.0]).r_wave_times_ms == (33, 800)
