"""Simulated fluoroscopy and angiography runs with exact truth."""

from inference.simulation.devices import Tube
from inference.simulation.motion import Injection, Motion
from inference.simulation.run import DeviceTruth, Scenario, SimulatedRun, VesselTruth
from inference.simulation.simulate import draw_device_over, simulate_run
from inference.simulation.vessels import Stenosis

__all__ = [
    "DeviceTruth",
    "Injection",
    "Motion",
    "Scenario",
    "SimulatedRun",
    "Stenosis",
    "Tube",
    "VesselTruth",
    "draw_device_over",
    "simulate_run",
]
