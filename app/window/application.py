"""Starts the program with a window: the Qt application, and the window where it fits the screen."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PySide6.QtCore import QSize, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from app.errors import UserError
from app.log import log_qt_messages
from app.session.settings import SettingsKeeper
from app.window.main_window import MainWindow
from resources import resource_path

USUAL_SIZE = QSize(1440, 900)
ROOM_BESIDE = QSize(80, 80)
"""On a screen with less room than this beside the usual size, the window fills it."""


def make_application() -> QApplication:
    """Return the application object, made once, with our name, icon and style."""
    app = QApplication.instance() or QApplication(["fluorotrace"])
    assert isinstance(app, QApplication)
    app.setApplicationName("Fluorotrace")
    app.setStyle("Fusion")
    app.setWindowIcon(QIcon(str(resource_path("icons", "fluorotrace.svg"))))
    return app


def run_window(paths: list[Path], *, demo: bool = False) -> int:
    """Open the window on these runs (or the built-in sample) and run until it is closed.

    Raises
    ------
    UserError
        If this computer has no screen (Qt would end the program without a word on it).
    """
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in screens):
        raise UserError("There is no screen here; see fluorotrace --help for work without one.")
    log_qt_messages()
    app = make_application()
    window = MainWindow(SettingsKeeper())
    window.resize(USUAL_SIZE)
    room = window.screen().availableSize() - ROOM_BESIDE
    if window.hands.frame.restore() or USUAL_SIZE.boundedTo(room) == USUAL_SIZE:
        window.show()
    else:
        window.showMaximized()
    if demo:
        QTimer.singleShot(0, window.start_demo)
    else:
        QTimer.singleShot(0, window.session.library.show_recent)
        if paths:
            QTimer.singleShot(0, lambda: window.session.library.open_paths(paths))
    return app.exec()
