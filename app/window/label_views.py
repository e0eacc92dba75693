"""Keeps the timeline's strips, the track panel and the motion plot true to the labels."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, QTimer

from app.measure.scale import scale_of
from app.session.labelling import Labelling
from app.session.look import Look, LookKeeper
from app.session.open_run import OpenRun
from app.tracks.history import LabelsChange
from app.tracks.track import DOUBTFUL_BELOW
from app.window import overlays
from widgets.panels.track_panel import TrackPanel
from widgets.timeline.motion_plot import MotionPlot
from widgets.timeline.timeline import Timeline

PLOT_DELAY_MS = 80
"""Results stream in point by point; the curves are drawn anew at most this often."""


class LabelViews(QObject):
    """Shows the labels wherever they are shown beside the picture."""

    def __init__(
        self,
        labelling: Labelling,
        look: LookKeeper,
        timeline: Timeline,
        panel: TrackPanel,
        plot: MotionPlot,
    ) -> None:
        super().__init__()
        self._labelling = labelling
        self._look = look
        self._timeline = timeline
        self._panel = panel
        self._plot = plot
        self._opened: OpenRun | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(PLOT_DELAY_MS)
        self._later.timeout.connect(self._draw_slow)
        plot.set_doubt_threshold(DOUBTFUL_BELOW)
        labelling.labels_changed.connect(self._follow)
        labelling.selection_changed.connect(self._show_selection)
        look.changed.connect(self._follow_look)
        labelling.span_changed.connect(lambda: timeline.set_span(labelling.span))

    def set_run(self, opened: OpenRun | None) -> None:
        """Show the labels of another run."""
        self._opened = opened
        self.redraw()

    def redraw(self) -> None:
        """Show everything anew."""
        opened = self._opened
        tracks = opened.labels.tracks if opened is not None else ()
        self._timeline.set_tracks(
            [overlays.strip(opened.labels, track) for track in tracks] if opened else []
        )
        self._draw_slow()
        self._show_selection()

    def stop(self) -> None:
        """Draw nothing more."""
        self._later.stop()

    def _follow(self, change: LabelsChange) -> None:
        opened = self._opened
        if opened is None:
            return
        if change.tracks_changed or change.pending_changed:
            self.redraw()
            return
        labels = opened.labels
        for track_id, frames in change.frames.items():
            if frames and track_id in labels:
                touched = sorted(frames)
                looks = overlays.looks(labels, labels.track(track_id), touched)
                self._timeline.update_frames(track_id, np.array(touched), looks)
        if not self._later.isActive():
            self._later.start()

    def _follow_look(self, before: Look, now: Look) -> None:
        if now.hidden_tracks != before.hidden_tracks:
            self._draw_slow()

    def _draw_slow(self) -> None:
        opened = self._opened
        if opened is None:
            self._panel.set_tracks(())
            self._plot.set_curves(())
            return
        labels = opened.labels
        self._panel.set_tracks(
            [
                overlays.row(labels, track, visible=track.id not in self._look.now.hidden_tracks)
                for track in labels.tracks
            ]
        )
        scale = scale_of(opened.run, labels.marks)
        self._plot.set_curves(
            [overlays.motion(opened.run, track, scale) for track in labels.tracks], scale.unit
        )

    def _show_selection(self) -> None:
        track = self._labelling.selected
        track_id = track.id if track is not None else None
        self._timeline.select_track(track_id)
        self._panel.select_track(track_id)
