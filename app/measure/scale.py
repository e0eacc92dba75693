"""What a pixel is long: the one place from which every millimetre of the program comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as tr
from typing import Any

from app.runs.run import Run, Spacing, SpacingSource
from app.tracks.marks import Mark, MarkKind

LARGEST_KNOWN = 10_000.0
"""French, or mm: nothing larger was ever laid beside a patient."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a pixel, and how that is known.

    Attributes
    ----------
    column_size, row_size : float
        Distance between pixel centres along a row and down a column, in ``unit``.
    unit : str
        "mm", or "px" where no millimetre is known in the patient.
    source : str
        How the millimetres are known, for the user; "" for pixels.
    relative_sd : float or None
        Standard uncertainty of the size as a share of it; None where nobody knows it.
    """

    column_size: float
    row_size: float
    unit: str
    source: str = ""
    relative_sd: float | None = None

    @property
    def in_mm(self) -> bool:
        """True where lengths are millimetres in the patient."""
        return self.unit == "mm"


def scale_of(run: Run, marks: Sequence[Mark] = ()) -> Scale:
    """Return the scale of a run: what a person calibrated, else what its file says, else pixels.

    A spacing at the detector is none in the patient (DICOM C.8.7.5) and gives no millimetre.
    """
    mark = calibration_of(marks)
    aspect = run.pixel_aspect_ratio
    if mark is not None:
        size, share = mark.values["mm_per_px"], mark.values["relative_sd"]
        return Scale(size, size * aspect, "mm", source_text(mark.values), share)
    spacing = run.spacing
    if spacing is not None and spacing.holds_in_patient:
        return Scale(spacing.column_mm, spacing.row_mm, "mm", tr(spacing.source.value))
    return Scale(1.0, aspect, "px")


def spacing_of(run: Run, marks: Sequence[Mark]) -> Spacing | None:
    """Return what label files say of a pixel: what a person calibrated, else the file's spacing."""
    scale = scale_of(run, marks)
    if calibration_of(marks) is None:
        return run.spacing
    return Spacing(scale.row_size, scale.column_size, SpacingSource.CALIBRATED)


def calibration_of(marks: Sequence[Mark]) -> Mark | None:
    """Return the calibration among marks; the newest where there are several."""
    found = None
    for mark in marks:
        if mark.kind is MarkKind.CALIBRATION and is_calibration(mark.values):
            found = mark
    return found


def source_text(values: Mapping[str, Any]) -> str:
    """Say how a calibration was made, such as "catheter 6 F"."""
    size = values["size"]
    match values.get("method"):
        case "catheter":
            told = tr("catheter {french} F").format(french=f"{size:g}")
        case "length":
            told = tr("known length {length} mm").format(length=f"{size:g}")
        case "sphere":
            told = tr("sphere of {diameter} mm").format(diameter=f"{size:g}")
        case _:
            told = tr("distances of the C-arm")
    # not in which run: names of files are names of patients, and this goes into every export
    return tr("{source}, in another run").format(source=told) if values.get("from") else told


def scale_text(run: Run, scale: Scale) -> str:
    """Say how long a pixel is and how that is known, or that it is not."""
    if scale.in_mm:
        share = "" if scale.relative_sd is None else f" ± {196.0 * scale.relative_sd:.1f}%"
        return tr("{size} mm/px{share}, {source}").format(
            size=f"{scale.column_size:.3f}", share=share, source=scale.source
        )
    if run.spacing is None:
        return tr("px only: not calibrated")
    size = f"{run.spacing.column_mm:.3f} mm/px"
    return tr("{size} at detector: not in the patient").format(size=size)


def is_calibration(values: Mapping[str, Any]) -> bool:
    """Tell whether the values of a mark make a calibration that can be believed."""
    size, share, known = (values.get(name) for name in ("mm_per_px", "relative_sd", "size"))
    return (
        isinstance(size, float)
        and 1e-4 < size < 100.0
        and isinstance(share, float)
        and 0.0 <= share < 1.0
        and isinstance(known, float)
        and 0.0 <= known <= LARGEST_KNOWN
    )
