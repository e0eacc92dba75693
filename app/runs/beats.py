"""Heart beats counted over the frames of a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.runs.run import Run


def beats_by_r_waves(run: Run) -> NDArray[np.float64] | None:
    """Return how many beats each frame lies after the run's first R wave.

    Whole numbers are R waves, the fraction is the phase, as a share of its beat's length. Before
    the first and after the last R wave, beats are as long as the median one.

    Returns
    -------
    ndarray, shape (frame_count,), increasing; or None
        None where the run's ECG has fewer than two R waves.
    """
    waves_ms = np.unique(() if run.ecg is None else run.ecg.r_wave_times_ms)
    if len(waves_ms) < 2:
        return None
    times_ms, numbers = run.frame_times_ms, np.arange(len(waves_ms), dtype=np.float64)
    beat_ms = float(np.median(np.diff(waves_ms)))
    before = np.minimum(times_ms - waves_ms[0], 0.0) / beat_ms
    after = np.maximum(times_ms - waves_ms[-1], 0.0) / beat_ms
    return np.asarray(np.interp(times_ms, waves_ms, numbers) + before + after)
