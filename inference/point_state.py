"""What can be seen of a point on a frame: one enum for all rooms."""

from __future__ import annotations

from enum import StrEnum


class PointState(StrEnum):
    """What can be seen of a point on its frame."""

    VISIBLE = "visible"
    OCCLUDED = "occluded"
    ABSENT = "absent"
