"""A page of sample frames, to look at beside real ones."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.simulation.run import Scenario
from inference.simulation.simulate import simulate_run


def sample_page(
    first_seed: int = 0, rows: int = 4, size: int = 512, frame_count: int = 16
) -> NDArray[np.uint8]:
    """Draw two runs a row, an early and a late frame of each, one scenario after the other.

    Returns
    -------
    ndarray, uint8, shape (rows * size, 4 * size)
    """
    scenarios = [scenario for scenario in Scenario if scenario is not Scenario.MIXED]
    tiles = []
    for index in range(2 * rows):
        scenario = scenarios[index % len(scenarios)]
        run = simulate_run(first_seed + index, scenario, frame_count, size)
        for frame in (0, frame_count * 2 // 3):
            tile = (run.frames[frame] * (255.0 / run.white)).astype(np.uint8)
            label = f"{run.seed} {scenario.value}, {run.devices[0].kind}, {run.state[frame]}"
            cv2.putText(tile, label, (8, size - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.42, 235, 1)
            tiles.append(tile)
    return np.vstack([np.hstack(tiles[row * 4 : row * 4 + 4]) for row in range(rows)])
