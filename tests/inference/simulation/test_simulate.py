"""The simulator: same seed same run, and a truth that the pixels bear out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.simulation import (
    Injection,
    Motion,
    Scenario,
    SimulatedRun,
    Stenosis,
    Tube,
    draw_device_over,
    simulate_run,
)
from inference.simulation.devices import STEP_PX
from inference.simulation.motion import HeartField, make_rhythm
from inference.simulation.scene import make_scene
from inference.simulation.vessels import ATTENUATION_PER_MM_MGI, make_tree

SCENARIOS = [scenario for scenario in Scenario if scenario is not Scenario.MIXED]


def short(seed: int, scenario: Scenario, **options: object) -> SimulatedRun:
    return simulate_run(seed, scenario, 6, 256, **options)  # type: ignore[arg-type]


def test_same_seed_same_run_and_another_seed_another() -> None:
    first, again, other = (short(seed, Scenario.CONTRAST_OCCLUSION) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.tip, again.tip)
    assert not np.array_equal(first.frames, other.frames)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_gives_a_whole_run(scenario: Scenario) -> None:
    run = short(7, scenario)
    assert run.frames.shape == run.clean.shape == run.vessel_mask.shape == (6, 256, 256)
    assert run.clean.dtype == np.float32
    assert run.frames.dtype == (np.uint8 if run.white == 255 else np.uint16)
    assert run.frames.min() >= 0 and run.frames.max() <= run.white
    assert run.tip.shape == run.table_shift.shape == (6, 2)
    assert len(run.state) == len(run.body) == len(run.frame_times_ms) == 6
    assert np.all(np.diff(run.frame_times_ms) > 0)
    assert np.all((run.heart_phase >= 0) & (run.heart_phase < 1))
    for tip, body in zip(run.tip, run.body, strict=True):
        np.testing.assert_array_equal(body[-1], tip)


def test_mixed_draws_every_scenario() -> None:
    drawn = {simulate_run(seed, Scenario.MIXED, 1, 64).scenario for seed in range(40)}
    assert drawn == set(SCENARIOS)


def test_noise_is_all_that_separates_frames_from_clean() -> None:
    quiet = short(3, Scenario.CONTRAST_OCCLUSION, bits=8, noise_sd=1e-6)
    assert np.abs(quiet.frames - quiet.clean).max() <= 0.5 + 1e-3  # rounding
    loud = simulate_run(
        3, Scenario.LOW_DOSE, 12, 256, bits=12, noise_sd=0.08, recursion=0.0, plain=True
    )
    noise = loud.frames - loud.clean
    assert abs(noise.mean()) < 0.02 * noise.std()
    assert noise.std() == pytest.approx(loud.noise_sd, rel=0.15)


def test_the_recursive_filter_correlates_noise_between_frames() -> None:
    def lag_one(recursion: float) -> float:
        run = simulate_run(
            5, Scenario.LOW_DOSE, 8, 192, bits=12, noise_sd=0.06, recursion=recursion, plain=True
        )
        noise = run.frames - run.clean
        return float(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1])

    assert abs(lag_one(0.0)) < 0.03
    assert lag_one(0.3) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_the_drawn_tube_lies_on_the_true_body(seed: int) -> None:
    ground = np.full((3, 256, 256), 180, np.float32)
    drawn, truth = draw_device_over(ground, seed, contrast=False, kind="JR", pixels_per_mm=2.5)
    mask = truth.mask(256, 256)
    for frame in range(3):
        shadow = 180 - drawn[frame]
        along = truth.body[frame]
        inner = along[np.all((along > 6) & (along < 249), axis=1)]
        column, row = np.rint(inner).astype(int).T
        assert len(inner) > 10
        assert np.median(shadow[row, column]) > 3  # dark on the centre line ...
        near = cv2.dilate(mask[frame], np.ones((9, 9), np.uint8))
        assert np.median(shadow[near == 0]) < 0.05  # ... and nothing elsewhere for the most part


def test_the_shadow_ends_at_the_tip() -> None:
    ground = np.full((1, 256, 256), 180, np.float32)
    beyond, before = [], []
    for seed in range(60):
        drawn, truth = draw_device_over(
            ground, seed, contrast=False, kind="straight", pixels_per_mm=2.5
        )
        x, y = truth.tip[0]
        way = truth.body[0][-1] - truth.body[0][-6]
        length = float(np.linalg.norm(way))
        if not (30 < x < 226 and 30 < y < 226) or length < 8:  # outside, or seen end-on
            continue
        steps = np.arange(-8, 9)
        line = truth.tip[0] + steps[:, None] * way / length
        columns, rows = line.T.astype(np.float32)
        profile = 180 - cv2.remap(drawn[0], columns, rows, cv2.INTER_LINEAR).ravel()
        before.append(profile[:6].mean())
        beyond.append(profile[12:].mean())
    assert len(before) >= 10
    # A wire may lead on from some tips, and another device may cross: hence the median.
    assert np.median(before) > 5
    assert np.median(beyond) < 0.1 * np.median(before)


def test_an_injection_hides_the_tip_and_washes_out() -> None:
    injection = Injection(start_ms=500, duration_ms=700, strength_mgi=350, washout_ms=150)
    hidden = 0
    for seed in range(6):
        run = simulate_run(
            seed, Scenario.CONTRAST_OCCLUSION, 40, 192,
            injection=injection, frames_per_second=15, tip=(0.5, 0.4), kind="JR",
        )  # fmt: skip
        assert run.vessel_mask[:6].max() == 0
        assert run.vessel_mask[12:20].any()
        assert run.contrast_mgi.max() == pytest.approx(350, rel=0.05)
        assert run.contrast_mgi[-1] < 5
        assert set(run.state[:6]) <= {"visible", "absent"}
        hidden += "occluded" in run.state[8:22]
    assert hidden >= 3


def test_contrast_fills_a_catheter_to_its_end() -> None:
    """Where the artery around the end moves aside, no empty end stays behind a dark shaft."""
    injection = Injection(start_ms=-500, duration_ms=5000, strength_mgi=300, washout_ms=300)
    rhythm = make_rhythm(np.random.default_rng(1), 24, 15.0, 0.0, breathing=True)
    scale = 4.0
    for seed in range(20):
        scene = make_scene(
            np.random.default_rng(seed), Scenario.CONTRAST_OCCLUSION, rhythm,
            np.array([200.0, 180.0]), scale, 900.0, 1.0, np.array([256.0, 280.0]),
            kind="multipurpose", injection=injection,
        )  # fmt: skip
        for frame in range(0, 24, 3):
            _, main, contrast, truth = scene.draw(frame, 512, 512)
            line = truth.lines[0]
            empty = np.zeros_like(main)
            scene.devices[0].shadow(empty, line)
            columns, rows = line[: int(14 * scale / STEP_PX), :2].T.copy()
            iodine = cv2.remap(main - empty + contrast, columns, rows, cv2.INTER_LINEAR).ravel()
            end, shaft = np.array_split(iodine, 2)
            assert end[6:].min() > 0.4 * np.median(shaft)


def test_a_tip_that_drowns_in_noise_is_not_visible() -> None:
    low, high = (
        simulate_run(11, Scenario.FLUOROSCOPY, 6, 256, noise_sd=noise) for noise in (0.005, 0.3)
    )
    assert set(low.state) == {"visible"}
    assert set(high.state) == {"occluded"}
    np.testing.assert_array_equal(low.tip, high.tip)


def test_a_guidewire_stays_inside_its_catheter() -> None:
    for seed in range(20):
        run = simulate_run(seed, Scenario.FLUOROSCOPY, 8, 256)
        wires = [device for device in run.devices if device.kind == "guidewire"]
        if wires:
            break
    for catheter, wire in zip(run.body, wires[0].body, strict=True):
        away = np.hypot(*(wire[:, None] - catheter[None]).transpose(2, 0, 1)).min(axis=1)
        leaves = int(np.flatnonzero(away > run.devices[0].radius_px)[0])
        # It leaves at the tip, and does not turn back.
        assert np.hypot(*(wire[leaves] - catheter[-1])) < 6.0
        assert away[leaves:].min() > 0.5 * run.devices[0].radius_px


def test_contrast_darkens_the_vessels() -> None:
    injection = Injection(start_ms=200, duration_ms=2000, strength_mgi=350, washout_ms=300)
    run = simulate_run(
        11, Scenario.CONTRAST_OCCLUSION, 20, 256,
        injection=injection, bits=8, frames_per_second=15, plain=True, noise_sd=0.01,
    )  # fmt: skip
    vessels = cv2.erode(run.vessel_mask[15], np.ones((3, 3), np.uint8)) > 0
    assert vessels.sum() > 200
    assert (run.clean[15] - run.clean[0])[vessels].mean() < -4


def test_a_vessel_seen_end_on_is_a_dark_spot() -> None:
    """Contrast adds up along a stretch that points at the viewer, over the width of the vessel."""
    injection = Injection(start_ms=-9000, duration_ms=20000, strength_mgi=300, washout_ms=300)
    rhythm = make_rhythm(np.random.default_rng(1), 2, 15.0, 0.0, breathing=False)
    scale, tip, found = 4.0, np.array([[256.0, 256.0, 0.0]], np.float32), 0
    still = HeartField(
        tip[0], np.zeros((2, 2), np.float32), np.zeros((2, 2, 3), np.float32),
        np.zeros(2, np.float32), rhythm,
    )  # fmt: skip
    for seed in range(20):
        tree = make_tree(np.random.default_rng(seed), tip, 0.3, scale, 1)
        shadow = np.zeros((512, 512), np.float32)
        tree.shadow(shadow, still, 1, injection)
        radius = np.linalg.norm(tree.across, axis=1)
        tilt = np.linalg.norm(tree.along, axis=1) / radius
        inside = np.all((tree.points[:, :2] > 20) & (tree.points[:, :2] < 492), axis=1)
        for index in np.flatnonzero((tilt > 0.98) & (radius > 3.0) & inside):
            x, y = tree.points[index, :2]
            reach = round(float(radius[index]))
            spot = cv2.getRectSubPix(shadow, (reach, reach), (float(x), float(y)))
            through = 2 * radius[index] / scale * 300 * ATTENUATION_PER_MM_MGI
            # A lumen that lies in the picture has this in its middle only.
            assert spot.mean() > through
            assert spot.min() > 0.6 * through
            found += 1
    assert found > 50


def test_states_agree_with_positions() -> None:
    for seed in range(12):
        run = short(seed, Scenario.PANNING)
        for (x, y), state in zip(run.tip, run.state, strict=True):
            inside = 0 <= round(float(x)) < 256 and 0 <= round(float(y)) < 256
            if state != "absent":
                assert inside


def test_panning_moves_the_tip_with_the_table() -> None:
    run = simulate_run(2, Scenario.PANNING, 20, 256)
    assert np.linalg.norm(run.table_shift[-1]) > 10
    travel = run.tip[-1] - run.tip[0]
    assert travel @ run.table_shift[-1] > 0


def test_a_crop_of_a_larger_matrix_holds_the_tip() -> None:
    for seed in range(8):
        run = simulate_run(seed, Scenario.FLUOROSCOPY, 2, 192, matrix=512)
        assert run.frames.shape == (2, 192, 192)
        assert np.all((run.tip > -60) & (run.tip < 252))


def test_drawing_over_real_frames_leaves_them_alone_elsewhere() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(60, 200, (4, 200, 240), dtype=np.uint8)
    before = frames.copy()
    drawn, truth = draw_device_over(frames, 3, contrast=False, kind="JL")
    np.testing.assert_array_equal(frames, before)
    assert drawn.dtype == np.uint8 and drawn.shape == frames.shape
    untouched = (drawn == frames).mean()
    assert 0.5 < untouched < 1.0
    assert truth.tip.shape == (4, 2)
    assert np.ptp(truth.tip, axis=0).max() > 0.5


def test_every_device_has_its_own_mask() -> None:
    run = short(1, Scenario.DEVICE_OCCLUSION)
    assert len(run.devices) >= 2
    assert run.device_mask(all_devices=True).sum() >= run.device_mask().sum() > 0


def test_a_tip_whose_tube_lies_outside_the_picture_is_not_visible() -> None:
    alone = 0
    for seed in range(12):
        run = simulate_run(seed, Scenario.FLUOROSCOPY, 4, 256, tip=(0.5, 0.0), plain=True)
        for body, state in zip(run.body, run.state, strict=True):
            within = np.all((body[-6:] >= 0) & (body[-6:] <= 255), axis=1)
            if within[-1] and within.mean() < 0.4:
                assert state == "occluded"
                alone += 1
    assert alone


def test_nothing_is_visible_where_the_picture_is_painted_black() -> None:
    under = 0
    for seed in range(60):
        run = simulate_run(seed, Scenario.FLUOROSCOPY, 2, 128, tip=(0.06, 0.06))
        for (x, y), frame, state in zip(run.tip, run.clean, run.state, strict=True):
            column, row = round(float(x)), round(float(y))
            if 0 <= column < 128 and 0 <= row < 128 and frame[row, column] == 0:
                assert state == "absent"
                under += 1
    assert under


def test_a_run_moves_in_the_asked_ways_alone() -> None:
    still = short(7, Scenario.FLUOROSCOPY, motions=(), noise_sd=1e-6)
    np.testing.assert_allclose(still.tip, np.repeat(still.tip[:1], 6, axis=0), atol=1e-3)
    panned = simulate_run(7, Scenario.PANNING, 40, 96, motions=(Motion.TABLE,))
    np.testing.assert_allclose(
        panned.tip - panned.tip[0], panned.table_shift - panned.table_shift[0], atol=1e-3
    )
    assert np.ptp(panned.table_shift, axis=0).max() > 1


def test_a_catheter_of_known_size() -> None:
    run = simulate_run(3, Scenario.FLUOROSCOPY, 1, 128, tube=Tube(2.0, 0.14), plain=True)
    assert run.devices[0].radius_px * run.spacing_mm == pytest.approx(1.0)
    assert run.vessel is None


def test_a_stenosis_of_known_size() -> None:
    injection = Injection(start_ms=-3000, duration_ms=9000, strength_mgi=300, washout_ms=300)
    stenosis = Stenosis(place_mm=25.0, share=0.6, length_mm=8.0)
    narrow, healthy = (
        simulate_run(
            5, Scenario.CONTRAST_OCCLUSION, 1, 256,
            kind="JR", injection=injection, plain=True, stenosis=one,
        ).vessel
        for one in (stenosis, Stenosis(25.0, 0.0, 8.0))
    )  # fmt: skip
    assert narrow is not None and healthy is not None
    left = narrow.radius_px[0] / np.maximum(healthy.radius_px[0], 1e-6)
    wide = healthy.radius_px[0] > 0.5
    assert left[wide].min() == pytest.approx(0.4, abs=0.01)
    assert np.median(left[wide]) == pytest.approx(1.0, abs=1e-3)
