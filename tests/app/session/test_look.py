"""How a run was left comes back; what a damaged file says of it is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.runs.run import GreyScale, Lut, Run
from app.session.look import Look, look_from

RUN = Run(Path("run"), None, 5, 40, 60, np.arange(5) * 100.0)
NONSENSE = [
    {"turns": "x", "edges": "x", "mirrored": 3, "peak": "dark", "landmarks": [1]},
    {"strength": 10**400, "place": [10**400, 1, 1], "mask_shift_px": [10**400, 0]},
    {"strength": float("nan"), "edges": float("nan"), "landmarks": float("inf")},
    {"place": [1e308, 1.0, 1.0]},
    {"place": [1e-300, 1.0, 1.0]},
    {"place": [1.0, 1e300, 1.0]},
    {"place": [1.0, 1.0]},
    {"mask_shift_px": [1e9, 0.0]},
    {"mask_shift_px": [0.0, 40.0]},
    {"mask_frames": [True, 5, -1, 10**30, "1", [1]]},
    {"window": {"center": 1e308, "width": 1e308, "function": "LINEAR"}},
    {"window": {"center": 10**400, "width": 1, "function": "LINEAR"}},
    {"registration": ["x"], "comparison": {}, "hidden_tracks": [[1], {}]},
]


@pytest.mark.parametrize("view", NONSENSE, ids=str)
def test_nonsense_leaves_the_picture_as_it_is(view):
    assert look_from(view, RUN, Look()) == Look()


def test_a_large_number_of_turns_is_one_of_four():
    assert look_from({"turns": 10**30 + 3}, RUN, Look()).turns == 3


def test_a_mask_has_each_frame_once():
    assert look_from({"mask_frames": [3, 1] * 100_000}, RUN, Look()).grey.mask_frames == (3, 1)


def test_what_can_be_comes_back():
    view = {"place": [2.0, 30.0, 20.0], "mask_shift_px": [-1.5, 2.0], "mask_frames": [0, 4]}
    look = look_from(view, RUN, Look())
    assert look.place == (2.0, 30.0, 20.0)
    assert (look.grey.mask_frames, look.grey.mask_shift_px) == ((0, 4), (-1.5, 2.0))


def test_a_lut_that_the_file_has_not_is_none():
    lut = Lut(0, np.arange(4.0))
    run = replace(RUN, grey=GreyScale(voi_luts=(lut,)))
    assert look_from({"lut": 0}, run, Look()).grey.voi is lut
    assert look_from({"lut": 1}, run, Look()).grey.voi is None
    assert look_from({"lut": -1}, run, Look()).grey.voi is None
