"""Fixtures shared by all rooms, and the watch for what a test leaves behind."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("FLUOROTRACE_LOG", tempfile.mkdtemp(prefix="fluorotrace-log-"))
atexit.register(shutil.rmtree, os.environ["FLUOROTRACE_LOG"], ignore_errors=True)


SLOW_S = 1200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that train or start the program more time than pyproject.toml does."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_S))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real runs; tests that need it skip where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FLUOROTRACE_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real runs are not at {folder} (set FLUOROTRACE_DATA)")
    return folder


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    """Fail a test that leaves a thread of ours running."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 3.0
    while True:
        left = [t for t in threading.enumerate() if t not in before and t.is_alive()]
        if not left:
            return
        if time.monotonic() > deadline:
            pytest.fail(f"threads left behind: {[t.name for t in left]}")
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def no_widgets_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a Qt test that leaves a window or a running timer behind."""
    yield
    if "qtbot" not in request.fixturenames:
        return
    from PySide6.QtCore import QCoreApplication, QEvent, QTimer
    from PySide6.QtWidgets import QApplication

    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    visible = [w for w in app.topLevelWidgets() if w.isVisible()]
    assert not visible, f"windows left open: {visible}"
    running = [t for t in app.findChildren(QTimer) if t.isActive()]
    assert not running, f"timers left running: {running}"
