from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.runs.opening import open_run
from app.tracks.formats import FormatError, NamedPicture, label_file, read_labels
from app.tracks.formats.coco import write
from app.tracks.formats.label_file import make_track
from app.tracks.track import PointSource, PointState, TrackKind, TrackPoint

from .conftest import COLUMNS, FRAMES, ROWS


def document(**parts) -> dict:
    return {
        "images": [
            {"id": 7, "file_name": "b.png", "width": 9, "height": 8},
            {"id": "3", "file_name": "dir\\a.png"},
        ],
        "categories": [{"id": 5, "name": "wire", "keypoints": ["tip", "tail"]}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 5, "keypoints": [1, 2, 2, 3, 4, 1]},
            {"id": 2, "image_id": "3", "category_id": 5, "keypoints": [5, 6, 2.0, 0, 0, 0]},
        ],
        **parts,
    }


def read(tmp_path: Path, content: dict):
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(content))
    return read_labels(path)


def test_another_programs_points_lie_on_its_pictures(tmp_path):
    file = read(tmp_path, document())
    tip, tail = file.tracks
    assert file.run is None
    assert file.pictures == {0: NamedPicture("b.png", 9, 8), 1: NamedPicture("dir/a.png")}
    assert (tip.name, tail.name, tip.kind) == ("tip", "tail", TrackKind.OTHER)
    assert [(n, p.x, p.y) for n, p in tip.points.items()] == [(0, 1, 2), (1, 5, 6)]
    occluded, imported = PointState.OCCLUDED, PointSource.IMPORTED
    assert tail.points == {0: TrackPoint(0, 3, 4, occluded, imported, confirmed=True)}
    assert file.questions == ()


def test_several_of_a_kind_on_one_picture_are_several_tracks_and_asked(tmp_path):
    twice = document()["annotations"][:1] * 2
    file = read(tmp_path, document(annotations=twice))
    assert [t.name for t in file.tracks] == ["tip", "tail", "tip", "tail"]
    assert len(file.questions) == 1
    told = [{**a, "attributes": {"track_id": 4 + n}} for n, a in enumerate(twice)]
    file = read(tmp_path, document(annotations=told))
    assert [t.name for t in file.tracks] == ["tip", "tail", "tip", "tail"]
    assert file.questions == ()


def test_another_programs_attributes_do_not_make_absent_points(tmp_path):
    none = {"id": 1, "image_id": 7, "category_id": 5, "keypoints": [0, 0, 0, 3, 4, 2]}
    none["attributes"] = {"track_id": 1, "occluded": False}
    (tail,) = read(tmp_path, document(annotations=[none])).tracks
    assert tail.name == "tail"


@pytest.mark.parametrize(
    "annotation",
    [
        {"image_id": 7, "category_id": 5, "keypoints": [1, 2]},
        {"image_id": 7, "category_id": 5, "keypoints": [1, 2, 3, 4, 5, 6]},
        {"image_id": 8, "category_id": 5, "keypoints": [1, 2, 2, 3, 4, 2]},
        {"image_id": 7, "category_id": 6, "keypoints": [1, 2, 2, 3, 4, 2]},
        {"image_id": 7, "category_id": 5, "bbox": [1, 2, 2, 3]},
        {"image_id": 7, "category_id": 5, "keypoints": [1, None, 2, 3, 4, 2]},
        {"image_id": [7], "category_id": 5, "keypoints": [1, 2, 2, 3, 4, 2]},
        {"image_id": 7, "category_id": 5, "keypoints": "visible"},
    ],
)
def test_what_is_no_keypoint_file_is_refused(tmp_path, annotation):
    with pytest.raises(FormatError):
        read(tmp_path, document(annotations=[annotation]))


def test_two_images_of_one_id_are_refused(tmp_path):
    images = document()["images"]
    with pytest.raises(FormatError):
        read(tmp_path, document(images=[*images, images[0]]))


def test_it_loads_in_pycocotools(labels, tmp_path):
    from pycocotools.coco import COCO

    path = tmp_path / "coco.json"
    write(path, labels)
    coco = COCO(str(path))
    images = coco.loadImgs(coco.getImgIds())
    assert len(images) == FRAMES
    assert {(i["width"], i["height"]) for i in images} == {(COLUMNS, ROWS)}
    assert images[12]["file_name"] == "run 1_frame000012.png"
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == [k.value for k in TrackKind]
    for category, track in zip((1, 2), labels.tracks, strict=True):
        found = coco.loadAnns(coco.getAnnIds(catIds=[category]))
        assert len(found) == len(track.marked_points)
        for annotation in found:
            frame = coco.loadImgs(annotation["image_id"])[0]["frame"]
            point = track.points[frame]
            x, y, visibility = annotation["keypoints"]
            assert visibility == {"visible": 2, "occluded": 1, "absent": 0}[point.state]
            assert (x, y) == ((point.x, point.y) if visibility else (0, 0))
            assert annotation["num_keypoints"] == (visibility > 0)
            if visibility:
                left, top, width, height = annotation["bbox"]
                assert (left + width / 2, top + height / 2) == (x, y)
                assert annotation["area"] == width * height
            else:
                assert (annotation["bbox"], annotation["area"]) == ([0, 0, 0, 0], 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures with a gap and unpadded numbers."""
    folder = tmp_path / "DOE^JANE"
    folder.mkdir()
    for number in (9, 10, 12):
        picture = np.full((24, 32), 7 * number, np.uint8)
        cv2.imwrite(str(folder / f"cine-{number}.png"), picture)
    return folder


def test_our_own_names_pictures_that_exist(folder, tmp_path):
    run = open_run(folder)
    path = tmp_path / "coco.json"
    track = make_track("tip", "catheter tip", [TrackPoint(2, 3.0, 4.0)], 0)
    write(path, label_file(run, [track]))
    run.frames.close()
    images = json.loads(path.read_text())["images"]
    assert [image["file_name"] for image in images] == ["cine-9.png", "cine-10.png", "cine-12.png"]
    assert all((folder / image["file_name"]).is_file() for image in images)
    assert {(image["width"], image["height"]) for image in images} == {(32, 24)}
    assert "DOE" not in path.read_text()


def test_our_own_file_with_anothers_images_is_no_longer_ours(labels, tmp_path):
    path = tmp_path / "coco.json"
    write(path, labels)
    merged = json.loads(path.read_text())
    merged["images"].append({"id": 99, "file_name": "other/1.png", "width": 9, "height": 9})
    file = read(tmp_path, merged)
    assert file.run is None
    assert file.pictures[FRAMES].name == "other/1.png"
    assert [len(t.marked_points) for t in file.tracks] == [6, 2]


def test_our_own_file_with_images_taken_out_keeps_its_frames(labels, tmp_path):
    path = tmp_path / "coco.json"
    few = replace(labels, tracks=labels.tracks[1:])
    write(path, few)
    cut = json.loads(path.read_text())
    cut["images"] = [image for image in cut["images"] if image["frame"] in (2, 29)][::-1]
    file = read(tmp_path, cut)
    assert file.run == labels.run
    assert file.tracks[0].marked_points == few.tracks[0].marked_points
