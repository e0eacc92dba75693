"""Frames moved so that a device lies still, and averaged: its struts come out of the noise."""

from inference.enhancement.averaging import Enhancer
from inference.enhancement.pairs import MarkerPair, propose_pairs
from inference.enhancement.steadying import resting_pair, stabilised, steadied

__all__ = [
    "Enhancer",
    "MarkerPair",
    "propose_pairs",
    "resting_pair",
    "stabilised",
    "steadied",
]
