"""What people track a tip with today: optical flow, template matching, OpenCV's trackers.

Each takes (T, rows, columns) uint8 frames and the (x, y) tip of the first of them and returns the
(T, 2) tips of all.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Follow = Callable[[NDArray[np.uint8], tuple[float, float]], Points]

BOX = 40
"""Side of the box around the tip that boxes are followed with, in pixels at 512."""


def lucas_kanade(frames: NDArray[np.uint8], first: tuple[float, float]) -> Points:
    """Pyramidal Lucas-Kanade, window 31, 4 levels, from frame to frame."""
    points = [np.array([[first]], np.float32)]
    for before, after in pairwise(frames):
        moved, _, _ = cv2.calcOpticalFlowPyrLK(
            before, after, points[-1], np.empty(0), winSize=(31, 31), maxLevel=4
        )
        points.append(np.asarray(moved, np.float32))
    return np.array([point[0, 0] for point in points], np.float64)


def template_matching(frames: NDArray[np.uint8], first: tuple[float, float]) -> Points:
    """Normalised cross-correlation of the first frame's box with all of every frame."""
    scale = max(frames.shape[1:]) / 512
    side = round(BOX * scale)
    box = cv2.getRectSubPix(frames[0], (side, side), first)
    points = [first]
    for frame in frames[1:]:
        padded = cv2.copyMakeBorder(frame, side, side, side, side, cv2.BORDER_REPLICATE)
        match = cv2.matchTemplate(padded, box, cv2.TM_CCOEFF_NORMED)
        _, _, _, (x, y) = cv2.minMaxLoc(match)
        points.append((x + (side - 1) / 2 - side, y + (side - 1) / 2 - side))
    return np.array(points, np.float64)


def _boxes(
    tracker: cv2.Tracker,
    frames: NDArray[np.uint8],
    first: tuple[float, float],
    margin: int = 0,
) -> Points:
    side = round(BOX * max(frames.shape[1:]) / 512)
    if margin:
        edges = (margin, margin, margin, margin)
        frames = np.stack([cv2.copyMakeBorder(f, *edges, cv2.BORDER_REPLICATE) for f in frames])
    x, y = (round(place + margin - side / 2) for place in first)
    box = (x, y, side, side)
    # The box is placed on whole pixels; what that loses is added again.
    offset = np.array(first) - (np.array(box[:2]) + side / 2)
    tracker.init(cv2.cvtColor(frames[0], cv2.COLOR_GRAY2BGR), box)
    points = [np.array(first)]
    for frame in frames[1:]:
        found, (x, y, width, height) = tracker.update(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
        centre = np.array([x + width / 2, y + height / 2]) + offset
        points.append(centre if found else points[-1])
    return np.array(points, np.float64)


def multiple_instance(frames: NDArray[np.uint8], first: tuple[float, float]) -> Points:
    """Follow with OpenCV's MIL tracker, in frames with a margin: it fails at the border."""
    cv2.setRNGSeed(1)
    return _boxes(cv2.TrackerMIL.create(), frames, first, margin=2 * BOX)


def nano_tracker(folder: Path) -> Follow:
    """Return OpenCV's tracker with NanoTrack v2's weights from ``folder``."""

    def follow(frames: NDArray[np.uint8], first: tuple[float, float]) -> Points:
        options = cv2.TrackerNano.Params()
        options.backbone = str(folder / "nanotrack_backbone_sim.onnx")
        options.neckhead = str(folder / "nanotrack_head_sim.onnx")
        return _boxes(cv2.TrackerNano.create(options), frames, first)

    return follow
