"""The main job in a real window without anybody's hand: open, denoise, track, close.

``python -m tests.app.main_job_in_window RUN X Y``; the exit status is 0 once all is done.
"""

import sys
from pathlib import Path

from PySide6.QtCore import QTimer

from app.session.settings import SettingsKeeper
from app.window.application import make_application
from app.window.main_window import MainWindow

POLL_MS = 20


def main(run: Path, x: float, y: float) -> int:
    """Return 0 once all frames are denoised and tracked."""
    app = make_application()
    window = MainWindow(SettingsKeeper())
    window.show()
    window.session.library.open_paths([run])
    steps = iter(
        (
            lambda: window.session.denoising.set_wanted(True),
            lambda: window.session.labelling.place(x, y),
        )
    )
    waits = iter(
        (
            lambda: window.session.opened is not None and window.picture.complete,
            lambda: bool(window.session.denoising.ready().all()),
            lambda: (
                not window.session.worker.tracking
                and len(window.session.labelling.selected.points) > 1
            ),
        )
    )
    wait = next(waits)

    def poll() -> None:
        nonlocal wait
        if wait():
            step = next(steps, None)
            if step is None:
                timer.stop()
                window.close()
                app.quit()
                return
            step()
            wait = next(waits)

    timer = QTimer()
    timer.timeout.connect(poll)
    timer.start(POLL_MS)
    return app.exec()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
