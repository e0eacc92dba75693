"""An opened run: what the settings add to what its file says."""

from __future__ import annotations

import numpy as np
import pytest

from app.session import open_run
from app.session.open_run import open_labelled
from app.session.settings import Settings
from app.tracks.store import StoreError


def test_a_run_without_times_is_played_at_the_assumed_rate(tmp_path):
    path = tmp_path / "run.npy"
    np.save(path, np.zeros((10, 8, 12), np.uint8))
    settings = Settings(project_folder=str(tmp_path), assumed_frame_rate_hz=20.0)
    opened = open_labelled(path, settings)
    np.testing.assert_allclose(opened.run.frame_times_ms, np.arange(10) * 50.0)
    assert opened.rate_hz == 20.0
    assert opened.run.pixel_aspect_ratio == 1.0
    opened.close()


def test_a_still_has_no_rate(tmp_path):
    path = tmp_path / "still.npy"
    np.save(path, np.zeros((8, 12), np.uint8))
    opened = open_labelled(path, Settings(project_folder=str(tmp_path)))
    assert opened.rate_hz is None
    opened.close()


def test_a_run_that_its_file_times_keeps_its_times(run_file, tmp_path):
    settings = Settings(project_folder=str(tmp_path), assumed_frame_rate_hz=99.0)
    opened = open_labelled(run_file, settings)
    assert opened.rate_hz < 50.0
    opened.close()


def test_a_run_whose_labels_cannot_be_had_is_let_go(tmp_path, monkeypatch):
    path = tmp_path / "run.npy"
    np.save(path, np.zeros((10, 8, 12), np.uint8))
    closed = []

    def refuse(run, _):
        close = run.frames.close
        monkeypatch.setattr(run.frames, "close", lambda: closed.append(close()))
        raise StoreError("No.")

    monkeypatch.setattr(open_run, "open_store", refuse)
    with pytest.raises(StoreError):
        open_labelled(path, Settings(project_folder=str(tmp_path)))
    assert len(closed) == 1
