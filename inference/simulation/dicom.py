"""Write a simulated run as an XA multi-frame DICOM file."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless, XRayAngiographicImageStorage, generate_uid

from inference.simulation.run import SimulatedRun

_SOURCE_TO_DETECTOR_MM = 1100.0
_SOURCE_TO_PATIENT_MM = 760.0


def write_dicom(run: SimulatedRun, path: Path, *, inverted: bool = False) -> None:
    """Write ``run`` as XA Image Storage, compressed losslessly with JPEG-LS.

    The same run gives the same file, UIDs included. The ECG is a Waveform Sequence (an extension
    of the SOP class), the frames of the R waves an R Wave Pointer.

    Parameters
    ----------
    run : SimulatedRun
    path : Path
        File to write.
    inverted : bool
        Store MONOCHROME1 in place of MONOCHROME2.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    dataset = _describe(run)
    _add_times(dataset, run)
    _add_geometry(dataset, run)
    _add_mask(dataset, run)
    _add_ecg(dataset, run)
    _add_pixels(dataset, run, inverted)
    dataset.save_as(path, enforce_file_format=True)


def _describe(run: SimulatedRun) -> FileDataset:
    name = [str(run.seed), run.scenario.value, str(run.frames.shape)]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = XRayAngiographicImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["instance", *name])
    meta.TransferSyntaxUID = JPEGLSLossless
    meta.ImplementationClassUID = generate_uid(entropy_srcs=["fluorotrace"])
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    dataset.SOPClassUID = XRayAngiographicImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study", *name])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series", *name])
    dataset.StudyDate = dataset.ContentDate = "20260101"
    dataset.StudyTime = dataset.ContentTime = "120000"
    dataset.AcquisitionTime = "120000"
    dataset.Modality = "XA"
    dataset.Manufacturer = "Fluorotrace simulation"
    dataset.ReferringPhysicianName = ""
    dataset.AccessionNumber = dataset.StudyID = ""
    dataset.StudyDescription = "Simulated coronary angiography"
    dataset.SeriesDescription = f"Simulated: {run.scenario.value.replace('_', ' ')}"
    dataset.PatientName = "Demo^Simulated"
    dataset.PatientID = "SIMULATED"
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.RadiationSetting = "SC" if run.contrast_mgi.max() == 0 else "GR"
    return dataset


def _add_times(dataset: Dataset, run: SimulatedRun) -> None:
    steps = np.diff(run.frame_times_ms)
    step = float(steps[0]) if len(steps) else 66.7
    dataset.FrameTime = f"{step:.6g}"
    dataset.FrameIncrementPointer = pydicom.tag.Tag("FrameTime")
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = max(1, round(1000 / step))
    dataset.NumberOfFrames = len(run.frames)


def _add_geometry(dataset: Dataset, run: SimulatedRun) -> None:
    dataset.DistanceSourceToDetector = f"{_SOURCE_TO_DETECTOR_MM:g}"
    dataset.DistanceSourceToPatient = f"{_SOURCE_TO_PATIENT_MM:g}"
    at_detector = run.spacing_mm * _SOURCE_TO_DETECTOR_MM / _SOURCE_TO_PATIENT_MM
    dataset.ImagerPixelSpacing = [f"{at_detector:.6g}"] * 2
    dataset.PositionerMotion = "STATIC"
    dataset.PositionerPrimaryAngle = f"{run.primary_angle_deg:.1f}"
    dataset.PositionerSecondaryAngle = f"{run.secondary_angle_deg:.1f}"


def _add_mask(dataset: Dataset, run: SimulatedRun) -> None:
    """Name the frames before contrast as the mask, where there are any."""
    filled = np.flatnonzero(run.vessel_mask.any(axis=(1, 2)))
    if len(filled) == 0 or filled[0] < 3:
        return
    item = Dataset()
    item.MaskOperation = "AVG_SUB"
    item.ApplicableFrameRange = [1, len(run.frames)]
    item.MaskFrameNumbers = list(range(1, int(filled[0])))[-4:]
    dataset.MaskSubtractionSequence = [item]
    dataset.RecommendedViewingMode = "NAT"


def _add_ecg(dataset: Dataset, run: SimulatedRun) -> None:
    frames = np.searchsorted(run.frame_times_ms, run.r_wave_times_ms, side="right")
    if len(frames):
        dataset.RWavePointer = [int(frame) for frame in frames]  # 1-based: the frame on show
    microvolts = np.clip(np.rint(run.ecg * 1000), -32768, 32767).astype("<i2")
    channel = Dataset()
    channel.ChannelSourceSequence = [_code("2:1", "MDC", "Lead I")]
    channel.ChannelSampleSkew = "0"
    channel.WaveformBitsStored = 16
    channel.ChannelSensitivity = "1"
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelSensitivityCorrectionFactor = "1"
    channel.ChannelBaseline = "0"
    channel.ChannelLabel = "I"
    group = Dataset()
    group.MultiplexGroupTimeOffset = "0"
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels = 1
    group.NumberOfWaveformSamples = len(microvolts)
    group.SamplingFrequency = f"{run.ecg_hz:g}"
    group.ChannelDefinitionSequence = [channel]
    group.WaveformBitsAllocated = 16
    group.WaveformSampleInterpretation = "SS"
    group.WaveformData = microvolts.tobytes()
    dataset.WaveformSequence = [group]


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = scheme
    code.CodeMeaning = meaning
    return code


def _add_pixels(dataset: Dataset, run: SimulatedRun, inverted: bool) -> None:
    frames = run.frames
    if inverted:
        frames = frames.dtype.type(run.white) - frames
    dataset.Rows, dataset.Columns = frames.shape[1:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    dataset.BitsAllocated = frames.dtype.itemsize * 8
    dataset.BitsStored = int(run.white).bit_length()
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = "LIN" if run.linear else "LOG"
    low, high = np.percentile(frames[:, ::4, ::4], (0.5, 99.5))
    dataset.WindowCenter = f"{(low + high) / 2:.0f}"
    dataset.WindowWidth = f"{max(high - low, 1):.0f}"
    dataset.PixelData = encapsulate([imagecodecs.jpegls_encode(frame) for frame in frames])
    dataset["PixelData"].VR = "OB"
