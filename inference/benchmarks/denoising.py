"""The denoiser beside its peers: simulated runs, a phantom's real noise, clinical runs.

python -m inference.benchmarks denoising [--quick] [--only NAME] [--part PART] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from inference.benchmarks import denoising_scores as scores
from inference.benchmarks.denoised_tracking import compare_tracking
from inference.benchmarks.denoising_peers import Denoise, available_peers
from inference.denoising.denoiser import Denoiser, load_denoiser
from inference.denoising.noise import NoiseModel, estimate_noise
from inference.denoising.requests import DenoisedFrame, DenoiseRequest
from inference.denoising.training.samples import read_run
from inference.frames import FrameSequence
from inference.simulation import Scenario, simulate_run
from inference.tracking.tracker import load_tracker

TEST_SEED = 910_000
"""First seed of the simulated test set; the training's runs have seeds from 50,000 on."""
SIMULATED_NOISE = (0.02, 0.04, 0.06)
PAN_CROP_PX = 64
PHANTOM = {"cine": ("IM5", "IM6"), "fluoro": ("IM1", "IM2")}
CLINICAL = ("angiodata/P1_C1", "angiodata/P4_C5", "rubo/0002.DCM")
CLINICAL_FRAMES = 16
LOWERED_DEVIATION = 8.0
SCORED_STRIDE = 3
SINGLE_FRAME = "ours, single frame"


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRun:
    """One run to score; ``truth`` (T, H, W) is None where nobody knows it."""

    name: str
    frames: NDArray[np.generic]
    white: float
    truth: NDArray[np.float32] | None = None
    devices: NDArray[np.uint8] | None = None  # (T, H, W), 1 on devices
    bodies: tuple[NDArray[np.float32], ...] = ()


@dataclass(slots=True)
class Result:
    """Figures of one denoiser, gathered over scenes."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    frames: int = 0
    seconds: float = 0.0

    def add(self, name: str, value: float) -> None:
        """Keep a figure that is defined."""
        if np.isfinite(value):
            self.figures.setdefault(name, []).append(value)

    def mean(self, name: str, digits: int) -> str:
        """Return the mean of a figure, "-" where there is none."""
        values = self.figures.get(name)
        return f"{np.mean(values):.{digits}f}" if values else "-"


def ours(
    denoiser: Denoiser,
    frames: NDArray[np.generic],
    white: float,
    causal: bool,
    wanted: Sequence[int] | None = None,
) -> NDArray[np.float32]:
    """Denoise the wanted frames of a run, all of them when None."""
    count, rows, columns = frames.shape
    sequence = FrameSequence(lambda k: frames[k], count, rows, columns, white)
    order = tuple(range(count) if wanted is None else wanted)
    out: list[NDArray[np.float32]] = []

    def keep(done: DenoisedFrame) -> None:
        out.append(done.pixels)

    denoiser.denoise(sequence, DenoiseRequest(order, causal), lambda: False, keep)
    return np.stack(out)


def our_modes(denoiser: Denoiser) -> dict[str, Denoise]:
    """Return the modes of the shipped student; "single frame" sees one frame at a time."""
    return {
        SINGLE_FRAME: lambda frames, noise, wanted: np.stack(
            [denoiser.denoise_still(frames[k], noise) for k in wanted]
        ),
        "ours, causal": lambda frames, noise, wanted: ours(
            denoiser, frames, noise.white, True, wanted
        ),
        "ours, centred": lambda frames, noise, wanted: ours(
            denoiser, frames, noise.white, False, wanted
        ),
    }


def simulated_scenes(count: int) -> Iterator[ScoredRun]:
    """Make low-dose runs with motion whose truth is known, the scenarios in turn."""
    kinds = [s for s in Scenario if s is not Scenario.MIXED]
    for k in range(count):
        run = simulate_run(
            TEST_SEED + k, kinds[k % len(kinds)], 16, noise_sd=SIMULATED_NOISE[k % 3]
        )
        bodies = tuple(run.body)
        yield ScoredRun(
            run.scenario.value, run.frames, run.white, run.clean, run.device_mask(True), bodies
        )


def pan_path(count: int, seed: int = 0) -> NDArray[np.int64]:
    """Return a table path in whole pixels, (count, 2) as (y, x), within the margin."""
    rng = np.random.default_rng(seed)
    reach = PAN_CROP_PX // 2
    path, speed = np.zeros((count, 2), np.int64), np.array([3, -2])
    for k in range(1, count):
        path[k] = path[k - 1] + speed + rng.integers(-1, 2, 2)
        speed = np.where(np.abs(path[k]) > reach - 4, -speed, speed)
        path[k] = np.clip(path[k], -reach, reach)
    return path


def phantom_scenes(data: Path, names: Sequence[str], panned: bool) -> Iterator[ScoredRun]:
    """Take the phantom's real noise, at rest or panned; truth is the mean of the other frames."""
    for name in names:
        frames = np.asarray(read_run(data / "phantom_vukicevic" / f"{name}.dcm"))
        if name in PHANTOM["fluoro"]:
            frames = frames[1:]
        count = len(frames)
        exact = frames.astype(np.float64)
        truth = ((exact.sum(0) - exact) / (count - 1)).astype(np.float32)
        if panned:
            reach, size = PAN_CROP_PX // 2, frames.shape[1] - PAN_CROP_PX
            cuts = [
                np.s_[reach + y : reach + y + size, reach + x : reach + x + size]
                for y, x in pan_path(count)
            ]
            frames = np.stack([f[c] for f, c in zip(frames, cuts, strict=True)])
            truth = np.stack([f[c] for f, c in zip(truth, cuts, strict=True)])
        yield ScoredRun(name, frames, 255.0, truth)


def clinical_scenes(data: Path, lowered: bool) -> Iterator[ScoredRun]:
    """Take clinical runs as recorded, or with their dose lowered and the recording as truth."""
    rng = np.random.default_rng(5)
    for name in CLINICAL:
        frames = np.asarray(read_run(data / name))[:CLINICAL_FRAMES]
        if not lowered:
            yield ScoredRun(name, frames, 255.0)
            continue
        truth = frames.astype(np.float32)
        deviation = LOWERED_DEVIATION * np.sqrt(np.maximum(truth, 8.0) / 128.0)
        kernel = cv2.getGaussianKernel(3, 0.6) @ cv2.getGaussianKernel(3, 0.6).T
        white = rng.standard_normal(truth.shape, dtype=np.float32)
        noise = np.stack([cv2.filter2D(w, -1, kernel / np.sqrt((kernel**2).sum())) for w in white])
        noisy = np.clip(np.rint(truth + deviation * noise), 0, 255).astype(np.uint8)
        yield ScoredRun(name, noisy, 255.0, truth)


def score(result: Result, scene: ScoredRun, noise: NoiseModel, denoise: Denoise) -> None:
    """Run one denoiser over one scene and add up its figures, on every third frame."""
    wanted = range(1, len(scene.frames), SCORED_STRIDE)
    started = time.perf_counter()
    out = denoise(scene.frames, noise, wanted)
    result.seconds += time.perf_counter() - started
    result.frames += len(out)
    noisy = scene.frames[list(wanted)].astype(np.float32)
    taken = noisy - out
    if scene.truth is None:
        flat = flat_areas(scene.frames)
        result.add("flat", float(np.mean([scores.structure_of(f)[flat].std() for f in out])))
        result.add("edge", scores.edge_correlation(list(taken), list(out)))
        return
    truth, white = scene.truth[list(wanted)], scene.white
    for image, wanted_image in zip(out, truth, strict=True):
        result.add("psnr", scores.psnr(image, wanted_image, white))
        result.add("ssim", scores.ssim(image, wanted_image, white))
    pure = scores.autocorrelation_of(list(noisy - truth))
    if taken.any():
        left = scores.autocorrelation_of(list(taken))
        result.add("autocorrelation", float(np.abs(left - pure).max()))
        result.add("edge", scores.edge_correlation(list(taken), list(truth)))
    if scene.devices is None:
        return
    masks = scene.devices.astype(bool)
    contrast = max(float(np.mean(_contrasts(scene.truth, masks))), 1e-6)
    for k, image, true in zip(wanted, out, truth, strict=True):
        result.add("cnr", scores.contrast_to_noise(image, true, masks[k]))
        energy, darkness = scores.trail(image, true, list(masks[:k]), masks[k])
        result.add("trail", energy / contrast**2)
        result.add("shadow", 100.0 * darkness / contrast)
    bodies = [scene.bodies[k] for k in wanted]
    widths = []
    for images in (out, truth):
        across = [scores.profiles(f, b) for f, b in zip(images, bodies, strict=True)]
        widths.append(scores.edge_width(np.concatenate(across).mean(axis=0)))
    result.add("width", widths[0] / widths[1])


def _contrasts(truth: NDArray[np.float32], masks: NDArray[np.bool_]) -> list[float]:
    found = []
    for frame, mask in zip(truth, masks, strict=True):
        ring = cv2.dilate(mask.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool) & ~mask
        if mask.any() and ring.any():
            found.append(float(frame[ring].mean() - frame[mask].mean()))
    return found


def flat_areas(frames: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return the tenth of the picture with the least structure and motion."""
    mean = frames.astype(np.float32).mean(axis=0)
    smooth = cv2.GaussianBlur(mean, (0, 0), 2.0)
    steep = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    steep = cv2.blur(
        steep + np.where((mean < 10) | (mean > 245), 1e3, 0).astype(np.float32), (15, 15)
    )
    return np.asarray(steep <= np.quantile(steep, 0.1))


def compare(
    console: Console, title: str, scenes: Sequence[ScoredRun], denoisers: dict[str, Denoise]
) -> None:
    """Score all denoisers on the same scenes and print one table."""
    results = {name: Result() for name in denoisers}
    for scene in scenes:
        noise = estimate_noise(scene.frames.__getitem__, len(scene.frames), scene.white)
        for name, denoise in denoisers.items():
            score(results[name], scene, noise, denoise)
    columns: list[tuple[str, str, int]] = [("psnr", "PSNR dB", 2), ("ssim", "SSIM", 4)]
    if scenes[0].devices is not None:
        columns += [("cnr", "device CNR", 2), ("width", "edge width / truth", 3)]
        columns += [("trail", "trail energy", 5), ("shadow", "shadow %", 2)]
    if scenes[0].truth is None:
        columns = [("flat", "SD in flat areas", 3)]
    else:
        columns.append(("autocorrelation", "residual autocorr. off", 3))
    columns.append(("edge", "edge corr.", 4))
    count = sum(len(s.frames[1::SCORED_STRIDE]) for s in scenes)
    table = Table(title=f"{title} ({len(scenes)} runs, {count} frames scored)")
    table.add_column("denoiser", no_wrap=True)
    for _, head, _ in columns:
        table.add_column(head, justify="right")
    table.add_column("fps", justify="right")
    for name, result in results.items():
        table.add_row(
            name,
            *(result.mean(key, digits) for key, _, digits in columns),
            f"{result.frames / max(result.seconds, 1e-9):.1f}",
        )
    console.print(table)


def measure_speed(console: Console, denoiser: Denoiser) -> None:
    """Print frames a second and peak memory, end to end from decoded frames."""
    for size in (512, 1024):
        run = simulate_run(TEST_SEED + 77, Scenario.LOW_DOSE, 32, size, noise_sd=0.05, bits=10)
        ours(denoiser, run.frames[:6], run.white, False)
        before = resource.getrusage(resource.RUSAGE_SELF)
        started = time.perf_counter()
        ours(denoiser, run.frames, run.white, False)
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_SELF)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        console.print(
            f"{size}x{size}: {len(run.frames) / seconds:.1f} frames/s on {denoiser.device_name}, "
            f"noise measured within; {1e3 * busy / len(run.frames):.0f} ms of processor time a "
            f"frame; peak memory of the program {after.ru_maxrss / 1024:.0f} MiB"
        )


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m inference.benchmarks denoising")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=int, default=10, help="simulated runs")
    parser.add_argument("--tracked-runs", type=int, default=20, help="simulated, for the tracker")
    parser.add_argument("--quick", action="store_true", help="without the slow peers")
    parser.add_argument("--only", help="only denoisers whose name holds this")
    parser.add_argument("--part", choices=("simulated", "phantom", "clinical", "tracker", "speed"))
    parser.add_argument("--published", help="student of --config paper, path without ending")
    parser.add_argument(
        "--weights", default="denoiser_student", help="name, or path without ending"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args(arguments)
    console = Console(file=sys.stdout, width=170)
    denoiser = load_denoiser(chosen.device, name=chosen.weights, threads=chosen.threads)
    if chosen.threads:
        cv2.setNumThreads(chosen.threads)
    denoisers = available_peers(slow=not chosen.quick)
    if chosen.published:
        published = load_denoiser(chosen.device, name=chosen.published, threads=chosen.threads)
        denoisers["UDCA-Net as published"] = our_modes(published)[SINGLE_FRAME]
    denoisers |= our_modes(denoiser)
    if chosen.only:
        denoisers = {n: d for n, d in denoisers.items() if n == "noisy" or chosen.only in n}
    parts: dict[str, Callable[[], None]] = {
        "speed": partial(measure_speed, console, denoiser),
        "simulated": lambda: compare(
            console, "Simulated low-dose runs", list(simulated_scenes(chosen.runs)), denoisers
        ),
        "phantom": lambda: _phantom(console, chosen.data, denoisers),
        "clinical": lambda: _clinical(console, chosen.data, denoisers),
        "tracker": lambda: compare_tracking(
            console,
            load_tracker(chosen.device, threads=chosen.threads),
            denoiser,
            chosen.tracked_runs,
        ),
    }
    for name, part in parts.items():
        if chosen.part in (None, name):
            if name in ("phantom", "clinical") and not chosen.data.is_dir():
                console.print(f"{name} runs left out: {chosen.data} is not there")
            else:
                part()


def _phantom(console: Console, data: Path, denoisers: dict[str, Denoise]) -> None:
    for kind, names in PHANTOM.items():
        for panned in (True, False):
            title = f"Phantom {kind} ({', '.join(names)}), {'panned' if panned else 'at rest'}"
            compare(console, title, list(phantom_scenes(data, names, panned)), denoisers)


def _clinical(console: Console, data: Path, denoisers: dict[str, Denoise]) -> None:
    compare(console, "Clinical runs, dose lowered", list(clinical_scenes(data, True)), denoisers)
    compare(
        console,
        "Clinical runs as recorded, no truth",
        list(clinical_scenes(data, False)),
        denoisers,
    )


if __name__ == "__main__":
    main()
