"""The header of a DICOM file: all before the pixels, whatever byte order it is really in."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from gettext import gettext as tr
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from app.runs.allowance import allowed_bytes, check_allowance
from app.runs.dicom_values import text
from app.runs.files import HeaderReader, open_regular, opening_error, shown_name
from app.runs.run import RunError

logger = logging.getLogger(__name__)

# pydicom warns about values that break the rules by quoting them, and they may be a patient's.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM = b"\xfe\xff\x00\xe0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0"

_PIXEL_DATA = 0x7FE00010
_FLOAT_PIXEL_DATA = (0x7FE00008, 0x7FE00009)
_LONG_LENGTH = (b"OB", b"OW", b"UN", b"OV", b"OD", b"OF", b"OL", b"SQ", b"UT", b"UC", b"UR")
_LARGEST_FIRST_GROUP = 0x00FF
_SNIFFED_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20

PARSING_ERRORS = (
    InvalidDicomError,
    BytesLengthException,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on damaged files."""


@dataclass(frozen=True, slots=True)
class OpenedHeader:
    """A DICOM header, and the open file with ``reader`` standing where the pixels begin."""

    dataset: Dataset
    transfer_syntax: str
    reader: HeaderReader
    file: BinaryIO
    size: int


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where Pixel Data begin, and what they are, told by themselves.

    Attributes
    ----------
    length : int or None
        As declared; None where it is undefined.
    words : bool
        The value representation is OW.
    encapsulated : bool
        They are a sequence of items, whatever the transfer syntax says.
    """

    offset: int
    length: int | None
    words: bool
    encapsulated: bool


def damaged(name: str) -> RunError:
    """Return the error for a DICOM file that cannot be understood."""
    return RunError(
        tr("{name} is a damaged DICOM file; copy or export it again.").format(name=shown_name(name))
    )


def open_header(path: Path) -> OpenedHeader:
    """Open a DICOM file and read all but its pixels; the caller closes ``file``.

    Raises
    ------
    RunError
        If it cannot be read or is no DICOM file.
    """
    try:
        file: BinaryIO = open_regular(path)
        size = path.stat().st_size
    except OSError as error:
        raise opening_error(path, error) from error
    try:
        file, size = _plain(file, size, path.name)
        reader = HeaderReader(file, size, str(path))
        dataset = read_header(reader)
    except RunError:
        file.close()
        raise
    except PARSING_ERRORS as error:
        file.close()
        logger.info("DICOM header not readable: %s", type(error).__name__)
        raise damaged(path.name) from error
    return OpenedHeader(dataset, _transfer_syntax(dataset), reader, file, size)


def read_header(reader: HeaderReader) -> Dataset:
    """Read everything before the pixels; the reader is left at the Pixel Data element.

    Raises
    ------
    RunError
        If this is no DICOM file or a damaged one.
    """
    name = Path(reader.name).name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = _parsed(reader)
            # Elements convert when first used; convert all here, where a bad one is expected.
            for element in list(dataset.keys()):
                _convert(dataset, element)
    except PARSING_ERRORS as error:
        logger.info("DICOM header not readable: %s", type(error).__name__)
        raise damaged(name) from error
    if not len(dataset):
        raise RunError(
            tr("{name} is an empty or damaged DICOM file; copy or export it again.").format(
                name=shown_name(name)
            )
        )
    return dataset


def _parsed(reader: HeaderReader) -> Dataset:
    """Parse by the transfer syntax, unless the first element lies in the other byte order."""
    start, syntax = _data_set_start(reader)
    reader.seek(start)
    first = reader.read(6)
    reader.seek(0)
    declared_little = syntax != ExplicitVRBigEndian
    if syntax is None or len(first) < 6 or _is_plausible(first, little=declared_little):
        return pydicom.dcmread(reader, stop_before_pixels=True, force=True)
    if not _is_plausible(first, little=not declared_little):
        return pydicom.dcmread(reader, stop_before_pixels=True, force=True)
    implicit = not first[4:6].isalpha()
    reader.seek(start)
    dataset = read_dataset(reader, implicit, not declared_little, stop_when=_at_pixels)
    dataset.set_original_encoding(implicit, not declared_little)
    return dataset


def _at_pixels(tag: int, vr: str | None, length: int) -> bool:
    return tag in (_PIXEL_DATA, *_FLOAT_PIXEL_DATA)


def _is_plausible(first: bytes, *, little: bool) -> bool:
    """Tell whether a data set can begin like this: with an early group."""
    group = int.from_bytes(first[:2], "little" if little else "big")
    return 0 < group <= _LARGEST_FIRST_GROUP


def _convert(dataset: Dataset, tag: pydicom.tag.BaseTag) -> None:
    """Drop an element whose value cannot be read, rather than refuse the run for it."""
    try:
        dataset[tag]
    except PARSING_ERRORS as error:
        logger.info("element %s dropped: %s", tag, type(error).__name__)
        del dataset[tag]


def _transfer_syntax(dataset: Dataset) -> str:
    """Return the transfer syntax, with the byte order that the data set was really read in."""
    meta = getattr(dataset, "file_meta", None)
    stated = meta.get("TransferSyntaxUID") if meta is not None else None
    implicit, little = dataset.original_encoding
    if stated and UID(stated).is_private:
        return str(stated)
    if stated and UID(stated).is_transfer_syntax and UID(stated).is_little_endian == bool(little):
        return str(stated)
    if little is False:
        return str(ExplicitVRBigEndian)
    return str(ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)


def pixel_element(header: OpenedHeader) -> PixelElement | None:
    """Return where the pixels are; None where the header ends without any.

    Raises
    ------
    RunError
        If the pixels are floating-point numbers.
    """
    implicit, little = header.dataset.original_encoding
    reader = header.reader
    order = "<" if little is not False else ">"
    start = reader.tell()
    head = reader.read(12)
    if len(head) < 8:
        return None
    group, element = struct.unpack(f"{order}HH", head[:4])
    tag = group << 16 | element
    if tag in _FLOAT_PIXEL_DATA:
        raise RunError(
            tr("{name} holds floating-point pixels; export it with 16-bit ones.").format(
                name=shown_name(reader.name)
            )
        )
    if tag != _PIXEL_DATA:
        return None
    # An explicit file may hold this element without its VR, and an implicit one with it: the
    # letters of OB and OW would be odd lengths, which do not exist.
    if head[4:6] in (b"OB", b"OW") or (not implicit and head[4:6] in _LONG_LENGTH):
        if len(head) < 12:
            raise damaged(reader.name)
        offset, (length,) = start + 12, struct.unpack(f"{order}L", head[8:12])
        words = head[4:6] == b"OW"
    else:
        offset, (length,) = start + 8, struct.unpack(f"{order}L", head[4:8])
        words = True
    items = _holds_items(reader, offset, header.size, certain=length == UNDEFINED_LENGTH)
    return PixelElement(offset, None if length == UNDEFINED_LENGTH else length, words, items)


def _holds_items(reader: HeaderReader, offset: int, size: int, *, certain: bool) -> bool:
    """Tell whether Pixel Data are items: one, and another or the end behind it."""
    reader.seek(offset)
    head = reader.read(8)
    if head[:4] != ITEM or len(head) < 8:
        return False
    after = offset + 8 + int.from_bytes(head[4:], "little")
    reader.seek(after)
    return certain or (after < size and reader.read(4) in (ITEM, SEQUENCE_END))


def no_picture(header: OpenedHeader, name: str) -> RunError:
    """Return the error for a file without pixels, which may be none by nature."""
    kind = UID(text(header.dataset, "SOPClassUID"))
    if not kind or kind.name == str(kind):
        sentence = tr("{name} holds no picture; choose an image run.")
        return RunError(sentence.format(name=shown_name(name)))
    sentence = tr("{name} holds no picture ({kind}); choose an image run.")
    return RunError(sentence.format(name=shown_name(name), kind=kind.name))


# where the data set begins, and inflating it


def _data_set_start(file: HeaderReader | BinaryIO) -> tuple[int, str | None]:
    """Return where the data set begins behind the meta information, and the transfer syntax.

    The syntax is None where there is no meta information.
    """
    file.seek(0)
    head = file.read(_SNIFFED_BYTES)
    at = 132 if head[128:132] == b"DICM" else 0
    syntax = None
    while len(head) >= at + 8 and head[at : at + 2] == b"\x02\x00":
        long = head[at + 4 : at + 6] in _LONG_LENGTH
        length = struct.unpack_from("<L" if long else "<H", head, at + (8 if long else 6))[0]
        value = at + (12 if long else 8)
        if head[at : at + 4] == b"\x02\x00\x10\x00":
            stated = head[value : value + length].rstrip(b"\0 ")
            syntax = stated.decode("ascii", "replace")
        at = value + length
    return at, syntax


def _plain(file: BinaryIO, size: int, name: str) -> tuple[BinaryIO, int]:
    """Return the file, or its data set as a file of its own where it is deflated (PS3.5 A.5)."""
    start, syntax = _data_set_start(file)
    if syntax is None or start >= size:
        file.seek(0)
        return file, size
    file.seek(start)
    first = file.read(512)
    plausible = _is_plausible(first, little=True) or _is_plausible(first, little=False)
    declared = syntax == DeflatedExplicitVRLittleEndian
    if plausible and not declared:
        file.seek(0)
        return file, size
    file.seek(start)
    for bits in (-zlib.MAX_WBITS, zlib.MAX_WBITS):
        try:
            begin = zlib.decompressobj(bits).decompress(first, 8)
        except zlib.error:
            continue
        if _is_plausible(begin, little=True):
            data = _inflated(file, size - start, bits, name)
            file.close()
            return io.BytesIO(data), len(data)
    if not declared:
        file.seek(0)
        return file, size
    if not plausible:
        raise damaged(name)
    data = file.read()  # it only says that it is deflated
    file.close()
    return io.BytesIO(data), len(data)


def _inflated(file: BinaryIO, stored: int, bits: int, name: str) -> bytes:
    """Inflate no more than the stored bytes are worth: counted first, so that none is taken."""
    start, allowed, length = file.tell(), allowed_bytes(stored), 0
    try:
        for block in _inflated_blocks(file, bits):
            length += len(block)
            if length > allowed:
                break
        check_allowance(length, stored, shown_name(name))
        file.seek(start)
        return b"".join(_inflated_blocks(file, bits))
    except zlib.error as error:
        raise damaged(name) from error


def _inflated_blocks(file: BinaryIO, bits: int) -> Iterator[bytes]:
    inflate = zlib.decompressobj(bits)
    while not inflate.eof:
        packed = inflate.unconsumed_tail or file.read(_BLOCK_BYTES)
        block = inflate.decompress(packed, _BLOCK_BYTES)
        if not packed and not block:
            return  # cut off
        yield block
