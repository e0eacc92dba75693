"""JSON that every reader takes: numbers that it cannot hold are left out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_text(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON, with null for what is no finite number.

    >>> json_text({"spacing_mm": [0.2, float("nan")], "angle_deg": float("inf")})
    '{"spacing_mm": [0.2, null], "angle_deg": null}'
    """
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value
