"""Measures as lines of text: on the picture, in the table, in a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from gettext import gettext as tr

from app.measure.quantities import COVERAGE, Quantity
from app.measure.scale import Scale
from app.measure.vessels import not_validated
from app.tracks.marks import Mark, MarkKind

KIND_TEXTS = {
    MarkKind.DISTANCE: "Distance",
    MarkKind.POLYLINE: "Polyline",
    MarkKind.ANGLE: "Angle",
    MarkKind.RECTANGLE: "Rectangle",
    MarkKind.ELLIPSE: "Ellipse",
    MarkKind.TEXT: "Text",
    MarkKind.ARROW: "Arrow",
    MarkKind.VESSEL: "Vessel",
}
"""The measures, named for the user in English; translated where shown."""
LENGTHS = (MarkKind.DISTANCE, MarkKind.POLYLINE)
COLUMNS = (
    "kind", "frame", "quantity", "value", "unit", "uncertainty", "source", "text", "points", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure with its values and the scale behind them."""

    mark: Mark
    values: tuple[Quantity, ...]
    scale: Scale

    @property
    def source(self) -> str:
        """Where its millimetres come from; "" where it has none."""
        in_mm = any(value.unit.startswith("mm") for value in self.values)
        return self.scale.source if in_mm else ""

    @property
    def lines(self) -> tuple[str, ...]:
        """What is written beside it on the picture."""
        words = tuple(self.mark.text.splitlines())
        if self.mark.kind in LENGTHS:
            (length,) = self.values
            return (*words, ", ".join(filter(None, (length.text, self.source))))
        if self.mark.kind is MarkKind.ANGLE:
            return (*words, self.values[0].text)
        if self.mark.kind is MarkKind.VESSEL and self.values:
            minimal, _, stenosis, lesion = self.values
            told = tr("MLD {minimal}, {stenosis} DS").format(
                minimal=minimal.text, stenosis=stenosis.text
            )
            long = tr("lesion {length}").format(length=lesion.text)
            return (*words, told, ", ".join(filter(None, (long, self.source))), self.note)
        named = (f"{value.name} {value.text}" for value in self.values)
        return (*words, *named)

    @property
    def note(self) -> str:
        """What must stand beside the values wherever they are told; "" where nothing must."""
        return not_validated() if self.mark.kind is MarkKind.VESSEL else ""

    @property
    def value_text(self) -> str:
        """All values in one line."""
        if len(self.values) == 1:
            return self.values[0].text
        named = ", ".join(f"{value.name} {value.text}" for value in self.values)
        return f"{named} ({self.note})" if self.note else named


def kind_text(kind: MarkKind) -> str:
    """Name a kind of measure for the user."""
    return tr(KIND_TEXTS[kind])


def frame_text(mark: Mark) -> str:
    """Say on which frame a measure lies, counted from 1."""
    return tr("all") if mark.frame is None else str(mark.frame + 1)


def csv_text(measured: Iterable[Measured]) -> str:
    """Return measures as CSV (RFC 4180): a line a value, or one for words alone.

    ``uncertainty`` covers 95%, in the unit of the value; it is empty where nobody knows it.
    ``frame`` counts from 1 and is empty for all frames. Points are x y pairs in pixels.
    """
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow(COLUMNS)
    for each in measured:
        mark = each.mark
        frame = "" if mark.frame is None else mark.frame + 1
        points = "; ".join(f"{x:.2f} {y:.2f}" for x, y in mark.points)
        for value in each.values or (None,):
            amounts = ("", "", "", "")
            if value is not None:
                spread = "" if value.sd is None else f"{COVERAGE * value.sd:.4g}"
                amounts = (value.name, f"{value.value:.6g}", value.unit, spread)
            source = each.source if amounts[2].startswith("mm") else ""
            words = _inert(mark.text)
            writer.writerow((mark.kind.value, frame, *amounts, source, words, points, each.note))
    return told.getvalue()


def _inert(text: str) -> str:
    """Keep words of the user from being taken for a formula by a spreadsheet."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
