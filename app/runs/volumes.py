"""Volumes (MetaImage, NRRD, NIfTI) and NumPy stacks whose first axis is time."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.runs.files import open_regular
from app.runs.greys import to_grey
from app.runs.images import ASSUMED_NOTE, grey_range, plain_pixels
from app.runs.run import Run, RunError, Spacing, SpacingSource, pixel_aspect
from app.runs.timing import assumed_times

logger = logging.getLogger(__name__)

MAX_VOLUME_BYTES = 1 << 32
LARGEST_DEFLATE_RATIO = 1032
"""Deflate cannot pack denser, so a file that declares more than this is damaged."""

_SCANNED_BYTES = 1 << 28


class StackFrames:
    """Frames of one array (a `FrameSource`); a memory-mapped one is read frame by frame."""

    def __init__(self, stack: NDArray[Any], name: str) -> None:
        self._stack: NDArray[Any] | None = stack
        self._name = name

    def read(self, index: int) -> NDArray[np.generic]:
        """Return frame ``index`` as grey 8- or 16-bit integers or float32."""
        stack = self._stack
        if stack is None:
            raise RunError(f"{self._name} has been closed.")
        return plain_pixels(to_grey(np.asarray(stack[index])))

    def close(self) -> None:
        """Let go of the array and its file."""
        self._stack = None


def open_numpy(path: Path) -> Run:
    """Open an .npy or .npz stack: (T, H, W), one frame (H, W), or colour (T, H, W, 3 or 4)."""
    try:
        with open_regular(path) as file:
            zipped = file.read(2) == b"PK"
        stack = _from_zip(path) if zipped else _mapped(path)
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, SyntaxError, TypeError) as error:
        logger.info("NumPy file not readable: %s", type(error).__name__)
        raise RunError(f"{path.name} is a damaged NumPy file; write it again.") from error
    return _run_of_stack(path, stack, spacing=None)


def _mapped(path: Path) -> NDArray[Any]:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _from_zip(path: Path) -> NDArray[Any]:
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
        named = [m for m in members if m.filename == "frames.npy"] or members
        if len(named) != 1:
            raise RunError(f"{path.name} must hold one array, or one that is named frames.")
        member = named[0]
        packed = LARGEST_DEFLATE_RATIO * member.compress_size + 1024
        if member.file_size > min(packed, MAX_VOLUME_BYTES):
            raise RunError(f"{path.name} declares more than it can hold; it is damaged.")
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            if version == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            else:
                shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        if float(np.prod(shape, dtype=np.float64)) * dtype.itemsize > member.file_size:
            raise RunError(f"{path.name} declares more than it can hold; it is damaged.")
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)


def open_volume(path: Path) -> Run:
    """Open a MetaImage, NRRD or NIfTI volume by SimpleITK; its last axis is time."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        reader.ReadImageInformation()
        _check_declared(path, reader)
        image = reader.Execute()
    except RuntimeError as error:
        logger.info("volume not readable: %s", type(error).__name__)
        raise RunError(f"{path.name} is a damaged volume; copy or export it again.") from error
    stack = SimpleITK.GetArrayFromImage(image)
    while stack.ndim > 3 and stack.shape[0] == 1 and image.GetNumberOfComponentsPerPixel() == 1:
        stack = stack[0]
    column_mm, row_mm = image.GetSpacing()[:2]
    spacing = None if (column_mm, row_mm) == (1.0, 1.0) else _spacing(row_mm, column_mm)
    return _run_of_stack(path, stack, spacing)


def _spacing(row_mm: float, column_mm: float) -> Spacing | None:
    valid = np.isfinite([row_mm, column_mm]).all() and min(row_mm, column_mm) > 0
    return Spacing(row_mm, column_mm, SpacingSource.FILE) if valid else None


def _check_declared(path: Path, reader: Any) -> None:
    """Compare the declared size with the file and what lies beside it under the same name."""
    import SimpleITK

    pixel_bytes = _pixel_bytes(SimpleITK.GetPixelIDValueAsString(reader.GetPixelID()))
    declared = float(np.prod(reader.GetSize(), dtype=np.float64))
    declared *= reader.GetNumberOfComponents() * pixel_bytes
    stem = path.name.split(".")[0]
    held = sum(p.stat().st_size for p in path.parent.glob(f"{_escaped(stem)}*") if p.is_file())
    if declared > MAX_VOLUME_BYTES:
        raise RunError(f"{path.name} is larger than 4 GB; save it as an .npy file.")
    if declared > LARGEST_DEFLATE_RATIO * held:
        raise RunError(f"{path.name} declares more than it can hold; it is damaged.")


def _escaped(stem: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in stem)


def _pixel_bytes(kind: str) -> int:
    digits = "".join(c for c in kind if c.isdigit())
    return int(digits) // 8 if digits else 8


def _run_of_stack(path: Path, stack: NDArray[Any], spacing: Spacing | None) -> Run:
    if stack.ndim == 2:
        stack = stack[np.newaxis]
    if stack.ndim == 3 and stack.shape[2] in (3, 4) and stack.shape[0] > 4:
        stack = stack[np.newaxis]  # one colour picture
    good = stack.ndim == 3 or (stack.ndim == 4 and stack.shape[3] in (1, 2, 3, 4))
    if not good or not stack.size or stack.dtype.kind not in "biuf":
        raise RunError(f"{path.name} must hold numbers of the shape (frames, rows, columns).")
    frames = StackFrames(stack, path.name)
    count = stack.shape[0]
    scale = grey_range(_sample(stack, frames))
    return Run(
        path=path,
        frames=frames,
        frame_count=count,
        rows=stack.shape[1],
        columns=stack.shape[2],
        frame_times_ms=assumed_times(count),
        grey=scale.grey,
        nominal_range=scale.nominal,
        spacing=spacing,
        pixel_aspect_ratio=pixel_aspect(spacing.row_mm, spacing.column_mm) if spacing else 1.0,
        notes=(ASSUMED_NOTE,) if count > 1 else (),
    )


def _sample(stack: NDArray[Any], frames: StackFrames) -> NDArray[np.generic]:
    """Return all frames of a small stack, or some from all over a large one."""
    frame_bytes = max(stack.nbytes // stack.shape[0], 1)
    count = min(stack.shape[0], max(1, _SCANNED_BYTES // frame_bytes))
    chosen = np.unique(np.linspace(0, stack.shape[0] - 1, count).astype(int))
    ends = [(f.min(), f.max()) for f in (frames.read(int(i)) for i in chosen)]
    return np.array(ends)
