"""The FIMAE catheter-tip tracker."""

from inference.tracking.requests import Anchor, TrackedPoint, TrackRequest
from inference.tracking.tracker import Tracker, load_tracker

__all__ = ["Anchor", "TrackRequest", "TrackedPoint", "Tracker", "load_tracker"]
