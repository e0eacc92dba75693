"""Big runs made for the purpose of measuring: compressed like a scanner's, nobody's pixels."""

from __future__ import annotations

import tempfile
from pathlib import Path

import gdcm
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGLosslessSV1,
    XRayAngiographicImageStorage,
    generate_uid,
)

BITS_STORED = 12


def make_jpeg_lossless_run(
    path: Path, frame_count: int = 300, size: int = 1024, frame_rate_hz: float = 30.0
) -> None:
    """Write an XA run of 16-bit JPEG Lossless (Process 14, SV1) frames with 12 bits stored.

    Parameters
    ----------
    path : Path
        The DICOM file to write.
    frame_count, size : int
        Frames, and rows and columns of each.
    """
    rng = np.random.default_rng(7)
    # A scanner's noise is new in each frame; sixteen different ones cost the decoder as much.
    compressed = [_compress(frame) for frame in _frames(rng, min(frame_count, 16), size)]
    dataset = _dataset(size, frame_count)
    dataset.FrameTime = 1000.0 / frame_rate_hz
    dataset.FrameIncrementPointer = 0x00181063
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset.PixelData = encapsulate([compressed[i % len(compressed)] for i in range(frame_count)])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path, enforce_file_format=True)


def _frames(rng: np.random.Generator, count: int, size: int) -> list[NDArray[np.uint16]]:
    y, x = np.mgrid[0:size, 0:size] / size
    frames = []
    for i in range(count):
        phase = 2 * np.pi * i / count
        tube = np.exp(-(((x - 0.5 - 0.1 * np.sin(6 * y + phase)) / 0.012) ** 2))
        scene = 1800 + 900 * np.sin(3 * x) * np.cos(2 * y) - 700 * tube
        frames.append((scene + rng.normal(0, 40, scene.shape)).clip(0, 4095).astype(np.uint16))
    return frames


def _dataset(size: int, frame_count: int) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = XRayAngiographicImageStorage
    dataset.SOPClassUID = XRayAngiographicImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.Modality = "XA"
    dataset.Rows = dataset.Columns = size
    dataset.NumberOfFrames = frame_count
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, BITS_STORED, BITS_STORED - 1
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    return dataset


def _compress(frame: NDArray[np.uint16]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder) / "plain.dcm", Path(folder) / "packed.dcm"
        dataset = _dataset(frame.shape[0], 1)
        dataset.PixelData = frame.tobytes()
        dataset.save_as(plain, enforce_file_format=True)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(plain))
        if not reader.Read():
            raise RuntimeError("gdcm could not read the frame that was made")
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        if not change.Change():
            raise RuntimeError("gdcm could not compress the frame that was made")
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(packed))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        if not writer.Write():
            raise RuntimeError("gdcm could not write the compressed frame")
        return next(generate_frames(dcmread(packed).PixelData, number_of_frames=1))
