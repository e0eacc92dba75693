"""The two planes of a biplane C-arm, which film the same beats from two sides."""

from __future__ import annotations

from collections.abc import Sequence

from app.runs.catalog_entry import CatalogEntry

PLANES = SINGLE_PLANE, PLANE_A, PLANE_B = "SINGLE PLANE", "BIPLANE A", "BIPLANE B"
"""The defined terms of Image Type value 3 (PS3.3 C.8.7.1.1.1)."""
MOST_APART_S = 1.0
"""Between the beginnings of two planes' runs; their clocks tell whole seconds at worst."""
LEAST_ANGLE_DEG = 5.0
"""Between two planes that do not say that they are two; a C-arm repeats its angles better."""


def other_plane(run: CatalogEntry, runs: Sequence[CatalogEntry]) -> CatalogEntry | None:
    """Return the run of the other plane, taken at the same time in the same study.

    Planes that are named A and B belong together where they began together, or where no time is
    known and B has the number of A or the one after it. Planes without a name belong together
    where they began together, have as many frames and other angles. Where more than one run
    would do, none is taken for it.
    """
    found = [other for other in runs if other.path != run.path and _belong_together(run, other)]
    return found[0] if len(found) == 1 else None


def _belong_together(run: CatalogEntry, other: CatalogEntry) -> bool:
    if not run.study_uid or run.study_uid != other.study_uid:
        return False
    apart_s = None
    if run.acquired is not None and other.acquired is not None:
        apart_s = abs((run.acquired - other.acquired).total_seconds())
    if {run.plane, other.plane} == {PLANE_A, PLANE_B}:
        return _numbered_together(run, other) if apart_s is None else apart_s <= MOST_APART_S
    unnamed = not run.plane and not other.plane and run.frame_count == other.frame_count
    return unnamed and apart_s is not None and apart_s <= MOST_APART_S and _aside(run, other)


def _numbered_together(run: CatalogEntry, other: CatalogEntry) -> bool:
    first, second = (run, other) if run.plane == PLANE_A else (other, run)
    if first.instance_number is None or second.instance_number is None:
        return False
    return second.instance_number - first.instance_number in (0, 1)


def _aside(run: CatalogEntry, other: CatalogEntry) -> bool:
    """Tell whether two runs are known to look from different sides."""
    pairs = (
        (run.primary_angle_deg, other.primary_angle_deg),
        (run.secondary_angle_deg, other.secondary_angle_deg),
    )
    apart = (abs(a - b) for a, b in pairs if a is not None and b is not None)
    return max(apart, default=0.0) >= LEAST_ANGLE_DEG
