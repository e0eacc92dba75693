"""The phase of the heart in each frame."""

from inference.heart.from_pictures import phase_from_pictures
from inference.heart.phase import HeartPhase, phase_from_r_waves

__all__ = ["HeartPhase", "phase_from_pictures", "phase_from_r_waves"]
