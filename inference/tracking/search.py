"""One frame searched for a tip: what the networks say of it, given templates of the tip."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.runtime import Network
from inference.tracking.confidence import UNCALIBRATED, Evidence, features, probability
from inference.tracking.paths import Candidates, find_candidates, find_spot, joined
from inference.tracking.seen_frames import SeenFrames
from inference.tracking.shaft import Shaft, likeness
from inference.tracking.views import crop

CELL = 2  # as in inference.tracking.network, which would import torch
TEMPLATES = 3
MAPS = ("tokens", "quarter", "eighth", "ground")
OCCLUDED_ABOVE = 0.5
"""Probability of being hidden from which a tip is told as such."""
TIME_LIMIT = 30.0
LOOKED_AT, LIKELY = 3, -2.5
"""Candidates of a frame that the refiner looks at, and the log share that they have to have."""
AT_ONCE = 6
"""Candidates in a call of the refiner; each takes 10 MB while it is looked at."""
REFINER_SAYS = 0.5
"""Weight of the refiner's log odds beside the tracking network's log share."""
SHAFT_SAYS = 10.0
"""Weight of the shaft's likeness beside the logits of the heatmap, where the tip is hidden."""
HIDDEN_ABOVE = 0.2
"""Probability of being hidden from which the shaft is asked."""
TRUSTED = 2.0
"""View pixels by which the refiner may move a tip that is more likely hidden than not."""


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A known tip and what is around it.

    Attributes
    ----------
    centre : ndarray
        (x, y) in the view.
    pixels : ndarray
        (TIMES, side, side) of the view.
    fine : ndarray
        (TIMES, crop, crop) on the fine scale.
    view : ndarray
        The whole view of its frame.
    body : ndarray, optional
        (n, n) logits of the catheter, where the frame was read already.
    """

    frame: int
    centre: NDArray[np.float32]
    pixels: NDArray[np.float32]
    fine: NDArray[np.float32]
    view: NDArray[np.float32]
    body: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What the tracking network says of one frame."""

    heat: NDArray[np.float32]  # (1 + h * w,) logits
    occluded: float  # probability
    sure: float  # logit
    body: NDArray[np.float32]  # (n, n) logits of the catheter


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What is known of one frame."""

    candidates: Candidates
    occluded: float  # probability
    sure: float  # logit
    body: NDArray[np.float32] | None  # (n, n) logits of the catheter


class TipSearch:
    """Finds a template's tip in frames.

    Parameters
    ----------
    matcher, refiner : Network
        Finds a template's tip in what the stem read; places it exactly.
    """

    def __init__(self, matcher: Network, refiner: Network) -> None:
        self._matcher, self._refiner = matcher, refiner
        options = json.loads(matcher.metadata["network"])
        self.side: int = options["view"]
        self.template_side: int = options["template"]
        self.fine_side: int = json.loads(refiner.metadata["refiner"])["crop"]
        told = matcher.metadata.get("confidence")
        self._confidence = np.array(json.loads(told) if told else UNCALIBRATED, np.float64)

    def template(
        self,
        seen: SeenFrames,
        frame: int,
        point: NDArray[np.floating],
        body: NDArray[np.float32] | None = None,
    ) -> Template:
        """Cut a template whose tip lies at picture position ``point``."""
        at = seen.geometry.to_view(point)
        centre = (float(at[0]), float(at[1]))
        views = seen.views(frame)
        pixels = np.stack([crop(view, centre, self.template_side) for view in views])
        fine = seen.fine_crops(frame, point, self.fine_side)
        return Template(frame, at, pixels, fine, views[0], body)

    def search(
        self,
        seen: SeenFrames,
        numbers: list[int],
        templates: list[Template],
        anchors: list[Template],
        origin: int,
        threads: int,
    ) -> list[Answer]:
        """Look for the templates' tip in some frames; times count from frame ``origin``.

        Each thread works on some of the frames from end to end, which wastes less than all threads
        working on each of a network's operators. Where the tip is hidden, the shafts around the
        tips of ``anchors`` are looked for as well.
        """

        def look(part: list[int]) -> list[Answer]:
            readings = self.read(seen.maps(part), part, templates, origin)
            answers = [
                self._answer(seen, number, reading, anchors)
                for number, reading in zip(part, readings, strict=True)
            ]
            return self._refine(seen, part, answers, templates)

        count = len(numbers)
        threads = min(count, threads)
        if threads == 1:
            return look(numbers)
        ends = np.linspace(0, count, threads + 1).round().astype(int).tolist()
        parts = [numbers[first:last] for first, last in pairwise(ends)]
        with ThreadPoolExecutor(threads, thread_name_prefix="tracker") as executor:
            return [answer for answers in executor.map(look, parts) for answer in answers]

    def _shaft(self, seen: SeenFrames, template: Template) -> Shaft:
        """Return the shaft around a template's tip; it is made once for a run and a place."""

        def make() -> Shaft:
            frame, body = template.frame, template.body
            if body is None:
                same = [template] * TEMPLATES
                body = self.read(seen.maps([frame]), [frame], same, frame)[0].body
            return Shaft(template.view, probability(body), template.centre)

        return seen.shaft((template.frame, *template.centre.tolist()), make)

    def _answer(
        self, seen: SeenFrames, number: int, reading: Reading, anchors: list[Template]
    ) -> Answer:
        """Find the candidates of a frame; the anchors' shafts help where the tip is hidden."""
        if not anchors or reading.occluded <= HIDDEN_ABOVE:
            candidates = find_candidates(reading.heat, CELL, seen.geometry.shape)
            return Answer(candidates, reading.occluded, reading.sure, reading.body)
        heat = reading.heat.copy()
        columns = round((len(heat) - 1) ** 0.5)
        row, column = divmod(int(heat[1:].argmax()), columns)
        around = np.array([column, row]) * CELL + (CELL - 1) / 2
        view = seen.views(number)[0]
        shafts = [self._shaft(seen, anchor) for anchor in anchors]
        like = likeness(shafts, view, around)
        small = cv2.resize(like, (columns, columns), interpolation=cv2.INTER_AREA)
        heat[1:] += SHAFT_SAYS * reading.occluded * small.ravel()
        candidates = find_candidates(heat, CELL, seen.geometry.shape)
        x, y = np.rint(candidates.points).astype(int).T
        candidates = replace(candidates, alike=like[y, x])
        return Answer(candidates, reading.occluded, reading.sure, reading.body)

    def _refine(
        self,
        seen: SeenFrames,
        numbers: list[int],
        answers: list[Answer],
        templates: list[Template],
    ) -> list[Answer]:
        """Have the refiner look at the likely candidates: it places them, or denies them.

        Where the tip is hidden it looks at the best one, and places it only where it agrees.
        """
        asked = [
            (slot, index)
            for slot, answer in enumerate(answers)
            for index, score in enumerate(answer.candidates.scores[:LOOKED_AT])
            if index == 0 or (score > LIKELY and answer.occluded <= OCCLUDED_ABOVE)
        ]
        starts = [
            seen.geometry.to_picture(answers[slot].candidates.points[index])
            for slot, index in asked
        ]
        crops = [
            seen.fine_crops(numbers[slot], start, self.fine_side)
            for (slot, _), start in zip(asked, starts, strict=True)
        ]
        known = {"templates": np.stack([template.fine for template in templates])}
        heat = [
            logits
            for first in range(0, len(crops), AT_ONCE)
            for logits in self._refiner(
                {"search": np.stack(crops[first : first + AT_ONCE])}, known
            )[0]
        ]
        # The answers were made for this call alone, so that their arrays can be written to.
        for (slot, index), start, logits in zip(asked, starts, heat, strict=True):
            spot, candidates = find_spot(logits), answers[slot].candidates
            off = np.array([spot.x, spot.y]) - self.fine_side / 2
            place = seen.fine_geometry.to_picture(seen.fine_geometry.to_view(start) + off)
            limit = (seen.geometry.columns - 1, seen.geometry.rows - 1)
            point = seen.geometry.to_view(np.clip(place, 0.0, limit))
            candidates.moved[index] = np.hypot(*(point - candidates.points[index]))
            if answers[slot].occluded > OCCLUDED_ABOVE and candidates.moved[index] > TRUSTED:
                continue
            candidates.points[index] = point
            candidates.mass[index] = spot.mass
            odds = np.log(max(spot.present, 1e-3) / max(1.0 - spot.present, 1e-3))
            candidates.scores[index] += REFINER_SAYS * odds
        return [replace(answer, candidates=joined(answer.candidates)) for answer in answers]

    def confidence(self, evidence: Evidence) -> float:
        """Calibrated probability that a point is within 5 pixels (at 512) of the tip."""
        return float(probability(features(evidence) @ self._confidence))

    def read(
        self,
        maps: list[NDArray[np.float32]],
        numbers: list[int],
        templates: list[Template],
        origin: int,
    ) -> list[Reading]:
        """Return what the tracking network says of frames, by the maps that the stem made."""

        def times(of: list[int]) -> NDArray[np.float32]:
            since = np.array(of, np.float32) - origin
            return np.clip(since, -TIME_LIMIT, TIME_LIMIT).astype(np.float32)

        heat, occluded, sure, body = self._matcher(
            {**dict(zip(MAPS, maps, strict=True)), "search_times": times(numbers)},
            {
                "templates": np.stack([t.pixels for t in templates]),
                "centres": np.stack([t.centre for t in templates]),
                "template_times": times([t.frame for t in templates]),
            },
        )
        return [
            Reading(heat[i], float(probability(occluded[i])), float(sure[i]), body[i])
            for i in range(len(numbers))
        ]
