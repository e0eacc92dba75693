"""Training samples for the tracker: templates and searched frames cut from one run, made harder.

Augmentations are the usual ones for X-ray runs: turned, mirrored and scaled pictures, grey curves,
blur, noise, small shifts of single frames (table panning) and dark blobs and streaks over the tip
(contrast, other devices).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from inference.tracking.network import TEMPLATES
from inference.tracking.shards import STATES, Shard, ShardPool
from inference.tracking.views import crop, normalise
from inference.training.loop import worker_rank

VISIBLE, OCCLUDED, ABSENT, UNKNOWN = range(len(STATES))


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
    template, view : int
        As in `NetworkOptions`.
    """

    crop: int = 192
    searches: int = 2
    batch: int = 8
    real_share: float = 0.45
    blank_share: float = 0.08
    template: int = 80
    view: int = 256
    workers: int = 0


class Samples(IterableDataset[dict[str, Tensor]]):
    """Endless samples from labelled and simulated shards."""

    def __init__(
        self, real: list[Path], simulated: list[Path], options: SampleOptions, seed: int
    ) -> None:
        self.real, self.simulated, self.options, self.seed = real, simulated, options, seed

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        random = np.random.default_rng((self.seed, worker_rank()[0], worker.id if worker else 0))
        real = ShardPool(self.real)
        simulated = ShardPool(self.simulated, kept=2000)
        for count in range(1 << 62):
            if count % 2000 == 0:
                simulated.refresh()
            use_real = not len(simulated) or random.random() < self.options.real_share
            shard = (real if use_real else simulated).draw(random)
            yield {
                key: torch.from_numpy(value)
                for key, value in draw_sample(shard, self.options, random).items()
            }


def draw_sample(
    shard: Shard, options: SampleOptions, random: np.random.Generator
) -> dict[str, NDArray[np.generic]]:
    """Cut one sample from a run.

    Returns
    -------
    dict
        The network's six inputs (see `TrackerNetwork.forward`, without the clip axis) and the
        truth: ``tips`` (S, 2) in pixels of the searched part, ``states`` (S,), ``body``
        (S, crop / 4, crop / 4) shares, ``has_body`` and ``real`` ().
    """
    chosen = _choose_frames(shard, options.searches, random)
    warp = _draw_warp(shard.tips[list(chosen.templates)], options.view, random)
    look = _Look(random)
    sign = 1.0 if random.random() < 0.5 else -1.0
    views, tips = {}, {}
    for frame in dict.fromkeys((*chosen.templates, *chosen.searches)):
        shift = random.normal(0.0, 3.0, 2) if random.random() < 0.5 else np.zeros(2)
        matrix = warp.copy()
        matrix[:, 2] += shift
        view = cv2.warpAffine(
            shard.frames[frame],
            matrix,
            (options.view, options.view),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=float(np.median(shard.frames[frame, ::8])),
        )
        tip = matrix[:, :2] @ np.nan_to_num(shard.tips[frame], nan=-100.0) + matrix[:, 2]
        # Clicks and confident frames are clearer than most, but what lies behind their tip moves.
        cover = 0.1 if frame in chosen.templates else 0.3
        views[frame] = normalise(look.apply(view.astype(np.float32), tip, random, cover))
        tips[frame] = tip, matrix

    out = _empty_sample(options)
    start = chosen.templates[0]
    wander = random.normal(0.0, 15.0, 2) if random.random() < 0.3 else np.zeros(2)
    blank = shard.only and random.random() < options.blank_share
    for slot, frame in enumerate(chosen.templates if not blank else ()):
        tip = tips[frame][0]
        spread = 0.8 if slot < TEMPLATES - 1 else (1.2 if random.random() < 0.85 else 5.0)
        centre = tip + random.normal(0.0, spread, 2)
        out["templates"][slot] = crop(views[frame], (centre[0], centre[1]), options.template)
        out["centres"][slot] = centre + wander
        out["template_times"][slot] = _time(sign * (frame - start))
    for slot, frame in enumerate(chosen.searches):
        tip, matrix = tips[frame]
        left, top = _place_crop(tip, options, random)
        stop = np.array([left, top]) + options.crop
        out["search"][slot] = views[frame][top : stop[1], left : stop[0]]
        out["origins"][slot] = left, top
        out["search_times"][slot] = _time(sign * (frame - start))
        local = tip - (left, top)
        out["tips"][slot] = local
        inside = bool(np.all((local > 1.0) & (local < options.crop - 2.0)))
        out["states"][slot] = shard.states[frame] if inside else ABSENT
        if len(shard.body):
            mask = cv2.warpAffine(
                shard.body_mask(frame) * np.uint8(255), matrix, (options.view, options.view)
            )[top : stop[1], left : stop[0]]
            small = cv2.resize(mask, out["body"].shape[1:], interpolation=cv2.INTER_AREA)
            out["body"][slot] = small / 255.0
    out["has_body"] = np.array(float(len(shard.body) > 0), np.float32)
    out["real"] = np.array(float(shard.real), np.float32)
    return out


@dataclass(frozen=True, slots=True)
class _Chosen:
    templates: tuple[int, ...]  # first click, other anchor, latest confident
    searches: tuple[int, ...]


def _choose_frames(shard: Shard, searches: int, random: np.random.Generator) -> _Chosen:
    """Choose frames as tracking would: a click, perhaps a correction, a frame just before."""
    placed = np.flatnonzero(shard.states <= OCCLUDED)
    visible = np.flatnonzero(shard.states == VISIBLE)
    known = np.flatnonzero(shard.states <= ABSENT)
    clickable = visible if len(visible) and random.random() < 0.85 else placed
    first = int(random.choice(clickable))
    other = int(random.choice(placed)) if random.random() < 0.4 else first
    lead = int(random.choice(known))
    near = known[np.abs(known - lead) <= 6]
    wanted = (lead, *(int(random.choice(near)) for _ in range(searches - 1)))
    recent = first
    before = placed[(np.abs(placed - lead) <= 8) & (placed != lead)]
    if len(before) and random.random() < 0.75:
        recent = int(random.choice(before))
    return _Chosen((first, other, recent), wanted)


def _draw_warp(
    tips: NDArray[np.float32], side: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a turn, mirroring, scale and shift of the view that keeps ``tips`` in it, (2, 3)."""
    for _ in range(8):
        angle = random.uniform(-25.0, 25.0) * (1.0 if random.random() < 0.7 else 7.0)
        zoom = float(np.exp(random.normal(0.0, 0.18)))
        matrix = np.asarray(cv2.getRotationMatrix2D((side / 2, side / 2), angle, zoom), np.float64)
        if random.random() < 0.5:
            mirror = np.array([[-1.0, 0.0, side - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
            matrix = matrix @ mirror
        matrix[:, 2] += random.normal(0.0, 12.0, 2)
        moved = tips @ matrix[:, :2].T + matrix[:, 2]
        if np.all((moved > 2.0) & (moved < side - 3.0)):
            return matrix
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


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


class _Look:
    """One grey curve, blur and noise for a whole sample, as one scanner would give."""

    def __init__(self, random: np.random.Generator) -> None:
        grey = np.linspace(0.0, 1.0, 256)
        curve = grey ** float(np.exp(random.normal(0.0, 0.35)))
        if random.random() < 0.3:
            bend = 1.0 / (1.0 + np.exp(-(curve - random.uniform(0.3, 0.7)) * 6.0))
            curve = 0.5 * curve + 0.5 * bend
        self.curve = (curve * 255.0).astype(np.float32)
        self.noise = random.uniform(0.0, 6.0) if random.random() < 0.5 else 0.0
        self.blur = random.uniform(0.4, 1.2) if random.random() < 0.2 else 0.0
        self.covers = bool(random.random() < 0.5)
        self.ball_radius = random.uniform(3.0, 14.0) if random.random() < 0.25 else 0.0
        self.ball_depth = random.uniform(0.08, 0.35)
        self.ball_offset = random.normal(0.0, 10.0, 2)

    def apply(
        self,
        view: NDArray[np.float32],
        tip: NDArray[np.float64],
        random: np.random.Generator,
        cover: float,
    ) -> NDArray[np.float32]:
        """Return the (side, side) view as this scanner would show it.

        ``cover`` is the share of frames with something dark drawn over the tip.
        """
        if self.ball_radius:
            view = self._behind(view, tip, random)
        if self.covers and random.random() < cover:
            view = _cover(view, tip, random)
        view = cv2.LUT(np.clip(view, 0, 255).astype(np.uint8), self.curve)
        if self.blur:
            view = cv2.GaussianBlur(view, (0, 0), self.blur)
        if self.noise:
            grain = random.standard_normal(view.shape, np.float32)
            view = view + self.noise * grain
        return view

    def _behind(
        self, view: NDArray[np.float32], tip: NDArray[np.float64], random: np.random.Generator
    ) -> NDArray[np.float32]:
        """Darken a ball that stands by the tip in every frame but does not move with it."""
        ink = np.zeros(view.shape, np.float32)
        x, y = np.round(tip + self.ball_offset + random.normal(0.0, 6.0, 2)).astype(int).tolist()
        cv2.circle(ink, (x, y), round(self.ball_radius), 1.0, -1)
        ink = cv2.GaussianBlur(ink, (0, 0), 0.4 * self.ball_radius)
        return view * (1.0 - self.ball_depth * ink)


def _cover(
    view: NDArray[np.float32], tip: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float32]:
    """Darken blobs and a winding streak near the tip, as contrast or another device would."""
    ink = np.zeros(view.shape, np.float32)
    for _ in range(int(random.integers(0, 3))):
        centre = tip + random.normal(0.0, 8.0, 2)
        axes = random.uniform(2.0, 9.0, 2)
        turn = random.uniform(0.0, 180.0)
        box = ((float(centre[0]), float(centre[1])), (2 * axes[0], 2 * axes[1]), turn)
        cv2.ellipse(ink, box, 1.0, -1)
    if random.random() < 0.7:
        heading = random.uniform(0.0, 2 * np.pi)
        start = tip + random.normal(0.0, 2.0 if random.random() < 0.5 else 25.0, 2)
        bends = heading + np.cumsum(random.normal(0.0, 0.25, 24))
        steps = np.stack([np.cos(bends), np.sin(bends)], axis=1) * random.uniform(2.0, 5.0)
        line = np.round((start + np.cumsum(steps, axis=0)) * 16).astype(np.int32)
        cv2.polylines(
            ink, [line[:, None]], False, 1.0, int(random.integers(1, 6)), cv2.LINE_AA, shift=4
        )
    ink = cv2.GaussianBlur(ink, (0, 0), random.uniform(0.6, 2.5))
    return view * (1.0 - random.uniform(0.1, 0.45) * ink)


def _empty_sample(options: SampleOptions) -> dict[str, NDArray[np.generic]]:
    part, side, quarter = options.crop, options.template, options.crop // 4
    searches = options.searches
    return {
        "templates": np.zeros((TEMPLATES, side, side), np.float32),
        "centres": np.zeros((TEMPLATES, 2), np.float32),
        "template_times": np.zeros(TEMPLATES, np.float32),
        "search": np.zeros((searches, part, part), np.float32),
        "origins": np.zeros((searches, 2), np.float32),
        "search_times": np.zeros(searches, np.float32),
        "tips": np.zeros((searches, 2), np.float32),
        "states": np.zeros(searches, np.int64),
        "body": np.zeros((searches, quarter, quarter), np.float32),
    }
