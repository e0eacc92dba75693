"""How the open run is shown: grey scale, comparison with the denoised, tracks, place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.display.settings import DisplaySettings, Peak
from app.runs.run import Lut, Run, VoiFunction, Window
from app.session.open_run import OpenRun
from app.session.stabilising import Stabilised
from inference.subtraction import Registration

LARGEST_NUMBER = 1e30
SMALLEST_ZOOM, LARGEST_ZOOM = 1e-3, 1e3
"""What lies beyond stands in a damaged file."""


class Comparison(StrEnum):
    """What is seen of original and denoised; the picture's `ViewMode` has the same values."""

    ORIGINAL = "original"
    DENOISED = "denoised"
    SIDE_BY_SIDE = "side by side"
    WIPE = "wipe"
    DIFFERENCE = "difference"


@dataclass(frozen=True, slots=True)
class Look:
    """What is chosen on the screen for the picture; immutable.

    Attributes
    ----------
    strength : float
        Share of the noise that is taken away, 0 to 1.
    place : (zoom, x, y) or None
        Screen units an image pixel is wide, and the image point in the middle; None where the
        whole picture is fitted.
    hidden_tracks : frozenset of str
        Tracks that are not drawn.
    turns : int
        Quarter turns clockwise, 0 to 3.
    mirrored : bool
        Left and right are exchanged, before the picture is turned.
    stabilised : Stabilised or None
        The device that stands still while the frames move.
    enhanced : bool
        The enhanced device is shown beside the frame, once it is there.
    tracks, trails, corners, patient : bool
        What stands on the picture, whichever run it is.
    """

    grey: DisplaySettings = field(default_factory=DisplaySettings)
    comparison: Comparison = Comparison.ORIGINAL
    strength: float = 1.0
    place: tuple[float, float, float] | None = None
    hidden_tracks: frozenset[str] = frozenset()
    turns: int = 0
    mirrored: bool = False
    stabilised: Stabilised | None = None
    enhanced: bool = False
    tracks: bool = True
    trails: bool = True
    corners: bool = True
    patient: bool = True


class LookKeeper(QObject):
    """Holds the look, and brings back that of a run which was left.

    Signals
    -------
    changed(object, object) : the `Look` before and now.
    """

    changed = Signal(object, object)

    def __init__(self, look: Look | None = None) -> None:
        super().__init__()
        self._now = look or Look()
        self._flip_to = Comparison.DENOISED

    @property
    def now(self) -> Look:
        """How the picture is shown."""
        return self._now

    def change(self, **values: Any) -> None:
        """Show it another way; ``values`` are fields of `Look`."""
        self.set(replace(self._now, **values))

    def set(self, look: Look) -> None:
        """Show it this way."""
        before, self._now = self._now, look
        if look != before:
            self.changed.emit(before, look)

    def change_grey(self, **values: Any) -> None:
        """Show the grey scale another way; ``values`` are fields of `DisplaySettings`."""
        self.change(grey=replace(self._now.grey, **values))

    def set_strength(self, strength: float) -> None:
        """Blend more or less of the denoised picture in."""
        self.change(strength=min(max(strength, 0.0), 1.0))

    def turn(self, quarters: int) -> None:
        """Turn the picture on the screen clockwise."""
        self.change(turns=(self._now.turns + quarters) % 4)

    def mirror(self, *, top_to_bottom: bool = False) -> None:
        """Exchange left and right as they are seen, or top and bottom."""
        lying = self._now.turns % 2 == 1
        turns = self._now.turns + (2 if top_to_bottom != lying else 0)
        self.change(mirrored=not self._now.mirrored, turns=turns % 4)

    def change_edges(self, step: float) -> None:
        """Enhance edges more or less."""
        self.change_grey(edges=round(min(max(self._now.grey.edges + step, 0.0), 1.0), 2))

    def show_track(self, track_id: str, shown: bool) -> None:
        """Draw a track, or do not."""
        hidden = self._now.hidden_tracks
        self.change(hidden_tracks=hidden - {track_id} if shown else hidden | {track_id})

    def flip_denoised(self) -> None:
        """Go between the original and the comparison that was on before."""
        if self._now.comparison is Comparison.ORIGINAL:
            self.change(comparison=self._flip_to)
        else:
            self._flip_to = self._now.comparison
            self.change(comparison=Comparison.ORIGINAL)

    def of_run(self, opened: OpenRun) -> Look:
        """Return how a run was left; one that was never open is shown as its file asks for."""
        default = replace(
            self._now,
            grey=opened.display.default_settings(),
            place=None,
            turns=0,
            mirrored=False,
            stabilised=None,
            enhanced=False,
            hidden_tracks=frozenset(),
        )
        return look_from(opened.store.state.view, opened.run, default)


def remember(opened: OpenRun, look: Look, frame: int) -> None:
    """Save where the playhead of a run stands, and how the run is shown."""
    store = opened.store
    state = replace(store.state, playhead=frame, view=view_of(look, opened.run))
    if state != store.state:
        store.save_state(state)


def view_of(look: Look, run: Run) -> dict[str, Any]:
    """Return what is kept with the labels of a run, as JSON holds it."""
    grey = look.grey
    view: dict[str, Any] = {
        "comparison": str(look.comparison),
        "strength": look.strength,
        "hidden_tracks": sorted(look.hidden_tracks),
        "inverted": grey.inverted,
        "shutter": grey.shutter,
        "subtracted": grey.subtracted,
        "mask_frames": list(grey.mask_frames),
        "mask_shift_px": list(grey.mask_shift_px),
        "registration": str(grey.registration),
        "landmarks": grey.landmarks,
        "peak": str(grey.peak),
        "edges": grey.edges,
        "turns": look.turns,
        "mirrored": look.mirrored,
        "enhanced": look.enhanced,
    }
    if look.stabilised is not None:
        view["stabilised"] = asdict(look.stabilised)
    if look.place is not None:
        view["place"] = list(look.place)
    for prefix, voi in (("", grey.voi), ("other_", grey.other_voi)):
        if isinstance(voi, Window):
            view[f"{prefix}window"] = asdict(voi)
        elif isinstance(voi, Lut):
            number = next(i for i, lut in enumerate(run.grey.voi_luts) if lut is voi)
            view[f"{prefix}lut"] = number
    return view


def look_from(view: Mapping[str, Any], run: Run, default: Look) -> Look:
    """Return the look that was kept; what is not there, or cannot be, is as in ``default``."""
    grey = replace(
        default.grey,
        voi=_voi(view, run),
        other_voi=_voi(view, run, "other_"),
        inverted=_flag(view, "inverted", default.grey.inverted),
        shutter=_flag(view, "shutter", default.grey.shutter),
        subtracted=_flag(view, "subtracted", default.grey.subtracted),
        mask_frames=tuple(
            dict.fromkeys(
                frame
                for frame in _list(view, "mask_frames")
                if type(frame) is int and 0 <= frame < run.frame_count
            )
        ),
        mask_shift_px=_mask_shift(view, run),
        registration=next(
            (r for r in Registration if r == view.get("registration")), Registration.OFF
        ),
        landmarks=min(max(_number(view.get("landmarks")) or 0.0, 0.0), 1.0),
        peak=next((p for p in Peak if p == view.get("peak")), Peak.OFF),
        edges=min(max(_number(view.get("edges")) or 0.0, 0.0), 1.0),
    )
    comparison = view.get("comparison")
    strength = _number(view.get("strength"))
    place = _numbers(view, "place", 3)
    turns = view.get("turns")
    return replace(
        default,
        grey=grey,
        comparison=next((c for c in Comparison if c == comparison), default.comparison),
        strength=default.strength if strength is None else min(max(strength, 0.0), 1.0),
        place=place if place and _is_place(place, run) else None,
        turns=turns % 4 if isinstance(turns, int) else 0,
        mirrored=_flag(view, "mirrored", False),
        stabilised=_stabilised(view),
        enhanced=_flag(view, "enhanced", False),
        hidden_tracks=frozenset(t for t in _list(view, "hidden_tracks") if isinstance(t, str)),
    )


def _voi(view: Mapping[str, Any], run: Run, prefix: str = "") -> Window | Lut | None:
    number, window = view.get(f"{prefix}lut"), view.get(f"{prefix}window")
    if isinstance(number, int) and 0 <= number < len(run.grey.voi_luts):
        return run.grey.voi_luts[number]
    if not isinstance(window, dict):
        return None
    center, width = _number(window.get("center")), _number(window.get("width"))
    function = next((f for f in VoiFunction if f == window.get("function")), None)
    if center is None or width is None or width <= 0 or function is None:
        return None
    return Window(center, width, function, str(window.get("explanation", "")))


def _stabilised(view: Mapping[str, Any]) -> Stabilised | None:
    kept = view.get("stabilised")
    if not isinstance(kept, dict) or not isinstance(kept.get("track_id"), str):
        return None
    x, y = _number(kept.get("x")), _number(kept.get("y"))
    return None if x is None or y is None else Stabilised(kept["track_id"], x, y)


def _number(value: Any) -> float | None:
    good = type(value) in (int, float) and abs(value) <= LARGEST_NUMBER
    return float(value) if good else None


def _is_place(place: tuple[float, float, float], run: Run) -> bool:
    """Tell whether something of the picture can be seen there."""
    zoom, x, y = place
    near = -run.columns <= x <= 2 * run.columns and -run.rows <= y <= 2 * run.rows
    return near and SMALLEST_ZOOM <= zoom <= LARGEST_ZOOM


def _mask_shift(view: Mapping[str, Any], run: Run) -> tuple[float, float]:
    shift = _numbers(view, "mask_shift_px", 2)
    if shift is None or abs(shift[0]) >= run.columns or abs(shift[1]) >= run.rows:
        return 0.0, 0.0
    return shift[0], shift[1]


def _flag(view: Mapping[str, Any], name: str, default: bool) -> bool:
    value = view.get(name)
    return value if isinstance(value, bool) else default


def _list(view: Mapping[str, Any], name: str) -> list[Any]:
    value = view.get(name)
    return value if isinstance(value, list) else []


def _numbers(view: Mapping[str, Any], name: str, count: int) -> Any:
    found = tuple(_number(value) for value in _list(view, name))
    return found if len(found) == count and None not in found else None
