"""One run, one labels file; two runs, two."""

from __future__ import annotations

import numpy as np
import pytest

from app.tracks import database, peek
from app.tracks.edits import put_tracked
from app.tracks.history import Pending
from app.tracks.store import label_summary

from .conftest import FRAMES, GreyFrames, change, label
from .test_edits import answer


class Patterns(GreyFrames):
    """Frames that look different from one run to the next."""

    def __init__(self, seed: int, frame_count: int = FRAMES, noise: float = 0.0) -> None:
        super().__init__(frame_count)
        self._seed, self._noise = seed, noise

    def read(self, index: int) -> np.ndarray:
        super().read(index)
        picture = np.random.default_rng((self._seed, index)).integers(0, 4000, (64, 48))
        return (picture + self._noise).astype(np.uint16)


@pytest.fixture
def other_folder(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def test_a_run_reached_by_a_link_has_the_same_labels(reopen, make_run, tmp_path, other_folder):
    real, link = tmp_path / "run.dcm", other_folder / "shortcut.dcm"
    real.touch()
    link.symlink_to(real)
    opened = reopen(make_run(link))
    label(opened.labels)
    opened.close()
    assert opened.path == tmp_path / "run.dcm.fluorotrace.sqlite"
    assert list(other_folder.iterdir()) == [link]
    assert reopen(make_run(real)).labels.tracks == opened.labels.tracks
    assert label_summary(link, "1.2.3").tracks == 1


def test_a_run_in_a_linked_folder_has_the_same_labels(reopen, make_run, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    opened = reopen(make_run(tmp_path / "link" / "run.dcm"))
    label(opened.labels)
    opened.close()
    assert reopen(make_run(tmp_path / "real" / "run.dcm")).labels.tracks == opened.labels.tracks


def test_labels_that_lie_beside_a_link_from_before_are_found(
    reopen, make_run, tmp_path, other_folder
):
    opened = reopen(make_run(other_folder / "run.dcm"))
    label(opened.labels)
    opened.close()
    (tmp_path / "run.dcm").touch()
    (other_folder / "run.dcm").symlink_to(tmp_path / "run.dcm")
    assert reopen(make_run(other_folder / "run.dcm")).labels.tracks == opened.labels.tracks


@pytest.mark.parametrize("project", [False, True])
@pytest.mark.parametrize("names", [("a.dcm", "b.dcm"), ("a.dcm", "elsewhere/a.dcm")])
def test_two_runs_of_one_sop_instance_uid_are_told_apart(
    reopen, make_run, tmp_path, other_folder, names, project
):
    folder = tmp_path / "project" if project else None
    one, two = (make_run(tmp_path / name, frames=Patterns(seed)) for seed, name in enumerate(names))
    first = reopen(one, folder)
    label(first.labels)
    first.close()
    second = reopen(two, folder)
    assert second.labels.tracks == ()
    if project or names[1] == "b.dcm":
        assert "same SOP Instance UID" in second.notice
    label(second.labels, 9)
    second.close()
    assert second.path != first.path
    assert reopen(one, folder).labels.tracks == first.labels.tracks
    assert reopen(two, folder).labels.tracks == second.labels.tracks


def test_a_third_run_of_that_uid_gets_labels_too(reopen, make_run, tmp_path):
    found = []
    for seed in range(3):
        (tmp_path / str(seed)).mkdir()
        run = make_run(tmp_path / str(seed) / "run.dcm", frames=Patterns(seed))
        opened = reopen(run, tmp_path / "project")
        label(opened.labels, seed)
        opened.close()
        found.append((run, opened))
    assert len({opened.path for _, opened in found}) == 3
    for run, opened in found:
        assert reopen(run, tmp_path / "project").labels.tracks == opened.labels.tracks


def test_another_decoder_does_not_make_another_run(reopen, make_run):
    opened = reopen(make_run(frames=Patterns(3)))
    label(opened.labels)
    opened.close()
    again = reopen(make_run(frames=Patterns(3, noise=2.0)))
    assert again.labels.tracks == opened.labels.tracks
    assert not again.notice


@pytest.mark.parametrize("added", [1, 3])
def test_pictures_added_at_the_end_of_a_labelled_folder_keep_its_labels(
    reopen, make_run, tmp_path, added
):
    folder = tmp_path / "pictures"
    folder.mkdir()
    opened = reopen(make_run(folder, uid=None, frames=Patterns(1)))
    label(opened.labels)
    opened.close()

    def more():
        frames = Patterns(1, FRAMES + added)
        return make_run(folder, uid=None, frame_count=FRAMES + added, frames=frames)

    again = reopen(more())
    assert again.labels.tracks == opened.labels.tracks
    assert "more than when it was labelled" in again.notice
    label(again.labels, FRAMES)
    again.close()
    assert again.path == opened.path
    assert reopen(more()).labels.tracks == again.labels.tracks


def test_pictures_put_before_others_are_not_taken_for_the_same_and_that_is_said(
    reopen, make_run, tmp_path
):
    folder = tmp_path / "pictures"
    folder.mkdir()
    opened = reopen(make_run(folder, uid=None, frames=Patterns(1)))
    label(opened.labels)
    opened.close()
    again = reopen(make_run(folder, uid=None, frame_count=FRAMES + 1, frames=Patterns(2, 41)))
    assert again.labels.tracks == ()
    assert "were made on other pictures" in again.notice
    label(again.labels, 5)
    again.close()
    assert again.path != opened.path
    assert database.read(opened.path).tracks == opened.labels.tracks


def test_labels_that_never_said_what_their_run_looks_like_are_still_its(reopen, make_run):
    opened = reopen(make_run(frames=Patterns(3)))
    label(opened.labels)
    opened.close()
    change(opened.path, "UPDATE runs SET signature = ''")
    again = reopen(make_run(frames=Patterns(3)))
    assert again.labels.tracks == opened.labels.tracks
    label(again.labels, 8)
    again.close()
    assert peek.read_identity(opened.path).signature


def test_how_far_a_run_is_labelled(reopen, make_run):
    opened = reopen()
    label(opened.labels)
    (track,) = opened.labels.tracks
    answers = [answer(4, 1.0, 2.0, confidence=0.2), answer(5, 1.0, 2.0, confidence=0.9)]
    step = opened.labels.apply(put_tracked(track, answers))
    opened.labels.set_pending(track.id, Pending(track.id, 0, 9, step))
    opened.flush()
    summary = label_summary(make_run().path, "1.2.3")  # while it is open, too
    assert (summary.tracks, summary.confirmed, summary.doubtful) == (1, 1, 1)
    assert summary.pending == 1
    assert not summary.reviewed
