"""The gated mean: noise is averaged, what moved is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.denoising.fusion import Gates, Neighbour

UNCORRELATED = np.zeros((7, 7))
UNCORRELATED[3, 3] = 1.0
LAGS = [k for k in range(-5, 6) if k]


def scene(shift_px: float, contrast: float) -> np.ndarray:
    """A wire across the picture, in noise deviations."""
    canvas = np.zeros((192, 192), np.uint8)
    ends = np.array([[20.0 + shift_px, 10.0], [120.0 + shift_px, 185.0]])
    cv2.polylines(canvas, [np.round(ends * 16).astype(np.int32)], False, 255, 4, cv2.LINE_AA, 4)
    return -contrast * canvas.astype(np.float32) / 255.0


def fused(shift_px: float, contrast: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of 11 frames whose wire moves by ``shift_px`` a frame, its variance, and the truth."""
    rng = np.random.default_rng(1)
    frames = {
        k: scene(shift_px * k, contrast) + rng.standard_normal((192, 192)).astype(np.float32)
        for k in (0, *LAGS)
    }
    found = Gates(0.0, UNCORRELATED).fuse(
        frames[0], [Neighbour(frames[k], 0, 0, abs(k)) for k in LAGS]
    )
    return found.mean, found.variance, scene(0.0, contrast)


def test_what_rests_is_averaged_and_the_noise_left_is_known() -> None:
    mean, variance, truth = fused(0.0, 3.0)
    assert variance.mean() < 0.13
    assert ((mean - truth) ** 2).mean() == pytest.approx(variance.mean(), abs=0.03)


@pytest.mark.parametrize("shift_px", [0.7, 2.0, 6.0])
@pytest.mark.parametrize("contrast", [2.0, 5.0])
def test_a_wire_that_moves_keeps_its_depth(shift_px: float, contrast: float) -> None:
    mean, _, truth = fused(shift_px, contrast)
    wire = truth < -0.5 * contrast
    assert mean[wire].mean() < 0.97 * truth[wire].mean()
