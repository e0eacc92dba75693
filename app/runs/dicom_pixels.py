"""Pixel Data of a DICOM file: where each frame lies, and its decoding, frame by frame."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from app.runs.codestreams import (
    MAX_FRAME_PIXELS,
    CodestreamError,
    codestream_size,
    decode_jpeg,
    decode_jpeg_2000,
    decode_jpeg_ls,
    decode_rle,
)
from app.runs.files import SharedFile
from app.runs.greys import to_grey
from app.runs.run import RunError

logger = logging.getLogger(__name__)

JPEG_2000_FAMILY = frozenset(map(str, JPEG2000TransferSyntaxes))
JPEG_FAMILY = frozenset(map(str, JPEGTransferSyntaxes))
JPEG_LS_FAMILY = frozenset(map(str, JPEGLSTransferSyntaxes))
DECODABLE = JPEG_FAMILY | JPEG_LS_FAMILY | JPEG_2000_FAMILY | {str(RLELossless)}

MAX_FRAGMENTS = 200_000
"""More than the frames of an hour at 30 frames/s; a longer list is a damaged file."""

_ITEM = 0xE000
_UNDEFINED_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The Image Pixel module (PS3.3 C.7.6.3), checked."""

    rows: int
    columns: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: bool
    big_endian: bool
    transfer_syntax: str
    words: bool  # Pixel Data has the value representation OW

    @classmethod
    def from_dataset(cls, dataset: Dataset, transfer_syntax: str, words: bool) -> PixelFormat:
        """Check the header; raise RunError where no picture can follow from it."""
        rows, columns = _integer(dataset, "Rows", 0), _integer(dataset, "Columns", 0)
        if rows < 1 or columns < 1:
            raise RunError("The file does not say how large its picture is; export it again.")
        allocated = _integer(dataset, "BitsAllocated", 0)
        stored = _integer(dataset, "BitsStored", allocated)
        samples = _integer(dataset, "SamplesPerPixel", 1)
        if allocated not in (8, 16) or not 1 <= stored <= allocated or samples not in (1, 3):
            raise RunError(
                f"Pixels of {samples} x {stored} bits in {allocated} cannot be shown; "
                "export the run with 8 to 16 bits, grey or colour."
            )
        return cls(
            rows=rows,
            columns=columns,
            samples=samples,
            photometric=str(dataset.get("PhotometricInterpretation") or "MONOCHROME2").strip(),
            bits_allocated=allocated,
            bits_stored=stored,
            high_bit=min(max(_integer(dataset, "HighBit", stored - 1), stored - 1), allocated - 1),
            signed=_integer(dataset, "PixelRepresentation", 0) == 1 and samples == 1,
            planar=_integer(dataset, "PlanarConfiguration", 0) == 1,
            big_endian=not UID(transfer_syntax).is_little_endian,
            transfer_syntax=transfer_syntax,
            words=words,
        )

    @property
    def chroma_halved(self) -> bool:
        """True where uncompressed colour shares its two colour samples among two pixels."""
        return self.photometric == "YBR_FULL_422" and self.samples == 3

    @property
    def frame_bytes(self) -> int:
        """Length of one uncompressed frame."""
        samples = 2 if self.chroma_halved else self.samples
        return self.rows * self.columns * samples * self.bits_allocated // 8


def _integer(dataset: Dataset, keyword: str, default: int) -> int:
    value = dataset.get(keyword)
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if len(value) else None
    try:
        return default if value is None else int(value)
    except (TypeError, ValueError):
        return default


class DicomFrames:
    """Frames of one DICOM file (a `FrameSource`); bytes are read by offset, frame by frame.

    Parameters
    ----------
    file : SharedFile
        The file (inflated where its transfer syntax is deflated).
    frames : sequence of sequences of (offset, length)
        Where the bytes of each frame lie.
    palette : ndarray of the grey value of each index, or None
        For PALETTE COLOR.
    """

    def __init__(
        self,
        file: SharedFile,
        layout: PixelFormat,
        frames: Sequence[Sequence[tuple[int, int]]],
        palette: NDArray[Any] | None = None,
    ) -> None:
        self._file = file
        self._format = layout
        self._frames = frames
        self._palette = palette

    def __len__(self) -> int:
        return len(self._frames)

    def read(self, index: int) -> NDArray[np.generic]:
        """Return stored values of frame ``index``: (rows, columns), native byte order.

        Colour is turned into grey, and only the stored bits are kept.
        """
        data = b"".join(self._file.read_at(*part) for part in self._frames[index])
        try:
            if UID(self._format.transfer_syntax).is_encapsulated:
                pixels = self._decompressed(data)
            else:
                pixels = self._uncompressed(data)
        except CodestreamError as error:
            logger.info("frame %d: %s", index, error)
            raise RunError(f"Frame {index + 1} cannot be decoded: {error}.") from error
        if self._palette is not None:
            return self._palette[np.minimum(to_grey(pixels), len(self._palette) - 1)]
        return self._stored_bits(pixels)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _uncompressed(self, data: bytes) -> NDArray[np.generic]:
        layout = self._format
        if layout.bits_allocated == 8:
            flat = np.frombuffer(data, np.uint8)
            if layout.big_endian and layout.words:  # PS3.5 8.1.1: bytes lie swapped in words
                flat = flat[: flat.size // 2 * 2].reshape(-1, 2)[:, ::-1].reshape(-1)
        else:
            flat = np.frombuffer(data, ">u2" if layout.big_endian else "<u2").astype(np.uint16)
        shape = (layout.rows, layout.columns)
        if layout.samples == 1:
            return flat.reshape(shape)
        if layout.chroma_halved:  # Y Y Cb Cr for each two pixels
            return np.ascontiguousarray(flat.reshape(-1, 4)[:, :2]).reshape(shape)
        if layout.planar:
            pixels = np.moveaxis(flat.reshape(3, *shape), 0, -1)
        else:
            pixels = flat.reshape(*shape, 3)
        return self._luminance(pixels)

    def _decompressed(self, data: bytes) -> NDArray[np.generic]:
        layout, syntax = self._format, self._format.transfer_syntax
        if syntax == RLELossless:
            dtype = np.dtype(np.uint8 if layout.bits_allocated == 8 else np.uint16)
            pixels = decode_rle(data, layout.rows, layout.columns, layout.samples, dtype)
            return self._luminance(pixels)
        size = codestream_size(data)
        if (size.rows, size.columns) != (layout.rows, layout.columns):
            raise CodestreamError(
                f"it holds {size.columns} x {size.rows} pixels instead of "
                f"{layout.columns} x {layout.rows}"
            )
        if syntax in JPEG_FAMILY:
            pixels = decode_jpeg(data, stored_as_rgb=layout.photometric == "RGB")
        elif syntax in JPEG_LS_FAMILY:
            return self._luminance(decode_jpeg_ls(data))
        else:
            pixels = decode_jpeg_2000(data)
        return to_grey(pixels)

    def _luminance(self, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
        if pixels.ndim == 3 and self._format.photometric.startswith("YBR"):
            return np.ascontiguousarray(pixels[:, :, 0])
        return to_grey(pixels)

    def _stored_bits(self, pixels: NDArray[Any]) -> NDArray[np.generic]:
        """Keep the stored bits only, sign-extended; what lies beside them is no pixel value."""
        layout = self._format
        unsigned = np.uint8 if pixels.dtype.itemsize == 1 else np.uint16
        pixels = pixels.view(unsigned)
        if pixels.dtype.itemsize * 8 < layout.bits_stored:  # a stream of fewer bits than declared
            pixels = pixels.astype(np.uint16)
        bits = pixels.dtype.itemsize * 8
        if _is_lossy_jpeg(layout.transfer_syntax) and layout.bits_stored < bits:
            # 12-bit JPEG overshoots where fewer bits are stored: clip, as wrapping turns it black.
            pixels = np.minimum(pixels, (1 << layout.bits_stored) - 1)
        shift = 0
        if not UID(layout.transfer_syntax).is_encapsulated:
            shift = layout.high_bit - layout.bits_stored + 1
        if shift:
            pixels = pixels >> shift
        narrow = layout.bits_stored <= 8
        if layout.signed:
            spare = bits - layout.bits_stored
            extended: NDArray[Any] = (pixels << spare).view(np.int8 if bits == 8 else np.int16)
            return (extended >> spare).astype(np.int8 if narrow else np.int16, copy=False)
        if layout.bits_stored < bits:
            pixels = pixels & np.array((1 << layout.bits_stored) - 1, pixels.dtype)
        return pixels.astype(np.uint8 if narrow else np.uint16, copy=False)


def _is_lossy_jpeg(transfer_syntax: str) -> bool:
    return transfer_syntax in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """Where each complete frame lies, and how many of the declared ones are missing."""

    frames: tuple[tuple[tuple[int, int], ...], ...]
    missing: int = 0


def check_frame_size(layout: PixelFormat) -> None:
    """Refuse a compressed frame larger than any detector makes, before anything is allocated."""
    if layout.rows * layout.columns > MAX_FRAME_PIXELS:
        raise RunError(
            f"The file declares pictures of {layout.columns} x {layout.rows} pixels, "
            "more than any X-ray detector makes; it is damaged."
        )


def native_frames(
    layout: PixelFormat, file: SharedFile, offset: int, length: int, declared: int
) -> FrameIndex:
    """Index uncompressed Pixel Data at ``offset``; only frames that the file holds count."""
    available = max(file.size - offset, 0)
    if length != _UNDEFINED_LENGTH:
        available = min(available, length)
    complete = min(available // layout.frame_bytes, declared)
    if complete == 0:
        raise RunError(
            f"The file declares a picture of {layout.columns} x {layout.rows} pixels but holds "
            "less than one; copy it again."
        )
    size = layout.frame_bytes
    frames = tuple(((offset + i * size, size),) for i in range(complete))
    return FrameIndex(frames, declared - complete)


def encapsulated_frames(
    dataset: Dataset, file: SharedFile, offset: int, declared: int
) -> FrameIndex:
    """Index fragments from ``offset`` (PS3.5 annex A.4) and join them to frames.

    The offset tables are believed where they point at fragments; else one fragment is one frame,
    or a frame begins with each start of an image.
    """
    table, fragments = _fragments(file, offset)
    if not fragments:
        raise RunError("The file ends before its first complete frame; copy it again.")
    starts = {start - 8: i for i, (start, _) in enumerate(fragments)}
    extended = dataset.get("ExtendedOffsetTable")
    offsets = (
        np.frombuffer(extended[: len(extended) // 8 * 8], "<u8")
        if extended
        else np.frombuffer(table, "<u4")
    )
    first_item = fragments[0][0] - 8
    heads = [starts[p] for o in offsets.tolist() if (p := first_item + o) in starts]
    whole_table = len(heads) == len(offsets) or len(fragments) < declared
    if not (len(heads) and whole_table and heads[0] == 0 and heads == sorted(set(heads))):
        heads = _frame_heads(file, fragments, declared)
    ends = [*heads[1:], len(fragments)]
    frames = [tuple(fragments[a:b]) for a, b in zip(heads, ends, strict=True)]
    return FrameIndex(tuple(frames[:declared]), max(declared - len(frames), 0))


def _frame_heads(
    file: SharedFile, fragments: Sequence[tuple[int, int]], declared: int
) -> list[int]:
    if declared == 1:
        return [0]
    if len(fragments) <= declared:
        return list(range(len(fragments)))
    begins = (b"\xff\xd8", b"\xff\x4f")  # start of image: JPEG and JPEG-LS, JPEG 2000
    heads = [
        i for i, (start, n) in enumerate(fragments) if n > 1 and file.read_at(start, 2) in begins
    ]
    return heads if heads and heads[0] == 0 else list(range(len(fragments)))


def _fragments(file: SharedFile, offset: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the Basic Offset Table and (offset, length) of each complete fragment."""
    table = b""
    fragments: list[tuple[int, int]] = []
    items = 0
    while offset + 8 <= file.size:
        header = file.read_at(offset, 8)
        element = int.from_bytes(header[2:4], "little")
        length = int.from_bytes(header[4:], "little")
        offset += 8
        if header[:2] != b"\xfe\xff" or element != _ITEM or offset + length > file.size:
            break  # the sequence delimiter, or where the file was cut off
        items += 1
        if items == 1:
            table = file.read_at(offset, length // 4 * 4)
        elif length:
            fragments.append((offset, length))
        if items > MAX_FRAGMENTS:
            raise RunError("The file's pixel data are an endless list; the file is damaged.")
        offset += length
    return table, fragments
