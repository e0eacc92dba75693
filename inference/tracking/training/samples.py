"""Training samples for the tracker: templates and searched frames cut from one run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from inference.tracking.network import TEMPLATES, TIMES
from inference.tracking.training.augmentation import (
    Look,
    Point,
    draw_covered,
    draw_drift,
    draw_table,
    draw_warp,
)
from inference.tracking.training.shards import ABSENT, OCCLUDED, VISIBLE, Shard, ShardPool
from inference.tracking.views import MARGIN, ViewGeometry, crop, normalise, trimmed
from inference.training.loop import worker_rank


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """How samples are drawn.

    Attributes
    ----------
    crop : int
        Side of the searched part of the view.
    searches : int
        Searched frames a sample.
    real_share : float
        Share of samples from hand-labelled runs; the rest is simulated.
    blank_share : float
        Share of samples whose templates are blank: the tip is to be found unseen (proposals).
    single_template : bool
        Show the first click only, in all places (an ablation).
    template, view : int
        As in `NetworkOptions`.
    """

    crop: int = 192
    searches: int = 2
    batch: int = 8
    real_share: float = 0.45
    blank_share: float = 0.08
    single_template: bool = False
    template: int = 80
    view: int = 256
    workers: int = 0


Sample = dict[str, NDArray[np.generic]]


class DrawSample(Protocol):
    """Cuts one sample from a run."""

    def __call__(self, shard: Shard, random: np.random.Generator) -> Sample:
        """Return the network's inputs and the truth."""
        ...


class Samples(IterableDataset[dict[str, Tensor]]):
    """Endless samples from labelled and simulated shards."""

    def __init__(
        self,
        real: list[Path],
        simulated: list[Path],
        real_share: float,
        draw: DrawSample,
        seed: int,
    ) -> None:
        self.real, self.simulated, self.real_share = real, simulated, real_share
        self.draw, self.seed = draw, seed

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        random = np.random.default_rng((self.seed, worker_rank()[0], worker.id if worker else 0))
        real = ShardPool(self.real)
        simulated = ShardPool(self.simulated, kept=1000)
        for count in range(1 << 62):
            if count % 2000 == 0:
                simulated.refresh()
            use_real = not len(simulated) or random.random() < self.real_share
            shard = (real if use_real else simulated).draw(random)
            yield {key: torch.from_numpy(v) for key, v in self.draw(shard, random).items()}


def draw_sample(shard: Shard, random: np.random.Generator, options: SampleOptions) -> Sample:
    """Cut one sample from a run.

    Returns
    -------
    dict
        The network's six inputs (see `TrackerNetwork.forward`, without the clip axis) and the
        truth: ``tips`` (S, 2) in pixels of the searched part, ``states`` (S,), ``body``
        (S, crop / 4, crop / 4) shares, ``has_body`` and ``real`` ().
    """
    chosen = choose_frames(shard, options.searches, random)
    if options.single_template:
        chosen = replace(chosen, templates=chosen.templates[:1] * TEMPLATES)
    scene = AugmentedFrames(shard, chosen, options.view, random)
    out = _empty_sample(options)
    start = chosen.templates[0]
    wander = random.normal(0.0, 15.0, 2) if random.random() < 0.3 else np.zeros(2)
    blank = shard.only and random.random() < options.blank_share
    for slot, frame in enumerate(chosen.templates if not blank else ()):
        spread = 0.8 if slot < TEMPLATES - 1 else (1.2 if random.random() < 0.85 else 5.0)
        centre = scene.tip(frame) + random.normal(0.0, spread, 2)
        for channel, view in enumerate(scene.views(frame)):
            out["templates"][slot, channel] = crop(view, (centre[0], centre[1]), options.template)
        out["centres"][slot] = centre + wander
        out["template_times"][slot] = _time(scene.sign * (frame - start))
    for slot, frame in enumerate(chosen.searches):
        tip = scene.tip(frame)
        left, top = _place_crop(tip, options, random)
        stop = np.array([left, top]) + options.crop
        part = np.s_[top : stop[1], left : stop[0]]
        out["search"][slot] = np.stack([view[part] for view in scene.views(frame)])
        out["origins"][slot] = left, top
        out["search_times"][slot] = _time(scene.sign * (frame - start))
        local = tip - (left, top)
        out["tips"][slot] = local
        inside = bool(np.all((local > 1.0) & (local < options.crop - 2.0)))
        out["states"][slot] = shard.states[frame] if inside else ABSENT
        if len(shard.body):
            size = (options.view, options.view)
            mask = cv2.warpAffine(shard.body_mask(frame, options.view), scene.warp(frame), size)
            small = cv2.resize(mask[part], out["body"].shape[1:], interpolation=cv2.INTER_AREA)
            out["body"][slot] = small / 255.0
    out["has_body"] = np.array(float(len(shard.body) > 0), np.float32)
    out["real"] = np.array(float(shard.real), np.float32)
    return out


class AugmentedFrames:
    """Some frames of a run, turned, lit and covered alike; each is made when it is asked for.

    Parameters
    ----------
    side : int
        Side of the square views, into which all of the shard's picture is scaled.
    """

    def __init__(
        self, shard: Shard, chosen: ChosenFrames, side: int, random: np.random.Generator
    ) -> None:
        self._shard, self._side, self._random = shard, side, random
        self._geometry = ViewGeometry(shard.side, shard.side, side)
        self._scale = side / 256
        self._look = Look(random, self._scale)
        self._first = chosen.templates[0]
        self._covered = draw_covered(chosen.searches, chosen.templates, random)
        self._table = draw_table(range(len(shard)), random)
        self._drift = draw_drift(random)
        self._warp = draw_warp(self._placed(chosen.templates), side, random)
        self._step = 0 if random.random() < 0.1 else 1 if random.random() < 0.8 else 2
        self._pictures: dict[int, NDArray[np.uint8]] = {}
        self._views: dict[int, NDArray[np.float32]] = {}
        self.sign = 1.0 if random.random() < 0.5 else -1.0

    def warp(self, frame: int) -> NDArray[np.float64]:
        """Return what takes the shard's picture, scaled to ``side``, to the view, (2, 3)."""
        matrix = self._warp.copy()
        matrix[:, 2] += self._table[frame] * self._scale
        return matrix

    def tip(self, frame: int) -> Point:
        """Return the tip in the view; far outside where there is none."""
        matrix = self.warp(frame)
        return np.asarray(matrix[:, :2] @ self._placed((frame,))[0] + matrix[:, 2])

    def views(self, frame: int) -> list[NDArray[np.float32]]:
        """Return the frame, the one before and the one after, (side, side) each, normalised."""
        for time in self._times(frame):
            if time not in self._views:
                self._views[time] = normalise(self._show(time, np.zeros(2), self._side))
        return [self._views[time] for time in self._times(frame)]

    def patches(self, frame: int, centre: Point, side: int) -> list[NDArray[np.float32]]:
        """Return the same three around view position ``centre``, (side, side) each, normalised."""
        whole = side + 2 * MARGIN
        times = self._times(frame)
        made = {time: trimmed(self._show(time, centre - whole / 2, whole)) for time in set(times)}
        return [made[time] for time in times]

    def _times(self, frame: int) -> list[int]:
        last = len(self._shard) - 1
        step = self._step if self.sign > 0 else -self._step
        times = (frame, frame - step, frame + step)
        return [time if 0 <= time <= last else frame for time in times]

    def _show(self, frame: int, corner: Point, side: int) -> NDArray[np.float32]:
        """Return (side, side) pixels of a frame as the scanner shows it, from ``corner`` on."""
        if frame not in self._pictures:
            self._pictures[frame] = self._shard.frame(frame, self._side)
        picture = self._pictures[frame]
        matrix = self.warp(frame)
        matrix[:, 2] -= corner
        view = cv2.warpAffine(
            picture,
            matrix,
            (side, side),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=float(np.median(picture[::8, ::8])),
        )
        covered = frame in self._covered
        tip, beside = self.tip(frame) - corner, self._beside(frame) - corner
        return self._look.apply(view, tip, beside, self._random, covered)

    def _beside(self, frame: int) -> Point:
        """Return where the clicked tip would be had it moved with the table and ``_drift`` only."""
        first = self._first
        moved = self._table[frame] - self._table[first] + self._drift * (frame - first)
        return np.asarray(self.tip(first) + moved * self._scale)

    def _placed(self, frames: tuple[int, ...]) -> NDArray[np.float64]:
        tips = np.nan_to_num(self._shard.tips[list(frames)], nan=-400.0)
        return self._geometry.to_view(tips).astype(np.float64)


@dataclass(frozen=True, slots=True)
class ChosenFrames:
    """Frame numbers of a sample."""

    templates: tuple[int, ...]  # first click, other anchor, latest confident
    searches: tuple[int, ...]  # one after the other where all are labelled


def choose_frames(shard: Shard, searches: int, random: np.random.Generator) -> ChosenFrames:
    """Choose frames as tracking would: a click, perhaps a correction, a frame just before."""
    placed = np.flatnonzero(shard.states <= OCCLUDED)
    visible = np.flatnonzero(shard.states == VISIBLE)
    known = np.flatnonzero(shard.states <= ABSENT)
    clickable = visible if len(visible) and random.random() < 0.85 else placed
    first = int(random.choice(clickable))
    other = int(random.choice(placed)) if random.random() < 0.4 else first
    at = int(random.integers(max(1, len(known) - searches + 1)))
    wanted = tuple(int(frame) for frame in np.resize(known[at : at + searches], searches))
    recent = first
    before = placed[(np.abs(placed - wanted[0]) <= 8) & ~np.isin(placed, wanted)]
    if len(before) and random.random() < 0.75:
        recent = int(random.choice(before))
    return ChosenFrames((first, other, recent), wanted)


def _place_crop(
    tip: NDArray[np.float64], options: SampleOptions, random: np.random.Generator
) -> tuple[int, int]:
    """Place the searched part so that it nearly always holds the tip."""
    room = options.view - options.crop
    if random.random() < 0.04:
        low, high = np.zeros(2), np.full(2, room)
    else:
        low = np.clip(np.ceil(tip + 6 - options.crop), 0, room)
        high = np.maximum(np.clip(np.floor(tip - 6), 0, room), low)
    left, top = random.integers(low.astype(np.int64), high.astype(np.int64) + 1).tolist()
    return left, top


def _time(frames: float) -> float:
    return float(np.clip(frames, -30.0, 30.0))


def _empty_sample(options: SampleOptions) -> dict[str, NDArray[np.generic]]:
    part, side, quarter = options.crop, options.template, options.crop // 4
    searches = options.searches
    return {
        "templates": np.zeros((TEMPLATES, TIMES, side, side), np.float32),
        "centres": np.zeros((TEMPLATES, 2), np.float32),
        "template_times": np.zeros(TEMPLATES, np.float32),
        "search": np.zeros((searches, TIMES, part, part), np.float32),
        "origins": np.zeros((searches, 2), np.float32),
        "search_times": np.zeros(searches, np.float32),
        "tips": np.zeros((searches, 2), np.float32),
        "states": np.zeros(searches, np.int64),
        "body": np.zeros((searches, quarter, quarter), np.float32),
    }
