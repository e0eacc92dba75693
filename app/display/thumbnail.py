"""The small picture of a run in a list."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.display.pipeline import DisplayPipeline
from app.runs.opening import open_run


def thumbnail(path: Path, size: int = 96) -> NDArray[np.uint8]:
    """Return the middle frame as it is displayed, its longer side ``size`` pixels.

    Raises
    ------
    RunError
        If the run cannot be opened.
    """
    run = open_run(path)
    try:
        pipeline = DisplayPipeline(run)
        index = run.representative_frame
        frame = run.frame_count // 2 if index is None else index
        picture = pipeline.render(
            run.frames.read(frame), pipeline.default_settings(), frame_index=frame
        )
    finally:
        run.frames.close()
    height, width = picture.shape[0] * run.pixel_aspect_ratio, picture.shape[1]
    scale = size / max(height, width)
    target = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(picture, target, interpolation=cv2.INTER_AREA), np.uint8)
