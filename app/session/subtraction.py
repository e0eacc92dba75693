"""Mask subtraction (DSA) of the run on the screen: on and off, another mask, the mask moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from app.display.pipeline import DisplaySettings

if TYPE_CHECKING:
    from app.window.main_window import MainWindow

STEP_PX = 0.5
"""How far one key press moves the mask."""


class Subtraction:
    """Does what the menu "Subtraction" offers."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window

    def toggle(self, on: bool) -> None:
        """Subtract the mask that was chosen, else the file's, else the first frame."""
        self._change(lambda settings: replace(settings, subtracted=on))

    def use_this_frame(self) -> None:
        """Take the frame on the screen for the mask."""
        frames = (self._window.playback.frame,)
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
        window, picture = self._window, self._window.picture
        settings = change(picture.settings)
        if window.review is None or not settings.subtracted:
            picture.change_settings(settings)
            return
        review, frame = window.review, window.playback.frame

        def show(_: object) -> None:
            if window.review is review:
                picture.change_settings(change(picture.settings))

        window.background.start(
            lambda _: review.display.prepare_mask(settings, frame), show, window.say_error
        )
