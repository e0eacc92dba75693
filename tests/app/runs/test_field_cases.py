"""The 35 inputs that failed in the field, each with its right answer.

Each kind has tests on inputs of their own beside its reader; those of no reader in particular are
in test_kinds.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pytest

from app.display.pipeline import DisplayPipeline
from app.display.settings import DisplaySettings
from app.runs.catalog import scan
from app.runs.frames import FrameCache
from app.runs.opening import open_run
from app.runs.run import Run, RunError


def frame(run, index):
    return run.frames.read(index)


def shown(run, index):
    display = DisplayPipeline(run)
    return display.render(frame(run, index), display.default_settings(), frame_index=index)


def keeps_16_bits_of_all_frames(run):
    assert run.grey.bits_stored >= 12
    assert frame(run, 0).max() == 162
    assert max(frame(run, i).max() for i in range(6)) == 3633 < run.nominal_range[1] + 1
    for index in range(1, 6):
        assert 90 < shown(run, index).mean() < 180
    subtracted = DisplayPipeline(run).render(frame(run, 5), DisplaySettings(subtracted=True))
    assert subtracted.shape == (64, 64)


def fades_in(run):
    means = [shown(run, i).mean() for i in range(6)]
    assert means[0] < means[1] < means[2] < means[3] < means[4] < 160
    assert shown(run, 5).min() < 30


def each_frame_by_its_own_window(run):
    assert len(run.grey.frame_vois) == 6
    for index in range(6):
        assert shown(run, index).mean() == pytest.approx(127, abs=5)


def stored_values_are_shown(run):
    assert shown(run, 0).mean() == pytest.approx(123, abs=1.5)


def is_clipped_to_its_bits(run):
    for index in range(4):
        stored = frame(run, index)
        assert stored.max() == 4095
        assert stored.min() > 200  # nothing has wrapped to black


def left_half_grows(first, step):
    """The left half of frame i is ``first + step * i``, forwards, backwards and by jumps."""

    def check(run):
        count = run.frame_count
        for index in (*range(count), *reversed(range(count)), *range(0, count, 7), 3, 2, 19):
            half = frame(run, index)[:, : run.columns // 2 - 4]
            assert np.median(half) == pytest.approx(first + step * index, abs=2), index

    return check


def keeps(bits):
    def check(run):
        assert run.grey.bits_stored == bits
        assert frame(run, 0).dtype == np.uint16
        assert 1 << (bits - 1) < frame(run, 0).max() < 1 << bits

    return check


def is_upright(run):
    """Grey 20 + 5 i stands on one half; turned by 90 degrees that is the upper or lower one."""
    picture = frame(run, 0).astype(int)
    assert abs(picture[:28].mean() - picture[36:].mean()) > 150
    assert abs(picture[:, :20].mean() - picture[:, 28:].mean()) < 5


def floats_have_a_grey_scale(run):
    assert run.grey.bits_stored == 16
    assert run.grey.from_floats
    low, high = run.nominal_range
    assert (low, high) == (pytest.approx(0.05, abs=0.01), pytest.approx(0.887, abs=0.01))
    picture = shown(run, 0)
    assert len(np.unique(picture)) > 100
    values = run.grey.file_values(frame(run, 0))
    assert 0.04 < values.min() < values.max() < 0.9


def padding_is_left_out(run):
    stored = frame(run, 0)
    field = stored != 65535
    assert run.nominal_range == (90, 1400)
    auto = DisplayPipeline(run).auto(stored, DisplaySettings())
    assert auto.center + auto.width / 2 < 1500
    picture = shown(run, 0)
    assert picture[~field].max() == 0
    assert picture[field].max() > 200
    assert picture[field].std() > 30


SOUND = "no_number_of_frames_6_stored.dcm"


def is_square(run):
    assert (run.rows, run.columns) == (64, 64)
    assert shown(run, 0).mean() == pytest.approx(123, abs=1.5)


def the_ecg_is_lead_ii(run):
    assert run.ecg is not None
    assert run.ecg.label == "Lead II"


def is_not_inverted(run):
    np.testing.assert_array_equal(shown(run, 0), frame(run, 0))


def three_by_three(run):
    assert (run.rows, run.columns) == (3, 3)
    assert 80 < frame(run, 0).min() < frame(run, 0).max() < 220


@dataclass(frozen=True)
class Case:
    """What is right: frames of a size, which are missing, what is noted, and what else."""

    name: str
    kind: str
    frames: int
    size: tuple[int, int] = (64, 64)  # rows, columns
    missing: tuple[int, ...] = ()
    note: str = ""
    check: Callable[[Run], None] | None = None
    listed: int | None = -1  # as `frames`
    like: str = ""


RUNS = [
    Case("tiff_page3_complex.tif", "A", 6, missing=(3,)),
    Case("folder_superscript_name", "B", 2),
    Case("tiff16_dark_first_page.tif", "C", 6, check=keeps_16_bits_of_all_frames),
    Case("folder_16bit_dark_first", "C", 6, check=keeps_16_bits_of_all_frames),
    Case("xa12_no_window_dark_first_frame.dcm", "C", 6, check=fades_in),
    Case("enhanced_xa_per_frame_window.dcm", "D", 6, check=each_frame_by_its_own_window),
    Case("xa_modality_lut_log.dcm", "E", 2, check=stored_values_are_shown),
    Case("xa_modality_lut_log_window.dcm", "E", 2, check=stored_values_are_shown),
    Case("j2k_lossy_overshoot.dcm", "F", 4, check=is_clipped_to_its_bits),
    Case("h264_bframes.avi", "G", 40, (48, 64), listed=None, check=left_half_grows(20, 5)),
    Case("h264_trimmed_edit_list.mp4", "G", 23, (48, 64), check=left_half_grows(105, 5)),
    Case("h264_frag.mp4", "G", 40, (48, 64), listed=None, check=left_half_grows(20, 5)),
    Case("gray16_ffv1.mkv", "H", 6, (48, 64), listed=None, check=keeps(16)),
    Case("gray10.mkv", "H", 12, (48, 64), listed=None, check=keeps(10)),
    Case("rotated90.mp4", "H", 40, (64, 48), check=is_upright),
    Case("npy_float01.npy", "I", 6, check=floats_have_a_grey_scale),
    Case("mha_float01.mha", "I", 6, check=floats_have_a_grey_scale),
    Case("rf16_pixel_padding_65535.dcm", "J", 6, check=padding_is_left_out),
    Case("no_number_of_frames_6_stored.dcm", "K", 6, note="all 6 are shown"),
    Case("jpeg_number_of_frames_4_of_6_stored.dcm", "K", 6, note="holds 4 frames", like=SOUND),
    Case("empty_item_for_frame_3.dcm", "K", 6, missing=(2,), note="these frames: 3", like=SOUND),
    Case("says_uncompressed_holds_jpeg.dcm", "L", 6, like=SOUND),
    Case("pixel_element_implicit.dcm", "L", 1, like=SOUND),
    Case("tiff_rgb_planar.tif", "M", 6, check=is_square),
    Case("nifti4d_x_y_1_t.nii.gz", "N", 6, check=is_square),
    Case("single_frame_series", "P", 6, like=SOUND),
    Case("video_h264.dcm", "Q", 40, (48, 64), check=left_half_grows(20, 5)),
    Case("ecg_after_pressure.dcm", "R", 6, check=the_ecg_is_lead_ii),
    Case("big_endian_odd_frame.dcm", "S", 1, (3, 3), check=three_by_three),
    Case("number_of_frames_huge.dcm", "T", 6, note="holds 2147483647 frames", like=SOUND),
    Case("mono1_identity.dcm", "T", 6, check=is_not_inverted),
]
LISTS = {  # what is no single run: the runs in it
    "scan_dies_half_way": {"a.dcm": 6, "m": 2, "z.dcm": 6},
    "dicomdir_lower_case": {"im000000": 6, "im000001": 6},
    "dicomdir_version_suffix": {"IM000000;1": 6, "IM000001;1": 6},
}
REFUSED = {"npy_object.npy": "holds Python objects; save numbers"}


@pytest.fixture
def folder(shared_data):
    return shared_data / "field_cases"


def test_each_case_has_its_right_answer(folder):
    named = [case.name for case in RUNS] + [*LISTS, *REFUSED]
    told = {"README.md", "attacks.md", "attacks"}
    assert sorted(named) == sorted({path.name for path in folder.iterdir()} - told)
    assert len(named) == 35


@pytest.mark.parametrize("case", RUNS, ids=lambda case: f"{case.kind}-{case.name}")
def test_it_opens_right(folder, case):
    run = open_run(folder / case.name)
    with closing(run.frames):
        assert (run.frame_count, run.rows, run.columns) == (case.frames, *case.size)
        cache = FrameCache(run)  # as the window reads: nobody waits for ever, none is left out
        try:
            for index in range(run.frame_count):
                if index in case.missing:
                    with pytest.raises(RunError, match=f"(Frame|Page) {index + 1} "):
                        cache.wait(index)
                else:
                    assert cache.wait(index).shape == case.size
        finally:
            cache.close()
        about_frames = [note for note in run.notes if "assumed" not in note]
        assert len(about_frames) == bool(case.note)
        assert all(case.note in note for note in about_frames)
        if case.check is not None:
            case.check(run)
        if case.like:
            with closing(open_run(folder / case.like).frames) as others:
                for index in set(range(run.frame_count)) - set(case.missing):
                    difference = frame(run, index).astype(int) - others.read(index)
                    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("case", RUNS, ids=lambda case: f"{case.kind}-{case.name}")
def test_it_is_listed_honestly(folder, case):
    (entry,) = scan(folder / case.name)
    assert entry.error is None
    assert entry.frame_count == (case.frames if case.listed == -1 else case.listed)


@pytest.mark.parametrize("name", LISTS)
def test_all_runs_of_a_folder_are_listed(folder, name):
    place = folder / name
    directory = next((p for p in place.iterdir() if p.name.upper() == "DICOMDIR"), place)
    found = list(scan(directory))
    assert {entry.path.name: entry.frame_count for entry in found} == LISTS[name]
    assert [entry.error for entry in found] == [None] * len(found)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_a_sentence(folder, name):
    with pytest.raises(RunError, match=REFUSED[name]):
        open_run(folder / name)
