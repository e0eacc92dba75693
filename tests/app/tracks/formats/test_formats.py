from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from app.runs.run import Patient, Run, Spacing, SpacingSource
from app.tracks.edits import add_track, new_track, place_point
from app.tracks.formats import FORMATS, FormatError, LabelFile, read_labels, run_facts
from app.tracks.importing import OnConflict, import_tracks
from app.tracks.labels import Labels
from app.tracks.track import PointSource, PointState, Track, TrackKind, TrackPoint
from resources import resource_path

FRAMES = 30


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(
        path=tmp_path / "DOE^JANE" / "run 1.dcm",
        frames=None,
        frame_count=FRAMES,
        rows=512,
        columns=640,
        frame_times_ms=np.arange(FRAMES) * 100 / 3,
        spacing=Spacing(0.2, 0.21, SpacingSource.MAGNIFICATION),
        patient=Patient("DOE^JANE", "4711", "19500102", "F"),
        sop_instance_uid="1.2.840.1",
    )


@pytest.fixture
def labels(run: Run) -> LabelFile:
    rng = random.Random(3)
    tracks: list[Track] = []
    for kind in TrackKind:
        points = {}
        for frame in sorted(rng.sample(range(FRAMES), 20)):
            state = rng.choice(list(PointState))
            source = rng.choice(list(PointSource))
            away = state is PointState.ABSENT
            points[frame] = TrackPoint(
                frame,
                None if away else rng.uniform(0, 639),
                None if away else rng.uniform(0, 511),
                state,
                source,
                rng.random() if source is PointSource.TRACKED else None,
            )
        tracks.append(replace(new_track(tracks, f'tip, "{kind}"', kind), points=points))
    return LabelFile(run_facts(run), tuple(tracks))


def content(tracks) -> list:
    return [(t.name, t.kind, t.order, t.color, dict(t.points)) for t in tracks]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_back_what_it_got(labels, tmp_path, name):
    path = tmp_path / f"labels{FORMATS[name].suffix}"
    FORMATS[name].write(path, labels)
    assert content(FORMATS[name].read(path).tracks) == content(labels.tracks)
    assert content(read_labels(path).tracks) == content(labels.tracks)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_names_the_patient(labels, run, tmp_path, name):
    path = tmp_path / "labels"
    FORMATS[name].write(path, labels)
    text = path.read_text().lower()
    assert not any(word in text for word in ("doe", "jane", "4711", "1950"))


def test_json_is_what_the_schema_says(labels, tmp_path):
    path = tmp_path / "labels.json"
    FORMATS["json"].write(path, labels)
    document = json.loads(path.read_text())
    schema = json.loads(resource_path("schemas", "fluorotrace-tracks-1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert document["run"]["path"] == "run 1.dcm"
    assert document["run"]["spacing_mm"] == [0.2, 0.21]
    assert FORMATS["json"].read(path).run == labels.run
    for wrong in (
        {"state": "floating"},
        {"x": None},
        {"confidence": 1.5},
        {"frame": -1},
        {"state": "absent"},
    ):
        spoiled = json.loads(path.read_text())
        point = next(p for p in spoiled["tracks"][0]["points"] if p["state"] == "visible")
        point.update(wrong)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, schema)


def test_coco_loads_in_pycocotools(labels, tmp_path):
    from pycocotools.coco import COCO

    path = tmp_path / "coco.json"
    FORMATS["coco"].write(path, labels)
    coco = COCO(str(path))
    assert len(coco.getImgIds()) == FRAMES
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == [k.value for k in TrackKind]
    for number, track in enumerate(labels.tracks, start=1):
        found = coco.loadAnns(coco.getAnnIds(catIds=[number]))
        assert len(found) == len(track.points)
        for annotation in found:
            frame = coco.loadImgs(annotation["image_id"])[0]["frame"]
            point = track.points[frame]
            x, y, visibility = annotation["keypoints"]
            assert visibility == {"visible": 2, "occluded": 1, "absent": 0}[point.state]
            assert (x, y) == ((point.x, point.y) if visibility else (0, 0))
            assert annotation["num_keypoints"] == (visibility > 0)


def test_coco_of_another_program(tmp_path):
    path = tmp_path / "other.json"
    path.write_text(
        json.dumps(
            {
                "images": [
                    {"id": 7, "file_name": "b.png", "width": 9, "height": 9},
                    {"id": 3, "file_name": "a.png", "width": 9, "height": 9},
                ],
                "categories": [{"id": 5, "name": "wire", "keypoints": ["tip", "tail"]}],
                "annotations": [
                    {"id": 1, "image_id": 7, "category_id": 5, "keypoints": [1, 2, 2, 3, 4, 1]},
                    {"id": 2, "image_id": 3, "category_id": 5, "keypoints": [5, 6, 2, 0, 0, 0]},
                ],
            }
        )
    )
    tip, tail = read_labels(path).tracks
    assert (tip.name, tail.name, tip.kind) == ("tip", "tail", TrackKind.OTHER)
    assert [(p.frame, p.x, p.y) for p in tip.points.values()] == [(0, 5, 6), (1, 1, 2)]
    assert tail.points == {1: TrackPoint(1, 3, 4, PointState.OCCLUDED, PointSource.IMPORTED)}


def test_a_table_with_the_least_columns(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("\ufeffframe;track;x;y\n4;left;1.5;2\n2;left;1;2\n")
    (track,) = read_labels(path).tracks
    assert track.kind is TrackKind.OTHER
    assert track.points[4] == TrackPoint(4, 1.5, 2.0, source=PointSource.IMPORTED)
    assert list(track.points) == [2, 4]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "frame,x,y\n1,2,3\n"),
        ("a.csv", "track,frame,x,y\nleft,one,2,3\n"),
        ("a.csv", "track,frame,x,y\nleft,inf,2,3\n"),
        ("a.csv", "track,frame,x,y\nleft,1,,\n"),
        ("a.csv", "track,frame,x,y\nleft,1,nan,2\n"),
        ("a.csv", "track,frame,x,y\nleft,-1,1,2\n"),
        ("a.csv", "track,frame,x,y\nleft,1,1,2\nleft,1,3,2\n"),
        ("a.csv", "track,frame,x,y,state\nleft,1,1,2,floating\n"),
        ("a.csv", "track,frame,x,y\nleft,1\n"),
        ("a.csv", ""),
        ("a.json", ""),
        ("a.json", "[1, 2]"),
        ("a.json", "{}"),
        ("a.json", '{"format": "fluorotrace-tracks", "version": 2}'),
        ("a.json", '{"format": "fluorotrace-tracks", "version": 1, "tracks": 5}'),
        ("a.json", '{"format": "fluorotrace-tracks", "version": 1, "tracks": [{"name": "a"}]}'),
        ("a.json", '{"images": [], "categories": [], "annotations": [{"image_id": 1}]}'),
        ("a.json", '{"images": 3, "categories": [], "annotations": []}'),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(FormatError) as caught:
        read_labels(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_bytes_are_no_labels(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xff\xd8\xff\xe0 JFIF")
    with pytest.raises(FormatError, match="not a text file"):
        read_labels(path)


def test_a_failed_export_leaves_the_old_file(labels, tmp_path):
    path = tmp_path / "labels.json"
    path.write_text("old")
    broken = replace(labels.tracks[0], points={0: TrackPoint(0, float("nan"), 1.0)})
    with pytest.raises(ValueError, match="JSON"):
        FORMATS["json"].write(path, LabelFile(labels.run, (broken,)))
    assert path.read_text() == "old"
    with pytest.raises(FormatError, match="COCO needs the run"):
        FORMATS["coco"].write(path, LabelFile(None, labels.tracks))


@pytest.fixture
def mine() -> Labels:
    """A track "left" clicked on frames 1 and 2."""
    mine = Labels(10)
    mine.apply(add_track(new_track((), "left")))
    for frame in (1, 2):
        mine.apply(place_point(mine.tracks[0], frame, frame, 0))
    return mine


@pytest.fixture
def theirs() -> LabelFile:
    """The same name on frames 2 (elsewhere), 3 and 12, and a track "right"."""
    left = replace(new_track((), "left"), points={f: TrackPoint(f, 9.0, 9.0) for f in (2, 3, 12)})
    right = replace(new_track((), "right"), points={0: TrackPoint(0, 5.0, 5.0)})
    return LabelFile(None, (left, right))


def test_an_import_is_looked_at_and_then_applied_and_undone(mine, theirs):
    before = mine.tracks
    preview = import_tracks(mine.tracks, theirs, 10)
    assert mine.tracks == before
    assert (preview.new_tracks, preview.merged_tracks) == (("right",), ("left",))
    assert (preview.points, preview.conflicts, preview.beyond_run) == (2, 1, 1)
    assert "after the last frame" in preview.notes[0]
    mine.apply(preview.edit)
    left, right = mine.tracks
    assert [(f, p.x) for f, p in sorted(left.points.items())] == [(1, 1.0), (2, 2.0), (3, 9.0)]
    assert right.points[0].x == 5.0
    mine.undo()
    assert mine.tracks == before


def test_an_import_may_take_the_files_points(mine, theirs):
    mine.apply(import_tracks(mine.tracks, theirs, 10, OnConflict.REPLACE).edit)
    assert mine.tracks[0].points[2].x == 9.0
    assert mine.tracks[0].points[1].x == 1.0


def test_an_import_may_add_new_tracks(mine, theirs):
    mine.apply(import_tracks(mine.tracks, theirs, 10, OnConflict.NEW_TRACKS).edit)
    assert [t.name for t in mine.tracks] == ["left", "left 2", "right"]
    assert len({t.color for t in mine.tracks}) == 3
    assert mine.tracks[0].points[2].x == 2.0


def test_labels_of_another_run_are_told(mine, labels):
    preview = import_tracks(mine.tracks, labels, 10, sop_instance_uid="9.9")
    assert "another run" in preview.notes[0]
    assert "30 frames" in preview.notes[1]
