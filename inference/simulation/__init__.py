"""Simulated fluoroscopy and angiography runs with exact truth."""

from inference.simulation.devices import Tube
from inference.simulation.motion import Injection
from inference.simulation.run import DeviceTruth, Scenario, SimulatedRun
from inference.simulation.simulate import draw_device_over, simulate_run

__all__ = [
    "DeviceTruth",
    "Injection",
    "Scenario",
    "SimulatedRun",
    "Tube",
    "draw_device_over",
    "simulate_run",
]
