"""Mask subtraction (DSA) of the open run: on and off, another mask, the mask moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from app.display.pipeline import DisplaySettings
from app.session.background import Background
from app.session.look import LookKeeper
from app.session.open_run import OpenRun
from app.session.playback import Playback

STEP_PX = 0.5
"""How far one key press moves the mask."""


class Subtraction(QObject):
    """Does what the menu "Subtraction" offers.

    Signals
    -------
    failed(str) : one sentence, why the mask cannot be had.
    """

    failed = Signal(str)

    def __init__(self, look: LookKeeper, playback: Playback, background: Background) -> None:
        super().__init__()
        self._look = look
        self._playback = playback
        self._background = background
        self._opened: OpenRun | None = None

    def set_run(self, opened: OpenRun | None) -> None:
        """Subtract in another run."""
        self._opened = opened

    def toggle(self) -> None:
        """Subtract the mask that was chosen, else the file's, else the first frame; or stop it."""
        on = not self._look.now.grey.subtracted
        self._change(lambda settings: replace(settings, subtracted=on))

    def use_this_frame(self) -> None:
        """Take the frame on the screen for the mask."""
        frames = (self._playback.frame,)
        self._change(lambda settings: replace(settings, subtracted=True, mask_frames=frames))

    def move(self, right: int, down: int) -> None:
        """Move the mask a step, after what the patient has moved since."""

        def moved(settings: DisplaySettings) -> DisplaySettings:
            x, y = settings.mask_shift_px
            shift = (x + STEP_PX * right, y + STEP_PX * down)
            return replace(settings, subtracted=True, mask_shift_px=shift)

        self._change(moved)

    def reset(self) -> None:
        """Take the file's mask as it is."""
        self._change(lambda settings: replace(settings, mask_frames=(), mask_shift_px=(0.0, 0.0)))

    def _change(self, change: Callable[[DisplaySettings], DisplaySettings]) -> None:
        """Change the settings, once the mask's frames are decoded.

        Key presses that follow each other fast each add their step to what is there by then.
        """
        look, opened = self._look, self._opened
        settings = change(look.now.grey)
        if opened is None or not settings.subtracted:
            look.change(grey=settings)
            return
        frame = self._playback.frame

        def show(_: object) -> None:
            if self._opened is opened:
                look.change(grey=change(look.now.grey))

        self._background.start(
            lambda _: opened.display.prepare_mask(settings, frame), show, self.failed.emit
        )
