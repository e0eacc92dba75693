"""COCO keypoints: an image a frame, a category a kind, an annotation for each point.

Visibility is 2 for visible, 1 for occluded, 0 for absent (with x = y = 0, as COCO has it).
``info`` and ``attributes`` carry what COCO has no place for, so that our own files come back
whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from gettext import gettext as tr
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from app.runs.files import shown_name
from app.tracks.formats.label_file import (
    WRONG_VALUES,
    FormatError,
    LabelFile,
    NamedPicture,
    RunFacts,
    json_document,
    make_point,
    make_run,
    make_track,
    read_json,
    whole,
    write_whole,
)
from app.tracks.track import PointState, Track, TrackKind, TrackPoint

VISIBILITY = {PointState.VISIBLE: 2, PointState.OCCLUDED: 1, PointState.ABSENT: 0}
STATES = {visibility: state for state, visibility in VISIBILITY.items()}
OURS = "fluorotrace"
"""Under this name ``info`` holds the run and all tracks, also those without a point."""
BOX_PX = 32.0  # a point has no extent; COCO's scores need one


def write(path: Path, labels: LabelFile) -> None:
    """Write all frames as images, also those without a point.

    They are named as the pictures of the run, or as `frame_name` has it where the run is one file.

    Raises
    ------
    FormatError
        If the run is not known: COCO needs the size of its images.
    """
    run = labels.run
    if run is None:
        raise FormatError(tr("COCO needs the run that the labels belong to; open it first."))
    kinds = {kind: number for number, kind in enumerate(TrackKind, start=1)}
    annotations: list[dict[str, Any]] = []
    for track_id, track in enumerate(labels.tracks, start=1):
        for point in track.marked_points:
            annotations.append(_annotation(point, len(annotations) + 1, kinds[track.kind]))
            annotations[-1]["attributes"] |= {"track": track.name, "track_id": track_id}
    ours = {
        "run": asdict(run),
        "tracks": [
            {"name": track.name, "kind": track.kind, "weights": track.weights}
            for track in labels.tracks
        ],
    }
    document = {
        "info": {"description": "Fluorotrace labels", "version": "2", OURS: ours},
        "licenses": [],
        "images": [_image(run, frame, labels.pictures) for frame in range(run.frames)],
        "annotations": annotations,
        "categories": [
            {
                "id": number,
                "name": kind,
                "supercategory": "device",
                "keypoints": [kind],
                "skeleton": [],
            }
            for kind, number in kinds.items()
        ],
    }
    write_whole(path, json_document(document))


def read(path: Path) -> LabelFile:
    """Read keypoints, also those of other programs.

    There, each keypoint of a category is a track (several where an image shows several),
    visibility 0 means not labelled, and which frames the images are is for the importer to find.

    Raises
    ------
    FormatError
        If the file is not COCO keypoints.
    """
    return parse(read_json(path), shown_name(path))


def parse(document: Any, name: str) -> LabelFile:
    """Read what the JSON file ``name`` holds, see `read`."""
    try:
        run, infos = _ours(document)
        images = {image["id"]: image for image in document["images"]}
        if len(images) != len(document["images"]):
            raise ValueError("two images of one id")
        frames = _own_frames(run, images)
        if frames is None:
            run, infos = None, ()
            frames = {image_id: place for place, image_id in enumerate(images)}
        pictures = {frames[image_id]: _picture(image) for image_id, image in images.items()}
        tracks, questions = _tracks(document, frames, infos)
    except WRONG_VALUES as error:
        raise FormatError(tr("{name} is not a COCO keypoints file.").format(name=name)) from error
    return LabelFile(run, tracks, MappingProxyType(pictures), questions)


def frame_name(run_name: str, frame: int) -> str:
    """Return what the picture of a frame is called where the run is one file.

    >>> frame_name("0002.DCM", 12)
    '0002_frame000012.png'
    """
    return f"{PurePosixPath(run_name).stem}_frame{frame:06d}.png"


def _image(run: RunFacts, frame: int, pictures: Mapping[int, NamedPicture]) -> dict[str, Any]:
    picture = pictures.get(frame)
    return {
        "id": frame + 1,
        "file_name": frame_name(run.path, frame) if picture is None else picture.name,
        "width": run.columns,
        "height": run.rows,
        "frame": frame,
    }


def _annotation(point: TrackPoint, number: int, category: int) -> dict[str, Any]:
    assert point.state is not None  # emptied frames are not written
    there = point.x is not None and point.y is not None
    x, y = (point.x or 0.0, point.y or 0.0) if there else (0.0, 0.0)
    half = BOX_PX / 2
    return {
        "id": number,
        "image_id": point.frame + 1,
        "category_id": category,
        "keypoints": [x, y, VISIBILITY[point.state]],
        "num_keypoints": int(there),
        "bbox": [x - half, y - half, BOX_PX, BOX_PX] if there else [0.0, 0.0, 0.0, 0.0],
        "area": BOX_PX**2 if there else 0.0,
        "iscrowd": 0,
        "attributes": {
            "source": point.source,
            "confidence": point.confidence,
            "confirmed": point.confirmed,
        },
    }


def _ours(document: Mapping[str, Any]) -> tuple[RunFacts | None, tuple[Mapping[str, Any], ...]]:
    """Return the run and the tracks that a file of ours tells; nothing of other files."""
    info = document.get("info")
    ours = info.get(OURS) if isinstance(info, Mapping) else None
    return (None, ()) if ours is None else (make_run(ours["run"]), tuple(ours["tracks"]))


def _own_frames(
    run: RunFacts | None, images: Mapping[object, Mapping[str, Any]]
) -> dict[object, int] | None:
    """Return the frame of each image in a file of ours.

    None for other files, also for one of ours to which another program added images.
    """
    if run is None or not all("frame" in image for image in images.values()):
        return None
    frames = {image_id: whole(image["frame"]) for image_id, image in images.items()}
    of_run = {image.get("width") for image in images.values()} <= {run.columns}
    of_run &= {image.get("height") for image in images.values()} <= {run.rows}
    return frames if of_run and len(set(frames.values())) == len(frames) else None


def _picture(image: Mapping[str, Any]) -> NamedPicture:
    name = str(image["file_name"]).replace("\\", "/").encode("utf-8", "replace").decode()
    columns, rows = image.get("width"), image.get("height")
    if not columns or not rows:
        return NamedPicture(name)
    return NamedPicture(name, whole(columns), whole(rows))


def _tracks(
    document: Mapping[str, Any],
    frames: Mapping[object, int],
    infos: tuple[Mapping[str, Any], ...],
) -> tuple[tuple[Track, ...], tuple[str, ...]]:
    categories = {category["id"]: category for category in document["categories"]}
    points: dict[tuple[str, str, object], list[TrackPoint]] = {
        (str(info["name"]), str(info["kind"]), (track_id, 0)): []
        for track_id, info in enumerate(infos, start=1)
    }
    seen: Counter[tuple[int, object]] = Counter()
    guessed = found = False
    for annotation in document["annotations"]:
        category, frame = categories[annotation["category_id"]], frames[annotation["image_id"]]
        if "keypoints" not in annotation:
            continue
        found = True
        attributes = annotation.get("attributes") or {}
        own = "track" in attributes and "source" in attributes
        ordinal = attributes.get("track_id")
        if ordinal is None:
            seen[frame, category["id"]] += 1
            ordinal = seen[frame, category["id"]]
            guessed |= ordinal > 1
        flat = annotation["keypoints"]
        for place, keypoint in enumerate(category["keypoints"]):
            x, y, visibility = flat[3 * place : 3 * place + 3]
            if visibility == 0 and not own:
                continue
            of_point = attributes if own else {}
            values = {**of_point, "frame": frame, "x": x, "y": y, "state": STATES[visibility]}
            key = (
                str(attributes["track"] if own else keypoint),
                str(category["name"]),
                (ordinal, place),
            )
            points.setdefault(key, []).append(make_point(values))
    if document["annotations"] and not found:
        raise ValueError("no keypoints")
    weights = [str(info.get("weights", "")) for info in infos]
    tracks = tuple(
        make_track(name, kind, of_track, order, weights[order] if order < len(weights) else "")
        for order, ((name, kind, _), of_track) in enumerate(points.items())
    )
    doubt = tr("Some pictures show several points of a kind: which is which follows their order.")
    return tracks, (doubt,) if guessed else ()
