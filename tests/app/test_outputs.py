"""Results never destroy what they are made from, and appear whole or not at all."""

import os
import struct
import subprocess
import sys

import pytest

from app.errors import UserError
from app.outputs import check_output, whole_file, whole_folder


@pytest.fixture
def run(tmp_path):
    """A file that stands for a run."""
    path = tmp_path / "study" / "run.npy"
    path.parent.mkdir()
    path.write_bytes(b"pixels")
    return path


def spelled_otherwise(run, kind):
    other = run.parent / "other.npy"
    if kind == "link":
        other.symlink_to(run)
    elif kind == "hard link":
        other.hardlink_to(run)
    elif kind == "linked folder":
        run.parent.with_name("linked").symlink_to(run.parent)
        other = run.parent.with_name("linked") / run.name
    elif kind == "dots":
        other = run.parent / ".." / run.parent.name / run.name
    else:
        other = run
    return other


@pytest.mark.parametrize("kind", ["same", "link", "hard link", "linked folder", "dots"])
def test_an_output_that_is_the_run_is_refused_however_it_is_spelled(run, kind):
    with pytest.raises(UserError, match="part of the run itself"):
        check_output(spelled_otherwise(run, kind), [run])


def test_a_relative_output_that_is_the_run_is_refused(run, monkeypatch):
    monkeypatch.chdir(run.parent)
    from pathlib import Path

    with pytest.raises(UserError, match="part of the run itself"):
        check_output(Path("run.npy"), [run])


def test_a_labels_file_that_is_not_there_yet_is_kept_free(run):
    labels = run.with_name("run.npy.fluorotrace.sqlite")
    with pytest.raises(UserError, match="holds its labels"):
        check_output(labels, [run, labels])
    check_output(run.with_name("run.json"), [run, labels])


@pytest.mark.parametrize("place", ["a.npy", "deeper/a.npy", "../linked/a.npy"])
def test_nothing_is_written_into_a_run_that_is_a_folder(tmp_path, place):
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(folder)
    with pytest.raises(UserError, match="inside the folder of the run"):
        check_output(folder / place, [folder])
    check_output(tmp_path / "a.npy", [folder])


META = "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\n"
NRRD = "NRRD0004\ntype: uint8\nencoding: raw\ndimension: 3\nsizes: 2 2 2\n"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("scan.mhd", META + "ElementDataFile = p1.raw\n"),
        ("scan.mhd", META + "ElementDataFile = p%d.raw 0 1 1\n"),
        ("scan.mhd", META + "ElementDataFile = LIST\np0.raw\np1.raw\n"),
        ("scan.mhd", META + "ElementDataFile = below/p1.raw\n"),
        ("scan.nhdr", NRRD + "data file: below/p1.raw\n"),
        ("scan.txt", NRRD + "data file: p%d.raw 0 1 1\n"),
    ],
)
def test_the_files_that_a_header_names_are_part_of_the_run(tmp_path, name, header):
    (tmp_path / "below").mkdir()
    for pixels in ("p0.raw", "p1.raw", "free.raw", "below/p1.raw"):
        (tmp_path / pixels).write_bytes(b"abcd")
    (tmp_path / name).write_text(header)
    with pytest.raises(UserError, match="part of the run"):
        check_output(
            tmp_path / ("below/p1.raw" if "below" in header else "p1.raw"), [tmp_path / name]
        )
    check_output(tmp_path / "free.raw", [tmp_path / name])


def test_the_other_file_of_a_pair_is_part_of_the_run(tmp_path):
    for name in ("b.hdr", "b.img"):
        (tmp_path / name).write_bytes(b"header or pixels")
    with pytest.raises(UserError, match="part of the run"):
        check_output(tmp_path / "b.img", [tmp_path / "b.hdr"])


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_dicom_file_without_preamble_is_not_replaced_either(tmp_path, order):
    sibling = tmp_path / "frame2.json"
    sibling.write_bytes(struct.pack(f"{order}HH2sH", 8, 8, b"CS", 8) + b"ORIGINAL" + bytes(100))
    with pytest.raises(UserError, match="is a DICOM file"):
        check_output(sibling, [tmp_path / "frame1"])


def test_another_dicom_file_is_not_replaced_either(run):
    other = run.with_name("IM2")
    other.write_bytes(b"\0" * 128 + b"DICM")
    with pytest.raises(UserError, match="is a DICOM file"):
        check_output(other, [run])


def test_a_device_is_not_replaced(run):
    with pytest.raises(UserError, match="device"):
        check_output(run.__class__(os.devnull), [run])
    with pytest.raises(UserError, match="device"), whole_file(run.__class__(os.devnull)):
        pass


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    with pytest.raises(KeyboardInterrupt), whole_file(path) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    with whole_file(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    path, link = tmp_path / "a.txt", tmp_path / "link.txt"
    path.write_text("old")
    link.symlink_to(path)
    with whole_file(link) as draft:
        draft.write_text("new")
    assert link.is_symlink()
    assert path.read_text() == "new"


def test_two_at_once_to_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with whole_file(path) as first, whole_file(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # whose context ended last
    assert list(tmp_path.iterdir()) == [path]


def test_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / f"{'a' * 251}.txt"
    with whole_file(path) as draft:
        draft.write_text("new")
    assert path.read_text() == "new"


def test_a_folder_is_whole_or_not_there(tmp_path):
    path = tmp_path / "pictures"
    with pytest.raises(ZeroDivisionError), whole_folder(path) as draft:
        (draft / "1.png").write_bytes(b"1")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    path.mkdir()
    with whole_folder(path) as draft:
        (draft / "1.png").write_bytes(b"1")
    assert [p.name for p in path.iterdir()] == ["1.png"]
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(UserError, match="not empty"), whole_folder(path):
        pass


FULL = """
import pathlib, resource, sys
from app.errors import UserError
from app.outputs import whole_file, whole_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
path = pathlib.Path(sys.argv[1])
for whole, part in ((whole_file, ""), (whole_folder, "1.png")):
    try:
        with whole(path if not part else path.with_name("pictures")) as draft:
            (draft / part if part else draft).write_bytes(b"new" * 1000)
    except UserError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of a process there")
def test_what_does_not_fit_is_a_sentence_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    command = [sys.executable, "-c", FULL, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout.count("larger than this disk allows") == 2
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", ["ENOSPC", "EROFS", "EACCES", "EIO", "EDQUOT"])
def test_what_the_system_refuses_is_told_without_its_words(tmp_path, number):
    import errno

    code = getattr(errno, number)
    with pytest.raises(UserError) as told, whole_file(tmp_path / "a.txt"):
        raise OSError(code, os.strerror(code))
    assert os.strerror(code) not in str(told.value)
    assert str(tmp_path / "a.txt") in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_drafts_of_a_killed_process_are_removed_and_those_of_a_living_one_stay(tmp_path):
    code = (
        "import os, pathlib, sys; from app.outputs import whole_file, whole_folder;"
        "a = whole_file(pathlib.Path(sys.argv[1]) / 'a'); a.__enter__();"
        "b = whole_folder(pathlib.Path(sys.argv[1]) / 'b'); b.__enter__();"
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    with whole_file(tmp_path / "c") as living:
        with whole_file(tmp_path / "d"):
            pass
        assert living.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "d"]


def test_a_folder_that_is_missing_is_told(tmp_path):
    path = tmp_path / "nowhere" / "a.txt"
    with pytest.raises(UserError, match="There is no folder"):
        check_output(path, [])
