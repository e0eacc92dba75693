"""Everything that moves in the picture besides anatomy: devices, vessels and contrast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.point_state import PointState
from inference.simulation.devices import (
    CORONARY,
    STEP_PX,
    Device,
    Tube,
    catheter_profile,
    make_balloon,
    make_catheter,
    make_lead,
    make_stent,
    make_wire_beyond,
)
from inference.simulation.motion import HeartField, Injection, Rhythm, make_heart_field
from inference.simulation.run import DeviceTruth, Scenario
from inference.simulation.vessels import (
    ATTENUATION_PER_MM_MGI,
    Reflux,
    Stenosis,
    VesselTree,
    make_reflux,
    make_tree,
)

FloatArray = NDArray[np.float32]
_MASK_ATTENUATION = 0.035  # contrast fainter than this counts as no vessel
_COVERED = 0.9  # the tip is occluded where what lies over it absorbs this share of the tip's own
_SEEN_SHARE = 0.5  # of the tube's end that lies in the picture where a tip is visible
_MOST_TURN = 0.6  # radians that a catheter's end bends within the artery's first stretch


@dataclass(frozen=True)
class Scene:
    """Devices (the main catheter first) and the contrast of one run."""

    devices: tuple[Device, ...]
    field: HeartField
    injection: Injection
    tree: VesselTree | None
    reflux: Reflux | None
    engaged: int = 0  # points of the main catheter that stand inside the artery

    def draw(
        self, frame: int, height: int, width: int
    ) -> tuple[FloatArray, FloatArray, FloatArray, DrawnFrame]:
        """Draw one frame.

        Returns
        -------
        others, main, contrast : ndarray, shape (H, W)
            Attenuation of everything but the main catheter, of the main catheter, and of contrast
            in vessels alone, which is part of the first.
        truth : DrawnFrame
        """
        time = float(self.field.rhythm.times_ms[frame])
        lines = [device.centre_line(self.field, frame) for device in self.devices]
        shadow = np.zeros((height, width), np.float32)
        if self.tree is not None:
            self.tree.shadow(shadow, self.field, frame, self.injection)
        artery = _at(shadow, lines[0][: self.engaged])
        if self.reflux is not None:
            self.reflux.shadow(shadow, lines[0][0, :2], time, self.injection)
        contrast = shadow.copy()
        filling = self._filling(artery, time)
        others = list(zip(self.devices[1:], lines[1:], strict=True))
        for device, line in others:
            if not device.in_main:
                device.shadow(shadow, line)
        main = np.zeros((height, width), np.float32)
        self.devices[0].shadow(main, lines[0], filling)
        cover, own = (_around_tip(s, lines[0], self.devices[0].radius_px) for s in (shadow, main))
        for device, line in others:
            if device.in_main:
                device.shadow(shadow, line)
        return shadow, main, contrast, DrawnFrame(tuple(lines), cover > _COVERED * own)

    def _filling(self, artery: FloatArray, time_ms: float) -> FloatArray:
        """Attenuation per mm that contrast adds to each point of the main catheter's lumen.

        Where the end stands inside the filled artery, ``artery`` (the shadow at its points) has
        it already; heart and catheter do not move quite alike, and may part.
        """
        main = self.devices[0]
        full = float(self.injection.concentration(time_ms)) * ATTENUATION_PER_MM_MGI
        filling = np.full(len(main.line), full, np.float32)
        lumen_mm = 2 * (main.profile.radius_mm - main.profile.wall_mm)[: self.engaged]
        filling[: self.engaged] = np.maximum(full - artery / lumen_mm, 0)
        return filling


@dataclass(frozen=True)
class DrawnFrame:
    """Where the devices are in one frame, and whether the main tip cannot be seen."""

    lines: tuple[FloatArray, ...]
    hidden: bool


def _around_tip(image: FloatArray, line: FloatArray, radius: float) -> float:
    """Mean of a picture's values along the last stretch of the tube (3 diameters)."""
    return float(_at(image, line[: max(4, int(6 * radius / STEP_PX))]).mean())


def _at(image: FloatArray, line: FloatArray) -> FloatArray:
    """Values of the pixels under a centre line (N, 3), 0 outside the picture."""
    x, y = np.rint(line[:, :2]).astype(int).T
    height, width = image.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    values = np.zeros(len(line), np.float32)
    values[inside] = image[y[inside], x[inside]]
    return values


def device_truths(
    scene: Scene, drawn: list[DrawnFrame], open_to_view: NDArray[np.bool_]
) -> tuple[DeviceTruth, ...]:
    """Collect the frames' centre lines and states; ``open_to_view`` (H, W) is False where black."""
    field = open_to_view.astype(np.float32)
    truths = []
    for index, device in enumerate(scene.devices):
        tips = np.stack([frame.lines[index][0, :2] for frame in drawn])
        states = []
        for frame in drawn:
            line = frame.lines[index]
            if not _at(field, line[:1]).item():
                states.append(PointState.ABSENT)
            elif index == 0 and frame.hidden:
                states.append(PointState.OCCLUDED)
            else:  # a tip that comes back into the picture ahead of its tube cannot be told
                seen = _around_tip(field, line, device.radius_px) > _SEEN_SHARE
                states.append(PointState.VISIBLE if seen else PointState.OCCLUDED)
        truths.append(
            DeviceTruth(
                kind=device.kind,
                tip=tips.astype(np.float32),
                state=tuple(states),
                body=tuple(
                    np.concatenate([line[:0:-4, :2], line[:1, :2]])
                    for line in (frame.lines[index] for frame in drawn)
                ),
                radius_px=device.radius_px,
            )
        )
    return tuple(truths)


def make_scene(
    rng: np.random.Generator,
    scenario: Scenario,
    rhythm: Rhythm,
    tip_px: NDArray[np.floating],
    pixels_per_mm: float,
    reach_px: float,
    unit: float,
    towards: NDArray[np.floating],
    kind: str | None = None,
    injection: Injection | None = None,
    tube: Tube | None = None,
    stenosis: Stenosis | None = None,
    stented: bool = False,
) -> Scene:
    """Draw the devices and the injection of a run.

    Parameters
    ----------
    tip_px : ndarray, shape (2,)
        The main catheter's tip at rest.
    reach_px : float
        Length of the shafts: enough to leave the picture.
    unit : float
        Size in pixels of a pixel of a 512 matrix.
    towards : ndarray, shape (2,)
        Middle of the picture: where the vessels mostly lead.
    kind : str, optional
        Shape of the main catheter.
    injection : Injection, optional
        In place of the one that the scenario would draw.
    tube : Tube, optional
        Cross-section of the main catheter, in place of a drawn one.
    stenosis : Stenosis, optional
        Of the main vessel, which then has no other.
    stented : bool
        Place a stent on its balloon in the artery, where that is long enough.
    """
    if injection is None:
        injection = _draw_injection(rng, scenario, float(rhythm.times_ms[-1]) + 66.0)
    contrast = injection.duration_ms > 0
    kind = kind or _draw_kind(rng, contrast)
    aim = np.asarray(towards) - np.asarray(tip_px)
    profile = partial(catheter_profile, tube=tube)
    for _ in range(6):  # operators frame the artery: the tip mostly points into the picture
        main = make_catheter(rng, kind, tip_px, pixels_per_mm, reach_px, unit, profile=profile)
        end = main.line[0, :2] - main.line[12, :2]
        if not contrast or end @ aim > 0.5 * np.linalg.norm(end) * np.linalg.norm(aim):
            break

    offset = rng.normal(0, 60, 2) * unit
    centre = np.append(np.asarray(tip_px) + np.array([0, 110 * unit]) + offset, 0)
    field = make_heart_field(rng, rhythm, centre, unit)

    heading = float(np.arctan2(end[1], end[0]) + rng.normal(0, 0.25))
    wired = rng.random() < (0.12 if contrast else 0.55) or stented
    flush = kind not in CORONARY  # into the ventricle or the aorta: no artery fills
    tree, engaged = None, 0
    if wired or (contrast and not flush):
        # How far the tip stands inside the ostium: the contrast around it is what hides it.
        deepest = (2.0, 10.0) if scenario is Scenario.CONTRAST_OCCLUSION else (-2.0, 9.0)
        engaged = int(max(rng.uniform(*deepest), 0) * pixels_per_mm / STEP_PX)
        engaged = min(engaged, _straight_end(main.line))
        side = 1 if np.cos(heading) * aim[1] - np.sin(heading) * aim[0] > 0 else -1
        way = main.line[engaged::-1]
        tree = make_tree(rng.spawn(1)[0], way, heading, pixels_per_mm, side, stenosis)
    others: list[Device] = []
    if tree is not None:
        if wired:
            path = tree.main_path[: int(rng.uniform(0.25, 0.9) * len(tree.main_path))]
            others.append(make_wire_beyond(rng, main, path))
        drawn = rng.random() < 0.15 or stented
        stent = make_stent(rng, tree.main_path, pixels_per_mm) if drawn else None
        if stent is not None:
            others.append(stent)
            if stented:
                others.append(make_balloon(stent))
    if scenario is Scenario.DEVICE_OCCLUSION:
        count = int(rng.integers(1, 3))
        others += [_crossing(rng, tip_px, pixels_per_mm, reach_px, unit) for _ in range(count)]
    elif rng.random() < 0.12:
        place = np.asarray(tip_px) + rng.normal(0, 110, 2) * unit
        others.append(_other(rng, place, pixels_per_mm, reach_px, unit))
    reflux = make_reflux(rng, injection, heading, pixels_per_mm, flush) if contrast else None
    if flush:
        tree = None
    return Scene((main, *others), field, injection, tree, reflux, engaged)


def _straight_end(line: FloatArray) -> int:
    """Points of a centre line (N, 3) before it has turned away from its tip's direction."""
    way = np.gradient(line, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-6
    turned = way @ way[0] < np.cos(_MOST_TURN)
    return int(turned.argmax()) if turned.any() else len(line) - 1


def _draw_kind(rng: np.random.Generator, contrast: bool) -> str:
    if rng.random() < (0.08 if contrast else 0.3):
        return str(rng.choice(("pigtail", "pigtail", "straight")))
    return str(rng.choice(CORONARY, p=(0.3, 0.28, 0.2, 0.1, 0.12)))


def _other(
    rng: np.random.Generator,
    place: NDArray[np.floating],
    pixels_per_mm: float,
    reach_px: float,
    unit: float,
) -> Device:
    """Draw a bystander: a lead or a second catheter, its tip at ``place``."""
    if rng.random() < 0.5:
        return make_lead(rng, "straight", place, pixels_per_mm, reach_px, unit)
    kind = str(rng.choice(("pigtail", "straight", "multipurpose", "JR")))
    return make_catheter(rng, kind, place, pixels_per_mm, reach_px, unit)


def _crossing(
    rng: np.random.Generator,
    tip_px: NDArray[np.floating],
    pixels_per_mm: float,
    reach_px: float,
    unit: float,
) -> Device:
    """Draw a bystander that lies over the main tip with its shaft rather than its own tip."""
    other = _other(rng, np.asarray(tip_px), pixels_per_mm, reach_px, unit)
    over = other.line[int(rng.uniform(0, 120) * unit / STEP_PX), :2]
    shift = np.asarray(tip_px) + rng.normal(0, 5, 2) * unit - over
    other.line[:, :2] += shift.astype(np.float32)
    return other


def _draw_injection(rng: np.random.Generator, scenario: Scenario, duration_ms: float) -> Injection:
    never = scenario in (Scenario.FLUOROSCOPY, Scenario.DEVICE_OCCLUSION)
    if never or (scenario is Scenario.LOW_DOSE and rng.random() < 0.5):
        return Injection(0.0, 0.0, 0.0, 1.0)
    return Injection(
        start_ms=rng.uniform(-1200.0, 0.5 * duration_ms),
        duration_ms=rng.uniform(900, 3200),
        strength_mgi=rng.uniform(140, 350),
        washout_ms=rng.uniform(200, 900),
    )


def detected_mask(contrast: FloatArray) -> NDArray[np.uint8]:
    """Where contrast shows, uint8 (H, W)."""
    return cv2.compare(contrast, _MASK_ATTENUATION, cv2.CMP_GT) & np.uint8(1)
