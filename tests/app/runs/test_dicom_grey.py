"""The greys that a DICOM file asks for: windows, LUTs, padding, overshoot, colour."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    DigitalXRayImageStorageForPresentation,
    EnhancedXAImageStorage,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    SecondaryCaptureImageStorage,
    XRayAngiographicImageStorage,
    XRayRadiofluoroscopicImageStorage,
)

from app.display.pipeline import DisplayPipeline
from app.display.settings import DisplaySettings
from app.runs.opening import open_run
from app.runs.run import Lut, Window

RAMP = np.arange(16 * 24).reshape(16, 24)


@pytest.fixture
def opened(write_run):
    """Return a function that opens these pixels with these attributes; closed at the end."""
    runs = []

    def build(pixels, **attributes):
        path = pixels if not isinstance(pixels, np.ndarray) else write_run(pixels, **attributes)
        runs.append(open_run(path))
        return runs[-1]

    yield build
    for run in runs:
        run.frames.close()


def shown(run, frame, settings=DisplaySettings()):  # noqa: B008 - immutable
    return DisplayPipeline(run).render(run.frames.read(frame), settings, frame_index=frame)


def item(**attributes):
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def lut_item(values, first=0, bits=16):
    lut = Dataset()
    lut.add_new(0x00283002, "US", [len(values), first, bits])
    lut.add_new(0x00283006, "OW", np.asarray(values, "<u2").tobytes())
    return lut


# no window


@pytest.mark.parametrize("dark", [[0], [0, 1, 2], [5], [1, 3, 5]])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_without_a_window_the_whole_run_tells(opened, dark, dtype):
    frames = np.stack([RAMP * 5] * 6)
    frames[dark] //= 50
    if dtype == np.int16:
        frames = frames - 1000
    run = opened(frames.astype(dtype), BitsStored=12, HighBit=11)
    bright = next(k for k in range(6) if k not in dark)
    picture = shown(run, bright)
    assert picture.min() == 0
    assert picture.max() == 255
    assert 120 < picture.mean() < 135
    assert shown(run, dark[0]).max() < 10


def test_one_frame_that_cannot_be_read_does_not_hide_the_range(opened, write_compressed):
    frames = np.stack([RAMP * (k + 1) for k in range(4)]).astype(np.uint16)
    streams = [bytes(imagecodecs.jpeg2k_encode(f, reversible=True)) for f in frames]
    streams[0] = b"\xff\x4f\xff\x51" + b"\0" * 60
    run = opened(write_compressed(streams, frames, JPEG2000Lossless, BitsStored=12, HighBit=11))
    assert run.nominal_range == (0.0, 383.0 * 4)


# a window a frame


def voi_group(center, width):
    return item(
        FrameVOILUTSequence=Sequence([item(WindowCenter=str(center), WindowWidth=str(width))])
    )


@pytest.mark.parametrize("scales", [[1, 2, 4, 8], [8, 1, 1, 3]])
def test_each_frame_is_shown_by_its_own_window(opened, scales):
    frames = np.stack([RAMP * k for k in scales]).astype(np.uint16)
    groups = [voi_group(192 * k, 384 * k) for k in scales]
    run = opened(
        frames,
        SOPClassUID=EnhancedXAImageStorage,
        PerFrameFunctionalGroupsSequence=Sequence(groups),
    )
    for frame in range(4):
        assert shown(run, frame).mean() == pytest.approx(127, abs=1.5)
    display = DisplayPipeline(run)
    assert display.presets()[0] == ("File windows, one a frame", None)
    assert display.voi(DisplaySettings(), 3).center == 192 * scales[3]
    chosen = DisplaySettings(voi=Window(192.0, 384.0))
    assert shown(run, scales.index(8), chosen).mean() > 200  # one window for all frames


def test_a_frame_without_a_window_of_its_own_takes_the_one_before(opened):
    frames = np.stack([RAMP * 8] * 4).astype(np.uint16)
    groups = [voi_group(100, 200), item(), voi_group(900, 400), item()]
    run = opened(
        frames,
        SOPClassUID=EnhancedXAImageStorage,
        PerFrameFunctionalGroupsSequence=Sequence(groups),
    )
    assert [voi.center for voi in run.grey.frame_vois] == [100, 100, 900, 900]


@pytest.mark.parametrize("bright", [5, 17, 18, 39])
def test_without_a_window_one_bright_frame_among_many_tells(opened, bright):
    frames = np.full((40, *RAMP.shape), 100, np.uint16)
    frames[bright] = RAMP * 8
    run = opened(frames, SmallestImagePixelValue=90, LargestImagePixelValue=110)
    assert run.nominal_range[1] == (RAMP * 8).max()


def test_the_first_frame_s_extremes_are_not_those_of_the_run(opened):
    frames = np.stack([RAMP % 40, RAMP % 200]).astype(np.uint8)
    run = opened(frames, SmallestImagePixelValue=0, LargestImagePixelValue=39)
    np.testing.assert_array_equal(shown(run, 1), frames[1])


def test_a_lut_a_frame(opened):
    frames = np.stack([RAMP % 256] * 2).astype(np.uint8)
    luts = [np.arange(256) * 257, np.arange(255, -1, -1) * 257]
    groups = [
        item(FrameVOILUTSequence=Sequence([item(VOILUTSequence=Sequence([lut_item(lut)]))]))
        for lut in luts
    ]
    run = opened(frames, PerFrameFunctionalGroupsSequence=Sequence(groups))
    np.testing.assert_array_equal(shown(run, 0), frames[0])
    np.testing.assert_array_equal(shown(run, 1), 255 - frames[1])
    assert isinstance(DisplayPipeline(run).default_voi(1), Lut)


def test_equal_windows_of_all_frames_are_one_window(opened):
    frames = np.stack([RAMP] * 3).astype(np.uint16)
    groups = [voi_group(100, 200) for _ in range(3)]
    run = opened(frames, PerFrameFunctionalGroupsSequence=Sequence(groups))
    assert run.grey.frame_vois == ()
    assert (run.grey.windows[0].center, run.grey.windows[0].width) == (100, 200)


# the modality transformation


@pytest.mark.parametrize("kind", [XRayAngiographicImageStorage, XRayRadiofluoroscopicImageStorage])
@pytest.mark.parametrize("relationship", ["LIN", "LOG", "DISP", None])
@pytest.mark.parametrize("modality", ["lut", "rescale"])
def test_angiograms_are_shown_as_they_are_stored(opened, kind, relationship, modality):
    pixels = (RAMP[np.newaxis] % 256).astype(np.uint8)
    attributes = {"SOPClassUID": kind, "WindowCenter": "128", "WindowWidth": "256"}
    if relationship:
        attributes["PixelIntensityRelationship"] = relationship
    if modality == "lut":
        curve = np.linspace(0, 1, 256) ** 4 * 65535
        attributes["ModalityLUTSequence"] = Sequence([lut_item(curve)])
    else:
        attributes |= {"RescaleSlope": "-3", "RescaleIntercept": "700"}
    run = opened(pixels, **attributes)
    np.testing.assert_array_equal(shown(run, 0), pixels[0])
    auto = DisplayPipeline(run).auto(pixels[0], DisplaySettings())
    assert 0 <= auto.center - auto.width / 2 < auto.center + auto.width / 2 <= 255
    assert not DisplayPipeline(run).dark_is_high


@pytest.mark.parametrize(
    "kind",
    [SecondaryCaptureImageStorage, DigitalXRayImageStorageForPresentation, EnhancedXAImageStorage],
)
def test_other_images_are_shown_by_their_modality_values(opened, kind):
    pixels = (RAMP[np.newaxis] % 256).astype(np.uint8)
    window = {"WindowCenter": "100", "WindowWidth": "256"}
    run = opened(pixels, SOPClassUID=kind, RescaleSlope="-1", RescaleIntercept="227", **window)
    np.testing.assert_array_equal(shown(run, 0), 255 - pixels[0])


# inversion, as DCMTK


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "IDENTITY", False),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
    ],
)
def test_presentation_lut_shape_decides(opened, photometric, shape, inverted):
    pixels = (RAMP[np.newaxis] % 256).astype(np.uint8)
    more = {"PresentationLUTShape": shape} if shape else {}
    run = opened(pixels, PhotometricInterpretation=photometric, **more)
    np.testing.assert_array_equal(shown(run, 0), 255 - pixels[0] if inverted else pixels[0])


# padding


def disc(rows=16, columns=24):
    y, x = np.mgrid[:rows, :columns]
    return (y - rows / 2) ** 2 + (x - columns / 2) ** 2 < (rows / 2 - 1) ** 2


@pytest.mark.parametrize(
    ("dtype", "padding", "limit"),
    [
        (np.uint16, 65535, None),
        (np.uint16, 0, None),
        (np.uint16, 60000, 65535),
        (np.uint16, 65535, 60000),
        (np.int16, -32768, None),
        (np.int16, -2000, -1900),
    ],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_padding_is_black_and_left_out_of_the_window(opened, dtype, padding, limit, photometric):
    inside = disc()
    frame = np.where(inside, RAMP + 1000, padding if limit is None else (padding + limit) // 2)
    attributes = {"PixelPaddingValue": padding}
    if limit is not None:
        attributes["PixelPaddingRangeLimit"] = limit
    run = opened(
        np.stack([frame] * 3).astype(dtype), PhotometricInterpretation=photometric, **attributes
    )
    low, high = (RAMP + 1000)[inside].min(), (RAMP + 1000)[inside].max()
    assert run.nominal_range == (low, high)
    display = DisplayPipeline(run)
    auto = display.auto(run.frames.read(0), DisplaySettings())
    assert low <= auto.center - auto.width / 2
    assert auto.center + auto.width / 2 <= high
    for settings in (
        DisplaySettings(),
        DisplaySettings(voi=auto),
        DisplaySettings(inverted=True),
        DisplaySettings(subtracted=True),
    ):
        picture = shown(run, 1, settings)
        assert set(picture[~inside]) == {0}
        assert picture[inside].mean() > 60
    denoised = run.frames.read(1).astype(np.float32)
    denoised[~inside] = 1200.0
    picture = display.render(run.frames.read(1), DisplaySettings(), denoised)
    assert set(picture[~inside]) == {0}


def test_padding_that_would_hide_most_values_is_shown_with_a_note(opened):
    pixels = (RAMP[np.newaxis] * 100).astype(np.uint16)
    run = opened(pixels, PixelPaddingValue=0, PixelPaddingRangeLimit=65535)
    assert run.grey.padding is None
    assert any("padding" in note for note in run.notes)
    assert shown(run, 0).max() == 255


# overshoot


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_lossy_jpeg_2000_is_clipped_to_the_stored_bits(write_compressed, opened, signed, bits):
    low = -(1 << (bits - 1)) if signed else 0
    high = low + (1 << bits) - 1
    board = np.where((np.indices((16, 24)) // 4).sum(axis=0) % 2, high, low)
    pixels = board[np.newaxis].astype(np.int16 if signed else np.uint16)
    over = np.where(pixels == high, high + 40, low - 40 if signed else 0)[0].astype(pixels.dtype)
    stream = bytes(imagecodecs.jpeg2k_encode(over, reversible=True, codecformat="J2K"))
    run = opened(write_compressed([stream], pixels, JPEG2000, BitsStored=bits, HighBit=bits - 1))
    np.testing.assert_array_equal(run.frames.read(0), pixels[0])


@pytest.mark.parametrize("syntax", [JPEG2000, JPEG2000Lossless])
def test_a_lossy_stream_is_clipped_though_it_is_called_lossless(write_compressed, opened, syntax):
    board = np.where((np.indices((64, 64)) // 3).sum(axis=0) % 2, 4095, 900).astype(np.uint16)
    stream = bytes(imagecodecs.jpeg2k_encode(board, level=42, reversible=False, codecformat="J2K"))
    overshot = imagecodecs.jpeg2k_decode(stream)
    assert overshot.max() > 4095
    run = opened(write_compressed([stream], board[np.newaxis], syntax, BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(run.frames.read(0), np.minimum(overshot, 4095))


def test_lossy_12_bit_jpeg_is_clipped_to_fewer_bits(write_compressed, opened):
    pixels = np.where((np.indices((1, 16, 24)) // 4).sum(axis=0) % 2, 1023, 0).astype(np.uint16)
    over = np.minimum(pixels[0] * 2, 1100).astype(np.uint16)
    stream = bytes(imagecodecs.jpeg8_encode(over, bitspersample=12, level=100))
    path = write_compressed([stream], pixels, JPEGExtended12Bit, BitsStored=10, HighBit=9)
    values = opened(path).frames.read(0)
    assert values.max() == 1023
    assert values[pixels[0] == 1023].min() > 900


def test_bits_beside_the_stored_ones_are_dropped_from_lossless_streams(write_compressed, opened):
    values = (RAMP[np.newaxis] * 10).astype(np.uint16)
    stream = bytes(
        imagecodecs.jpeg2k_encode(values[0] | 0xF000, reversible=True, codecformat="J2K")
    )
    path = write_compressed([stream], values, JPEG2000Lossless, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(opened(path).frames.read(0), values[0])


# LUTs that cannot be


@pytest.mark.parametrize("bits", ["10000000000", "0", "-5", "1e300"])
def test_impossible_bits_of_a_lut_cost_nothing(opened, bits):
    lut = lut_item(np.arange(256) * 16)
    lut.add_new(0x00283002, "DS", ["256", "0", bits])
    run = opened((RAMP[np.newaxis] % 256).astype(np.uint8), VOILUTSequence=Sequence([lut]))
    picture = shown(run, 0)
    assert picture.max() == 254 or picture.max() == 255
    assert np.abs(picture.astype(int) - RAMP % 256).max() <= 1


@pytest.mark.parametrize(
    "attributes",
    [
        {"WindowCenter": "1e308", "WindowWidth": "100"},
        {"WindowCenter": "100", "WindowWidth": "1e308"},
        {"WindowCenter": "1e9", "WindowWidth": "50"},
        {"WindowCenter": "100", "WindowWidth": "1e-308"},
        {"WindowCenter": "100", "WindowWidth": "-5"},
        {"SOPClassUID": SecondaryCaptureImageStorage, "RescaleSlope": "1e308"},
        {"SOPClassUID": SecondaryCaptureImageStorage, "RescaleIntercept": "-1e308"},
        {"SOPClassUID": SecondaryCaptureImageStorage, "RescaleSlope": "1e-308"},
        {"SOPClassUID": SecondaryCaptureImageStorage, "RescaleSlope": "0"},
    ],
)
def test_impossible_numbers_are_left_out(opened, attributes):
    pixels = (RAMP[np.newaxis] % 256).astype(np.uint8)
    run = opened(pixels, **attributes)
    np.testing.assert_array_equal(shown(run, 0), pixels[0])
    told = [note for note in run.notes if "impossible" in note]
    assert bool(told) == any("e" in str(value) for value in attributes.values())


# colour


def test_a_window_does_not_apply_to_colour(opened):
    rgb = np.repeat((RAMP[np.newaxis, ..., np.newaxis] % 256).astype(np.uint8), 3, axis=3)
    window = {"WindowCenter": "20", "WindowWidth": "10", "RescaleSlope": "3"}
    run = opened(rgb, PhotometricInterpretation="RGB", **window)
    np.testing.assert_array_equal(shown(run, 0), rgb[0, ..., 0])


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_RCT", "RGB"])
def test_jpeg_2000_of_colour(write_compressed, opened, photometric):
    luminance = (RAMP % 200 + 20).astype(np.uint8)
    colour = np.full((1, 16, 24, 3), 128, np.uint8)
    colour[0, ..., 0] = luminance
    if photometric != "YBR_FULL":
        colour[0] = luminance[..., np.newaxis]
    mct = photometric == "YBR_RCT"
    stream = bytes(
        imagecodecs.jpeg2k_encode(colour[0], reversible=True, codecformat="J2K", mct=mct)
    )
    path = write_compressed(
        [stream], colour, JPEG2000Lossless, PhotometricInterpretation=photometric
    )
    np.testing.assert_array_equal(opened(path).frames.read(0), luminance)


def test_partial_range_luminance_is_spread(opened):
    ybr = np.full((1, 4, 6, 3), 128, np.uint8)
    ybr[0, ..., 0] = np.linspace(16, 235, 24).reshape(4, 6).astype(np.uint8)
    values = opened(ybr, PhotometricInterpretation="YBR_PARTIAL_420").frames.read(0)
    assert (values.min(), values.max()) == (0, 255)


def test_halved_colour_that_is_whole_by_its_length(opened):
    ybr = np.full((2, 4, 6, 3), 128, np.uint8)
    ybr[..., 0] = np.arange(48).reshape(2, 4, 6)
    run = opened(ybr, PhotometricInterpretation="YBR_FULL_422")
    assert run.frame_count == 2
    np.testing.assert_array_equal(run.frames.read(1), ybr[1, ..., 0])


def test_palette_indices_keep_to_their_stored_bits(opened):
    indices = (RAMP[np.newaxis] % 16).astype(np.uint16)
    attributes = {
        f"{c}PaletteColorLookupTableDescriptor": [16, 0, 16] for c in ("Red", "Green", "Blue")
    } | {
        f"{c}PaletteColorLookupTableData": (np.arange(16) * 4096).astype("<u2").tobytes()
        for c in ("Red", "Green", "Blue")
    }
    run = opened(
        indices | 0x0F00,
        PhotometricInterpretation="PALETTE COLOR",
        BitsStored=4,
        HighBit=3,
        PixelRepresentation=1,
        **attributes,
    )
    np.testing.assert_array_equal(run.frames.read(0), indices[0] * 4096)


# found in the field
