"""Shows the chosen vessel in its panel, and ties the cursors of plot and picture together."""

from __future__ import annotations

from PySide6.QtCore import QObject

from app.session.session import Session
from widgets.panels.vessel_panel import VesselPanel
from widgets.panels.vessel_plot import VesselCurve
from widgets.picture.cine_view import CineView


class VesselViews(QObject):
    """Draws what the session measured of a vessel, and hands its corrections on."""

    def __init__(self, session: Session, view: CineView, panel: VesselPanel) -> None:
        super().__init__(view)
        self._session = session
        self._view = view
        self._panel = panel
        session.measuring.changed.connect(self.draw)
        session.playback.frame_changed.connect(lambda _: view.set_pointer(None))
        view.vessel_pulled.connect(
            lambda mark_id, part, place: session.vessels.pull(mark_id, part.value, place)
        )
        view.mouse_moved.connect(self._point_at_plot)
        view.mouse_left.connect(lambda: panel.plot.set_cursor(None))
        panel.plot.place_pointed.connect(self._point_at_picture)
        panel.plot.place_picked.connect(self._go)
        panel.plot.pointing_ended.connect(lambda: view.set_pointer(None))
        self.draw()

    def draw(self) -> None:
        """Show the chosen vessel anew."""
        self._view.set_pointer(None)
        chosen = self._session.vessels.chosen
        if chosen is None:
            self._panel.set_vessel((), None)
            return
        mark, profile = chosen
        measured = self._session.measuring.measured(mark)
        size = measured.scale.column_size
        curve = VesselCurve(
            profile.arc_px * size,
            profile.diameter_px * size,
            profile.reference_px * size,
            profile.begin,
            profile.narrowest,
            profile.end,
            measured.scale.unit,
        )
        self._panel.set_vessel(measured.lines, curve)

    def _point_at_plot(self, x: float, y: float) -> None:
        """Show in the plot which place of the vessel the mouse is at."""
        chosen = self._session.vessels.chosen
        if chosen is not None:
            mark, profile = chosen
            here = mark.frame == self._session.playback.frame
            self._panel.plot.set_cursor(profile.place_near(x, y) if here else None)

    def _point_at_picture(self, place: int) -> None:
        """Show on the picture which place of the plot the mouse is at."""
        chosen = self._session.vessels.chosen
        if chosen is not None and chosen[0].frame == self._session.playback.frame:
            profile = chosen[1]
            left, right = (edge[place].tolist() for edge in (profile.left, profile.right))
            self._view.set_pointer((tuple(left), tuple(right)))

    def _go(self, place: int) -> None:
        """Go to the frame of the vessel; where the picture is enlarged, to the place itself."""
        chosen = self._session.vessels.chosen
        if chosen is None:
            return
        mark, profile = chosen
        playback = self._session.playback
        if mark.frame is not None and mark.frame != playback.frame:
            playback.pause()
            playback.seek(mark.frame)
        now = self._view.place
        if now is not None:
            x, y = profile.centre[place].tolist()
            self._view.set_place((now[0], x, y))
        self._point_at_picture(place)
