"""Catheters, wires and what they carry: shapes in 3D, motion, and their X-ray shadow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.simulation.motion import HeartField
from inference.simulation.render import splat

FloatArray = NDArray[np.float32]

# Turns from the tip backwards as ((length mm low, high), (turn degrees low, high)); the sign of
# the whole shape is drawn. After the last turn the shaft runs on nearly straight.
_CURVES: dict[str, tuple[tuple[tuple[float, float], tuple[float, float]], ...]] = {
    "JR": (((7, 12), (-5, 5)), ((6, 12), (60, 100)), ((25, 45), (-5, 15)), ((30, 50), (-45, -10))),
    "JL": (((5, 10), (-5, 5)), ((4, 8), (70, 110)), ((28, 45), (0, 20)), ((20, 35), (110, 165))),
    "XB": (((6, 10), (-5, 5)), ((5, 9), (45, 95)), ((40, 60), (60, 110)), ((20, 40), (-20, 10))),
    "Amplatz": (
        ((3, 6), (0, 0)), ((4, 7), (-70, -30)), ((35, 60), (150, 210)), ((20, 40), (-60, 0)),
    ),
    "multipurpose": (((10, 20), (-5, 5)), ((12, 25), (25, 65)), ((40, 80), (-15, 15))),
    "straight": (((20, 40), (-10, 10)), ((40, 80), (-25, 25))),
    "pigtail": (((26, 42), (330, 470)), ((10, 20), (-10, 10)), ((40, 80), (-25, 25))),
}  # fmt: skip
STEP_PX = 0.55  # between points of a centre line
_SETTLES_MM = 5.0  # within which a wire that leaves a catheter finds the middle of its artery
CORONARY = ("JR", "JL", "XB", "Amplatz", "multipurpose")


@dataclass(frozen=True)
class Profile:
    """What a device is made of, in attenuation per mm, along its length from the tip.

    Arrays have one value a point of the centre line, tip first.
    """

    radius_mm: FloatArray
    wall_mm: FloatArray  # 0 < wall <= radius
    wall_per_mm: FloatArray
    lumen_per_mm: FloatArray  # empty of contrast
    fills: bool  # the lumen carries contrast during an injection


@dataclass(frozen=True)
class Tube:
    """Cross-section of a catheter whose size is known, in place of a drawn one."""

    outer_mm: float  # diameter
    wall_share: float  # wall over outer radius; 0.13 in thin guiding catheters to 0.36


@dataclass(frozen=True)
class Device:
    """One device at rest: centre line in picture pixels, tip first, depth as third value."""

    kind: str
    line: FloatArray  # (N, 3)
    profile: Profile
    pixels_per_mm: float
    follows: FloatArray  # (N,): 1 moves with the heart at ``anchor``, 0 stays in the chest
    anchor: FloatArray  # (3,): the point whose heart motion the distal part takes over
    sway: FloatArray  # (2,): rotation about the anchor with the two contraction curves, radians
    slip: FloatArray  # (2,): own motion with the first contraction curve, pixels
    conforms: bool  # every point follows the heart itself (a wire or lead inside it)
    in_main: bool = False  # runs inside the main catheter, so that it never covers its tip

    @property
    def radius_px(self) -> float:
        """Half the outer diameter, pixels."""
        return float(np.median(self.profile.radius_mm)) * self.pixels_per_mm

    def centre_line(self, field: HeartField, frame: int) -> FloatArray:
        """Centre line of one frame, (N, 3), tip first."""
        rhythm = field.rhythm
        shared = field.breath_shift * rhythm.breath[frame] + rhythm.table_shift[frame]
        line = self.line.copy()
        if self.conforms:
            matrix, offset = field.affine(frame)
            moved = line @ matrix.T + offset
            beat = moved - line[:, :2] - shared
        else:
            angle = float(self.sway @ rhythm.contraction[frame])
            cos, sin = np.cos(angle), np.sin(angle)
            arm = line[:, :2] - self.anchor[:2]
            turned = arm @ np.array([[cos, sin], [-sin, cos]], np.float32) - arm
            push = field.displacement(self.anchor, frame) - shared
            push = push + self.slip * rhythm.contraction[frame, 0]
            beat = push + turned
        # The shaft breathes less than the heart does.
        line[:, :2] += self.follows[:, None] * beat + rhythm.table_shift[frame]
        line[:, :2] += (0.4 + 0.6 * self.follows[:, None]) * (shared - rhythm.table_shift[frame])
        return line

    def shadow(
        self, image: FloatArray, line: FloatArray, contrast_per_mm: FloatArray | None = None
    ) -> None:
        """Add the attenuation of the device, whose centre line is ``line``, to ``image``.

        ``contrast_per_mm`` (N,) is what the lumen holds at each point of the centre line.

        The tube is cut into slabs across its axis and each slab's disc is projected whole, so
        walls show darker than the lumen, foreshortened stretches darken, and a bend seen end-on
        becomes a ring.
        """
        scale = self.pixels_per_mm
        tangent = np.gradient(line, axis=0)
        step = np.linalg.norm(tangent, axis=1) + 1e-6
        tangent /= step[:, None]
        height, width = image.shape
        near = np.all((line[:, :2] > -16) & (line[:, :2] < (width + 16, height + 16)), axis=1)
        if not near.any():
            return
        line, tangent, step = line[near], tangent[near], step[near]
        radius_mm, wall_mm = self.profile.radius_mm[near], self.profile.wall_mm[near]
        wall_per_mm, lumen_per_mm = self.profile.wall_per_mm[near], self.profile.lumen_per_mm[near]
        if self.profile.fills and contrast_per_mm is not None:
            lumen_per_mm = lumen_per_mm + contrast_per_mm[near]
        in_plane = np.hypot(tangent[:, 0], tangent[:, 1])
        along = tangent[:, :2] / np.maximum(in_plane, 0.05)[:, None]
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        radius = radius_mm * scale
        count = max(3, int(np.ceil(2 * float(radius.max()) / 0.6)))
        lateral = ((np.arange(count) + 0.5) / count * 2 - 1).astype(np.float32)  # (-1, 1)
        offset = radius[:, None] * lateral
        outer = np.sqrt(np.maximum(radius[:, None] ** 2 - offset**2, 0))
        edges = radius[:, None] * np.linspace(-1, 1, count + 1, dtype=np.float32)
        whole = _mean_chords(radius, edges)
        inner = _mean_chords((radius_mm - wall_mm) * scale, edges)
        chord = (whole - inner) * wall_per_mm[:, None] + inner * lumen_per_mm[:, None]
        mass = chord / scale * (step * 2 * radius / count)[:, None]
        # A slab tilted out of the plane spreads along the axis: golden-ratio steps fill its disc.
        turn = np.arange(mass.size, dtype=np.float64).reshape(mass.shape) * 0.6180339887
        spread = (2 * np.mod(turn, 1.0) - 1).astype(np.float32) * outer * tangent[:, 2:3]
        x = line[:, 0:1] + offset * across[:, 0:1] + spread * along[:, 0:1]
        y = line[:, 1:2] + offset * across[:, 1:2] + spread * along[:, 1:2]
        splat(image, x.ravel(), y.ravel(), mass.astype(np.float32).ravel())


def _mean_chords(radius: FloatArray, edges: FloatArray) -> FloatArray:
    """Mean chords (N, count) of discs of ``radius`` (N,) between slab edges (N, count + 1).

    Exact, by the chord's antiderivative: a wall may be thinner than a slab.
    """
    radius = np.maximum(radius, 1e-6)[:, None]
    u = np.clip(edges, -radius, radius)
    area = u * np.sqrt(radius**2 - u**2) + radius**2 * np.arcsin(np.clip(u / radius, -1, 1))
    return np.asarray(np.diff(area, axis=1) / np.diff(edges, axis=1), np.float32)


def _planar_curve(
    rng: np.random.Generator, kind: str, length_mm: float, step_mm: float
) -> FloatArray:
    """Centre line in its own plane, tip at the origin, first going along +x; (N, 2) mm."""
    count = int(length_mm / step_mm)
    rate = np.zeros(count)
    start = 0
    sign = rng.choice([-1, 1])
    for (shortest, longest), (least, most) in _CURVES[kind]:
        points = max(2, int(rng.uniform(shortest, longest) / step_mm))
        bump = np.sin(np.linspace(0, np.pi, points)) ** 0.5
        turn = np.deg2rad(rng.uniform(least, most)) * sign
        end = min(start + points, count)
        rate[start:end] += (turn * bump / bump.sum())[: end - start]
        start = end
        if start == count:
            break
    wander = np.interp(
        np.arange(count), np.linspace(0, count, 9), 0.004 * rng.standard_normal(9) * step_mm
    )
    heading = np.cumsum(rate + wander)
    steps = step_mm * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)[:-1]]).astype(np.float32)


def _stand(
    rng: np.random.Generator, plane: FloatArray, entry_angle: float, roll: float
) -> FloatArray:
    """Turn a planar curve out of its plane about the shaft, and the shaft towards the entry."""
    shaft = plane[-1] - plane[len(plane) // 2]
    turn = entry_angle - np.arctan2(shaft[1], shaft[0])
    cos, sin = np.cos(turn), np.sin(turn)
    flat = plane @ np.array([[cos, sin], [-sin, cos]])
    axis = np.array([np.cos(entry_angle), np.sin(entry_angle)])
    normal = np.array([-axis[1], axis[0]])
    along, across = flat @ axis, flat @ normal
    tilt = rng.normal(0, 0.15)
    depth = across * np.sin(roll) + along * np.sin(tilt)
    across, along = across * np.cos(roll), along * np.cos(tilt)
    return np.column_stack([along[:, None] * axis + across[:, None] * normal, depth]).astype(
        np.float32
    )


def _constant(count: int, value: float) -> FloatArray:
    return np.full(count, value, np.float32)


def catheter_profile(
    rng: np.random.Generator, count: int, step_mm: float, tube: Tube | None = None
) -> Profile:
    """Braided tube of 4 to 8 French with a softer, fainter tip and sometimes a marker ring."""
    french = float(rng.choice([4, 5, 5, 6, 6, 7, 8]))
    radius = french / 6 * rng.uniform(0.95, 1.05)
    wall = radius * rng.uniform(0.18, 0.36)
    if tube is not None:
        radius = tube.outer_mm / 2
        wall = radius * tube.wall_share
    density = np.exp(rng.uniform(np.log(0.1), np.log(0.27)))
    s = np.arange(count) * step_mm
    wall_density = _constant(count, density)
    soft = rng.uniform(2, 8)
    if rng.random() < 0.6:
        wall_density *= np.where(s < soft, rng.uniform(0.45, 0.9), 1).astype(np.float32)
    if rng.random() < 0.16:  # radio-opaque ring
        ring = rng.uniform(0.3, 3.0)
        wall_density += np.where(
            np.abs(s - ring) < rng.uniform(0.4, 0.8), rng.uniform(0.15, 0.7), 0
        ).astype(np.float32)
    if rng.random() < 0.15:  # braid
        wall_density *= (1 + 0.08 * np.sin(2 * np.pi * s / rng.uniform(0.7, 1.2))).astype(
            np.float32
        )
    taper = np.interp(s, [0, rng.uniform(0.5, 2.5)], [rng.uniform(0.75, 1.0), 1.0]).astype(
        np.float32
    )
    return Profile(
        radius_mm=radius * taper,
        wall_mm=wall * taper,
        wall_per_mm=wall_density,
        lumen_per_mm=_constant(count, rng.uniform(0, 0.01)),
        fills=True,
    )


def wire_profile(rng: np.random.Generator, count: int, step_mm: float, thick: bool) -> Profile:
    """Guidewire: 0.014 inch with a radio-opaque end, or 0.035 inch, dark all along."""
    radius = 0.44 if thick else 0.18
    s = np.arange(count) * step_mm
    opaque = rng.uniform(18, 35)
    density = np.where(s < opaque, rng.uniform(0.8, 1.6), rng.uniform(0.15, 0.7))
    if thick:
        density = np.full(count, rng.uniform(0.3, 0.8))
    return Profile(
        radius_mm=_constant(count, radius),
        wall_mm=_constant(count, radius),
        wall_per_mm=density.astype(np.float32),
        lumen_per_mm=_constant(count, 0),
        fills=False,
    )


def marker_profile(base: Profile, positions_mm: list[float], step_mm: float) -> Profile:
    """Wire with a balloon's two marker bands at ``positions_mm`` from the tip."""
    s = np.arange(len(base.radius_mm)) * step_mm
    band = np.zeros(len(s), bool)
    for position in positions_mm:
        band |= np.abs(s - position) < 0.5
    return Profile(
        radius_mm=np.where(band, 0.45, base.radius_mm).astype(np.float32),
        wall_mm=np.where(band, 0.45, base.wall_mm).astype(np.float32),
        wall_per_mm=np.where(band, 1.1, base.wall_per_mm).astype(np.float32),
        lumen_per_mm=base.lumen_per_mm,
        fills=False,
    )


def make_stent(
    rng: np.random.Generator, path_px: FloatArray, pixels_per_mm: float
) -> Device | None:
    """Stent somewhere along a vessel's centre line (N, 3), None where the path is too short."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path_px, axis=0), axis=1))])
    long = rng.uniform(9, 28) * pixels_per_mm
    if lengths[-1] < long * 1.3:
        return None
    even = rng.uniform(0.1 * long, lengths[-1] - long) + np.arange(0, long, STEP_PX)
    line = np.stack([np.interp(even, lengths, path_px[:, axis]) for axis in range(3)], axis=1)
    s = np.arange(len(line)) * STEP_PX / pixels_per_mm
    struts = 0.6 + 0.4 * np.sin(2 * np.pi * s / rng.uniform(0.9, 1.6))
    count = len(line)
    return Device(
        kind="stent",
        line=line.astype(np.float32),
        profile=Profile(
            radius_mm=_constant(count, rng.uniform(1.2, 1.8)),
            wall_mm=_constant(count, 0.14),
            wall_per_mm=(rng.uniform(0.15, 0.5) * struts).astype(np.float32),
            lumen_per_mm=_constant(count, 0.0),
            fills=False,
        ),
        pixels_per_mm=pixels_per_mm,
        follows=_constant(count, 1.0),
        anchor=line[0].astype(np.float32),
        sway=np.zeros(2, np.float32),
        slip=np.zeros(2, np.float32),
        conforms=True,
    )


def make_balloon(stent: Device) -> Device:
    """Balloon that carries a stent: a marker band at each end of it, a thin shaft between."""
    count = len(stent.line)
    step_mm = STEP_PX / stent.pixels_per_mm
    shaft = Profile(
        radius_mm=_constant(count, 0.2),
        wall_mm=_constant(count, 0.2),
        wall_per_mm=_constant(count, 0.1),
        lumen_per_mm=_constant(count, 0.0),
        fills=False,
    )
    ends_mm = [0.5, (count - 1) * step_mm - 0.5]
    return replace(stent, kind="balloon", profile=marker_profile(shaft, ends_mm, step_mm))


def lead_profile(rng: np.random.Generator, count: int, step_mm: float) -> Profile:
    """Pacing lead: thin conductor with a tip and a ring electrode."""
    s = np.arange(count) * step_mm
    ring = rng.uniform(8, 14)
    electrode = (s < 2) | (np.abs(s - ring) < 1.2)
    density = np.where(electrode, rng.uniform(0.6, 1.0), rng.uniform(0.12, 0.3))
    radius = np.where(electrode, 0.9, 0.8).astype(np.float32)
    return Profile(
        radius_mm=radius,
        wall_mm=radius * np.float32(0.5),
        wall_per_mm=density.astype(np.float32),
        lumen_per_mm=_constant(count, density[-1] * 0.2),
        fills=False,
    )


def make_catheter(
    rng: np.random.Generator,
    kind: str,
    tip_px: NDArray[np.floating],
    pixels_per_mm: float,
    reach_px: float,
    unit: float,
    entry_angle: float | None = None,
    profile: Callable[[np.random.Generator, int, float], Profile] = catheter_profile,
) -> Device:
    """Place a shaped device with its tip at ``tip_px``.

    Parameters
    ----------
    kind : str
        A key of the shape table, "JR" and so on.
    reach_px : float
        The shaft runs on until it is this long.
    unit : float
        Size of a pixel of a 512 matrix, in pixels.
    entry_angle : float, optional
        Direction from the tip's end to where the shaft comes from; drawn (mostly from above)
        when None.
    """
    step_mm = STEP_PX / pixels_per_mm
    plane = _planar_curve(rng, kind, reach_px / pixels_per_mm, step_mm)
    if entry_angle is None:
        entry_angle = -np.pi / 2 + rng.normal(0, 0.45)
        if rng.random() < 0.15:
            entry_angle = rng.uniform(0, 2 * np.pi)
    line = _stand(rng, plane, float(entry_angle), rng.uniform(0, np.pi)) * pixels_per_mm
    line[:, :2] += np.asarray(tip_px, np.float32)
    s = np.arange(len(line)) * step_mm
    rigid, fade = rng.uniform(20, 60), rng.uniform(60, 140)
    follows = np.interp(s, [rigid, rigid + fade], [1.0, rng.uniform(0.1, 0.5)])
    return Device(
        kind=kind,
        line=line.astype(np.float32),
        profile=profile(rng, len(line), step_mm),
        pixels_per_mm=pixels_per_mm,
        follows=follows.astype(np.float32),
        anchor=line[0].astype(np.float32),
        sway=(rng.standard_normal(2) * 0.05).astype(np.float32),
        slip=(rng.standard_normal(2) * 3 * unit).astype(np.float32),
        conforms=False,
    )


def make_wire_beyond(
    rng: np.random.Generator, catheter: Device, path_px: FloatArray, thick: bool = False
) -> Device:
    """Guidewire through ``catheter`` and on along ``path_px`` (N, 3), from the ostium outwards.

    The tip may stand some way inside the artery, and beside its middle: the wire leaves the tip and
    takes to the path within some millimetres.
    """
    tip = catheter.line[0]
    beyond = path_px[int(np.linalg.norm(path_px - tip, axis=1).argmin()) + 1 :]
    along_mm = np.linalg.norm(beyond - tip, axis=1, keepdims=True) / catheter.pixels_per_mm
    beyond = beyond + (tip - beyond[:1]) * np.exp(-along_mm / _SETTLES_MM)
    line = np.concatenate([beyond[::-1], catheter.line])
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    even = np.arange(0, lengths[-1], STEP_PX)
    line = np.stack([np.interp(even, lengths, line[:, axis]) for axis in range(3)], axis=1)
    inside = np.interp(even, lengths, np.concatenate([np.ones(len(beyond)), catheter.follows]))
    step_mm = STEP_PX / catheter.pixels_per_mm
    profile = wire_profile(rng, len(line), step_mm, thick)
    if rng.random() < 0.35:
        start = rng.uniform(6, 25)
        profile = marker_profile(profile, [start, start + rng.uniform(8, 24)], step_mm)
    return Device(
        kind="guidewire",
        line=line.astype(np.float32),
        profile=profile,
        pixels_per_mm=catheter.pixels_per_mm,
        follows=inside.astype(np.float32),
        anchor=catheter.anchor,
        sway=catheter.sway,
        slip=catheter.slip,
        conforms=False,
        in_main=True,
    )


def make_lead(
    rng: np.random.Generator,
    kind: str,
    tip_px: NDArray[np.floating],
    pixels_per_mm: float,
    reach_px: float,
    unit: float,
) -> Device:
    """Pacing or diagnostic electrode lead inside the heart."""
    lead = make_catheter(rng, kind, tip_px, pixels_per_mm, reach_px, unit, None, lead_profile)
    return replace(lead, kind="lead", conforms=True)
