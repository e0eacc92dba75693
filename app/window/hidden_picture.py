"""Pictures of a run drawn out of sight: for movies, key images and reports."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, QSize
from PySide6.QtGui import QImage

from app.session.look import Look, LookKeeper
from app.session.open_run import OpenRun
from app.session.playback import Playback
from app.session.session import Session
from app.window.picture import Picture
from widgets.picture.picture_view import PictureView


class HiddenPicture(QObject):
    """Draws frames of a run as they would be seen; the user's own view is left alone.

    Parameters
    ----------
    opened : OpenRun
    size : QSize
        Of the view, in units of the screen.
    seen_in : QSize, optional
        Of the view that places in a `Look` are zoomed for, if it is another: what was seen there
        is seen here.
    """

    def __init__(
        self,
        session: Session,
        opened: OpenRun,
        look: Look,
        size: QSize,
        seen_in: QSize | None = None,
    ) -> None:
        super().__init__()
        seen = seen_in or size
        self._share = min(size.width() / seen.width(), size.height() / seen.height())
        self._session = session
        self._opened = opened
        self._look = LookKeeper()
        self._playback = Playback(self)
        self.view = PictureView()
        self.view.setMinimumSize(0, 0)
        self.view.resize(size)
        self._picture = Picture(
            self.view,
            self._playback,
            session.denoising,
            None,
            self._look,
            session.settings.now.trail_frames,
        )
        self._picture.set_run(opened)
        self._waited = False  # for what subtraction computes
        self._look.set(self._fitting(look))
        self._playback.set_run(opened.run)

    def show(self, frame: int, look: Look | None = None) -> bool:
        """Show a frame, in another way if one is given.

        Returns
        -------
        bool
            False while it is being decoded, denoised or registered: ask again. A frame that cannot
            be decoded says so in the picture.
        """
        denoising = self._session.denoising_of(self._opened)
        if denoising is not None:
            self._picture.set_denoising(denoising)
        if look is not None:
            self._look.set(self._fitting(look))
        self._playback.seek(frame)
        broken = self._opened.cache.error(frame) is not None
        waits = self._session.subtraction.waits_for(self._opened, self._look.now.grey, frame)
        if not waits and (self._waited or not self._picture.complete):
            self._picture.draw()
        self._waited = waits
        return broken or (self._picture.complete and not waits)

    @property
    def alive(self) -> bool:
        """False once the run is closed."""
        return self._session.denoising_of(self._opened) is not None

    def grab(self, size: QSize) -> QImage:
        """Return what is shown, scaled into an image of this size."""
        return self.view.grab_picture(size)

    def _fitting(self, look: Look) -> Look:
        """Return a look whose place shows the same part of the picture in this view."""
        if look.place is None:
            return look
        zoom, x, y = look.place
        return replace(look, place=(zoom * self._share, x, y))

    def close(self) -> None:
        """Give up the view."""
        self._picture.set_run(None)
        self._picture.deleteLater()
        self.view.deleteLater()
        self.deleteLater()
