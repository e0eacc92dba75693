"""Subtraction of a mask: registration to it, and what contrast did over a run."""

from inference.subtraction.elastic import RegistrationStoppedError
from inference.subtraction.masks import FittedMask, MaskFitter, Registration
from inference.subtraction.opacification import Opacification, opacification

__all__ = [
    "FittedMask",
    "MaskFitter",
    "Opacification",
    "Registration",
    "RegistrationStoppedError",
    "opacification",
]
