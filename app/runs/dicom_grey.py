"""Grey scale of a DICOM run: Modality LUT, windows, VOI LUTs, padding and palettes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from gettext import gettext as tr
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import XRayAngiographicImageStorage, XRayRadiofluoroscopicImageStorage

from app.runs.dicom_pixels import PixelFormat
from app.runs.dicom_values import (
    first_group,
    frame_groups,
    items,
    note_impossible,
    number,
    numbers,
    sensible,
    text,
    words,
)
from app.runs.run import (
    FrameSource,
    GreyScale,
    Lut,
    RunError,
    VoiFunction,
    Window,
)

LARGEST_VALUE = 1e8
"""No modality value of an X-ray run lies beyond; it is a mistake in the file."""

SAMPLED_FRAMES = 16
SAMPLED_PIXELS = 1 << 25
"""What is looked at where the file gives no window: all frames of a run of up to 32 of 1024 x 1024
pixels, at least so many of a longer one."""

_Offer = tuple[tuple[Window, ...], tuple[Lut, ...]]

_STORED_AS_SHOWN = frozenset(
    map(
        str,
        (
            XRayAngiographicImageStorage,
            XRayRadiofluoroscopicImageStorage,
            "1.2.840.10008.5.1.4.1.1.12.3",  # biplane, retired
        ),
    )
)
"""Images whose modality transformation is not for display.

It leads back to X-ray intensity (PS3.3 C.8.7.1.1.2) while windows and viewers take stored values:
so do DCMTK, fo-dicom, cornerstone and, for LOG and DISP, dcm4che.
"""


def read_grey(
    dataset: Dataset,
    layout: PixelFormat,
    frame_count: int,
    palette_bits: int | None,
    notes: list[str],
) -> GreyScale:
    """Read how stored values become a picture. VOI LUT values are scaled to 0..1.

    Colour has no grey scale but its own (PS3.3 C.7.6.3.1.2): it is shown as it is.
    """
    if not layout.is_grey:
        return GreyScale(bits_stored=palette_bits or layout.bits_stored)
    grey = GreyScale(
        bits_stored=layout.bits_stored,
        signed=layout.signed,
        inverted=_is_inverted(dataset, layout),
        padding=_padding(dataset, layout, notes),
    )
    if text(dataset, "SOPClassUID") not in _STORED_AS_SHOWN:
        grey = _with_modality(dataset, layout, grey, notes)
    return _with_voi(dataset, layout, frame_count, grey, notes)


def _is_inverted(dataset: Dataset, layout: PixelFormat) -> bool:
    """Presentation LUT Shape decides where it is given, else MONOCHROME1; as in DCMTK."""
    shape = text(dataset, "PresentationLUTShape")
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return layout.photometric == "MONOCHROME1"


def _with_modality(
    dataset: Dataset, layout: PixelFormat, grey: GreyScale, notes: list[str]
) -> GreyScale:
    luts = _luts(dataset, "ModalityLUTSequence", "ModalityLUTType", layout)
    if luts:
        return replace(grey, modality_lut=luts[0][0])
    source = first_group(dataset, "PixelValueTransformationSequence") or dataset
    limit = LARGEST_VALUE
    slope = sensible(source, "RescaleSlope", -limit, limit, tr("rescale slope"), notes)
    intercept = sensible(source, "RescaleIntercept", -limit, limit, tr("rescale intercept"), notes)
    if slope is not None and abs(slope) < 1.0 / limit:
        if slope:  # 0 stands for unknown in many files
            note_impossible(notes, tr("rescale slope"), slope)
        slope = None
    return replace(grey, slope=slope or 1.0, intercept=intercept or 0.0)


def _with_voi(
    dataset: Dataset, layout: PixelFormat, frame_count: int, grey: GreyScale, notes: list[str]
) -> GreyScale:
    """Add windows and VOI LUTs: of all frames, or each frame's own (PS3.3 C.7.6.16.2.10)."""
    read: dict[int, _Offer] = {}  # a group that frames share is read once
    offers: list[_Offer] = []
    for group in frame_groups(dataset, "FrameVOILUTSequence", frame_count):
        if group is not None and id(group) not in read:
            read[id(group)] = _offer(group, layout, notes)
        offers.append(((), ()) if group is None else read[id(group)])
    vois = each_frames_voi([(*luts, *windows, None)[0] for windows, luts in offers])
    if vois:
        return replace(grey, frame_vois=vois)
    told = next((offer for offer in offers if any(offer)), None)
    windows, luts = told or _offer(dataset, layout, notes)
    return replace(grey, windows=windows, voi_luts=luts)


def each_frames_voi(vois: Sequence[Window | Lut | None]) -> tuple[Window | Lut, ...]:
    """Return the window or LUT of each frame where they differ; empty where one serves all.

    A frame without its own takes that of the frame before it, as players do.
    """
    told = next((voi for voi in vois if voi is not None), None)
    if told is None or all(voi is None or voi == told for voi in vois):
        return ()
    filled = []
    for voi in vois:
        told = told if voi is None else voi
        filled.append(told)
    return tuple(filled)


def _offer(dataset: Dataset, layout: PixelFormat, notes: list[str]) -> _Offer:
    luts = tuple(_unit(lut, bits) for lut, bits in _luts(dataset, "VOILUTSequence", "", layout))
    return _windows(dataset, notes), luts


def _windows(dataset: Dataset, notes: list[str]) -> tuple[Window, ...]:
    centers, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    explanations = words(dataset, "WindowCenterWidthExplanation")
    name = text(dataset, "VOILUTFunction")
    function = VoiFunction(name) if name in list(VoiFunction) else VoiFunction.LINEAR
    found = []
    for i, (center, width) in enumerate(zip(centers, widths, strict=False)):
        if max(abs(center), abs(width)) > LARGEST_VALUE:
            note_impossible(notes, tr("window"), max(center, width, key=abs))
        elif 0 < width < 1.0 / LARGEST_VALUE:
            note_impossible(notes, tr("window"), width)
        elif width > 0:
            label = explanations[i] if i < len(explanations) else ""
            found.append(Window(center, width, function, label))
    return tuple(found)


def _luts(
    dataset: Dataset, keyword: str, explanation: str, layout: PixelFormat
) -> list[tuple[Lut, int]]:
    """Return the LUTs of a sequence, and the bits of their values."""
    found = []
    for item in items(dataset, keyword):
        descriptor = numbers(item, "LUTDescriptor")
        data = item.get("LUTData")
        if len(descriptor) != 3 or data is None or max(map(abs, descriptor[:2])) > 65536:
            continue
        count, first = int(descriptor[0]) % 65536 or 65536, int(descriptor[1])
        if layout.signed and first > 32767:
            first -= 65536
        if isinstance(data, bytes | bytearray):
            wide = ">u2" if layout.big_endian else "<u2"
            kind = wide if len(data) >= 2 * count else "u1"
            values = np.frombuffer(data[: len(data) // 2 * 2], kind)
        else:
            values = np.atleast_1d(np.asarray(data))
        values = values[:count].astype(np.float64)
        if not values.size or not np.isfinite(values).all():
            continue
        # Third value of the descriptor: 8 or 16 (PS3.3 C.11.1.1), 10 and 12 in many files.
        bits = int(descriptor[2]) if 1 <= descriptor[2] <= 16 else 0
        bits = max(bits, int(values.max()).bit_length(), 1)
        label = text(item, "LUTExplanation") or (text(item, explanation) if explanation else "")
        found.append((Lut(first, values, f"{label or 'LUT'}, {bits} bits"), bits))
    return found


def _unit(lut: Lut, bits: int) -> Lut:
    return replace(lut, values=lut.values / float((1 << bits) - 1))


def _padding(dataset: Dataset, layout: PixelFormat, notes: list[str]) -> tuple[int, int] | None:
    """Return the stored values of Pixel Padding Value and its Range Limit (PS3.3 C.7.5.1.1.2)."""
    value = number(dataset, "PixelPaddingValue")
    if value is None or abs(value) > 65535:
        return None
    limit = number(dataset, "PixelPaddingRangeLimit")
    ends = (value, value if limit is None or abs(limit) > 65535 else limit)
    low, high = sorted(_as_stored(int(end), layout) for end in ends)
    if high - low >= 1 << (layout.bits_stored - 1):
        notes.append(tr("The file calls most of its grey values padding; they are shown."))
        return None
    return low, high


def _as_stored(value: int, layout: PixelFormat) -> int:
    """Return the value as frames hold it: the stored bits, with their sign."""
    value &= (1 << layout.bits_stored) - 1
    return (
        value - (1 << layout.bits_stored)
        if layout.signed and value >> (layout.bits_stored - 1)
        else value
    )


def nominal_range(
    layout: PixelFormat, grey: GreyScale, frames: FrameSource, count: int
) -> tuple[float, float]:
    """Return the modality values that the picture spans where the file gives no window.

    They are those that can be stored. Of more than 8 bits most files use a part, so that frames
    from all over the run tell; one of them alone may be dark. Smallest and Largest Image Pixel
    Value are not asked: many files write those of their first frame.
    """
    low, high = (-(1 << (grey.bits_stored - 1)) if grey.signed else 0), 1 << grey.bits_stored
    ends = float(low), float(low + high - 1)
    if grey.modality_lut is not None:
        values = grey.modality_lut.values
        return float(values.min()), max(float(values.max()), float(values.min()) + 1.0)
    if layout.is_grey:
        found = found_range(grey, frames, count, layout.rows * layout.columns)
        if found is not None:
            return found
    first, last = sorted(end * grey.slope + grey.intercept for end in ends)
    return first, last


def found_range(
    grey: GreyScale, frames: FrameSource, count: int, frame_pixels: int
) -> tuple[float, float] | None:
    """Return the modality values found in the frames, where only they tell; else None."""
    if grey.described or grey.bits_stored <= 8 or grey.modality_lut is not None:
        return None
    padding = grey.padding
    lows, highs = [], []
    most = max(SAMPLED_FRAMES, SAMPLED_PIXELS // max(frame_pixels, 1))
    for index in np.unique(np.linspace(0, count - 1, min(count, most)).astype(int)):
        try:
            values: NDArray[Any] = frames.read(int(index))
        except RunError:
            continue  # it says so when it is shown
        if padding is not None:
            values = values[(values < padding[0]) | (values > padding[1])]
        if values.size:
            lows.append(float(values.min()))
            highs.append(float(values.max()))
    if not lows or min(lows) == max(highs):
        return None
    low, high = sorted(v * grey.slope + grey.intercept for v in (min(lows), max(highs)))
    return low, high


def grey_palette(dataset: Dataset) -> tuple[NDArray[np.generic], int] | None:
    """Return the grey value of each palette index and its bits, or None without a palette.

    Raises
    ------
    RunError
        If the picture needs a palette and the file's one is damaged.
    """
    if text(dataset, "PhotometricInterpretation") != "PALETTE COLOR":
        return None
    from pydicom.pixels.processing import apply_color_lut

    bits_stored = int(number(dataset, "BitsStored") or 8)
    indices = np.arange(1 << min(max(bits_stored, 1), 16), dtype=np.uint16)
    try:
        colours = apply_color_lut(indices[np.newaxis], dataset)[0, :, :3]
    except (ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise RunError(tr("The colour palette of the file is damaged; export it again.")) from error
    bits = 8 if colours.dtype.itemsize == 1 else 16
    grey = np.rint(colours @ np.array([0.299, 0.587, 0.114]))
    return grey.astype(np.uint8 if bits == 8 else np.uint16), bits
