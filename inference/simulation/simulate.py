"""Simulate runs: whole ones, and devices drawn over real frames."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.simulation.anatomy import Anatomy, make_anatomy
from inference.simulation.devices import Tube
from inference.simulation.motion import ECG_HZ, HeartField, Injection, Motion, make_rhythm
from inference.simulation.run import DeviceTruth, Scenario, SimulatedRun, VesselTruth
from inference.simulation.scanner import make_scanner
from inference.simulation.scene import Scene, detected_mask, device_truths, make_scene
from inference.simulation.vessels import Stenosis

FloatArray = NDArray[np.float32]
_HARD = (
    Scenario.FLUOROSCOPY,
    Scenario.CONTRAST_OCCLUSION,
    Scenario.DEVICE_OCCLUSION,
    Scenario.PANNING,
    Scenario.LOW_DOSE,
)
_SEEN_ABOVE = 5.0  # Rose's limit of what observers see
_TIP_MM = 1.5  # what of a catheter's end has to be seen to place its tip as exactly
_FIELD_MM = (95.0, 165.0)  # side of the field of view in the patient's plane


def simulate_run(
    seed: int,
    scenario: Scenario = Scenario.MIXED,
    frame_count: int = 30,
    size: int = 512,
    *,
    matrix: int | None = None,
    bits: int | None = None,
    frames_per_second: float | None = None,
    noise_sd: float | None = None,
    recursion: float | None = None,
    linear: bool | None = None,
    kind: str | None = None,
    tip: tuple[float, float] | None = None,
    injection: Injection | None = None,
    tube: Tube | None = None,
    stenosis: Stenosis | None = None,
    field_mm: float | None = None,
    angles_deg: tuple[float, float] | None = None,
    plain: bool = False,
    motions: Collection[Motion] | None = None,
    stented: bool = False,
) -> SimulatedRun:
    """Simulate one run; the same arguments give the same run.

    Parameters
    ----------
    seed : int
    scenario : Scenario
        MIXED draws one of the others.
    frame_count, size : int
        T, and H = W in pixels.
    matrix : int, optional
        Side of the scanner's whole picture; ``size`` when None. With a larger matrix the run is
        a crop of it that holds the tip.
    bits : int, optional
        8 (mostly) or 10 to 16; drawn when None.
    frames_per_second : float, optional
        Drawn from 7.5 to 30 when None.
    noise_sd : float, optional
        Noise of the log signal at median brightness (0.01 clean cine, 0.1 very low dose).
    recursion : float, optional
        Noise correlation from frame to frame, 0 to 0.5.
    linear : bool, optional
        True: grey is proportional to the detector's signal; False: to its logarithm, with the
        coarse contrast compressed, as processed clinical pictures are.
    kind : str, optional
        Shape of the main catheter: JR, JL, XB, Amplatz, multipurpose, straight or pigtail.
    tip : (float, float), optional
        Where the tip rests, as fractions of the matrix (x, y).
    injection : Injection, optional
        In place of a drawn one.
    tube : Tube, optional
        Cross-section of the main catheter, in place of a drawn one.
    stenosis : Stenosis, optional
        Of the main vessel, which then has no other.
    field_mm : float, optional
        Side of the field of view in the patient.
    angles_deg : (float, float), optional
        Positioner angles to report; the picture does not depend on them.
    plain : bool, optional
        No collimator edge, no black corners, one steady exposure.
    motions : collection of Motion, optional
        All that moves the picture; breathing among them is deep. As the scenario has it when None.
    stented : bool, optional
        A stent on its balloon stands in the artery, where that is long enough: devices of kind
        "stent" and "balloon", whose bodies begin and end at the balloon's markers.

    Returns
    -------
    SimulatedRun
    """
    rng = np.random.default_rng([seed, 0xF1])
    for_scene, for_anatomy, for_scanner, for_noise = rng.spawn(4)  # one does not shift another
    if scenario is Scenario.MIXED:
        scenario = _HARD[int(rng.integers(len(_HARD)))]
    matrix = matrix or size
    unit = matrix / 512
    side_mm = field_mm or rng.uniform(*_FIELD_MM)
    pixels_per_mm = matrix / side_mm
    fluoroscopic = scenario in (Scenario.FLUOROSCOPY, Scenario.DEVICE_OCCLUSION)
    if frames_per_second is None:
        frames_per_second = float(rng.choice((7.5, 10, 12.5, 15, 15, 15, 25, 30)))

    tip_share = np.array(tip) if tip else rng.beta((1.6, 1.5), (2.0, 2.6))
    tip_px = tip_share * matrix
    crop = np.zeros(2)
    if matrix > size:
        around = tip_px - size * rng.uniform(0.1, 0.9, 2)
        crop = np.clip(np.rint(around), 0, matrix - size)

    table_px = 0.0
    if scenario is Scenario.PANNING or (not fluoroscopic and rng.random() < 0.15):
        table_px = rng.uniform(25, 130) * unit
    breathing = rng.random() < 0.5 or (motions is not None and Motion.BREATHING in motions)
    rhythm = make_rhythm(rng, frame_count, frames_per_second, table_px, breathing)
    if motions is not None:
        rhythm = rhythm.only(motions)
    scene = make_scene(
        for_scene, scenario, rhythm, tip_px - crop, pixels_per_mm, 2.0 * matrix, unit,
        towards=matrix * np.array([0.5, 0.55]) - crop, kind=kind, injection=injection,
        tube=tube, stenosis=stenosis,
        stented=stented,
    )  # fmt: skip
    reach = float(np.abs(rhythm.table_shift).max()) + float(np.abs(scene.field.breath_shift).max())
    margin = int(np.ceil(reach + 60 * unit)) + 2
    anatomy = make_anatomy(for_anatomy, size, margin, pixels_per_mm)
    scanner, offset = make_scanner(
        for_scanner, scenario, frame_count, size, matrix, crop, anatomy,
        bits=bits, noise_sd=noise_sd, recursion=recursion, linear=linear, plain=plain,
    )  # fmt: skip
    layers = [
        scanner.detect(layer) for layer in (anatomy.back - offset, anatomy.chest, anatomy.heart)
    ]

    dtype = np.uint8 if scanner.white <= 255 else np.uint16
    frames = np.empty((frame_count, size, size), dtype)
    clean = np.empty((frame_count, size, size), np.float32)
    vessel_mask = np.empty((frame_count, size, size), np.uint8)
    drawn = []
    noise = None
    levels = []
    for frame in range(frame_count):
        attenuation = _anatomy_at(anatomy, layers, scene.field, frame, size)
        others, main, contrast, truth = scene.draw(frame, size, size)
        attenuation += scanner.detect(others)
        without = scanner.tone(attenuation, frame)
        attenuation += scanner.detect(main)
        clean[frame] = scanner.tone(attenuation, frame)
        vessel_mask[frame] = detected_mask(contrast)
        amplitude = scanner.noise_amplitude(attenuation, frame)
        shown, end = without - clean[frame], truth.lines[0][0, :2]
        ratio = scanner.signal_to_noise(shown, amplitude, end, _TIP_MM * pixels_per_mm)
        if ratio < _SEEN_ABOVE:
            truth = replace(truth, hidden=True)
        noise = scanner.noise(for_noise, noise, (size, size))
        frames[frame] = scanner.store(clean[frame] + amplitude * noise)
        drawn.append(truth)
        levels.append(float(np.median(amplitude[::8, ::8])))
    angles = angles_deg or (float(rng.uniform(-45, 55)), float(rng.uniform(-30, 35)))
    return SimulatedRun(
        seed=seed,
        scenario=scenario,
        frames=frames,
        clean=clean,
        white=scanner.white,
        devices=device_truths(scene, drawn, scanner.open_to_view),
        vessel_mask=vessel_mask,
        vessel=_vessel_truth(scene, frame_count),
        heart_phase=rhythm.heart_phase,
        breathing_phase=rhythm.breathing_phase,
        table_shift=rhythm.table_shift,
        frame_times_ms=rhythm.times_ms,
        contrast_mgi=scene.injection.concentration(rhythm.times_ms).astype(np.float32),
        r_wave_times_ms=rhythm.r_wave_times_ms,
        ecg=rhythm.ecg,
        ecg_hz=ECG_HZ,
        spacing_mm=1 / pixels_per_mm,
        primary_angle_deg=angles[0],
        secondary_angle_deg=angles[1],
        linear=scanner.linear,
        noise_sd=float(np.median(levels)),
    )


def _vessel_truth(scene: Scene, frame_count: int) -> VesselTruth | None:
    if scene.tree is None or scene.injection.duration_ms <= 0:
        return None
    drawn = [scene.tree.main_vessel(scene.field, frame) for frame in range(frame_count)]
    return VesselTruth(tuple(line for line, _ in drawn), tuple(radius for _, radius in drawn))


def draw_device_over(
    frames: NDArray[np.generic],
    seed: int,
    *,
    white: float = 255.0,
    frames_per_second: float = 15.0,
    contrast: bool | None = None,
    kind: str | None = None,
    pixels_per_mm: float | None = None,
) -> tuple[NDArray[np.generic], DeviceTruth]:
    """Draw a moving catheter, often with contrast, over real frames.

    Parameters
    ----------
    frames : ndarray, shape (T, H, W)
        Real frames, dark devices on a bright ground. Not changed.
    seed : int
    white : float
        Largest value of the grey scale.
    contrast : bool, optional
        Whether an injection runs from the drawn tip; drawn (half of all) when None.
    kind : str, optional
        Shape of the catheter.
    pixels_per_mm : float, optional
        Scale in the patient; drawn for a picture of 95 to 165 mm when None.

    Returns
    -------
    frames : ndarray, shape (T, H, W)
        Of the same dtype.
    truth : DeviceTruth
        Of the drawn catheter.
    """
    rng = np.random.default_rng([seed, 0xF2])
    frame_count, height, width = frames.shape
    side = max(height, width)
    unit = side / 512
    scale = pixels_per_mm or side / rng.uniform(*_FIELD_MM)
    scenario = Scenario.CONTRAST_OCCLUSION
    if contrast is False or (contrast is None and rng.random() < 0.5):
        scenario = Scenario.DEVICE_OCCLUSION if rng.random() < 0.25 else Scenario.FLUOROSCOPY
    table_px = rng.uniform(20, 120) * unit if rng.random() < 0.15 else 0.0
    rhythm = make_rhythm(rng, frame_count, frames_per_second, table_px, rng.random() < 0.5)
    tip_px = rng.uniform((0.1, 0.08), (0.9, 0.75)) * (width, height)
    middle = np.array([width, height]) / 2
    scene = make_scene(rng, scenario, rhythm, tip_px, scale, 2.0 * side, unit, middle, kind)
    blur = rng.uniform(0.6, 1.2) * max(unit, 0.6)
    strength = np.float32(rng.uniform(0.6, 1.15))
    result = np.empty_like(frames)
    drawn = []
    for index, frame in enumerate(frames):
        others, main, _, truth = scene.draw(index, height, width)
        shadow = cv2.GaussianBlur(others + main, (0, 0), blur)
        grey = frame * cv2.exp(shadow * -strength)
        if np.issubdtype(frames.dtype, np.integer):
            grey = np.clip(np.rint(grey), 0, white)
        result[index] = grey
        drawn.append(truth)
    return result, device_truths(scene, drawn, np.ones((height, width), bool))[0]


def _anatomy_at(
    anatomy: Anatomy, layers: list[FloatArray], field: HeartField, frame: int, size: int
) -> FloatArray:
    """Move the layers to one frame and add them up."""
    rhythm = field.rhythm
    table = rhythm.table_shift[frame]
    breath = field.breath_shift * rhythm.breath[frame]
    beat = rhythm.contraction[frame] @ field.shifts * 0.4
    squeeze = 1 - 0.07 * float(rhythm.contraction[frame, 0])
    x, y = anatomy.heart_centre
    total: FloatArray | None = None
    for layer, shift, zoom in (
        (layers[0], table, 1.0),
        (layers[1], table + breath, 1.0),
        (layers[2], table + breath + beat, squeeze),
    ):
        # Canvas to picture: zoom about the heart, shift, then cut the margin off.
        move = np.array(
            [
                [zoom, 0, (1 - zoom) * x + shift[0] - anatomy.margin],
                [0, zoom, (1 - zoom) * y + shift[1] - anatomy.margin],
            ]
        )
        moved = cv2.warpAffine(
            layer, move, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        total = moved if total is None else cv2.add(total, moved, dst=total)
    assert total is not None
    return total
