"""Labels of files into a run: which frames they are, what is asked, what is refused."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.runs.opening import open_run
from app.runs.run import Run
from app.tracks.edits import add_track, delete_points, new_track, place_point
from app.tracks.formats import FORMATS, LabelFile, NamedPicture, label_file, read_labels, run_facts
from app.tracks.formats.label_file import make_track
from app.tracks.importing import (
    ImportChoices,
    ImportPreview,
    OnConflict,
    _far_outside,
    preview_import,
)
from app.tracks.labels import Labels
from app.tracks.pictures import MatchedBy
from app.tracks.track import PointSource, PointState, TrackPoint

FRAMES, ROWS, COLUMNS = 20, 24, 32
REPLACE = ImportChoices(OnConflict.REPLACE)


def a_run(path: Path, count: int = FRAMES, **facts) -> Run:
    values = {"rows": ROWS, "columns": COLUMNS, "sop_instance_uid": "1.2.3", **facts}
    return Run(path, None, frame_count=count, frame_times_ms=np.arange(count) * 40.0, **values)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_run(tmp_path / "r.dcm")


def clicks(*frames: int, x: float = 9.0, name: str = "tip"):
    points = [TrackPoint(f, x, 9.0) for f in frames]
    return make_track(name, "catheter tip", points, 0)


def coco(path: Path, names: list[str], size=(COLUMNS, ROWS)) -> LabelFile:
    """Read a file of another program: a point on each picture, its x the number of the picture."""
    order = list(range(len(names)))
    random.Random(5).shuffle(order)
    images = [{"id": n, "file_name": names[n], "width": size[0], "height": size[1]} for n in order]
    annotations = [
        {"id": n, "image_id": n, "category_id": 1, "keypoints": [n, 2, 2]}
        for n in range(len(names))
    ]
    category = {"id": 1, "name": "catheter tip", "keypoints": ["tip"]}
    document = {"images": images, "categories": [category], "annotations": annotations}
    path.write_text(json.dumps(document))
    return read_labels(path)


def placed(preview: ImportPreview) -> dict[int, int]:
    """Return the frame on which each picture's point is put."""
    return {int(c.after.x): c.frame for c in preview.edit.changes if hasattr(c, "frame")}


# runs told by the file


@pytest.mark.parametrize("name", FORMATS)
def test_labels_of_this_run_come_back_whole(run, tmp_path, name):
    path = tmp_path / f"labels{FORMATS[name].suffix}"
    made = [clicks(2, 5), clicks(7, name="wire"), replace(clicks(), name="none yet")]
    FORMATS[name].write(path, label_file(run, made))
    preview = preview_import(read_labels(path), run, [])
    asked = ("The file does not say of which run its labels are.",) if name == "csv" else ()
    assert preview.questions == asked
    assert preview.refused == ()
    labels = Labels(FRAMES)
    labels.apply(preview.edit)
    assert [(t.name, t.marked_points) for t in labels.tracks] == [
        (t.name, t.marked_points) for t in made
    ]
    again = preview_import(read_labels(path), run, labels.tracks)
    assert again.edit.changes == ()
    assert again.conflicts == 0


def test_an_import_says_run_size_frames_and_overlap(run, tmp_path):
    theirs = run_facts(a_run(tmp_path / "s.dcm", 30, sop_instance_uid="9.9"))
    preview = preview_import(LabelFile(theirs, (clicks(2, 3, 25),)), run, [])
    assert preview.file_run == "s.dcm"
    assert preview.matched_by is MatchedBy.FRAMES
    assert preview.file_sizes == {(COLUMNS, ROWS)}
    assert (preview.file_frames, preview.labelled_frames, preview.overlap) == (30, 3, 2)
    assert preview.questions == (
        "The labels were made on another run.",
        "The labels are of a run of 30 frames; this one has 20.",
    )
    assert preview.refused == ("Frames of the file that are none of this run, left out: 1.",)
    assert (preview.new_tracks, preview.points) == (("tip",), 2)


@pytest.mark.parametrize(
    ("theirs", "asked"),
    [
        ({}, ()),
        ({"path": "renamed.dcm"}, ()),
        ({"sop_instance_uid": None}, ()),
        ({"sop_instance_uid": "9.9"}, ("another run",)),
        ({"sop_instance_uid": None, "path": "s.dcm"}, ("run named s.dcm",)),
        ({"sop_instance_uid": None, "path": ""}, ("not say",)),
        ({"frames": 19}, ("19 frames; this one has 20",)),
    ],
)
def test_another_runs_labels_are_asked_about(run, theirs, asked):
    facts = replace(run_facts(run), **theirs)
    preview = preview_import(LabelFile(facts, (clicks(2),)), run, [])
    assert len(preview.questions) == len(asked)
    assert all(words in said for words, said in zip(asked, preview.questions, strict=True))
    assert preview.points == 1
    assert (preview.matched_by is MatchedBy.RUN) == (not asked)


@pytest.mark.parametrize("size", [(ROWS, COLUMNS), (COLUMNS * 2, ROWS * 2)])
def test_labels_of_another_size_are_refused(run, tmp_path, size):
    facts = replace(run_facts(run), columns=size[0], rows=size[1])
    preview = preview_import(LabelFile(facts, (clicks(2, 3),)), run, [])
    assert preview.edit.changes == ()
    assert "another size than the run's 32 x 24 pixels, left out: 2" in preview.refused[0]
    names = [f"r_frame{n:06d}.png" for n in range(3)]
    preview = preview_import(coco(tmp_path / "c.json", names, size), run, [])
    assert preview.edit.changes == ()
    assert preview.file_sizes == {size}
    assert "left out: 3" in preview.refused[0]


def test_places_far_outside_are_refused_and_near_ones_kept(run):
    places = [(0.0, 0.0), (31.0, 23.0), (-2.0, 9.0), (33.0, 25.0), (9.0, 27.0), (9.0, -4.0)]
    places += [(36.0, 9.0), (1e308, 9.0), (-1e308, -1e308)]
    points = [TrackPoint(f, x, y) for f, (x, y) in enumerate(places)]
    points.append(TrackPoint(12, None, None, PointState.ABSENT))
    track = make_track("tip", "other", points, 0)
    preview = preview_import(LabelFile(run_facts(run), (track,)), run, [])
    assert [c.frame for c in preview.edit.changes if hasattr(c, "frame")] == [0, 1, 2, 3, 12]
    assert preview.refused == ("Points far outside the picture, left out: 5.",)


def test_what_is_refused_makes_no_track(run):
    track = make_track("tip", "other", [TrackPoint(3, 1e6, 1e6)], 0)
    preview = preview_import(LabelFile(run_facts(run), (track,)), run, [])
    assert preview.edit.changes == ()
    assert preview.new_tracks == ()


# pictures of another program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of pictures with unpadded numbers and gaps."""
    folder = tmp_path / "P1_C1"
    folder.mkdir()
    for number in (8, 9, 10, 12, 100):
        cv2.imwrite(str(folder / f"cine{number}.png"), np.full((ROWS, COLUMNS), number, np.uint8))
    return folder


@pytest.fixture
def pictures(folder: Path):
    run = open_run(folder)
    yield run
    run.frames.close()


@pytest.mark.parametrize(
    "form", ["cine{}.png", "P1_C1/cine{}.png", "set/P1_C1/CINE{}.PNG", "cine{}.jpg"]
)
def test_pictures_are_matched_by_name(pictures, tmp_path, form):
    names = [form.format(number) for number in (100, 9, 12, 8)]
    preview = preview_import(coco(tmp_path / "c.json", names), pictures, [])
    assert preview.matched_by is MatchedBy.NAMES
    assert preview.questions == ()
    assert placed(preview) == {0: 4, 1: 1, 2: 3, 3: 0}


def test_pictures_that_the_run_has_not_are_refused(pictures, tmp_path):
    names = ["cine9.png", "cine11.png", "cine101.png"]
    preview = preview_import(coco(tmp_path / "c.json", names), pictures, [])
    assert placed(preview) == {0: 1}
    assert (preview.labelled_frames, preview.overlap) == (3, 1)
    assert "left out: 2" in preview.refused[0]


def test_pictures_of_another_name_are_matched_by_the_numbers_of_the_runs_own(pictures, tmp_path):
    names = [f"P1_C1_{number:05d}.jpg" for number in (100, 9, 12)]
    preview = preview_import(coco(tmp_path / "c.json", names), pictures, [])
    assert preview.matched_by is MatchedBy.NUMBERS
    assert preview.questions == ()
    assert placed(preview) == {0: 4, 1: 1, 2: 3}
    names = [f"P1_C1_{number:05d}.jpg" for number in (7, 8)]
    preview = preview_import(coco(tmp_path / "c.json", names), pictures, [])
    assert "numbers that no picture of the run has" in preview.questions[0]
    assert placed(preview) == {1: 0}


def test_of_several_runs_in_one_file_the_one_of_this_name_is_taken(pictures, tmp_path):
    names = [f"{run}/cine{n}.png" for run in ("P1_C2", "P1_C1", "P10_C1") for n in (9, 10, 100)]
    preview = preview_import(coco(tmp_path / "c.json", names), pictures, [])
    assert placed(preview) == {3: 1, 4: 2, 5: 4}
    assert preview.questions == ()
    assert preview.parts == ("P10_C1/cine#.png", "P1_C1/cine#.png", "P1_C2/cine#.png")


def test_of_two_runs_in_one_file_the_one_of_this_name_is_taken(pictures, tmp_path):
    names = [f"{run}/cine{n}.png" for run in ("P1_C2", "P1_C1") for n in (9, 10)]
    preview = preview_import(coco(tmp_path / "c.json", names), pictures, [])
    assert placed(preview) == {2: 1, 3: 2}


def test_of_several_runs_none_is_taken_by_itself_where_no_name_tells(pictures, tmp_path):
    names = [f"{run}/cine{n}.png" for run in ("a", "b") for n in (9, 100)]
    file = coco(tmp_path / "c.json", names)
    preview = preview_import(file, pictures, [])
    assert preview.edit.changes == ()
    assert "several runs" in preview.questions[0]
    assert preview.parts == ("a/cine#.png", "b/cine#.png")
    preview = preview_import(file, pictures, [], ImportChoices(part="b/cine#.png"))
    assert placed(preview) == {2: 1, 3: 4}
    assert preview.questions == ()
    assert preview.file_run == "b/cine#.png"


def test_names_that_any_run_may_have_are_asked_about(folder, tmp_path):
    for path in folder.iterdir():
        path.rename(path.with_name(path.name.replace("cine", "frame_")))
    run = open_run(folder)
    for names in (["frame_9.png"], ["images/frame_9.png"], ["P1_C2/frame_9.png"]):
        preview = preview_import(coco(tmp_path / "c.json", names), run, [])
        assert placed(preview) == {0: 1}
        assert "Pictures of any run" in preview.questions[0]
    preview = preview_import(coco(tmp_path / "c.json", ["x/P1_C1/frame_9.png"]), run, [])
    assert preview.questions == ()
    run.frames.close()


@pytest.mark.parametrize(
    ("form", "numbers", "first"),
    [
        ("r_{}.png", (10, 0, 9, 2), 0),
        ("r/{}.png", (10, 0, 9, 2), 0),
        ("r.dcm/frame_{:04d}.png", (19, 3, 0), 0),
        ("R-{}.jpg", (20, 10, 9, 2), 1),
        ("r_frame{:06d}.png", (12, 3), 0),
        ("r_{}_640x512.png", (0, 12, 3), 0),
        ("r/{}_512.png", (0, 12, 3), 0),
        ("r_{}.png", range(101, 101 + FRAMES), 101),
    ],
)
def test_pictures_of_a_run_in_one_file_are_matched_by_number(run, tmp_path, form, numbers, first):
    names = [form.format(number) for number in numbers]
    preview = preview_import(coco(tmp_path / "c.json", names), run, [])
    assert placed(preview) == {n: number - first for n, number in enumerate(numbers)}
    assert preview.questions == preview.parts == ()
    assert preview.first_number is None


def test_where_counting_may_begin_at_0_or_1_it_is_asked(run, tmp_path):
    file = coco(tmp_path / "c.json", ["r_2.png", "r_10.png"])
    preview = preview_import(file, run, [])
    assert "0 or 1" in preview.questions[0]
    assert preview.first_number == 0
    assert placed(preview) == {0: 2, 1: 10}
    preview = preview_import(file, run, [], ImportChoices(first_number=1))
    assert preview.questions == ()
    assert preview.first_number == 1
    assert placed(preview) == {0: 1, 1: 9}


def test_unnamed_runs_are_asked_about(run, tmp_path):
    preview = preview_import(coco(tmp_path / "c.json", ["s_0.png", "s_1.png"]), run, [])
    assert preview.questions == (
        "The names in the file do not tell of which run they are: s_#.png.",
    )
    assert placed(preview) == {0: 0, 1: 1}


def test_runs_side_by_side_in_one_folder_are_told_apart(run, tmp_path):
    names = [f"{name}_{n}.png" for name in ("q", "r", "rr") for n in (0, 10, 9)]
    preview = preview_import(coco(tmp_path / "c.json", names), run, [])
    assert placed(preview) == {3: 0, 4: 10, 5: 9}
    assert preview.parts == ("q_#.png", "r_#.png", "rr_#.png")


def test_one_picture_of_each_of_several_runs_is_told_apart(tmp_path):
    run = a_run(tmp_path / "P1_C2.dcm")
    names = [f"P1_C{n}_5.png" for n in (1, 2, 3)]
    preview = preview_import(coco(tmp_path / "c.json", names), run, [])
    assert placed(preview) == {1: 5}
    assert preview.parts == ("P1_C1_#.png", "P1_C2_#.png", "P1_C3_#.png")
    assert ["0 or 1" in question for question in preview.questions] == [True]


def test_pictures_without_numbers_are_never_matched_by_rank(run, tmp_path):
    preview = preview_import(coco(tmp_path / "c.json", ["b.png", "a.png"]), run, [])
    assert preview.matched_by is MatchedBy.NOTHING
    assert preview.edit.changes == ()
    assert "none of this run, left out: 2" in preview.refused[0]


def test_two_pictures_of_one_frame_are_refused(run, tmp_path):
    names = ["r_0.png", "r_3.png", "r_03.png"]
    preview = preview_import(coco(tmp_path / "c.json", names), run, [])
    assert placed(preview) == {0: 0}
    assert "same frame of the run, left out: 2" in preview.refused[0]


def test_our_own_coco_finds_its_pictures_after_one_was_added(folder, pictures, tmp_path):
    path = tmp_path / "c.json"
    track = clicks(0, 2, 4)
    FORMATS["coco"].write(path, label_file(pictures, [track]))
    cv2.imwrite(str(folder / "cine11.png"), np.zeros((ROWS, COLUMNS), np.uint8))
    cv2.imwrite(str(folder / "cine1.png"), np.zeros((ROWS, COLUMNS), np.uint8))
    run = open_run(folder)
    preview = preview_import(read_labels(path), run, [])
    assert [c.frame for c in preview.edit.changes if hasattr(c, "frame")] == [1, 3, 6]
    assert preview.questions == ("The labels are of a run of 5 frames; this one has 7.",)
    run.frames.close()


def test_doubts_of_the_file_itself_are_asked(run):
    file = LabelFile(run_facts(run), (clicks(1),), questions=("Which is which?",))
    assert preview_import(file, run, []).questions == ("Which is which?",)


@settings(max_examples=200, deadline=None)
@given(
    names=st.lists(
        st.one_of(
            st.text(st.sampled_from("r01/#._é9"), max_size=10),
            st.integers(0, 30).map("r_{}.png".format),
            st.text(max_size=6),
        ),
        max_size=6,
    ),
    first=st.one_of(st.none(), st.integers(-3, 3)),
)
def test_whatever_pictures_are_called_points_land_in_the_run_or_nowhere(names, first):
    run = a_run(Path("r.dcm"))
    points = [TrackPoint(n, float(n), 1.0) for n in range(len(names))]
    file = LabelFile(
        None,
        (make_track("tip", "other", points, 0),),
        {n: NamedPicture(name, COLUMNS, ROWS) for n, name in enumerate(names)},
    )
    seen = preview_import(file, run, [], ImportChoices(first_number=first))
    for part in ("", *seen.parts):
        preview = preview_import(file, run, [], ImportChoices(part=part, first_number=first))
        frames = list(placed(preview).values())
        assert len(set(frames)) == len(frames) == preview.points
        assert all(0 <= frame < FRAMES for frame in frames)


# what is there already


@pytest.fixture
def mine() -> Labels:
    """A track "left" clicked on frames 1 and 2, emptied on 4."""
    mine = Labels(10)
    mine.apply(add_track(new_track((), "left")))
    for frame in (1, 2, 4):
        mine.apply(place_point(mine.tracks[0], frame, frame, 0))
    mine.apply(delete_points(mine.tracks[0], 4))
    return mine


@pytest.fixture
def theirs(run) -> LabelFile:
    """The same name on frames 2 (elsewhere), 3, 4 and 12, and a track "right"."""
    facts = replace(run_facts(run), frames=10)
    return LabelFile(facts, (clicks(2, 3, 4, 12, name="left"), clicks(0, name="right")))


@pytest.fixture
def ten(tmp_path: Path) -> Run:
    return a_run(tmp_path / "r.dcm", 10)


def test_an_import_is_looked_at_and_then_applied_and_undone(mine, theirs, ten):
    before = mine.tracks
    preview = preview_import(theirs, ten, mine.tracks)
    assert mine.tracks == before
    assert (preview.new_tracks, preview.merged_tracks) == (("right",), ("left",))
    assert (preview.points, preview.conflicts) == (2, 2)
    assert preview.matched_by is MatchedBy.RUN
    mine.apply(preview.edit)
    left, right = mine.tracks
    assert [(p.frame, p.x) for p in left.marked_points] == [(1, 1.0), (2, 2.0), (3, 9.0)]
    assert left.points[4].emptied
    assert right.points[0].x == 9.0
    mine.undo()
    assert mine.tracks == before


def test_an_import_may_take_the_files_points(mine, theirs, ten):
    mine.apply(preview_import(theirs, ten, mine.tracks, REPLACE).edit)
    assert [(p.frame, p.x) for p in mine.tracks[0].marked_points] == [
        *((1, 1.0), (2, 9.0), (3, 9.0), (4, 9.0))
    ]


def test_an_import_may_add_new_tracks(mine, theirs, ten):
    choices = ImportChoices(OnConflict.NEW_TRACKS)
    mine.apply(preview_import(theirs, ten, mine.tracks, choices).edit)
    assert [t.name for t in mine.tracks] == ["left", "left 2", "right"]
    assert len({t.color for t in mine.tracks}) == 3
    assert mine.tracks[0].points[2].x == 2.0
    assert mine.tracks[1].points[2].x == 9.0


def test_tracks_of_one_name_meet_in_their_order(ten):
    mine = [clicks(1, x=1.0), clicks(1, x=2.0)]
    file = LabelFile(run_facts(ten), (clicks(5, x=1.0), clicks(5, x=2.0), clicks(5, x=3.0)))
    labels = Labels(10, mine)
    preview = preview_import(file, ten, mine)
    labels.apply(preview.edit)
    found = [[p.x for p in track.marked_points] for track in labels.tracks]
    assert sorted(found) == [[1.0, 1.0], [2.0, 2.0], [3.0]]
    assert preview.new_tracks == ("tip 2",)


def test_the_weights_come_with_the_tracked_points(ten):
    tracked = TrackPoint(3, 1.0, 1.0, source=PointSource.TRACKED, confidence=0.9)
    with_weights = make_track("tip", "catheter tip", [tracked], 0, "FIMAE 2")
    file = LabelFile(run_facts(ten), (with_weights,))
    for mine, expected in (
        ([], "FIMAE 2"),
        ([clicks(1)], "FIMAE 2"),
        ([replace(clicks(1), weights="FIMAE 1")], "FIMAE 1"),
        ([clicks(3)], ""),
    ):
        labels = Labels(10, mine)
        labels.apply(preview_import(file, ten, mine).edit)
        assert labels.tracks[0].weights == expected


def test_the_attackers_labels_go_into_a_run(shared_data, tmp_path):
    path = shared_data / "field_cases" / "attacks" / "surrogate_name.json"
    run = a_run(tmp_path / "r.dcm", rows=512, columns=512)
    labels = Labels(FRAMES)
    labels.apply(preview_import(read_labels(path), run, []).edit)
    assert [(t.name, len(t.marked_points)) for t in labels.tracks] == [("tip", 1)]


@pytest.mark.parametrize(
    ("x", "y", "outside"),
    [
        (-6.0, 0.0, False),
        (-6.1, 0.0, True),
        (65.0, 0.0, False),
        (65.1, 0.0, True),
        (0.0, -6.0, False),
        (0.0, -6.1, True),
        (0.0, 45.0, False),
        (0.0, 45.1, True),
    ],
)
def test_a_place_is_far_outside_from_a_tenth_of_the_longer_side_on(x, y, outside):
    run = Run(Path("run"), None, 1, 40, 60, np.zeros(1))
    assert _far_outside(TrackPoint(0, x, y), run) is outside
