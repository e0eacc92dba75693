"""DICOM files built in the test's own folder, attribute by attribute."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage, generate_uid


def xa_dataset(pixels: np.ndarray, **attributes: object) -> Dataset:
    """Return an XA data set around stored pixels (frames, rows, columns[, samples])."""
    stack = pixels if pixels.ndim > 2 else pixels[np.newaxis]
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = XRayAngiographicImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.Modality = "XA"
    dataset.PatientName = "Test^Person"
    dataset.PatientID = "42"
    dataset.NumberOfFrames = len(stack)
    dataset.Rows, dataset.Columns = stack.shape[1:3]
    dataset.SamplesPerPixel = stack.shape[3] if stack.ndim == 4 else 1
    if stack.ndim == 4:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = stack.dtype.itemsize * 8
    dataset.BitsStored = stack.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stack.dtype.kind == "i")
    dataset.PixelData = stack.tobytes() + b"\0" * (stack.nbytes % 2)
    for keyword, value in attributes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    dataset["PixelData"].VR = "OB" if stack.dtype.itemsize == 1 else "OW"
    return dataset


@pytest.fixture
def make_dataset():
    """Return the function that builds an XA data set around stored pixels."""
    return xa_dataset


@pytest.fixture
def write_compressed(tmp_path):
    """Return a function that writes a DICOM file of these code streams, one a frame."""

    def write(streams, like, syntax, **attributes):
        dataset = xa_dataset(like, **attributes)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate(streams, has_bot=True)
        dataset["PixelData"].VR = "OB"
        path = tmp_path / "compressed.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def write_run(tmp_path):
    """Return a function that writes a DICOM file of these pixels and attributes."""
    numbers = iter(range(1000))

    def write(pixels, name=None, **attributes):
        path = tmp_path / (name or f"run{next(numbers)}.dcm")
        dataset = xa_dataset(pixels, **attributes)
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def ramp():
    """Ten 8-bit frames of 16 x 24 pixels; frame k is a ramp that begins at k."""
    base = np.arange(16 * 24, dtype=np.uint8).reshape(16, 24)
    return np.stack([base + k for k in range(10)]).astype(np.uint8)
