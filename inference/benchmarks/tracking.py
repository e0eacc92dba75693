"""The tracker beside its peers, on simulated runs and on runs labelled by hand.

python -m inference.benchmarks tracking [--limit RUNS] [--data FOLDER] [--peers FOLDER]
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata

from inference.benchmarks.peers import (
    Follow,
    lucas_kanade,
    multiple_instance,
    nano_tracker,
    template_matching,
)
from inference.frames import FrameSequence
from inference.simulation import Scenario, simulate_run
from inference.tracking.requests import Anchor, PointState, TrackedPoint, TrackRequest
from inference.tracking.side_by_side import TrackCall
from inference.tracking.tracker import Tracker, load_tracker
from inference.tracking.training.labelled import LabelledRun, read_labelled_runs, sequence_of
from inference.tracking.training.shards import ABSENT, OCCLUDED, STATES, VISIBLE

TEST_SEED = 900_000
"""First seed of the simulated test set; training uses seeds below 100,000, choices 700,000."""
THREE_TIPS_SEED = 900_096
"""A run of three devices whose tips show: what a tip costs depends on whether it is there."""
SCENARIOS = (
    Scenario.FLUOROSCOPY,
    Scenario.CONTRAST_OCCLUSION,
    Scenario.DEVICE_OCCLUSION,
    Scenario.PANNING,
    Scenario.LOW_DOSE,
)
OURS = "Fluorotrace"
WRONG_BEYOND = 5.0
CORRECT_BEYOND = 4.0

Complete = Callable[[LabelledRun, tuple[Anchor, ...]], NDArray[np.float64]]
"""Fills a run from anchors, (T, 2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """What our tracker says of a run.

    Attributes
    ----------
    tips : ndarray
        (T, 2); an absent answer keeps the nearest frame's tip.
    confidence : ndarray
        (T,), 0 where the tip is said to be absent.
    absent : ndarray
        (T,) whether it is.
    """

    tips: NDArray[np.float64]
    confidence: NDArray[np.float64]
    absent: NDArray[np.bool_]


@dataclass(slots=True)
class Errors:
    """Errors of one tracker in pixels at 512, gathered over runs.

    ``noticed`` holds, for each frame without a tip, whether it was said to be absent, and
    ``denied`` the same for each frame with one.
    """

    name: str
    visible: list[float] = field(default_factory=list)
    occluded: list[float] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    wrong: list[bool] = field(default_factory=list)
    noticed: list[bool] = field(default_factory=list)
    denied: list[bool] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0

    def add(
        self,
        run: LabelledRun,
        first: int,
        tips: NDArray[np.float64],
        tracked: Tracked | None = None,
    ) -> None:
        """Score every frame but the clicked one; ``tracked`` is what our tracker says besides."""
        errors = errors_px(run, tips).tolist()
        for frame, state in enumerate(run.states):
            if frame == first:
                continue
            if state == ABSENT and tracked is not None:
                self.noticed.append(bool(tracked.absent[frame]))
            if state not in (VISIBLE, OCCLUDED):
                continue
            (self.visible if state == VISIBLE else self.occluded).append(errors[frame])
            if tracked is not None:
                self.confidence.append(float(tracked.confidence[frame]))
                self.wrong.append(errors[frame] > WRONG_BEYOND)
                self.denied.append(bool(tracked.absent[frame]))


def errors_px(run: LabelledRun, tips: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far tips (T, 2) are from a run's labels, (T,) pixels at 512; NaN without label."""
    return np.asarray(np.hypot(*(tips - run.tips).T) * 512.0 / max(run.frames.shape[1:]))


def area_under_curve(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """Return the chance that a positive scores higher than a negative (0.5 for guessing)."""
    marked = np.asarray(positive, bool)
    count = int(marked.sum())
    if count == 0 or count == len(marked):
        return float("nan")
    ranks = rankdata(scores)
    above = ranks[marked].sum() - count * (count + 1) / 2
    return float(above / (count * (len(marked) - count)))


@lru_cache(maxsize=1)
def _sequence(run: LabelledRun) -> FrameSequence:
    """Return one sequence for all calls with a run, as the program has."""
    return sequence_of(run.frames)


def track_all(
    tracker: Tracker, sequence: FrameSequence, anchors: tuple[Anchor, ...]
) -> dict[int, TrackedPoint]:
    """Track a whole run; anchored frames are not among the answers."""
    points: dict[int, TrackedPoint] = {}
    tracker.track(
        sequence,
        TrackRequest(anchors, 0, sequence.frame_count - 1),
        lambda: False,
        lambda told: points.update({point.frame: point for point in told}),
    )
    return points


def ours(tracker: Tracker, run: LabelledRun, anchors: tuple[Anchor, ...]) -> Tracked:
    """Track a run with our tracker."""
    points = track_all(tracker, _sequence(run), anchors)
    tips = np.full((len(run.frames), 2), np.nan)
    confidence = np.ones(len(run.frames))
    absent = np.zeros(len(run.frames), bool)
    for anchor in anchors:
        if anchor.x is not None and anchor.y is not None:
            tips[anchor.frame] = anchor.x, anchor.y
    for frame, point in points.items():
        absent[frame] = point.x is None
        confidence[frame] = 0.0 if absent[frame] else point.confidence
        if point.x is not None and point.y is not None:
            tips[frame] = point.x, point.y
    return Tracked(_fill(tips), confidence, absent)


def _fill(tips: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give frames without a tip that of the nearest frame with one."""
    known = np.flatnonzero(np.isfinite(tips[:, 0]))
    nearest = known[np.abs(np.arange(len(tips))[:, None] - known).argmin(axis=1)]
    return np.asarray(tips[nearest])


def _anchor(run: LabelledRun, frame: int) -> Anchor:
    x, y = run.tips[frame]
    return Anchor(frame, float(x), float(y), PointState(STATES[run.states[frame]]))


def first_click(run: LabelledRun) -> int:
    """Return the first frame on which the tip is seen."""
    return clicked_frames(run, 1)[0]


def clicked_frames(run: LabelledRun, most: int) -> list[int]:
    """Return up to ``most`` frames on which the tip is seen, the first one and others evenly."""
    visible = np.flatnonzero(run.states == VISIBLE)
    chosen = np.linspace(0, len(visible) - 1, min(most, len(visible))).round().astype(int)
    return [int(frame) for frame in visible[chosen]]


def both_ways(follow: Follow, run: LabelledRun, first: int) -> NDArray[np.float64]:
    """Follow forward and backward from the clicked frame."""
    start = (float(run.tips[first, 0]), float(run.tips[first, 1]))
    frames = np.asarray(run.frames, np.uint8)
    tips = np.empty((len(frames), 2))
    tips[first:] = follow(frames[first:], start)
    tips[: first + 1] = follow(frames[first::-1], start)[::-1]
    return tips


def simulated_runs(
    count: int, frame_count: int = 30, first_seed: int = TEST_SEED
) -> list[LabelledRun]:
    """Make the simulated test set, as 8-bit pictures: as many runs of each scenario.

    Scenarios take turns by the seed. Runs that never show their tip cannot be clicked: another seed
    of the same scenario takes their place.
    """
    runs: list[LabelledRun] = []
    wanted = Counter(SCENARIOS[number % len(SCENARIOS)] for number in range(count))
    numbers = itertools.count()
    while wanted.total():
        number = next(numbers)
        scenario = SCENARIOS[number % len(SCENARIOS)]
        if not wanted[scenario]:
            continue
        run = simulate_run(first_seed + number, scenario, frame_count)
        states = np.array([STATES.index(state) for state in run.state], np.uint8)
        if not (states == VISIBLE).any():
            continue
        wanted[scenario] -= 1
        low, high = np.percentile(run.frames[:, ::4, ::4].astype(np.float32), (0.1, 99.9))
        grey = (run.frames.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
        frames = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
        runs.append(LabelledRun(scenario.value, frames, run.tip.astype(np.float64), states))
    return runs


def compare(
    runs: list[LabelledRun], tracker: Tracker, peers: dict[str, Follow], clicks: int = 1
) -> dict[str, list[Errors]]:
    """Score our tracker and its peers on the same clicks; by the name of the run, then tracker.

    Each run is tracked from one click at a time, on up to ``clicks`` of its frames.
    """
    groups: dict[str, list[Errors]] = {}
    clicked = [(each, first) for each in runs for first in clicked_frames(each, clicks)]
    for run, first in clicked:
        scores = groups.setdefault(run.name, [Errors(name) for name in (OURS, *peers)])
        x, y = run.tips[first]
        started = time.perf_counter()
        tracked = ours(tracker, run, (Anchor(first, float(x), float(y)),))
        scores[0].seconds += time.perf_counter() - started
        scores[0].add(run, first, tracked.tips, tracked)
        for score, follow in zip(scores[1:], peers.values(), strict=True):
            started = time.perf_counter()
            tips = both_ways(follow, run, first)
            score.seconds += time.perf_counter() - started
            score.add(run, first, tips)
        for score in scores:
            score.frames += len(run.frames)
    return groups


def pool(groups: dict[str, list[Errors]]) -> list[Errors]:
    """Put the scores of all groups together, tracker by tracker."""
    pooled = [Errors(score.name) for score in next(iter(groups.values()))]
    for scores in groups.values():
        for whole, part in zip(pooled, scores, strict=True):
            whole.visible += part.visible
            whole.occluded += part.occluded
            whole.confidence += part.confidence
            whole.wrong += part.wrong
            whole.noticed += part.noticed
            whole.denied += part.denied
            whole.frames += part.frames
            whole.seconds += part.seconds
    return pooled


def corrections(run: LabelledRun, complete: Complete) -> int:
    """Count the corrections until every frame is near its label.

    A simulated annotator clicks the first visible tip, then corrects the worst frame and has the
    rest tracked again, until no frame is off by more than ``CORRECT_BEYOND``. The first click does
    not count.
    """
    scored = np.isin(run.states, (VISIBLE, OCCLUDED))
    placed = [first_click(run)]
    while True:
        anchors = tuple(_anchor(run, f) for f in placed)
        tips = complete(run, anchors)
        errors = np.where(scored, errors_px(run, tips), 0.0)
        worst = int(errors.argmax())
        if errors[worst] <= CORRECT_BEYOND:
            return len(placed) - 1
        placed.append(worst)


def interpolate(run: LabelledRun, anchors: tuple[Anchor, ...]) -> NDArray[np.float64]:
    """Straight lines between anchors: what an annotator has without any tracker."""
    placed = sorted((a.frame, a.x, a.y) for a in anchors if a.x is not None and a.y is not None)
    frames, xs, ys = (np.array(part) for part in zip(*placed, strict=True))
    every = np.arange(len(run.frames))
    return np.stack([np.interp(every, frames, xs), np.interp(every, frames, ys)], axis=1)


def _row(score: Errors) -> list[str]:
    def part(errors: list[float], limits: tuple[int, ...]) -> list[str]:
        values = np.array(errors)
        if not len(values):
            return ["-"] * (len(limits) + 5)
        shares = [f"{100 * (values <= limit).mean():.1f}" for limit in limits]
        return [
            *shares,
            f"{np.median(values):.1f}",
            f"{values.mean():.1f}",
            f"{values.std():.1f}",
            f"{np.percentile(values, 95):.1f}",
            f"{values.max():.0f}",
        ]

    auroc = "-"
    if score.confidence:
        auroc = f"{area_under_curve([-c for c in score.confidence], score.wrong):.3f}"
    return [
        score.name,
        *part(score.visible, (4, 8, 12)),
        *part(score.occluded, (8, 12)),
        auroc,
        _percent(score.noticed),
        _percent(score.denied),
        f"{score.frames / max(score.seconds, 1e-9):.0f}",
    ]


def _percent(said: list[bool]) -> str:
    return f"{100 * np.mean(said):.1f}" if said else "-"


def print_scores(console: Console, title: str, groups: dict[str, list[Errors]]) -> None:
    """Print one table: all runs first, then group by group; pixels at 512, shares in percent."""
    table = Table(title=title)
    heads = ["runs", "tracker", "v<=4", "v<=8", "v<=12", "v med", "v mean", "v SD", "v p95"]
    heads += ["v max", "o<=8", "o<=12", "o med", "o mean", "o SD", "o p95", "o max"]
    heads += ["AUROC", "noticed", "denied", "fps"]
    for head in heads:
        left = head in ("runs", "tracker")
        table.add_column(head, justify="left" if left else "right", no_wrap=True)
    for name, scores in {"all": pool(groups), **groups}.items():
        for score in scores:
            table.add_row(name, *_row(score))
        table.add_section()
    seen = pool(groups)[0]
    table.caption = (
        f"{len(seen.visible)} visible (v), {len(seen.occluded)} occluded (o) frames; "
        f"noticed: said absent, of {len(seen.noticed)} absent ones; denied: of all others"
    )
    console.print(table)


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m inference.benchmarks tracking")
    parser.add_argument("--limit", type=int, default=200, help="simulated runs")
    parser.add_argument("--seed", type=int, default=TEST_SEED, help="of the first simulated run")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--part", default="validation", help="labelled part of the data")
    parser.add_argument("--peers", type=Path, default=Path("../shared/peers"))
    parser.add_argument("--weights", default="tracker_tiny", help="name, or path without ending")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--clicks", type=int, default=1, help="on so many frames of a real run")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--no-corrections", action="store_true")
    parser.add_argument("--speed", action="store_true", help="measure speed alone")
    chosen = parser.parse_args(arguments)
    console = Console(file=sys.stdout, width=200)
    tracker = load_tracker(chosen.device, name=chosen.weights, threads=chosen.threads)
    if chosen.speed:
        _print_speed(console, tracker)
        return
    peers: dict[str, Follow] = {}
    if not chosen.ours_only:
        peers = {
            "Lucas-Kanade": lucas_kanade,
            "NCC template": template_matching,
            "OpenCV MIL": multiple_instance,
        }
        if (chosen.peers / "nanotrack").is_dir():
            peers["NanoTrack v2"] = nano_tracker(chosen.peers / "nanotrack")
        else:
            console.print(f"NanoTrack left out: {chosen.peers}/nanotrack is not there")
    if chosen.data.is_dir():
        labelled = read_labelled_runs(chosen.data, chosen.part)
        title = f"Labelled real runs, {chosen.part}"
        print_scores(console, title, compare(labelled, tracker, peers, chosen.clicks))
        if not chosen.no_corrections:
            _print_corrections(console, labelled, tracker)
    else:
        console.print(f"Labelled real runs left out: {chosen.data} is not there")
    if chosen.limit:
        simulated = simulated_runs(chosen.limit, first_seed=chosen.seed)
        title = f"Simulated runs, seeds from {chosen.seed}"
        print_scores(console, title, compare(simulated, tracker, peers))


def _print_speed(console: Console, tracker: Tracker, frame_count: int = 96) -> None:
    """Print frames a second from decoded frames, for one tip and for three at once."""
    run = simulate_run(THREE_TIPS_SEED, Scenario.CONTRAST_OCCLUSION, frame_count)
    shown = [device for device in run.devices if device.state[0] == PointState.VISIBLE]
    places = [(float(x), float(y)) for x, y in (device.tip[0] for device in shown)]
    assert len(places) == 3
    track_all(tracker, sequence_of(run.frames[:8]), (Anchor(0, *places[0]),))
    table = Table(
        title=f"{frame_count} frames of 512x512, frames a second, on {tracker.device_name}"
    )
    for head in ("tips", "least", "median", "most"):
        table.add_column(head, justify="right")
    for count in (1, 3):
        speeds = []
        for _ in range(5):
            sequence = sequence_of(run.frames)
            started = time.perf_counter()
            _track_at_once(tracker, sequence, places[:count])
            speeds.append(frame_count / (time.perf_counter() - started))
        table.add_row(str(count), *(f"{f(speeds):.0f}" for f in (min, np.median, max)))
    console.print(table)


def _track_at_once(
    tracker: Tracker, sequence: FrameSequence, places: list[tuple[float, float]]
) -> None:
    requests = [TrackRequest((Anchor(0, *tip),), 0, sequence.frame_count - 1) for tip in places]
    calls = iter([TrackCall(request, lambda: False, lambda points: None) for request in requests])
    tracker.track_together(sequence, lambda: next(calls, None))


def _print_corrections(console: Console, runs: list[LabelledRun], tracker: Tracker) -> None:
    table = Table(title=f"Corrections per 100 frames until all are within {CORRECT_BEYOND:g} px")
    ways: dict[str, Complete] = {
        OURS: lambda run, anchors: ours(tracker, run, anchors).tips,
        "straight lines": interpolate,
    }
    table.add_column("run")
    for way in ways:
        table.add_column(way, justify="right")
    counts = {way: [corrections(run, complete) for run in runs] for way, complete in ways.items()}
    for index, run in enumerate(runs):
        share = 100.0 / len(run.frames)
        table.add_row(run.name, *(f"{counts[way][index] * share:.1f}" for way in ways))
    share = 100.0 / sum(len(run.frames) for run in runs)
    table.add_row("all", *(f"{sum(counts[way]) * share:.1f}" for way in ways))
    console.print(table)


if __name__ == "__main__":
    main()
