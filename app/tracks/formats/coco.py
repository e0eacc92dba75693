"""COCO keypoints: an image a frame, a category a kind, an annotation for each point.

Visibility is 2 for visible, 1 for occluded, 0 for absent (with x = y = 0, as COCO has it).
``attributes`` carries what COCO has no place for, so that our own files come back whole.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from app.tracks.formats.label_file import (
    FormatError,
    LabelFile,
    RunFacts,
    make_point,
    make_track,
    points_in_order,
    read_text,
    write_whole,
)
from app.tracks.track import PointState, TrackKind, TrackPoint

VISIBILITY = {PointState.VISIBLE: 2, PointState.OCCLUDED: 1, PointState.ABSENT: 0}
STATES = {visibility: state.value for state, visibility in VISIBILITY.items()}
PICTURES = "pictures"
"""Stands for the name of a folder, which may be the patient's."""
BOX_PX = 32.0  # a point has no extent; COCO's scores need one


def write(path: Path, labels: LabelFile) -> None:
    """Write all frames as images, also those without a point.

    Raises
    ------
    FormatError
        If the run is not known: COCO needs the size of its images.
    """
    run = labels.run
    if run is None:
        raise FormatError("COCO needs the run that the labels belong to; open it first.")
    kinds = {kind: number for number, kind in enumerate(TrackKind, start=1)}
    annotations: list[dict[str, Any]] = []
    for number, track in enumerate(labels.tracks, start=1):
        for point in points_in_order(track):
            annotations.append(_annotation(point, len(annotations) + 1, kinds[track.kind]))
            annotations[-1]["attributes"] |= {"track": track.name, "track_id": number}
    document = {
        "info": {"description": f"Fluorotrace labels of {run.path or PICTURES}", "version": "1"},
        "licenses": [],
        "images": [_image(run, frame) for frame in range(run.frames)],
        "annotations": annotations,
        "categories": [
            {
                "id": number,
                "name": kind.value,
                "supercategory": "device",
                "keypoints": [kind.value],
                "skeleton": [],
            }
            for kind, number in kinds.items()
        ],
    }
    write_whole(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def read(path: Path) -> LabelFile:
    """Read keypoints, also those of other programs.

    There, frames are the images in the order of their names, each keypoint of a category is a
    track (several where an image shows several), and visibility 0 means not labelled.

    Raises
    ------
    FormatError
        If the file is not COCO keypoints.
    """
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise FormatError(f"{path.name} is not a JSON file.") from error
    try:
        frames = _frames(document["images"])
        categories = {c["id"]: c for c in document["categories"]}
        points: dict[tuple[str, str, object], list[TrackPoint]] = {}
        seen: Counter[tuple[int, object]] = Counter()
        for annotation in document["annotations"]:
            category, frame = categories[annotation["category_id"]], frames[annotation["image_id"]]
            attributes = annotation.get("attributes") or {}
            seen[frame, category["id"]] += 1
            ordinal = attributes.get("track_id", seen[frame, category["id"]])
            flat = annotation["keypoints"]
            for place, keypoint in enumerate(category["keypoints"]):
                x, y, visibility = flat[3 * place : 3 * place + 3]
                if visibility == 0 and "track_id" not in attributes:
                    continue
                name = str(attributes.get("track") or keypoint)
                values = {**attributes, "frame": frame, "x": x, "y": y, "state": STATES[visibility]}
                key = (name, str(category["name"]), (ordinal, place))
                points.setdefault(key, []).append(make_point(values))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{path.name} is not a COCO keypoints file.") from error
    tracks = tuple(
        make_track(name, kind, found, order)
        for order, ((name, kind, _), found) in enumerate(points.items())
    )
    return LabelFile(None, tracks)


def _image(run: RunFacts, frame: int) -> dict[str, Any]:
    return {
        "id": frame + 1,
        "file_name": f"{run.path or PICTURES}/{frame:06d}.png",
        "width": run.columns,
        "height": run.rows,
        "frame": frame,
    }


def _annotation(point: TrackPoint, number: int, category: int) -> dict[str, Any]:
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
        "attributes": {"source": point.source.value, "confidence": point.confidence},
    }


def _frames(images: list[dict[str, Any]]) -> dict[int, int]:
    """Return the frame of each image id."""
    ordered = sorted(images, key=lambda image: str(image["file_name"]))
    return {image["id"]: int(image.get("frame", n)) for n, image in enumerate(ordered)}
