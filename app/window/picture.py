"""The picture of the frame under the playhead: grey scale, comparison, corners, tracks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from gettext import gettext as tr

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from app.display.peak import time_colors
from app.display.settings import DisplaySettings, Peak
from app.measure.scale import scale_of, scale_text
from app.runs import words
from app.runs.run import Lut, RunError, Window
from app.session.denoising import Denoising
from app.session.labelling import Labelling
from app.session.look import Comparison, Look, LookKeeper
from app.session.measuring import Measuring
from app.session.open_run import OpenRun
from app.session.playback import Playback
from app.session.stabilising import shift_px
from app.session.subtraction import unsubtracted
from app.tracks.history import LabelsChange
from app.window import overlays
from app.window.picture_words import UnderWay, notes, picture_names
from widgets.picture.color_scale import ColorScale
from widgets.picture.compare import FramePictures, PictureNames, ViewMode
from widgets.picture.corner_text import Corner, MessageKind
from widgets.picture.picture_view import PictureView

BESIDE_EACH_OTHER = (Comparison.SIDE_BY_SIDE, Comparison.WIPE)
WINDOW_DRAG_SHARE = 1 / 400
"""A drag by one pixel changes the window by this share of the nominal range."""


class Picture(QObject):
    """Draws the frame under the playhead whenever anything about it changes.

    Parameters
    ----------
    labelling : Labelling or None
        Tells which track is selected; None where the run is only seen.
    trail_frames : int
        Frames to both sides that a trail goes through.
    measuring : Measuring, optional
        Tells which measure is selected; nobody can choose one where left out.

    Signals
    -------
    frame_shown(int) : this frame is on the screen.
    """

    frame_shown = Signal(int)
    _decoded = Signal(str, int)  # from the decoding threads

    def __init__(
        self,
        view: PictureView,
        playback: Playback,
        denoising: Denoising,
        labelling: Labelling | None,
        look: LookKeeper,
        trail_frames: int,
        measuring: Measuring | None = None,
    ) -> None:
        super().__init__()
        self._view = view
        self._playback = playback
        self._denoising = denoising
        self._labelling = labelling
        self._measuring = measuring
        self._look = look
        self._trail_frames = trail_frames
        self._opened: OpenRun | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._waiting = False
        self._place_due = False
        self._under_way = UnderWay()
        self._drawn_enhanced: tuple[tuple[object, ...], NDArray[np.uint8]] | None = None
        playback.frame_changed.connect(self._go)
        denoising.frame_ready.connect(self._take_denoised)
        if labelling is not None:
            labelling.selection_changed.connect(self.draw_tracks)
        if measuring is not None:
            measuring.changed.connect(self.draw_marks)
        look.changed.connect(self._follow_look)
        view.zoom_changed.connect(lambda _: self.draw_corners())
        view.place_changed.connect(self._keep_place)
        self._decoded.connect(self._take_decoded)

    # the run

    def set_run(self, opened: OpenRun | None) -> None:
        """Show another run."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        if self._opened is not None:
            self._opened.cache.leave(self)
        self._opened = opened
        if opened is None:
            self._view.clear_frame()
            return
        key = opened.key
        opened.cache.watch(self, lambda index: self._decoded.emit(key, index))
        self._unsubscribe = opened.labels.subscribe(self._follow_labels)
        self._view.set_message("")
        self._view.clear_frame()
        self._view.set_pixel_aspect(opened.run.pixel_aspect_ratio)
        self._place_due = True

    def set_denoising(self, denoising: Denoising) -> None:
        """Take the denoised frames from elsewhere."""
        if denoising is not self._denoising:
            self._denoising.frame_ready.disconnect(self._take_denoised)
            self._denoising = denoising
            denoising.frame_ready.connect(self._take_denoised)

    def set_under_way(self, under_way: UnderWay) -> None:
        """Say how far what is computed for the picture has come."""
        self._under_way = under_way
        if self._opened is not None:
            self._view.set_names(self._names(self._opened))

    def take_registered(self, frame: int) -> None:
        """Draw a frame anew whose mask is registered now."""
        if frame == self._playback.frame:
            self.draw()

    def set_trail(self, frames: int) -> None:
        """Draw trails through this many frames to both sides."""
        self._trail_frames = frames
        self.draw_tracks()

    # the grey scale

    def auto_window(self) -> None:
        """Fit the window to the frame under the playhead."""
        frame = self._stored()
        if frame is not None and self._opened is not None:
            grey = self._look.now.grey
            self._set_voi(self._opened.display.auto(frame, grey, self._playback.frame))

    def next_file_window(self) -> None:
        """Go to the next window or LUT that the file offers, then to its full range."""
        if self._opened is None:
            return
        choices = [voi for _, voi in self._opened.display.presets()]
        own = self._look.now.grey.voi is None and None in choices  # each frame's own
        now = None if own else self._voi()
        at = next((i for i, voi in enumerate(choices) if voi == now), -1)
        self._set_voi(choices[(at + 1) % len(choices)])

    def full_window(self) -> None:
        """Show the full range of the stored values."""
        if self._opened is not None:
            self._set_voi(self._opened.display.full_range())

    def _voi(self) -> Window | Lut:
        assert self._opened is not None
        return self._opened.display.voi(self._look.now.grey, self._playback.frame)

    def _set_voi(self, voi: Window | Lut | None) -> None:
        self._look.change_grey(voi=voi)

    # drawing

    @property
    def complete(self) -> bool:
        """True where all that should be seen of the frame under the playhead is there."""
        compared = self._look.now.comparison is not Comparison.ORIGINAL
        needs_denoised = compared and self._denoising.wanted
        denoised = self._denoising.frame(self._playback.frame) is not None
        return not self._waiting and (denoised or not needs_denoised)

    def draw(self) -> None:
        """Draw the frame under the playhead, or wait for it where it is not decoded yet."""
        opened, stored = self._opened, self._stored()
        if opened is None:
            return
        frame = self._playback.frame
        if stored is None:
            self._waiting = True
            self._tell(opened.cache.error(frame))
            return
        self._waiting = False
        self._follow_device(opened)
        try:
            pictures = self._pictures(opened, stored, frame)
        except RunError as error:  # a mask frame that cannot be decoded
            self._tell(error)
            return
        self._view.set_message("")
        self._view.set_names(self._names(opened))
        self._view.set_mode(self._mode(opened))
        self._view.set_frame(pictures, frame)
        if self._place_due:
            self._place_due = False
            self._view.set_place(self._look.now.place)
        self.draw_tracks()
        self.draw_marks()
        self.draw_corners()
        self.frame_shown.emit(frame)

    def draw_tracks(self) -> None:
        """Draw the tracks on the frame under the playhead."""
        opened = self._opened
        if opened is None:
            return
        selected = None if self._labelling is None else self._labelling.selected
        look = self._look.now
        trail = self._trail_frames if look.trails else 0
        self._view.set_tracks(
            tuple(
                overlays.overlay(
                    opened.labels,
                    track,
                    self._playback.frame,
                    trail,
                    selected=selected is not None and track.id == selected.id,
                )
                for track in opened.labels.tracks
                if track.id not in look.hidden_tracks
            )
        )

    def draw_marks(self) -> None:
        """Draw measures and words on the frame under the playhead."""
        opened = self._opened
        if opened is not None:
            chosen = None if self._measuring is None else self._measuring.selected
            chosen_id = "" if chosen is None else chosen.id
            self._view.set_marks(overlays.marks(opened, self._playback.frame, chosen_id))

    def draw_corners(self) -> None:
        """Write the corners for the frame under the playhead."""
        if self._opened is None:
            return
        run, frame = self._opened.run, self._playback.frame
        scale = scale_of(run, self._opened.labels.marks)
        patient = words.patient_lines(run) if self._look.now.patient else ()
        study = words.study_lines(run, described=self._look.now.patient)
        self._view.set_corner(Corner.TOP_LEFT, (*patient, *study))
        self._view.set_corner(
            Corner.TOP_RIGHT,
            tuple(t for t in (words.angles_on(run, frame), run.modality) if t),
        )
        self._view.set_corner(Corner.BOTTOM_LEFT, words.timing_lines(run, frame))
        self._view.set_corner(
            Corner.BOTTOM_RIGHT,
            (
                *notes(self._opened, self._look.now, frame),
                words.window_text(self._voi(), inverted=self._look.now.grey.inverted),
                tr("Zoom {percent}%").format(percent=round(self._view.zoom_percent)),
                scale_text(run, scale),
            ),
        )
        self._view.set_scale_bar(scale.column_size if scale.in_mm else None)

    # inside

    def _stored(self) -> NDArray[np.generic] | None:
        if self._opened is None:
            return None
        return self._opened.cache.get(self._playback.frame)

    def _tell(self, error: RunError | None) -> None:
        if error is not None:
            self._view.clear_frame()
            self._view.set_message(tr("This frame cannot be shown"), str(error), MessageKind.ERROR)

    def _pictures(self, opened: OpenRun, stored: NDArray[np.generic], frame: int) -> FramePictures:
        display, look = opened.display, self._look.now
        settings = look.grey
        denoised = None
        if self._look.now.comparison is not Comparison.ORIGINAL:
            denoised = self._denoising.frame(frame)
        needs_original = denoised is None or look.comparison in BESIDE_EACH_OTHER
        clean = difference = enhanced = None
        if denoised is not None and look.comparison is Comparison.DIFFERENCE:
            difference = display.difference(stored, denoised, settings, frame)
        elif denoised is not None:
            clean = display.render(stored, settings, denoised, look.strength, frame)
        if self._mode(opened) is ViewMode.ENHANCED:
            needs_original = True
            enhanced = self._enhanced(opened, stored, frame)
        shown = clean if clean is not None else difference
        if needs_original or shown is None:
            shown = display.render(stored, settings, frame_index=frame)
        scale = self._scale(opened, settings)
        return FramePictures(shown, clean, difference, enhanced, scale)

    def _mode(self, opened: OpenRun) -> ViewMode:
        there = opened.enhanced is not None or self._under_way.enhancing is not None
        if self._look.now.enhanced and there:
            return ViewMode.ENHANCED
        return ViewMode(self._look.now.comparison)

    def _enhanced(
        self, opened: OpenRun, stored: NDArray[np.generic], frame: int
    ) -> NDArray[np.uint8] | None:
        """Return the enhanced picture in the run's own window; drawn anew only where it changes."""
        display, enhanced = opened.display, opened.enhanced
        if enhanced is None:
            return None
        grey = unsubtracted(self._look.now.grey)
        key = enhanced, grey, display.voi(grey, frame)
        if self._drawn_enhanced is None or self._drawn_enhanced[0] != key:
            pixels = display.from_mono2(enhanced.pixels)
            picture = display.render(stored, grey, pixels, frame_index=frame)
            self._drawn_enhanced = key, picture
        return self._drawn_enhanced[1]

    def _scale(self, opened: OpenRun, settings: DisplaySettings) -> ColorScale | None:
        peak = opened.display.peak(settings) if settings.peak is Peak.TIME else None
        span_ms = None if peak is None else peak.span_ms
        if span_ms is None:
            return None
        return ColorScale(time_colors(), span_ms[0] / 1000.0, span_ms[1] / 1000.0, tr("s"))

    def _follow_device(self, opened: OpenRun) -> None:
        """Move what is seen with the device that is to stand still."""
        shift = shift_px(opened.labels, self._look.now.stabilised, self._playback.frame)
        self._view.set_shift(shift)

    def _names(self, opened: OpenRun) -> PictureNames:
        clean = self._denoising.nothing_to_remove
        frame, look = self._playback.frame, self._look.now
        return picture_names(opened, look, frame, self._under_way, nothing_to_remove=clean)

    def _go(self, frame: int) -> None:
        if self._opened is not None:
            self._opened.cache.set_playhead(frame, 1, self)
            self._denoising.set_playhead(frame)
            self.draw()

    def _follow_look(self, before: Look, now: Look) -> None:
        if (now.turns, now.mirrored) != (before.turns, before.mirrored):
            self._view.set_orientation(now.turns, now.mirrored)
        if now.tracks != before.tracks:
            self._view.set_overlay_visible(now.tracks)
        if now.corners != before.corners:
            self._view.set_corners_visible(now.corners)
        if now.place != self._view.place and not self._place_due:
            self._view.set_place(now.place)
        if replace(before, place=now.place) != now:
            self.draw()

    def _keep_place(self) -> None:
        if not self._place_due and self._opened is not None:
            self._look.change(place=self._view.place)

    def _follow_labels(self, change: LabelsChange) -> None:
        if self._opened is not None:
            self._follow_device(self._opened)
        self.draw_tracks()
        if change.marks_changed or change.tracks_changed:  # the calibration, and names
            self.draw_corners()
            self.draw_marks()

    def _take_decoded(self, key: str, index: int) -> None:
        opened = self._opened
        here = opened is not None and key == opened.key and index == self._playback.frame
        if here and self._waiting:
            self.draw()

    def _take_denoised(self, index: int) -> None:
        if index == self._playback.frame and self._look.now.comparison is not Comparison.ORIGINAL:
            self.draw()

    def drag_window(self, dx: float, dy: float) -> None:
        """Drag right for more width (less contrast), down for a higher center (darker)."""
        if self._opened is None:
            return
        window = self._voi()
        if not isinstance(window, Window):  # a LUT has no center to drag: begin with its range
            window = self._opened.display.default_window()
        low, high = self._opened.run.nominal_range
        step = (high - low) * WINDOW_DRAG_SHARE
        width = max(window.width + dx * step, step)
        self._set_voi(
            replace(window, center=window.center + dy * step, width=width, explanation="")
        )
