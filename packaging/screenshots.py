"""Makes the README's pictures from the program itself, on the built-in sample.

Needs a display: ``xvfb-run -a -s "-screen 0 1440x900x24" python packaging/screenshots.py``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer

from app.session.look import Comparison
from app.session.settings import Settings, SettingsKeeper
from app.window.application import make_application
from app.window.demo import demo_click
from app.window.main_window import MainWindow
from resources import resource_path

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "screenshots"
PATIENCE_MS = 120_000


def let_work(time_ms: int) -> None:
    """Run the event loop; unlike QTest.qWait it lets Python's other threads work."""
    loop = QEventLoop()
    QTimer.singleShot(time_ms, loop.quit)
    loop.exec()


def until(done: Callable[[], bool]) -> None:
    """Let the window work until something is true.

    Raises
    ------
    TimeoutError
        If it does not become true.
    """
    for _ in range(PATIENCE_MS // 50):
        if done():
            return
        let_work(50)
    raise TimeoutError


def main() -> None:
    """Open the sample, track its tip, denoise it, and save the pictures."""
    app = make_application()
    with tempfile.TemporaryDirectory() as folder:
        window = MainWindow(SettingsKeeper(Settings(), project_folder=folder))
        window.resize(1440, 900)
        window.show()
        window.session.library.open_paths([resource_path("sample", "demo.dcm")])
        until(lambda: window.session.opened is not None and window.picture.complete)
        frame, x, y = demo_click()
        window.session.playback.seek(frame)
        window.session.labelling.place(x, y)
        until(lambda: not window.session.worker.tracking)
        window.session.look.change(comparison=Comparison.WIPE)
        window.view.set_wipe_locked(True)
        window.view.set_wipe_position(0.47)
        window.session.playback.seek(20)
        until(lambda: bool(window.session.denoising.ready().all()))
        save(window, "demo.png")
        window.session.look.change(comparison=Comparison.SIDE_BY_SIDE)
        window.commander.do("toggle_theme")
        window.session.playback.seek(10)
        save(window, "light.png")
        window.close()
    app.quit()


def save(window: MainWindow, name: str) -> None:
    """Save the whole window."""
    window.notices.clear()
    let_work(400)
    window.grab().save(str(FOLDER / name))


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    main()
