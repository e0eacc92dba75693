"""Grey scale of a DICOM run: Modality LUT, windows, VOI LUTs and palettes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from app.runs.dicom_pixels import PixelFormat
from app.runs.dicom_values import first_group, items, number, numbers, text, words
from app.runs.run import GreyScale, Lut, RunError, VoiFunction, Window


def read_grey(dataset: Dataset, layout: PixelFormat, palette_bits: int | None) -> GreyScale:
    """Read how stored values become a picture.

    Windows of an enhanced run are those of its first frame. VOI LUT values are scaled to 0..1.
    """
    bits = palette_bits or (8 if layout.samples > 1 and layout.bits_stored <= 8 else None)
    transformation = first_group(dataset, "PixelValueTransformationSequence") or dataset
    slope = number(transformation, "RescaleSlope") or 1.0
    intercept = number(transformation, "RescaleIntercept") or 0.0
    voi = first_group(dataset, "FrameVOILUTSequence") or dataset
    modality_luts = _luts(dataset, "ModalityLUTSequence", "ModalityLUTType", layout.signed)
    return GreyScale(
        bits_stored=bits or layout.bits_stored,
        signed=layout.signed,
        inverted=layout.photometric == "MONOCHROME1" or _inverse_shape(dataset),
        slope=slope,
        intercept=intercept,
        modality_lut=modality_luts[0] if modality_luts else None,
        windows=_windows(voi),
        voi_luts=tuple(_unit(lut) for lut in _luts(dataset, "VOILUTSequence", "", layout.signed)),
    )


def _inverse_shape(dataset: Dataset) -> bool:
    """Presentation LUT Shape INVERSE with MONOCHROME2 turns the picture as MONOCHROME1 does."""
    mono2 = text(dataset, "PhotometricInterpretation") == "MONOCHROME2"
    return mono2 and text(dataset, "PresentationLUTShape") == "INVERSE"


def _windows(dataset: Dataset) -> tuple[Window, ...]:
    centers, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    explanations = words(dataset, "WindowCenterWidthExplanation")
    name = text(dataset, "VOILUTFunction")
    function = VoiFunction(name) if name in list(VoiFunction) else VoiFunction.LINEAR
    return tuple(
        Window(center, width, function, explanations[i] if i < len(explanations) else "")
        for i, (center, width) in enumerate(zip(centers, widths, strict=False))
        if width > 0
    )


def _luts(dataset: Dataset, keyword: str, explanation: str, signed: bool) -> list[Lut]:
    found = []
    for item in items(dataset, keyword):
        descriptor = [int(v) for v in numbers(item, "LUTDescriptor")]
        data = item.get("LUTData")
        if len(descriptor) != 3 or data is None:
            continue
        count, first, bits = descriptor
        count = count % 65536 or 65536
        if signed and first > 32767:
            first -= 65536
        if isinstance(data, bytes | bytearray):
            wide = len(data) >= 2 * count
            values = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if wide else "u1")
        else:
            values = np.atleast_1d(np.asarray(data))
        values = values[:count].astype(np.float64)
        if not values.size:
            continue
        label = text(item, "LUTExplanation") or (text(item, explanation) if explanation else "")
        found.append(Lut(first, values, f"{label or 'LUT'}, {bits} bits"))
    return found


def _unit(lut: Lut) -> Lut:
    bits = int(lut.explanation.rsplit(",", 1)[1].split()[0])
    top = max(float((1 << bits) - 1), float(lut.values.max()))
    return Lut(lut.first_input, lut.values / top, lut.explanation)


def nominal_range(dataset: Dataset, layout: PixelFormat, grey: GreyScale) -> tuple[float, float]:
    """Return the modality values of the smallest and largest stored value that can occur.

    Smallest and Largest Image Pixel Value are believed where they make sense.
    """
    if grey.signed:
        low, high = -float(1 << (grey.bits_stored - 1)), float((1 << (grey.bits_stored - 1)) - 1)
    else:
        low, high = 0.0, float((1 << grey.bits_stored) - 1)
    smallest = number(dataset, "SmallestImagePixelValue")
    largest = number(dataset, "LargestImagePixelValue")
    told = smallest is not None and largest is not None and layout.samples == 1
    if told and low <= smallest < largest <= high:  # type: ignore[operator]
        low, high = smallest, largest  # type: ignore[assignment]
    if grey.modality_lut is not None:
        values = grey.modality_lut.values
        return float(values.min()), float(values.max())
    ends = sorted((low * grey.slope + grey.intercept, high * grey.slope + grey.intercept))
    return ends[0], ends[1]


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

    indices = np.arange(1 << min(int(number(dataset, "BitsStored") or 8), 16), dtype=np.uint16)
    try:
        colours = apply_color_lut(indices[np.newaxis], dataset)[0, :, :3]
    except (ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise RunError("The colour palette of the file is damaged; export it again.") from error
    bits = 8 if colours.dtype.itemsize == 1 else 16
    grey = np.rint(colours @ np.array([0.299, 0.587, 0.114]))
    return grey.astype(np.uint8 if bits == 8 else np.uint16), bits
