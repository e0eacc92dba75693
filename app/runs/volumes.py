"""Volumes (MetaImage, NRRD, NIfTI) and NumPy stacks whose first axis is time."""

from __future__ import annotations

import logging
import re
import zipfile
from gettext import gettext as tr
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from app.runs.files import open_regular, shown_name
from app.runs.greys import to_grey
from app.runs.images import ASSUMED_NOTE, grey_range, plain_pixels
from app.runs.run import Run, RunError, Spacing, SpacingSource, pixel_aspect
from app.runs.timing import assumed_times

logger = logging.getLogger(__name__)

MAX_VOLUME_BYTES = 1 << 32
LARGEST_DEFLATE_RATIO = 1032
"""Deflate cannot pack denser, so a file that declares more than this is damaged."""

_SCANNED_BYTES = 1 << 28


HEADER_BYTES = 1 << 16
DATA_FILE = re.compile(r"(?:ElementDataFile\s*=|data ?file:)\s*(.+)", re.IGNORECASE)


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
            file.seek(0)
            if not zipped:
                _check_numbers(path, _array_header(file)[1])
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
            shape, dtype = _array_header(file)
        _check_numbers(path, dtype)
        if float(np.prod(shape, dtype=np.float64)) * dtype.itemsize > member.file_size:
            raise RunError(f"{path.name} declares more than it can hold; it is damaged.")
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)


def _array_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and dtype that a NumPy array in a file declares."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    return shape, dtype


def _check_numbers(path: Path, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise RunError(
            tr("{name} holds Python objects; save numbers.").format(name=shown_name(path))
        )
    if dtype.kind == "c":
        raise RunError(
            tr("{name} holds complex numbers; save their size or one part.").format(
                name=shown_name(path)
            )
        )


def open_volume(path: Path) -> Run:
    """Open a MetaImage, NRRD or NIfTI volume by SimpleITK; its last axis is time."""
    import SimpleITK

    _check_name(path)
    _check_data_files(path)

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
    kept = 3 if image.GetNumberOfComponentsPerPixel() > 1 else 2
    stack = _without_single(stack, kept)
    column_mm, row_mm = image.GetSpacing()[:2]
    spacing = None if (column_mm, row_mm) == (1.0, 1.0) else _spacing(row_mm, column_mm)
    return _run_of_stack(path, stack, spacing)


def _without_single(stack: NDArray[Any], kept: int) -> NDArray[Any]:
    """Drop axes of length 1 before the last ``kept`` ones, the time axis excepted."""
    longer = [n for n in stack.shape[:-kept] if n != 1]
    return stack.reshape((*(longer or (1,)), *stack.shape[-kept:]))


def _check_name(path: Path) -> None:
    """Refuse a name that ITK cannot take: it would end the program."""
    try:
        str(path.absolute()).encode("utf-8")
    except UnicodeEncodeError as error:
        raise RunError(
            tr("The name of {name}, or of its folder, is not plain text; rename it.").format(
                name=shown_name(path)
            )
        ) from error


def _check_data_files(path: Path) -> None:
    """Refuse a header that names data outside its own folder, or what is no file.

    MetaImage: ElementDataFile, a list of files where it says LIST. NRRD: data file, likewise.
    """
    with open_regular(path) as file:
        head = file.read(HEADER_BYTES)
    if not head.startswith((b"NRRD", b"\x1f\x8b")) and path.suffix.lower() not in (".mhd", ".mha"):
        return
    text = head.partition(b"\n\n")[0] if head.startswith(b"NRRD") else head
    lines = [line.strip() for line in text.decode("latin-1").splitlines()]
    names: list[str] = []
    for number, line in enumerate(lines):
        found = DATA_FILE.match(line)
        if found:
            named = found[1].split(" ")[0] if "%" in found[1] else found[1]
            listed = lines[number + 1 :] if named.upper().startswith("LIST") else [named]
            names += [name for name in listed if name and name.upper() != "LOCAL"]
            break
    folder = path.parent.resolve()
    for name in names:
        target = folder / name
        inside = "\0" not in name and target.resolve().is_relative_to(folder)
        if not inside or (target.exists() and not target.is_file()):
            raise RunError(
                tr("{name} names data outside its own folder; put both into one.").format(
                    name=shown_name(path)
                )
            )


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
