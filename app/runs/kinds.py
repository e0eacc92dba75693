"""What a file is, told by its first bytes."""

from __future__ import annotations

import re
import struct
from enum import Enum
from gettext import gettext as tr
from pathlib import Path

from app.runs.files import open_regular, opening_error, shown_name
from app.runs.images import is_image
from app.runs.run import RunError

VOLUME_SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts")
_VIDEO_SIGNATURES = (b"\x1a\x45\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"0&\xb2u")
_HEAD_BYTES = 512


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


def _is_volume(head: bytes, name: str) -> bool:
    nifti = head[344:348] in (b"n+1\x00", b"ni1\x00")
    meta = re.match(rb"\s*(ObjectType|NDims|Comment)\s*=", head) is not None
    return nifti or meta or head.startswith(b"NRRD") or name.endswith(VOLUME_SUFFIXES)


def _is_video(head: bytes) -> bool:
    avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return avi or head[4:8] == b"ftyp" or head.startswith(_VIDEO_SIGNATURES)


def _is_bare_dicom(head: bytes) -> bool:
    """Recognise old DICOM files without a preamble: they begin with group 0002 or 0008."""
    tags = [struct.unpack(f"{order}HH", head[:4]) for order in "<>"] if len(head) > 16 else []
    return any(group in (0x0002, 0x0008) and element <= 0x0060 for group, element in tags)
