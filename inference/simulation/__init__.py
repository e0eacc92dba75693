"""Simulated fluoroscopy and angiography runs with exact truth."""

from inference.simulation.motion import Injection, Motion
from inference.simulation.run import DeviceTruth, Scenario, SimulatedRun
from inference.simulation.simulate import draw_device_over, simulate_run

__all__ = [
    "DeviceTruth",
    "Injection",
    "Motion",
    "Scenario",
    "SimulatedRun",
    "draw_device_over",
    "simulate_run",
]
