"""Headers of MetaImage, NRRD and NIfTI: what they declare, and which files hold their data.

Read here before SimpleITK reads the volume, because it opens whatever a header names, takes the
memory that a header asks for, and ends the process over a name that is not UTF-8.
"""

from __future__ import annotations

import gzip
import os
import re
import struct
import zlib
from dataclasses import dataclass
from gettext import gettext as tr
from pathlib import Path, PurePath

from app.runs.files import open_regular, shown_name
from app.runs.run import RunError

HEADER_BYTES = 1 << 20
MOST_DATA_FILES = 20_000
LARGEST_AXIS = 1 << 31

_META_BYTES = {
    "CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 8, "ULONG": 8,
    "LONG_LONG": 8, "ULONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8,
}  # fmt: skip
_META_TEXT = ("utf-8", "surrogateescape")
_NRRD_BYTES = (
    (r"(u|unsigned |signed )?(char|int8(_t)?)", 1),
    (r"(u|unsigned |signed )?(short|short int|int16(_t)?)", 2),
    (r"(u|unsigned |signed )?(longlong|long long|long long int|int64(_t)?)|double", 8),
    (r"(u|unsigned |signed )?(int|int32(_t)?)|float", 4),
)
_NIFTI_SAMPLES = {128: 3, 2304: 4}
MOST_COLOURS = 4
GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class VolumeHeader:
    """What a volume declares.

    Attributes
    ----------
    reader : str
        SimpleITK's name of the reader for it.
    suffix : str
        By which that reader knows it.
    sizes : tuple of int
        The fastest axis (columns) first.
    samples : int
        Values of each pixel, which are none of the ``sizes``.
    time_axis : int or None
        Which of the ``sizes`` is time, where the file says so.
    data_files : tuple of (name in the header, file)
        Empty where the data follow the header.
    data_offset : int
        Where the data of a NIfTI file begin, unpacked; of a deflated MetaImage, as they are.
    deflated : bool
        The data of a MetaImage are one zlib stream.
    """

    reader: str
    suffix: str
    sizes: tuple[int, ...]
    pixel_bytes: int
    samples: int
    data_files: tuple[tuple[str, Path], ...]
    data_offset: int = 0
    time_axis: int | None = None
    deflated: bool = False

    @property
    def colour(self) -> bool:
        """True where the values of a pixel are a colour; more of them are pictures."""
        return 1 < self.samples <= MOST_COLOURS

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        total = self.pixel_bytes
        for size in self.sizes:
            total *= size
        return total


def read_volume_header(path: Path) -> VolumeHeader:
    """Read and check the header of a volume.

    Raises
    ------
    RunError
        If it is damaged, or names data that do not lie beside or below it.
    """
    with open_regular(path) as file:
        head = file.read(HEADER_BYTES)
    try:
        if head.startswith(b"NRRD"):
            return _nrrd(path, head)
        if head.startswith(GZIP):
            inflated = zlib.decompressobj(31).decompress(head, 1024)
            return _nifti(path, inflated, ".nii.gz")
        if _nifti_order(head):
            return _nifti(path, head, ".nii")
        return _meta(path, head)
    except (
        ValueError,
        OverflowError,
        LookupError,
        struct.error,
        zlib.error,
        gzip.BadGzipFile,
    ) as error:
        raise damaged(path) from error


def damaged(path: Path) -> RunError:
    """Return the sentence for a volume that cannot be read."""
    return RunError(
        tr("{name} is a damaged volume; copy or export it again.").format(name=shown_name(path))
    )


def _checked_sizes(sizes: list[int]) -> tuple[int, ...]:
    if not sizes or len(sizes) > 8 or not all(1 <= size < LARGEST_AXIS for size in sizes):
        raise ValueError("no sizes of a volume")
    return tuple(sizes)


def _meta(path: Path, head: bytes) -> VolumeHeader:
    fields: dict[str, str] = {}
    lines = head.decode(*_META_TEXT).split("\n")
    rest: list[str] = []
    for number, line in enumerate(lines):
        found = re.match(r"\s*(\w+)\s*[=:]\s*(.*?)\s*$", line)
        if found is None:
            break
        fields[found[1].lower()] = found[2]
        if found[1].lower() == "elementdatafile":  # always the last
            rest = lines[number + 1 :]
            break
    kind = fields["elementtype"].upper().removeprefix("MET_").removesuffix("_ARRAY")
    sizes = _checked_sizes([int(n) for n in fields["dimsize"].split()])
    samples = int(fields.get("elementnumberofchannels", "1"))
    if len(sizes) != int(fields["ndims"]) or samples < 1:
        raise ValueError("sizes and dimensions differ")
    named = fields["elementdatafile"]
    names: list[str] = []
    if named.upper() != "LOCAL":
        names = _listed(rest) if named.upper().startswith("LIST") else _numbered(named)
    suffix = ".mhd" if names else ".mha"
    files = _data_files(path, names)
    deflated = fields.get("compresseddata", "").lower() in ("true", "t", "1")
    if deflated and int(fields["compresseddatasize"]) < 1:  # without it ITK shows other pixels
        raise ValueError("no size of the packed data")
    data_offset = 0 if names else len("\n".join(lines[: number + 1]).encode(*_META_TEXT)) + 1
    return VolumeHeader(
        "MetaImageIO", suffix, sizes, _META_BYTES[kind] * samples, samples, files,
        data_offset, deflated=deflated,
    )  # fmt: skip


def _nrrd(path: Path, head: bytes) -> VolumeHeader:
    text = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0].decode("utf-8", "surrogateescape")
    fields: dict[str, str] = {}
    lines = text.splitlines()
    names: list[str] = []
    for number, line in enumerate(lines[1:], 1):
        found = re.match(r"([^:#]+):(?!=)\s*(.*?)\s*$", line)
        if found is None:
            continue
        key = found[1].strip().lower().replace("datafile", "data file")
        fields[key] = found[2]
        if key == "data file":
            if found[2].upper().startswith("LIST"):
                names = _listed(lines[number + 1 :])
                break
            names = _numbered(found[2])
    kind = fields["type"].lower()
    bytes_ = next(n for pattern, n in _NRRD_BYTES if re.fullmatch(pattern, kind))
    sizes = _checked_sizes([int(n) for n in fields["sizes"].split()])
    kinds = fields.get("kinds", "").lower().split()
    samples = 1
    if kinds and ("color" in kinds[0] or kinds[0] in ("vector", "list", "3-gradient")):
        samples, sizes, kinds = sizes[0], sizes[1:], kinds[1:]
    return VolumeHeader(
        "NrrdImageIO", ".nhdr" if names else ".nrrd", sizes, bytes_ * samples, samples,
        _data_files(path, names),
        time_axis=kinds.index("time") if kinds.count("time") == 1 else None,
    )  # fmt: skip


def _nifti_order(head: bytes) -> str:
    return next((o for o in "<>" if struct.unpack_from(f"{o}i", head)[0] in (348, 540)), "")


def _nifti(path: Path, head: bytes, suffix: str) -> VolumeHeader:
    order = _nifti_order(head)
    if struct.unpack_from(f"{order}i", head)[0] == 540:  # NIfTI-2
        kind, bits = struct.unpack_from(f"{order}hh", head, 12)
        count, *dims = struct.unpack_from(f"{order}8q", head, 16)
        (offset,) = struct.unpack_from(f"{order}q", head, 168)
        pair = head[4:7] == b"ni2"
    else:
        count, *dims = struct.unpack_from(f"{order}8h", head, 40)
        kind, bits = struct.unpack_from(f"{order}hh", head, 70)
        offset = int(struct.unpack_from(f"{order}f", head, 108)[0])
        pair = head[344:347] != b"n+1"
    sizes = _checked_sizes([max(n, 1) for n in dims[:count]])
    files: tuple[tuple[str, Path], ...] = ()
    if pair:
        names = [path.with_suffix(s).name for s in (".img", ".img.gz", ".IMG")]
        found = [n for n in names if (path.parent / n).exists()]
        files = (("run.img" + (".gz" if found[0].endswith(".gz") else ""), path.parent / found[0]),)
        _data_files(path, [found[0]])
        suffix = ".hdr"
    if bits % 8 or not 0 < bits <= 256:
        raise ValueError("no pixels of whole bytes")
    return VolumeHeader(
        "NiftiImageIO", suffix, sizes, bits // 8, _NIFTI_SAMPLES.get(kind, 1), files, max(offset, 0)
    )


def _listed(lines: list[str]) -> list[str]:
    names = [line.strip() for line in lines[:MOST_DATA_FILES] if line.strip()]
    if not names:
        raise ValueError("an empty list of data files")
    return names


def _numbered(named: str) -> list[str]:
    """Return the files of ``name`` or ``name%03d first last step``."""
    pattern = re.fullmatch(r"(\S*%0?\d*d\S*)\s+(-?\d+)\s+(-?\d+)\s+(\d+)(\s+\d+)?", named)
    if pattern is None:
        return [named]
    numbers = range(int(pattern[2]), int(pattern[3]) + 1, max(int(pattern[4]), 1))
    if not 0 < len(numbers) <= MOST_DATA_FILES or re.search(r"%0?\d{3,}d", pattern[1]):
        raise ValueError("no sensible numbers of data files")
    return [pattern[1] % number for number in numbers]


def _data_files(path: Path, names: list[str]) -> tuple[tuple[str, Path], ...]:
    """Return the files that a header names: real ones, beside it or below.

    Raises
    ------
    RunError
        If one lies elsewhere, also by a link, is missing or is no regular file.
    """
    folder = Path(os.path.realpath(path)).parent
    found = []
    for name in names:
        parts = PurePath(name).parts
        inside = "\0" not in name and not PurePath(name).is_absolute() and ".." not in parts
        target = path.parent / name
        if not inside or not Path(os.path.realpath(target)).is_relative_to(folder):
            raise RunError(
                tr("{name} names data outside its own folder; put both into one.").format(
                    name=shown_name(path)
                )
            )
        open_regular(target).close()
        found.append((name, target))
    return tuple(found)
