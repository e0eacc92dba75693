"""How a picture has moved from place to place: demons on a coarse grid, by SimpleITK."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.frames import FloatFrame, ShouldStop

Field = NDArray[np.float32]
"""(rows, columns, 2): where (x, y) from each pixel the mask shows what the frame shows there."""

GRID_PX = 256
"""Side of the grid that the field is found on."""
_LEAST_SIDE = 32
_REDUCTIONS = (4, 2, 1)
_ITERATIONS = 25
_SMOOTHING_PX = 3.0
"""Of the field on the grid after each step: tissue moves evenly."""
_CONTRAST_DEVIATIONS = 4.0
_BESIDE_PX = 15
_TO_DEVIATION = 1.4826


class RegistrationStoppedError(Exception):
    """Raised where ``should_stop`` told to give up."""


def find_field(
    mask: FloatFrame,
    frame: FloatFrame,
    should_stop: ShouldStop = lambda: False,
) -> Field:
    """Find the field that takes ``mask`` to ``frame``.

    Symmetric-forces demons (Thirion, Med. Image Anal. 1998; Vercauteren et al., MICCAI 2007), from
    coarse to fine. What is darker or brighter than the mask by far more than the noise is taken for
    contrast, or for a thing that the mask does not hold: it pulls at nothing.

    Parameters
    ----------
    mask, frame : ndarray of float32, shape (rows, columns)
        They may differ by an offset.
    should_stop : callable
        Asked after each step of the demons.

    Raises
    ------
    RegistrationStoppedError
    """
    rows, columns = mask.shape
    factor = max(1.0, max(rows, columns) / GRID_PX)
    grid = (max(1, round(columns / factor)), max(1, round(rows / factor)))
    if min(grid) < _LEAST_SIDE:
        return np.zeros((rows, columns, 2), np.float32)
    still, moving = _prepared(mask, frame, grid)
    field: NDArray[np.float64] | None = None
    for reduction in _REDUCTIONS:
        if min(grid) // reduction >= _LEAST_SIDE:
            field = _demons(
                _reduced(still, reduction), _reduced(moving, reduction), field, should_stop
            )
    assert field is not None
    whole = cv2.resize(field.astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(whole * np.array([columns / grid[0], rows / grid[1]]), np.float32)


def warped(picture: FloatFrame, field: Field) -> FloatFrame:
    """Move a picture by a field; what comes in repeats its edge."""
    rows, columns = picture.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    return cv2.remap(
        picture, x + field[..., 0], y + field[..., 1], cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip


def _prepared(
    mask: FloatFrame, frame: FloatFrame, grid: tuple[int, int]
) -> tuple[FloatFrame, FloatFrame]:
    """Return frame and mask on the grid, smoothed, equal where contrast is."""
    still, moving = (
        cv2.GaussianBlur(cv2.resize(p, grid, interpolation=cv2.INTER_AREA), (0, 0), 1.0)
        for p in (frame, mask)
    )
    difference = still - moving
    difference -= np.median(difference)
    spread = _TO_DEVIATION * float(np.median(np.abs(difference))) + 1e-9
    limit = np.float32(_CONTRAST_DEVIATIONS * spread)
    darker, brighter = (_spread_out(side > limit, 3) for side in (-difference, difference))
    # What moves is darker here and brighter beside; contrast is one of them alone.
    beside = _spread_out(darker, _BESIDE_PX) & _spread_out(brighter, _BESIDE_PX)
    contrast = (darker | brighter) & ~beside
    return np.where(contrast, moving, moving + difference).astype(np.float32), moving


def _spread_out(seen: NDArray[np.bool_], side_px: int) -> NDArray[np.bool_]:
    return cv2.dilate(seen.astype(np.uint8), np.ones((side_px, side_px), np.uint8)) > 0


def _reduced(picture: FloatFrame, reduction: int) -> FloatFrame:
    size = (picture.shape[1] // reduction, picture.shape[0] // reduction)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _demons(
    still: FloatFrame,
    moving: FloatFrame,
    start: NDArray[np.float64] | None,
    should_stop: ShouldStop,
) -> NDArray[np.float64]:
    import SimpleITK  # only where it is asked for: it takes a while

    demons = SimpleITK.FastSymmetricForcesDemonsRegistrationFilter()
    demons.SetNumberOfThreads(1)
    demons.SetNumberOfIterations(_ITERATIONS)
    demons.SetSmoothDisplacementField(True)
    demons.SetStandardDeviations(_SMOOTHING_PX)
    stopped = False

    def look() -> None:
        nonlocal stopped
        if should_stop():
            stopped = True
            demons.Abort()

    demons.AddCommand(SimpleITK.sitkIterationEvent, look)
    pictures = [SimpleITK.GetImageFromArray(picture) for picture in (still, moving)]
    if start is not None:
        size = (still.shape[1], still.shape[0])
        scale = np.array([size[0] / start.shape[1], size[1] / start.shape[0]])
        larger = cv2.resize(start, size, interpolation=cv2.INTER_LINEAR) * scale
        pictures.append(SimpleITK.GetImageFromArray(larger, isVector=True))
    try:
        found = demons.Execute(*pictures)
    except RuntimeError as error:
        if stopped:
            raise RegistrationStoppedError from error
        raise
    return SimpleITK.GetArrayFromImage(found)
