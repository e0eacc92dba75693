"""Runs labelled by hand, as ``shared/data`` keeps them: frames, tips and states."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.frames import FrameSequence
from inference.tracking.training.shards import STATES, UNKNOWN


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRun:
    """A run with a tip on each labelled frame.

    Attributes
    ----------
    frames : ndarray
        (T, rows, columns), dark devices on a bright ground.
    tips : ndarray
        (T, 2) float64, picture pixels, NaN where unlabelled.
    states : ndarray
        (T,) uint8, index into ``STATES``.
    """

    name: str
    frames: NDArray[np.generic]
    tips: NDArray[np.float64]
    states: NDArray[np.uint8]


def sequence_of(frames: NDArray[np.generic]) -> FrameSequence:
    """Wrap decoded frames (T, rows, columns) for the tracker."""
    count, rows, columns = frames.shape
    return FrameSequence(lambda index: frames[index], count, rows, columns)


def read_image_folder(folder: Path) -> NDArray[np.uint8]:
    """Read the JPEG frames of a folder in the order of their names, (T, rows, columns)."""
    frames = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(folder.glob("*.jpg"))]
    return np.stack([np.asarray(frame, np.uint8) for frame in frames])


def read_dicom_frames(path: Path) -> NDArray[np.uint8]:
    """Read the frames of an 8-bit MONOCHROME2 DICOM run, (T, rows, columns)."""
    from pydicom import dcmread

    return np.asarray(dcmread(path).pixel_array, np.uint8)


def read_labelled_runs(data: Path, part: str) -> list[LabelledRun]:
    """Read the labelled runs of ``part`` ("training" or "validation") below ``data``."""
    runs = []
    for path in sorted((data / "labels" / part).glob("*.json")):
        labels = json.loads(path.read_text(encoding="utf-8"))["frames"]
        folder = data / "angiodata" / path.stem
        if folder.is_dir():
            frames = read_image_folder(folder)
        else:
            frames = read_dicom_frames(data / "rubo" / f"{path.stem[1:]}.DCM")
            frames = frames[: max(map(int, labels)) + 1]
        tips = np.full((len(frames), 2), np.nan)
        states = np.full(len(frames), UNKNOWN, np.uint8)
        for index, label in labels.items():
            tips[int(index)] = label["x"], label["y"]
            states[int(index)] = STATES.index(label["state"])
        runs.append(LabelledRun(path.stem, frames, tips, states))
    return runs
