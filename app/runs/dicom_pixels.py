"""Pixel Data of a DICOM file, decoded frame by frame to stored values."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as tr
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from app.runs.allowance import check_allowance
from app.runs.codestreams import (
    MAX_FRAME_PIXELS,
    CodestreamError,
    begins_image,
    begins_rle,
    codestream_size,
    decode_jpeg,
    decode_jpeg_2000,
    decode_jpeg_ls,
    decode_rle,
    is_jpeg_2000,
    is_jpeg_ls,
    is_reversible,
    mixes_colours,
)
from app.runs.dicom_header import PixelElement
from app.runs.files import SharedFile
from app.runs.greys import to_grey
from app.runs.run import RunError

logger = logging.getLogger(__name__)

DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
LOSSLESS = frozenset(
    map(
        str,
        (
            JPEGLossless,
            JPEGLosslessSV1,
            JPEGLSLossless,
            JPEG2000Lossless,
            HTJ2KLossless,
            HTJ2KLosslessRPCL,
            RLELossless,
            "1.2.840.10008.1.2.4.92",  # JPEG 2000 Part 2, lossless only
            "1.2.840.10008.1.2.1.98",  # encapsulated uncompressed
            DEFLATED_FRAMES,
        ),
    )
)
_VIDEO = frozenset(
    f"1.2.840.10008.1.2.4.{number}{fragmentable}"
    for number in range(100, 109)
    for fragmentable in ("", ".1")
)
_J2K_SAMPLE_BYTES = 4
"""OpenJPEG decodes into 32-bit integers."""


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
    encapsulated: bool

    @classmethod
    def from_dataset(
        cls, dataset: Dataset, transfer_syntax: str, pixels: PixelElement
    ) -> PixelFormat:
        """Check the header; raise RunError where no picture can follow from it."""
        rows, columns = _integer(dataset, "Rows", 0), _integer(dataset, "Columns", 0)
        if rows < 1 or columns < 1:
            raise RunError(tr("The file does not say how large its picture is; export it again."))
        allocated = _integer(dataset, "BitsAllocated", 0)
        stored = _integer(dataset, "BitsStored", allocated)
        samples = _integer(dataset, "SamplesPerPixel", 1)
        if allocated not in (8, 16) or not 1 <= stored <= allocated or samples not in (1, 3):
            raise RunError(
                tr(
                    "Pixels of {samples} x {stored} bits in {allocated} cannot be shown; "
                    "export the run with 8 to 16 bits, grey or colour."
                ).format(samples=samples, stored=stored, allocated=allocated)
            )
        if pixels.encapsulated and rows * columns > MAX_FRAME_PIXELS:
            raise RunError(
                tr(
                    "The file declares pictures of {columns} x {rows} pixels, "
                    "more than any X-ray detector makes; it is damaged."
                ).format(columns=columns, rows=rows)
            )
        photometric = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2").strip()
        if photometric == "YBR_FULL_422" and pixels.length is not None:
            frames = max(_integer(dataset, "NumberOfFrames", 1), 1)
            if pixels.length >= frames * rows * columns * 3:
                photometric = "YBR_FULL"  # its colour was not halved, as the length tells
        palette = photometric == "PALETTE COLOR"
        return cls(
            rows=rows,
            columns=columns,
            samples=samples,
            photometric=photometric,
            bits_allocated=allocated,
            bits_stored=stored,
            high_bit=min(max(_integer(dataset, "HighBit", stored - 1), stored - 1), allocated - 1),
            signed=_integer(dataset, "PixelRepresentation", 0) == 1
            and samples == 1
            and not palette,
            planar=_integer(dataset, "PlanarConfiguration", 0) == 1,
            big_endian=transfer_syntax == ExplicitVRBigEndian,
            transfer_syntax=transfer_syntax,
            words=pixels.words,
            encapsulated=pixels.encapsulated,
        )

    @property
    def is_grey(self) -> bool:
        """True where the grey pipeline applies: no colour, no palette."""
        return self.samples == 1 and self.photometric != "PALETTE COLOR"

    @property
    def chroma_halved(self) -> bool:
        """True where uncompressed colour shares its two colour samples among two pixels."""
        return self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422") and self.samples == 3

    @property
    def frame_bytes(self) -> int:
        """Length of one uncompressed frame."""
        samples = 2 if self.chroma_halved else self.samples
        return self.rows * self.columns * samples * self.bits_allocated // 8

    @property
    def bytes_swapped(self) -> bool:
        """True where 8-bit pixels lie swapped in the words of a big endian file (PS3.5 8.1.1)."""
        return self.big_endian and self.words and self.bits_allocated == 8 and not self.encapsulated

    @property
    def lossy(self) -> bool:
        """True where decoded values may overshoot the stored bits."""
        return self.encapsulated and self.transfer_syntax not in LOSSLESS


def is_video(transfer_syntax: str) -> bool:
    """Tell whether Pixel Data are one video stream (PS3.5 8.2.5 to 8.2.9)."""
    return transfer_syntax in _VIDEO


def _integer(dataset: Dataset, keyword: str, default: int) -> int:
    value = dataset.get(keyword)
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if len(value) else None
    try:
        return default if value is None else int(value)
    except (TypeError, ValueError, OverflowError):
        return default


class DicomFrames:
    """Frames of one DICOM file (a `FrameSource`); bytes are read by offset, frame by frame.

    Parameters
    ----------
    file : SharedFile
        The file (inflated where its transfer syntax is deflated).
    frames : sequence of sequences of (offset, length)
        Where the bytes of each frame lie; none where it is missing.
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
        if not self._frames[index]:
            raise RunError(tr("Frame {number} is missing from the file.").format(number=index + 1))
        try:
            pixels = self._pixels(index)
        except CodestreamError as error:
            logger.info("frame %d: %s", index, error)
            raise RunError(
                tr("Frame {number} cannot be decoded: {reason}.").format(
                    number=index + 1, reason=error
                )
            ) from error
        if self._palette is not None:
            return self._palette[np.minimum(self._stored_bits(pixels), len(self._palette) - 1)]
        return self._clipped(pixels) if self._format.lossy else self._stored_bits(pixels)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _pixels(self, index: int) -> NDArray[Any]:
        parts, layout = self._frames[index], self._format
        if layout.bytes_swapped:
            return self._uncompressed(self._unswapped(index, *parts[0]))
        data = b"".join(self._file.read_at(*part) for part in parts)
        if layout.encapsulated:
            return self._decompressed(data, index)
        return self._lowered(self._uncompressed(data))

    def _unswapped(self, index: int, start: int, length: int) -> bytes:
        """Read whole words around a frame, which may begin and end in the middle of one."""
        lead = index * length % 2
        end = min(start + length + (lead + length) % 2, self._file.size)
        data = self._file.read_at(start - lead, end - start + lead)
        swapped = np.frombuffer(data + b"\0" * (len(data) % 2), np.uint8).reshape(-1, 2)[:, ::-1]
        return swapped.tobytes()[lead : lead + length]

    def _uncompressed(self, data: bytes) -> NDArray[Any]:
        layout = self._format
        if layout.bits_allocated == 8:
            flat = np.frombuffer(data, np.uint8)
        else:
            flat = np.frombuffer(data, ">u2" if layout.big_endian else "<u2").astype(np.uint16)
        shape = (layout.rows, layout.columns)
        if layout.samples == 1:
            return flat.reshape(shape)
        if layout.chroma_halved:  # Y Y Cb Cr for each two pixels
            luminance = np.ascontiguousarray(flat.reshape(-1, 4)[:, :2]).reshape(shape)
            return self._full_range(luminance)
        if layout.planar:
            pixels = np.moveaxis(flat.reshape(3, *shape), 0, -1)
        else:
            pixels = flat.reshape(*shape, 3)
        return self._luminance(pixels)

    def _decompressed(self, data: bytes, index: int) -> NDArray[Any]:
        """Decode by what the stream says about itself; the transfer syntax may be wrong."""
        layout = self._format
        if not begins_image(data):
            return self._lowered(self._decompressed_plain(data))
        size = codestream_size(data)
        if (size.rows, size.columns) != (layout.rows, layout.columns):
            raise CodestreamError(
                tr("it holds {columns} x {rows} pixels instead of {told}").format(
                    columns=size.columns,
                    rows=size.rows,
                    told=f"{layout.columns} x {layout.rows}",
                )
            )
        sample_bytes = _J2K_SAMPLE_BYTES if is_jpeg_2000(data) else layout.bits_allocated // 8
        needed = size.rows * size.columns * size.samples * sample_bytes
        check_allowance(needed, len(data), tr("Frame {number}").format(number=index + 1))
        grey = self._decoded_image(data)
        if size.bits > layout.high_bit:  # the stream holds whole pixel cells
            grey = self._lowered(grey)
        return self._clipped(grey) if is_jpeg_2000(data) and not is_reversible(data) else grey

    def _decoded_image(self, data: bytes) -> NDArray[Any]:
        if is_jpeg_2000(data):
            pixels = decode_jpeg_2000(data)
            return to_grey(pixels) if mixes_colours(data) else self._luminance(pixels)
        if is_jpeg_ls(data):
            return self._luminance(decode_jpeg_ls(data))
        return to_grey(decode_jpeg(data, stored_as_rgb=self._format.photometric == "RGB"))

    def _decompressed_plain(self, data: bytes) -> NDArray[Any]:
        """Decode what is no picture format of its own: RLE, deflated frames, plain pixels."""
        layout = self._format
        plain = len(data) - layout.frame_bytes in (0, 1)
        deflated = layout.transfer_syntax == DEFLATED_FRAMES
        if layout.transfer_syntax == RLELossless or (
            begins_rle(data) and not plain and not deflated
        ):
            dtype = np.dtype(np.uint8 if layout.bits_allocated == 8 else np.uint16)
            pixels = decode_rle(data, layout.rows, layout.columns, layout.samples, dtype)
            return self._luminance(pixels)
        if deflated:
            try:
                inflate = zlib.decompressobj(-zlib.MAX_WBITS)
                data = inflate.decompress(data, layout.frame_bytes + 1)
            except zlib.error as error:
                raise CodestreamError(tr("its deflated data are damaged")) from error
        if len(data) - layout.frame_bytes not in (0, 1):
            raise CodestreamError(tr("it is compressed in a way that cannot be read"))
        return self._uncompressed(data[: layout.frame_bytes])

    def _luminance(self, pixels: NDArray[Any]) -> NDArray[Any]:
        if pixels.ndim == 3 and self._format.photometric.startswith("YBR"):
            return self._full_range(np.ascontiguousarray(pixels[:, :, 0]))
        return to_grey(pixels)

    def _full_range(self, luminance: NDArray[Any]) -> NDArray[Any]:
        """YBR_PARTIAL keeps black at 16 and white at 235 of 255 (PS3.3 C.7.6.3.1.2)."""
        if not self._format.photometric.startswith("YBR_PARTIAL"):
            return luminance
        unit = float(1 << (self._format.bits_stored - 8)) if self._format.bits_stored > 8 else 1.0
        spread = (luminance.astype(np.float32) - 16.0 * unit) * np.float32(255.0 / 219.0)
        return np.clip(np.rint(spread), 0, 256 * unit - 1).astype(luminance.dtype)

    def _lowered(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Drop the bits of a pixel cell that lie below the stored ones."""
        below: int = self._format.high_bit - self._format.bits_stored + 1
        return pixels >> below

    def _clipped(self, pixels: NDArray[Any]) -> NDArray[np.generic]:
        """Keep values within the stored bits: lossy codecs overshoot, and wrapping is wrong."""
        layout = self._format
        if pixels.dtype.kind == "i" and (layout.signed or layout.bits_stored < 16):
            low = -(1 << (layout.bits_stored - 1)) if layout.signed else 0
            high = low + (1 << layout.bits_stored) - 1
            return np.clip(pixels, low, high).astype(_dtype(layout))
        wide = pixels.view(np.uint8 if pixels.dtype.itemsize == 1 else np.uint16)
        if layout.bits_stored < 8 * wide.dtype.itemsize:
            wide = np.minimum(wide, (1 << layout.bits_stored) - 1)
        return self._stored_bits(wide)

    def _stored_bits(self, pixels: NDArray[Any]) -> NDArray[np.generic]:
        """Keep the stored bits only, sign-extended; what lies beside them is no pixel value."""
        layout = self._format
        pixels = pixels.view(np.uint8 if pixels.dtype.itemsize == 1 else np.uint16)
        if pixels.dtype.itemsize * 8 < layout.bits_stored:  # a stream of fewer bits than declared
            pixels = pixels.astype(np.uint16)
        bits = pixels.dtype.itemsize * 8
        if layout.signed:
            spare = bits - layout.bits_stored
            extended: NDArray[Any] = (pixels << spare).view(np.int8 if bits == 8 else np.int16)
            return (extended >> spare).astype(_dtype(layout), copy=False)
        if layout.bits_stored < bits:
            pixels = pixels & np.array((1 << layout.bits_stored) - 1, pixels.dtype)
        return pixels.astype(_dtype(layout), copy=False)


def _dtype(layout: PixelFormat) -> np.dtype[Any]:
    """Return the type of a frame's stored values."""
    if layout.bits_stored <= 8:
        return np.dtype(np.int8 if layout.signed else np.uint8)
    return np.dtype(np.int16 if layout.signed else np.uint16)
