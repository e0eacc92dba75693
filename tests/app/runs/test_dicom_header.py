"""What a DICOM header says about times, geometry, grey scale and signals."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import SecondaryCaptureImageStorage

from app.runs.opening import open_run
from app.runs.run import SpacingSource, TimingSource, VoiFunction


@pytest.fixture
def opened(write_run, ramp):
    """Return a function that opens ten frames with these attributes; closed at the end."""
    runs = []

    def build(pixels=ramp, **attributes):
        runs.append(open_run(write_run(pixels, **attributes)))
        return runs[-1]

    yield build
    for run in runs:
        run.frames.close()


def item(**attributes):
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def sequence(**attributes):
    return Sequence([item(**attributes)])


# times


def test_frame_time(opened):
    run = opened(FrameTime="66.7", FrameIncrementPointer=Tag("FrameTime"), CineRate="30")
    assert run.timing_source is TimingSource.FRAME_TIME
    np.testing.assert_allclose(run.frame_times_ms, np.arange(10) * 66.7)
    assert run.duration_ms == pytest.approx(667)


def test_first_element_of_a_frame_time_vector_is_no_interval(opened):
    vector = [500, 30, 30, 60, 30, 30, 30, 30, 30, 30]
    run = opened(
        FrameTimeVector=vector,
        FrameIncrementPointer=Tag("FrameTimeVector"),
        FrameTime="99",
    )
    assert run.timing_source is TimingSource.FRAME_TIME_VECTOR
    np.testing.assert_allclose(run.frame_times_ms, np.cumsum([0, *vector[1:]]))
    assert run.notes == ()


def test_frame_time_wins_where_the_pointer_names_it(opened):
    run = opened(
        FrameTime="40", FrameTimeVector=[0] + [30] * 9, FrameIncrementPointer=Tag("FrameTime")
    )
    assert run.frame_times_ms[1] == 40


@pytest.mark.parametrize(
    ("attributes", "source", "interval"),
    [
        ({"CineRate": "25", "RecommendedDisplayFrameRate": "10"}, TimingSource.CINE_RATE, 40),
        ({"RecommendedDisplayFrameRate": "10"}, TimingSource.RECOMMENDED_RATE, 100),
        (
            {"CineRate": "0", "RecommendedDisplayFrameRate": "10"},
            TimingSource.RECOMMENDED_RATE,
            100,
        ),
        ({}, TimingSource.ASSUMED, 1000 / 15),
    ],
)
def test_rates_where_there_is_no_time(opened, attributes, source, interval):
    run = opened(**attributes)
    assert run.timing_source is source
    assert run.frame_times_ms[1] == pytest.approx(interval)
    assert bool(run.notes) == (source is TimingSource.ASSUMED)


@pytest.mark.parametrize("time", ["0", "-33", "1e9", "0.033"])
def test_an_impossible_frame_time_gives_way_to_the_cine_rate(opened, time):
    run = opened(FrameTime=time, FrameIncrementPointer=Tag("FrameTime"), CineRate="30")
    assert run.timing_source is TimingSource.CINE_RATE
    assert "CineRate" not in "".join(run.notes)
    assert (len(run.notes) == 1) and "not used" in run.notes[0]


def test_impossible_intervals_are_repaired_with_a_note(opened):
    run = opened(
        FrameTimeVector=[0, 30, 0, -5, 30, 1e8, 30, 30],
        FrameIncrementPointer=Tag("FrameTimeVector"),
    )
    np.testing.assert_allclose(run.frame_times_ms, np.arange(10) * 30)
    assert "5 impossible or missing frame intervals" in run.notes[0]


def test_times_of_an_enhanced_run(opened):
    groups = [
        item(FrameContentSequence=sequence(FrameAcquisitionDateTime=f"20260101120000.{k:02d}0000"))
        for k in (0, 5, 10, 20, 25, 30, 35, 40, 45, 50)
    ]
    run = opened(PerFrameFunctionalGroupsSequence=Sequence(groups))
    assert run.timing_source is TimingSource.PER_FRAME
    np.testing.assert_allclose(run.frame_times_ms[:4], [0, 50, 100, 200])


# angles


def test_angles_of_a_still_positioner(opened):
    run = opened(PositionerPrimaryAngle="-32", PositionerSecondaryAngle="2.5")
    np.testing.assert_allclose(run.primary_angles_deg, np.full(10, -32))
    np.testing.assert_allclose(run.secondary_angles_deg, np.full(10, 2.5))


def test_one_increment_adds_up_and_a_vector_holds_offsets(opened):
    offsets = [0, 1, 3, 5, 7, 9, 11, 12, 12, 12]
    run = opened(
        PositionerPrimaryAngle="-50",
        PositionerPrimaryAngleIncrement="1.5",
        PositionerSecondaryAngle="10",
        PositionerSecondaryAngleIncrement=offsets,
    )
    np.testing.assert_allclose(run.primary_angles_deg, -50 + np.arange(10) * 1.5)
    np.testing.assert_allclose(run.secondary_angles_deg, 10 + np.array(offsets))


def test_angles_of_an_enhanced_run(opened):
    groups = [
        item(
            PositionerPositionSequence=sequence(
                PositionerPrimaryAngle=k, PositionerSecondaryAngle=-k
            )
        )
        for k in range(10)
    ]
    run = opened(PerFrameFunctionalGroupsSequence=Sequence(groups))
    np.testing.assert_allclose(run.primary_angles_deg, np.arange(10))
    np.testing.assert_allclose(run.secondary_angles_deg, -np.arange(10))


def test_no_angles(opened):
    assert opened().primary_angles_deg is None


# millimetres


@pytest.mark.parametrize(
    ("attributes", "spacing_mm", "source"),
    [
        ({"ImagerPixelSpacing": [0.3, 0.3]}, 0.3, SpacingSource.DETECTOR),
        (
            {
                "ImagerPixelSpacing": [0.3, 0.3],
                "EstimatedRadiographicMagnificationFactor": "1.5",
                "DistanceSourceToDetector": "1000",
                "DistanceSourceToPatient": "800",
            },
            0.2,
            SpacingSource.MAGNIFICATION,
        ),
        (
            {
                "ImagerPixelSpacing": [0.3, 0.3],
                "EstimatedRadiographicMagnificationFactor": "1",
                "DistanceSourceToDetector": "1000",
                "DistanceSourceToPatient": "800",
            },
            0.24,
            SpacingSource.SOD_SID,
        ),
        (
            {"ImagerPixelSpacing": [0.3, 0.3], "DistanceSourceToDetector": "0"},
            0.3,
            SpacingSource.DETECTOR,
        ),
        (
            {
                "ImagerPixelSpacing": [0.3, 0.3],
                "PixelSpacing": [0.21, 0.21],
                "PixelSpacingCalibrationType": "FIDUCIAL",
            },
            0.21,
            SpacingSource.CALIBRATED,
        ),
        (
            {"ImagerPixelSpacing": [0.3, 0.3], "PixelSpacing": [0.3, 0.3]},
            0.3,
            SpacingSource.DETECTOR,
        ),
        ({"PixelSpacing": [0.4, 0.4]}, 0.4, SpacingSource.FILE),
    ],
)
def test_spacing_says_where_it_comes_from(opened, attributes, spacing_mm, source):
    spacing = opened(**attributes).spacing
    assert spacing.source is source
    assert spacing.row_mm == pytest.approx(spacing_mm)
    assert spacing.column_mm == pytest.approx(spacing_mm)
    assert spacing.holds_in_patient == (source is not SpacingSource.DETECTOR)


@pytest.mark.parametrize("values", [[0, 0], [-1, 1], [0.3]])
def test_impossible_spacing_is_none(opened, values):
    assert opened(ImagerPixelSpacing=values).spacing is None


@pytest.mark.parametrize(
    ("attributes", "aspect"),
    [
        ({}, 1.0),
        ({"PixelAspectRatio": [6, 5]}, 1.2),
        ({"PixelAspectRatio": [0, 1]}, 1.0),
        ({"ImagerPixelSpacing": [0.36, 0.3], "PixelAspectRatio": [1, 1]}, 1.2),
        ({"ImagerPixelSpacing": [0.3001, 0.3]}, 1.0),
    ],
)
def test_pixels_that_are_not_square(opened, attributes, aspect):
    assert opened(**attributes).pixel_aspect_ratio == pytest.approx(aspect)


def test_phantom_spacing(shared_data):
    run = open_run(shared_data / "phantom_vukicevic" / "IM5.dcm")
    assert run.spacing.source is SpacingSource.MAGNIFICATION
    run.frames.close()


# shutters


def test_shutters_of_rubo_0015(shared_data):
    run = open_run(shared_data / "rubo" / "0015.DCM")
    assert run.shutter.rectangle == (9, 9, 949, 949)
    assert run.shutter.circle == (479, 479, 470)
    assert run.frame_of_interest == ()  # the file names frame 2 of 1
    assert run.representative_frame == 0
    run.frames.close()


def test_polygonal_shutter(opened):
    run = opened(
        ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=[1, 1, 1, 11, 11, 11, 11, 1]
    )
    assert run.shutter.polygon == ((0, 0), (10, 0), (10, 10), (0, 10))


# ECG


def test_retired_curve_ecg_and_r_waves_of_rubo_0002(shared_data):
    run = open_run(shared_data / "rubo" / "0002.DCM")
    ecg = run.ecg
    assert ecg.samples.shape == (3840,)
    assert len(ecg.samples) / ecg.sampling_hz * 1000 == pytest.approx(run.duration_ms)
    sample_times = np.arange(3840) / ecg.sampling_hz * 1000
    frames = (19, 52, 76)
    for time, frame in zip(ecg.r_wave_times_ms, frames, strict=True):
        assert abs(time - frame * 33) < 80
        assert ecg.samples[np.argmin(np.abs(sample_times - time))] == 255  # its very top
        before = (sample_times < time - 80) & (sample_times > time - 240)
        assert np.median(ecg.samples[before]) < 130
    run.frames.close()


def test_waveform_ecg(opened):
    signal = (np.sin(np.arange(400) / 10) * 1000).astype(np.int16)
    channel = item(
        ChannelSensitivity="2",
        ChannelSensitivityCorrectionFactor="1",
        ChannelBaseline="0",
        ChannelLabel="II",
        ChannelSensitivityUnitsSequence=sequence(CodeValue="uV"),
        WaveformBitsStored=16,
    )
    group = item(
        MultiplexGroupTimeOffset="-100",
        WaveformOriginality="ORIGINAL",
        NumberOfWaveformChannels=1,
        NumberOfWaveformSamples=400,
        SamplingFrequency="500",
        ChannelDefinitionSequence=Sequence([channel]),
        WaveformBitsAllocated=16,
        WaveformSampleInterpretation="SS",
        WaveformData=signal.tobytes(),
    )
    group["WaveformData"].VR = "OW"
    run = opened(WaveformSequence=Sequence([group]), RWavePointer=[2, 99], FrameTime="40")
    assert (run.ecg.sampling_hz, run.ecg.start_ms) == (500, -100)
    assert (run.ecg.unit, run.ecg.label) == ("mV", "II")
    np.testing.assert_allclose(run.ecg.samples, signal * 0.002, rtol=1e-5)
    assert run.ecg.r_wave_times_ms == (40,)


def test_a_damaged_waveform_costs_the_ecg_only(opened):
    group = item(SamplingFrequency="500", ChannelDefinitionSequence=sequence(ChannelLabel="II"))
    assert opened(WaveformSequence=Sequence([group])).ecg is None


# grey scale


def test_windows_and_their_function(opened):
    run = opened(
        WindowCenter=["100", "50"],
        WindowWidth=["200", "0.5"],
        WindowCenterWidthExplanation=["VESSELS", "BONE"],
        VOILUTFunction="SIGMOID",
    )
    first, second = run.grey.windows
    assert (first.center, first.width, first.explanation) == (100, 200, "VESSELS")
    assert second.width == 0.5
    assert second.function is VoiFunction.SIGMOID


def test_modality_lut_of_an_image_that_is_no_angiogram(opened):
    lut = item(LUTDescriptor=[4, 10, 16], LUTData=[900, 700, 500, 65535])
    lut["LUTDescriptor"].VR, lut["LUTData"].VR = "US", "US"
    run = opened(ModalityLUTSequence=Sequence([lut]), SOPClassUID=SecondaryCaptureImageStorage)
    found = run.grey.modality_lut
    assert found.first_input == 10
    assert found.values.tolist() == [900, 700, 500, 65535]
    assert run.nominal_range == (500, 65535)


def test_voi_lut_values_are_scaled_to_one(opened):
    lut = item(LUTDescriptor=[4, 10, 12], LUTExplanation="SOFT", LUTData=[0, 1000, 2000, 4095])
    lut["LUTDescriptor"].VR, lut["LUTData"].VR = "US", "US"
    run = opened(VOILUTSequence=Sequence([lut]))
    (found,) = run.grey.voi_luts
    assert found.first_input == 10
    assert found.values[-1] == 1.0
    assert "SOFT" in found.explanation


def test_monochrome1_and_inverse_shape_turn_the_grey_scale(opened):
    assert opened(PhotometricInterpretation="MONOCHROME1").grey.inverted
    assert opened(PresentationLUTShape="INVERSE").grey.inverted
    assert not opened().grey.inverted


def test_nominal_range_without_a_window_is_that_of_the_frame(opened):
    pixels = np.linspace(100, 900, 600).astype(np.uint16).reshape(1, 20, 30)
    run = opened(
        pixels,
        SOPClassUID=SecondaryCaptureImageStorage,
        BitsStored=12,
        HighBit=11,
        RescaleSlope="2",
        RescaleIntercept="-50",
    )
    assert run.nominal_range == (150, 1750)


# subtraction and the rest


def test_mask_subtraction_counts_frames_from_zero(opened):
    mask = item(
        MaskOperation="AVG_SUB",
        ApplicableFrameRange=[2, 10],
        MaskFrameNumbers=[1, 2, 99],
        MaskSubPixelShift=[0.5, -1.5],
    )
    run = opened(MaskSubtractionSequence=Sequence([mask]), RecommendedViewingMode="SUB")
    (found,) = run.mask_subtraction
    assert found.operation == "AVG_SUB"
    assert found.applicable_frames == ((1, 9),)
    assert found.mask_frames == (0, 1)
    assert found.shift_px == (-1.5, 0.5)
    assert run.open_subtracted


def test_identity_and_dates(opened):
    run = opened(StudyDate="20240229", StudyDescription="CORO", SeriesDescription="LCA")
    assert (run.patient.name, run.patient.id) == ("Test^Person", "42")
    assert run.study_date.isoformat() == "2024-02-29"
    assert (run.study_description, run.series_description, run.modality) == ("CORO", "LCA", "XA")


def test_a_bad_element_does_not_cost_the_run(write_run, ramp):
    path = write_run(ramp, StudyDate="20240229", FrameTime="40")
    data = path.read_bytes().replace(b"DS\x02\x0040", b"DS\x02\x00?!")
    path.write_bytes(data)
    run = open_run(path)
    assert run.timing_source is TimingSource.ASSUMED
    run.frames.close()
