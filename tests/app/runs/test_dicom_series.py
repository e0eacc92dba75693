"""Single-frame files of one series are one run, opened by its folder or by any of its files."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless

from app.display.pipeline import DisplayPipeline
from app.display.settings import DisplaySettings
from app.runs.catalog import scan
from app.runs.opening import open_run
from app.runs.run import RunError, TimingSource

RAMP = np.arange(16 * 24, dtype=np.uint16).reshape(16, 24)


@pytest.fixture
def write_series(write_run, tmp_path):
    """Return a function that writes single frames; frame k is a ramp that begins at k."""

    def write(attributes, folder="series", series="1.2.3.9", pixels=RAMP, names=None):
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        paths = []
        for k, own in enumerate(attributes):
            more = {"SeriesInstanceUID": series, "StudyInstanceUID": "1.2.3", **own}
            path = write_run(pixels + k, NumberOfFrames=more.pop("NumberOfFrames", None), **more)
            name = names[k] if names else f"{series.rsplit('.')[-1]}_{len(attributes) - k}.dcm"
            paths.append(path.rename(target / name))
        return target, paths

    return write


def numbered(count, **more):
    return [{"InstanceNumber": str(k + 1), **more} for k in range(count)]


def starts(run):
    """Return the first pixel of each frame, and close the run."""
    try:
        return [int(run.frames.read(i)[0, 0]) for i in range(run.frame_count)]
    finally:
        run.frames.close()


def frame_count(path):
    run = open_run(path)
    run.frames.close()
    return run.frame_count


def test_folder_file_and_list_give_the_same_run(write_series):
    folder, paths = write_series(numbered(5))
    (folder / "LICENSE").write_text("free")
    for path in (folder, paths[0], paths[3]):
        run = open_run(path)
        assert (run.path, run.frame_count) == (paths[0], 5)
        assert (run.rows, run.columns) == (16, 24)
        assert starts(run) == [0, 1, 2, 3, 4]
    for path in (folder, paths[2]):
        (entry,) = scan(path)
        assert (entry.path, entry.frame_count, entry.error) == (paths[0], 5, None)


@pytest.mark.parametrize(
    "order",
    [
        [{"InstanceNumber": str(n)} for n in (3, 7, 20, 100)],
        [{"AcquisitionTime": f"12000{k}.5"} for k in range(4)],
        [{"AcquisitionDateTime": f"2024010112000{k}.25"} for k in range(4)],
        [{"InstanceNumber": "1", "ContentTime": f"12000{k}"} for k in range(4)],
        [{"TriggerTime": str(40 * k)} for k in range(4)],
        [{"SliceLocation": str(-3 + 2 * k)} for k in range(4)],
        [{"AcquisitionNumber": str(1 + k // 2), "InstanceNumber": str(k % 2)} for k in range(4)],
    ],
)
def test_order(write_series, order):
    folder, _ = write_series(order)
    assert starts(open_run(folder)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "attributes",
    [
        [{}, {}, {}],
        [{"InstanceNumber": "1"}] * 3,
        [{"InstanceNumber": "1"}, {"InstanceNumber": "2"}, {}],
        numbered(3, Modality="DX"),
    ],
)
def test_without_an_order_or_as_views_they_stay_stills(write_series, attributes):
    folder, paths = write_series(attributes)
    assert {(e.path, e.frame_count) for e in scan(folder)} == {(p, 1) for p in paths}
    assert frame_count(paths[1]) == 1
    with pytest.raises(RunError, match="no single run"):
        open_run(folder)


def test_files_of_another_kind_stay_apart(write_series, write_run):
    folder, paths = write_series(numbered(3))
    _, large = write_series(
        [{"InstanceNumber": "4"}], pixels=np.zeros((24, 16), np.uint16), names=["large.dcm"]
    )
    many = write_run(
        np.stack([RAMP] * 2), SeriesInstanceUID="1.2.3.9", InstanceNumber="5", name="many.dcm"
    )
    many = many.rename(folder / "many.dcm")
    entries = {e.path: e.frame_count for e in scan(folder)}
    assert entries == {paths[0]: 3, large[0]: 1, many: 2}
    assert frame_count(large[0]) == 1
    assert frame_count(many) == 2


def test_several_series_in_a_folder_are_a_run_each(write_series):
    folder, first = write_series(numbered(3))
    _, second = write_series(numbered(4), series="1.2.3.8", pixels=RAMP + 100)
    assert {e.path: e.frame_count for e in scan(folder)} == {first[0]: 3, second[0]: 4}
    assert starts(open_run(second[2])) == [100, 101, 102, 103]
    with pytest.raises(RunError, match="no single run"):
        open_run(folder)


@pytest.mark.parametrize(
    ("numbers", "left_out"),
    [
        ([1, 2, 5, 6], "3, 4"),
        ([1, 3, 7], "5"),
        ([1, 3, 5], None),
        ([101, 102, 103, 201, 202, 203], None),
        ([1, 2, 2_000_000_000], None),
    ],
)
def test_numbers_that_are_left_out_are_named(write_series, numbers, left_out):
    folder, _ = write_series([{"InstanceNumber": str(n)} for n in numbers])
    run = open_run(folder)
    assert starts(run) == list(range(len(numbers)))
    said = [note for note in run.notes if "left out" in note]
    assert said == (
        []
        if left_out is None
        else [f"Pictures of this series may be missing; these numbers are left out: {left_out}."]
    )


def test_a_file_that_is_packed_in_another_way_stays_apart_and_is_missed(write_series):
    folder, paths = write_series(numbered(4))
    packed = pydicom.dcmread(paths[1])
    packed.compress(RLELossless, generate_instance_uid=False)
    packed.save_as(paths[1])
    assert {entry.path: entry.frame_count for entry in scan(folder)} == {paths[0]: 3, paths[1]: 1}
    run = open_run(paths[0])
    run.frames.close()
    assert any("left out: 2." in note for note in run.notes)


def test_a_copy_counts_once(write_series):
    folder, paths = write_series(numbered(3))
    (folder / "copy.dcm").write_bytes(paths[1].read_bytes())
    assert starts(open_run(folder)) == [0, 1, 2]
    (entry,) = scan(folder)
    assert entry.frame_count == 3


def test_opening_one_of_many_parses_no_header_of_another_series(write_series, monkeypatch):
    from app.runs import dicom_series

    for k in range(8):
        _, paths = write_series(numbered(2), series=f"1.2.3.7.{k}", names=[f"{k}a", f"{k}b"])
    parsed = []
    open_header = dicom_series.open_header

    def counted(path):
        parsed.append(path.name)
        return open_header(path)

    monkeypatch.setattr(dicom_series, "open_header", counted)
    assert starts(open_run(paths[0])) == [0, 1]
    assert set(parsed) == {"7a", "7b"}
    monkeypatch.setattr(dicom_series, "_HEAD_BYTES", 200)  # too few to tell: they are parsed
    assert starts(open_run(paths[0])) == [0, 1]


def test_frames_of_one_uid_but_several_numbers_are_all_shown(write_series):
    folder, _ = write_series(numbered(4, SOPInstanceUID="1.2.3.4.5"))
    assert starts(open_run(folder)) == [0, 1, 2, 3]
    (entry,) = scan(folder)
    assert entry.frame_count == 4


@pytest.mark.parametrize(
    ("attributes", "source", "step_ms"),
    [
        ([{"AcquisitionTime": f"1200{k // 10:02d}.{k % 10}"} for k in range(12)], "clock", 100),
        (numbered(4, FrameTime="40"), "frame time", 40),
        (numbered(4, CineRate="20"), "cine rate", 50),
        ([{"TriggerTime": str(35 * k)} for k in range(4)], "clock", 35),
        (
            [{"AcquisitionTime": f"12{k:02d}00", "FrameTime": "30"} for k in range(4)],
            "frame time",
            30,
        ),
        ([{"ContentTime": f"12{k:02d}00"} for k in range(4)], "none", 1000 / 15),
    ],
)
def test_times(write_series, attributes, source, step_ms):
    folder, _ = write_series(attributes)
    run = open_run(folder)
    run.frames.close()
    count = len(attributes)
    np.testing.assert_allclose(run.frame_times_ms, np.arange(count) * step_ms, atol=1e-3)
    assert (
        run.timing_source
        is {
            "clock": TimingSource.PER_FRAME,
            "frame time": TimingSource.FRAME_TIME,
            "cine rate": TimingSource.CINE_RATE,
            "none": TimingSource.ASSUMED,
        }[source]
    )
    if source == "none":
        assert any("one by one" in note for note in run.notes)


def test_windows_and_angles_of_each_file(write_series):
    attributes = [
        {
            "InstanceNumber": str(k),
            "WindowCenter": str(192 + k),
            "WindowWidth": "384",
            "PositionerPrimaryAngle": str(10 * k),
        }
        for k in range(3)
    ]
    folder, _ = write_series(attributes)
    run = open_run(folder)
    display = DisplayPipeline(run)
    pictures = [
        display.render(run.frames.read(k), DisplaySettings(), frame_index=k) for k in (0, 2)
    ]
    run.frames.close()
    np.testing.assert_array_equal(*pictures)  # pixels and window move together
    assert run.primary_angles_deg.tolist() == [0, 10, 20]


def test_without_a_window_all_files_tell(write_series):
    folder, _paths = write_series(numbered(3))
    run = open_run(folder)
    run.frames.close()
    assert run.nominal_range == (0, RAMP.max() + 2)


def test_a_file_that_is_lost_or_replaced_fails_alone(write_series, write_run):
    folder, paths = write_series(numbered(4))
    run = open_run(folder)
    paths[1].unlink()
    paths[2].write_bytes(write_run(np.zeros((4, 6), np.uint16)).read_bytes())
    with pytest.raises(RunError, match="does not exist"):
        run.frames.read(1)
    with pytest.raises(RunError, match="another size"):
        run.frames.read(2)
    assert run.frames.read(3)[0, 0] == 3
    run.frames.close()
    with pytest.raises(RunError, match="closed"):
        run.frames.read(0)


@pytest.mark.parametrize(
    ("folder", "count"),
    [("field_cases/single_frame_series", 6), ("rf_series", 8), ("heart/study/2CH", 25)],
)
def test_real_series(shared_data, folder, count):
    path = shared_data / folder
    (entry,) = scan(path)
    run = open_run(path)
    try:
        assert (run.path, run.frame_count) == (entry.path, count)
        assert entry.frame_count == count
        assert [run.frames.read(i).shape for i in (0, count - 1)] == [(run.rows, run.columns)] * 2
    finally:
        run.frames.close()


def test_the_heart_beats_by_its_trigger_times(shared_data):
    run = open_run(shared_data / "heart" / "study" / "2CH")
    run.frames.close()
    assert run.timing_source is TimingSource.PER_FRAME
    assert run.frame_times_ms[1] == pytest.approx(39)
