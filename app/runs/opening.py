"""Opens anything that can be a run, told by its content; the one door for the whole program."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from gettext import gettext as tr
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.runs.files import log_unforeseen, opening_error, shown_name
from app.runs.guarded import GuardedFrames
from app.runs.images import (
    image_files,
    open_image,
    open_image_folder,
    picture_frame_count,
)
from app.runs.kinds import Kind, kind_of
from app.runs.run import Run, RunError

logger = logging.getLogger(__name__)


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
