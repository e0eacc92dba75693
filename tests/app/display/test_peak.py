"""Contrast over a run: at its fullest, and when that was, in colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.display.peak import ContrastPeak, time_colors
from app.display.pipeline import DisplayPipeline
from app.display.settings import DisplaySettings, Peak
from app.runs.run import GreyScale, Run, Shutter
from inference.subtraction import Registration

TIMES_MS = 100.0 + 40.0 * np.arange(14)
TIME = DisplaySettings(subtracted=True, mask_frames=(0, 1), peak=Peak.TIME)
PEAK = replace(TIME, peak=Peak.OPACIFICATION)


class Frames:
    def __init__(self, frames):
        self.read = frames.__getitem__


def bolus_run(sign=-1, **facts):
    """Contrast of 60 comes to the left half of rows 20 to 40 on frame 4, to the right on 9."""
    rng = np.random.default_rng(0)
    frames = rng.normal(120, 1.5, (len(TIMES_MS), 64, 80))
    frames[4:6, 20:40, 10:40] += sign * 60
    frames[9:11, 20:40, 40:70] += sign * 60
    frames = np.clip(np.rint(frames), 0, 255).astype(np.uint8)
    shape = (len(frames), *frames.shape[1:])
    return Run(Path("run"), Frames(frames), *shape, TIMES_MS, nominal_range=(0.0, 255.0), **facts)


def found(run, settings=TIME):
    pipeline = DisplayPipeline(run)
    pipeline.find_peak(settings, lambda: False, lambda *_: None)
    return pipeline


@pytest.mark.parametrize(("sign", "facts"), [(-1, {}), (1, {"grey": GreyScale(inverted=True)})])
def test_each_place_has_its_time_since_the_first_frame(sign, facts):
    run = bolus_run(sign, **facts)
    pipeline = found(run)
    peak = pipeline.peak(TIME)
    np.testing.assert_allclose(peak.time_ms[22:38, 12:38], 180, atol=41)
    np.testing.assert_allclose(peak.time_ms[22:38, 42:68], 380, atol=41)
    assert np.isnan(peak.time_ms[:18]).mean() > 0.99
    assert peak.span_ms == pytest.approx((180, 380), abs=41)
    change = peak.values - pipeline.default_window().center
    assert (sign * change[22:38, 12:68]).mean() == pytest.approx(60, abs=8)


def test_colours_go_from_the_first_to_the_last_time():
    pipeline = found(bolus_run())
    picture = pipeline.render(pipeline._read(0), TIME, frame_index=0)
    assert picture.shape == (64, 80, 3)
    colors = time_colors().astype(int)
    early, late = (
        np.median(picture[22:38, part], axis=(0, 1)) for part in (np.s_[12:38], np.s_[42:68])
    )
    assert np.abs(early - colors[0]).max() < 50
    assert np.abs(late - colors[-1]).max() < 50
    assert (np.ptp(picture[:18].astype(int), axis=2) == 0).mean() > 0.99  # grey


def test_the_peak_itself_is_grey_and_frames_are_shown_until_it_is_there():
    pipeline = found(bolus_run())
    stored = pipeline._read(0)
    assert pipeline.render(stored, PEAK, frame_index=0).shape == (64, 80)
    other = replace(TIME, mask_frames=(2,))
    assert pipeline.peak(other) is None
    assert pipeline.render(stored, other, frame_index=0).shape == (64, 80)
    assert pipeline.peak(replace(TIME, subtracted=False)) is None
    assert pipeline.peak(replace(TIME, peak=Peak.OFF)) is None


def test_colours_stay_within_the_shutter():
    pipeline = found(bolus_run(shutter=Shutter(rectangle=(0, 0, 30, 63))))
    picture = pipeline.render(pipeline._read(0), TIME, frame_index=0)
    assert not picture[:, 31:].any()
    assert picture[22:38, 12:30].any()


def test_without_contrast_there_is_no_span_and_no_colour():
    none = np.full((4, 5), np.nan, np.float32)
    peak = ContrastPeak(np.zeros((4, 5), np.float32), none)
    assert peak.span_ms is None
    grey = np.arange(20, dtype=np.uint8).reshape(4, 5)
    np.testing.assert_array_equal(peak.coloured(grey), np.repeat(grey[:, :, None], 3, axis=2))


def test_contrast_that_came_at_one_time_is_coloured():
    times = np.array([[np.nan, 300.0]], np.float32)
    picture = ContrastPeak(np.zeros((1, 2), np.float32), times).coloured(np.zeros((1, 2), np.uint8))
    np.testing.assert_array_equal(picture[0, 1], time_colors()[0])


def test_the_colours_get_evenly_lighter():
    light = time_colors().astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(light) > -1).all() and light[-1] - light[0] > 150


# the own window of subtracted frames


def shaken_run():
    """A textured picture that jumps by some pixels from frame to frame."""
    rng = np.random.default_rng(1)
    big = cv2.resize(rng.normal(120, 40, (28, 28)), (224, 224), interpolation=cv2.INTER_CUBIC)
    frames = [big[2 * (i % 4) :, 3 * (i % 3) :][:192, :192] for i in range(12)]
    frames = np.clip(np.stack(frames), 0, 255).astype(np.uint8)
    return Run(Path("r"), Frames(frames), *frames.shape, 40.0 * np.arange(12), (0.0, 255.0))


def test_the_window_is_narrowed_to_what_registration_leaves():
    pipeline = DisplayPipeline(shaken_run())
    settings = DisplaySettings(subtracted=True, registration=Registration.SHIFT)
    before = pipeline.voi(settings)
    pipeline.narrow_window(settings)
    assert pipeline.voi(settings) == before  # nothing is registered yet
    for frame in range(12):
        pipeline.register(settings, frame, lambda: False)
    assert pipeline.voi(settings) == before  # it does not change with each mask
    pipeline.narrow_window(settings)
    narrow = pipeline.voi(settings)
    assert narrow.center == before.center and narrow.width < before.width / 2
    unregistered = replace(settings, registration=Registration.OFF)
    assert pipeline.voi(unregistered) == before
    assert pipeline.voi(replace(settings, mask_frames=(3,))).width > narrow.width


def test_specks_have_no_say_in_the_window():
    rng = np.random.default_rng(2)
    frames = rng.normal(120, 1, (6, 64, 64))
    frames[:, 20:30, 10:50] -= np.array([0, 30, 30, 30, 30, 30])[:, None, None]
    plain, frayed = frames.copy(), frames.copy()
    frayed[:, 2:4, :] = np.where(rng.random((6, 2, 64)) < 0.5, 0, 255)
    widths = []
    for each in (plain, frayed):
        stored = np.clip(each, 0, 255).astype(np.uint8)
        run = Run(Path("r"), Frames(stored), *stored.shape, 40.0 * np.arange(6), (0.0, 255.0))
        widths.append(DisplayPipeline(run).voi(DisplaySettings(subtracted=True)).width)
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
