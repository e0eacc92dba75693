"""A page of single frames beside enhanced ones, simulated and real."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.enhancement import Enhancer, propose_pairs, resting_pair
from inference.frames import FloatFrame

TILE_PX = 384
REACH_PX = 64
Row = tuple[str, FloatFrame, FloatFrame, NDArray[np.float64]]
"""Name, single frame, enhanced picture, markers (2, 2) in both."""


def draw_page(path: Path, rows: list[Row], data: Path) -> None:
    """Write the page: the rows given, and real runs in which a pair is proposed and followed.

    Raises
    ------
    OSError
    """
    rows = rows + [row for folder in sorted(data.glob("angiodata/P*")) if (row := _real(folder))]
    page = np.vstack([np.hstack([_tile(name, p, pair) for p in (single, mean)])
                      for name, single, mean, pair in rows])  # fmt: skip
    done, encoded = cv2.imencode(".png", page)
    if not done:
        raise OSError("the picture could not be encoded")
    path.write_bytes(encoded.tobytes())


def _tile(name: str, picture: FloatFrame, pair: NDArray[np.float64]) -> NDArray[np.uint8]:
    x, y = pair.mean(axis=0)
    part = cv2.getRectSubPix(picture, (2 * REACH_PX, 2 * REACH_PX), (float(x), float(y)))
    low, high = np.percentile(part, (0.5, 99.5))
    grey = np.clip((part - low) * (255.0 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)
    tile = cv2.resize(grey, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC)
    cv2.putText(tile, name, (8, TILE_PX - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
    return np.asarray(tile)


def _real(folder: Path) -> Row | None:
    """Follow the likeliest pair of a real run, frame by frame, by proposals near it."""
    files = sorted(folder.glob("*.jpg"))
    pictures = [np.asarray(cv2.imread(str(f), cv2.IMREAD_GRAYSCALE), np.float32) for f in files]
    spread = np.linspace(0, len(pictures) - 1, 5).astype(int)
    first = propose_pairs([pictures[i] for i in spread], 1)
    if not first:
        return None
    pair = first[0].points
    followed = []
    for picture in pictures:
        near = [p.points for p in propose_pairs([picture], 40)]
        near += [points[::-1] for points in near]
        ways = [float(np.linalg.norm(points - pair, axis=1).max()) for points in near]
        if ways and min(ways) < 25.0:
            pair = near[int(np.argmin(ways))]
            followed.append(pair)
        else:
            followed.append(np.full((2, 2), np.nan))
    points = np.array(followed)
    if np.isfinite(points).all(axis=(1, 2)).mean() < 0.7:
        return None
    enhancer = Enhancer(resting_pair(points[:, 0], points[:, 1]))
    for picture, here in zip(pictures, points, strict=True):
        enhancer.add(picture, here)
    seen = int(np.flatnonzero(np.isfinite(points).all(axis=(1, 2)))[0])
    single = Enhancer(enhancer.rest)
    single.add(pictures[seen], points[seen])
    return folder.name, single.picture, enhancer.picture, enhancer.rest
