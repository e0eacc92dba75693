"""The picture that is drawn is the one that DICOM describes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.display.grey import auto_window
from app.display.pipeline import DIFFERENCE_GAIN, DisplayPipeline
from app.display.settings import DisplaySettings
from app.runs.opening import open_run
from app.runs.run import (
    GreyScale,
    Lut,
    MaskSubtraction,
    Run,
    Shutter,
    VoiFunction,
    Window,
)

ROWS, COLUMNS = 8, 32
RAMP8 = np.arange(256, dtype=np.uint8).reshape(ROWS, COLUMNS)


class Frames:
    def __init__(self, frames):
        self.frames = frames
        self.read_indices = []

    def read(self, index):
        self.read_indices.append(index)
        return self.frames[index]

    def close(self):
        pass


def make_run(frames, nominal_range=(0.0, 255.0), **fields):
    frames = [frames] if isinstance(frames, np.ndarray) else frames
    rows, columns = frames[0].shape
    times = np.arange(len(frames)) * 40.0
    return Run(
        Path("run"),
        Frames(frames),
        len(frames),
        rows,
        columns,
        times,
        nominal_range=nominal_range,
        **fields,
    )


def render(run, settings=None, **more):
    return DisplayPipeline(run).render(run.frames.frames[0], settings or DisplaySettings(), **more)


def dicom_linear(x, center, width):
    """The formula of PS3.3 C.11.2.1.2.1 for 8 bits, word by word."""
    if x <= center - 0.5 - (width - 1) / 2:
        return 0.0
    if x > center - 0.5 + (width - 1) / 2:
        return 255.0
    return ((x - (center - 0.5)) / (width - 1) + 0.5) * 255.0


# windows


def test_eight_bits_without_a_window_are_shown_as_they_are():
    np.testing.assert_array_equal(render(make_run(RAMP8)), RAMP8)


@pytest.mark.parametrize(("center", "width"), [(128, 256), (127, 255), (100, 50), (40, 1), (0, 2)])
def test_linear_window(center, width):
    run = make_run(RAMP8, grey=GreyScale(windows=(Window(center, width),)))
    if width == 1:
        expected = np.where(np.arange(256) > center - 0.5, 255, 0)
    else:
        expected = np.rint([dicom_linear(x, center, width) for x in range(256)])
    np.testing.assert_array_equal(render(run).ravel(), expected)


def test_linear_exact_and_sigmoid():
    exact = Window(100.0, 50.0, VoiFunction.LINEAR_EXACT)
    picture = render(make_run(RAMP8), DisplaySettings(exact)).ravel()
    assert (picture[75], picture[100], picture[125]) == (0, 128, 255)
    sigmoid = Window(100.0, 50.0, VoiFunction.SIGMOID)
    picture = render(make_run(RAMP8), DisplaySettings(sigmoid)).ravel()
    assert picture[100] == 128
    assert picture[150] == round(255 / (1 + np.exp(-4)))


def test_window_narrower_than_one():
    stored = np.arange(256, dtype=np.uint16).reshape(ROWS, COLUMNS)
    window = Window(0.5, 0.4)
    grey = GreyScale(bits_stored=12, slope=0.005, windows=(window,))
    picture = render(make_run(stored, grey=grey)).ravel()
    assert picture[60] == 0  # 0.3
    assert picture[100] == 128  # 0.5
    assert picture[140] == 255  # 0.7
    assert np.all(np.diff(picture.astype(int)) >= 0)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_more_than_eight_bits(bits):
    top = (1 << bits) - 1
    stored = np.linspace(0, top, 256).astype(np.uint16).reshape(ROWS, COLUMNS)
    run = make_run(stored, (0.0, float(top)), grey=GreyScale(bits_stored=bits))
    assert np.abs(render(run).ravel().astype(int) - np.arange(256)).max() <= 1


def test_signed():
    stored = np.linspace(-2048, 2047, 256).astype(np.int16).reshape(ROWS, COLUMNS)
    grey = GreyScale(bits_stored=12, signed=True)
    picture = render(make_run(stored, (-2048.0, 2047.0), grey=grey))
    assert np.abs(picture.ravel().astype(int) - np.arange(256)).max() <= 1


def test_floats():
    stored = np.linspace(0.0, 65535.0, 256, dtype=np.float32).reshape(ROWS, COLUMNS)
    grey = GreyScale(bits_stored=16, slope=4.0 / 65535.0, intercept=-1.5, from_floats=True)
    picture = render(make_run(stored, (-1.5, 2.5), grey=grey))
    assert np.abs(picture.ravel().astype(int) - np.arange(256)).max() <= 1


def test_rescale_and_modality_lut_come_before_the_window():
    window = Window(1000.0, 500.0, VoiFunction.LINEAR_EXACT)
    rescaled = make_run(RAMP8, grey=GreyScale(slope=4.0, intercept=500.0, windows=(window,)))
    picture = render(rescaled).ravel()
    assert (picture[62], picture[125], picture[188]) == (0, 128, 255)
    lut = Lut(10, np.linspace(1250, 750, 101))
    mapped = make_run(RAMP8, grey=GreyScale(modality_lut=lut, windows=(window,)))
    picture = render(mapped).ravel()
    assert (picture[0], picture[10], picture[60], picture[110], picture[255]) == (
        255,
        255,
        128,
        0,
        0,
    )


def test_voi_lut():
    lut = Lut(100, np.array([0.0, 0.5, 1.0]))
    picture = render(make_run(RAMP8, grey=GreyScale(voi_luts=(lut,)))).ravel()
    assert picture[[0, 100, 101, 102, 255]].tolist() == [0, 0, 128, 255, 255]


def test_monochrome1_and_inversion():
    inverted = make_run(RAMP8, grey=GreyScale(inverted=True))
    np.testing.assert_array_equal(render(inverted), 255 - RAMP8)
    np.testing.assert_array_equal(render(inverted, DisplaySettings(inverted=True)), RAMP8)
    np.testing.assert_array_equal(
        render(make_run(RAMP8), DisplaySettings(inverted=True)), 255 - RAMP8
    )


def test_presets_name_the_window_of_the_file_first():
    window = Window(50.0, 20.0, explanation="VESSELS")
    pipeline = DisplayPipeline(make_run(RAMP8, grey=GreyScale(windows=(window,))))
    labels = [label for label, _ in pipeline.presets(RAMP8)]
    assert labels == ["VESSELS", "Auto", "Full range"]
    assert pipeline.default_window() == window
    full = pipeline.full_range()
    assert (full.center, full.width) == (127.5, 255)


def test_auto_window_leaves_out_the_outermost_values():
    values = np.full((100, 100), 100.0)
    values[:, :50] = 200.0
    values[0, 0], values[50, 50] = -5000.0, 60000.0
    window = auto_window(values)
    assert (window.center, window.width) == (150, 100)


# shutter


def test_shutter_covers_outside_all_its_shapes():
    bright = np.full((40, 40), 201, np.uint8)
    shutter = Shutter(rectangle=(5, 10, 34, 29), circle=(20, 20, 12))
    run = make_run(bright, shutter=shutter)
    picture = render(run)
    assert picture[20, 20] == 201
    assert picture[10, 20] == 201
    assert picture[9, 20] == 0  # above the rectangle
    assert picture[20, 33] == 0  # in the rectangle, outside the circle
    assert render(run, DisplaySettings(shutter=False)).min() == 201
    triangle = Shutter(polygon=((0, 0), (39, 0), (0, 39)))
    picture = render(make_run(bright, shutter=triangle))
    assert (picture[5, 5], picture[35, 35]) == (201, 0)


def test_rubo_0015_is_dark_outside_its_shutters(shared_data):
    run = open_run(shared_data / "rubo" / "0015.DCM")
    pipeline = DisplayPipeline(run)
    picture = pipeline.render(run.frames.read(0), pipeline.default_settings())
    assert picture[:9].max() == picture[:, 950:].max() == picture[960:].max() == 0
    assert picture[30, 30] == 0
    assert picture[450:500, 450:500].mean() > 20
    run.frames.close()


# networks


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_networks_see_dark_devices_and_give_the_stored_scale_back(inverted, signed):
    low = -2048 if signed else 0
    stored = np.array([[low, low + 4095]], np.int16 if signed else np.uint16)
    grey = GreyScale(bits_stored=12, signed=signed, inverted=inverted)
    pipeline = DisplayPipeline(make_run(stored, grey=grey))
    seen = pipeline.mono2(stored)
    assert seen.tolist() == ([[4095, 0]] if inverted else [[0, 4095]])
    assert pipeline.white == 4095
    np.testing.assert_array_equal(pipeline.from_mono2(seen), stored)


def test_falling_rescale_turns_polarity_as_monochrome1_does():
    assert DisplayPipeline(make_run(RAMP8, grey=GreyScale(slope=-1.0))).dark_is_high
    both = GreyScale(slope=-1.0, inverted=True)
    assert not DisplayPipeline(make_run(RAMP8, grey=both)).dark_is_high


# denoised


def test_strength_blends_before_the_window():
    run = make_run(RAMP8)
    denoised = np.full(RAMP8.shape, 100.0, np.float32)
    np.testing.assert_array_equal(render(run, denoised=denoised, strength=0.0), RAMP8)
    assert set(render(run, denoised=denoised, strength=1.0).ravel()) == {100}
    half = render(run, denoised=denoised, strength=0.5).astype(float)
    assert np.abs(half - (RAMP8 / 2 + 50)).max() <= 1


def test_denoised_fractions_are_not_rounded_before_a_narrow_window():
    stored = np.full((4, 400), 100, np.uint8)
    denoised = np.tile(np.linspace(99, 101, 400, dtype=np.float32), (4, 1))
    window = Window(100.0, 2.0, VoiFunction.LINEAR_EXACT)
    picture = render(make_run(stored), DisplaySettings(window), denoised=denoised)
    assert len(np.unique(picture)) > 25


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_denoised_of_more_bits(dtype):
    low = -2048 if dtype == np.int16 else 0
    stored = np.linspace(low, low + 4095, 256).astype(dtype).reshape(ROWS, COLUMNS)
    grey = GreyScale(bits_stored=12, signed=dtype == np.int16)
    run = make_run(stored, (float(low), float(low + 4095)), grey=grey)
    same = render(run, denoised=stored.astype(np.float32))
    assert np.abs(same.astype(int) - render(run)).max() <= 1


def test_difference_is_grey_where_nothing_changed():
    run = make_run(RAMP8)
    pipeline = DisplayPipeline(run)
    denoised = RAMP8.astype(np.float32)
    denoised[0, 0] += 10
    denoised[0, 1] -= 10
    picture = pipeline.difference(RAMP8, denoised, DisplaySettings())
    assert picture[3, 3] == 128
    assert picture[0, 0] == 128 - 10 * DIFFERENCE_GAIN
    assert picture[0, 1] == 128 + 10 * DIFFERENCE_GAIN


# subtraction

SUB = DisplaySettings(subtracted=True, shutter=False)


def test_subtracting_a_frame_from_itself_leaves_mid_grey():
    run = make_run([RAMP8, RAMP8])
    assert set(render(run, SUB).ravel()) <= {127, 128}


def test_linear_runs_are_subtracted_as_logarithms():
    mask = np.full((8, 8), 200, np.uint8)
    mask[:, 4:] = 100
    contrast = (mask * 0.5).astype(np.uint8)  # the vessel halves the dose everywhere
    run = make_run([mask, contrast], pixel_intensity_relationship="LIN")
    pipeline = DisplayPipeline(run)
    values = pipeline.values(contrast, SUB)
    np.testing.assert_allclose(values, values[0, 0], atol=1e-3)
    assert pipeline.render(contrast, SUB)[0, 0] < 128
    as_stored = DisplayPipeline(replace(run, pixel_intensity_relationship="LOG"))
    assert np.ptp(as_stored.values(contrast, SUB)) == 50


def test_mask_is_the_average_of_its_frames_moved_by_the_shift():
    frames = [np.full((8, 8), v, np.uint8) for v in (10, 30, 50)]
    item = MaskSubtraction("AVG_SUB", mask_frames=(0, 1))
    pipeline = DisplayPipeline(make_run(frames, mask_subtraction=(item,)))
    center = pipeline.default_window().center
    np.testing.assert_allclose(pipeline.values(frames[2], SUB), center + 50 - 20)
    own = replace(SUB, mask_frames=(1,))
    np.testing.assert_allclose(pipeline.values(frames[2], own), center + 20)
    bar = np.zeros((8, 8), np.uint8)
    bar[:, 3] = 100
    moved = np.roll(bar, 2, axis=1)
    pipeline = DisplayPipeline(make_run([bar, moved]))
    shifted = replace(SUB, mask_shift_px=(2.0, 0.0))
    np.testing.assert_allclose(pipeline.values(moved, shifted), center)


def test_tid_subtracts_the_frame_before():
    frames = [np.full((8, 8), v, np.uint8) for v in (10, 20, 40, 80)]
    item = MaskSubtraction("TID", tid_offset=2)
    pipeline = DisplayPipeline(make_run(frames, mask_subtraction=(item,)))
    center = pipeline.default_window().center
    np.testing.assert_allclose(pipeline.values(frames[3], SUB, 3), center + 60)


def test_mask_is_read_once():
    frames = [np.full((8, 8), v, np.uint8) for v in (10, 20)]
    run = make_run(frames)
    pipeline = DisplayPipeline(run)
    pipeline.prepare_mask(SUB)
    prepared = list(run.frames.read_indices)
    assert 0 in prepared
    for _ in range(3):
        pipeline.render(frames[1], SUB)
    assert run.frames.read_indices == prepared


def test_runs_that_ask_for_it_open_subtracted():
    assert DisplayPipeline(make_run(RAMP8, open_subtracted=True)).default_settings().subtracted
    assert not DisplayPipeline(make_run(RAMP8)).default_settings().subtracted


def test_windows_and_luts_without_a_name_are_numbered_from_one():
    windows, luts = (Window(5.0, 9.0), Window(6.0, 9.0)), (Lut(0, np.arange(4.0)),)
    run = make_run([RAMP8], grey=GreyScale(windows=windows, voi_luts=luts))
    labels = [label for label, _ in DisplayPipeline(run).presets()]
    assert labels == ["File window 1", "File window 2", "File LUT 1", "Full range"]
