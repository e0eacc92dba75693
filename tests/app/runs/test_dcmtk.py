"""``fluorotrace picture`` shows the greys that DCMTK shows, an independent reader of DICOM."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing

import cv2
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from app.cli.main import main
from app.display.shutter import shutter_opening
from app.runs.opening import open_run

PROGRAMS = ("dcm2pnm", "dcmj2pnm", "dcml2pnm")
WG04 = ["UNC", "RLE", "JPLL", "JPLY", "JLSL", "JLSN", "J2KR", "J2KI"]
FURTHEST = {"J2KI": 8}
"""Lossy JPEG 2000 is compared with the uncompressed picture: DCMTK reads none. All others: 1."""

pytestmark = pytest.mark.skipif(
    not all(shutil.which(program) for program in PROGRAMS), reason="DCMTK is not installed"
)


@pytest.fixture
def ours(tmp_path):
    """Return a function that writes a frame by our command, and reads it."""

    def picture(path, frame=0, *options):
        output = tmp_path / "ours.png"
        command = ["picture", str(path), "--frame", str(frame), *options]
        assert main([*command, "--output", str(output)]) == 0
        return cv2.imread(str(output), cv2.IMREAD_UNCHANGED).astype(int)

    return picture


@pytest.fixture
def theirs(tmp_path):
    """Return a function that writes a frame by the one of DCMTK's programs that reads the file."""

    def picture(path, frame=0, *options):
        output = tmp_path / "theirs.png"
        for program in PROGRAMS:
            output.unlink(missing_ok=True)
            command = [program, "--write-png", "--frame", str(frame + 1), *options]
            command += [str(path), str(output)]
            done = subprocess.run(command, check=False, capture_output=True)
            if done.returncode == 0 and output.exists():
                return cv2.imread(str(output), cv2.IMREAD_UNCHANGED).astype(int)
        pytest.fail(f"DCMTK does not read {path.name}")

    return picture


# the same angiogram in eight transfer syntaxes


@pytest.mark.parametrize("kind", WG04)
def test_transfer_syntaxes(shared_data, ours, theirs, kind):
    folder = shared_data / "nema_wg04"
    # DCMTK reads no JPEG 2000; it is the same picture as the uncompressed one
    theirs_of = "UNC" if kind.startswith("J2K") else kind
    expected = theirs(folder / f"XA1_{theirs_of}.dcm", 0, "+Ww", "400", "300")
    difference = np.abs(ours(folder / f"XA1_{kind}.dcm", 0, "--window", "400,300") - expected)
    assert difference.max() <= FURTHEST.get(kind, 1)
    assert difference.mean() < 0.1


@pytest.mark.parametrize("kind", ["UNC", "JPLL"])
def test_without_a_window_the_values_that_occur_are_shown(shared_data, ours, theirs, kind):
    path = shared_data / "nema_wg04" / f"XA1_{kind}.dcm"
    assert np.abs(ours(path) - theirs(path, 0, "+Wm")).max() <= 1


# the cases that DCMTK can read, and other real runs; shutters are left to us


@pytest.mark.parametrize(
    ("name", "frames", "options"),
    [
        ("field_cases/ecg_after_pressure.dcm", (0, 5), ()),
        ("field_cases/empty_item_for_frame_3.dcm", (0, 1, 3, 5), ()),
        ("field_cases/jpeg_number_of_frames_4_of_6_stored.dcm", (0,), ()),
        ("field_cases/mono1_identity.dcm", (0, 5), ()),
        ("field_cases/no_number_of_frames_6_stored.dcm", (0,), ()),
        ("field_cases/number_of_frames_huge.dcm", (0, 5), ()),
        ("field_cases/xa_modality_lut_log.dcm", (0, 1), ()),
        ("field_cases/xa_modality_lut_log_window.dcm", (0, 1), ("+Wi", "1")),
        ("field_cases/single_frame_series/IM-0001-0001.dcm", (0,), ()),
        ("rubo/0002.DCM", (0, 50), ()),
        ("rubo/0015.DCM", (0,), ("+Wi", "1")),
        ("orthanc/KarstenHilbertRF.dcm", (0,), ("+Wi", "1")),
        ("phantom_vukicevic/IM1.dcm", (3,), ("+Wi", "1")),
        ("phantom_vukicevic/IM5.dcm", (3,), ("+Wi", "1")),
    ],
)
def test_real_files(shared_data, ours, theirs, name, frames, options):
    path = shared_data / name
    run = open_run(path)
    with closing(run.frames):
        inside = np.ones((run.rows, run.columns), bool)
        if run.shutter is not None:
            inside = shutter_opening(run.shutter, run.rows, run.columns) > 0
    for frame in frames:
        difference = np.abs(ours(path, frame) - theirs(path, frame, *options))[inside]
        assert difference.max() <= 1


@pytest.mark.parametrize("frame", range(6))
def test_each_frame_s_own_window(shared_data, ours, theirs, frame):
    path = shared_data / "field_cases" / "enhanced_xa_per_frame_window.dcm"
    run = open_run(path)
    with closing(run.frames):
        voi = run.grey.frame_vois[frame]
    expected = theirs(path, frame, "+Ww", f"{voi.center}", f"{voi.width}")
    assert np.abs(ours(path, frame) - expected).max() <= 1


def test_padding_apart_the_picture_is_the_same(shared_data, ours, theirs):
    path = shared_data / "field_cases" / "rf16_pixel_padding_65535.dcm"
    run = open_run(path)
    with closing(run.frames):
        field = run.frames.read(2) != 65535
    expected = theirs(path, 2, "+Ww", "700", "1200")
    assert np.abs(ours(path, 2, "--window", "700,1200") - expected)[field].max() <= 1


# files of our own: each part of the grayscale pipeline


RAMP8 = np.arange(2 * 16 * 24).reshape(2, 16, 24).astype(np.uint8)
RAMP12 = (np.arange(2 * 16 * 24).reshape(2, 16, 24) * 5).astype(np.uint16)
SIGNED = (np.arange(2 * 16 * 24).reshape(2, 16, 24) * 5 - 2000).astype(np.int16)
IN_12 = {"BitsStored": 12, "HighBit": 11}
WINDOW = {"WindowCenter": "1500", "WindowWidth": "2000"}


def lut(first, values, bits, kind=None):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(values), first, bits])
    item.add_new("LUTData", "US", [int(value) for value in values])
    if kind:
        item.ModalityLUTType = kind
    return item


SQUARE_LUT = lut(0, np.arange(4096) ** 2 >> 8, 16)


@pytest.mark.parametrize(
    ("pixels", "attributes", "options"),
    [
        (RAMP8, {}, ()),
        (RAMP8, {"WindowCenter": "100", "WindowWidth": "50"}, ("+Wi", "1")),
        (RAMP8, {"WindowCenter": ["10", "90"], "WindowWidth": ["20", "99"]}, ("+Wi", "1")),
        (RAMP8, {"PhotometricInterpretation": "MONOCHROME1"}, ()),
        (RAMP8, {"PresentationLUTShape": "INVERSE"}, ()),
        (
            RAMP8,
            {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
            (),
        ),
        (RAMP12, {**IN_12, **WINDOW}, ("+Wi", "1")),
        (RAMP12, {**IN_12, **WINDOW, "VOILUTFunction": "SIGMOID"}, ("+Wi", "1")),
        (RAMP12, {**WINDOW, "BitsStored": 12, "HighBit": 13}, ("+Wi", "1")),
        (SIGNED, {"WindowCenter": "-200", "WindowWidth": "900"}, ("+Wi", "1")),
        (RAMP12, {**IN_12, "VOILUTSequence": [SQUARE_LUT]}, ("+Wl", "1")),
        (RAMP8, {"ModalityLUTSequence": [lut(0, np.arange(256)[::-1], 8, "US")]}, ()),
        (RAMP8, {"RescaleSlope": "2", "RescaleIntercept": "-9", "RescaleType": "US"}, ()),
        (
            RAMP12,
            {
                **IN_12,
                **WINDOW,
                "SOPClassUID": SecondaryCaptureImageStorage,
                "RescaleSlope": "1.5",
                "RescaleIntercept": "-700",
            },
            ("+Wi", "1"),
        ),
        (
            RAMP8,
            {
                "SOPClassUID": SecondaryCaptureImageStorage,
                "ModalityLUTSequence": [lut(0, np.arange(256) * 11, 16, "US")],
                **WINDOW,
            },
            ("+Wi", "1"),
        ),
    ],
)  # fmt: skip
def test_the_grayscale_pipeline(write_run, ours, theirs, pixels, attributes, options):
    path = write_run(pixels, **attributes)
    for frame in (0, 1):
        assert np.abs(ours(path, frame) - theirs(path, frame, *options)).max() <= 1


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
@pytest.mark.parametrize("pixels", [RAMP8, RAMP12])
def test_other_encodings(tmp_path, make_dataset, ours, theirs, syntax, pixels):
    dataset = make_dataset(pixels, WindowCenter="120", WindowWidth="222")
    if syntax == RLELossless:
        dataset.compress(RLELossless)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            dataset["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
            dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    path = tmp_path / "run.dcm"
    little = syntax != ExplicitVRBigEndian
    dataset.save_as(
        path, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=little,
        enforce_file_format=True,
    )  # fmt: skip
    for frame in (0, 1):
        assert np.abs(ours(path, frame) - theirs(path, frame, "+Wi", "1")).max() <= 1
