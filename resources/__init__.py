"""Icons, style sheets, weights, schemas and the sample run, found wherever they are installed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def resource_path(*parts: str) -> Path:
    """Return the path of an installed resource.

    Parameters
    ----------
    *parts : str
        Path below ``resources/``, for example ``"weights", "tracker_tiny.onnx"``.

    Raises
    ------
    FileNotFoundError
        If no such resource is installed.
    """
    path = Path(str(files(__name__).joinpath(*parts)))
    if not path.exists():
        raise FileNotFoundError(path)
    return path
