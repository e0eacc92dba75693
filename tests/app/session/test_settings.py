"""Settings of any file can be worked with."""

from __future__ import annotations

import json

import pytest

from app.session.settings import RECENT_RUNS, Settings, load_settings


@pytest.fixture
def settings_file(tmp_path, monkeypatch):
    monkeypatch.setenv("FLUOROTRACE_CONFIG", str(tmp_path))
    return tmp_path / "settings.json"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\xff\xfe",
        b"[1]",
        b"[" * 200_000,
        b'{"frame_memory_mb": -5}',
        b'{"denoised_memory_mb": 0}',
        b'{"frame_memory_mb": true}',
        b'{"trail_frames": 1000000000000}',
        b'{"assumed_frame_rate_hz": 0}',
        b'{"assumed_frame_rate_hz": -15.0}',
        b'{"assumed_frame_rate_hz": NaN}',
        b'{"assumed_frame_rate_hz": 1' + b"0" * 400 + b"}",
        b'{"project_folder": "a\\u0000b", "last_folder": "\\ud800"}',
        b'{"recent_runs": [1, null, "\\ud800"]}',
    ],
)
def test_what_cannot_be_worked_with_gives_the_defaults(settings_file, damaged):
    settings_file.write_bytes(damaged)
    assert load_settings() == Settings()


def test_what_can_be_worked_with_stays(settings_file):
    stored = {
        "theme": "light",
        "trail_frames": 0,
        "assumed_frame_rate_hz": 30,
        "project_folder": "caf\udce9",  # a name on the disk that is not UTF-8
        "recent_runs": ["/a", 5, *["/b"] * 100],
        "of_a_newer_version": 1,
    }
    settings_file.write_text(json.dumps(stored))
    found = load_settings()
    assert (found.theme, found.trail_frames, found.assumed_frame_rate_hz) == ("light", 0, 30.0)
    assert found.project_folder == "caf\udce9"
    assert found.recent_runs == ("/a", *["/b"] * (RECENT_RUNS - 1))
