"""Calibration of the open run: by a catheter, a length, a ball, the C-arm, or another run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from gettext import gettext as tr
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from app.errors import UserError
from app.measure import calibrations
from app.measure.quantities import path_length
from app.measure.scale import source_text
from app.measure.table import LENGTHS
from app.session.background import Background, Task
from app.session.labelling import Labelling
from app.session.library import Library
from app.session.open_run import OpenRun
from app.tracks.marks import Mark, MarkKind, Point

if TYPE_CHECKING:
    from inference.measuring.catheter import CatheterWidth
    from inference.measuring.sphere import Circle

SHORTEST_PX = 10.0
"""A calibration along less than this is worth nothing."""
MATRIX = 512.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured on the picture and waits for its size.

    Attributes
    ----------
    catheter, ball : CatheterWidth or None, Circle or None
        One of them.
    """

    opened: OpenRun
    frame: int
    points: tuple[Point, ...]
    catheter: CatheterWidth | None = None
    ball: Circle | None = None

    @property
    def filled(self) -> bool:
        """True of a catheter that seems to be filled with contrast."""
        return self.catheter is not None and "filled" in self.catheter.doubts

    @property
    def edges(self) -> tuple[tuple[Point, ...], ...]:
        """The lines that were found on the picture."""
        found: tuple[NDArray[np.floating], ...]
        if self.catheter is not None:
            found = (self.catheter.left, self.catheter.right)
        else:
            assert self.ball is not None
            across = self.ball.diameter_px / 2
            down = across / self.opened.run.pixel_aspect_ratio
            found = (_ellipse((self.ball.x, self.ball.y), (across, down), 61),)
        return tuple(tuple((float(x), float(y)) for x, y in edge) for edge in found)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why it may be wrong, a sentence each."""
        found = () if self.catheter is None else self.catheter.doubts
        texts = {
            "filled": tr(
                "This stretch seems to be filled with contrast, which reads too small: better "
                "draw along an empty one."
            ),
            "few profiles": tr("The stretch is short: draw a longer one to be surer."),
            "unsteady": tr("The edges are unsteady here: try a clearer stretch."),
        }
        return tuple(texts[doubt.value] for doubt in sorted(found))


@dataclass(frozen=True, slots=True)
class Offer:
    """A calibration of another run of the study, made with the C-arm standing the same way."""

    run_name: str
    values: Mapping[str, Any]

    @property
    def text(self) -> str:
        """What is asked."""
        told = tr("{name} was calibrated by {source} with the same geometry.")
        return told.format(name=self.run_name, source=source_text(self.values))


class Calibrating(QObject):
    """Measures on a thread, and writes calibrations as gestures of the labels.

    Signals
    -------
    read(object) : a `Reading` that waits for its size.
    offered(object) : an `Offer` for the open run; nothing is taken over unasked.
    refused(str) : one sentence, why something cannot be done.
    working(str) : what is being measured; "" when that is over.
    """

    read = Signal(object)
    offered = Signal(object)
    refused = Signal(str)
    working = Signal(str)

    def __init__(self, labelling: Labelling, background: Background, library: Library) -> None:
        super().__init__()
        self._labelling = labelling
        self._background = background
        self._library = library
        self._opened: OpenRun | None = None
        self._offer: Offer | None = None
        self._reading: Task | None = None

    def set_run(self, opened: OpenRun | None) -> None:
        """Calibrate another run; where one like it is calibrated already, offer that."""
        if self._reading is not None:
            self._reading.cancel()
            self._end_reading()
        if self._opened is not None:
            self._library.note_calibration(self._opened.run, _values_of(self._opened))
        self._opened = opened
        self._offer = None
        if opened is None or opened.store.read_only or _values_of(opened) is not None:
            return
        for path, values in self._library.calibrations.items():
            if path != opened.run.path and calibrations.holds_for(values, opened.run):
                self._offer = Offer(path.name, values)
                self.offered.emit(self._offer)
                return

    # measuring on the picture

    def measure_catheter(self, frame: int, points: Sequence[Point], build: str = "unknown") -> None:
        """Find the edges of a catheter along a stretch; `read` follows.

        ``build`` is one of `inference.measuring.catheter.Build`.
        """

        def find(opened: OpenRun) -> Reading:
            from inference.measuring.catheter import Build, measure_catheter

            linear = opened.run.pixel_intensity_relationship == "LIN"
            picture = np.asarray(opened.sequence.read(frame))
            found = measure_catheter(
                picture,
                np.array(points),
                Build(build),
                linear=linear,
                aspect=opened.run.pixel_aspect_ratio,
            )
            return Reading(opened, frame, tuple(points), catheter=found)

        none = tr("No catheter stands out there; draw along its middle, on an empty stretch.")
        self._measure(find, none)

    def measure_sphere(self, frame: int, points: Sequence[Point]) -> None:
        """Find the rim of a ball in an ellipse drawn around it; `read` follows."""
        (x0, y0), (x1, y1) = points
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        rim = _ellipse(middle, (abs(x1 - x0) / 2, abs(y1 - y0) / 2), 8)

        def find(opened: OpenRun) -> Reading:
            from inference.measuring.sphere import measure_sphere

            picture = np.asarray(opened.sequence.read(frame))
            found = measure_sphere(picture, rim, aspect=opened.run.pixel_aspect_ratio)
            return Reading(opened, frame, tuple(points), ball=found)

        none = tr("No ball stands out there; draw the ellipse along its rim.")
        self._measure(find, none)

    def _measure(self, find: Callable[[OpenRun], Reading], none: str) -> None:
        opened = self._opened
        if opened is None:
            return
        if self._reading is not None:
            self._reading.cancel()

        def work(_: Task) -> Reading:
            try:
                return find(opened)
            except (ValueError, LookupError) as error:
                raise UserError(none) from error

        def done(reading: Reading) -> None:
            self._end_reading()
            if reading.opened is self._opened:
                self.read.emit(reading)

        def failed(told: str) -> None:
            self._end_reading()
            self.refused.emit(told)

        self._reading = self._background.start(work, done, failed)
        self.working.emit(tr("Looking for the edges…"))

    def _end_reading(self) -> None:
        self._reading = None
        self.working.emit("")

    # calibrating

    def take(self, reading: Reading, size: float, *, all_the_same: bool = False) -> None:
        """Calibrate by what was measured: a catheter of so many French, a ball of so many mm.

        By a filled catheter only where somebody said that it is to be done ``all_the_same``.
        """
        from inference.measuring.calibration import by_catheter, by_sphere

        opened, catheter, ball = reading.opened, reading.catheter, reading.ball
        if opened is not self._opened:
            return
        if reading.filled and not all_the_same:
            self.refused.emit(tr("A filled catheter reads too small; draw along an empty stretch."))
            return
        if catheter is not None:
            method, measured = "catheter", by_catheter(catheter, size)
        else:
            assert ball is not None
            method, measured = "sphere", by_sphere(ball, size)
        self._labelling.apply(
            calibrations.calibrate(
                opened.run,
                opened.labels.marks,
                measured,
                method,
                size,
                frame=reading.frame,
                points=reading.points,
                edges=reading.edges,
            )
        )

    def by_length(self, measure: Mark, length_mm: float) -> None:
        """Let a distance be this long; every millimetre follows from it."""
        from inference.measuring.calibration import CLICK_PX, of_known_length

        opened = self._opened
        if opened is None or measure.kind not in LENGTHS:
            return
        handles = np.array(measure.points, float) * (1.0, opened.run.pixel_aspect_ratio)
        length_px = path_length(handles)
        if length_px < SHORTEST_PX:
            self.refused.emit(tr("This distance is too short to calibrate by; draw a longer one."))
            return
        unit = max(opened.run.rows, opened.run.columns) / MATRIX
        uncertainty_px = CLICK_PX * unit * 2**0.5
        measured = of_known_length(length_mm, length_px, uncertainty_px)
        self._labelling.apply(
            calibrations.calibrate(
                opened.run,
                opened.labels.marks,
                measured,
                "length",
                length_mm,
                frame=measure.frame,
                points=measure.points,
                edges=(measure.points,),
            )
        )

    def by_geometry(self) -> None:
        """Calibrate by the distances of the C-arm, where the file has them."""
        from inference.measuring.calibration import by_geometry

        opened = self._opened
        if opened is None:
            return
        run, beam = opened.run, opened.run.beam
        spacing = beam.detector_spacing_mm
        detector, isocenter = beam.source_to_detector_mm, beam.source_to_isocenter_mm
        if spacing is None or detector is None or isocenter is None:
            self.refused.emit(
                tr("The file does not tell the distances of the C-arm; calibrate by the catheter.")
            )
            return
        angles = tuple(
            0.0 if angle is None else float(angle[0])
            for angle in (run.primary_angles_deg, run.secondary_angles_deg)
        )
        try:
            measured = by_geometry(
                spacing[1], detector, isocenter, beam.table_height_mm, (angles[0], angles[1])
            )
        except ValueError:
            self.refused.emit(
                tr("The distances of the C-arm in the file cannot be; calibrate by the catheter.")
            )
            return
        self._labelling.apply(
            calibrations.calibrate(run, opened.labels.marks, measured, "geometry", 0.0)
        )

    def take_offer(self) -> None:
        """Take over the calibration that was offered for this run."""
        opened, offer = self._opened, self._offer
        if opened is None or offer is None:
            self.refused.emit(tr("No other run of this study has a calibration that holds here."))
            return
        marks = opened.labels.marks
        self._labelling.apply(calibrations.take_over(marks, offer.values, offer.run_name))

    def forget(self) -> None:
        """Go back to what the file says of a pixel."""
        if self._opened is not None:
            self._labelling.apply(calibrations.forget_calibration(self._opened.labels.marks))


def _ellipse(
    middle: tuple[float, float], radii: tuple[float, float], count: int
) -> NDArray[np.float64]:
    """Return so many points (x, y) once around an ellipse, the last on the first."""
    turn = np.linspace(0.0, 2.0 * np.pi, count)
    return np.array(middle) + np.array(radii) * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def _values_of(opened: OpenRun) -> Mapping[str, Any] | None:
    found = [m for m in opened.labels.marks if m.kind is MarkKind.CALIBRATION]
    return found[-1].values if found else None
