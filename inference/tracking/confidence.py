"""How sure the tracker is of a point, and from what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNCALIBRATED = (0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Weights of the features in a file that holds none."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one point.

    Attributes
    ----------
    chance : float
        Probability of its candidate given all frames.
    sharpness : float
        Share of the candidate's mass that lies close to it.
    sure : float
        The tracking network's own logit of being right.
    mass : float
        The refiner's probability of being within 5 pixels (at 512).
    moved : float
        View pixels between the candidate and where the refiner puts it.
    hidden : float
        Probability that something hides the tip.
    alike : float
        How like the shafts of anchored frames the picture is; 0 where the tip is not hidden.
    away : int
        Frames to the nearest anchor.
    """

    chance: float
    sharpness: float
    sure: float
    mass: float
    moved: float
    hidden: float
    alike: float
    away: int


def probability(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the probabilities that log odds stand for."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


def features(evidence: Evidence) -> NDArray[np.float64]:
    """Return what the confidence is made from.

    1, the log odds of the path, of the peak being sharp, of the refiner's mass and of the tip being
    seen, the network's own logit, how like the shaft the picture is, and, as doubts, how far (in 10
    view pixels) the refiner moved the point and how far away (log of frames) the nearest anchor is.
    """
    seen = 1.0 - evidence.hidden
    shares = np.clip([evidence.chance, evidence.sharpness, evidence.mass, seen], 1e-3, 1.0 - 1e-3)
    odds = np.log(shares / (1.0 - shares))
    doubts = (-evidence.moved / 10.0, -np.log1p(evidence.away))
    return np.array([1.0, *odds, evidence.sure, evidence.alike, *doubts])
