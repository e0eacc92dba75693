"""What the user chose, kept in one JSON file of the user's configuration folder."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from platformdirs import user_config_path
from PySide6.QtCore import QObject, Signal

log = logging.getLogger(__name__)

RECENT_RUNS = 12
RANGES: Mapping[str, tuple[float, float]] = {
    "frame_memory_mb": (1, 1 << 20),
    "denoised_memory_mb": (1, 1 << 20),
    "trail_frames": (0, 10_000),
    "assumed_frame_rate_hz": (0.01, 10_000.0),
    "places": (1, 4),
}
"""What the program can work with; a number beyond it stands in a damaged file."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; every field has a default, unknown fields of a newer version are ignored."""

    theme: str = "dark"
    device: str = "auto"  # auto, cuda, mps or cpu
    denoiser: str = ""  # the name of an adapted one; "" is the shipped one
    frame_memory_mb: int = 800
    denoised_memory_mb: int = 640  # 300 frames of 1024x1024, 16 bits each
    project_folder: str = ""  # "" keeps labels beside the run
    trail_frames: int = 12
    assumed_frame_rate_hz: float = 15.0
    show_patient: bool = True
    autoplay: bool = False  # a run plays as soon as it is open
    step_after_click: bool = False  # to the next frame, while labelling
    next_at_end: bool = False  # a run plays once, then the next one in the list
    places: int = 1  # runs side by side: 1, 2 or 4
    sync: str = "time"  # what they have in common: time, frame, phase or off
    linked_zoom: bool = False  # zooming and moving one picture does the same to all
    recent_runs: tuple[str, ...] = ()
    last_folder: str = ""  # where the open dialog begins
    window_geometry: str = ""  # as Qt writes them, in base64
    window_layout: str = ""

    def with_recent(self, path: Path) -> Settings:
        """Return settings with ``path`` first among the recent runs."""
        kept = [p for p in self.recent_runs if p != str(path)]
        return replace(self, recent_runs=(str(path), *kept)[:RECENT_RUNS])


class SettingsKeeper(QObject):
    """The settings in force, and the only one that writes them.

    Parameters
    ----------
    stored : Settings, optional
        Read from the file where left out.
    **overrides
        Fields that are in force in place of what is stored, and are never saved.

    Signals
    -------
    changed(object) : the `Settings` now in force.
    """

    changed = Signal(object)

    def __init__(self, stored: Settings | None = None, **overrides: Any) -> None:
        super().__init__()
        self._stored = load_settings() if stored is None else stored
        self._overrides = overrides

    @property
    def now(self) -> Settings:
        """What is in force."""
        return replace(self._stored, **self._overrides)

    def change(self, **values: Any) -> None:
        """Set fields for good; what overrides one of them gives way."""
        for name in values:
            self._overrides.pop(name, None)
        self._store(replace(self._stored, **values))

    def remember_run(self, path: Path) -> None:
        """Put a run first among the recent ones, and begin the next search in its folder."""
        self._store(replace(self._stored.with_recent(path), last_folder=str(path.parent)))

    def _store(self, settings: Settings) -> None:
        if settings != self._stored:
            self._stored = settings
            save_settings(settings)
            self.changed.emit(self.now)


def settings_path() -> Path:
    """Return the settings file (``FLUOROTRACE_CONFIG`` moves its folder)."""
    folder = os.environ.get("FLUOROTRACE_CONFIG")
    return (Path(folder) if folder else user_config_path("fluorotrace")) / "settings.json"


def load_settings() -> Settings:
    """Read the settings; a missing or damaged file, or value, gives the defaults."""
    try:
        stored = json.loads(settings_path().read_text("utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, RecursionError):
        log.warning("settings file unreadable, using defaults", exc_info=True)
        return Settings()
    if not isinstance(stored, dict):
        return Settings()
    known: dict[str, Any] = {}
    for field in fields(Settings):
        value = stored.get(field.name)
        if isinstance(value, list):
            value = tuple(item for item in value if _is_text(item))[:RECENT_RUNS]
        if (
            type(value) is int
            and isinstance(field.default, float)
            and _is_usable(field.name, value)
        ):
            value = float(value)
        if type(value) is type(field.default) and _is_usable(field.name, value):
            known[field.name] = value
    return replace(Settings(), **known)


def _is_usable(name: str, value: Any) -> bool:
    if name in RANGES:
        low, high = RANGES[name]
        return low <= value <= high
    return not isinstance(value, str) or _is_text(value)


def _is_text(value: Any) -> bool:
    """Tell whether a value is a text that can name a file, also one that is not UTF-8."""
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def save_settings(settings: Settings) -> None:
    """Write the settings; the old file stays whole until the new one is complete."""
    path = settings_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".json.new")
        draft.write_text(json.dumps(asdict(settings), indent=1), "utf-8")
        draft.replace(path)
    except OSError:
        log.warning("settings could not be saved", exc_info=True)
