"""Draws the runs that are seen beside the one that is worked on, and lets them be chosen."""

from __future__ import annotations

from gettext import gettext as tr
from pathlib import Path

from PySide6.QtCore import QObject

from app.session.open_run import OpenRun
from app.session.place import Place
from app.session.session import Session
from app.session.synchrony import Sync
from app.window.picture import Picture
from widgets.picture.picture_view import PictureView
from widgets.picture.place_grid import PlaceGrid
from widgets.timeline.ecg_strip import EcgStrip


class PlacesView(QObject):
    """Keeps the grid of pictures, and what stands below it, true to the session's places."""

    def __init__(self, grid: PlaceGrid, ecg_strip: EcgStrip, session: Session) -> None:
        super().__init__(grid)
        self._grid = grid
        self._ecg_strip = ecg_strip
        self._session = session
        self.pictures: dict[int, Picture] = {}
        """Those of the runs that are only seen, by place; made when they are first needed."""
        session.places.changed.connect(self._show)
        session.run_changed.connect(lambda _: self._show())
        grid.place_wanted.connect(session.activate)
        grid.maximise_wanted.connect(self._maximise)
        grid.wheel_stepped.connect(self._step)
        grid.run_dropped.connect(self._open_run)
        grid.paths_dropped.connect(self._open_paths)
        self._show()

    def set_trail(self, frames: int) -> None:
        """Draw trails through this many frames to both sides."""
        for picture in self.pictures.values():
            picture.set_trail(frames)

    def _show(self) -> None:
        places = self._session.places
        for index in range(places.count if places.count > 1 else 0):
            if index not in self.pictures:
                self._make_picture(index, places.all[index])
            opened = self._opened(index)
            name = "" if opened is None else opened.run.path.name
            self._grid.set_title(index, name, self._note(index))
        if self._session.opened is None:
            self._grid.worked_on.set_message(*self._invitation())
        self._ecg_strip.keep_room(places.count > 1 and places.any_has_ecg())
        self._grid.set_places(places.count, places.active, maximised=places.maximised)

    def _make_picture(self, index: int, place: Place) -> None:
        view, trail = self._grid.view(index), self._session.settings.now.trail_frames
        picture = Picture(view, place.playback, place.denoising, None, place.look, trail)
        self.pictures[index] = picture
        place.run_changed.connect(picture.set_run)
        place.run_changed.connect(lambda opened: _invite(view) if opened is None else None)
        _invite(view)

    def _opened(self, index: int) -> OpenRun | None:
        active = index == self._session.places.active
        return self._session.opened if active else self._session.places.all[index].opened

    def _note(self, index: int) -> str:
        """Say how the run of a place follows the one that is worked on."""
        places, opened = self._session.places, self._opened(index)
        if opened is None:
            return ""
        ways = {
            Sync.TIME: tr("in time"),
            Sync.FRAME: tr("frame by frame"),
            Sync.PHASE: tr("by heart beat"),
            Sync.OFF: tr("by itself"),
        }
        way = ways[places.sync] if places.follows(opened) else ways[Sync.OFF]
        phase = self._session.heart.phase_of(opened)
        if way == ways[Sync.PHASE] and phase is not None and not phase.from_ecg:
            way = tr("by estimated heart beat")
        return ", ".join(text for text in (way, places.shift_text(index)) if text)

    def _invitation(self) -> tuple[str, str]:
        """Return what is said where no run is worked on: a title, and a line below it."""
        if self._session.places.count > 1:
            return tr("Drag a run here"), tr("or choose one in the list")
        sample = tr(
            "or click here to choose one; File, Open the built-in sample shows what can be done"
        )
        return tr("Drop an X-ray run here"), sample

    def _maximise(self, index: int) -> None:
        self._session.activate(index)
        self._session.places.toggle_maximised()

    def _step(self, index: int, frames: int) -> None:
        places, place = self._session.places, self._session.places.all[index]
        follows = place.opened is not None and places.follows(place.opened)
        (self._session.playback if follows else place.playback).step(frames)

    def _open_run(self, index: int, key: str) -> None:
        self._session.activate(index)
        self._session.library.open_run(Path(key))

    def _open_paths(self, index: int, paths: list[str]) -> None:
        self._session.activate(index)
        self._session.library.open_paths([Path(path) for path in paths])


def _invite(view: PictureView) -> None:
    view.set_message(tr("Drag a run here"), tr("or click here and choose one in the list"))
