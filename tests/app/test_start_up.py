"""What the program does not load before it is needed."""

from __future__ import annotations

import subprocess
import sys


def loaded_with(modules: str, wanted: tuple[str, ...]) -> str:
    code = f"import sys, {modules}; print([m for m in {wanted} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return told.stdout.strip()


def test_the_window_opens_without_the_database_library():
    assert loaded_with("app.window.main_window", ("sqlalchemy", "alembic")) == "[]"


def test_a_labels_file_is_written_without_the_migrations():
    assert loaded_with("app.tracks.database", ("alembic",)) == "[]"
