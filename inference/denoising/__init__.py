"""Denoising networks and engine."""

from inference.denoising.denoiser import Denoiser, load_denoiser
from inference.denoising.requests import DenoisedFrame, DenoiseRequest

__all__ = ["DenoiseRequest", "DenoisedFrame", "Denoiser", "load_denoiser"]
