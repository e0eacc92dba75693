"""Several runs side by side: one is worked on, the others are seen and follow it."""

from __future__ import annotations

from gettext import gettext as tr
from gettext import ngettext
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.session.heart import Heart
from app.session.look import Look, LookKeeper
from app.session.open_run import OpenRun
from app.session.place import Place, Shown
from app.session.playback import Playback
from app.session.settings import SettingsKeeper
from app.session.synchrony import Axis, Sync, axis_of, matching_frame, same_part
from app.session.worker import InferenceWorker

COUNTS = (1, 2, 4)
"""How many places there can be: 1x1, 1x2, 2x2."""
FASTER = 1.05
"""A run with so many times the frames a second is shown between the leader's frames, too."""
LEAST_TICK_MS = 4.0
OF_ALL_RUNS = ("tracks", "trails", "corners", "patient")
"""Fields of `Look` that hold whichever run it is."""


class Places(QObject):
    """The places there are, which one is worked on, and how the others follow it.

    Parameters
    ----------
    playback, look : Playback, LookKeeper
        Of the run that is worked on.

    Attributes
    ----------
    all : tuple of Place
        Also those that are not on the screen, which are empty.
    active : int
        The place that is worked on.
    maximised : bool
        Nothing but the active place is shown.

    Signals
    -------
    changed() : how many places there are, which is worked on, or how the others follow.
    said(str) : a sentence for the user.
    """

    changed = Signal()
    said = Signal(str)

    def __init__(
        self,
        playback: Playback,
        look: LookKeeper,
        worker: InferenceWorker,
        settings: SettingsKeeper,
        heart: Heart,
    ) -> None:
        super().__init__()
        self._playback = playback
        self._heart = heart
        self._look = look
        self._settings = settings
        now = settings.now
        budget = now.denoised_memory_mb << 20
        self.all = tuple(Place(worker, look.now, budget) for _ in range(COUNTS[-1]))
        self.active = 0
        self.maximised = False
        self._count = now.places if now.places in COUNTS else 1
        self._sync = next((sync for sync in Sync if sync == now.sync), Sync.TIME)
        self._leader: OpenRun | None = None
        self._axes: dict[tuple[OpenRun, Sync], Axis | None] = {}
        self._between = QTimer(self)
        self._between.setTimerType(Qt.TimerType.PreciseTimer)
        self._between.timeout.connect(self._follow_time)
        playback.frame_changed.connect(self._follow_frame)
        playback.playing_changed.connect(lambda _: self._time_ticks())
        playback.speed_changed.connect(lambda _: self._time_ticks())
        look.changed.connect(self._follow_look)
        heart.changed.connect(self._follow_beats)

    # the places

    @property
    def count(self) -> int:
        """How many places there are."""
        return self._count

    @property
    def sync(self) -> Sync:
        """What the other places have in common with the active one."""
        return self._sync

    @property
    def linked(self) -> bool:
        """True where zooming and moving one picture does the same to all."""
        return self._settings.now.linked_zoom

    @property
    def seen(self) -> tuple[Place, ...]:
        """The places whose runs are seen beside the one that is worked on."""
        return tuple(place for place in self.all if place.opened is not None)

    @property
    def first_empty(self) -> int | None:
        """The first place beside the active one that has no run; None where all have one."""
        others = (index for index in range(self._count) if index != self.active)
        return next((index for index in others if self.all[index].opened is None), None)

    @property
    def first_seen(self) -> int:
        """The first place with a run that is seen; the active one where there is none."""
        seen = (index for index in range(self._count) if self.all[index].opened is not None)
        return next(seen, self.active)

    def of(self, opened: OpenRun) -> Place | None:
        """Return the place where a run is seen; None where it is not, or is worked on."""
        return next((place for place in self.seen if place.opened is opened), None)

    def any_has_ecg(self) -> bool:
        """Tell whether there is an ECG in any place."""
        return any(opened.run.ecg is not None for opened in self._runs())

    def find(self, path: Path) -> OpenRun | None:
        """Return the run that is seen in another place and lies at ``path``."""
        found = (p.opened for p in self.seen if p.opened is not None and p.opened.lies_at(path))
        return next(found, None)

    def set_count(self, count: int) -> tuple[OpenRun, ...]:
        """Show so many places; the run that is worked on stays.

        Returns
        -------
        tuple of OpenRun
            Those that are seen no longer; the caller closes them.
        """
        self._count, self.maximised = count, False
        last = min(self.active, count - 1)
        gone = [place.take() for place in {*self.all[count:], self.all[last]}]
        self.all[last].shift, self.active = self.all[self.active].shift, last
        self._settings.change(places=count)
        self.changed.emit()
        return tuple(shown.opened for shown in gone if shown is not None)

    def switch(self, index: int, left: Shown | None) -> Shown | None:
        """Let another place be the active one: give its run, and show the one that is left."""
        taken = self.all[index].take()
        former, self.active = self.all[self.active], index
        former.put(left)
        return taken

    def toggle_maximised(self) -> None:
        """Show nothing but the active place, or all of them again."""
        self.maximised = not self.maximised
        self._follow_frame(self._playback.frame)
        self.changed.emit()

    def toggle_linked(self) -> None:
        """Let all pictures be zoomed and moved together, or each by itself."""
        self._settings.change(linked_zoom=not self.linked)
        self._link_zoom()

    # following

    def lead(self, opened: OpenRun | None) -> None:
        """Let the others follow this run, which is worked on, from its next frame on."""
        self._leader = opened
        self._axes.clear()
        self._look_for_beats()
        self._time_ticks()
        self.changed.emit()

    def frame_for(self, opened: OpenRun, frame: int) -> int:
        """Return where a run begins that comes beside others: where they are, else at ``frame``."""
        own = self._axis(opened)
        self.all[self.active].shift = 0.0
        for place in self.seen:
            if place.opened is opened or place.opened is None:
                continue
            axis = self._axis(place.opened)
            if own is not None and axis is not None:
                value = float(axis[place.playback.frame]) - place.shift
                return matching_frame(own, value, cyclic=self._sync is Sync.PHASE)
        return frame

    def follows(self, opened: OpenRun) -> bool:
        """Tell whether a run moves together with the one that is worked on."""
        led = self._leader is None or self._axis(self._leader) is not None
        return led and self._axis(opened) is not None

    def set_sync(self, sync: Sync) -> None:
        """Let the others follow in another way, from now on and without any shift."""
        self._sync = sync
        self._settings.change(sync=str(sync))
        self.align()
        self._look_for_beats()

    def align(self) -> None:
        """Take back by how much the runs are shifted against each other."""
        for place in self.all:
            place.shift = 0.0
        self._follow_frame(self._playback.frame)
        self._time_ticks()
        self.changed.emit()

    def shift(self, frames: int) -> None:
        """Move the active run by some of its frames; the others stay where they are."""
        axis = None if self._leader is None else self._axis(self._leader)
        if axis is None:
            self.said.emit(tr("The runs are not synchronised, so each moves by itself."))
            return
        now = self._playback.frame
        there = min(max(now + frames, 0), len(axis) - 1)
        self.all[self.active].shift += float(axis[there] - axis[now])
        self._playback.seek(there)
        self.changed.emit()

    def shift_text(self, index: int) -> str:
        """Say by how much the run of a place is shifted; "" where it is not."""
        shift = self.all[index].shift
        texts = {
            Sync.TIME: f"{shift:+.0f} ms",
            Sync.FRAME: ngettext("{frames} frame", "{frames} frames", round(abs(shift))).format(
                frames=f"{shift:+.0f}"
            ),
            Sync.PHASE: tr("{beats} beats").format(beats=f"{shift:+.2f}"),
        }
        return texts.get(self._sync, "") if abs(shift) > 1e-6 else ""

    # inside

    def _runs(self) -> list[OpenRun]:
        runs = [place.opened for place in self.seen if place.opened is not None]
        return runs if self._leader is None else [self._leader, *runs]

    def _axis(self, opened: OpenRun) -> Axis | None:
        """Return what is compared of a run, for each frame; None where it follows nothing."""
        key = opened, self._sync
        if key not in self._axes:
            self._axes[key] = axis_of(opened.run, self._sync, self._heart.phase_of(opened))
        return self._axes[key]

    def _look_for_beats(self) -> None:
        if self._sync is Sync.PHASE and self._leader is not None:
            for opened in self._runs():
                self._heart.look_for(opened)

    def _follow_beats(self) -> None:
        """Take up beats that are known by now."""
        if self._sync is Sync.PHASE:
            self._axes.clear()
            self._follow_frame(self._playback.frame)
            self.changed.emit()

    def _follow_frame(self, frame: int) -> None:
        axis = None if self._leader is None else self._axis(self._leader)
        if axis is not None:
            self._follow(float(axis[frame]), self.seen)

    def _follow_time(self) -> None:
        """Follow between two frames of the leader."""
        axis = None if self._leader is None else self._axis(self._leader)
        if self._leader is not None and axis is not None:
            times_ms = self._leader.run.frame_times_ms
            value = float(np.interp(self._playback.position_ms, times_ms, axis))
            self._follow(value, self._faster())

    def _follow(self, value: float, places: tuple[Place, ...]) -> None:
        if self.maximised:
            return
        value -= self.all[self.active].shift
        for place in places:
            axis = None if place.opened is None else self._axis(place.opened)
            if axis is not None:
                cyclic = self._sync is Sync.PHASE
                place.playback.seek(matching_frame(axis, value + place.shift, cyclic=cyclic))

    def _faster(self) -> tuple[Place, ...]:
        leader = self._leader
        rate_hz = 0.0 if leader is None else leader.rate_hz or 0.0
        return tuple(
            place
            for place in self.seen
            if place.opened is not None and (place.opened.rate_hz or 0.0) > FASTER * rate_hz
        )

    def _time_ticks(self) -> None:
        """Tick twice a frame of the fastest run, where one is faster than the leader."""
        by_frame = self._sync in (Sync.FRAME, Sync.OFF)
        faster = () if by_frame or not self._playback.playing else self._faster()
        rates_hz = [p.opened.rate_hz for p in faster if p.opened is not None and p.opened.rate_hz]
        if rates_hz:
            frame_ms = 1000.0 / max(rates_hz) / self._playback.speed
            self._between.start(round(max(frame_ms / 2.0, LEAST_TICK_MS)))
        else:
            self._between.stop()

    def _follow_look(self, before: Look, now: Look) -> None:
        common = {name: getattr(now, name) for name in OF_ALL_RUNS}
        for place in self.all:
            place.look.change(**common)
        if now.place != before.place and self._leader is not None:
            self._link_zoom()

    def _link_zoom(self) -> None:
        """Show the same part of the picture, as large, in all places."""
        if not self.linked or self._leader is None:
            return
        for place in self.seen:
            if place.opened is not None:
                shown = same_part(self._look.now.place, self._leader.run, place.opened.run)
                place.look.change(place=shown)
