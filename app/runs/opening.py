"""Opens anything that can be a run, told by its content; the one door for the whole program."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from gettext import gettext as tr
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.runs.files import log_unforeseen, open_regular, opening_error, shown_name
from app.runs.guarded import GuardedFrames
from app.runs.images import (
    image_files,
    is_image,
    open_image,
    open_image_folder,
    picture_frame_count,
)
from app.runs.run import Run, RunError

logger = logging.getLogger(__name__)

VOLUME_SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts")
_VIDEO_SIGNATURES = (b"\x1a\x45\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"0&\xb2u")
_HEAD_BYTES = 512


def open_run(path: Path) -> Run:
    """Open a DICOM file, pictures (file or folder), a video, a volume or a NumPy stack.

    At least one frame of an opened run has been decoded. The file is never written to.

    Parameters
    ----------
    path : Path
        File, or folder of pictures.

    Raises
    ------
    RunError
        With one plain sentence, whatever is wrong with the file.
    """
    path = Path(path)
    name = shown_name(path)
    try:
        run = _open_folder(path) if path.is_dir() else _open_file(path)
    except RunError:
        raise
    except OSError as error:
        raise opening_error(path, error) from error
    except MemoryError as error:
        raise RunError(
            tr("{name} is too large for the memory of this computer.").format(name=name)
        ) from error
    except Exception as error:
        log_unforeseen(logger, "opening a run", error)
        raise RunError(
            tr("{name} is damaged; copy or export it again.").format(name=name)
        ) from error
    frames = GuardedFrames(run.frames, run.frame_count, (run.rows, run.columns))
    try:
        return _checked(replace(run, frames=frames))
    except RunError:
        frames.close()
        raise


def _open_folder(folder: Path) -> Run:
    if image_files(folder):
        return open_image_folder(folder)
    files = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    if len(files) == 1:
        return _open_file(files[0])
    from app.runs.dicom_series import open_series_folder

    run = open_series_folder(folder, _is_run)
    if run is not None:
        return run
    raise RunError(
        tr("{name} is no single run; open the folder as a list of runs.").format(
            name=shown_name(folder)
        )
    )


def _is_run(path: Path) -> bool:
    from app.runs.dicom_catalog import dicom_entry

    try:
        return (
            kind_of(path) is not Kind.DICOM or dicom_entry(path, listed_by_user=False) is not None
        )
    except RunError:
        return False


class Kind(Enum):
    """What a file is, told by its first bytes."""

    DICOM = "DICOM"
    NUMPY = "NumPy stack"
    VOLUME = "volume"
    PICTURE = "picture"
    VIDEO = "video"


def kind_of(path: Path) -> Kind:
    """Tell what a file is, without reading more than its beginning.

    Raises
    ------
    RunError
        If it is nothing that can be a run.
    """
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise opening_error(path, error) from error
    name = path.name.lower()
    if not head:
        raise RunError(tr("{name} is empty; copy it again.").format(name=shown_name(path)))
    if head[128:132] == b"DICM":
        return Kind.DICOM
    zipped_stack = head.startswith(b"PK\x03\x04") and name.endswith(".npz")
    if head.startswith(b"\x93NUMPY") or zipped_stack:
        return Kind.NUMPY
    if _is_volume(head, name):
        return Kind.VOLUME
    if is_image(head):
        return Kind.PICTURE
    if _is_video(head) or name.endswith(VIDEO_SUFFIXES):
        return Kind.VIDEO
    if _is_bare_dicom(head):
        return Kind.DICOM
    raise RunError(
        tr("{name} is no X-ray run, video or picture that can be read.").format(
            name=shown_name(path)
        )
    )


def _open_file(path: Path) -> Run:
    """Open by kind; each reader is imported only when a file needs it."""
    match kind_of(path):
        case Kind.DICOM:
            from app.runs.dicom_series import open_dicom as open_kind
        case Kind.NUMPY:
            from app.runs.stacks import open_numpy as open_kind
        case Kind.VOLUME:
            from app.runs.volumes import open_volume as open_kind
        case Kind.PICTURE:
            open_kind = open_image
        case Kind.VIDEO:
            from app.runs.video import open_video as open_kind
    return open_kind(path)


def frame_count(path: Path, kind: Kind) -> int | None:
    """Return the frames that the header of a file other than DICOM tells; None where it does not.

    Raises
    ------
    RunError
        If the file is damaged.
    """
    count: Callable[[Path], int | None] = picture_frame_count
    match kind:
        case Kind.NUMPY:
            from app.runs.stacks import numpy_frame_count

            count = numpy_frame_count
        case Kind.VOLUME:
            from app.runs.volumes import volume_frame_count

            count = volume_frame_count
        case Kind.VIDEO:
            from app.runs.video import video_frame_count

            count = video_frame_count
    return count(path)


def _is_volume(head: bytes, name: str) -> bool:
    nifti = head[344:348] in (b"n+1\x00", b"ni1\x00")
    meta = re.match(rb"\s*(ObjectType|NDims|Comment)\s*=", head) is not None
    return nifti or meta or head.startswith(b"NRRD") or name.endswith(VOLUME_SUFFIXES)


def _is_video(head: bytes) -> bool:
    avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return avi or head[4:8] == b"ftyp" or head.startswith(_VIDEO_SIGNATURES)


def _is_bare_dicom(head: bytes) -> bool:
    """Recognise old DICOM files without a preamble: they begin with group 0002 or 0008."""
    group, element = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
    return group in (0x0002, 0x0008) and element <= 0x0060 and len(head) > 16


def _checked(run: Run) -> Run:
    """Decode one frame, so that a run which opened can be shown."""
    _first_frame(run)
    return run


def _first_frame(run: Run) -> NDArray[np.generic]:
    failure: RunError | None = None
    for index in sorted({0, run.frame_count // 2, run.frame_count - 1}):
        try:
            return run.frames.read(index)
        except RunError as error:
            failure = failure or error
    assert failure is not None
    raise RunError(
        tr("{name} cannot be shown: {why}").format(
            name=shown_name(run.path), why=_lower_first(str(failure))
        )
    ) from failure


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
